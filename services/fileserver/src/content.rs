//! Names and types of content: `Content-Disposition` in both directions, and media types.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// What an upload's `Content-Disposition` header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Disposition {
    /// The field name.
    pub(crate) name: String,
    /// It has a `filename`, whatever it is.
    pub(crate) is_file: bool,
}

impl Disposition {
    /// Parses `form-data; name="…"; filename="…"`. In a quoted value `%22` and `\"` are a quote, `\\` a
    /// backslash, a lone backslash is dropped; nothing else is decoded. `name*=` is decoded by RFC 2231.
    pub(crate) fn parse(header: &[u8]) -> Self {
        let mut disposition = Self::default();
        let mut rest = header;
        while let Some((key, value, after)) = next_parameter(rest) {
            rest = after;
            match key.to_ascii_lowercase().as_slice() {
                b"name" => disposition.name = String::from_utf8_lossy(&value).replace("%22", "\""),
                b"name*" => disposition.name = decode_extended(&value),
                b"filename" | b"filename*" => disposition.is_file = true,
                _ => {}
            }
        }
        disposition
    }
}

/// The next `; key=value`, its value without quotes, and what follows it.
fn next_parameter(header: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let start = header.iter().position(|byte| *byte == b';')? + 1;
    let rest = &header[start..];
    let equals = rest.iter().position(|byte| *byte == b'=')?;
    let key = rest[..equals].trim_ascii();
    let mut value = Vec::new();
    let mut at = equals + 1;
    if rest.get(at) != Some(&b'"') {
        while at < rest.len() && rest[at] != b';' {
            value.push(rest[at]);
            at += 1;
        }
        return Some((key, value.trim_ascii().to_vec(), &rest[at..]));
    }
    at += 1;
    while at < rest.len() && rest[at] != b'"' {
        if rest[at] == b'\\' {
            // An escaped quote or backslash stands for itself; any other backslash is dropped.
            at += 1;
            if let Some(escaped @ (b'"' | b'\\')) = rest.get(at) {
                value.push(*escaped);
                at += 1;
            }
            continue;
        }
        value.push(rest[at]);
        at += 1;
    }
    Some((key, value, rest.get(at + 1..).unwrap_or_default()))
}

/// `utf-8''percent%20encoded`.
fn decode_extended(value: &[u8]) -> String {
    let encoded = value.splitn(3, |byte| *byte == b'\'').nth(2).unwrap_or(value);
    percent_decode(encoded).decode_utf8_lossy().into_owned()
}

/// The value of a `Content-Disposition` response header.
pub(crate) fn disposition_header(kind: &str, file_name: &str) -> String {
    if file_name.bytes().all(is_token) {
        return format!("{kind}; filename={file_name}");
    }
    let ascii: String = file_name.chars().filter(|c| (' '..='~').contains(c)).collect();
    let quoted = ascii.replace('\\', "\\\\").replace('"', "\\\"");
    if ascii.len() == file_name.len() {
        return format!("{kind}; filename=\"{quoted}\"");
    }
    let encoded = utf8_percent_encode(file_name, EXTENDED);
    format!("{kind}; filename=\"{quoted}\"; filename*=UTF-8''{encoded}")
}

/// All but the `attr-char` of RFC 5987.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The media type of a file by its name. Compressed files are plain bytes, never a `Content-Encoding`:
/// clients want the file that was uploaded.
pub(crate) fn media_type(file_name: &str) -> String {
    let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    if ["gz", "tgz", "bz2", "tbz2", "xz", "txz", "br", "z", "svgz", "zst"].contains(&extension.as_str()) {
        return "application/octet-stream".to_owned();
    }
    let Some(guess) = mime_guess::from_ext(&extension).first() else {
        return "application/octet-stream".to_owned();
    };
    let essence = guess.essence_str();
    if guess.type_() == "text"
        || matches!(essence, "image/svg+xml" | "application/javascript" | "application/xml")
    {
        return format!("{essence}; charset=utf-8");
    }
    essence.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(header: &str) -> String {
        Disposition::parse(header.as_bytes()).name
    }

    #[test]
    fn field_names_are_kept_verbatim() {
        assert_eq!(name(r#"form-data; name="/a%20b/é #.txt"; filename="x""#), "/a%20b/é #.txt");
        assert_eq!(name(r#"form-data; name="a%22b\"c\\d\e"; filename=""#), "a\"b\"c\\de");
        assert_eq!(name("form-data; name=plain; filename=x"), "plain");
        assert_eq!(name("form-data; name*=utf-8''%C3%A4%20b; filename*=utf-8''x"), "ä b");
        assert_eq!(name(r#"form-data; name="a;b=c"; filename="d""#), "a;b=c");
    }

    #[test]
    fn only_a_part_with_a_file_name_is_a_file() {
        assert!(Disposition::parse(br#"form-data; name="a"; filename="""#).is_file);
        assert!(!Disposition::parse(br#"form-data; name="a""#).is_file);
    }

    #[test]
    fn response_names_are_quoted_as_needed() {
        assert_eq!(disposition_header("inline", "a.txt"), "inline; filename=a.txt");
        assert_eq!(disposition_header("inline", "a \"b\""), r#"inline; filename="a \"b\"""#);
        assert_eq!(
            disposition_header("attachment", "é x.txt"),
            "attachment; filename=\" x.txt\"; filename*=UTF-8''%C3%A9%20x.txt"
        );
    }

    #[test]
    fn compressed_files_are_plain_bytes() {
        for file_name in ["a.csv.gz", "a.tgz", "a.json.xz", "unknown", "a.nothing"] {
            assert_eq!(media_type(file_name), "application/octet-stream", "{file_name}");
        }
        assert_eq!(media_type("a.txt"), "text/plain; charset=utf-8");
        assert_eq!(media_type("a.PNG"), "image/png");
        assert_eq!(media_type("a.svg"), "image/svg+xml; charset=utf-8");
    }
}
