//! Events as documents: their ids, their JSON, and how it is read again (spec 05 §2.2).

use std::fmt;

use bson::{Bson, Document};
use md5::{Digest, Md5};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

use super::search::Hit;
use crate::{Event, EventType};

/// The id of an event's document: random for logs, otherwise made of what identifies the event.
pub(super) fn id(event: &Event) -> String {
    if event.event_type == EventType::Log {
        return hex(&rand::random::<[u8; 16]>());
    }
    let mut parts = vec![event.task.clone()];
    match (event.iter, event.fields.get("iter")) {
        (Some(iter), _) => parts.push(iter.to_string()),
        (None, Some(value)) => parts.push(python_text(value)),
        (None, None) => {}
    }
    parts.push(event.metric.clone());
    parts.push(event.variant.clone());
    match (&event.key, event.fields.get("key")) {
        (_, Some(value)) => parts.push(python_text(value)),
        (Some(key), None) => parts.push(key.clone()),
        (None, None) => {}
    }
    hex(&Md5::digest(parts.join("-").as_bytes()))
}

/// A random id for a document of statistics: as long as those that Elasticsearch makes, but known before the
/// request, so that trying again makes no second document.
pub(super) fn random_id() -> String {
    hex(&rand::random::<[u8; 10]>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as Python's `str` shows it.
fn python_text(value: &Bson) -> String {
    match value {
        Bson::Null => "None".to_owned(),
        Bson::Boolean(true) => "True".to_owned(),
        Bson::Boolean(false) => "False".to_owned(),
        Bson::String(text) => text.clone(),
        Bson::Double(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// A BSON value as JSON; what JSON does not have is null, or a text.
pub(super) struct Json<'a>(pub(super) &'a Bson);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Bson::Double(number) => serializer.serialize_f64(*number),
            Bson::String(text) => serializer.serialize_str(text),
            Bson::Array(items) => serializer.collect_seq(items.iter().map(Json)),
            Bson::Document(members) => JsonObject(members).serialize(serializer),
            Bson::Boolean(value) => serializer.serialize_bool(*value),
            Bson::Null | Bson::Undefined => serializer.serialize_unit(),
            Bson::Int32(number) => serializer.serialize_i32(*number),
            Bson::Int64(number) => serializer.serialize_i64(*number),
            Bson::DateTime(time) => {
                serializer.serialize_str(&crate::event::written_text(time.timestamp_millis()))
            }
            Bson::ObjectId(id) => serializer.serialize_str(&id.to_hex()),
            other => serializer.serialize_str(&other.to_string()),
        }
    }
}

/// A document as a JSON object.
pub(super) struct JsonObject<'a>(pub(super) &'a Document);

impl Serialize for JsonObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Json(value))))
    }
}

/// The `_source` of a document.
#[derive(Debug, Default)]
pub(super) struct Stored(pub(super) Document);

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(ValueVisitor)? {
            Bson::Document(document) => Ok(Self(document)),
            _ => Err(D::Error::custom("a document that is no object")),
        }
    }
}

/// A JSON value, read as what the API makes of it: integers have 64 bits.
struct Value(Bson);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Bson;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Bson, E> {
        Ok(Bson::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Bson, E> {
        Ok(Bson::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Bson, E> {
        Ok(Bson::Int64(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Bson, E> {
        Ok(i64::try_from(value).map_or(Bson::Double(value as f64), Bson::Int64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Bson, E> {
        Ok(Bson::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Bson, E> {
        Ok(Bson::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Bson, E> {
        Ok(Bson::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bson, A::Error> {
        let mut array = Vec::new();
        while let Some(Value(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Bson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Bson, A::Error> {
        let mut document = Document::new();
        while let Some((name, Value(value))) = members.next_entry::<String, Value>()? {
            document.insert(name, value);
        }
        Ok(Bson::Document(document))
    }
}

/// The events of some hits. Whatever else lies in an index is left out.
pub(super) fn events(hits: impl IntoIterator<Item = Hit>) -> Vec<Event> {
    hits.into_iter().filter_map(event).collect()
}

/// The event of a hit. What a very old document lacks is added.
pub(super) fn event(hit: Hit) -> Option<Event> {
    let Stored(mut document) = hit.source;
    if !document.contains_key("type")
        && let Some(kind) =
            EventType::ALL.into_iter().find(|kind| hit.index.contains(&format!("events-{kind}-")))
    {
        document.insert("type", kind.name());
    }
    for (missing, present) in [("timestamp", "@timestamp"), ("@timestamp", "timestamp")] {
        if document.get(missing).is_none_or(|value| *value == Bson::Null) {
            let value = document.get(present).cloned().unwrap_or(Bson::Int64(0));
            document.insert(missing, value);
        }
    }
    match Event::try_from(document) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::warn!(index = hit.index, id = hit.id, %error, "left out a document that is no event");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn event(iter: Option<i64>, key: Option<&str>) -> Event {
        let mut event = Event::new(EventType::Scalar, "t1", 0, 0);
        event.metric.push_str("loss");
        event.variant.push_str("train");
        event.iter = iter;
        event.key = key.map(str::to_owned);
        event
    }

    #[test]
    fn ids_are_those_of_an_official_server() {
        assert_eq!(id(&event(Some(10), None)), "5ad895526cb1b0ff04b6680317605100");
        let of = |text: &str| hex(&Md5::digest(text.as_bytes()));
        assert_eq!(id(&event(None, Some("k"))), of("t1-loss-train-k"));
        assert_eq!(id(&event(Some(-1), Some(""))), of("t1--1-loss-train-"));
        let mut null = event(None, None);
        null.fields = doc! {"iter": Bson::Null};
        assert_eq!(id(&null), of("t1-None-loss-train"));
        let bare = Event::new(EventType::Plot, "t1", 0, 0);
        assert_eq!(id(&bare), of("t1--"));
        let log = Event::new(EventType::Log, "t1", 0, 0);
        assert_ne!(id(&log), id(&log));
        assert_eq!(id(&log).len(), 32);
    }

    #[test]
    fn documents_come_back_from_json() {
        let document = doc! {
            "text": "ü\u{0}\"", "whole": 1.0, "float": 0.1 + 49.0, "integer": i64::MIN, "none": Bson::Null,
            "list": [1_i64, 2.5, {"a": false}], "$oid": {"$numberLong": "5"},
        };
        let json = serde_json::to_string(&JsonObject(&document)).unwrap();
        let Stored(again) = serde_json::from_str(&json).unwrap();
        assert_eq!(again, document);
        assert_eq!(serde_json::to_string(&Json(&Bson::Double(f64::NAN))).unwrap(), "null");
    }

    #[test]
    fn old_documents_are_completed() {
        let hit = |document: Document| Hit {
            index: "events-plot-c".to_owned(),
            id: String::new(),
            source: Stored(document),
            sort: Vec::new(),
        };
        let old = super::event(hit(doc! {"task": "t", "@timestamp": "2020-01-02T03:04:05.678"})).unwrap();
        assert_eq!((old.event_type, old.timestamp), (EventType::Plot, 1_577_934_245_678));
        let odd = doc! {"task": "t", "type": "log", "timestamp": "2020-01-02 03:04:05"};
        assert_eq!(super::event(hit(odd)).unwrap().written, 1_577_934_245_000);
        assert_eq!(super::event(hit(doc! {"task": "t", "type": "unknown"})), None);
    }
}
