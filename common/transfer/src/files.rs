//! Files: a list in parts, and the files themselves beside it.

use std::{collections::HashSet, sync::Arc};

use clearml_files::{ByteStream, Entry, FileError, FilePath, FileStore, LocalFiles};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Stage, TransferError, TransferResult,
    archive::{PartReader, blocking, digest},
    export::Exporter,
    import::Importer,
};

const KIND: &str = "files";
/// Files copied at the same time.
const PARALLEL: usize = 4;
/// Files of a part.
const PART: usize = 500;

/// A line of a part.
#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    size: u64,
    sha256: String,
}

/// Copies all files.
pub(crate) async fn export(exporter: &mut Exporter<'_>) -> TransferResult<()> {
    if exporter.enter(Stage::Files, 0).is_none() {
        return Ok(());
    }
    exporter.begin(Stage::Files, None);
    let known = known(exporter).await?;
    let folder = exporter.archive.files();
    let copies = blocking(move || Ok(LocalFiles::open(&folder)?)).await?;
    let source = Arc::clone(&exporter.stores.files);
    let files = source.list().try_filter(|(path, _)| std::future::ready(!known.contains(path.as_str())));
    let mut chunks = files.try_chunks(PART);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| error.1)?;
        let mut copying = stream::iter(chunk)
            .map(|(path, _)| archived(source.as_ref(), &copies, path))
            .buffer_unordered(PARALLEL);
        let mut lines = Vec::new();
        while let Some(line) = copying.try_next().await? {
            lines.extend(line);
            exporter.advance(Stage::Files, 1, 0);
        }
        let mut writer = exporter.write(Stage::Files, KIND).await?;
        writer = blocking(move || {
            writer.lines(lines)?;
            Ok(writer)
        })
        .await?;
        exporter.commit(Stage::Files, 0, vec![writer], Some(String::new())).await?;
    }
    Ok(())
}

/// Files that are in the archive already: none, unless the export was interrupted while it copied files.
async fn known(exporter: &Exporter<'_>) -> TransferResult<HashSet<String>> {
    let archive = exporter.archive.clone();
    blocking(move || {
        let mut known = HashSet::new();
        for part in archive.manifest.parts.iter().filter(|part| part.stage == Stage::Files) {
            let mut reader = archive.read(part)?;
            while let Some(line) = reader.next::<Line>()? {
                known.insert(line.path);
            }
        }
        Ok(known)
    })
    .await
}

/// Copies a file into the archive; its line, or `None` if it is gone.
async fn archived(
    from: &dyn FileStore,
    to: &dyn FileStore,
    path: FilePath,
) -> TransferResult<Option<String>> {
    let failed = |error| TransferError::File { path: path.as_str().to_owned(), error };
    let Some((size, content)) = read(from, &path).await.map_err(failed)? else { return Ok(None) };
    let copied = async {
        let mut writer = to.create(&path).await?;
        let (mut content, mut hasher) = (content, Sha256::new());
        while let Some(piece) = content.try_next().await? {
            hasher.update(&piece);
            writer.write(piece).await?;
        }
        writer.finish().await?;
        Ok(digest(hasher))
    };
    let sha256 = copied.await.map_err(failed)?;
    let line = serde_json::to_string(&Line { path: path.as_str().to_owned(), size, sha256 });
    line.map(Some).map_err(|error| failed(FileError::Io(error.into())))
}

/// Size and content of a file; `None`: there is none.
async fn read(store: &dyn FileStore, path: &FilePath) -> Result<Option<(u64, ByteStream)>, FileError> {
    let size = match store.entry(path).await {
        Ok(Entry::File { size, .. }) => size,
        Ok(Entry::Folder) | Err(FileError::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    if size == 0 {
        return Ok(Some((0, stream::empty().boxed())));
    }
    match store.read(path, 0..size).await {
        Ok(content) => Ok(Some((size, content))),
        Err(FileError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Brings the files of a part into the store.
pub(crate) async fn import(importer: &mut Importer<'_>, reader: PartReader) -> TransferResult<()> {
    let folder = importer.archive.files();
    let copies = blocking(move || {
        LocalFiles::open_to_read(&folder)
            .map_err(|error| TransferError::File { path: folder.display().to_string(), error })
    })
    .await?;
    let target = Arc::clone(&importer.stores.files);
    let mut chunks = reader.chunks::<Line, Line>(PART, Ok);
    while let Some(chunk) = chunks.recv().await {
        let mut copying = stream::iter(chunk?)
            .map(|line| restored(&copies, target.as_ref(), line))
            .buffer_unordered(PARALLEL);
        while let Some(()) = copying.try_next().await? {
            importer.advance(1);
        }
    }
    Ok(())
}

/// Brings a file into the store, unless it is there already.
async fn restored(from: &dyn FileStore, to: &dyn FileStore, line: Line) -> TransferResult<()> {
    let failed = |error| TransferError::File { path: line.path.clone(), error };
    let damaged = || TransferError::Damaged(format!("{KIND}/{}", line.path));
    let path = FilePath::parse(&line.path).map_err(|_| damaged())?;
    if let Some((_, mut content)) = read(to, &path).await.map_err(failed)? {
        let mut hasher = Sha256::new();
        while let Some(piece) = content.try_next().await.map_err(failed)? {
            hasher.update(&piece);
        }
        let is_same = digest(hasher) == line.sha256;
        return if is_same { Ok(()) } else { Err(TransferError::FileExists(line.path)) };
    }
    let (_, mut content) = read(from, &path).await.map_err(failed)?.ok_or_else(damaged)?;
    let mut writer = to.create(&path).await.map_err(failed)?;
    let mut hasher = Sha256::new();
    while let Some(piece) = content.try_next().await.map_err(failed)? {
        hasher.update(&piece);
        writer.write(piece).await.map_err(failed)?;
    }
    if digest(hasher) != line.sha256 {
        return Err(damaged());
    }
    writer.finish().await.map_err(failed)
}
