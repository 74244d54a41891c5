//! One event, and its form as a document (spec 05 §2.2).

use std::{fmt, str::FromStr};

use bson::{Bson, Document};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// The iteration that marks a scalar as a "single value" (spec 05 §1).
pub const SINGLE_VALUE_ITERATION: i64 = -(1 << 31);

/// Kind of an event. Each kind is stored apart: ids of different kinds never collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum EventType {
    Scalar,
    Vector,
    Image,
    Plot,
    Log,
}

impl EventType {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Scalar, Self::Vector, Self::Image, Self::Plot, Self::Log];

    /// The name in the API and in index names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "training_stats_scalar",
            Self::Vector => "training_stats_vector",
            Self::Image => "training_debug_image",
            Self::Plot => "plot",
            Self::Log => "log",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for EventType {
    type Err = String;

    /// The error is the unknown name.
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| name.to_owned())
    }
}

impl From<EventType> for &'static str {
    fn from(kind: EventType) -> Self {
        kind.name()
    }
}

impl TryFrom<String> for EventType {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

/// A number that remembers whether it was sent as an integer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// The number with full precision.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// The number as Elasticsearch indexes it: rounded to 32 bits, given as a double (spec 05 §7.1).
    pub fn rounded(self) -> f64 {
        f64::from(self.as_f64() as f32)
    }
}

impl From<Number> for Bson {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => Self::Int64(value),
            Number::Float(value) => Self::Double(value),
        }
    }
}

/// One event after the ingest rewriting of spec 05 §3.
///
/// Fields that all or most events have are members; everything else that was sent is in `fields`, and comes
/// back from a store exactly so. A known field whose value is of an unusual kind (a `value` that is an array,
/// a `null` iteration, a numeric `worker`) stays in `fields`, where it takes precedence in the document form.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `type`.
    pub event_type: EventType,
    /// Id of the task, or of the model for model events.
    pub task: String,
    /// Event time, milliseconds since the epoch.
    pub timestamp: i64,
    /// `@timestamp`: time of writing, milliseconds since the epoch.
    pub written: i64,
    /// `None` is an explicit null.
    pub worker: Option<String>,
    /// Empty if the event has none.
    pub metric: String,
    /// Empty if the event has none.
    pub variant: String,
    pub model_event: bool,
    pub iter: Option<i64>,
    /// A numeric `value`.
    pub value: Option<Number>,
    /// Part of the event's identity, when present.
    pub key: Option<String>,
    /// Where a debug image is.
    pub url: Option<String>,
    /// All other fields: `msg`, `level`, `plot_str`, `plot_data`, `plot_len`, `valid_plot`, `source_urls` …
    pub fields: Document,
}

