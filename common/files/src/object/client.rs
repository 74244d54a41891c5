//! A bucket as a flat set of keys.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    Error, GetOptions, GetRange, GetResult, MultipartUpload, ObjectMeta, ObjectStoreExt, PutPayload,
    list::PaginatedListOptions, path::Path,
};

use super::{ObjectAccess, access::Connected, error::reason};

/// Requests to delete that are under way at the same time.
const PARALLEL_DELETES: usize = 4;

/// A client of one bucket. Keys are what the store's own tools show: nothing is encoded or added.
pub struct ObjectClient {
    connected: Connected,
}

/// An object that was not deleted, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeletionError {
    /// It can never be: no key of this kind can be named.
    #[error("Invalid object name")]
    InvalidKey,
    /// The store's words.
    #[error("{0}")]
    Refused(String),
}

/// The client can't be made of these settings.
#[derive(Debug, thiserror::Error)]
#[error("{}", reason(.0))]
pub struct ConnectError(#[from] Error);

impl ObjectClient {
    /// Prepares a client. Errors: settings that make no sense, such as keys in a wrong form.
    pub async fn connect(access: &ObjectAccess) -> Result<Self, ConnectError> {
        Ok(Self { connected: access.connect().await? })
    }

    /// The object's name; `None`: no object can have it.
    pub(super) fn key(&self, text: &str) -> Option<Path> {
        let key = Path::parse(text).ok()?;
        // Outer slashes would be lost.
        (key.as_ref() == text && !text.is_empty() && text.len() <= self.connected.longest_key).then_some(key)
    }

    pub(super) async fn head(&self, key: &Path) -> object_store::Result<ObjectMeta> {
        self.connected.store.head(key).await
    }

    /// Whether the folder holds anything.
    pub(super) async fn has_below(&self, folder: &str) -> object_store::Result<bool> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
        let page = self.connected.pages.list_paginated(Some(&prefix), options).await?;
        Ok(!page.result.objects.is_empty() || !page.result.common_prefixes.is_empty())
    }

    pub(super) async fn put(&self, key: &Path, content: Vec<Bytes>) -> object_store::Result<()> {
        self.connected.store.put(key, PutPayload::from_iter(content)).await.map(drop)
    }

    pub(super) async fn put_multipart(&self, key: &Path) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.connected.store.put_multipart(key).await
    }

    /// Bytes of the object as it is, or of the version with this tag.
    pub(super) async fn get(
        &self,
        key: &Path,
        range: Range<u64>,
        tag: Option<String>,
    ) -> object_store::Result<GetResult> {
        let options =
            GetOptions { range: Some(GetRange::Bounded(range)), if_match: tag, ..GetOptions::default() };
        self.connected.store.get_opts(key, options).await
    }

    /// Deletes objects, with as few requests as the store allows. One result for each key, in order; an
    /// object that is gone already counts as deleted.
    pub async fn delete(&self, keys: &[String]) -> Vec<Result<(), DeletionError>> {
        let keys: Vec<Option<Path>> = keys.iter().map(|key| self.key(key)).collect();
        let known: Vec<Path> = keys.iter().flatten().cloned().collect();
        let chunks: Vec<Vec<Path>> =
            known.chunks(self.connected.deletes_per_request).map(<[Path]>::to_vec).collect();
        let mut results = stream::iter(chunks)
            .map(|chunk| self.delete_chunk(chunk))
            .buffered(PARALLEL_DELETES)
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .flatten();
        keys.iter()
            .map(|key| match key {
                None => Err(DeletionError::InvalidKey),
                Some(_) => results.next().unwrap_or(Ok(())),
            })
            .collect()
    }

    async fn delete_chunk(&self, chunk: Vec<Path>) -> Vec<Result<(), DeletionError>> {
        let size = chunk.len();
        let keys = stream::iter(chunk.into_iter().map(Ok)).boxed();
        let results: Vec<Result<(), DeletionError>> = self
            .connected
            .store
            .delete_stream(keys)
            .map(|result| match result {
                Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(DeletionError::Refused(reason(&error))),
            })
            .collect()
            .await;
        if results.len() == size {
            return results;
        }
        // The request as a whole failed.
        let outcome = results.into_iter().find(Result::is_err);
        let outcome = outcome.unwrap_or_else(|| Err(DeletionError::Refused("Not succeeded".to_owned())));
        vec![outcome; size]
    }

    /// All objects below a folder, page by page; empty: of the bucket.
    pub(super) fn list(&self, folder: &str) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let folder = self.key(folder).filter(|folder| !folder.as_ref().is_empty());
        self.connected.store.list(folder.as_ref())
    }

    /// Deletes all below a folder, page by page. Whether there was anything; errors: the first that is left.
    pub(super) async fn delete_below(&self, folder: &Path) -> object_store::Result<bool> {
        let inside = format!("{folder}/");
        let mut chunks = self
            .connected
            .store
            .list(Some(folder))
            .map_ok(|object| object.location)
            // The mark of an empty folder, `folder/`, is read as `folder`.
            .try_filter(|key| std::future::ready(key.as_ref().starts_with(&inside)))
            .try_chunks(self.connected.deletes_per_request)
            .map_err(|error| error.1)
            .map_ok(|chunk| self.delete_each(chunk))
            .try_buffered(PARALLEL_DELETES);
        let mut failure = None;
        let mut found = false;
        while let Some(outcome) = chunks.try_next().await? {
            found = true;
            failure = failure.or(outcome.err());
        }
        failure.map_or(Ok(found), Err)
    }

    async fn delete_each(&self, chunk: Vec<Path>) -> object_store::Result<object_store::Result<()>> {
        let keys: BoxStream<'static, _> = stream::iter(chunk.into_iter().map(Ok)).boxed();
        let mut results = self.connected.store.delete_stream(keys);
        let mut outcome = Ok(());
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        Ok(outcome)
    }
}
