//! Reading an object to its end, whatever the connection does.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use object_store::path::Path;

use super::{client::ObjectClient, error::file_error};
use crate::{ByteStream, FileError, FileResult};

/// Connections in a row that may break without a byte.
const MAX_FRUITLESS: u32 = 3;

/// A download, and what is left of it.
struct Download {
    client: Arc<ObjectClient>,
    key: Path,
    left: Range<u64>,
    /// The version of the object that is being read.
    tag: Option<String>,
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
    fruitless: u32,
}

/// The bytes of a range. What a broken connection still owes comes over a new one, as long as it is the same
/// version of the object.
pub(super) async fn read(client: Arc<ObjectClient>, key: Path, range: Range<u64>) -> FileResult<ByteStream> {
    if range.is_empty() {
        return Ok(stream::empty().boxed());
    }
    let result = client.get(&key, range.clone(), None).await.map_err(file_error)?;
    let tag = result.meta.e_tag.clone();
    let download = Download { client, key, left: range, tag, pieces: result.into_stream(), fruitless: 0 };
    let pieces = stream::try_unfold(download, |mut download| async move {
        let piece = download.next().await?;
        Ok(piece.map(|piece| (piece, download)))
    });
    Ok(pieces.boxed())
}

impl Download {
    async fn next(&mut self) -> FileResult<Option<Bytes>> {
        loop {
            if self.left.is_empty() {
                return Ok(None);
            }
            match self.pieces.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.left.start += piece.len() as u64;
                    self.fruitless = 0;
                    return Ok(Some(piece));
                }
                broken => {
                    let error = broken.and_then(Result::err).map(file_error);
                    self.resume(error).await?;
                }
            }
        }
    }

    async fn resume(&mut self, error: Option<FileError>) -> FileResult<()> {
        let error = error.unwrap_or_else(|| FileError::Io(std::io::ErrorKind::UnexpectedEof.into()));
        self.fruitless += 1;
        // Without a tag, the rest may be another version's.
        if self.fruitless > MAX_FRUITLESS || self.tag.is_none() {
            return Err(error);
        }
        tracing::debug!(key = %self.key, left = self.left.end - self.left.start, %error, "resuming a download");
        let result = self.client.get(&self.key, self.left.clone(), self.tag.clone()).await;
        self.pieces = result.map_err(file_error)?.into_stream();
        Ok(())
    }
}
