//! Writing an object in parts.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{MultipartUpload, PutPayload, path::Path};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};
use tokio_util::task::TaskTracker;

use super::{client::ObjectClient, error::file_error};
use crate::{FileError, FileResult, FileWriter};

/// Most parts of an upload; S3's limit.
const MAX_PARTS: usize = 10_000;
/// After so many parts they double in size, so that the greatest files fit.
const PARTS_PER_SIZE: usize = 2000;

/// How long parts under way may take to end before their upload is taken back.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);

/// What uploads may use.
pub(super) struct UploadLimits {
    /// Bytes of a part.
    pub(super) part_size: usize,
    /// Parts of one upload that are being sent at the same time.
    pub(super) parallel_parts: usize,
    /// Parts of all uploads: one permit for each `part_size` in flight.
    pub(super) in_flight: Arc<Semaphore>,
    pub(super) max_in_flight: usize,
    /// Uploads that are being taken back.
    pub(super) aborts: TaskTracker,
}

/// A file being written. A small one goes up with one request at the end; of a greater one, parts go up while
/// the next ones arrive.
pub(super) struct ObjectWriter {
    client: Arc<ObjectClient>,
    key: Path,
    limits: Arc<UploadLimits>,
    /// Whether the name is free to take; looked up while the content arrives.
    is_free: Option<JoinHandle<FileResult<()>>>,
    gathered: VecDeque<Bytes>,
    gathered_size: usize,
    multipart: Option<Multipart>,
}

struct Multipart {
    upload: Box<dyn MultipartUpload>,
    sending: JoinSet<object_store::Result<()>>,
    parts: usize,
}

impl ObjectWriter {
    pub(super) fn new(
        client: Arc<ObjectClient>,
        key: Path,
        limits: Arc<UploadLimits>,
        is_free: JoinHandle<FileResult<()>>,
    ) -> Self {
        Self {
            client,
            key,
            limits,
            is_free: Some(is_free),
            gathered: VecDeque::new(),
            gathered_size: 0,
            multipart: None,
        }
    }

    async fn check_name(&mut self) -> FileResult<()> {
        match self.is_free.take() {
            Some(check) => check.await.map_err(std::io::Error::other)?,
            None => Ok(()),
        }
    }

    /// Bytes of the next part.
    fn part_size(&self) -> usize {
        let parts = self.multipart.as_ref().map_or(0, |multipart| multipart.parts);
        self.limits.part_size.saturating_mul(1 << (parts / PARTS_PER_SIZE).min(5))
    }

    /// Takes exactly so many gathered bytes: some stores want parts of one size.
    fn take(&mut self, size: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut missing = size;
        while missing > 0 {
            let Some(mut piece) = self.gathered.pop_front() else { break };
            if piece.len() > missing {
                let rest = piece.split_off(missing);
                self.gathered.push_front(rest);
            }
            missing -= piece.len();
            taken.push(piece);
        }
        self.gathered_size -= size - missing;
        taken
    }

    /// Starts to send a part, once there is room for one more.
    async fn send_part(&mut self, size: usize) -> FileResult<()> {
        self.check_name().await?;
        let multipart = if let Some(multipart) = &mut self.multipart {
            multipart
        } else {
            let upload = self.client.put_multipart(&self.key).await.map_err(file_error)?;
            self.multipart.insert(Multipart { upload, sending: JoinSet::new(), parts: 0 })
        };
        if multipart.parts == MAX_PARTS {
            return Err(FileError::Io(std::io::ErrorKind::FileTooLarge.into()));
        }
        let weight = (size / self.limits.part_size).clamp(1, self.limits.max_in_flight);
        let allowed = (self.limits.parallel_parts / weight).max(1);
        while multipart.sending.len() >= allowed {
            multipart.wait_for_one().await?;
        }
        let in_flight = Arc::clone(&self.limits.in_flight);
        let permits = in_flight.acquire_many_owned(weight as u32).await.map_err(std::io::Error::other)?;
        let content = PutPayload::from_iter(self.take(size));
        if let Some(multipart) = &mut self.multipart {
            let part = multipart.upload.put_part(content);
            multipart.parts += 1;
            multipart.sending.spawn(async move {
                let outcome = part.await;
                drop(permits);
                outcome
            });
        }
        Ok(())
    }

    async fn complete(&mut self) -> FileResult<()> {
        if self.multipart.is_none() {
            self.check_name().await?;
            let content = self.take(self.gathered_size);
            return self.client.put(&self.key, content).await.map_err(file_error);
        }
        if self.gathered_size > 0 {
            self.send_part(self.gathered_size).await?;
        }
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        while !multipart.sending.is_empty() {
            multipart.wait_for_one().await?;
        }
        multipart.upload.complete().await.map_err(file_error)?;
        self.multipart = None;
        Ok(())
    }
}

impl Multipart {
    async fn wait_for_one(&mut self) -> FileResult<()> {
        match self.sending.join_next().await {
            Some(outcome) => outcome.map_err(std::io::Error::other)?.map_err(file_error),
            None => Ok(()),
        }
    }

    /// Takes back what was sent. Parts under way end first: one that the store is still taking in may outlive
    /// the upload that it belongs to.
    async fn abort(mut self) {
        let ended = async { while self.sending.join_next().await.is_some() {} };
        if tokio::time::timeout(ABORT_PATIENCE, ended).await.is_err() {
            self.sending.shutdown().await;
        }
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(%error, "failed to abort an upload in parts");
        }
    }
}

#[async_trait]
impl FileWriter for ObjectWriter {
    async fn write(&mut self, content: Bytes) -> FileResult<()> {
        self.gathered_size += content.len();
        self.gathered.push_back(content);
        while self.gathered_size >= self.part_size() {
            self.send_part(self.part_size()).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> FileResult<()> {
        let outcome = self.complete().await;
        if let Some(multipart) = self.multipart.take() {
            multipart.abort().await;
        }
        outcome
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(check) = self.is_free.take() {
            check.abort();
        }
        // Given up before its end.
        if let Some(multipart) = self.multipart.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            self.limits.aborts.spawn_on(multipart.abort(), &runtime);
        }
    }
}
