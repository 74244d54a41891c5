//! Reads JSON into a light tree that borrows from its text.

use std::borrow::Cow;

use bson::{Bson, Document};

/// A JSON value. Strings borrow from the text unless they hold escapes.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Also integers beyond 64 bits, `NaN` and the infinities.
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// Members in the order of the text. A repeated key counts by its last value; see [`Json::get`].
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Bounds on what one text may hold, so that its tree cannot exhaust memory or stack.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Levels of lists and objects.
    pub depth: usize,
    /// Values in all.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 200, values: 100_000 }
    }
}

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("not UTF-8 at byte {0}")]
    Encoding(usize),
    #[error("malformed JSON at byte {0}")]
    Syntax(usize),
    #[error("JSON nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("JSON of more than {0} values")]
    TooMany(usize),
}

impl<'a> Json<'a> {
    /// The value of a member; `None` if this is no object or has no such member.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name of the type, as error messages have it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Boolean(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object(_) => "dict",
        }
    }

    /// `null`, `false`, `0`, `""`, `[]`, `{}`.
    pub fn is_falsy(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(value) => !value,
            Self::Integer(value) => *value == 0,
            Self::Float(value) => *value == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }
}

impl From<Json<'_>> for Bson {
    fn from(value: Json<'_>) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Boolean(value) => Self::Boolean(value),
            Json::Integer(value) => Self::Int64(value),
            Json::Float(value) => Self::Double(value),
            Json::Text(text) => Self::String(text.into_owned()),
            Json::List(items) => Self::Array(items.into_iter().map(Into::into).collect()),
            Json::Object(members) => Self::Document(into_document(members)),
        }
    }
}

fn into_document(members: Vec<(Cow<'_, str>, Json<'_>)>) -> Document {
    let mut document = Document::new();
    for (key, value) in members {
        document.insert(key.into_owned(), Bson::from(value));
    }
    document
}

/// Reads one JSON value; nothing but white space may follow it.
pub fn read(text: &[u8], limits: Limits) -> Result<Json<'_>, ReadError> {
    read_into(text, limits).map(|(value, _)| value)
}

/// As [`read`]; also how many values there are in all.
pub(crate) fn read_counted(text: &[u8], limits: Limits) -> Result<(Json<'_>, usize), ReadError> {
    read_into(text, limits)
}

/// Reads one JSON value as BSON at once, without a tree of [`Json`] in between.
pub(crate) fn read_bson(text: &[u8], limits: Limits) -> Result<Bson, ReadError> {
    read_into(text, limits).map(|(value, _)| value)
}

/// As [`read`], but keeps nothing: takes no memory, whatever the text.
pub(crate) fn check(text: &[u8], limits: Limits) -> Result<(), ReadError> {
    read_into::<()>(text, limits).map(|_| ())
}

/// Whether this is one JSON value, of any size.
pub(crate) fn is_json(text: &[u8], depth: usize) -> bool {
    check(text, Limits { depth, values: usize::MAX }).is_ok()
}

