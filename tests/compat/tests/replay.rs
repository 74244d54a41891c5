//! Recorded calls of an official server, answered by this one on the official server's data.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clearml_apiserver::Stores;
use clearml_compat::{
    Call, Cluster, Differences, Dump, Server, Side, StateValue, embedded_stores, load, load_state, recording,
};
use serde_json::{Value, json};

/// The user who made the recorded calls.
const KEY: &str = "EGRTCO8JMSIGI6S39GTP43NFWXDQOW";

/// The differences that are meant.
const DIFFERENCES: &str = include_str!("../differences.txt");

#[tokio::test(flavor = "multi_thread")]
async fn embedded_stores_answer_as_recorded() {
    let Some(folder) = recording() else { return };
    let directory = tempfile::tempdir().unwrap();
    let stores = embedded_stores(directory.path()).unwrap();
    let dump = Dump::open(folder);
    load(&dump, &stores).await.unwrap();
    for entry in dump.state().unwrap() {
        load_state(stores.state.as_ref(), entry).await.unwrap();
    }
    assert_none(&replay(&dump, stores, Side::Embedded).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_stores_answer_as_recorded() {
    let Some(folder) = recording() else { return };
    let Some(cluster) = Cluster::of_environment("replay").await.unwrap() else { return };
    let dump = Dump::open(folder);
    let report = replay_on(&cluster, &dump).await;
    cluster.clean().await.unwrap();
    assert_none(&report.unwrap());
}

async fn replay_on(cluster: &Cluster, dump: &Dump) -> anyhow::Result<Vec<String>> {
    cluster.load(dump).await?;
    let stores = cluster.stores().await?;
    for entry in dump.state()? {
        load_state(stores.state.as_ref(), entry).await?;
    }
    replay(dump, stores, Side::Cluster).await
}

/// Values of `General.lr`. The official server takes `0.001` and `0.0001` for one value, since its collation
/// reads the digits behind the point as whole numbers; here each is listed, as each can be asked for.
const VALUES: &str =
    "hyperparam_values_d1bd92a3b039400cbafc60a7a5b1e52b_76710629daf54f12854dc2409c2d29c3_General_lr_";

/// Entries of this server alone: positions that the official one keeps in Elasticsearch.
const OWN_STATE: [&str; 2] = ["events/scroll ", VALUES];

/// Recorded entries of other calls than the recorded ones: points of queues after changes, tags of models of a
/// project.
const UNRECORDED_STATE: [&str; 3] = [
    VALUES,
    "queue_metrics_",
    "tags_d1bd92a3b039400cbafc60a7a5b1e52b_76710629daf54f12854dc2409c2d29c3_Model ",
];

/// The calls leave the keys behind that they left at the official server.
#[tokio::test(flavor = "multi_thread")]
async fn shared_state_is_kept_as_recorded() {
    let Some(folder) = recording() else { return };
    let directory = tempfile::tempdir().unwrap();
    let stores = embedded_stores(directory.path()).unwrap();
    let state = Arc::clone(&stores.state);
    let dump = Dump::open(folder);
    load(&dump, &stores).await.unwrap();
    replay(&dump, stores, Side::Embedded).await.unwrap();

    let mut ours = BTreeSet::new();
    for key in state.keys("*").await.unwrap() {
        // Caches and positions are texts or lists; each accessor answers for its kind alone.
        let value = match state.get(&key).await {
            Ok(Some(text)) => StateValue::Text(text),
            _ => StateValue::List(state.list_all(&key).await.unwrap()),
        };
        ours.insert(comparable(&key, &value));
    }
    let recorded = dump.state().unwrap().into_iter();
    let official: BTreeSet<String> = recorded.map(|entry| comparable(&entry.key, &entry.value)).collect();
    let beyond: Vec<&String> = ours
        .difference(&official)
        .filter(|entry| !OWN_STATE.iter().any(|own| entry.starts_with(own)))
        .collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
    let missing: Vec<&String> = official
        .difference(&ours)
        .filter(|entry| !UNRECORDED_STATE.iter().any(|other| entry.starts_with(other)))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// An entry without the id of a position.
fn comparable(key: &str, value: &StateValue) -> String {
    let is_id = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (key, id) = match key.rsplit_once('/') {
        Some((prefix, id)) if is_id(id) => (prefix, Some(id)),
        _ => (key, None),
    };
    let value = match value {
        StateValue::Text(text) => {
            let text = id.map_or_else(|| text.clone(), |id| text.replace(id, "<id>"));
            let json: Value = serde_json::from_str(&text).unwrap();
            sorted(&json).to_string()
        }
        other => format!("{other:?}"),
    };
    format!("{key} {value}")
}

/// The value with its members by name.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> =
                members.iter().map(|(key, value)| (key, sorted(value))).collect();
            json!(members)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Repeats all calls: the differences that the table does not list, and its lines that did not occur.
async fn replay(dump: &Dump, stores: Stores, side: Side) -> anyhow::Result<Vec<String>> {
    let differences = Differences::parse(DIFFERENCES, side)?;
    let server = Server::start(stores, KEY).await?;
    let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (number, call) in dump.calls()?.into_iter().enumerate() {
        let Call { endpoint, version, body, status, answer: expected } = call;
        let answer = server.call(&version, &endpoint, &body).await?;
        let place = format!("#{} {endpoint} {body}", number + 1);
        let mut note = |what: String, difference: String| {
            let first = || (0, format!("{place}\n    {difference}"));
            found.entry(format!("{endpoint} {what}")).or_insert_with(first).0 += 1;
        };
        if answer.status != status {
            let meta = &answer.json["meta"]["result_msg"];
            note(
                format!("{}", answer.status),
                format!("status {} in place of {status}: {meta}", answer.status),
            );
            continue;
        }
        for difference in differences.compare(&endpoint, &expected, &answer.json) {
            let what = format!("{:?} {}", difference.kind, difference.path.join("."));
            note(what, difference.to_string());
        }
    }
    let mut report: Vec<String> =
        found.into_values().map(|(times, first)| format!("{times} times, first in {first}")).collect();
    report.extend(differences.stale().iter().map(|line| format!("differences.txt:{line} does not occur")));
    Ok(report)
}

fn assert_none(report: &[String]) {
    assert!(report.is_empty(), "{} findings:\n{}", report.len(), report.join("\n"));
}
