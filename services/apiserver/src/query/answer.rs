//! From a stored document to the one that the API answers (spec 01 §2 "Document → JSON", 03 §1.11, §1.12).

use std::collections::HashMap;

use bson::{Bson, Document};

use super::{
    Default, Entity, Field, Kind,
    projection::{Selection, Tree},
};

/// Joined documents by the path of their reference and by their id.
pub(crate) type Joined = HashMap<String, HashMap<String, Document>>;

/// How references are answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum References<'a> {
    /// As plain ids.
    Ids,
    /// As objects: the joined document, else `{id}`.
    Objects(&'a Joined),
}

/// The whole document as a `get_by_id` answers it: references as plain ids, fields that are excluded by
/// default left out.
pub(crate) fn answer(entity: &'static Entity, stored: &Document) -> Document {
    render(entity, stored, &Selection::standard(entity), References::Ids)
}

/// As [`answer`], with the fields that are excluded by default.
pub(crate) fn answer_everything(entity: &'static Entity, stored: &Document) -> Document {
    render(entity, stored, &Selection::everything(), References::Ids)
}

/// The selected part of a document: declared fields only, nulls left out, defaults filled in.
pub(crate) fn render(
    entity: &'static Entity,
    stored: &Document,
    selection: &Selection,
    references: References<'_>,
) -> Document {
    let renderer = Renderer { references };
    let mut answered = Document::new();
    if selection.id
        && let Some(id) = stored.get("_id")
    {
        answered.insert("id", id.clone());
    }
    renderer.fields(
        entity.fields,
        stored,
        selection.include.as_ref(),
        Some(&selection.exclude),
        "",
        &mut answered,
    );
    answered
}

struct Renderer<'a> {
    references: References<'a>,
}

impl Renderer<'_> {
    /// Adds the selected ones of the declared fields to `answered`. `include`: only these, `None`: all.
    fn fields(
        &self,
        fields: &'static [Field],
        stored: &Document,
        include: Option<&Tree>,
        exclude: Option<&Tree>,
        prefix: &str,
        answered: &mut Document,
    ) {
        for field in fields {
            let selected = match include {
                None => None,
                Some(tree) => match tree.children.get(field.name) {
                    None => continue,
                    Some(node) => Some(node),
                },
            };
            let excluded = exclude.and_then(|tree| tree.children.get(field.name));
            let is_reference = matches!(field.kind, Kind::Reference(_));
            if excluded.is_some_and(Tree::is_leaf) {
                continue;
            }
            // Below a reference only a join can be meant.
            let excluded = excluded.filter(|_| !is_reference);
            let path =
                if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
            if let Some(value) = self.field(field, stored.get(field.name), selected, excluded, &path) {
                answered.insert(field.name, value);
            }
        }
    }

    fn field(
        &self,
        field: &'static Field,
        stored: Option<&Bson>,
        selected: Option<&Tree>,
        excluded: Option<&Tree>,
        path: &str,
    ) -> Option<Bson> {
        let stored = stored.filter(|value| !matches!(value, Bson::Null | Bson::Undefined));
        let include = selected.filter(|node| !node.is_leaf());
        match (&field.kind, stored) {
            (Kind::Embedded(fields), Some(Bson::Document(document))) => {
                Some(self.embedded(fields, document, include, excluded, path))
            }
            (Kind::Embedded(fields), None) if field.default == Default::EmptyObject => {
                Some(self.embedded(fields, &Document::new(), include, excluded, path))
            }
            (Kind::EmbeddedList(fields), Some(Bson::Array(items))) => Some(Bson::Array(
                items
                    .iter()
                    .filter_map(Bson::as_document)
                    .map(|item| self.embedded(fields, item, include, excluded, path))
                    .collect(),
            )),
            (Kind::Map { depth, fields }, Some(Bson::Document(map))) => {
                Some(Bson::Document(self.map(map, *depth, fields, include, excluded)))
            }
            (Kind::Any, Some(value)) => Some(free(value, include, excluded)),
            (Kind::Reference(_), Some(value)) => Some(self.reference(value, path)),
            (_, Some(value)) => Some(value.clone()),
            (_, None) => default_value(field.default),
        }
    }

    fn embedded(
        &self,
        fields: &'static [Field],
        stored: &Document,
        include: Option<&Tree>,
        exclude: Option<&Tree>,
        path: &str,
    ) -> Bson {
        let mut answered = Document::new();
        self.fields(fields, stored, include, exclude, path, &mut answered);
        Bson::Document(answered)
    }

    /// A map with `depth` levels of keys above sub-documents.
    fn map(
        &self,
        stored: &Document,
        depth: usize,
        fields: &'static [Field],
        include: Option<&Tree>,
        exclude: Option<&Tree>,
    ) -> Document {
        let mut answered = Document::new();
        for (key, value) in stored {
            // Stored keys are escaped: a leading underscore marks the official server's own keys (`_cls`).
            if key.starts_with('_') {
                continue;
            }
            let selected = match include {
                None => None,
                Some(tree) => match tree.children.get(key) {
                    None => continue,
                    Some(node) => Some(node),
                },
            };
            let below = selected.filter(|node| !node.is_leaf());
            let excluded = exclude.and_then(|tree| tree.children.get(key));
            if excluded.is_some_and(Tree::is_leaf) {
                continue;
            }
            match value {
                Bson::Null | Bson::Undefined => {}
                Bson::Document(inner) if depth > 1 => {
                    answered.insert(key, self.map(inner, depth - 1, fields, below, excluded));
                }
                Bson::Document(inner) => {
                    answered.insert(key, self.embedded(fields, inner, below, excluded, ""));
                }
                other => {
                    answered.insert(key, other.clone());
                }
            }
        }
        answered
    }

    fn reference(&self, id: &Bson, path: &str) -> Bson {
        let References::Objects(joined) = self.references else { return id.clone() };
        let text = id.as_str().unwrap_or_default();
        if id.as_str() == Some("") {
            return Bson::Document(Document::new());
        }
        let document = joined.get(path).and_then(|documents| documents.get(text)).cloned();
        Bson::Document(document.unwrap_or_else(|| {
            let mut only_id = Document::new();
            only_id.insert("id", id.clone());
            only_id
        }))
    }
}

