//! Query arguments and form fields, merged over the JSON object (spec 01 §1.2).

use std::collections::HashMap;

use bson::{Bson, Document};

use super::ApiError;

/// Most segments of a dotted key; deeper ones could exhaust the stack.
const MAX_KEY_DEPTH: usize = 100;

/// Name and value pairs of a query string or urlencoded form.
pub(crate) fn decode(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Puts the pairs into the object; they win over what is there.
pub(crate) fn merge(object: &mut Document, pairs: Vec<(String, String)>) -> Result<(), ApiError> {
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut fields: Vec<(String, Vec<Bson>)> = Vec::new();
    for (key, value) in pairs {
        let value = typed(value);
        if let Some(position) = positions.get(&key) {
            fields[*position].1.push(value);
        } else {
            positions.insert(key.clone(), fields.len());
            fields.push((key, vec![value]));
        }
    }
    for (key, mut values) in fields {
        let is_list = values.len() > 1 || key.ends_with("[]");
        let value = if is_list { Bson::Array(values) } else { values.swap_remove(0) };
        let path: Vec<&str> = key.trim_matches(['[', ']']).split('.').collect();
        if path.len() > MAX_KEY_DEPTH {
            return Err(ApiError::bad_request("Request argument is nested too deep"));
        }
        insert(object, &path, value);
    }
    Ok(())
}

fn insert(object: &mut Document, path: &[&str], value: Bson) {
    match path {
        [] => {}
        [key] => {
            object.insert(*key, value);
        }
        [key, rest @ ..] => {
            if !matches!(object.get(*key), Some(Bson::Document(_))) {
                object.insert(*key, Document::new());
            }
            if let Some(Bson::Document(inner)) = object.get_mut(*key) {
                insert(inner, rest, value);
            }
        }
    }
}

/// `12` → int, `1.5`, `1.`, `.5` → float, `true`, `True`, `TRUE` → bool, anything else is text.
fn typed(text: String) -> Bson {
    match text.as_str() {
        "true" | "True" | "TRUE" => return Bson::Boolean(true),
        "false" | "False" | "FALSE" => return Bson::Boolean(false),
        _ => {}
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    if digits == 0 || digits + points < text.len() || points > 1 {
        return Bson::String(text);
    }
    if points == 0
        && let Ok(integer) = text.parse()
    {
        return Bson::Int64(integer);
    }
    text.parse().map_or(Bson::String(text), Bson::Double)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn merged(mut object: Document, query: &str) -> Document {
        merge(&mut object, decode(query.as_bytes())).unwrap();
        object
    }

    #[test]
    fn values_get_types_from_their_text() {
        for (text, expected) in [
            ("12", Bson::Int64(12)),
            ("0012", Bson::Int64(12)),
            ("1.5", Bson::Double(1.5)),
            ("1.", Bson::Double(1.0)),
            (".5", Bson::Double(0.5)),
            ("99999999999999999999", Bson::Double(1e20)),
            ("true", Bson::Boolean(true)),
            ("True", Bson::Boolean(true)),
            ("FALSE", Bson::Boolean(false)),
        ] {
            assert_eq!(typed(text.into()), expected, "{text}");
        }
        for text in ["", ".", "-3", "1e5", "1.2.3", "tRue", "abc", "1 2", "null", "٣"] {
            assert_eq!(typed(text.into()), Bson::String(text.into()), "{text}");
        }
    }

    #[test]
    fn keys_with_points_nest_and_win() {
        assert_eq!(merged(doc! {"a": 1, "b": 2}, "a=x"), doc! {"a": "x", "b": 2});
        assert_eq!(merged(doc! {"a": {"b": 1, "c": 2}}, "a.b=x"), doc! {"a": {"b": "x", "c": 2}});
        assert_eq!(merged(doc! {"a": 1}, "a.b.c=x"), doc! {"a": {"b": {"c": "x"}}});
    }

    #[test]
    fn repeated_and_bracketed_keys_are_lists() {
        assert_eq!(merged(doc! {}, "a=1&a=x"), doc! {"a": [1_i64, "x"]});
        assert_eq!(merged(doc! {}, "a[]=1"), doc! {"a": [1_i64]});
        assert_eq!(merged(doc! {}, "a.b%5B%5D=1"), doc! {"a": {"b": [1_i64]}});
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(merged(doc! {}, "a=x+y%26z&b=%C3%A9&c"), doc! {"a": "x y&z", "b": "é", "c": ""});
    }

    #[test]
    fn absurd_depth_is_refused() {
        let key = vec!["a"; 100_000].join(".");
        let mut object = Document::new();
        assert!(merge(&mut object, vec![(key, "1".into())]).is_err());
    }
}
