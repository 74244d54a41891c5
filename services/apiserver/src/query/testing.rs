//! A document store that counts its readings, for tests that no list endpoint asks per document.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bson::{Bson, Document};
use clearml_documents::{
    Collection, DocumentStore, Filter, Find, GroupBy, Returned, SqliteStore, StoreResult, Update, Write,
    WriteOutcome,
};
use clearml_events::{EmbeddedEvents, NameLimits};
use clearml_state::MemoryState;
use tempfile::TempDir;

use crate::{
    App, Settings, Stores,
    api::{ApiVersion, Call, Identity, Role},
};

/// Counts readings of an embedded store.
pub(crate) struct CountingStore {
    store: SqliteStore,
    readings: AtomicUsize,
}

impl CountingStore {
    /// Readings since the last call.
    pub(crate) fn take_readings(&self) -> usize {
        self.readings.swap(0, Ordering::SeqCst)
    }

    fn count_one(&self) -> &SqliteStore {
        self.readings.fetch_add(1, Ordering::SeqCst);
        &self.store
    }
}

#[async_trait]
impl DocumentStore for CountingStore {
    async fn find(&self, collection: Collection, find: Find) -> StoreResult<Vec<Document>> {
        self.count_one().find(collection, find).await
    }

    async fn count(&self, collection: Collection, filter: Filter, numeric: bool) -> StoreResult<u64> {
        self.count_one().count(collection, filter, numeric).await
    }

    async fn distinct(&self, collection: Collection, path: &str, filter: Filter) -> StoreResult<Vec<Bson>> {
        self.count_one().distinct(collection, path, filter).await
    }

    async fn group(&self, collection: Collection, group: GroupBy) -> StoreResult<Vec<Document>> {
        self.count_one().group(collection, group).await
    }

    async fn map_keys(
        &self,
        collection: Collection,
        path: &str,
        depth: usize,
        filter: Filter,
    ) -> StoreResult<Vec<Document>> {
        self.count_one().map_keys(collection, path, depth, filter).await
    }

    async fn write(&self, collection: Collection, writes: Vec<Write>) -> StoreResult<WriteOutcome> {
        self.store.write(collection, writes).await
    }

    async fn find_and_update(
        &self,
        collection: Collection,
        filter: Filter,
        update: Update,
        returned: Returned,
    ) -> StoreResult<Option<Document>> {
        self.store.find_and_update(collection, filter, update, returned).await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.store.ping().await
    }
}

/// A server on a temporary directory whose readings are counted.
pub(crate) struct CountedApp {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<CountingStore>,
    _directory: TempDir,
}

impl CountedApp {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(CountingStore {
            store: SqliteStore::open(directory.path()).unwrap(),
            readings: AtomicUsize::new(0),
        });
        let events = Arc::new(EmbeddedEvents::open(directory.path(), NameLimits::default()).unwrap());
        let state = Arc::new(MemoryState::default());
        let stores = Stores {
            documents: Arc::clone(&store) as Arc<dyn DocumentStore>,
            state: state.clone(),
            worker_state: state,
            events: events.clone(),
            statistics: events,
        };
        let app = Arc::new(App::new(stores, Settings::new("a secret for tests that is long enough")));
        Self { app, store, _directory: directory }
    }

    /// Stores documents of company `c`.
    pub(crate) async fn store(&self, collection: Collection, documents: impl IntoIterator<Item = Document>) {
        let writes = documents
            .into_iter()
            .map(|mut document| {
                document.insert("company", "c");
                Write::Insert(document)
            })
            .collect();
        self.app.documents.write(collection, writes).await.unwrap();
    }
}

/// A call by a user of company `c`.
pub(crate) fn call() -> Call {
    Call {
        id: String::new(),
        trx: String::new(),
        endpoint: "",
        version: ApiVersion::CURRENT,
        identity: Some(Identity {
            user: "u".to_owned(),
            company: "c".to_owned(),
            role: Role::User,
            user_name: "Jane Doe".to_owned(),
            company_name: "clearml".to_owned(),
        }),
        claims: None,
        data: Document::new(),
        batch: None,
        memory: crate::api::Reserved::default(),
        worker: String::new(),
        caller_ip: String::new(),
        host: String::new(),
    }
}
