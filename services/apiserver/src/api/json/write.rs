//! Writes documents as compact ASCII JSON.

use std::io::Write;

use bson::{Bson, DateTime, Document};

/// A value that JSON has no form for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Object of type {0:?} is not JSON serializable")]
pub struct WriteError(pub bson::spec::ElementType);

/// Appends a document.
pub fn write_document(out: &mut Vec<u8>, document: &Document) -> Result<(), WriteError> {
    out.push(b'{');
    for (position, (key, value)) in document.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        write_value(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a value.
pub fn write_value(out: &mut Vec<u8>, value: &Bson) -> Result<(), WriteError> {
    match value {
        Bson::Null | Bson::Undefined => out.extend_from_slice(b"null"),
        Bson::Boolean(true) => out.extend_from_slice(b"true"),
        Bson::Boolean(false) => out.extend_from_slice(b"false"),
        Bson::Int32(number) => write_display(out, number),
        Bson::Int64(number) => write_display(out, number),
        Bson::Double(number) => write_float(out, *number),
        Bson::String(text) | Bson::Symbol(text) => write_text(out, text),
        Bson::DateTime(date) => {
            out.push(b'"');
            write_date(out, *date);
            out.extend_from_slice(b"+00:00\"");
        }
        Bson::ObjectId(id) => write_text(out, &id.to_hex()),
        Bson::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(out, item)?;
            }
            out.push(b']');
        }
        Bson::Document(document) => write_document(out, document)?,
        other => return Err(WriteError(other.element_type())),
    }
    Ok(())
}

/// Appends a string with quotes; everything beyond ASCII as `\u` escapes.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut rest = text;
    let mut copied = 0;
    // ASCII runs are copied whole.
    while let Some(length) = rest.bytes().position(|byte| !is_plain(byte)) {
        out.extend_from_slice(&bytes[copied..copied + length]);
        let Some(character) = rest[length..].chars().next() else { break };
        write_escaped(out, character);
        copied += length + character.len_utf8();
        rest = &text[copied..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte < 0x7f && byte != b'"' && byte != b'\\'
}

fn write_escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        // Python leaves DEL as it is.
        '\u{7f}' => out.push(0x7f),
        other => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let mut units = [0; 2];
            for unit in other.encode_utf16(&mut units) {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(HEX[usize::from(*unit >> shift & 0xf)]);
                }
            }
        }
    }
}

fn write_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{value}");
}

fn write_float(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        let start = out.len();
        // Rust's debug form is the shortest that reads back, with `.0`, and turns to exponents at the same
        // magnitudes as Python's; only the exponent is spelled differently: `1e-7` for `1e-07`.
        let _ = write!(out, "{number:?}");
        let Some(e) = out[start..].iter().position(|byte| *byte == b'e') else { return };
        let exponent = out.split_off(start + e + 1);
        let (sign, digits) = match exponent.split_first() {
            Some((b'-', digits)) => (b'-', digits),
            _ => (b'+', &exponent[..]),
        };
        out.push(sign);
        if digits.len() < 2 {
            out.push(b'0');
        }
        out.extend_from_slice(digits);
    }
}

/// A float as Python prints it: `1.0`, `1e+16`, `nan`.
pub fn python_float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let mut out = Vec::new();
    write_float(&mut out, number);
    String::from_utf8_lossy(&out).into_owned()
}

/// `2024-01-02T03:04:05.147000+00:00`: dates of documents.
pub fn iso_date(date: DateTime) -> String {
    naive_iso_date(date) + "+00:00"
}

/// `2024-01-02T03:04:05.147000`: dates of typed response models (spec 01 §1.5).
pub fn naive_iso_date(date: DateTime) -> String {
    let mut out = Vec::with_capacity(32);
    write_date(&mut out, date);
    String::from_utf8_lossy(&out).into_owned()
}

fn write_date(out: &mut Vec<u8>, date: DateTime) {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    let millis = date.timestamp_millis();
    let (year, month, day) = civil_date(millis.div_euclid(MILLIS_PER_DAY));
    let of_day = millis.rem_euclid(MILLIS_PER_DAY);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    let fraction = of_day % 1000;
    if fraction > 0 {
        let _ = write!(out, ".{fraction:03}000");
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar
/// (Howard Hinnant's `civil_from_days`): total over all of `i64`'s dates, unlike calendar libraries.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use bson::{doc, oid::ObjectId};

    use super::*;

    fn written(value: impl Into<Bson>) -> String {
        let mut out = Vec::new();
        write_value(&mut out, &value.into()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_print_as_python_prints_them() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (123_456_789.0, "123456789.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(written(number), expected);
        }
    }

    #[test]
    fn text_is_ascii() {
        assert_eq!(written("a\"b\\c\n\t\r\u{8}\u{c}\u{1}/"), r#""a\"b\\c\n\t\r\b\f\u0001/""#);
        assert_eq!(written("é–😀x"), r#""\u00e9\u2013\ud83d\ude00x""#);
        assert_eq!(written("\u{7f}"), "\"\u{7f}\"");
        assert_eq!(written(""), "\"\"");
    }

    #[test]
    fn dates_have_six_digits_or_none() {
        let date = |millis| written(DateTime::from_millis(millis));
        assert_eq!(date(0), "\"1970-01-01T00:00:00+00:00\"");
        assert_eq!(date(1_704_164_645_147), "\"2024-01-02T03:04:05.147000+00:00\"");
        assert_eq!(date(1_709_164_800_000), "\"2024-02-29T00:00:00+00:00\"");
        assert_eq!(date(-1), "\"1969-12-31T23:59:59.999000+00:00\"");
        assert_eq!(naive_iso_date(DateTime::from_millis(5)), "1970-01-01T00:00:00.005000");
        // No panic at the ends of the range.
        date(i64::MAX);
        date(i64::MIN);
    }

    #[test]
    fn dates_agree_with_a_calendar_library() {
        for days in (-1_000_000..1_000_000_i64).step_by(997) {
            let expected = chrono::DateTime::from_timestamp(days * 86_400, 0).unwrap();
            let ours = naive_iso_date(DateTime::from_millis(days * 86_400_000));
            if expected.timestamp() > -62_135_596_800 {
                assert_eq!(ours, expected.format("%Y-%m-%dT%H:%M:%S").to_string());
            }
        }
    }

    #[test]
    fn documents_are_compact_and_keep_their_order() {
        let document = doc! {"b": 1, "a": [true, Bson::Null, {"x": 2_i64}], "ü": {}};
        assert_eq!(written(document), r#"{"b":1,"a":[true,null,{"x":2}],"\u00fc":{}}"#);
    }

    #[test]
    fn values_without_a_json_form_are_errors() {
        let mut out = Vec::new();
        assert!(write_value(&mut out, &Bson::MinKey).is_err());
        assert_eq!(written(ObjectId::from_bytes([0xab; 12])), format!("\"{}\"", "ab".repeat(12)));
    }
}
