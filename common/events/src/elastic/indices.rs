//! Names of indices, and which of them a query is about.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use elasticsearch::{http::Method, indices::IndicesGetFieldMappingParts};
use serde_json::{Value, json};

use super::{
    cluster::{Cluster, Request},
    errors::ElasticError,
};
use crate::{EventError, EventResult, EventType, Source};

/// The names of the fields that queries are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) task: &'static str,
    pub(super) metric: &'static str,
    pub(super) variant: &'static str,
}

impl Fields {
    /// In indices that were made with a template.
    pub(super) const PLAIN: Self = Self { task: "task", metric: "metric", variant: "variant" };

    /// In the vector indices of an official server, which has no template for them: texts with keywords below
    /// (spec 05 §2.1).
    pub(super) const DYNAMIC: Self =
        Self { task: "task.keyword", metric: "metric.keyword", variant: "variant.keyword" };
}

/// Indices whose fields have the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) indices: Vec<String>,
    pub(super) fields: Fields,
}

/// The tasks of one company, and the indices that have their events.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) tasks: Vec<String>,
    pub(super) targets: Vec<Target>,
}

impl Scope {
    /// All indices.
    pub(super) fn indices(&self) -> Vec<String> {
        self.targets.iter().flat_map(|target| target.indices.iter().cloned()).collect()
    }

    /// What an event must match: to be one of these tasks, and the rest, whose form depends on the fields.
    pub(super) fn query(&self, rest: impl Fn(Fields) -> Vec<Value>) -> Value {
        let of_target = |target: &Target| {
            let mut filter = vec![json!({"terms": {target.fields.task: self.tasks}})];
            filter.extend(rest(target.fields));
            filter
        };
        match self.targets.as_slice() {
            [target] => json!({"bool": {"filter": of_target(target)}}),
            targets => {
                let parts: Vec<Value> = targets
                    .iter()
                    .map(|target| {
                        let mut filter = of_target(target);
                        filter.push(json!({"terms": {"_index": target.indices}}));
                        json!({"bool": {"filter": filter}})
                    })
                    .collect();
                json!({"bool": {"should": parts, "minimum_should_match": 1}})
            }
        }
    }
}

/// Makes names of indices, and knows which of them have unusual mappings.
pub(super) struct Indices {
    prefix: String,
    cluster: Arc<Cluster>,
    /// Vector indices that were looked at.
    known: Mutex<HashMap<String, Fields>>,
}

