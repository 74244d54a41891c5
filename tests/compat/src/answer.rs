//! JSON as it was sent, with exact numbers.

use anyhow::Context;
use clearml_apiserver::api::json::{Json, Limits, read};
use serde_json::{Map, Value};

/// Reads one JSON text. `NaN` and the infinities become texts, floats stay floats and integers integers.
pub fn json_value(text: &[u8]) -> anyhow::Result<Value> {
    Ok(value(read(text, Limits::default()).context("no JSON")?))
}

fn value(json: Json<'_>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Boolean(value) => value.into(),
        Json::Integer(value) => value.into(),
        Json::Float(value) if value.is_finite() => value.into(),
        Json::Float(value) => value.to_string().into(),
        Json::Text(text) => text.into_owned().into(),
        Json::List(items) => items.into_iter().map(value).collect(),
        Json::Object(members) => {
            let members = members.into_iter().map(|(key, member)| (key.into_owned(), value(member)));
            members.collect::<Map<_, _>>().into()
        }
    }
}
