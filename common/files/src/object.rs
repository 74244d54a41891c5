//! Files as objects of S3, Google Cloud Storage or Azure Blob Storage.
//!
//! A file's path, below a prefix, is the key of its object, letter for letter. Folders are what keys have in
//! common, so they come and go with their files. As in a directory, a name is a file or a folder, not both;
//! only two uploads at the same time can make it both.

mod access;
mod client;
mod download;
mod error;
mod upload;

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{Error, ObjectMeta, path::Path};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

pub use access::{AzureAccess, GoogleAccess, ObjectAccess, Provider, S3Access, S3Keys, Transport};
pub use client::{ConnectError, DeletionError, ObjectClient};
use error::file_error;
use upload::{ObjectWriter, UploadLimits};

use crate::{ByteStream, Entry, FileError, FilePath, FileResult, FileStore, FileWriter};

/// Requests of one call that run at the same time.
const PARALLEL_REQUESTS: usize = 32;

/// How long the end of a process waits for uploads that are taken back.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// What uploads may use.
#[derive(Debug, Clone, Copy)]
pub struct UploadSettings {
    /// Bytes of a part; at least 5 MiB for S3.
    pub part_size: usize,
    /// Parts of one upload that are being sent at the same time.
    pub parallel_parts: usize,
    /// Parts of all uploads together that are being sent at the same time.
    pub max_parts: usize,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { part_size: 8 << 20, parallel_parts: 4, max_parts: 8 }
    }
}

/// The files below a prefix of a bucket.
pub struct ObjectFiles {
    client: Arc<ObjectClient>,
    /// Without outer slashes; empty: the whole bucket.
    prefix: String,
    limits: Arc<UploadLimits>,
}

impl ObjectFiles {
    /// The files in a bucket below a prefix. Nothing is asked of the store yet: see [`FileStore::check`].
    pub async fn open(
        access: &ObjectAccess,
        prefix: &str,
        uploads: UploadSettings,
    ) -> Result<Self, ConnectError> {
        let max_in_flight = uploads.max_parts.max(1);
        let limits = UploadLimits {
            part_size: uploads.part_size.max(1),
            parallel_parts: uploads.parallel_parts.clamp(1, max_in_flight),
            in_flight: Arc::new(Semaphore::new(max_in_flight)),
            max_in_flight,
            aborts: TaskTracker::new(),
        };
        Ok(Self {
            client: Arc::new(ObjectClient::connect(access).await?),
            prefix: prefix.trim_matches('/').to_owned(),
            limits: Arc::new(limits),
        })
    }

    /// The key of a file; `None`: object stores take no such name.
    fn key(&self, path: &FilePath) -> Option<Path> {
        if self.prefix.is_empty() {
            return self.client.key(path.as_str());
        }
        self.client.key(&format!("{}/{path}", self.prefix))
    }

    fn existing_key(&self, path: &FilePath) -> FileResult<Path> {
        self.key(path).ok_or(FileError::NotFound)
    }

    /// Deletes the files among these; one result for each, in order. Folders are answered as what they are.
    async fn delete_files(&self, paths: &[FilePath]) -> Vec<FileResult<Entry>> {
        let lookups: Vec<_> = paths.iter().map(|path| self.entry(path)).collect();
        let mut entries: Vec<FileResult<Entry>> =
            stream::iter(lookups).buffered(PARALLEL_REQUESTS).collect().await;
        let files: Vec<usize> =
            (0..paths.len()).filter(|at| matches!(entries[*at], Ok(Entry::File { .. }))).collect();
        let keys: Vec<String> = files.iter().filter_map(|at| Some(self.key(&paths[*at])?.into())).collect();
        for (at, result) in files.into_iter().zip(self.client.delete(&keys).await) {
            if let Err(error) = result {
                entries[at] = Err(FileError::Io(std::io::Error::other(error)));
            }
        }
        entries
    }
}

