//! The line format of downloaded logs: Python's `str.format` with named fields (spec 05 §5).

use std::borrow::Cow;

/// Fields that a line may show.
const FIELDS: [&str; 5] = ["asctime", "timestamp", "level", "worker", "msg"];

/// Widest padding: a guard against formats made to fill the memory.
const MAX_WIDTH: usize = 10_000;

/// Why a format is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    /// Names that no log event has.
    #[error("undefined placeholders")]
    Undefined(Vec<String>),
    /// Not a valid format; the text says why, in Python's words where it has some.
    #[error("{0}")]
    Invalid(String),
}

/// A parsed format.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LineFormat {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    Field { name: &'static str, conversion: Conversion, padding: Padding },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Conversion {
    Text,
    Representation,
    Ascii,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Padding {
    fill: char,
    align: Align,
    width: usize,
    precision: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Align {
    Left,
    Right,
    Center,
}

/// A value to show: text, or anything else already written as Python writes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LineValue<'a> {
    Text(Cow<'a, str>),
    Plain(String),
}

impl Padding {
    const NONE: Self = Self { fill: ' ', align: Align::Left, width: 0, precision: None };

    fn apply(self, text: &str, line: &mut String) {
        let shown: Cow<'_, str> = match self.precision {
            Some(precision) => text.chars().take(precision).collect::<String>().into(),
            None => text.into(),
        };
        let missing = if self.width == 0 { 0 } else { self.width.saturating_sub(shown.chars().count()) };
        let before = match self.align {
            Align::Left => 0,
            Align::Right => missing,
            Align::Center => missing / 2,
        };
        line.extend(std::iter::repeat_n(self.fill, before));
        line.push_str(&shown);
        line.extend(std::iter::repeat_n(self.fill, missing - before));
    }
}

impl LineFormat {
    /// Parses a format.
    pub(super) fn parse(format: &str) -> Result<Self, FormatError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut undefined: Vec<String> = Vec::new();
        let mut rest = format;
        while let Some(position) = rest.find(['{', '}']) {
            literal.push_str(&rest[..position]);
            let (brace, after) = rest[position..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            // As in Python, an unknown name is reported before what is wrong behind it.
            let field = match split_field(brace, after) {
                Ok(field) => field,
                Err(_) if !undefined.is_empty() => break,
                Err(error) => return Err(error),
            };
            rest = field.rest;
            match field.parse() {
                Ok(piece) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(piece);
                }
                Err(FormatError::Undefined(names)) => {
                    undefined.extend(
                        names.into_iter().filter(|name| !undefined.contains(name)).collect::<Vec<_>>(),
                    );
                }
                Err(_) if !undefined.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        if !undefined.is_empty() {
            return Err(FormatError::Undefined(undefined));
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// Appends the formatted line, without a line end. A field that has no value is shown as nothing.
    pub(super) fn render<'a>(&self, line: &mut String, value: impl Fn(&str) -> Option<LineValue<'a>>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => line.push_str(text),
                Piece::Field { name, conversion, padding } => {
                    let text = match (value(name), conversion) {
                        (None, _) => Cow::Borrowed(""),
                        (Some(LineValue::Plain(text)), _) => Cow::Owned(text),
                        (Some(LineValue::Text(text)), Conversion::Text) => text,
                        (Some(LineValue::Text(text)), Conversion::Representation) => {
                            Cow::Owned(representation(&text, false))
                        }
                        (Some(LineValue::Text(text)), Conversion::Ascii) => {
                            Cow::Owned(representation(&text, true))
                        }
                    };
                    padding.apply(&text, line);
                }
            }
        }
    }
}

/// The inside of one `{…}` and what follows it.
struct RawField<'a> {
    name: &'a str,
    conversion: Option<&'a str>,
    specification: &'a str,
    rest: &'a str,
}

fn split_field<'a>(brace: &str, after: &'a str) -> Result<RawField<'a>, FormatError> {
    let invalid = |text: &str| Err(FormatError::Invalid(text.to_owned()));
    if brace == "}" {
        return invalid("Single '}' encountered in format string");
    }
    if after.is_empty() {
        return invalid("Single '{' encountered in format string");
    }
    let Some(end) = after.find('}') else {
        return invalid("expected '}' before end of string");
    };
    let inside = &after[..end];
    if inside.contains('{') {
        return invalid("unexpected '{' in field name");
    }
    let name_end = inside.find(['!', ':']).unwrap_or(inside.len());
    let (name, tail) = inside.split_at(name_end);
    let (conversion, specification) = match tail.strip_prefix('!') {
        Some(tail) => {
            let (conversion, specification) = tail.split_once(':').unwrap_or((tail, ""));
            (Some(conversion), specification)
        }
        None => (None, tail.strip_prefix(':').unwrap_or("")),
    };
    Ok(RawField { name, conversion, specification, rest: &after[end + 1..] })
}

