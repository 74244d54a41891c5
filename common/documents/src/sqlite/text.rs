//! Full-text search: what a user types, in the language of FTS5.

/// Words that MongoDB's English text search leaves out.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "being", "below", "between", "both", "but", "by", "could", "did", "do", "does",
    "doing", "down", "during", "each", "few", "for", "from", "further", "had", "has", "have", "having", "he",
    "her", "here", "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "me", "more",
    "most", "my", "no", "nor", "not", "of", "off", "on", "once", "only", "or", "other", "our", "out", "over",
    "own", "same", "she", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "through", "to", "too", "under", "until", "up", "very", "was",
    "we", "were", "what", "when", "where", "which", "while", "who", "whom", "why", "with", "would", "you",
    "your",
];

/// Bytes of a word by which it is found. FTS5 keeps a buffer of the longest word that a connection has seen.
const LONGEST_WORD: usize = 1000;

/// A text as it is indexed: without what exceeds the longest words.
pub(super) fn indexed(text: String) -> String {
    if text.len() <= LONGEST_WORD {
        return text;
    }
    text.split_inclusive(|character| !is_of_word(character))
        .flat_map(|piece| {
            let separator = piece.rfind(|character| !is_of_word(character)).unwrap_or(piece.len());
            let (word, separator) = piece.split_at(separator);
            [cut(word), separator]
        })
        .collect()
}

fn cut(word: &str) -> &str {
    &word[..word.floor_char_boundary(LONGEST_WORD)]
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The FTS5 query for a search: any of the words, all of the "phrases", none of the -words. `None` when there
/// is nothing to look for: then nothing matches.
pub(super) fn match_query(search: &str) -> Option<String> {
    let search = Search::parse(search);
    let any_word = search.words.join(" OR ");
    let wanted = match (search.phrases.is_empty(), search.words.is_empty()) {
        (true, true) => return None,
        (true, false) => any_word,
        (false, true) => search.phrases.join(" AND "),
        // The words are not required, they raise the score.
        (false, false) => {
            let phrases = search.phrases.join(" AND ");
            format!("({phrases}) AND ({} OR {any_word})", search.phrases.join(" OR "))
        }
    };
    if search.excluded.is_empty() {
        return Some(wanted);
    }
    Some(format!("({wanted}) NOT ({})", search.excluded.join(" OR ")))
}

/// The parts of a search, each quoted.
#[derive(Debug, Default)]
struct Search {
    words: Vec<String>,
    phrases: Vec<String>,
    excluded: Vec<String>,
}

impl Search {
    fn parse(text: &str) -> Self {
        let mut search = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let negated = rest.starts_with('-');
            rest = rest.strip_prefix('-').unwrap_or(rest);
            if let Some((phrase, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                let words: Vec<_> = words_of(phrase).collect();
                if !words.is_empty() {
                    let list = if negated { &mut search.excluded } else { &mut search.phrases };
                    list.push(quote(&words.join(" ")));
                }
                rest = after.trim_start();
                continue;
            }
            let end = rest.find(|character: char| character.is_whitespace() || character == '"');
            // A lone quote at the front is skipped.
            let end = end.unwrap_or(rest.len());
            for word in words_of(&rest[..end]).filter(|word| !is_stop_word(word)) {
                let list = if negated { &mut search.excluded } else { &mut search.words };
                list.push(quote(word));
            }
            rest = rest[end..].trim_start();
            if end == 0 {
                rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
            }
        }
        search
    }
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character| !is_of_word(character)).filter(|word| !word.is_empty()).map(cut)
}

fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(&word.to_lowercase().as_str())
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_alike_in_texts_and_searches() {
        let long = "ä".repeat(LONGEST_WORD);
        let cut = "ä".repeat(LONGEST_WORD / 2);
        assert_eq!(indexed(format!("a {long}, b\n{long}")), format!("a {cut}, b\n{cut}"));
        assert_eq!(match_query(&format!("a1 {long}")), Some(format!(r#""a1" OR "{cut}""#)));
    }

    #[test]
    fn words_phrases_and_exclusions() {
        let query = |search: &str| match_query(search);
        assert_eq!(query("big model").as_deref(), Some(r#""big" OR "model""#));
        assert_eq!(query("the model").as_deref(), Some(r#""model""#));
        assert_eq!(query("net-v2").as_deref(), Some(r#""net" OR "v2""#));
        assert_eq!(query(r#""big model""#).as_deref(), Some(r#""big model""#));
        assert_eq!(query("model -old").as_deref(), Some(r#"("model") NOT ("old")"#));
        assert_eq!(
            query(r#"x "a b" -"c d""#).as_deref(),
            Some(r#"(("a b") AND ("a b" OR "x")) NOT ("c d")"#)
        );
        assert_eq!(query("-old"), None);
        assert_eq!(query("the"), None);
        assert_eq!(query(""), None);
        assert_eq!(query(r#"" - -- "" ( * NEAR"#).as_deref(), Some(r#""NEAR""#));
    }
}
