//! A short form of a report's text.

/// Longest excerpt, in characters.
const LENGTH: usize = 100;
const MORE: &str = " [...]";

/// The first words of a text, with single spaces between them.
pub(super) fn excerpt(text: &str) -> String {
    let mut excerpt = String::new();
    let mut length = 0;
    // How far the excerpt may go if more follows.
    let mut cut = 0;
    for word in text.split_whitespace() {
        let space = usize::from(!excerpt.is_empty());
        length += space + word.chars().count();
        if length > LENGTH {
            excerpt.truncate(cut);
            excerpt.push_str(if cut == 0 { MORE.trim_start() } else { MORE });
            return excerpt;
        }
        if space > 0 {
            excerpt.push(' ');
        }
        excerpt.push_str(word);
        if length + MORE.len() <= LENGTH {
            cut = excerpt.len();
        }
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_end_at_a_word() {
        assert_eq!(excerpt("  # Title\n\n a  b "), "# Title a b");
        assert_eq!(excerpt(""), "");
        let hundred = ["word"; 20].join(" ") + "x";
        assert_eq!(hundred.len(), 100);
        assert_eq!(excerpt(&hundred), hundred);
        assert_eq!(excerpt(&(hundred.clone() + "y")), ["word"; 19].join(" ") + " [...]");
        assert_eq!(excerpt(&(hundred + " z")), ["word"; 19].join(" ") + " [...]");
        assert_eq!(excerpt(&"x".repeat(101)), "[...]");
        assert_eq!(excerpt(&"é".repeat(100)), "é".repeat(100));
    }
}
