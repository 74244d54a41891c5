//! The form of documents: which fields they have, and of which type.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Bson, Document};

use crate::{Differences, Kind};

/// Fields whose keys are names that users give, and how many levels of such keys they have.
const MAPS: [(&str, usize); 9] = [
    ("configuration", 1),
    ("event_stats_by_type", 1),
    ("artifacts", 1),
    ("hyperparams", 2),
    ("labels", 1),
    ("last_metrics", 2),
    ("metadata", 1),
    ("metric_stats", 1),
    ("runtime", 1),
];

/// The fields of a set of documents: path -> types and number of parents that have the field. Names given
/// by users become `*`, items of lists `[]`.
#[derive(Debug, Default)]
pub struct Shape {
    fields: BTreeMap<String, Field>,
    documents: usize,
}

#[derive(Debug, Default)]
struct Field {
    types: BTreeSet<&'static str>,
    /// How often it occurs.
    count: usize,
    /// How often it occurs as an object (or is an item that is one).
    objects: usize,
}

impl Shape {
    /// The form of these documents.
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Self {
        let mut shape = Self::default();
        for document in documents {
            shape.documents += 1;
            shape.members("", document, 0);
        }
        shape
    }

    fn members(&mut self, path: &str, document: &Document, levels: usize) {
        for (key, value) in document {
            let name = if levels > 0 { "*" } else { key.as_str() };
            let member = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let below = match levels {
                0 => MAPS.iter().find(|(map, _)| map == key).map_or(0, |(_, levels)| *levels),
                levels => levels - 1,
            };
            self.value(&member, value, below);
        }
    }

    fn value(&mut self, path: &str, value: &Bson, levels: usize) {
        let field = self.fields.entry(path.to_owned()).or_default();
        field.count += 1;
        field.types.insert(type_name(value));
        match value {
            Bson::Document(document) => {
                field.objects += 1;
                self.members(path, document, levels);
            }
            Bson::Array(items) => {
                for item in items {
                    self.value(&format!("{path}[]"), item, levels);
                }
            }
            _ => {}
        }
    }

    /// Whether every document (or every parent object) has the field.
    fn always(&self, path: &str) -> bool {
        let parents = match path.rsplit_once('.') {
            Some((_, "*")) => return false,
            Some((parent, _)) => self.fields.get(parent).map_or(0, |field| field.objects),
            None => self.documents,
        };
        self.fields.get(path).is_some_and(|field| field.count == parents)
    }

    /// How documents of this form differ from the official ones, but for what the table lists under `name`:
    /// fields that the official ones never have (`extra`), fields of theirs that never occur here, or not in each
    /// document though in each of theirs (`missing`), and other types (`type`).
    pub fn differences(&self, official: &Self, name: &str, table: &Differences) -> Vec<String> {
        let mut found = Vec::new();
        for (path, field) in &self.fields {
            let Some(theirs) = official.fields.get(path) else {
                if !table.allows(name, path, Kind::Extra) {
                    found.push(format!("{name} | {path} | extra: {:?}", field.types));
                }
                continue;
            };
            if !field.types.is_subset(&theirs.types) && !table.allows(name, path, Kind::Type) {
                found.push(format!("{name} | {path} | type: {:?}, official {:?}", field.types, theirs.types));
            }
        }
        for path in official.fields.keys() {
            let is_there = self.fields.contains_key(path) && (self.always(path) || !official.always(path));
            if !is_there && !table.allows(name, path, Kind::Missing) {
                let extent = if self.fields.contains_key(path) { "sometimes" } else { "always" };
                found.push(format!("{name} | {path} | missing {extent}"));
            }
        }
        found
    }
}

fn type_name(value: &Bson) -> &'static str {
    match value {
        Bson::Null => "null",
        Bson::Boolean(_) => "boolean",
        // Every reader takes the two kinds of integer for one.
        Bson::Int32(_) | Bson::Int64(_) => "integer",
        Bson::Double(_) => "float",
        Bson::String(_) => "text",
        Bson::DateTime(_) => "date",
        Bson::Array(_) => "list",
        Bson::Document(_) => "object",
        Bson::Binary(_) => "binary",
        _ => "other",
    }
}
