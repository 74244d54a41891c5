//! The columns of a CSV file: where their values come from and how they are written (spec 03 §3.4, 09 §4.2).

use std::{cmp::Ordering, collections::HashSet};

use bson::{Bson, DateTime, Document};
use serde::Deserialize;

use super::csv;
use crate::{
    api::{Any, ApiError, ApiResult, check, from_document},
    python,
    query::unescape_key,
};

/// Paths into maps with escaped keys: clients send them escaped, answers hold them unescaped.
const ESCAPED_PREFIXES: [&str; 3] = ["metadata.", "hyperparams.", "configuration."];

#[derive(Debug, Deserialize)]
struct ColumnsRequest {
    #[serde(default)]
    field_mappings: Vec<FieldMapping>,
}

#[derive(Debug, Deserialize)]
struct FieldMapping {
    field: String,
    name: Option<String>,
    #[serde(default)]
    values: Vec<ValueMapping>,
}

#[derive(Debug, Deserialize)]
struct ValueMapping {
    key: Any,
    value: Any,
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

#[derive(Debug)]
struct Column {
    name: String,
    path: Vec<String>,
    /// Texts that stand for values.
    values: Vec<(Bson, String)>,
}

impl Columns {
    /// Reads the `field_mappings` of a request.
    ///
    /// # Errors
    /// 400/12 for none, and for a column or a value that comes twice.
    pub(super) fn read(request: &Document) -> ApiResult<Self> {
        let ColumnsRequest { field_mappings } = from_document(request)?;
        check::not_empty("field_mappings", &field_mappings)?;
        let mut names = HashSet::new();
        let mut columns = Vec::with_capacity(field_mappings.len());
        for mapping in field_mappings {
            let column = Column::new(mapping)?;
            if !names.insert(column.name.clone()) {
                return Err(ApiError::validation(format!(
                    "Field_name appears more than once in field_mappings: {}",
                    column.name
                )));
            }
            columns.push(column);
        }
        Ok(Self(columns))
    }

    /// The first line. With rows to follow it tells spreadsheets that the file is UTF-8.
    pub(super) fn header(&self, has_rows: bool) -> Vec<u8> {
        let names = self.0.iter().map(|column| column.name.as_str());
        let mut text = Vec::new();
        if has_rows {
            text.extend_from_slice("\u{feff}".as_bytes());
            csv::write_row(&mut text, names, csv::Quotes::All);
        } else {
            csv::write_row(&mut text, names, csv::Quotes::Needed);
        }
        text
    }

    /// A line for each object.
    pub(super) fn write(&self, text: &mut Vec<u8>, rows: &[Document]) {
        for row in rows {
            let cells = self.0.iter().map(|column| csv::harmless(column.cell(row)));
            csv::write_row(text, cells, csv::Quotes::All);
        }
    }
}

impl Column {
    fn new(mapping: FieldMapping) -> ApiResult<Self> {
        let is_escaped = ESCAPED_PREFIXES.iter().any(|prefix| mapping.field.starts_with(prefix));
        let part = |part: &str| if is_escaped { unescape_key(part) } else { part.to_owned() };
        let mut values: Vec<(Bson, String)> = Vec::with_capacity(mapping.values.len());
        for ValueMapping { key: Any(key), value: Any(value) } in mapping.values {
            if values.iter().any(|(known, _)| is_same(known, &key)) {
                return Err(ApiError::validation(format!(
                    "Value key appears more than once in field_mappings: {}",
                    python::str_of(&key)
                )));
            }
            values.push((key, text_of(&value)));
        }
        Ok(Self {
            path: mapping.field.split('.').map(part).collect(),
            name: mapping.name.filter(|name| !name.is_empty()).unwrap_or(mapping.field),
            values,
        })
    }

