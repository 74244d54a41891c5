//! Writes series of points as JSON, without a tree of values in between: answers hold up to millions of them.

use clearml_events::Number;

use super::requests::ScalarKey;
use crate::api::json;

/// Appends an integer.
pub(super) fn write_integer(out: &mut Vec<u8>, value: i64) {
    use std::io::Write as _;
    // Writing to a Vec can't fail.
    let _ = write!(out, "{value}");
}

/// Appends a float.
pub(super) fn write_float(out: &mut Vec<u8>, value: f64) {
    // Floats always have a JSON form.
    let _ = json::write_value(out, &bson::Bson::Double(value));
}

/// Appends a number of the kind it was sent as.
pub(super) fn write_number(out: &mut Vec<u8>, value: Number) {
    match value {
        Number::Int(value) => write_integer(out, value),
        Number::Float(value) => write_float(out, value),
    }
}

/// Appends a list of what `write` appends for each item.
pub(super) fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends an object: `write` appends each value.
pub(super) fn write_object<K: AsRef<str>, V>(
    out: &mut Vec<u8>,
    members: impl IntoIterator<Item = (K, V)>,
    mut write: impl FnMut(&mut Vec<u8>, V),
) {
    out.push(b'{');
    for (position, (key, value)) in members.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        json::write_text(out, key.as_ref());
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

/// Appends a value, or null.
pub(super) fn write_optional<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a bucket's start as the key shows it.
pub(super) fn write_key(out: &mut Vec<u8>, key: ScalarKey, value: i64) {
    match key {
        ScalarKey::Iter | ScalarKey::Timestamp => write_integer(out, value),
        ScalarKey::IsoTime => json::write_text(out, &iso_time(value)),
    }
}

/// `2021-03-04T05:06:07.890Z`.
fn iso_time(milliseconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