impl RawField<'_> {
    fn parse(&self) -> Result<Piece, FormatError> {
        let invalid = |text: String| Err(FormatError::Invalid(text));
        let base = self.name.split(['.', '[']).next().unwrap_or_default();
        if base.is_empty() || base.bytes().all(|byte| byte.is_ascii_digit()) {
            let index = if base.is_empty() { "0" } else { base };
            return invalid(format!("Replacement index {index} out of range for positional args tuple"));
        }
        let Some(name) = FIELDS.into_iter().find(|known| *known == base) else {
            return Err(FormatError::Undefined(vec![base.to_owned()]));
        };
        if base.len() < self.name.len() {
            return invalid(format!(
                "'NoneType' object has no attribute or item '{}'",
                &self.name[base.len()..]
            ));
        }
        let conversion = match self.conversion {
            None if !self.specification.is_empty() => {
                return invalid("unsupported format string passed to NoneType.__format__".to_owned());
            }
            None | Some("s") => Conversion::Text,
            Some("r") => Conversion::Representation,
            Some("a") => Conversion::Ascii,
            Some("") => return invalid("end of string while looking for conversion specifier".to_owned()),
            Some(other) => return invalid(format!("Unknown conversion specifier '{other}'")),
        };
        Ok(Piece::Field { name, conversion, padding: parse_padding(self.specification)? })
    }
}

/// `[[fill]align][0][width][.precision][s]`
fn parse_padding(specification: &str) -> Result<Padding, FormatError> {
    let mut padding = Padding::NONE;
    let mut rest = specification;
    let mut characters = rest.chars();
    let (first, second) = (characters.next(), characters.next());
    if let (Some(fill), Some(align)) = (first, second.and_then(alignment)) {
        padding.fill = fill;
        padding.align = align;
        rest = characters.as_str();
    } else if let Some(align) = first.and_then(alignment) {
        padding.align = align;
        rest = &rest[1..];
    } else if let Some(after) = rest.strip_prefix('0') {
        padding.fill = '0';
        rest = after;
    }
    let (width, after) = number(rest)?;
    padding.width = width.unwrap_or(0);
    rest = after;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = number(after)?;
        if precision.is_none() {
            return Err(FormatError::Invalid("Format specifier missing precision".to_owned()));
        }
        padding.precision = precision;
        rest = after;
    }
    if matches!(rest, "" | "s") {
        return Ok(padding);
    }
    Err(FormatError::Invalid(format!("Invalid format specifier '{specification}' for object of type 'str'")))
}

fn alignment(character: char) -> Option<Align> {
    match character {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Center),
        _ => None,
    }
}

fn number(text: &str) -> Result<(Option<usize>, &str), FormatError> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(number) if number <= MAX_WIDTH => Ok((Some(number), rest)),
        _ => Err(FormatError::Invalid("Too many decimal digits in format string".to_owned())),
    }
}

/// The text as Python's `repr` (or `ascii`) writes it.
fn representation(text: &str, ascii: bool) -> String {
    let quoted = crate::python::repr(&bson::Bson::from(text));
    if !ascii || quoted.is_ascii() {
        return quoted;
    }
    let escape = |character: char| match u32::from(character) {
        ..0x80 => character.to_string(),
        code @ ..0x100 => format!("\\x{code:02x}"),
        code @ ..0x1_0000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    quoted.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(format: &str) -> Result<String, FormatError> {
        let mut line = String::new();
        LineFormat::parse(format)?.render(&mut line, |name| match name {
            "asctime" | "timestamp" => Some(LineValue::Plain("1700000000000".to_owned())),
            "level" => Some(LineValue::Text("info".into())),
            "msg" => Some(LineValue::Text("it's é😀".into())),
            _ => None,
        });
        Ok(line)
    }

    #[test]
    fn fields_are_filled_in() {
        assert_eq!(render("{asctime} {worker} {level} {msg}").unwrap(), "1700000000000  info it's é😀");
        assert_eq!(render("{{{level}}} {timestamp}").unwrap(), "{info} 1700000000000");
        assert_eq!(render("no fields").unwrap(), "no fields");
    }

    #[test]
    fn conversions_and_padding_follow_python() {
        assert_eq!(
            render("[{level!s:>6}|{level!s:*^7}|{level!s:.2}|{level!s:06}]").unwrap(),
            "[  info|*info**|in|info00]"
        );
        assert_eq!(render("{msg!r} {msg!a}").unwrap(), "\"it's é😀\" \"it's \\xe9\\U0001f600\"");
    }

    #[test]
    fn unknown_names_are_listed() {
        assert_eq!(
            render("{foo} {level} {bar!r} {foo} {").unwrap_err(),
            FormatError::Undefined(vec!["foo".to_owned(), "bar".to_owned()])
        );
    }

    #[test]
    fn broken_formats_are_refused() {
        for format in [
            "{",
            "}",
            "{level",
            "{}",
            "{0}",
            "{level.x}",
            "{level[0]}",
            "{level:>5}",
            "{level!x}",
            "{level!s:=5}",
            "{level!s:99999999}",
            "{level!s:{msg}}",
        ] {
            assert!(matches!(render(format), Err(FormatError::Invalid(_))), "{format}");
        }
    }
}