/// The selected part of a value without declared structure.
fn free(value: &Bson, include: Option<&Tree>, exclude: Option<&Tree>) -> Bson {
    let Bson::Document(stored) = value else { return value.clone() };
    if include.is_none() && exclude.is_none() {
        return value.clone();
    }
    let mut answered = Document::new();
    for (key, value) in stored {
        let selected = match include {
            None => None,
            Some(tree) => match tree.children.get(key) {
                None => continue,
                Some(node) => Some(node),
            },
        };
        let excluded = exclude.and_then(|tree| tree.children.get(key));
        if !excluded.is_some_and(Tree::is_leaf) {
            answered.insert(key, free(value, selected.filter(|node| !node.is_leaf()), excluded));
        }
    }
    Bson::Document(answered)
}

fn default_value(default: Default) -> Option<Bson> {
    match default {
        Default::Absent => None,
        Default::EmptyList => Some(Bson::Array(Vec::new())),
        Default::EmptyObject => Some(Bson::Document(Document::new())),
        Default::Integer(number) => Some(Bson::Int64(number)),
        Default::Text(text) => Some(Bson::from(text)),
        Default::Boolean(flag) => Some(Bson::Boolean(flag)),
    }
}

#[cfg(test)]
mod tests {
    use bson::{bson, doc};

    use super::*;
    use crate::{projects::schema::PROJECT, tasks::schema::TASK};

    fn task(stored: &Document, fields: &[&str]) -> Document {
        let selection = Selection::plain(&TASK, &doc! { "only_fields": fields.to_vec() }).unwrap();
        render(&TASK, stored, &selection, References::Ids)
    }

    #[test]
    fn unknown_null_and_private_members_are_left_out() {
        let stored = doc! {
            "_id": "t1", "_cls": "Task", "name": "n", "foo": 1, "comment": Bson::Null, "company_origin": "c",
            "hyperparams": { "_cls": "x", "Args": { "lr": { "_cls": "ParamsItem", "name": "lr", "value": "1", "extra": 1 } } },
            "runtime": { "_pipeline_hash": "h", "a.b": 1, "none": Bson::Null },
        };
        let answered = answer(&TASK, &stored);
        assert_eq!(answered.get_str("id").unwrap(), "t1");
        for absent in ["_id", "_cls", "foo", "comment", "company_origin"] {
            assert!(!answered.contains_key(absent), "{absent}");
        }
        assert_eq!(
            answered.get_document("hyperparams").unwrap(),
            &doc! { "Args": { "lr": { "name": "lr", "value": "1" } } }
        );
        // Free objects are answered as they are stored.
        assert_eq!(
            answered.get_document("runtime").unwrap(),
            &doc! { "_pipeline_hash": "h", "a.b": 1, "none": Bson::Null }
        );
    }

