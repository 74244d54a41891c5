//! Text order of `{locale: "en_US", numericOrdering: true}`: digits as numbers, letters without regard to case.

use std::cmp::Ordering;

/// Punctuation and symbols in the order of the root collation; digits and letters come after all of these.
const SYMBOLS: &str = "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

/// Marks a number in a key; above every symbol, below every letter.
const NUMBER: u8 = 0x40;

/// A key whose byte order is the collation's order. Different texts have different keys: what the collation
/// holds to be equal (`a` and `A`, `1` and `01`) is ordered by lower case first, then by the bytes, so that
/// equality is plain equality.
pub(crate) fn collation_key(text: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(text.len() * 3 + 8);
    let mut rest = text.chars().peekable();
    while let Some(&character) = rest.peek() {
        if character.is_ascii_digit() {
            let mut digits = Vec::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                if digit != '0' || !digits.is_empty() {
                    digits.push(digit as u8);
                }
            }
            key.push(NUMBER);
            key.extend_from_slice(&(digits.len() as u32).to_be_bytes());
            key.extend_from_slice(&digits);
            continue;
        }
        rest.next();
        if let Some(rank) = SYMBOLS.find(character) {
            key.push(rank as u8 + 1);
        } else {
            // Letters are shifted above NUMBER; control characters land there too, which harms nobody.
            for folded in character.to_lowercase() {
                let code = folded as u32 + 0x41_00_00;
                key.extend_from_slice(&code.to_be_bytes()[1..]);
            }
        }
    }
    key.push(0);
    // Lower case before upper case, as the collation's third level has it.
    key.extend(text.bytes().map(|byte| if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { byte }));
    key
}

/// Compares as the keys do.
pub fn compare_collated(left: &str, right: &str) -> Ordering {
    collation_key(left).cmp(&collation_key(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_compare_as_numbers_and_letters_without_case() {
        let mut texts = ["b10", "B9", "b2", "a", "B", "10", "2", "_x", "é", "0.5", "0.25", "", "b 1", "A"];
        texts.sort_by(|left, right| compare_collated(left, right));
        assert_eq!(texts, ["", "_x", "0.5", "0.25", "2", "10", "a", "A", "B", "b 1", "b2", "B9", "b10", "é"]);
    }

    #[test]
    fn different_texts_never_compare_equal() {
        assert_ne!(compare_collated("1", "01"), Ordering::Equal);
        assert_ne!(compare_collated("a", "A"), Ordering::Equal);
        assert_eq!(compare_collated("a", "A"), Ordering::Less);
        assert_eq!(compare_collated("x1", "x1"), Ordering::Equal);
    }
}
