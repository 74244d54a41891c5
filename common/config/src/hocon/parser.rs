//! Text -> nodes.

use std::path::{Path, PathBuf};

use super::node::{Fields, Node, NodeKind, Substitution};
use crate::{
    ConfigError,
    value::{Kind, Origin},
};

/// Deepest nesting of objects and lists, so that a file can't exhaust the stack.
const MAX_DEPTH: usize = 100;
/// Deepest chain of includes: a longer one is a circle.
const MAX_INCLUDES: usize = 16;

/// Parses a file, which holds an object with or without braces. `scope`: the key it is included at.
pub(super) fn parse_file(path: &Path, included: usize, scope: &[String]) -> Result<Node, ConfigError> {
    let unreadable = |reason| ConfigError::Unreadable { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let origin = Origin { source: path.display().to_string().into(), line: 1 };
    let mut parser = Parser::new(text.trim_start_matches('\u{feff}'), &origin);
    parser.directory = path.parent().map(Path::to_owned);
    parser.included = included;
    parser.base = scope.to_vec();
    parser.scope = scope.to_vec();

    parser.skip_to_content();
    let braces = parser.take('{');
    let fields = parser.fields(braces, 0)?;
    parser.skip_to_content();
    if !parser.at_end() {
        return Err(parser.error("unexpected text after the end of the object"));
    }
    Ok(Node { kind: NodeKind::Object(fields), origin })
}

/// Parses a text that is one value. Nothing in it is included; an empty text is an empty text value.
pub(super) fn parse_value(text: &str, origin: &Origin) -> Result<Node, ConfigError> {
    let mut parser = Parser::new(text, origin);
    parser.single_value = true;
    parser.skip_to_content();
    if parser.at_end() {
        return Ok(Node { kind: NodeKind::Scalar(Kind::Text(String::new())), origin: origin.clone() });
    }
    let node = parser.value(0)?;
    parser.skip_to_content();
    if !parser.at_end() {
        return Err(parser.error("unexpected text after the value"));
    }
    Ok(node)
}

struct Parser {
    text: Vec<char>,
    at: usize,
    origin: Origin,
    directory: Option<PathBuf>,
    included: usize,
    /// The key that the whole text is included at.
    base: Vec<String>,
    /// The key of the value being read.
    scope: Vec<String>,
    /// The text is one value, not a file: `#` starts a comment only after a space, since secrets hold it.
    single_value: bool,
}

impl Parser {
    fn new(text: &str, origin: &Origin) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            origin: origin.clone(),
            directory: None,
            included: 0,
            base: Vec::new(),
            scope: Vec::new(),
            single_value: false,
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        if character == '\n' && self.origin.line > 0 {
            self.origin.line += 1;
        }
        Some(character)
    }

    fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    fn starts_with(&self, expected: &str) -> bool {
        expected.chars().enumerate().all(|(offset, wanted)| self.text.get(self.at + offset) == Some(&wanted))
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.next();
        }
        found
    }

    fn error(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError::Syntax { origin: self.origin.clone(), reason: reason.into() }
    }

    fn node(&self, kind: NodeKind) -> Node {
        Node { kind, origin: self.origin.clone() }
    }

    fn at_comment(&self) -> bool {
        let after_space = self.at == 0 || self.text[self.at - 1].is_whitespace();
        match self.peek() {
            Some('#') => after_space || !self.single_value,
            // Without a space before them they belong to a URL.
            Some('/') => self.text.get(self.at + 1) == Some(&'/') && after_space,
            _ => false,
        }
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|character| character != '\n') {
            self.next();
        }
    }

    /// Skips spaces within a line.
    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(|character| character != '\n' && is_space(character)) {
            self.next();
        }
    }

    /// Skips spaces, line ends and comments; whether a line ended.
    fn skip_to_content(&mut self) -> bool {
        let mut line_ended = false;
        loop {
            if self.at_comment() || self.starts_with("//") {
                self.skip_comment();
            } else if self.peek().is_some_and(is_space) {
                line_ended |= self.next() == Some('\n');
            } else {
                return line_ended;
            }
        }
    }

    /// The fields of an object up to its `}`, or up to the end if it has no braces.
    fn fields(&mut self, braces: bool, depth: usize) -> Result<Fields, ConfigError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let mut fields = Fields::new();
        let opened_at = self.origin.clone();
        self.skip_to_content();
        loop {
            if self.at_end() {
                if braces {
                    let reason = "this object is never closed: a '}' is missing".to_owned();
                    return Err(ConfigError::Syntax { origin: opened_at, reason });
                }
                return Ok(fields);
            }
            if braces && self.take('}') {
                return Ok(fields);
            }
            if self.at_include() {
                self.include(&mut fields)?;
            } else {
                self.field(&mut fields, depth)?;
            }
            let line_ended = self.skip_to_content();
            let comma = self.take(',');
            self.skip_to_content();
            if !line_ended && !comma && !self.at_end() && self.peek() != Some('}') {
                return Err(self.error("expected a new line or a comma before the next key"));
            }
        }
    }

    fn field(&mut self, fields: &mut Fields, depth: usize) -> Result<(), ConfigError> {
        let path = self.key_path()?;
        self.skip_spaces();
        let append = self.starts_with("+=");
        if append {
            self.at += 2;
        } else if !self.take('=') && !self.take(':') && self.peek() != Some('{') {
            return Err(self.error(format!("expected '=', ':' or '{{' after the key {}", path.join("."))));
        }
        self.skip_to_content();
        let outer_scope = self.scope.clone();
        self.scope.extend(path.iter().cloned());
        let value = self.value(depth)?;
        self.scope = outer_scope;
        let value = if append {
            let origin = value.origin.clone();
            Node { kind: NodeKind::Append(Box::new(value)), origin }
        } else {
            value
        };
        Node::assign(fields, &path, value);
        Ok(())
    }

    /// `a.b."c.d"`.
    fn key_path(&mut self) -> Result<Vec<String>, ConfigError> {
        let mut path = Vec::new();
        let mut key = String::new();
        let mut quoted = false;
        loop {
            match self.peek() {
                Some('"') => {
                    key.push_str(&self.quoted_text()?);
                    quoted = true;
                }
                Some('.') => {
                    self.next();
                    path.push(self.finished_key(&key, quoted)?);
                    key.clear();
                    quoted = false;
                }
                None | Some('=' | ':' | '{' | '}' | '[' | ']' | ',' | '\n' | '#' | '$') => break,
                Some('+') if self.starts_with("+=") => break,
                Some(character) => {
                    self.next();
                    key.push(character);
                }
            }
        }
        path.push(self.finished_key(&key, quoted)?);
        Ok(path)
    }

    fn finished_key(&self, key: &str, quoted: bool) -> Result<String, ConfigError> {
        let key = if quoted { key.trim_end() } else { key.trim() };
        if key.is_empty() && !quoted {
            return Err(self.error("expected a key"));
        }
        Ok(key.to_owned())
    }

    /// Pieces up to the end of the line, a comma or a closing bracket.
    fn value(&mut self, depth: usize) -> Result<Node, ConfigError> {
        let origin = self.origin.clone();
        let mut pieces: Vec<Node> = Vec::new();
        let mut unquoted = false;
        loop {
            let spaces_from = self.at;
            self.skip_spaces();
            let spaces: String = self.text[spaces_from..self.at].iter().collect();
            let piece = match self.peek() {
                None | Some('\n' | ',' | '}' | ']') => break,
                _ if self.at_comment() => break,
                Some('{') => {
                    let node = self.node(NodeKind::Scalar(Kind::Null));
                    self.next();
                    let fields = self.fields(true, depth + 1)?;
                    Node { kind: NodeKind::Object(fields), ..node }
                }
                Some('[') => self.list(depth + 1)?,
                Some('"') => {
                    let node = self.node(NodeKind::Scalar(Kind::Null));
                    let text = self.quoted_text()?;
                    Node { kind: NodeKind::Scalar(Kind::Text(text)), ..node }
                }
                Some('$') if self.starts_with("${") => self.substitution()?,
                Some(_) => {
                    unquoted = true;
                    self.unquoted()?
                }
            };
            if !pieces.is_empty() && !spaces.is_empty() && is_text_like(&piece) {
                pieces.push(self.node(NodeKind::Scalar(Kind::Text(spaces))));
            }
            pieces.push(piece);
        }
        if pieces.len() > 1 {
            return Ok(Node { kind: NodeKind::Concatenation(pieces), origin });
        }
        let Some(piece) = pieces.pop() else {
            return Err(self.error("expected a value"));
        };
        Ok(match piece.kind {
            NodeKind::Scalar(Kind::Text(text)) if unquoted => {
                Node { kind: NodeKind::Scalar(scalar(text)), origin: piece.origin }
            }
            kind => Node { kind, origin: piece.origin },
        })
    }

    fn list(&mut self, depth: usize) -> Result<Node, ConfigError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let origin = self.origin.clone();
        self.next();
        let mut items = Vec::new();
        loop {
            self.skip_to_content();
            if self.at_end() {
                let reason = "this list is never closed: a ']' is missing".to_owned();
                return Err(ConfigError::Syntax { origin, reason });
            }
            if self.take(']') {
                return Ok(Node { kind: NodeKind::List(items), origin });
            }
            items.push(self.value(depth)?);
            let line_ended = self.skip_to_content();
            let comma = self.take(',');
            if !line_ended && !comma && !self.at_end() && self.peek() != Some(']') {
                return Err(self.error("expected a comma, a new line or ']' after a list element"));
            }
        }
    }

    fn substitution(&mut self) -> Result<Node, ConfigError> {
        let node = self.node(NodeKind::Scalar(Kind::Null));
        self.at += 2;
        let optional = self.take('?');
        let path = self.key_path()?;
        if !self.take('}') {
            return Err(self.error("expected '}' after a substitution"));
        }
        let kind = NodeKind::Substitution(Substitution { path, optional, scope: self.base.clone() });
        Ok(Node { kind, ..node })
    }

    /// Text without quotes, up to something that ends it. Inner spaces are pieces of their own.
    fn unquoted(&mut self) -> Result<Node, ConfigError> {
        let node = self.node(NodeKind::Scalar(Kind::Null));
        let mut text = String::new();
        while let Some(character) = self.peek() {
            match character {
                ',' | '}' | ']' | '{' | '[' | '"' => break,
                '$' if self.starts_with("${") => break,
                '$' | '=' | '\\' => {
                    return Err(
                        self.error(format!("'{character}' in unquoted text: put the value in quotes"))
                    );
                }
                _ if is_space(character) || self.at_comment() => break,
                _ => {
                    text.push(character);
                    self.next();
                }
            }
        }
        Ok(Node { kind: NodeKind::Scalar(Kind::Text(text)), ..node })
    }

    /// A text in `"` or `"""`.
    fn quoted_text(&mut self) -> Result<String, ConfigError> {
        let opened_at = self.origin.clone();
        let unclosed = || ConfigError::Syntax {
            origin: opened_at,
            reason: "this text is never closed: a '\"' is missing".into(),
        };
        if self.starts_with("\"\"\"") {
            self.at += 3;
            let mut text = String::new();
            while !self.starts_with("\"\"\"") || self.text.get(self.at + 3) == Some(&'"') {
                text.push(self.next().ok_or_else(unclosed.clone())?);
            }
            self.at += 3;
            return Ok(text);
        }
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n') => return Err(unclosed()),
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(character) => text.push(character),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ConfigError> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some(character @ ('"' | '\\' | '/')) => Ok(character),
            Some('u') => {
                let first = self.hex_digits()?;
                if !(0xd800..0xdc00).contains(&first) || !self.starts_with("\\u") {
                    return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                self.at += 2;
                let second = self.hex_digits()?;
                let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff);
                Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            _ => Err(self.error("unknown escape in quoted text: a backslash is written \\\\")),
        }
    }

    fn hex_digits(&mut self) -> Result<u32, ConfigError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|character| character.to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.error("expected four hex digits after \\u"))?;
        }
        Ok(code)
    }

    fn at_include(&self) -> bool {
        self.starts_with("include")
            && self.text.get(self.at + 7).is_some_and(|next| *next == '"' || *next == ' ' || *next == '\t')
            && {
                let rest: String = self.text[self.at + 7..].iter().take(64).collect();
                let rest = rest.trim_start();
                rest.starts_with('"')
                    || ["file(", "required(", "url(", "classpath("].iter().any(|form| rest.starts_with(form))
            }
    }

    /// `include "x.conf"`, `include file("x.conf")`, `include required("x.conf")`.
    fn include(&mut self, fields: &mut Fields) -> Result<(), ConfigError> {
        self.at += "include".len();
        self.skip_spaces();
        let mut required = false;
        let mut open = 0;
        loop {
            if self.starts_with("required(") {
                required = true;
                self.at += "required(".len();
            } else if self.starts_with("file(") {
                self.at += "file(".len();
            } else {
                break;
            }
            open += 1;
            self.skip_spaces();
        }
        if self.peek() != Some('"') {
            return Err(self.error("only files can be included: include \"name.conf\""));
        }
        let name = self.quoted_text()?;
        for _ in 0..open {
            self.skip_spaces();
            if !self.take(')') {
                return Err(self.error("expected ')' after an include"));
            }
        }
        let Some(path) = self.find_included(&name) else {
            return if required {
                Err(self.error(format!("included file {name} not found")))
            } else {
                Ok(())
            };
        };
        if self.included >= MAX_INCLUDES {
            return Err(
                self.error(format!("more than {MAX_INCLUDES} nested includes: a file includes itself"))
            );
        }
        let node = parse_file(&path, self.included + 1, &self.scope)?;
        if let NodeKind::Object(included) = node.kind {
            for (key, layers) in included {
                fields.entry(key).or_default().extend(layers);
            }
        }
        Ok(())
    }

    fn find_included(&self, name: &str) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        [name.to_owned(), format!("{name}.conf"), format!("{name}.json")]
            .iter()
            .map(|candidate| directory.join(candidate))
            .find(|path| path.is_file())
    }
}

fn is_space(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

fn is_text_like(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Scalar(_) | NodeKind::Substitution(_))
}

/// What an unquoted text means.
fn scalar(text: String) -> Kind {
    match text.as_str() {
        "null" => return Kind::Null,
        "true" => return Kind::Bool(true),
        "false" => return Kind::Bool(false),
        _ => {}
    }
    let number_like = text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && text.ends_with(|last: char| last.is_ascii_digit());
    if !number_like {
        return Kind::Text(text);
    }
    if let Ok(integer) = text.parse() {
        return Kind::Integer(integer);
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() && text.contains(['.', 'e', 'E']) => Kind::Float(float),
        _ => Kind::Text(text),
    }
}