/// A document that is no event: what is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event has no valid '{0}'")]
pub struct InvalidEvent(pub &'static str);

impl Event {
    /// An event with only the fields that every event has.
    pub fn new(event_type: EventType, task: impl Into<String>, timestamp: i64, written: i64) -> Self {
        Self {
            event_type,
            task: task.into(),
            timestamp,
            written,
            worker: None,
            metric: String::new(),
            variant: String::new(),
            model_event: false,
            iter: None,
            value: None,
            key: None,
            url: None,
            fields: Document::new(),
        }
    }

    /// Whether `valid_plot` is true or absent: only such plots are shown (spec 05 §8).
    pub fn is_valid_plot(&self) -> bool {
        self.fields.get("valid_plot").is_none_or(|valid| *valid == Bson::Boolean(true))
    }

    /// The distinct urls in `source_urls` of a plot.
    pub fn source_urls(&self) -> Vec<String> {
        let urls = self.fields.get_array("source_urls").map(Vec::as_slice).unwrap_or_default();
        urls.iter().filter_map(Bson::as_str).map(str::to_owned).collect()
    }
}

impl TryFrom<Document> for Event {
    type Error = InvalidEvent;

    /// Reads a normalised document (spec 05 §2.2). It must have `type`, `task`, `timestamp` and `@timestamp`
    /// (dates as in the specification, also without a zone, or numbers of milliseconds).
    fn try_from(document: Document) -> Result<Self, InvalidEvent> {
        let kind = document.get_str("type").ok().and_then(|name| name.parse().ok());
        let event_type = kind.ok_or(InvalidEvent("type"))?;
        let task = document.get_str("task").map_err(|_| InvalidEvent("task"))?.to_owned();
        let timestamp = document.get("timestamp").and_then(moment).ok_or(InvalidEvent("timestamp"))?;
        let written = document.get("@timestamp").and_then(moment).ok_or(InvalidEvent("@timestamp"))?;

        let mut event = Self::new(event_type, task, timestamp, written);
        for (name, value) in document {
            match (name.as_str(), value) {
                ("type" | "task" | "@timestamp", _) | ("timestamp", Bson::Int32(_) | Bson::Int64(_)) => {}
                ("timestamp", Bson::Double(value)) if value.fract() == 0.0 => {}
                ("worker", Bson::String(worker)) => event.worker = Some(worker),
                ("worker", Bson::Null) => event.worker = None,
                ("metric", Bson::String(metric)) => event.metric = metric,
                ("variant", Bson::String(variant)) => event.variant = variant,
                ("model_event", Bson::Boolean(flag)) => event.model_event = flag,
                ("iter", Bson::Int32(iter)) => event.iter = Some(iter.into()),
                ("iter", Bson::Int64(iter)) => event.iter = Some(iter),
                ("value", Bson::Int32(value)) => event.value = Some(Number::Int(value.into())),
                ("value", Bson::Int64(value)) => event.value = Some(Number::Int(value)),
                ("value", Bson::Double(value)) => event.value = Some(Number::Float(value)),
                ("key", Bson::String(key)) => event.key = Some(key),
                ("url", Bson::String(url)) => event.url = Some(url),
                (field, value) => {
                    match field {
                        "metric" => event.metric = plain_text(&value),
                        "variant" => event.variant = plain_text(&value),
                        _ => {}
                    }
                    event.fields.insert(name, value);
                }
            }
        }
        Ok(event)
    }
}

impl From<Event> for Document {
    /// The event as clients get it, with the fields of spec 05 §2.2.
    fn from(event: Event) -> Self {
        let mut document = Self::new();
        document.insert("@timestamp", written_text(event.written));
        document.insert("timestamp", event.timestamp);
        document.insert("type", event.event_type.name());
        document.insert("task", event.task);
        document.insert("worker", event.worker);
        document.insert("metric", event.metric);
        document.insert("variant", event.variant);
        document.insert("model_event", event.model_event);
        if let Some(iter) = event.iter {
            document.insert("iter", iter);
        }
        if let Some(value) = event.value {
            document.insert("value", value);
        }
        if let Some(key) = event.key {
            document.insert("key", key);
        }
        if let Some(url) = event.url {
            document.insert("url", url);
        }
        document.extend(event.fields);
        document
    }
}

fn truncated_integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(value) => Some((*value).into()),
        Bson::Int64(value) => Some(*value),
        Bson::Double(value) if value.is_finite() => Some(*value as i64),
        _ => None,
    }
}

/// Milliseconds, a date as text, or milliseconds as text.
fn moment(value: &Bson) -> Option<i64> {
    match value {
        Bson::String(text) => moment_of_text(text.trim()),
        Bson::DateTime(time) => Some(time.timestamp_millis()),
        other => truncated_integer(other),
    }
}

fn moment_of_text(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    // Old documents have times without a zone.
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    naive.map(|time| time.and_utc().timestamp_millis()).or_else(|| text.parse().ok())
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
pub(crate) fn written_text(milliseconds: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(milliseconds).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A name that was not sent as a string, as an index would hold it.
fn plain_text(value: &Bson) -> String {
    match value {
        Bson::Null => String::new(),
        Bson::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn document_comes_back_as_sent() {
        let sent = doc! {
            "@timestamp": "2024-05-06T07:08:09.010Z", "timestamp": 1_714_979_289_010_i64,
            "type": "training_stats_scalar", "task": "t", "worker": "w", "metric": "m", "variant": "v",
            "model_event": false, "iter": 3_i64, "value": 1_i64, "extra": {"a": [1, 2.5]},
        };
        let event = Event::try_from(sent.clone()).unwrap();
        assert_eq!(event.written, 1_714_979_289_010);
        assert_eq!(event.value, Some(Number::Int(1)));
        assert_eq!(Document::from(event), sent);
    }

    #[test]
    fn unusual_kinds_survive() {
        let sent = doc! {
            "@timestamp": 5, "timestamp": 7.5, "type": "log", "task": "t", "worker": Bson::Null, "metric": 5,
            "iter": Bson::Null, "value": [1, 2],
        };
        let event = Event::try_from(sent).unwrap();
        assert_eq!((event.timestamp, event.metric.as_str(), event.iter), (7, "5", None));
        let document = Document::from(event);
        assert_eq!(document.get("timestamp"), Some(&Bson::Double(7.5)));
        assert_eq!(document.get("metric"), Some(&Bson::Int32(5)));
        assert_eq!(document.get("iter"), Some(&Bson::Null));
        assert_eq!(document.get("worker"), Some(&Bson::Null));
        assert_eq!(document.get_array("value").unwrap().len(), 2);
    }

    #[test]
    fn missing_fields_are_named() {
        let error = Event::try_from(doc! {"type": "log", "task": "t", "timestamp": "x"}).unwrap_err();
        assert_eq!(error, InvalidEvent("timestamp"));
        assert_eq!(Event::try_from(doc! {"type": "nope"}).unwrap_err(), InvalidEvent("type"));
    }
}
