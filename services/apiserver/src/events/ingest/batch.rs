//! Pass 2 of a call: checks and rewrites its events, stores them, and leaves their statistics on their tasks
//! and models (spec 05 §3.3 to §3.7).

use std::{borrow::Cow, collections::HashMap};

use bson::{Bson, DateTime, Document, doc};
use chrono::DateTime as CalendarTime;
use clearml_documents::{Collection, Filter, Write};
use clearml_events::{Event, EventError, EventType, Number, RejectedEvent};
use indexmap::IndexMap;

use super::{
    draft::{Draft, name_of},
    plots::prepare_plots,
    subjects::{Writable, id_in},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, json::Json},
    events::statistics::{BatchStatistics, Observed},
};

/// Distinct texts in `errors_info`: a call with more different faults gets the rest summed up.
const MAX_ERROR_TEXTS: usize = 1000;

/// The counter of faults beyond [`MAX_ERROR_TEXTS`].
const OTHER_ERRORS: &str = "Other errors";

/// Longest metric or variant in bytes, as Elasticsearch's longest keyword: names are kept in memory.
const LONGEST_NAME: usize = 32_766;

/// The state of a call between its chunks.
pub(super) struct Batch<'a> {
    app: &'a App,
    call: &'a Call,
    now: DateTime,
    writable: HashMap<String, Writable>,
    /// By task or model; only those that took an event.
    statistics: IndexMap<String, BatchStatistics>,
    added: i64,
    /// Fault -> number of events that have it.
    errors: IndexMap<String, i64>,
    unindexable: Unindexable,
}

/// Events that an index would refuse: the others are stored, then the call fails.
#[derive(Debug, Default)]
struct Unindexable {
    count: i64,
    reason: Option<String>,
}

/// Why an event is not stored.
enum Rejection {
    /// It is skipped and counted.
    Fault(Cow<'static, str>),
    /// It is skipped, counted, and fails the call in the end.
    OutOfRange(&'static str),
    /// It is skipped and fails the call in the end; the reason names the field.
    Unindexable(String),
    /// The whole call fails at once.
    Call(ApiError),
}

impl From<&'static str> for Rejection {
    fn from(fault: &'static str) -> Self {
        Self::Fault(fault.into())
    }
}

impl<'a> Batch<'a> {
    pub(super) fn new(app: &'a App, call: &'a Call, writable: HashMap<String, Writable>) -> Self {
        Self {
            app,
            call,
            now: app.now(),
            writable,
            statistics: IndexMap::new(),
            added: 0,
            errors: IndexMap::new(),
            unindexable: Unindexable::default(),
        }
    }

