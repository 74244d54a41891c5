//! Values written as Python writes them: some messages and some stored texts of the API have this form.

use bson::Bson;

/// `str(value)`: text as is, everything else as [`repr`].
pub(crate) fn str_of(value: &Bson) -> String {
    match value {
        Bson::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`: `True`, `None`, `1.0`, `1e+20`, `'x'`, `[1, 'x', None]`, `{'k': True}`.
pub(crate) fn repr(value: &Bson) -> String {
    match value {
        Bson::Null | Bson::Undefined => "None".to_owned(),
        Bson::Boolean(true) => "True".to_owned(),
        Bson::Boolean(false) => "False".to_owned(),
        Bson::Double(number) => repr_float(*number),
        Bson::String(text) => repr_text(text),
        Bson::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Bson::Document(document) => {
            let members: Vec<String> =
                document.iter().map(|(key, value)| format!("{}: {}", repr_text(key), repr(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// `repr(tuple(texts))`: `()`, `('a',)`, `('a', 'b')`.
pub(crate) fn repr_tuple<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| repr_text(text.as_ref())).collect();
    match texts.as_slice() {
        [single] => format!("({single},)"),
        several => format!("({})", several.join(", ")),
    }
}

/// The shortest text that reads back as the same number; exponent form from 1e16 up and below 1e-4.
fn repr_float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let scientific = format!("{number:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number:?}")
}

/// A quoted text: single quotes unless it holds some and no double quotes; control characters escaped.
fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            character if character == quote => {
                quoted.push('\\');
                quoted.push(character);
            }
            character if character.is_control() => {
                let code = u32::from(character);
                quoted.push_str(&format!("\\x{code:02x}"));
            }
            character => quoted.push(character),
        }
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use bson::{Bson, bson};

    use super::*;

    #[test]
    fn values_read_as_in_python() {
        for (value, text) in [
            (bson!(true), "True"),
            (Bson::Null, "None"),
            (bson!(1.0), "1.0"),
            (bson!(-0.0), "-0.0"),
            (bson!(1e20), "1e+20"),
            (bson!(1.5e-7), "1.5e-07"),
            (bson!(0.0001), "0.0001"),
            (bson!(1e15), "1000000000000000.0"),
            (bson!(1e16), "1e+16"),
            (Bson::Double(f64::NAN), "nan"),
            (bson!(3), "3"),
            (Bson::Int64(1 << 40), "1099511627776"),
            (bson!("plain ' text"), "plain ' text"),
            (bson!([1, "x", null]), "[1, 'x', None]"),
            (bson!({"k": true}), "{'k': True}"),
            (bson!(["it's", "a \"b\" 'c'", "\n\\"]), r#"["it's", 'a "b" \'c\'', '\n\\']"#),
        ] {
            assert_eq!(str_of(&value), text);
        }
    }

    #[test]
    fn tuples_of_one_keep_their_comma() {
        assert_eq!(repr_tuple::<&str>(&[]), "()");
        assert_eq!(repr_tuple(&["a"]), "('a',)");
        assert_eq!(repr_tuple(&["a", "b"]), "('a', 'b')");
    }
}
