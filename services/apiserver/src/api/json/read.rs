//! Reads JSON.

use std::borrow::Cow;

use bson::Bson;

use super::{Json, tree::Tree};

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
mod tests;
