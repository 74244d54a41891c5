//! The templates of the indices (spec 05 §2.1, 04 §5.2).

use elasticsearch::{
    cluster::{ClusterGetComponentTemplateParts, ClusterPutComponentTemplateParts},
    http::Method,
    indices::{
        IndicesDeleteTemplateParts, IndicesGetIndexTemplateParts, IndicesGetTemplateParts,
        IndicesPutIndexTemplateParts,
    },
};
use serde_json::{Map, Value, json};

use super::{
    IndexSettings,
    cluster::{Cluster, Request},
    errors::ElasticError,
};
use crate::EventType;

/// The part that all event indices share.
const COMMON: &str = "events_common";

/// Legacy templates of earlier servers, which would now get in the way.
const LEGACY_EVENTS: [&str; 4] = ["events", "events_log", "events_plot", "events_training_debug_image"];
const LEGACY_STATISTICS: [&str; 2] = ["queue_metrics", "worker_stats"];

/// Templates of one cluster.
#[derive(Debug, Default)]
pub(super) struct Templates {
    prefix: String,
    /// Name without prefix, body.
    components: Vec<(&'static str, Value)>,
    indices: Vec<(String, Value)>,
    legacy: Vec<&'static str>,
}

impl Templates {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// Adds those of the events.
    pub(super) fn with_events(mut self, form: IndexSettings) -> Self {
        let mappings = mappings(&[
            ("date", &["@timestamp", "timestamp"]),
            ("keyword", &["task", "type", "worker", "metric", "variant", "company_id"]),
            ("long", &["iter"]),
            ("float", &["value"]),
            ("boolean", &["model_event"]),
        ]);
        self.components
            .push((COMMON, json!({"template": {"settings": settings(form), "mappings": mappings}})));
        for kind in EventType::ALL {
            let extra = match kind {
                EventType::Log => Some(json!({
                    "msg": {"type": "text", "index": false}, "level": {"type": "keyword"},
                })),
                EventType::Plot => Some(json!({
                    "plot_str": {"type": "text", "index": false}, "plot_data": {"type": "binary"},
                })),
                EventType::Image => Some(json!({"key": {"type": "keyword"}, "url": {"type": "keyword"}})),
                // An official server has none for vectors: their names would become texts, which can't be
                // aggregated.
                EventType::Scalar | EventType::Vector => None,
            };
            let mut body = json!({
                "index_patterns": [format!("{}events-{kind}-*", self.prefix)],
                "composed_of": [format!("{}{COMMON}", self.prefix)],
                "priority": 500,
            });
            if let (Some(properties), Some(body)) = (extra, body.as_object_mut()) {
                body.insert("template".to_owned(), json!({"mappings": {"properties": properties}}));
            }
            self.indices.push((format!("events_{kind}"), body));
        }
        self.legacy.extend(LEGACY_EVENTS);
        self
    }

    /// Adds those of the statistics.
    pub(super) fn with_statistics(mut self, form: IndexSettings) -> Self {
        let queues: &[(&str, &[&str])] = &[
            ("date", &["timestamp"]),
            ("keyword", &["queue", "company_id"]),
            ("float", &["average_waiting_time"]),
            ("integer", &["queue_length"]),
        ];
        let workers: &[(&str, &[&str])] = &[
            ("date", &["timestamp"]),
            ("keyword", &["worker", "category", "metric", "variant", "unit", "task", "company_id"]),
            ("float", &["value"]),
        ];
        let serving: &[(&str, &[&str])] = &[
            ("date", &["timestamp"]),
            ("keyword", &["container_id", "company_id", "endpoint_url"]),
            ("integer", &["requests_num", "uptime_sec", "latency_ms", "cpu_num", "gpu_num"]),
            (
                "float",
                &[
                    "requests_min",
                    "cpu_usage",
                    "gpu_usage",
                    "memory_used",
                    "memory_free",
                    "memory_total",
                    "gpu_memory_used",
                    "gpu_memory_free",
                    "gpu_memory_total",
                    "disk_free_home",
                    "network_rx",
                    "network_tx",
                ],
            ),
        ];
        for (name, fields) in
            [("queue_metrics", queues), ("worker_stats", workers), ("serving_stats", serving)]
        {
            let body = json!({
                "index_patterns": [format!("{}{name}_*", self.prefix)],
                "template": {"settings": settings(form), "mappings": mappings(fields)},
                "composed_of": [],
            });
            self.indices.push((name.to_owned(), body));
        }
        self.legacy.extend(LEGACY_STATISTICS);
        self
    }

