//! Documents in MongoDB: the databases and collections of ClearML server 2.x as they are.
//!
//! Filters, updates, orders and groups become one command each; nothing is filtered or sorted here. Where
//! several writes go together, they are one transaction on a replica set, and an ordered batch on a single
//! server, which has no transactions. What is acknowledged is on a majority of the members, in their journals.

mod connection;
mod error;
mod expression;
mod filter;
mod group;
mod indexes;
mod path;
mod pipeline;
mod read;
mod settings;
mod update;
mod write;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;

pub use self::settings::MongoSettings;
use self::{
    connection::Connection,
    error::{mongo_error, mongo_error_in},
    read::Query,
};
use crate::{
    Collection, DocumentStore, Filter, Find, GroupBy, Returned, StoreError, StoreResult, Update, Write,
    WriteOutcome,
};

/// A document store in MongoDB. Clones share its connections.
#[derive(Debug, Clone)]
pub struct MongoStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    limits: Limits,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    operation_timeout: Duration,
}

impl MongoStore {
    /// Makes a store that connects when it is first used, and again whenever it has to: a MongoDB that is
    /// down at this time does no harm.
    ///
    /// Errors: [`StoreError::Unavailable`] when the names of `mongodb+srv` hosts can't be looked up,
    /// [`StoreError::Backend`] when an address is malformed.
    pub async fn connect(settings: MongoSettings) -> StoreResult<Self> {
        let connection = Connection::open(&settings).await?;
        let limits = Limits { operation_timeout: settings.operation_timeout };
        Ok(Self { shared: Arc::new(Shared { connection, limits }) })
    }

    /// Makes the indexes that an official server has and that are missing; to be called once at start. Any
    /// number of processes may do so at once. On much data it takes long, so no time-out bounds it. What the
    /// server refuses is logged and left out.
    ///
    /// Errors: [`StoreError::Unavailable`] when MongoDB can't be reached.
    pub async fn ensure_indexes(&self) -> StoreResult<()> {
        let mut refused = Vec::new();
        for collection in Collection::ALL {
            refused.extend(indexes::ensure(self.shared.connection.database(collection), collection).await?);
        }
        if !refused.is_empty() {
            tracing::warn!(
                ?refused,
                "MongoDB refuses indexes, what needs them is slow or, as text search, fails"
            );
        }
        Ok(())
    }

    fn documents(&self, collection: Collection) -> mongodb::Collection<Document> {
        self.shared.connection.database(collection).collection(collection.name())
    }

    /// Runs an operation to its end whatever becomes of the caller, who waits no longer than the time-out: the
    /// driver's futures must not be dropped half-way.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl Future<Output = StoreResult<T>> + Send + 'static,
    ) -> StoreResult<T> {
        let limit = self.shared.limits.operation_timeout;
        match tokio::time::timeout(limit, tokio::spawn(operation)).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(StoreError::Backend(format!("an operation was broken off: {error}"))),
            Err(_) => Err(StoreError::Unavailable(format!("MongoDB did not answer within {limit:?}"))),
        }
    }

    async fn aggregate(&self, collection: Collection, pipeline: Vec<Document>) -> StoreResult<Vec<Document>> {
        self.run(read::aggregate(self.documents(collection), pipeline, self.shared.limits)).await
    }
}

#[async_trait]
impl DocumentStore for MongoStore {
    async fn find(&self, collection: Collection, find: Find) -> StoreResult<Vec<Document>> {
        let query = Query::new(&find, self.shared.limits)?;
        self.run(query.run(self.documents(collection))).await
    }

    async fn count(
        &self,
        collection: Collection,
        filter: Filter,
        numeric_collation: bool,
    ) -> StoreResult<u64> {
        let filter = filter::condition(&filter)?;
        let documents = self.documents(collection);
        let limit = self.shared.limits.operation_timeout;
        self.run(async move {
            let mut count = documents.count_documents(filter).max_time(limit);
            if numeric_collation {
                count = count.collation(read::collation());
            }
            count.await.map_err(mongo_error)
        })
        .await
    }

    async fn distinct(&self, collection: Collection, path: &str, filter: Filter) -> StoreResult<Vec<Bson>> {
        path::check_name(path)?;
        let filter = filter::condition(&filter)?;
        let documents = self.documents(collection);
        let limit = self.shared.limits.operation_timeout;
        let path = path.to_owned();
        self.run(async move {
            let mut values = documents.distinct(path, filter).max_time(limit).await.map_err(mongo_error)?;
            values.retain(|value| *value != Bson::Null);
            Ok(values)
        })
        .await
    }

    async fn group(&self, collection: Collection, group: GroupBy) -> StoreResult<Vec<Document>> {
        let found = self.aggregate(collection, group::pipeline(&group)?).await?;
        Ok(group::named(&group, found))
    }

    async fn map_keys(
        &self,
        collection: Collection,
        path: &str,
        depth: usize,
        filter: Filter,
    ) -> StoreResult<Vec<Document>> {
        let found = self.aggregate(collection, read::map_keys(path, depth, &filter)?).await?;
        Ok(read::leaves(found))
    }

    async fn write(&self, collection: Collection, mut writes: Vec<Write>) -> StoreResult<WriteOutcome> {
        if writes.len() > 1 {
            let connection = self.shared.connection.clone();
            return self.run(async move { write::many(&connection, collection, writes).await }).await;
        }
        match writes.pop() {
            Some(write) => self.run(write::one(self.documents(collection), collection, write)).await,
            None => Ok(WriteOutcome::default()),
        }
    }

    async fn find_and_update(
        &self,
        collection: Collection,
        filter: Filter,
        update: Update,
        returned: Returned,
    ) -> StoreResult<Option<Document>> {
        let (filter, update) = (filter::condition(&filter)?, update::compile(&update, false)?);
        let documents = self.documents(collection);
        let limit = self.shared.limits.operation_timeout;
        let state = match returned {
            Returned::Before => ReturnDocument::Before,
            Returned::After => ReturnDocument::After,
        };
        self.run(async move {
            let action = documents.find_one_and_update(filter, update).return_document(state).max_time(limit);
            action.await.map_err(|error| mongo_error_in(collection.name(), &error))
        })
        .await
    }

    async fn ping(&self) -> StoreResult<()> {
        for database in self.shared.connection.servers() {
            self.run(async move { database.run_command(doc! {"ping": 1}).await.map_err(mongo_error) })
                .await?;
        }
        Ok(())
    }
}
