//! What a text must contain to match a pattern: the condition of an index of trigrams.
//!
//! A trigram is three characters in a row, folded so that letters which a pattern holds to be the same without
//! regard to case are one. The condition is necessary, never sufficient: whoever finds texts by it asks the
//! pattern then.

use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind},
};

/// Characters in a trigram.
const LENGTH: usize = 3;

/// More alternatives of one part of a pattern than this are not written out.
const MAX_ALTERNATIVES: usize = 16;

/// A repetition is written out this often.
const MAX_REPETITIONS: u32 = 4;

/// More trigrams than this of one literal don't make it rarer.
const MAX_TRIGRAMS: usize = 12;

/// More trigrams than this in a whole condition cost more than they save.
const MAX_SIZE: usize = 200;

/// A condition on the trigrams of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trigrams {
    /// This one.
    One(String),
    /// All of these.
    All(Vec<Trigrams>),
    /// Any of these.
    Any(Vec<Trigrams>),
}

impl Trigrams {
    /// What each match of the pattern, in the syntax of the regex crate, contains; `None` when nothing is known:
    /// the pattern has no three literal characters in a row, or look-around and the like.
    pub(crate) fn of(pattern: &str, case_insensitive: bool) -> Option<Self> {
        let pattern = ParserBuilder::new().case_insensitive(case_insensitive).build().parse(pattern).ok()?;
        let trigrams = Part::of(&pattern).needs()?;
        (trigrams.size() <= MAX_SIZE).then_some(trigrams)
    }

    fn size(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// What a text that contains the literal contains.
    fn of_literal(literal: &[char]) -> Option<Self> {
        let mut trigrams: Vec<Self> = Vec::new();
        // Far apart rather than side by side.
        let step = literal.len().div_ceil(MAX_TRIGRAMS);
        // The index leaves out the character zero.
        let windows = literal.windows(LENGTH).filter(|window| !window.contains(&'\0'));
        for window in windows.step_by(step.max(1)) {
            let trigram = Self::One(window.iter().collect());
            if !trigrams.contains(&trigram) {
                trigrams.push(trigram);
            }
        }
        Self::all(trigrams)
    }

    fn all(mut parts: Vec<Self>) -> Option<Self> {
        match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Self::All(parts)),
        }
    }
}

/// What is known of the texts that a part of a pattern matches.
enum Part {
    /// They are these, folded.
    Exactly(Vec<Vec<char>>),
    /// They contain this; `None`: nothing is known.
    Containing(Option<Trigrams>),
}

impl Part {
    fn of(pattern: &Hir) -> Self {
        match pattern.kind() {
            // Boundaries have no length.
            HirKind::Empty | HirKind::Look(_) => Self::Exactly(vec![Vec::new()]),
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => Self::Exactly(vec![text.chars().map(fold).collect()]),
                Err(_) => Self::Containing(None),
            },
            HirKind::Class(class) => Self::of_class(class),
            HirKind::Repetition(repetition) => {
                let times = repetition.min.min(MAX_REPETITIONS);
                let is_all = repetition.max == Some(times);
                let sure = (0..times).map(|_| Self::of(&repetition.sub));
                Self::of_sequence(sure.chain((!is_all).then_some(Self::Containing(None))))
            }
            HirKind::Capture(group) => Self::of(&group.sub),
            HirKind::Concat(parts) => Self::of_sequence(parts.iter().map(Self::of)),
            HirKind::Alternation(parts) => Self::of_alternatives(parts),
        }
    }

    fn of_class(class: &Class) -> Self {
        let Class::Unicode(class) = class else { return Self::Containing(None) };
        let mut characters: Vec<char> = Vec::new();
        for range in class.ranges() {
            if range.len() > 2 * MAX_ALTERNATIVES {
                return Self::Containing(None);
            }
            characters.extend((range.start()..=range.end()).map(fold));
        }
        characters.sort_unstable();
        characters.dedup();
        if characters.is_empty() || characters.len() > MAX_ALTERNATIVES {
            return Self::Containing(None);
        }
        Self::Exactly(characters.into_iter().map(|character| vec![character]).collect())
    }

    fn of_sequence(parts: impl Iterator<Item = Self>) -> Self {
        let mut needed = Vec::new();
        let mut is_exact = true;
        // The literals that end here.
        let mut current = vec![Vec::new()];
        for part in parts {
            match part {
                Self::Exactly(next) if current.len() * next.len() <= MAX_ALTERNATIVES => {
                    current = current
                        .iter()
                        .flat_map(|start| next.iter().map(move |end| [start.as_slice(), end].concat()))
                        .collect();
                }
                Self::Exactly(next) => {
                    is_exact = false;
                    needed.extend(Self::Exactly(std::mem::replace(&mut current, next)).needs());
                }
                Self::Containing(condition) => {
                    is_exact = false;
                    needed.extend(Self::Exactly(std::mem::replace(&mut current, vec![Vec::new()])).needs());
                    needed.extend(condition);
                }
            }
        }
        if is_exact {
            return Self::Exactly(current);
        }
        needed.extend(Self::Exactly(current).needs());
        Self::Containing(Trigrams::all(needed))
    }

    fn of_alternatives(parts: &[Hir]) -> Self {
        let parts: Vec<Self> = parts.iter().map(Self::of).collect();
        let exact: Option<Vec<&Vec<Vec<char>>>> = parts
            .iter()
            .map(|part| match part {
                Self::Exactly(literals) => Some(literals),
                Self::Containing(_) => None,
            })
            .collect();
        if let Some(literals) = exact
            && literals.iter().map(|literals| literals.len()).sum::<usize>() <= MAX_ALTERNATIVES
        {
            return Self::Exactly(literals.into_iter().flatten().cloned().collect());
        }
        Self::Containing(parts.into_iter().map(Self::needs).collect::<Option<_>>().map(Trigrams::Any))
    }

    /// What the texts contain, as far as is known.
    fn needs(self) -> Option<Trigrams> {
        match self {
            Self::Containing(condition) => condition,
            Self::Exactly(mut literals) => {
                literals.sort_unstable();
                literals.dedup();
                let mut conditions: Vec<Trigrams> =
                    literals.iter().map(|literal| Trigrams::of_literal(literal)).collect::<Option<_>>()?;
                if conditions.len() == 1 { conditions.pop() } else { Some(Trigrams::Any(conditions)) }
            }
        }
    }
}

