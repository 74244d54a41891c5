//! Exact comparison of answers, but for differences that a table lists one by one.

use std::cell::Cell;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

/// The stores under the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Embedded,
    Cluster,
}

/// How an answer differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Both have a value here, of the same JSON type, and they differ.
    Value,
    /// Both have a value here, of different JSON types (an integer is not a float).
    Type,
    /// This server has nothing here.
    Missing,
    /// The official server has nothing here.
    Extra,
    /// Both have the same items in another order.
    Order,
    /// Both have a value here, and nothing in it is comparable.
    Any,
}

/// A place where two answers differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub path: Vec<String>,
    pub kind: Kind,
    pub expected: Value,
    pub actual: Value,
}

/// The table of the differences that are meant. A line is
/// `stores | endpoint | path | kind | reason`; `stores` is `both`, `embedded` or `cluster`, `endpoint` a name or
/// `*`, `kind` a [`Kind`] in lower case. In a path `[]` is any item of a list and `*` any one key.
#[derive(Debug)]
pub struct Differences {
    rules: Vec<Rule>,
    side: Side,
}

#[derive(Debug)]
struct Rule {
    line: usize,
    endpoint: String,
    path: Vec<String>,
    kind: Kind,
    used: Cell<bool>,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "value" => Self::Value,
            "type" => Self::Type,
            "missing" => Self::Missing,
            "extra" => Self::Extra,
            "order" => Self::Order,
            "any" => Self::Any,
            _ => return None,
        })
    }
}

impl Differences {
    /// Reads the lines of a table that concern these stores. Empty lines and `#` comments don't count.
    pub fn parse(table: &str, side: Side) -> anyhow::Result<Self> {
        let mut rules = Vec::new();
        for (index, line) in table.lines().enumerate() {
            let line_number = index + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            let [stores, endpoint, path, kind, reason] = columns[..] else {
                bail!("line {line_number}: expected five columns")
            };
            if reason.is_empty() {
                bail!("line {line_number}: no reason")
            }
            let concerns = match stores {
                "both" => true,
                "embedded" => side == Side::Embedded,
                "cluster" => side == Side::Cluster,
                other => bail!("line {line_number}: unknown stores {other:?}"),
            };
            let kind = Kind::parse(kind).with_context(|| format!("line {line_number}: unknown kind"))?;
            if concerns {
                rules.push(Rule {
                    line: line_number,
                    endpoint: endpoint.to_owned(),
                    path: segments(path),
                    kind,
                    used: Cell::new(false),
                });
            }
        }
        Ok(Self { rules, side })
    }

    /// Where the answers of an endpoint differ without being meant to.
    pub fn compare(&self, endpoint: &str, expected: &Value, actual: &Value) -> Vec<Difference> {
        let rules = self.rules.iter().filter(|rule| rule.endpoint == "*" || rule.endpoint == endpoint);
        let mut comparison = Comparison { rules: rules.collect(), path: Vec::new(), differences: Vec::new() };
        comparison.values(expected, actual);
        comparison.differences
    }

    /// Whether a difference without values (a missing endpoint, the form of a document) is meant.
    pub fn allows(&self, endpoint: &str, path: &str, kind: Kind) -> bool {
        let path: Vec<String> = segments(path);
        let rule = self.rules.iter().find(|rule| rule.endpoint == endpoint && rule.fits(&path, kind));
        rule.inspect(|rule| rule.used.set(true)).is_some()
    }

    /// The lines of differences that did not occur.
    pub fn stale(&self) -> Vec<usize> {
        self.rules.iter().filter(|rule| !rule.used.get()).map(|rule| rule.line).collect()
    }

    /// The stores that the table is read for.
    pub fn side(&self) -> Side {
        self.side
    }
}

impl Rule {
    fn fits(&self, path: &[String], kind: Kind) -> bool {
        self.kind == kind
            && self.path.len() == path.len()
            && self.path.iter().zip(path).all(|(rule, name)| rule == name || (rule == "*" && name != "[]"))
    }
}

fn segments(path: &str) -> Vec<String> {
    path.replace("[]", ".[]").split('.').map(str::to_owned).collect()
}

struct Comparison<'a> {
    rules: Vec<&'a Rule>,
    path: Vec<String>,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn rule(&self, kind: Kind) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.fits(&self.path, kind)).copied()
    }

    fn differ(&mut self, kind: Kind, expected: &Value, actual: &Value) {
        if let Some(rule) = self.rule(kind) {
            rule.used.set(true);
            return;
        }
        self.differences.push(Difference {
            path: self.path.clone(),
            kind,
            expected: expected.clone(),
            actual: actual.clone(),
        });
    }

    fn values(&mut self, expected: &Value, actual: &Value) {
        match (expected, actual) {
            _ if expected == actual => {}
            _ if self.rule(Kind::Any).is_some() => self.differ(Kind::Any, expected, actual),
            (Value::Object(expected), Value::Object(actual)) => self.objects(expected, actual),
            (Value::Array(expected), Value::Array(actual)) => self.lists(expected, actual),
            _ if kind_name(expected) == kind_name(actual) => self.differ(Kind::Value, expected, actual),
            _ => self.differ(Kind::Type, expected, actual),
        }
    }

    fn objects(&mut self, expected: &Map<String, Value>, actual: &Map<String, Value>) {
        for (key, value) in expected {
            self.path.push(key.clone());
            match actual.get(key) {
                Some(other) => self.values(value, other),
                None => self.differ(Kind::Missing, value, &Value::Null),
            }
            self.path.pop();
        }
        for (key, value) in actual {
            if !expected.contains_key(key) {
                self.path.push(key.clone());
                self.differ(Kind::Extra, &Value::Null, value);
                self.path.pop();
            }
        }
    }

    fn lists(&mut self, expected: &[Value], actual: &[Value]) {
        let mut rest: Vec<&Value> = actual.iter().collect();
        let mut unmatched = Vec::new();
        for item in expected {
            match rest.iter().position(|other| *other == item) {
                Some(at) => drop(rest.remove(at)),
                None => unmatched.push(item),
            }
        }
        if unmatched.is_empty() && rest.is_empty() {
            return self.differ(Kind::Order, &expected.to_vec().into(), &actual.to_vec().into());
        }
        let in_any_order = self.rule(Kind::Order).is_some();
        let pairs: Vec<(&Value, &Value)> = if in_any_order {
            unmatched.iter().copied().zip(rest.iter().copied()).collect()
        } else {
            expected.iter().zip(actual).collect()
        };
        self.path.push("[]".into());
        for (expected, actual) in pairs {
            self.values(expected, actual);
        }
        for item in expected.iter().skip(actual.len()) {
            self.differ(Kind::Missing, item, &Value::Null);
        }
        for item in actual.iter().skip(expected.len()) {
            self.differ(Kind::Extra, &Value::Null, item);
        }
        self.path.pop();
    }
}

fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |value: &Value| {
            let text = value.to_string();
            match text.char_indices().nth(300) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        };
        let path = self.path.join(".").replace(".[]", "[]");
        write!(
            formatter,
            "{path}: {:?}\n      official: {}\n      ours:     {}",
            self.kind,
            short(&self.expected),
            short(&self.actual)
        )
    }
}