impl Indices {
    pub(super) fn new(prefix: &str, cluster: Arc<Cluster>) -> EventResult<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if !prefix.bytes().all(plain) || prefix.starts_with(['-', '_']) {
            return Err(EventError::Backend(format!("malformed index prefix: {prefix}")));
        }
        Ok(Self { prefix: prefix.to_owned(), cluster, known: Mutex::default() })
    }

    /// The index of a company's events of one type.
    pub(super) fn events(&self, company: &str, kind: EventType) -> EventResult<String> {
        Ok(format!("{}events-{kind}-{}", self.prefix, name_of(company)?))
    }

    /// The index in which statistics of a company are written at a time.
    pub(super) fn statistics(&self, kind: &str, company: &str, at: DateTime<Utc>) -> EventResult<String> {
        Ok(format!("{}{kind}_{}_{}", self.prefix, name_of(company)?, at.format("%Y-%m")))
    }

    /// All indices of a kind of statistics of a company.
    pub(super) fn all_statistics(&self, kind: &str, company: &str) -> EventResult<String> {
        Ok(format!("{}{kind}_{}_*", self.prefix, name_of(company)?))
    }

    /// Where the events of a type (`None` = any) of some tasks are: a scope for each company.
    pub(super) async fn scopes(
        &self,
        sources: &[Source],
        kind: Option<EventType>,
    ) -> EventResult<Vec<Scope>> {
        let mut companies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in sources {
            companies.entry(&source.company).or_default().insert(&source.task);
        }
        let mut scopes = Vec::with_capacity(companies.len());
        for (company, tasks) in companies {
            let tasks = tasks.into_iter().map(str::to_owned).collect();
            scopes.push(Scope { tasks, targets: self.targets(company, kind).await? });
        }
        Ok(scopes)
    }

    /// The scope of one task.
    pub(super) async fn scope(&self, source: &Source, kind: Option<EventType>) -> EventResult<Scope> {
        let targets = self.targets(&source.company, kind).await?;
        Ok(Scope { tasks: vec![source.task.clone()], targets })
    }

    async fn targets(&self, company: &str, kind: Option<EventType>) -> EventResult<Vec<Target>> {
        let kinds = kind.map_or(EventType::ALL.to_vec(), |kind| vec![kind]);
        let mut targets: Vec<Target> = Vec::new();
        for kind in kinds {
            let index = self.events(company, kind)?;
            let fields = match kind {
                EventType::Vector => self.fields(&index).await?,
                _ => Fields::PLAIN,
            };
            match targets.iter_mut().find(|target| target.fields == fields) {
                Some(target) => target.indices.push(index),
                None => targets.push(Target { indices: vec![index], fields }),
            }
        }
        Ok(targets)
    }

    /// The names of the fields of a vector index. One that is not there yet will be made with our template.
    async fn fields(&self, index: &str) -> EventResult<Fields> {
        if let Some(fields) = self.known().get(index) {
            return Ok(*fields);
        }
        let path = IndicesGetFieldMappingParts::IndexFields(&[index], &["metric"]).url();
        let fields = match self.cluster.call::<Value>(&Request::new(Method::Get, path)).await {
            Ok(answer) => fields_of(&answer),
            Err(ElasticError::Refused(refusal)) if refusal.status == 404 => Fields::PLAIN,
            Err(error) => return Err(error.into()),
        };
        self.known().insert(index.to_owned(), fields);
        Ok(fields)
    }

    /// Looks at the mappings anew: somebody else may have made the indices again.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Fields>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the answer about the field `metric` of one index.
fn fields_of(answer: &Value) -> Fields {
    let is_text = answer.as_object().is_some_and(|indices| {
        indices.values().any(|index| {
            index.pointer("/mappings/metric/mapping/metric/type").and_then(Value::as_str) == Some("text")
        })
    });
    if is_text { Fields::DYNAMIC } else { Fields::PLAIN }
}

/// The company in the name of an index.
fn name_of(company: &str) -> EventResult<String> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || r#"\/*?"<>|,#:"#.contains(c);
    if company.len() > 150 || company.contains(forbidden) {
        return Err(EventError::Backend(format!("not a name for an index: {company:?}")));
    }
    Ok(company.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ElasticCluster;

    #[test]
    fn names_are_those_of_an_official_server() {
        let cluster = Arc::new(Cluster::new(&ElasticCluster::default()).unwrap());
        let indices = Indices::new("", Arc::clone(&cluster)).unwrap();
        assert_eq!(indices.events("D1BD", EventType::Image).unwrap(), "events-training_debug_image-d1bd");
        assert_eq!(indices.events("", EventType::Log).unwrap(), "events-log-");
        let at = DateTime::from_timestamp(1_795_486_054, 0).unwrap();
        assert_eq!(indices.statistics("queue_metrics", "C", at).unwrap(), "queue_metrics_c_2026-11");
        for company in ["a*", "a,b", "../x", "a b"] {
            assert!(indices.events(company, EventType::Log).is_err(), "{company}");
        }
        assert!(Indices::new("UPPER", cluster).is_err());
    }

    #[test]
    fn texts_are_told_from_keywords() {
        let answer = |kind: &str| {
            json!({"events-training_stats_vector-c": {"mappings": {"metric": {
                "full_name": "metric", "mapping": {"metric": {"type": kind}}}}}})
        };
        assert_eq!(fields_of(&answer("text")), Fields::DYNAMIC);
        assert_eq!(fields_of(&answer("keyword")), Fields::PLAIN);
        assert_eq!(fields_of(&json!({"i": {"mappings": {}}})), Fields::PLAIN);
    }
}