/// A text with its characters folded, for the index.
pub(crate) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// One character for all that are the same without regard to case.
fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    // These have no upper case of one character.
    let character = match character {
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb06}' => '\u{fb05}',
        other => other,
    };
    let upper = single(character.to_uppercase()).unwrap_or(character);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    use super::*;

    /// The condition as text: `abc & (bcd | cde)`.
    fn shown(trigrams: &Trigrams) -> String {
        let list = |parts: &[Trigrams], by: &str| {
            format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(by))
        };
        match trigrams {
            Trigrams::One(trigram) => trigram.clone(),
            Trigrams::All(parts) => list(parts, " & "),
            Trigrams::Any(parts) => list(parts, " | "),
        }
    }

    fn of(pattern: &str) -> String {
        Trigrams::of(pattern, false).as_ref().map_or_else(String::new, shown)
    }

    #[test]
    fn literals_of_three_characters_are_needed() {
        assert_eq!(of("abcd"), "(abc & bcd)");
        assert_eq!(of("ABC"), "abc");
        assert_eq!(of("^abc$"), "abc");
        assert_eq!(of(r"abc\d+def"), "(abc & def)");
        assert_eq!(of(r"ab\.c"), "(ab. & b.c)");
        assert_eq!(of("(abc)+"), "abc");
        assert_eq!(of("ab(cd)e"), "(abc & bcd & cde)");
        assert_eq!(of("a[bc]d"), "(abd | acd)");
        assert_eq!(of("a{3}b"), "(aaa & aab)");
        assert_eq!(of("a{2,}b"), "");
        assert_eq!(of("xa{2,}bcd"), "bcd");
        assert_eq!(of("(?i)k.*xyz"), "xyz");
        assert_eq!(of("(?i)éta"), "éta");
        assert_eq!(of("abc|xyz|abd"), "(abc | abd | xyz)");
        assert_eq!(of("abc.*|xyz"), "(abc | xyz)");
        assert_eq!(of(r"abc\x{0}def"), "(abc & def)");
    }

    #[test]
    fn other_patterns_need_nothing() {
        for pattern in
            ["", "ab", "a.c", "(abc)?", "(abc)*", "abc|x", "abc|.*", "[a-z]{5}", r"\w+", "(?=abc)", "("]
        {
            assert_eq!(of(pattern), "", "{pattern}");
        }
    }

    #[test]
    fn conditions_stay_small() {
        let long = "abcdefghijklmnopqrstuvwxyz0123456789".repeat(20);
        assert!(Trigrams::of(&long, false).unwrap().size() <= MAX_TRIGRAMS);
        let many: Vec<String> = (0..1000).map(|number| format!("experiment number {number}")).collect();
        assert!(Trigrams::of(&many.join("|"), false).is_none_or(|trigrams| trigrams.size() <= MAX_SIZE));
    }

    #[test]
    fn characters_that_patterns_equate_are_folded_to_one() {
        for character in '\0'..=char::MAX {
            let mut same = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
            same.try_case_fold_simple().unwrap();
            for other in same.ranges().iter().flat_map(|range| range.start()..=range.end()) {
                assert_eq!(fold(other), fold(character), "{character:?} and {other:?}");
            }
        }
    }
}