    fn cell(&self, row: &Document) -> String {
        let Some((last, parents)) = self.path.split_last() else { return String::new() };
        let mut document = row;
        for part in parents {
            match document.get(part) {
                Some(Bson::Document(inner)) => document = inner,
                _ => return String::new(),
            }
        }
        let Some(value) = document.get(last) else { return String::new() };
        let value = match value {
            Bson::Document(object) => match object.get("id") {
                Some(id) => id,
                None => return String::new(),
            },
            other => other,
        };
        match self.values.iter().find(|(key, _)| is_same(key, value)) {
            Some((_, text)) => text.clone(),
            None => text_of(value),
        }
    }
}

/// Python's equality of scalars: numbers by value, whatever their kind.
fn is_same(one: &Bson, other: &Bson) -> bool {
    let number = |value: &Bson| match value {
        Bson::Boolean(value) => Some(f64::from(u8::from(*value))),
        Bson::Int32(value) => Some(f64::from(*value)),
        Bson::Int64(value) => Some(*value as f64),
        Bson::Double(value) => Some(*value),
        _ => None,
    };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.partial_cmp(&other) == Some(Ordering::Equal),
        _ => one == other,
    }
}

fn text_of(value: &Bson) -> String {
    match value {
        Bson::DateTime(date) => date_text(*date),
        Bson::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| match item {
                    Bson::DateTime(date) => date_text(*date),
                    other => python::repr(other),
                })
                .collect();
            format!("[{}]", items.join(", "))
        }
        other => python::str_of(other),
    }
}

/// `YYYY-MM-DD HH:MM:SS`, with a fraction of six digits if there is one.
fn date_text(date: DateTime) -> String {
    let time = chrono::DateTime::from_timestamp_millis(date.timestamp_millis()).unwrap_or_default();
    let format =
        if date.timestamp_millis() % 1000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    time.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use bson::{bson, doc};

    use super::*;

    fn cell(mapping: Document, row: &Document) -> String {
        let columns = Columns::read(&doc! {"field_mappings": [mapping]}).unwrap();
        columns.0[0].cell(row)
    }

    #[test]
    fn values_are_found_and_written_as_python_does() {
        let row = doc! {
            "none": Bson::Null, "yes": true, "tags": ["a", "b"], "company": {"id": "c"}, "public": {},
            "project": {"id": "p", "name": "P"}, "number": 1.5, "count": 3,
            "started": DateTime::from_millis(1_704_164_645_000),
            "completed": DateTime::from_millis(1_704_164_645_120),
            "hyperparams": {"Args": {"a.b": {"value": "7"}}},
        };
        for (field, text) in [
            ("none", "None"),
            ("yes", "True"),
            ("tags", "['a', 'b']"),
            ("company", "c"),
            ("public", ""),
            ("project.name", "P"),
            ("number", "1.5"),
            ("count", "3"),
            ("started", "2024-01-02 03:04:05"),
            ("completed", "2024-01-02 03:04:05.120000"),
            ("hyperparams.Args.a%2Eb.value", "7"),
            ("hyperparams.Args.missing.value", ""),
            ("missing", ""),
        ] {
            assert_eq!(cell(doc! {"field": field}, &row), text, "{field}");
        }
    }

    #[test]
    fn values_can_be_renamed() {
        let values = bson!([{"key": "task", "value": "Task"}, {"key": 3, "value": 7}, {"key": true, "value": Bson::Null}]);
        let mapped = |value: Bson| cell(doc! {"field": "x", "values": values.clone()}, &doc! {"x": value});
        assert_eq!(mapped(bson!("task")), "Task");
        assert_eq!(mapped(bson!(3.0)), "7");
        assert_eq!(mapped(bson!(true)), "None");
        assert_eq!(mapped(bson!("other")), "other");
    }

    #[test]
    fn nothing_comes_twice() {
        let columns =
            |mappings: Bson| Columns::read(&doc! {"field_mappings": mappings}).unwrap_err().message();
        assert_eq!(
            columns(bson!([{"field": "a", "name": "b"}, {"field": "b"}])),
            "Validation error (Field_name appears more than once in field_mappings: b)"
        );
        assert_eq!(
            columns(bson!([{"field": "a", "values": [{"key": 1, "value": 2}, {"key": 1.0, "value": 3}]}])),
            "Validation error (Value key appears more than once in field_mappings: 1.0)"
        );
    }
}
