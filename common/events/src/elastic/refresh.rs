//! Making written events visible.
//!
//! A refresh opens what was written since the last one for searches. It costs the cluster about the same for one
//! event and for thousands, so writers share: whoever has written waits for a refresh that begins after that, and
//! at most one is under way for an index. Many writers at a time thus cause few refreshes, and a lone one does not
//! wait for anybody.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use elasticsearch::{http::Method, indices::IndicesRefreshParts};
use futures::future::try_join_all;

use super::{
    cluster::{Cluster, Request},
    errors::ElasticError,
};

/// Refreshes indices of one cluster.
pub(super) struct Refresher {
    cluster: Arc<Cluster>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
}

/// Of one index or pattern.
#[derive(Default)]
struct Gate {
    /// Held while a refresh is under way.
    turn: tokio::sync::Mutex<()>,
    /// Refreshes that began.
    begun: AtomicU64,
    /// Number of the last one that succeeded.
    done: AtomicU64,
}

impl Refresher {
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, gates: Mutex::default() }
    }

    /// Makes all that was written in these indices so far visible.
    pub(super) async fn refresh(&self, indices: &[String]) -> Result<(), ElasticError> {
        try_join_all(indices.iter().map(|index| self.refresh_one(index))).await.map(|_| ())
    }

    async fn refresh_one(&self, index: &str) -> Result<(), ElasticError> {
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(index.to_owned()).or_default())
        };
        let seen = gate.begun.load(Ordering::SeqCst);
        let _turn = gate.turn.lock().await;
        if gate.done.load(Ordering::SeqCst) > seen {
            return Ok(());
        }
        let number = gate.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let request = Request::new(Method::Post, IndicesRefreshParts::Index(&[index]).url())
            .query("ignore_unavailable", "true")
            .query("allow_no_indices", "true");
        self.cluster.send(&request).await?;
        gate.done.store(number, Ordering::SeqCst);
        Ok(())
    }
}