    /// Stores the acceptable ones of these events.
    pub(super) async fn store(&mut self, drafts: Vec<Draft<'_>>) -> ApiResult<()> {
        let mut events = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match self.accept(draft) {
                Ok(event) => events.push(event),
                Err(Rejection::Fault(text)) => self.count_error(text.into_owned()),
                Err(Rejection::OutOfRange(text)) => {
                    self.count_error(text.to_owned());
                    self.unindexable.count += 1;
                }
                Err(Rejection::Unindexable(reason)) => {
                    self.unindexable.count += 1;
                    self.unindexable.reason.get_or_insert(reason);
                }
                Err(Rejection::Call(error)) => return Err(error),
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        prepare_plots(&mut events, &self.app.settings.events).await?;
        self.added += events.len() as i64;
        match self.app.events.append(self.call.company(), events).await {
            Err(EventError::Rejected(rejected)) => self.note_rejected(rejected),
            outcome => outcome?,
        }
        Ok(())
    }

    /// The store has all others.
    fn note_rejected(&mut self, rejected: Vec<RejectedEvent>) {
        let count = rejected.len() as i64;
        self.added -= count;
        self.unindexable.count += count;
        if let Some(first) = rejected.into_iter().next() {
            self.unindexable.reason.get_or_insert(first.reason);
        }
    }

    /// Updates models and tasks, and answers.
    pub(super) async fn finish(self) -> ApiResult<Document> {
        self.update_statistics(Collection::Model).await?;
        self.update_statistics(Collection::Task).await?;
        if self.unindexable.count > 0 {
            return Err(ApiError::new(codes::VALIDATION_ERROR)
                .with("err", format!("{} document(s) failed to index.", self.unindexable.count))
                .with("extra_info", self.unindexable.reason));
        }
        if self.added == 0 {
            let error = ApiError::new(codes::EVENTS_NOT_ADDED);
            return Err(self.errors.into_iter().fold(error, |error, (text, count)| error.with(text, count)));
        }
        let errors: i64 = self.errors.values().sum();
        let errors_info: Document =
            self.errors.into_iter().map(|(text, count)| (text, Bson::Int64(count))).collect();
        Ok(doc! {"added": self.added, "errors": errors, "errors_info": errors_info})
    }

    async fn update_statistics(&self, collection: Collection) -> ApiResult<()> {
        let is_model = collection == Collection::Model;
        let limit = self.app.settings.events.max_last_metrics;
        let (now, user) = (self.now, self.call.user());
        let writes: Vec<Write> = self
            .statistics
            .iter()
            .filter_map(|(id, statistics)| {
                let owner = self.writable.get(id).filter(|owner| owner.is_model == is_model)?;
                let update = if is_model {
                    statistics.model_update(&owner.document, limit, now, user)
                } else {
                    statistics.task_update(&owner.document, limit, now, user)
                };
                let filter = Filter::id(id.as_str()).and(Filter::eq("company", self.call.company()));
                Some(Write::Update { filter, update, many: false, upsert: false })
            })
            .collect();
        if !writes.is_empty() {
            self.app.documents.write(collection, writes).await?;
        }
        Ok(())
    }

    fn count_error(&mut self, text: String) {
        let is_new = !self.errors.contains_key(&text);
        let text =
            if is_new && self.errors.len() >= MAX_ERROR_TEXTS { OTHER_ERRORS.to_owned() } else { text };
        *self.errors.entry(text).or_default() += 1;
    }

    /// Checks an event and gives it its stored form.
    fn accept(&mut self, mut draft: Draft<'_>) -> Result<Event, Rejection> {
        let x_axis_label = draft.take("x_axis_label");
        let event_type = event_type(draft.event_type.as_ref())?;
        if draft.model_event && event_type == EventType::Log {
            return Err("Task log events are not supported for models".into());
        }
        let task = id_in(&draft).ok_or("Event must have a 'task' field")?;
        if !self.writable.contains_key(task.as_ref()) {
            let kind = if draft.model_event { "model" } else { "task" };
            return Err(Rejection::Fault(format!("Invalid {kind} id {task}").into()));
        }

        let now = self.now.timestamp_millis();
        let mut event = Event::new(event_type, task, now, now);
        event.model_event = draft.model_event;
        if let Some(timestamp) = draft.take("ts").or(draft.timestamp.take()) {
            set_timestamp(&mut event, timestamp)?;
        }
        match draft.worker.take() {
            None => event.worker = Some(self.call.worker.clone()),
            Some(Json::Text(worker)) => event.worker = Some(worker.into_owned()),
            Some(Json::Null) => {}
            Some(other) => keep(&mut event, "worker", other),
        }
        match draft.iter.take() {
            None => {}
            Some(Json::Null) => keep(&mut event, "iter", Json::Null),
            Some(iter) => event.iter = Some(iteration(&iter)?),
        }
        event.metric = name_field(&mut event, "metric", draft.metric.take())?;
        event.variant = name_field(&mut event, "variant", draft.variant.take())?;
        set_value(&mut event, &mut draft)?;
        for (name, value) in draft.others {
            match (name.as_ref(), value) {
                ("key", Json::Text(key)) => event.key = Some(key.into_owned()),
                ("url", Json::Text(url)) => event.url = Some(url.into_owned()),
                (_, value) => keep(&mut event, &name, value),
            }
        }
        self.observe(&event, x_axis_label.as_ref().and_then(Json::as_str));
        Ok(event)
    }

    fn observe(&mut self, event: &Event, x_axis_label: Option<&str>) {
        let observed = Observed {
            event_type: event.event_type.name(),
            metric: &event.metric,
            variant: &event.variant,
            iteration: event.iter,
            timestamp: event.timestamp,
            value: event.value,
            x_axis_label,
            counts_iteration: !self.app.settings.events.ignore_iteration_metrics.contains(&event.metric),
        };
        match self.statistics.get_mut(event.task.as_str()) {
            Some(statistics) => statistics.add(observed),
            None => self.statistics.entry(event.task.clone()).or_default().add(observed),
        }
    }
}

fn event_type(sent: Option<&Json<'_>>) -> Result<EventType, Rejection> {
    let name: Cow<'_, str> = match sent {
        None | Some(Json::Null) => return Err("Event must have a 'type' field".into()),
        Some(Json::Text(name)) if name.contains(' ') => name.replace(' ', "_").into(),
        Some(Json::Text(name)) => Cow::Borrowed(name.as_ref()),
        Some(other) => name_of(other.clone()).into(),
    };
    name.parse().map_err(|_| Rejection::Fault(format!("Invalid event type {name}").into()))
}

/// Stores a field that is kept as it was sent.
fn keep(event: &mut Event, name: &str, value: Json<'_>) {
    event.fields.insert(name, Bson::from(value));
}

/// A metric or variant; what is no text is kept as sent too.
fn name_field(event: &mut Event, field: &str, sent: Option<Json<'_>>) -> Result<String, Rejection> {
    let name = match sent {
        None | Some(Json::Null) => String::new(),
        Some(Json::Text(name)) => name.into_owned(),
        Some(other) => {
            keep(event, field, other.clone());
            name_of(other)
        }
    };
    if name.len() > LONGEST_NAME {
        return Err(Rejection::Unindexable(format!(
            "Document contains at least one immense term in field=\"{field}\""
        )));
    }
    Ok(name)
}

/// Milliseconds, or a date as text; null is the present time.
fn set_timestamp(event: &mut Event, sent: Json<'_>) -> Result<(), Rejection> {
    let milliseconds = match &sent {
        Json::Null => return Ok(()),
        Json::Integer(milliseconds) => {
            event.timestamp = *milliseconds;
            return Ok(());
        }
        Json::Float(milliseconds) if milliseconds.is_finite() => Some(*milliseconds as i64),
        Json::Text(text) => text
            .parse()
            .ok()
            .or_else(|| CalendarTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())),
        _ => None,
    };
    let Some(milliseconds) = milliseconds else {
        return Err(Rejection::Unindexable("failed to parse field [timestamp] of type [date]".to_owned()));
    };
    event.timestamp = milliseconds;
    // What a whole number of milliseconds does not say is kept as sent.
    if !matches!(sent, Json::Float(sent) if sent.fract() == 0.0) {
        keep(event, "timestamp", sent);
    }
    Ok(())
}

