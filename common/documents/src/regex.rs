//! Regular expressions as users of Python write them.

mod complaint;
pub(crate) mod trigrams;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fancy_regex::{Regex, RegexBuilder};

use self::trigrams::Trigrams;
use crate::{StoreError, StoreResult};

/// Steps that a pattern with look-around may take on one text before it counts as no match.
const BACKTRACK_LIMIT: usize = 200_000;

/// Texts that may use up [`BACKTRACK_LIMIT`] before the pattern as a whole is refused.
const MAX_EXHAUSTED: usize = 50;

/// Longest pattern in bytes, as MongoDB bounds it: the time to compile one grows with the square of its length.
const MAX_PATTERN: usize = 16 * 1024;

/// Largest compiled form of a pattern, in bytes: repetitions of repetitions and classes of Unicode multiply.
const MAX_COMPILED: usize = 8 << 20;

/// Memory of the lazily built automaton of a pattern, in bytes.
const MAX_AUTOMATON: usize = 1 << 20;

/// Why a pattern is refused that uses up its steps on too many texts.
pub(crate) const TOO_SLOW: &str = "the pattern takes too many steps";

/// A compiled pattern, searched anywhere in a text.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    source: String,
    case_insensitive: bool,
    /// Texts that used up [`BACKTRACK_LIMIT`], over all clones.
    exhausted: Arc<AtomicUsize>,
}

impl Pattern {
    pub(crate) fn new(pattern: &str, case_insensitive: bool) -> StoreResult<Self> {
        if pattern.len() > MAX_PATTERN {
            return Err(StoreError::InvalidRegex(format!("the pattern is longer than {MAX_PATTERN} bytes")));
        }
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .case_insensitive(case_insensitive)
                .backtrack_limit(BACKTRACK_LIMIT)
                .delegate_size_limit(MAX_COMPILED)
                .delegate_dfa_size_limit(MAX_AUTOMATON)
                .build()
        };
        let regex = build(&translate(pattern)).map_err(|error| {
            // The message should speak of the pattern as it was given.
            let own = || build(pattern).err().unwrap_or(error).to_string();
            StoreError::InvalidRegex(complaint::of(pattern).unwrap_or_else(own))
        })?;
        Ok(Self { regex, source: pattern.to_owned(), case_insensitive, exhausted: Arc::default() })
    }

    /// Whether the pattern is found in the text. A text that would take too many steps is no match; after too
    /// many of them nothing is, see [`Self::is_exhausted`].
    pub(crate) fn is_match(&self, text: &str) -> bool {
        if self.is_exhausted() {
            return false;
        }
        self.regex.is_match(text).unwrap_or_else(|_| {
            self.exhausted.fetch_add(1, Ordering::Relaxed);
            false
        })
    }

    /// Whether so many texts took too many steps that the pattern is to be refused.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed) >= MAX_EXHAUSTED
    }

    /// What every text that has a match contains, if that is known.
    pub(crate) fn trigrams(&self) -> Option<Trigrams> {
        Trigrams::of(&translate(&self.source), self.case_insensitive)
    }

    /// The text that every match starts with, when the pattern is anchored to the start and begins with
    /// literal characters. Lets an index narrow the search.
    pub(crate) fn literal_prefix(&self) -> Option<String> {
        let pattern = self.source.strip_prefix('^')?;
        if self.case_insensitive || pattern.contains('|') {
            return None;
        }
        let mut prefix = String::new();
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            let literal = match character {
                '\\' => match characters.next() {
                    Some(escaped) if !escaped.is_alphanumeric() && !"<>".contains(escaped) => escaped,
                    _ => break,
                },
                '.' | '$' | '^' | '*' | '+' | '?' | '{' | '[' | '(' | ')' => break,
                other => other,
            };
            if matches!(characters.peek(), Some('*' | '?' | '{' | '+')) {
                break;
            }
            prefix.push(literal);
        }
        (!prefix.is_empty()).then_some(prefix)
    }
}

/// Writes what Python accepts and this engine does not in the engine's way: braces that are no repetition,
/// `[` and doubled operators inside a class, `\Z`, escapes of harmless characters.
fn translate(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let mut class_start = false;
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        let at_class_start = std::mem::take(&mut class_start);
        rest = after;
        match character {
            '\\' => {
                let Some(escaped) = after.chars().next() else {
                    translated.push('\\');
                    continue;
                };
                rest = &after[escaped.len_utf8()..];
                match escaped {
                    'Z' => translated.push_str("\\z"),
                    '<' | '>' => translated.push(escaped),
                    other if !other.is_ascii() && !other.is_alphanumeric() => translated.push(other),
                    other => translated.extend(['\\', other]),
                }
            }
            '[' if in_class => translated.push_str("\\["),
            '[' => {
                in_class = true;
                class_start = true;
                translated.push('[');
                if let Some(negated) = rest.strip_prefix('^') {
                    translated.push('^');
                    rest = negated;
                }
            }
            ']' if in_class && at_class_start => translated.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                translated.push(']');
            }
            '&' | '~' if in_class => translated.extend(['\\', character]),
            '{' if !in_class && !is_repetition(after) => translated.push_str("\\{"),
            '}' if !in_class && !ends_repetition(&translated) => translated.push_str("\\}"),
            other => translated.push(other),
        }
    }
    translated
}

