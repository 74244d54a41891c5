//! What Python says of a pattern that it does not take.

use std::{
    iter::{Enumerate, Peekable},
    str::Chars,
};

/// The complaint of Python's `re` about the commonest mistakes; `None` for others. Positions count characters.
pub(super) fn of(pattern: &str) -> Option<String> {
    let mut groups = Vec::new();
    let mut repeatable = Repeatable::Nothing;
    let mut characters = pattern.chars().enumerate().peekable();
    while let Some((position, character)) = characters.next() {
        let at = |complaint: &str| Some(format!("{complaint} at position {position}"));
        repeatable = match character {
            '\\' => match characters.next() {
                Some(_) => Repeatable::Item,
                None => return at("bad escape (end of pattern)"),
            },
            '[' if skip_class(&mut characters) => Repeatable::Item,
            '[' => return at("unterminated character set"),
            '(' => {
                groups.push(position);
                // The mark of an extension, as in `(?:`.
                characters.next_if(|(_, next)| *next == '?');
                Repeatable::Nothing
            }
            ')' => match groups.pop() {
                Some(_) => Repeatable::Item,
                None => return at("unbalanced parenthesis"),
            },
            '|' | '^' | '$' => Repeatable::Nothing,
            '*' | '+' | '?' => match repeatable {
                Repeatable::Item => {
                    // Lazy and possessive forms.
                    characters.next_if(|(_, next)| matches!(next, '?' | '+'));
                    Repeatable::Repetition
                }
                Repeatable::Repetition => return at("multiple repeat"),
                Repeatable::Nothing => return at("nothing to repeat"),
            },
            _ => Repeatable::Item,
        };
    }
    let open = groups.pop()?;
    Some(format!("missing ), unterminated subpattern at position {open}"))
}

/// What a repetition would apply to.
#[derive(Clone, Copy)]
enum Repeatable {
    Nothing,
    Item,
    Repetition,
}

/// Skips the rest of a character class; whether it ends.
fn skip_class(characters: &mut Peekable<Enumerate<Chars<'_>>>) -> bool {
    characters.next_if(|(_, next)| *next == '^');
    let mut is_first = true;
    while let Some((_, character)) = characters.next() {
        match character {
            ']' if !is_first => return true,
            '\\' => drop(characters.next()),
            _ => {}
        }
        is_first = false;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn mistakes_are_named_as_python_does() {
        for (pattern, complaint) in [
            ("(", "missing ), unterminated subpattern at position 0"),
            ("a(b(c)", "missing ), unterminated subpattern at position 1"),
            ("a)", "unbalanced parenthesis at position 1"),
            ("ü[a", "unterminated character set at position 1"),
            ("[]", "unterminated character set at position 0"),
            ("*a", "nothing to repeat at position 0"),
            ("a|+", "nothing to repeat at position 2"),
            ("a**", "multiple repeat at position 2"),
            ("a\\", "bad escape (end of pattern) at position 1"),
        ] {
            assert_eq!(of(pattern).as_deref(), Some(complaint), "{pattern}");
        }
    }

    #[test]
    fn right_patterns_give_no_cause() {
        for pattern in ["", "a*?b++", "(?:a|b)+", "[]a^]*", "[^^]", "\\(", "(?i)x", "a{2}"] {
            assert_eq!(of(pattern), None, "{pattern}");
        }
    }
}
