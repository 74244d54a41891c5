//! The Elasticsearch back end: the indices and templates of an official server 2.x.

mod settings;

pub use self::settings::{
    ElasticBulk, ElasticCluster, ElasticLogin, ElasticProbing, ElasticSettings, IndexSettings,
};
use crate::{EventError, EventResult};

/// Events and usage statistics in Elasticsearch. Clones share the connections.
#[derive(Clone)]
pub struct ElasticEvents {
    settings: std::sync::Arc<ElasticSettings>,
}

impl ElasticEvents {
    /// Connects: waits for the clusters as `probing` says and puts the templates (spec 01 §8.1).
    ///
    /// Safe with many replicas at once. Fails with [`EventError::Unavailable`] if a cluster does not answer,
    /// and with [`EventError::Backend`] if an address, a login or a certificate is malformed.
    pub async fn connect(settings: ElasticSettings) -> EventResult<Self> {
        let _ = settings;
        Err(EventError::Backend("the Elasticsearch back end is being built".to_owned()))
    }

    /// Whether the events cluster had no templates when this store connected: it never served a ClearML server
    /// (spec 01 §8.1).
    pub fn was_empty(&self) -> bool {
        self.settings.index_prefix.is_empty()
    }
}
