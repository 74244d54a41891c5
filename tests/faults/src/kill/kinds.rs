//! Kinds of documents: how the lane's content is sent and read back.

use anyhow::Context;
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

/// What a document holds. Each version has another marker, in several fields: a mixture of two shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) tags: Vec<String>,
    pub(crate) marker: String,
    pub(crate) state: String,
}

/// A service of the API whose documents are written.
pub(crate) trait Kind: Send + Sync + 'static {
    /// Name of the service, and of the list in its answers.
    const SERVICE: &'static str;
    const NEW_STATE: &'static str;

    /// The fields of `create`.
    fn fields(content: &Content) -> Value;

    /// The field that names the document in a request.
    const ID: &'static str;

    /// A call that brings the document into another state: endpoint, and that state.
    fn transition(state: &str, random: &mut StdRng) -> Option<(&'static str, &'static str)>;

    /// Reads a document of an answer.
    fn read(document: &Value) -> anyhow::Result<Content>;
}

pub(crate) struct Tasks;

impl Kind for Tasks {
    const SERVICE: &'static str = "tasks";
    const NEW_STATE: &'static str = "created";
    const ID: &'static str = "task";

    fn fields(content: &Content) -> Value {
        json!({
            "name": content.name, "type": "training", "comment": content.comment, "tags": content.tags,
            "hyperparams": {"Args": {"marker": {"section": "Args", "name": "marker", "value": content.marker}}},
        })
    }

    fn transition(state: &str, random: &mut StdRng) -> Option<(&'static str, &'static str)> {
        let all = [
            ("tasks.started", "in_progress"),
            ("tasks.stopped", "stopped"),
            ("tasks.completed", "completed"),
            ("tasks.failed", "failed"),
        ];
        Some(all[random.random_range(0..all.len())]).filter(|(_, new)| *new != state)
    }

    fn read(document: &Value) -> anyhow::Result<Content> {
        let marker = &document["hyperparams"]["Args"]["marker"]["value"];
        content(document, marker, text(&document["status"], "status")?)
    }
}

pub(crate) struct Models;

impl Kind for Models {
    const SERVICE: &'static str = "models";
    const NEW_STATE: &'static str = "false";
    const ID: &'static str = "model";

    fn fields(content: &Content) -> Value {
        json!({
            "name": content.name, "uri": "file:///model", "comment": content.comment, "tags": content.tags,
            "framework": content.marker, "ready": content.state == "true", "labels": {"cat": 1, "dog": 2},
        })
    }

    fn transition(state: &str, _random: &mut StdRng) -> Option<(&'static str, &'static str)> {
        (state == "false").then_some(("models.set_ready", "true"))
    }

    fn read(document: &Value) -> anyhow::Result<Content> {
        let labels = json!({"cat": 1, "dog": 2});
        anyhow::ensure!(document["labels"] == labels, "labels {}", document["labels"]);
        content(document, &document["framework"], document["ready"].to_string())
    }
}

fn content(document: &Value, marker: &Value, state: String) -> anyhow::Result<Content> {
    let tags = document["tags"].as_array().context("no tags")?;
    Ok(Content {
        name: text(&document["name"], "name")?,
        comment: text(&document["comment"], "comment")?,
        tags: tags.iter().map(|tag| text(tag, "tag")).collect::<anyhow::Result<_>>()?,
        marker: text(marker, "marker")?,
        state,
    })
}

fn text(value: &Value, what: &str) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("no {what}"))
}
