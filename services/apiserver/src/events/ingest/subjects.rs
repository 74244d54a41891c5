//! The tasks and models that a batch of events is about: pass 1 of spec 05 §3.2.

use std::{borrow::Cow, collections::HashMap};

use bson::{Bson, Document};
use clearml_documents::{Collection, Filter, Find};

use super::draft::Draft;
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, json::Json},
    events::{
        access::{is_locked_model, is_locked_task},
        statistics::STATISTICS_FIELDS,
    },
    tasks::access::id_of,
};

/// Ids per look-up.
const IDS_PER_QUERY: usize = 1000;

/// Most tasks and models of one call: their documents are kept in memory.
const MAX_SUBJECTS: usize = 10_000;

/// The tasks and models that events name, each once.
#[derive(Debug, Default)]
pub(super) struct Subjects<'a> {
    flags: Vec<Flags>,
    by_id: HashMap<Cow<'a, str>, usize>,
    /// Most batches are about one task: its events find it without hashing.
    last: Option<(Cow<'a, str>, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Flags {
    is_model: bool,
    allow_locked: bool,
}

/// A task or model that takes events.
#[derive(Debug)]
pub(super) struct Writable {
    pub(super) is_model: bool,
    /// Its company-checked document with [`STATISTICS_FIELDS`].
    pub(super) document: Document,
}

impl<'a> Subjects<'a> {
    /// Notes the id that the event names. Errors: 400/12 if it contradicts an earlier event, 413/0 for too many.
    pub(super) fn note(&mut self, draft: &Draft<'a>) -> ApiResult<()> {
        let Some(id) = id_in(draft) else { return Ok(()) };
        let flags = Flags { is_model: draft.model_event, allow_locked: draft.allow_locked };
        let known = self.index_of(&id);
        if known.is_none() && self.flags.len() >= MAX_SUBJECTS {
            return Err(ApiError::new(codes::REQUEST_TOO_LARGE)
                .extra(format!("more than {MAX_SUBJECTS} tasks and models in a batch")));
        }
        let index = known.unwrap_or_else(|| {
            let index = self.flags.len();
            self.flags.push(flags);
            self.by_id.insert(id.clone(), index);
            self.last = Some((id.clone(), index));
            index
        });
        let known = self.flags[index];
        if known.is_model != flags.is_model {
            return Err(ApiError::validation("Inconsistent model_event setting in the passed events")
                .with("tasks", vec![Bson::from(id.as_ref())]));
        }
        if known.allow_locked != flags.allow_locked {
            return Err(ApiError::validation(format!(
                "Inconsistent allow_locked setting in the passed events for {id}"
            )));
        }
        Ok(())
    }

    fn index_of(&mut self, id: &str) -> Option<usize> {
        if let Some((last, index)) = &self.last
            && last == id
        {
            return Some(*index);
        }
        let (id, index) = self.by_id.get_key_value(id)?;
        self.last = Some((id.clone(), *index));
        Some(*index)
    }

    /// Looks up which of the ids take events: the caller's own tasks that are not published, and models that
    /// are not ready, unless their events say `allow_locked`.
    pub(super) async fn writable(&self, app: &App, call: &Call) -> ApiResult<HashMap<String, Writable>> {
        let mut writable = HashMap::new();
        for (is_model, collection) in [(false, Collection::Task), (true, Collection::Model)] {
            let ids: Vec<&str> = self
                .by_id
                .iter()
                .filter(|(_, index)| self.flags[**index].is_model == is_model)
                .map(|(id, _)| id.as_ref())
                .collect();
            for ids in ids.chunks(IDS_PER_QUERY) {
                let filter = Filter::ids(ids.iter().copied()).and(Filter::eq("company", call.company()));
                let fields = ["_id", "status", "ready"].iter().chain(&STATISTICS_FIELDS).copied();
                for document in app.documents.find(collection, Find::new(filter).include(fields)).await? {
                    let id = id_of(&document).to_owned();
                    let is_locked =
                        if is_model { is_locked_model(&document) } else { is_locked_task(&document) };
                    let allow_locked =
                        self.by_id.get(id.as_str()).is_some_and(|index| self.flags[*index].allow_locked);
                    if allow_locked || !is_locked {
                        writable.insert(id, Writable { is_model, document });
                    }
                }
            }
        }
        Ok(writable)
    }
}

/// The id that an event names; `None` if it names none.
pub(super) fn id_in<'a>(draft: &Draft<'a>) -> Option<Cow<'a, str>> {
    match draft.task.as_ref()? {
        Json::Null => None,
        Json::Text(text) => Some(text.clone()),
        other => Some(Cow::Owned(crate::python::str_of(&Bson::from(other.clone())))),
    }
}
