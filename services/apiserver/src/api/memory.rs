//! A bound on the memory that all requests together take.
//!
//! A body takes its share while it arrives, and gives it back when the whole of it has been estimated and got a
//! share of the memory for work, which it keeps until the call is answered. How long a body arrives is up to
//! its client; how long a call works is not. So neither slow clients nor strangers nor large requests can take
//! the memory that ordinary calls need: each kind has a share of its own, and waits for it in turn.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{ApiError, ApiSettings, codes};

/// Bytes that are counted as one.
const UNIT: usize = 1 << 10;

/// Bodies up to this size are not counted while they arrive: the connection's own buffers are as large.
const UNCOUNTED: usize = 4 << 10;

/// Larger bodies have a share of their own while they arrive.
const SMALL_BODY: usize = 1 << 20;

/// Calls that take more have a share of their own while they work.
const SMALL_WORK: usize = 4 << 20;

/// What a call takes per byte of text: the text itself, its values, the document to store, the store's copy.
const PER_BYTE: usize = 4;

/// What a call takes per JSON value of an object: 200 bytes as a member of a document, with copies.
const PER_VALUE: usize = 800;

/// What a call takes per JSON value of a batch, whose lines are read one by one.
const PER_BATCH_VALUE: usize = 100;

/// The shares of `request.max_memory_size`.
#[derive(Debug)]
pub(crate) struct RequestMemory {
    open_bodies: Share,
    small_bodies: Share,
    large_bodies: Share,
    small_work: Share,
    large_work: Share,
    patience: Duration,
}

#[derive(Debug)]
struct Share {
    turns: Arc<Semaphore>,
    /// In [`UNIT`]s.
    size: u32,
}

/// Memory that is taken until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    _permits: Vec<OwnedSemaphorePermit>,
}

/// The memory of a body that arrives.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    memory: &'a RequestMemory,
    share: &'a Share,
    /// In [`UNIT`]s.
    held: u32,
    permits: Vec<OwnedSemaphorePermit>,
}

impl RequestMemory {
    pub(crate) fn new(settings: &ApiSettings) -> Self {
        let share = |part: usize, of: usize| {
            let units = (settings.max_memory / UNIT).saturating_mul(part) / of;
            let size = u32::try_from(units).unwrap_or(u32::MAX).clamp(1, Semaphore::MAX_PERMITS as u32);
            Share { turns: Arc::new(Semaphore::new(size as usize)), size }
        };
        Self {
            open_bodies: share(1, 24),
            small_bodies: share(1, 24),
            large_bodies: share(8, 24),
            small_work: share(4, 24),
            large_work: share(10, 24),
            patience: settings.memory_wait,
        }
    }

    /// Memory for a body of somebody unknown.
    pub(crate) fn open_body(&self) -> Arrival<'_> {
        Arrival { memory: self, share: &self.open_bodies, held: 0, permits: Vec::new() }
    }

    /// Memory for a body of this size, if it is known.
    pub(crate) fn body(&self, declared: Option<usize>) -> Arrival<'_> {
        let is_small = declared.is_some_and(|size| size <= SMALL_BODY);
        let share = if is_small { &self.small_bodies } else { &self.large_bodies };
        Arrival { memory: self, share, held: 0, permits: Vec::new() }
    }

    /// Takes memory for the work on a JSON object or form. Errors: 503/0 if there is none for too long.
    pub(crate) async fn for_object(&self, bytes: usize, values: usize) -> Result<Reserved, ApiError> {
        self.for_work(bytes * PER_BYTE + values * PER_VALUE).await
    }

    /// Takes memory for the work on a batch of which so many bytes and values are worked on at once.
    pub(crate) async fn for_batch(
        &self,
        whole: usize,
        bytes: usize,
        values: usize,
    ) -> Result<Reserved, ApiError> {
        self.for_work(whole + bytes * PER_BYTE + values * PER_BATCH_VALUE).await
    }

    async fn for_work(&self, bytes: usize) -> Result<Reserved, ApiError> {
        let share = if bytes <= SMALL_WORK { &self.small_work } else { &self.large_work };
        Ok(Reserved { _permits: vec![self.take(share, share.units(bytes)).await?] })
    }

    async fn take(&self, share: &Share, units: u32) -> Result<OwnedSemaphorePermit, ApiError> {
        let taken = Arc::clone(&share.turns).acquire_many_owned(units);
        if let Ok(Ok(permit)) = tokio::time::timeout(self.patience, taken).await {
            return Ok(permit);
        }
        tracing::warn!(kib = units, "no memory for a request in time");
        Err(ApiError::new(codes::OVERLOADED))
    }
}

impl Share {
    /// What exceeds the share has all of it.
    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.size)
    }
}

impl Arrival<'_> {
    /// Takes what a body of this size needs. Errors: 503/0 if there is no memory for too long.
    pub(crate) async fn grow(&mut self, size: usize) -> Result<(), ApiError> {
        if size <= UNCOUNTED {
            return Ok(());
        }
        let wanted = self.share.units(size);
        if wanted > self.held {
            self.permits.push(self.memory.take(self.share, wanted - self.held).await?);
            self.held = wanted;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> RequestMemory {
        RequestMemory::new(&ApiSettings {
            max_memory: 24 << 20,
            memory_wait: Duration::from_millis(1),
            ..ApiSettings::default()
        })
    }

    #[tokio::test]
    async fn what_exceeds_its_share_waits_until_it_is_given_back() {
        let memory = memory();
        let large = memory.for_object(20 << 20, 0).await.unwrap();
        assert_eq!(memory.for_object(2 << 20, 0).await.unwrap_err().code, codes::OVERLOADED);
        // Small calls are not in its way.
        drop(memory.for_object(1000, 10).await.unwrap());
        drop(large);
        memory.for_object(2 << 20, 0).await.unwrap();
    }

    #[tokio::test]
    async fn bodies_take_memory_as_they_grow() {
        let memory = memory();
        let mut first = memory.open_body();
        first.grow(700 << 10).await.unwrap();
        first.grow(600 << 10).await.unwrap();
        let mut second = memory.open_body();
        second.grow(300 << 10).await.unwrap();
        second.grow(324 << 10).await.unwrap();
        assert_eq!(second.grow(400 << 10).await.unwrap_err().code, codes::OVERLOADED);
        // Strangers are in nobody's way, and what is tiny waits for nobody.
        memory.body(Some(1 << 20)).grow(1 << 20).await.unwrap();
        memory.open_body().grow(4 << 10).await.unwrap();
        drop(first);
        second.grow(400 << 10).await.unwrap();
    }
}