#[async_trait]
impl FileStore for ObjectFiles {
    async fn create(&self, path: &FilePath) -> FileResult<Box<dyn FileWriter>> {
        let key = self.key(path).ok_or(FileError::UnsupportedName)?;
        let is_free = tokio::spawn(is_free(Arc::clone(&self.client), self.prefix.clone(), key.clone()));
        let (client, limits) = (Arc::clone(&self.client), Arc::clone(&self.limits));
        Ok(Box::new(ObjectWriter::new(client, key, limits, is_free)))
    }

    async fn entry(&self, path: &FilePath) -> FileResult<Entry> {
        let key = self.existing_key(path)?;
        match self.client.head(&key).await {
            Ok(object) => Ok(Entry::File {
                size: object.size,
                modified: SystemTime::from(object.last_modified),
                tag: object.e_tag.map(Into::into),
            }),
            Err(error) => match file_error(error) {
                FileError::NotFound if self.client.has_below(key.as_ref()).await.map_err(file_error)? => {
                    Ok(Entry::Folder)
                }
                error => Err(error),
            },
        }
    }

    async fn read(&self, path: &FilePath, range: Range<u64>) -> FileResult<ByteStream> {
        download::read(Arc::clone(&self.client), self.existing_key(path)?, range).await
    }

    async fn delete_file(&self, path: &FilePath) -> FileResult<()> {
        match self.delete_files(std::slice::from_ref(path)).await.pop() {
            Some(Ok(Entry::Folder)) => Err(FileError::NotAFile),
            Some(outcome) => outcome.map(drop),
            None => Err(FileError::NotFound),
        }
    }

    async fn delete_folder(&self, path: &FilePath) -> FileResult<()> {
        let found = self.client.delete_below(&self.existing_key(path)?).await.map_err(file_error)?;
        if found { Ok(()) } else { Err(FileError::NotFound) }
    }

    async fn delete_all(&self, paths: &[FilePath]) -> Vec<FileResult<()>> {
        let mut results = Vec::with_capacity(paths.len());
        for (path, outcome) in paths.iter().zip(self.delete_files(paths).await) {
            results.push(match outcome {
                Ok(Entry::Folder) => self.delete_folder(path).await,
                outcome => outcome.map(drop),
            });
        }
        results
    }

    fn list(&self) -> BoxStream<'static, FileResult<(FilePath, u64)>> {
        let below = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let objects = self.client.list(&self.prefix);
        let file = move |object: ObjectMeta| {
            let path = object.location.as_ref().strip_prefix(below.as_str())?;
            // The mark of an empty folder has no name, and other objects may have names that no file has.
            Some((FilePath::parse(path).ok()?, object.size))
        };
        objects.map_err(file_error).try_filter_map(move |object| std::future::ready(Ok(file(object)))).boxed()
    }

    async fn check(&self) -> FileResult<()> {
        self.client.has_below(&self.prefix).await.map(drop).map_err(file_error)
    }

    async fn close(&self) {
        self.limits.aborts.close();
        if tokio::time::timeout(CLOSE_TIMEOUT, self.limits.aborts.wait()).await.is_err() {
            tracing::warn!(uploads = self.limits.aborts.len(), "uploads given up are left in parts");
        }
    }
}

/// Whether a file may take this key: it is no folder, and no folder on the way is a file.
async fn is_free(client: Arc<ObjectClient>, prefix: String, key: Path) -> FileResult<()> {
    let name = key.as_ref();
    let folders = name.match_indices('/').map(|(at, _)| &name[..at]).filter(|at| at.len() > prefix.len());
    let folders: Vec<Path> = folders.filter_map(|folder| client.key(folder)).collect();
    let no_file_above = async {
        stream::iter(folders)
            .map(|folder| {
                let client = Arc::clone(&client);
                async move {
                    match client.head(&folder).await {
                        Ok(_) => Err(FileError::NotAFile),
                        Err(Error::NotFound { .. }) => Ok(()),
                        Err(error) => Err(file_error(error)),
                    }
                }
            })
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect::<()>()
            .await
    };
    let no_folder = async {
        match client.has_below(name).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(FileError::NotAFile),
            Err(error) => Err(file_error(error)),
        }
    };
    tokio::try_join!(no_file_above, no_folder).map(drop)
}
