//! The form of an archive: a folder with `manifest.json`, parts of compressed JSON lines, and the files.
//!
//! A part is there once it is in the manifest, which is replaced in one step.

mod part;
mod sum;

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Stage, TransferError, TransferResult};
use sum::Sum;

pub(crate) use part::{PartReader, PartWriter, digest};

const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Tells archives apart.
    pub id: String,
    /// The version of the server that wrote it.
    pub version: String,
    /// The id of the installation that it is of; `None`: it has none.
    pub server: Option<String>,
    pub parts: Vec<Part>,
    /// Where the export goes on; `None`: it is complete.
    pub(crate) next: Option<Position>,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path within the archive.
    pub name: String,
    pub stage: Stage,
    /// The collection of documents, the kind of events or samples.
    pub kind: String,
    /// Documents, events, samples or files in it.
    pub count: u64,
    /// SHA-256 of the file's bytes.
    pub sha256: String,
    /// The sum of the SHA-256 of all lines that count, modulo 2^256: it does not depend on their order, since stores
    /// may give equal things in any.
    pub content: String,
}

/// All content of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub stage: Stage,
    /// The collection of documents, the kind of events or samples.
    pub kind: String,
    pub count: u64,
    /// The sum of the SHA-256 of all lines, modulo 2^256.
    pub checksum: String,
}

/// Where an export goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) stage: Stage,
    /// Behind these steps of the stage.
    pub(crate) steps: usize,
    /// Behind this place in the step.
    pub(crate) after: Option<String>,
}

impl Manifest {
    /// How many things of a stage it has.
    pub fn count(&self, stage: Stage) -> u64 {
        self.parts.iter().filter(|part| part.stage == stage).map(|part| part.count).sum()
    }

    /// All content by stage and kind, however it is cut into parts and ordered: equal for equal stores.
    pub fn contents(&self) -> Vec<Content> {
        let mut kinds: Vec<(Stage, &str, u64, Sum)> = Vec::new();
        for part in &self.parts {
            let sum = Sum::from_hex(&part.content);
            match kinds.iter_mut().find(|kind| (kind.0, kind.1) == (part.stage, &part.kind)) {
                Some(kind) => {
                    kind.2 += part.count;
                    kind.3.add(&sum);
                }
                None => kinds.push((part.stage, &part.kind, part.count, sum)),
            }
        }
        kinds.sort_by_key(|kind| (kind.0, kind.1));
        let content = |(stage, kind, count, sum): (Stage, &str, u64, Sum)| Content {
            stage,
            kind: kind.to_owned(),
            count,
            checksum: sum.hex(),
        };
        kinds.into_iter().map(content).collect()
    }
}

/// A folder with an archive.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
    pub manifest: Manifest,
}

impl Archive {
    /// Opens the unfinished archive in a folder, or begins one in an empty or missing folder. Blocks.
    pub(crate) fn create(
        folder: &Path,
        id: &str,
        version: &str,
        server: Option<String>,
    ) -> TransferResult<Self> {
        if folder.join(MANIFEST).exists() {
            let archive = Self::open(folder)?;
            let whole = archive.manifest.next.is_none();
            if whole || archive.manifest.server != server {
                let folder = folder.display().to_string();
                return Err(if whole {
                    TransferError::Complete(folder)
                } else {
                    TransferError::OtherServer(folder)
                });
            }
            return Ok(archive);
        }
        // There are secrets in it.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| at(folder, error))?;
        if std::fs::read_dir(folder).map_err(|error| at(folder, error))?.next().is_some() {
            return Err(TransferError::NoArchive(folder.display().to_string()));
        }
        let manifest = Manifest {
            format: FORMAT,
            id: id.to_owned(),
            version: version.to_owned(),
            server,
            parts: Vec::new(),
            next: Some(Position { stage: Stage::Documents, steps: 0, after: None }),
        };
        let archive = Self { folder: folder.to_owned(), manifest };
        archive.save()?;
        Ok(archive)
    }

    /// Opens an archive. Blocks.
    pub fn open(folder: &Path) -> TransferResult<Self> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read(&path).map_err(|error| at(&path, error))?;
        let manifest: Option<Manifest> = serde_json::from_slice(&text).ok();
        match manifest.filter(|manifest| manifest.format == FORMAT) {
            Some(manifest) => Ok(Self { folder: folder.to_owned(), manifest }),
            None => Err(TransferError::NoArchive(folder.display().to_string())),
        }
    }

    /// The folder with the archive's files.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Begins a part. Blocks.
    pub(crate) fn write(&self, stage: Stage, kind: &str) -> TransferResult<PartWriter> {
        let name = format!("{kind}-{:06}.ndjson.gz", self.manifest.parts.len() + 1);
        PartWriter::create(&self.folder, name, stage, kind)
    }

    /// Reads a part, whose bytes are as they were written. Blocks.
    pub(crate) fn read(&self, part: &Part) -> TransferResult<PartReader> {
        PartReader::open(&self.folder, part)
    }

    /// Takes finished parts in, together with the place where the export goes on. Blocks.
    pub(crate) fn commit(&mut self, parts: Vec<Part>, next: Option<Position>) -> TransferResult<()> {
        self.manifest.parts.extend(parts);
        self.manifest.next = next;
        self.save()
    }

    fn save(&self) -> TransferResult<()> {
        let (path, new) = (self.folder.join(MANIFEST), self.folder.join("manifest.new"));
        let save = || {
            let mut file = File::create(&new)?;
            serde_json::to_writer_pretty(&mut file, &self.manifest)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        save().map_err(|error| at(&path, error))
    }
}

pub(crate) fn at(path: &Path, error: std::io::Error) -> TransferError {
    TransferError::Archive { path: path.display().to_string(), error }
}

/// Runs work with files where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> TransferResult<T> + Send + 'static,
) -> TransferResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(TransferError::Archive { path: "a worker".to_owned(), error: std::io::Error::other(error) })
    })
}
