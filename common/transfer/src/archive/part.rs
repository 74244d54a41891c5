//! Parts: compressed JSON lines.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{
    Part, at,
    sum::{Sum, hex},
};
use crate::{Stage, TransferError, TransferResult};

/// Bytes of lines that are read before they are handed on.
const CHUNK_BYTES: usize = 8 << 20;

/// The SHA-256 of what was hashed, as text.
pub(crate) fn digest(hasher: Sha256) -> String {
    hex(&hasher.finalize())
}

/// A part being written.
pub(crate) struct PartWriter {
    path: PathBuf,
    part: Part,
    file: GzEncoder<Hashing<File>>,
    sum: Sum,
}

impl PartWriter {
    /// Begins a part, in place of what an interrupted export has left of it. Blocks.
    pub(super) fn create(folder: &Path, name: String, stage: Stage, kind: &str) -> TransferResult<Self> {
        let path = folder.join(&name);
        let file = File::create(&path).map_err(|error| at(&path, error))?;
        let file = GzEncoder::new(Hashing { inner: file, hasher: Sha256::new() }, Compression::fast());
        let part = Part {
            name,
            stage,
            kind: kind.to_owned(),
            count: 0,
            sha256: String::new(),
            content: String::new(),
        };
        Ok(Self { path, part, file, sum: Sum::default() })
    }

    /// Appends lines that count. Blocks.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item = String>) -> TransferResult<()> {
        for line in lines {
            self.write(&line)?;
            self.part.count += 1;
            self.sum.add(&Sum::of(Sha256::digest(&line).into()));
        }
        Ok(())
    }

    /// Appends a line about those that follow. Blocks.
    pub(crate) fn heading(&mut self, line: &impl Serialize) -> TransferResult<()> {
        let line = serde_json::to_string(line).map_err(|error| at(&self.path, error.into()))?;
        self.write(&line)
    }

    fn write(&mut self, line: &str) -> TransferResult<()> {
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|error| at(&self.path, error))
    }

    pub(crate) fn count(&self) -> u64 {
        self.part.count
    }

    /// Makes the part durable; `None`: there is nothing in it, and no file is left. Blocks.
    pub(crate) fn finish(mut self) -> TransferResult<Option<Part>> {
        if self.part.count == 0 {
            drop(self.file);
            std::fs::remove_file(&self.path).map_err(|error| at(&self.path, error))?;
            return Ok(None);
        }
        let finish = || {
            let hashing = self.file.finish()?;
            hashing.inner.sync_all()?;
            Ok(digest(hashing.hasher))
        };
        self.part.sha256 = finish().map_err(|error| at(&self.path, error))?;
        self.part.content = self.sum.hex();
        Ok(Some(self.part))
    }
}

/// A part being read.
pub(crate) struct PartReader {
    name: String,
    lines: BufReader<MultiGzDecoder<File>>,
    line: u64,
}

impl PartReader {
    /// Opens a part after a check of all its bytes. Blocks.
    pub(super) fn open(folder: &Path, part: &Part) -> TransferResult<Self> {
        let path = folder.join(&part.name);
        let open = || {
            let mut file = File::open(&path)?;
            let mut hashing = Hashing { inner: std::io::sink(), hasher: Sha256::new() };
            std::io::copy(&mut file, &mut hashing)?;
            Ok((digest(hashing.hasher), File::open(&path)?))
        };
        let (sha256, file) = open().map_err(|error| at(&path, error))?;
        if sha256 != part.sha256 {
            return Err(TransferError::Damaged(part.name.clone()));
        }
        Ok(Self { name: part.name.clone(), lines: BufReader::new(MultiGzDecoder::new(file)), line: 0 })
    }

    /// The next line with its length; `None` at the end. Blocks.
    fn read<T: DeserializeOwned>(&mut self) -> TransferResult<Option<(T, usize)>> {
        let mut line = Vec::new();
        let length = self.lines.read_until(b'\n', &mut line).map_err(|error| self.wrong(&error))?;
        if length == 0 {
            return Ok(None);
        }
        self.line += 1;
        let value = serde_json::from_slice(&line).map_err(|error| self.wrong(&error))?;
        Ok(Some((value, length)))
    }

    /// The next line; `None` at the end. Blocks.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> TransferResult<Option<T>> {
        Ok(self.read()?.map(|(value, _)| value))
    }

    fn wrong(&self, reason: &impl ToString) -> TransferError {
        TransferError::Line { part: self.name.clone(), line: self.line, reason: reason.to_string() }
    }

    /// The lines that are left in chunks of at most so many, which are read and parsed ahead. An error of `parse` is
    /// the reason why the line is wrong.
    pub(crate) fn chunks<T: DeserializeOwned + 'static, U: Send + 'static>(
        mut self,
        lines: usize,
        parse: fn(T) -> Result<U, String>,
    ) -> mpsc::Receiver<TransferResult<Vec<U>>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            loop {
                let chunk = self.chunk(lines, parse);
                let (is_end, is_last) = (chunk.as_ref().is_ok_and(Vec::is_empty), chunk.is_err());
                // Nobody listens any more if the import has failed.
                if is_end || sender.blocking_send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        receiver
    }

    fn chunk<T: DeserializeOwned, U>(
        &mut self,
        lines: usize,
        parse: fn(T) -> Result<U, String>,
    ) -> TransferResult<Vec<U>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < lines && bytes < CHUNK_BYTES {
            let Some((value, length)) = self.read()? else { break };
            chunk.push(parse(value).map_err(|reason| self.wrong(&reason))?);
            bytes += length;
        }
        Ok(chunk)
    }
}

/// Passes bytes on and adds them to a checksum.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
