//! Globs over key names, with the rules of Redis' `KEYS` and `SCAN`.

/// Whether the whole text matches the glob: `*` any bytes, `?` one byte, `[a-c]` and `[^a-c]` one byte of a
/// class, `\` takes the next byte literally. Time is at most quadratic, whatever the glob.
pub(crate) fn matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut glob_at, mut text_at) = (0, 0);
    // Where to go on when a byte does not match: after the last star, one more byte eaten by it.
    let mut retry: Option<(usize, usize)> = None;

    while text_at < text.len() {
        if glob.get(glob_at) == Some(&b'*') {
            glob_at += 1;
            retry = Some((glob_at, text_at));
            continue;
        }
        if let Some(next) = match_one(glob, glob_at, text[text_at]) {
            glob_at = next;
            text_at += 1;
            continue;
        }
        let Some((after_star, eaten)) = retry else { return false };
        glob_at = after_star;
        text_at = eaten + 1;
        retry = Some((after_star, text_at));
    }
    glob[glob_at..].iter().all(|byte| *byte == b'*')
}

/// The text that every match starts with.
pub(crate) fn literal_prefix(glob: &str) -> &str {
    let end = glob.find(['*', '?', '[', '\\']).unwrap_or(glob.len());
    &glob[..end]
}

/// A text as a glob that matches just this text.
///
/// ```
/// assert_eq!(clearml_state::escape_glob("gpu[0]*"), r"gpu\[0\]\*");
/// ```
pub fn escape_glob(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The position after the part of the glob that matches one byte, if it does.
fn match_one(glob: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *glob.get(at)? {
        b'?' => Some(at + 1),
        b'[' => match_class(glob, at + 1, byte),
        b'\\' if at + 1 < glob.len() => (glob[at + 1] == byte).then_some(at + 2),
        literal => (literal == byte).then_some(at + 1),
    }
}

/// `at` is the position after the `[`; a class that is not closed ends with the glob.
fn match_class(glob: &[u8], mut at: usize, byte: u8) -> Option<usize> {
    let negated = glob.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut found = false;
    while at < glob.len() && glob[at] != b']' {
        if glob[at] == b'\\' && at + 1 < glob.len() {
            at += 1;
            found |= glob[at] == byte;
            at += 1;
        } else if at + 2 < glob.len() && glob[at + 1] == b'-' {
            let (first, last) = (glob[at].min(glob[at + 2]), glob[at].max(glob[at + 2]));
            found |= (first..=last).contains(&byte);
            at += 3;
        } else {
            found |= glob[at] == byte;
            at += 1;
        }
    }
    (found != negated).then_some((at + 1).min(glob.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        assert!(matches("*", ""));
        assert!(matches("worker_*_gpu?", "worker_company_user_gpu0"));
        assert!(!matches("worker_*_gpu?", "worker_company_user_gpu"));
        assert!(!matches("worker_*", "queue_worker_1"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-b-b"));
        assert!(!matches("", "a"));
    }

    #[test]
    fn classes_and_escapes() {
        assert!(matches("gpu[0-3]", "gpu2"));
        assert!(!matches("gpu[^0-3]", "gpu2"));
        assert!(matches(r"gpu\[0\]\*", "gpu[0]*"));
        assert!(!matches(r"gpu\*", "gpux"));
        assert!(matches("open[ab", "opena"));
        assert!(matches(&escape_glob("a[b]*?\\c"), "a[b]*?\\c"));
    }

    #[test]
    fn many_stars_stay_fast() {
        assert!(!matches(&format!("{}b", "a*".repeat(40)), &"a".repeat(5_000)));
    }
}
