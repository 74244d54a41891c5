//! The lines of a part with events.

use bson::{Bson, Document};
use clearml_events::{Event, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A line of a part.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// Whose events follow.
    Block(Block),
    /// The document of an event, as clients get it.
    Event(Map<String, Value>),
}

/// Some tasks or models of a company.
#[derive(Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) company: String,
    pub(super) tasks: Vec<String>,
}

impl Block {
    /// A block of sources of one company.
    pub(super) fn of(sources: &[Source]) -> Self {
        Self {
            company: sources.first().map(|source| source.company.clone()).unwrap_or_default(),
            tasks: sources.iter().map(|source| source.task.clone()).collect(),
        }
    }
}

/// A line that was read.
pub(super) enum Item {
    Block(Block),
    Event(Box<Event>),
}

impl Item {
    /// What a line says; errors: why it is none.
    pub(super) fn parse(line: Line) -> Result<Self, String> {
        match line {
            Line::Block(block) => Ok(Self::Block(block)),
            Line::Event(event) => {
                let event = Event::try_from(document(event)).map_err(|error| error.to_string())?;
                Ok(Self::Event(Box::new(event)))
            }
        }
    }
}

/// The line of an event.
pub(super) fn of(event: Event) -> String {
    let members = Document::from(event).into_iter().map(|(name, value)| (name, json(value)));
    // Both are text and values: nothing can fail.
    serde_json::to_string(&Line::Event(members.collect())).unwrap_or_default()
}

/// Events are JSON as clients sent it; only numbers that are none have to be spelled otherwise.
fn json(value: Bson) -> Value {
    value.into_relaxed_extjson()
}

fn document(members: Map<String, Value>) -> Document {
    members.into_iter().map(|(name, value)| (name, bson(value))).collect()
}

/// Names that extended JSON takes for types are names here, for clients choose them.
fn bson(value: Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Bson::Int64(integer),
            None => Bson::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Bson::String(text),
        Value::Array(values) => Bson::Array(values.into_iter().map(bson).collect()),
        Value::Object(members) => {
            no_number(&members).map_or_else(|| Bson::Document(document(members)), Bson::Double)
        }
    }
}

/// The form of a number that JSON does not have.
fn no_number(members: &Map<String, Value>) -> Option<f64> {
    let text = members.get("$numberDouble")?.as_str().filter(|_| members.len() == 1)?;
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn events_come_back_as_they_were() {
        let document = doc! {
            "@timestamp": "2024-05-06T07:08:09.010Z", "timestamp": 1_714_979_289_010_i64, "type": "plot", "task": "t",
            "worker": Bson::Null, "metric": "m\n\u{2028}", "variant": "", "model_event": true, "iter": -(1_i64 << 31),
            "value": 0.1 + 0.2, "z": 1.0, "a": {"$date": "no date", "$oid": 5_i64, "nested": [{}, [], f64::INFINITY]},
            "least": i64::MIN, "great": 1e300, "small": 5e-324,
        };
        let event = Event::try_from(document).unwrap();
        let line: Line = serde_json::from_str(&of(event.clone())).unwrap();
        let Ok(Item::Event(read)) = Item::parse(line) else { panic!("no event") };
        assert_eq!(*read, event);
    }
}