/// At least as many values as the text may hold: every value but the first follows a comma, a colon's key, or
/// an opening bracket. Much cheaper than reading them.
pub(crate) fn estimate_values(text: &[u8]) -> usize {
    let mut values = 1;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b',' | b'[' | b'{' => values += 1,
            b'"' => {
                // Behind the string.
                while let Some(next) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
                    let is_end = text[at + next] == b'"';
                    at += next + if is_end { 1 } else { 2 };
                    if is_end {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    values
}

fn read_into<'a, T: Tree<'a>>(text: &'a [u8], limits: Limits) -> Result<(T, usize), ReadError> {
    let text = std::str::from_utf8(text).map_err(|error| ReadError::Encoding(error.valid_up_to()))?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, left: limits.values, limits };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < reader.bytes.len() {
        return Err(reader.syntax());
    }
    Ok((value, limits.values - reader.left))
}

/// What a text is read into.
trait Tree<'a>: Sized {
    type Items: Default;
    type Members: Default;

    /// Of a value that is neither list nor object.
    fn leaf(value: Json<'a>) -> Self;
    fn push(items: &mut Self::Items, value: Self);
    fn list(items: Self::Items) -> Self;
    fn insert(members: &mut Self::Members, key: Cow<'a, str>, value: Self);
    fn object(members: Self::Members) -> Self;
}

impl<'a> Tree<'a> for Json<'a> {
    type Items = Vec<Self>;
    type Members = Vec<(Cow<'a, str>, Self)>;

    fn leaf(value: Self) -> Self {
        value
    }

    fn push(items: &mut Vec<Self>, value: Self) {
        items.push(value);
    }

    fn list(items: Vec<Self>) -> Self {
        Self::List(items)
    }

    fn insert(members: &mut Self::Members, key: Cow<'a, str>, value: Self) {
        members.push((key, value));
    }

    fn object(members: Self::Members) -> Self {
        Self::Object(members)
    }
}

impl<'a> Tree<'a> for Bson {
    type Items = Vec<Self>;
    type Members = Document;

    fn leaf(value: Json<'a>) -> Self {
        value.into()
    }

    fn push(items: &mut Vec<Self>, value: Self) {
        items.push(value);
    }

    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn insert(members: &mut Document, key: Cow<'a, str>, value: Self) {
        members.insert(key.into_owned(), value);
    }

    fn object(members: Document) -> Self {
        Self::Document(members)
    }
}

/// Only checked, not kept.
impl<'a> Tree<'a> for () {
    type Items = ();
    type Members = ();

    fn leaf(_: Json<'a>) {}
    fn push((): &mut (), (): ()) {}
    fn list((): ()) {}
    fn insert((): &mut (), _: Cow<'a, str>, (): ()) {}
    fn object((): ()) {}
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    left: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn syntax(&self) -> ReadError {
        ReadError::Syntax(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes the byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value<T: Tree<'a>>(&mut self, depth: usize) -> Result<T, ReadError> {
        self.left = self.left.checked_sub(1).ok_or(ReadError::TooMany(self.limits.values))?;
        self.skip_space();
        match self.peek().ok_or_else(|| self.syntax())? {
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            first => self.leaf(first).map(T::leaf),
        }
    }

    fn leaf(&mut self, first: u8) -> Result<Json<'a>, ReadError> {
        match first {
            b'"' => Ok(Json::Text(self.string()?)),
            b't' => self.literal("true", Json::Boolean(true)),
            b'f' => self.literal("false", Json::Boolean(false)),
            b'n' => self.literal("null", Json::Null),
            b'N' => self.literal("NaN", Json::Float(f64::NAN)),
            b'I' => self.literal("Infinity", Json::Float(f64::INFINITY)),
            b'-' if self.bytes.get(self.at + 1) == Some(&b'I') => {
                self.literal("-Infinity", Json::Float(f64::NEG_INFINITY))
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.syntax()),
        }
    }

    fn literal(&mut self, literal: &str, value: Json<'a>) -> Result<Json<'a>, ReadError> {
        if !self.bytes[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.syntax());
        }
        self.at += literal.len();
        Ok(value)
    }

    fn enter(&mut self, depth: usize) -> Result<(), ReadError> {
        if depth > self.limits.depth {
            return Err(ReadError::TooDeep(self.limits.depth));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn list<T: Tree<'a>>(&mut self, depth: usize) -> Result<T, ReadError> {
        self.enter(depth)?;
        let mut items = T::Items::default();
        if self.take(b']') {
            return Ok(T::list(items));
        }
        loop {
            T::push(&mut items, self.value(depth)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(T::list(items));
            }
            if !self.take(b',') {
                return Err(self.syntax());
            }
        }
    }

    fn object<T: Tree<'a>>(&mut self, depth: usize) -> Result<T, ReadError> {
        self.enter(depth)?;
        let mut members = T::Members::default();
        if self.take(b'}') {
            return Ok(T::object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.syntax());
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.syntax());
            }
            let value = self.value(depth)?;
            T::insert(&mut members, key, value);
            self.skip_space();
            if self.take(b'}') {
                return Ok(T::object(members));
            }
            if !self.take(b',') {
                return Err(self.syntax());
            }
        }
    }

    /// A string, from its opening quote on.
    fn string(&mut self) -> Result<Cow<'a, str>, ReadError> {
        self.at += 1;
        let start = self.at;
        let special = self.next_special()?;
        if self.bytes[special] == b'"' {
            self.at = special + 1;
            return Ok(Cow::Borrowed(&self.text[start..special]));
        }
        let mut value = String::with_capacity(special - start + 16);
        let mut copied = start;
        let mut special = special;
        loop {
            value.push_str(&self.text[copied..special]);
            self.at = special + 1;
            if self.bytes[special] == b'"' {
                return Ok(Cow::Owned(value));
            }
            value.push(self.escape()?);
            copied = self.at;
            special = self.next_special()?;
        }
    }

    /// Where the next quote or backslash is. Control characters are not allowed before it.
    fn next_special(&mut self) -> Result<usize, ReadError> {
        let rest = &self.bytes[self.at..];
        let length = memchr::memchr2(b'"', b'\\', rest).ok_or_else(|| self.syntax())?;
        if let Some(control) = rest[..length].iter().position(|byte| *byte < 0x20) {
            return Err(ReadError::Syntax(self.at + control));
        }
        Ok(self.at + length)
    }

    /// The character after a backslash.
    fn escape(&mut self) -> Result<char, ReadError> {
        let kind = self.peek().ok_or_else(|| self.syntax())?;
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(ReadError::Syntax(self.at - 1)),
        })
    }

    /// The character of a `\u` escape, from behind the `u`; a surrogate without its partner is U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, ReadError> {
        let first = self.four_hex_digits()?;
        if (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let after_first = self.at;
            self.at += 2;
            let second = self.four_hex_digits()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // The second escape stands for itself.
            self.at = after_first;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_hex_digits(&mut self) -> Result<u32, ReadError> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(|| self.syntax())?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16).ok_or_else(|| self.syntax())?;
        }
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<Json<'a>, ReadError> {
        let start = self.at;
        self.take(b'-');
        let integer_part = self.digits();
        let has_leading_zero = integer_part > 1 && self.bytes[self.at - integer_part] == b'0';
        if integer_part == 0 || has_leading_zero {
            return Err(self.syntax());
        }
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            if self.digits() == 0 {
                return Err(self.syntax());
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.syntax());
            }
        }
        let digits = &self.text[start..self.at];
        if is_integer && let Ok(integer) = digits.parse() {
            return Ok(Json::Integer(integer));
        }
        digits.parse().map(Json::Float).map_err(|_| ReadError::Syntax(start))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bson(text: &str) -> Result<Bson, ReadError> {
        read(text.as_bytes(), Limits::default()).map(Bson::from)
    }

    #[test]
    fn standard_json_reads_as_a_standard_library_reads_it() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "12",
            "-9223372036854775808",
            "9223372036854775807",
            "1.5",
            "-1.5e3",
            "1E-2",
            "1e+2",
            "\"\"",
            "\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"",
            "\"\\u00e9\\ud83d\\ude00é😀\"",
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1,[2,{\"a\":[3]}] , null]",
            "{\"a\" : 1 , \"b\":{\"c\":[true]}}",
            "{\"a\":1,\"b\":2,\"a\":3}",
        ] {
            let standard: serde_json::Value = serde_json::from_str(text).unwrap();
            let ours = bson(text).unwrap();
            let mut written = Vec::new();
            crate::api::json::write_value(&mut written, &ours).unwrap();
            let again: serde_json::Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(again, standard, "{text}");
        }
    }

    #[test]
    fn malformed_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "1 2",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "0x10",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "tru",
            "nul",
            "Nan",
            "Inf",
            "-Inf",
            "undefined",
            "\u{feff}{}",
            "[1}",
            "{\"a\":1]",
        ] {
            assert!(matches!(bson(text), Err(ReadError::Syntax(_))), "{text:?}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?} is JSON");
        }
    }

    #[test]
    fn python_extensions_are_read() {
        let list = bson("[NaN, Infinity, -Infinity]").unwrap();
        let values: Vec<f64> = list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [f64::INFINITY, f64::NEG_INFINITY]);
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character() {
        for (text, expected) in [
            ("\"\\udc80\"", "\u{fffd}"),
            ("\"a\\ud83dz\"", "a\u{fffd}z"),
            ("\"\\ud83d\\ud83d\\ude00\"", "\u{fffd}\u{1f600}"),
            ("\"\\ud83d\\n\"", "\u{fffd}\n"),
            ("\"\\ud83d\\u0041\"", "\u{fffd}A"),
        ] {
            assert_eq!(bson(text).unwrap(), Bson::String(expected.into()), "{text}");
        }
    }

    #[test]
    fn huge_integers_become_floats() {
        assert_eq!(bson("9223372036854775808").unwrap(), Bson::Double(9_223_372_036_854_775_808.0));
        assert_eq!(bson(&"9".repeat(400)).unwrap(), Bson::Double(f64::INFINITY));
        assert_eq!(bson("1e999").unwrap(), Bson::Double(f64::INFINITY));
    }

    #[test]
    fn invalid_utf8_is_refused() {
        assert_eq!(read(b"\"a\xff\"", Limits::default()), Err(ReadError::Encoding(2)));
    }

    #[test]
    fn nesting_and_number_of_values_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(bson(&nested(200)).is_ok());
        assert_eq!(bson(&nested(201)), Err(ReadError::TooDeep(200)));
        assert_eq!(bson(&"[".repeat(1_000_000)), Err(ReadError::TooDeep(200)));
        assert_eq!(bson(&"{\"a\":".repeat(1_000_000)), Err(ReadError::TooDeep(200)));
        let limits = Limits { values: 3, ..Limits::default() };
        assert!(read(b"[1,2]", limits).is_ok());
        assert_eq!(read(b"[1,2,3]", limits), Err(ReadError::TooMany(3)));
    }

    #[test]
    fn all_ways_of_reading_agree() {
        for text in [
            "null",
            "[]",
            "{}",
            "[1,2.5,\"a\\\"[,{\"]",
            "{\"a,b\":[{\"c\":{}},[]],\"a,b\":null}",
            "[1",
            "{\"a\":}",
            "\"\\",
            "[[[",
            "\"a",
            "{\"a\\",
        ] {
            let limits = Limits::default();
            let read = read_counted(text.as_bytes(), limits);
            assert_eq!(
                read_bson(text.as_bytes(), limits).ok(),
                read.clone().ok().map(|read| read.0.into()),
                "{text}"
            );
            assert_eq!(is_json(text.as_bytes(), limits.depth), read.is_ok(), "{text}");
            let estimate = estimate_values(text.as_bytes());
            if let Ok((_, values)) = read {
                assert!(
                    (values..=2 * values).contains(&estimate),
                    "{text}: {values} values, estimate {estimate}"
                );
            }
        }
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let value = read(b"{\"a\":1,\"a\":2}", Limits::default()).unwrap();
        assert_eq!(value.get("a"), Some(&Json::Integer(2)));
    }

    #[test]
    fn plain_strings_are_borrowed() {
        let value = read("{\"key\":\"välue\"}".as_bytes(), Limits::default()).unwrap();
        assert!(matches!(value.get("key"), Some(Json::Text(Cow::Borrowed("välue")))));
    }
}
