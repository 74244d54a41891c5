//! One event as it was sent, its fields told apart.

use std::borrow::Cow;

use bson::{Bson, Document};

use crate::api::json::Json;

/// The fields of an event as sent. Fields that few events have are among the others.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) event_type: Option<Json<'a>>,
    pub(super) task: Option<Json<'a>>,
    pub(super) timestamp: Option<Json<'a>>,
    pub(super) worker: Option<Json<'a>>,
    pub(super) iter: Option<Json<'a>>,
    pub(super) metric: Option<Json<'a>>,
    pub(super) variant: Option<Json<'a>>,
    pub(super) value: Option<Json<'a>>,
    pub(super) model_event: bool,
    pub(super) allow_locked: bool,
    /// All other fields in their order; a repeated field counts by its last value.
    pub(super) others: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Draft<'a> {
    /// Tells the members of an object apart.
    pub(super) fn new(members: Vec<(Cow<'a, str>, Json<'a>)>) -> Self {
        let mut draft = Self {
            event_type: None,
            task: None,
            timestamp: None,
            worker: None,
            iter: None,
            metric: None,
            variant: None,
            value: None,
            model_event: false,
            allow_locked: false,
            others: Vec::new(),
        };
        for (name, value) in members {
            match name.as_ref() {
                "type" => draft.event_type = Some(value),
                "task" => draft.task = Some(value),
                "timestamp" => draft.timestamp = Some(value),
                "worker" => draft.worker = Some(value),
                "iter" => draft.iter = Some(value),
                "metric" => draft.metric = Some(value),
                "variant" => draft.variant = Some(value),
                "value" => draft.value = Some(value),
                "model_event" => draft.model_event = !value.is_falsy(),
                "allow_locked" => draft.allow_locked = !value.is_falsy(),
                // A trace of the client's request machinery (spec 08 §1.4), no part of the event.
                "method" if value.as_str() == Some("get") => {}
                // Ours alone to set.
                "@timestamp" => {}
                _ => draft.others.push((name, value)),
            }
        }
        // A model's event may name the model in a field of its own.
        if draft.model_event
            && let Some(model) = draft.take("model")
        {
            draft.task = Some(model);
        }
        draft
    }

    /// As [`Self::new`], of a document.
    pub(super) fn of_document(document: &'a Document) -> Self {
        Self::new(members_of(document))
    }

    /// Removes a field; `None` also for null.
    pub(super) fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let mut taken = None;
        // Most events have no other fields at all.
        self.others.retain_mut(|(field, value)| {
            let is_wanted = field == name;
            if is_wanted {
                taken = Some(std::mem::replace(value, Json::Null));
            }
            !is_wanted
        });
        taken.filter(|value| *value != Json::Null)
    }

    /// Whether the field was sent, even as null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.others.iter().any(|(field, _)| field == name)
    }
}

fn members_of(document: &Document) -> Vec<(Cow<'_, str>, Json<'_>)> {
    document.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), json_of(value))).collect()
}

/// A value of a request as a JSON value; requests hold only what JSON can.
fn json_of(value: &Bson) -> Json<'_> {
    match value {
        Bson::Boolean(value) => Json::Boolean(*value),
        Bson::Int32(value) => Json::Integer(i64::from(*value)),
        Bson::Int64(value) => Json::Integer(*value),
        Bson::Double(value) => Json::Float(*value),
        Bson::String(text) => Json::Text(Cow::Borrowed(text)),
        Bson::Array(items) => Json::List(items.iter().map(json_of).collect()),
        Bson::Document(document) => Json::Object(members_of(document)),
        _ => Json::Null,
    }
}

/// A name or id as text; what is no text is written as the official server's index would hold it.
pub(super) fn name_of(value: Json<'_>) -> String {
    match value {
        Json::Text(text) => text.into_owned(),
        Json::Null => String::new(),
        other => crate::python::str_of(&Bson::from(other)),
    }
}