    /// Whether the cluster has no templates of events: it never served a ClearML server (spec 01 §8.1).
    pub(super) async fn are_absent(&self, cluster: &Cluster) -> Result<bool, ElasticError> {
        let pattern = format!("{}events*", self.prefix);
        let indices = get(cluster, IndicesGetIndexTemplateParts::Name(&pattern).url()).await?;
        let legacy = get(cluster, IndicesGetTemplateParts::Name(&[&pattern]).url()).await?;
        Ok(listed(&indices, "index_templates").next().is_none()
            && legacy.as_object().is_none_or(Map::is_empty))
    }

    /// Puts what is missing or different, and deletes legacy templates. Several servers may do so at a time:
    /// they all put the same.
    pub(super) async fn install(&self, cluster: &Cluster) -> Result<(), ElasticError> {
        for (name, body) in &self.components {
            let name = format!("{}{name}", self.prefix);
            let present = get(cluster, ClusterGetComponentTemplateParts::Name(&[&name]).url()).await?;
            let same = listed(&present, "component_templates")
                .any(|template| template.get("component_template") == Some(body));
            if !same {
                put(cluster, ClusterPutComponentTemplateParts::Name(&name).url(), body).await?;
            }
        }
        let present =
            get(cluster, IndicesGetIndexTemplateParts::Name(&format!("{}*", self.prefix)).url()).await?;
        for (name, body) in &self.indices {
            let name = format!("{}{name}", self.prefix);
            let same = listed(&present, "index_templates").any(|template| {
                template.get("name").and_then(Value::as_str) == Some(&name)
                    && template.get("index_template") == Some(body)
            });
            if !same {
                put(cluster, IndicesPutIndexTemplateParts::Name(&name).url(), body).await?;
            }
        }
        self.delete_legacy(cluster).await
    }

    async fn delete_legacy(&self, cluster: &Cluster) -> Result<(), ElasticError> {
        let names: Vec<String> = self.legacy.iter().map(|name| format!("{}{name}", self.prefix)).collect();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let present = get(cluster, IndicesGetTemplateParts::Name(&asked).url()).await?;
        for name in names.iter().filter(|name| present.get(name).is_some()) {
            let request = Request::new(Method::Delete, IndicesDeleteTemplateParts::Name(name).url());
            match cluster.send(&request).await {
                Ok(_) => tracing::info!(template = name, "deleted a legacy template"),
                // Another server was faster.
                Err(ElasticError::Refused(refusal)) if refusal.status == 404 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Settings in the form in which a cluster shows them.
fn settings(form: IndexSettings) -> Value {
    json!({"index": {
        "number_of_shards": form.shards.to_string(), "number_of_replicas": form.replicas.to_string(),
    }})
}

fn mappings(fields: &[(&str, &[&str])]) -> Value {
    let of_kind = |(kind, names): &(&str, &[&str])| -> Vec<(String, Value)> {
        names.iter().map(|name| ((*name).to_owned(), json!({"type": kind}))).collect()
    };
    let properties: Map<String, Value> = fields.iter().flat_map(of_kind).collect();
    json!({"_source": {"enabled": true}, "properties": properties})
}

fn listed<'a>(answer: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    answer.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// What is there; an empty object if there is nothing.
async fn get(
    cluster: &Cluster,
    path: impl Into<std::borrow::Cow<'static, str>>,
) -> Result<Value, ElasticError> {
    match cluster.call(&Request::new(Method::Get, path)).await {
        Err(ElasticError::Refused(refusal)) if refusal.status == 404 => Ok(json!({})),
        other => other,
    }
}

async fn put(
    cluster: &Cluster,
    path: impl Into<std::borrow::Cow<'static, str>>,
    body: &Value,
) -> Result<(), ElasticError> {
    cluster.send(&Request::new(Method::Put, path).json(body)).await.map(|_| ())
}
