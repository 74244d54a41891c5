//! What can go wrong in a request.

use serde_json::Value;

use crate::EventError;

/// Why a request has no answer that can be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ElasticError {
    /// No node could be reached, or none answered in time.
    #[error("{0}")]
    Unreachable(String),
    /// The cluster refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer is not what it should be.
    #[error("{0}")]
    Unexpected(String),
}

/// A refusal of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The most telling reason.
    pub(super) reason: String,
    /// Types of the error and of all its causes.
    kinds: Vec<String>,
}

impl Refusal {
    /// Reads the `error` of an answer.
    pub(super) fn new(status: u16, error: &Value) -> Self {
        let mut kinds = Vec::new();
        collect_kinds(error, &mut kinds);
        let reason = match error {
            Value::String(text) => text.clone(),
            _ => telling_reason(error).unwrap_or_else(|| format!("status {status}")),
        };
        Self { status, reason, kinds }
    }

    /// Whether the error or one of its causes is of this type.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|found| found == kind)
    }

    /// Whether the answer would have had more buckets than the cluster allows.
    pub(super) fn is_too_many_buckets(&self) -> bool {
        self.is("too_many_buckets_exception")
    }

    /// Whether the indices are read-only for lack of room on disk.
    pub(super) fn is_blocked(&self) -> bool {
        self.is("cluster_block_exception")
    }

    /// Whether another try may succeed: the cluster is busy, or a part of it is absent.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504) && !self.is_blocked() && !self.is_too_many_buckets()
    }
}

fn collect_kinds(error: &Value, kinds: &mut Vec<String>) {
    match error {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(kind) if name == "type" => kinds.push(kind.clone()),
                    other => collect_kinds(other, kinds),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_kinds(item, kinds)),
        _ => {}
    }
}

/// The reason, or that of the innermost cause where the outer one only says that all shards failed.
fn telling_reason(error: &Value) -> Option<String> {
    let own = || error.get("reason").and_then(Value::as_str).map(str::to_owned);
    if error.get("reason").and_then(Value::as_str).is_some_and(|reason| reason != "all shards failed") {
        return own();
    }
    let inner = error.get("caused_by").and_then(telling_reason);
    let root = || error.get("root_cause").and_then(|causes| causes.get(0)).and_then(telling_reason);
    inner.or_else(root).or_else(own)
}

impl From<ElasticError> for EventError {
    fn from(error: ElasticError) -> Self {
        match error {
            ElasticError::Refused(refusal) => refusal.into(),
            ElasticError::Unreachable(reason) => Self::Unavailable(reason),
            ElasticError::Unexpected(reason) => Self::Backend(reason),
        }
    }
}

impl From<Refusal> for EventError {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_blocked() {
            Self::DiskFull(without_index(&refusal.reason).to_owned())
        } else if refusal.may_pass() {
            Self::Unavailable(refusal.reason)
        } else {
            Self::Backend(refusal.reason)
        }
    }
}

/// The reason without the leading `index [name] ` (spec 05 §3.5).
fn without_index(reason: &str) -> &str {
    let rest = reason.strip_prefix("index [").and_then(|rest| rest.split_once("] "));
    rest.map_or(reason, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn causes_are_found() {
        let error = json!({
            "type": "search_phase_execution_exception", "reason": "all shards failed",
            "root_cause": [{"type": "illegal_argument_exception", "reason": "Fielddata is disabled"}],
            "caused_by": {"type": "too_many_buckets_exception", "reason": "Trying to create too many buckets"},
        });
        let refusal = Refusal::new(503, &error);
        assert!(refusal.is_too_many_buckets() && !refusal.may_pass());
        assert_eq!(refusal.reason, "Trying to create too many buckets");
        assert!(Refusal::new(429, &json!({"type": "es_rejected_execution_exception"})).may_pass());
    }

    #[test]
    fn full_disks_are_told_from_busy_nodes() {
        let reason = "index [events-log-x] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];";
        let refusal = Refusal::new(429, &json!({"type": "cluster_block_exception", "reason": reason}));
        assert!(!refusal.may_pass());
        let EventError::DiskFull(reason) = EventError::from(refusal) else { panic!("another error") };
        assert_eq!(reason, "blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];");
    }
}
