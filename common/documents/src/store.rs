//! The interface of a document store.

use async_trait::async_trait;
use bson::{Bson, Document};

use crate::{Collection, Filter, Find, GroupBy, Update};

/// Result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a store call failed. Nothing of a failed call is stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A unique index forbids the document; `key` holds the index's fields with the offending values.
    #[error("duplicate key in {collection}: {key:?}")]
    Duplicate { collection: &'static str, key: Vec<(String, Bson)> },
    /// The pattern of a [`Filter::Regex`] does not parse.
    #[error("{0}")]
    InvalidRegex(String),
    /// The store refuses a value, for example an empty key or a document that is too large.
    #[error("{0}")]
    InvalidValue(String),
    /// The collection has no text index.
    #[error("text index required for $text query")]
    NoTextIndex,
    /// The store can't be reached or its disk is full: worth another try.
    #[error("{0}")]
    Unavailable(String),
    /// Anything else.
    #[error("{0}")]
    Backend(String),
}

/// Largest document in bytes, as MongoDB bounds it.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// One write. A list of writes is applied in order in one transaction where the store has them.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Insert a document; it has its `_id`.
    Insert(Document),
    /// Insert, or replace the document with the same `_id`.
    Replace(Document),
    /// Update the first match (`many: false`) or all. With `upsert` and no match, insert a document made of
    /// the filter's equalities and the changes.
    Update { filter: Filter, update: Update, many: bool, upsert: bool },
    /// Delete all matches.
    Delete { filter: Filter },
}

/// What a list of writes did, all of them together: a store may learn no more than the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOutcome {
    /// Documents that fulfilled the filter.
    pub matched: u64,
    /// Documents that really changed (updates) or were inserted.
    pub modified: u64,
    /// Documents deleted.
    pub deleted: u64,
    /// An update or a replacement inserted a document.
    pub upserted: bool,
}

impl std::ops::AddAssign for WriteOutcome {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.modified += other.modified;
        self.deleted += other.deleted;
        self.upserted |= other.upserted;
    }
}

/// Which state of the document [`DocumentStore::find_and_update`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Before,
    After,
}

/// A store of documents. Every write is durable when its call returns, and visible to the next read.
#[async_trait]
pub trait DocumentStore: Send + Sync + 'static {
    /// Documents in order, paged and projected.
    async fn find(&self, collection: Collection, find: Find) -> StoreResult<Vec<Document>>;

    /// Number of documents that fulfil the filter.
    async fn count(
        &self,
        collection: Collection,
        filter: Filter,
        numeric_collation: bool,
    ) -> StoreResult<u64>;

    /// Distinct values of a path, array elements singly; missing and null left out; order unspecified.
    async fn distinct(&self, collection: Collection, path: &str, filter: Filter) -> StoreResult<Vec<Bson>>;

    /// Groups with computed values; order unspecified.
    async fn group(&self, collection: Collection, group: GroupBy) -> StoreResult<Vec<Document>>;

    /// Distinct leaves of a map field nested `depth` levels deep (spec 03 §2.10): for each distinct list of
    /// keys one document `{keys: [..], leaf: <the leaf of some document>}`.
    async fn map_keys(
        &self,
        collection: Collection,
        path: &str,
        depth: usize,
        filter: Filter,
    ) -> StoreResult<Vec<Document>>;

    /// Applies the writes in order; all or nothing where the store has transactions.
    async fn write(&self, collection: Collection, writes: Vec<Write>) -> StoreResult<WriteOutcome>;

    /// Atomically updates the first match and returns it.
    async fn find_and_update(
        &self,
        collection: Collection,
        filter: Filter,
        update: Update,
        returned: Returned,
    ) -> StoreResult<Option<Document>>;

    /// Whether the store answers: a cheap round trip for probes.
    async fn ping(&self) -> StoreResult<()>;
}

/// Shorthands over [`DocumentStore`].
#[async_trait]
pub trait DocumentStoreExt: DocumentStore {
    /// The first match, if any.
    async fn find_one(&self, collection: Collection, find: Find) -> StoreResult<Option<Document>> {
        Ok(self.find(collection, find.limit(1)).await?.into_iter().next())
    }

    /// Whether any document fulfils the filter.
    async fn any(&self, collection: Collection, filter: Filter) -> StoreResult<bool> {
        Ok(self.find_one(collection, Find::new(filter).include(["_id"])).await?.is_some())
    }

    /// Inserts one document.
    async fn insert(&self, collection: Collection, document: Document) -> StoreResult<()> {
        self.write(collection, vec![Write::Insert(document)]).await?;
        Ok(())
    }

    /// Updates the first match.
    async fn update_one(
        &self,
        collection: Collection,
        filter: Filter,
        update: Update,
    ) -> StoreResult<WriteOutcome> {
        let write = Write::Update { filter, update, many: false, upsert: false };
        self.write(collection, vec![write]).await
    }

    /// Updates all matches.
    async fn update_many(
        &self,
        collection: Collection,
        filter: Filter,
        update: Update,
    ) -> StoreResult<WriteOutcome> {
        let write = Write::Update { filter, update, many: true, upsert: false };
        self.write(collection, vec![write]).await
    }

    /// Deletes all matches; the number of deleted documents.
    async fn delete(&self, collection: Collection, filter: Filter) -> StoreResult<u64> {
        Ok(self.write(collection, vec![Write::Delete { filter }]).await?.deleted)
    }
}

impl<S: DocumentStore + ?Sized> DocumentStoreExt for S {}
