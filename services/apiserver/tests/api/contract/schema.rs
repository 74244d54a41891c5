//! The part of JSON Schema that the catalogue uses. A null counts as an absent value, as in the official server's
//! own check of its answers.

use std::fmt;

use serde_json::Value;

/// How answers are checked.
pub struct Schema<'a> {
    pub definitions: &'a Value,
    /// Where the schema says text, the reference to another object may be an object.
    pub joins: bool,
}

/// A departure from a schema.
pub struct Problem {
    /// Dotted, without the positions in lists.
    pub path: String,
    text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.path, self.text)
    }
}

impl Schema<'_> {
    /// Where a value departs from a schema.
    pub fn problems(&self, value: &Value, schema: &Value) -> Vec<Problem> {
        let mut found = Vec::new();
        self.check(value, schema, "data", &mut found);
        found
    }

    fn check(&self, value: &Value, schema: &Value, path: &str, found: &mut Vec<Problem>) {
        if value.is_null() {
            return;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            assert!(self.definitions[name].is_object(), "no definition of {reference}");
            return self.check(value, &self.definitions[name], path, found);
        }
        let mut problem = |path: &str, text: String| found.push(Problem { path: path.to_owned(), text });
        let is_right_kind = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string() || (self.joins && is_joined(value)),
            Some("boolean") => value.is_boolean(),
            Some("number") => value.is_number(),
            Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            _ => true,
        };
        if !is_right_kind {
            return problem(path, format!("is no {}: {value}", schema["type"]));
        }
        if let Some(choices) = schema["enum"].as_array()
            && !choices.contains(value)
        {
            problem(path, format!("is none of {choices:?}: {value}"));
        }
        if schema["format"] == "date-time"
            && let Some(text) = value.as_str()
            && bson::DateTime::parse_rfc3339_str(text).is_err()
        {
            problem(path, format!("is no date: {value}"));
        }
        for item in value.as_array().into_iter().flatten() {
            self.check(item, &schema["items"], path, found);
        }
        if let Some(members) = value.as_object() {
            self.check_members(members, schema, path, found);
        }
    }

    fn check_members(
        &self,
        members: &serde_json::Map<String, Value>,
        schema: &Value,
        path: &str,
        found: &mut Vec<Problem>,
    ) {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(required) {
                found.push(Problem { path: format!("{path}.{required}"), text: "is required".to_owned() });
            }
        }
        for (name, member) in members {
            let path = format!("{path}.{name}");
            match schema["properties"].get(name) {
                Some(described) => self.check(member, described, &path, found),
                None if schema["additionalProperties"] == Value::Bool(false) => {
                    found.push(Problem { path, text: "is not described".to_owned() });
                }
                None if schema["additionalProperties"].is_object() => {
                    self.check(member, &schema["additionalProperties"], &path, found);
                }
                None => {}
            }
        }
    }
}

/// Whether this is what a reference is joined to: an object with an id, or an empty one for nothing.
fn is_joined(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.is_empty() || object.contains_key("id"))
}