/// An iteration as Python's `int` reads it.
fn iteration(sent: &Json<'_>) -> Result<i64, Rejection> {
    const TOO_LARGE: Rejection =
        Rejection::OutOfRange("Iteration number should not exceed 9223372036854775807");
    let failure = |text: String| Rejection::Call(ApiError::validation(text));
    match sent {
        Json::Integer(iteration) => Ok(*iteration),
        Json::Boolean(value) => Ok(i64::from(*value)),
        Json::Float(value) if value.is_nan() => {
            Err(failure("cannot convert float NaN to integer".to_owned()))
        }
        // The bounds of i64 that are exact as floats.
        Json::Float(value) if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(value) => {
            Ok(*value as i64)
        }
        // Integers beyond 64 bits are read as floats.
        Json::Float(value) if value.is_finite() => Err(TOO_LARGE),
        Json::Float(_) => Err(failure("cannot convert float infinity to integer".to_owned())),
        Json::Text(text) => text.trim().parse::<i128>().map_or_else(
            |_| {
                let digits = text.trim().trim_start_matches(['-', '+']);
                if digits.len() > 38 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(TOO_LARGE);
                }
                let shown = crate::python::repr(&Bson::from(text.as_ref()));
                Err(failure(format!("invalid literal for int() with base 10: {shown}")))
            },
            |iteration| i64::try_from(iteration).map_err(|_| TOO_LARGE),
        ),
        Json::Null | Json::List(_) | Json::Object(_) => Err(failure(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            sent.type_name()
        ))),
    }
}

/// `value`, or `values` under its other name. The value of a scalar must be a number that an index takes.
fn set_value(event: &mut Event, draft: &mut Draft<'_>) -> Result<(), Rejection> {
    let values = draft.has("values").then(|| draft.take("values").unwrap_or(Json::Null));
    let Some(value) = values.or(draft.value.take()) else { return Ok(()) };
    let is_scalar = event.event_type == EventType::Scalar;
    match value {
        Json::Integer(number) => event.value = Some(Number::Int(number)),
        Json::Float(number) if (number as f32).is_finite() => event.value = Some(Number::Float(number)),
        Json::Float(number) if is_scalar => {
            return Err(Rejection::Unindexable(format!(
                "failed to parse field [value] of type [float]: only finite values are supported, but got [{number}]"
            )));
        }
        Json::Null => keep(event, "value", Json::Null),
        other if is_scalar => {
            return Err(Rejection::Call(ApiError::validation(format!(
                "value of a scalar must be a number, found: {}",
                other.type_name()
            ))));
        }
        other => keep(event, "value", other),
    }
    Ok(())
}