/// Whether the text after a `{` makes it a repetition: `3}`, `3,}`, `,3}`, `3,5}`.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    !inside.is_empty()
        && inside != ","
        && inside.matches(',').count() <= 1
        && inside.chars().all(|character| character.is_ascii_digit() || character == ',')
}

/// Whether a `}` that follows closes a repetition that was opened unescaped.
fn ends_repetition(translated: &str) -> bool {
    let Some(open) = translated.rfind('{') else { return false };
    let escaped = translated[..open].ends_with('\\');
    let inside = &translated[open + 1..];
    !escaped && inside.chars().all(|character| character.is_ascii_digit() || character == ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern, false).unwrap().is_match(text)
    }

    #[test]
    fn patterns_of_python_users_work() {
        assert!(finds("b", "abc"));
        assert!(!finds("B", "abc"));
        assert!(Pattern::new("B", true).unwrap().is_match("abc"));
        assert!(finds(r"^a\.b\ c\-d\#e\/f\&g\~h$", "a.b c-d#e/f&g~h"));
        assert!(finds("{x}", "a{x}b"));
        assert!(finds("a{2}", "caab"));
        assert!(!finds("^a{3}$", "aa"));
        assert!(finds("[[]x[]]", "[x]"));
        assert!(finds("[^]a]", "b"));
        assert!(finds("(?<!not )ok", "all ok"));
        assert!(!finds("(?<!not )ok", "not ok"));
        assert!(finds(r"(a)\1", "aa"));
        assert!(finds(r"end\Z", "the end"));
        assert!(finds(r"\<b\>", "<b>"));
        assert!(finds("[a&&b]", "&"));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[", "(", "a**b(", "*"] {
            assert!(matches!(Pattern::new(pattern, false), Err(StoreError::InvalidRegex(_))), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_would_take_long_to_compile_are_refused() {
        let long = "x".repeat(MAX_PATTERN + 1);
        assert!(matches!(Pattern::new(&long, false), Err(StoreError::InvalidRegex(_))));
    }

    #[test]
    fn patterns_that_would_be_large_are_refused() {
        let nested = "(a|b)".repeat(3000);
        for pattern in
            [r"\w{1000}{1000}", r"(\pL{100}){100}", "((a{100}){100}){100}", &format!("({nested}){{50}}")]
        {
            assert!(matches!(Pattern::new(pattern, true), Err(StoreError::InvalidRegex(_))), "{pattern}");
        }
        // What users write is far from that.
        let names: Vec<String> = (0..400).map(|index| format!("experiment number {index}")).collect();
        assert!(Pattern::new(&format!("(?i)^({})$", names.join("|")), true).is_ok());
        assert!(Pattern::new(r"^[\w\s\-.]{1,50}$", true).is_ok());
    }

    #[test]
    fn a_pattern_that_takes_too_many_steps_ends() {
        let text = "a".repeat(40);
        // In linear time, whatever is repeated: no step is counted.
        let fast = Pattern::new(r"^(?=(a+)+b)", false).unwrap();
        (0..MAX_EXHAUSTED).for_each(|_| assert!(!fast.is_match(&text)));
        assert!(!fast.is_exhausted());
        let slow = Pattern::new(r"^(a|aa)+\1c$", false).unwrap();
        (0..MAX_EXHAUSTED).for_each(|_| assert!(!slow.is_match(&text)));
        assert!(slow.is_exhausted());
        assert!(!slow.is_match("aac"));
    }

    #[test]
    fn anchored_literals_give_a_prefix() {
        let prefix = |pattern: &str| Pattern::new(pattern, false).unwrap().literal_prefix();
        assert_eq!(prefix("^abc$").as_deref(), Some("abc"));
        assert_eq!(prefix(r"^a\.b/c\ d$").as_deref(), Some("a.b/c d"));
        assert_eq!(prefix("^abc*").as_deref(), Some("ab"));
        assert_eq!(prefix(r"^ab\d").as_deref(), Some("ab"));
        assert_eq!(prefix("^a|b"), None);
        assert_eq!(prefix("abc"), None);
        assert_eq!(prefix("^.a"), None);
        assert_eq!(Pattern::new("^abc", true).unwrap().literal_prefix(), None);
    }
}