    #[test]
    fn defaults_appear_for_absent_and_null_fields() {
        let answered = answer(&TASK, &doc! { "_id": "t", "tags": Bson::Null });
        assert_eq!(answered.get("tags"), Some(&bson!([])));
        assert_eq!(answered.get_str("status").unwrap(), "created");
        assert_eq!(answered.get_i64("last_iteration").unwrap(), 0);
        assert_eq!(
            answered.get_document("script").unwrap(),
            &doc! { "binary": "python", "repository": "", "entry_point": "", "requirements": {} }
        );
        assert_eq!(answered.get_document("models").unwrap(), &doc! { "input": [], "output": [] });
        assert_eq!(
            answered.get_document("execution").unwrap(),
            &doc! { "test_split": 0_i64, "parameters": {}, "model_desc": {}, "model_labels": {}, "artifacts": {} }
        );
        assert!(!answered.contains_key("started"));
        assert_eq!(answer(&PROJECT, &doc! { "_id": "p" }).get_i64("featured").unwrap(), 9999);
    }

    #[test]
    fn a_projection_selects_and_keeps_defaults_inside() {
        let stored = doc! {
            "_id": "t", "name": "n", "script": { "branch": "b", "diff": "d" },
            "runtime": { "version": "1", "other": 2 },
            "last_metrics": { "m": { "v": { "value": 1.0, "metric": "M" }, "w": { "value": 2.0 } } },
            "models": { "input": [{ "name": "i", "model": "m1" }] },
        };
        assert_eq!(task(&stored, &["name"]), doc! { "name": "n" });
        assert_eq!(
            task(&stored, &["script.repository", "script.branch"]),
            doc! { "script": { "repository": "", "branch": "b" } }
        );
        assert_eq!(task(&stored, &["runtime.version", "runtime.x"]), doc! { "runtime": { "version": "1" } });
        assert_eq!(task(&doc! { "_id": "t" }, &["runtime.x"]), doc! { "runtime": {} });
        assert_eq!(
            task(&stored, &["last_metrics.m.v.value"]),
            doc! { "last_metrics": { "m": { "v": { "value": 1.0 } } } }
        );
        assert_eq!(
            task(&stored, &["models.input.model"]),
            doc! { "models": { "input": [{ "model": "m1" }] } }
        );
        assert_eq!(task(&stored, &["execution.queue"]), doc! { "execution": {} });
        assert_eq!(
            task(&stored, &["runtime", "script", "-runtime.other", "-script.diff", "-script.requirements"]),
            doc! {
                "script": { "binary": "python", "repository": "", "branch": "b", "entry_point": "" },
                "runtime": { "version": "1" },
            }
        );
    }

    #[test]
    fn references_become_objects() {
        let mut joined = Joined::new();
        joined.insert("project".into(), HashMap::from([("p".into(), doc! { "id": "p", "name": "P" })]));
        let stored = doc! {
            "_id": "t", "company": "", "project": "p", "parent": "x",
            "execution": { "queue": "q" }, "models": { "output": [{ "model": "m" }] },
        };
        let answered = render(&TASK, &stored, &Selection::standard(&TASK), References::Objects(&joined));
        assert_eq!(answered.get_document("company").unwrap(), &doc! {});
        assert_eq!(answered.get_document("project").unwrap(), &doc! { "id": "p", "name": "P" });
        assert_eq!(answered.get_document("parent").unwrap(), &doc! { "id": "x" });
        assert_eq!(answered.get_document("execution").unwrap().get("queue"), Some(&bson!({ "id": "q" })));
        assert_eq!(
            answered.get_document("models").unwrap().get("output"),
            Some(&bson!([{ "model": { "id": "m" } }]))
        );
        assert!(!answered.contains_key("user"));
    }
}
