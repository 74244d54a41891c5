//! Keys of maps inside documents: escaped names (spec 03 §1.13) and hashed metric names (spec 02 §10).

use md5::{Digest, Md5};

use crate::api::{ApiError, ApiResult};

/// A name as a key of a stored map: trimmed, without `.`, `$`, `__` and a leading `_`.
///
/// # Errors
/// 400/12 for an empty name.
pub(crate) fn escape_key(name: &str) -> ApiResult<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(ApiError::validation("Empty key is not allowed"));
    }
    let escaped = name.replace('%', "%%").replace('.', "%2E").replace('$', "%24").replace("__", "%_%_");
    Ok(match escaped.strip_prefix('_') {
        Some(rest) => format!("%_{rest}"),
        None => escaped,
    })
}

/// The name that [`escape_key`] made a key of.
pub(crate) fn unescape_key(key: &str) -> String {
    let pieces: Vec<String> = key
        .split("%%")
        .map(|piece| piece.replace("%2E", ".").replace("%24", "$").replace("%_%_", "__"))
        .collect();
    let name = pieces.join("%");
    match name.strip_prefix("%_") {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

/// MD5 of a text as 32 lower-case hex characters: the key of a metric or variant in `last_metrics`.
pub(crate) fn md5_hex(text: &str) -> String {
    use std::fmt::Write as _;
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_as_specified_and_back() {
        for (name, key) in [
            ("a.b", "a%2Eb"),
            ("a__b", "a%_%_b"),
            ("a___b", "a%_%__b"),
            ("_a", "%_a"),
            ("__a", "%_%_a"),
            ("%2E", "%%2E"),
            (".%", "%2E%%"),
            ("$x", "%24x"),
            ("plain name/1", "plain name/1"),
        ] {
            assert_eq!(escape_key(name).unwrap(), key);
            assert_eq!(unescape_key(key), name);
        }
        assert_eq!(escape_key("  a ").unwrap(), "a");
    }

    #[test]
    fn refuses_empty_keys() {
        let error = escape_key("  ").unwrap_err();
        assert_eq!((error.code.status, error.code.subcode), (400, 12));
        assert_eq!(error.message(), "Validation error (Empty key is not allowed)");
    }

    #[test]
    fn hashes_in_hex() {
        assert_eq!(md5_hex("loss"), "81513effdf5790b79549208838404407");
        assert_eq!(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
    }
}
