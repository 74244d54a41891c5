//! Files in a local directory, at exactly their paths.

use std::{
    io::{ErrorKind, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cap_std::fs::{Dir, File};
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::task::JoinHandle;

use crate::{ByteStream, Entry, FileError, FilePath, FileResult, FileStore, FileWriter, path::UPLOADS};

/// Bytes read from disk at once.
const READ_SIZE: usize = 512 * 1024;
/// Files that a listing finds before they are asked for.
const LISTED_AHEAD: usize = 100;
/// Bytes gathered from the network before they are written at once.
const WRITE_SIZE: usize = 1024 * 1024;

/// A directory of files. Symbolic links that lead out of it are not followed.
pub struct LocalFiles {
    root: Arc<Dir>,
}

impl LocalFiles {
    /// Opens the directory, made if missing, and removes what interrupted uploads left in it.
    pub fn open(directory: &Path) -> FileResult<Self> {
        std::fs::create_dir_all(directory)?;
        let root = Dir::open_ambient_dir(directory, cap_std::ambient_authority())?;
        if root.exists(UPLOADS) {
            root.remove_dir_all(UPLOADS)?;
        }
        root.create_dir(UPLOADS)?;
        Ok(Self { root: Arc::new(root) })
    }

    /// Opens a directory to read from: nothing is made and nothing removed.
    pub fn open_to_read(directory: &Path) -> FileResult<Self> {
        let root = Dir::open_ambient_dir(directory, cap_std::ambient_authority())?;
        Ok(Self { root: Arc::new(root) })
    }

    /// Runs file system work where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Dir) -> FileResult<T> + Send + 'static,
    ) -> FileResult<T> {
        let root = Arc::clone(&self.root);
        run_blocking(move || work(&root)).await
    }
}

#[async_trait]
impl FileStore for LocalFiles {
    async fn create(&self, path: &FilePath) -> FileResult<Box<dyn FileWriter>> {
        let temporary = format!("{UPLOADS}/{}", uuid::Uuid::new_v4().simple());
        let upload = Upload { root: Arc::clone(&self.root), target: path.clone(), temporary };
        let (upload, file) = run_blocking(move || {
            let file = upload.root.create(&upload.temporary).map_err(file_error)?;
            Ok((upload, file))
        })
        .await?;
        let file = Some(Arc::new(file));
        Ok(Box::new(LocalWriter { upload, file, gathered: Vec::new(), gathered_size: 0, writing: None }))
    }

    async fn entry(&self, path: &FilePath) -> FileResult<Entry> {
        let path = path.clone();
        self.blocking(move |root| {
            let metadata = root.metadata(path.as_str()).map_err(file_error)?;
            if metadata.is_dir() {
                return Ok(Entry::Folder);
            }
            if !metadata.is_file() {
                return Err(FileError::NotAFile);
            }
            let modified =
                metadata.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
            Ok(Entry::File { size: metadata.len(), modified, tag: None })
        })
        .await
    }

    async fn read(&self, path: &FilePath, range: Range<u64>) -> FileResult<ByteStream> {
        let path = path.clone();
        let file = self.blocking(move |root| root.open(path.as_str()).map_err(file_error)).await?;
        let file = Arc::new(file.into_std());
        // One piece is read ahead while the one before it is being sent.
        let first = read_ahead(&file, range);
        let stream = futures::stream::unfold(first, move |ahead| {
            let file = Arc::clone(&file);
            async move {
                let (piece, left) = match ahead?.await {
                    Ok(Ok(read)) => read,
                    Ok(Err(error)) => return Some((Err(error), None)),
                    Err(error) => return Some((Err(FileError::Io(std::io::Error::other(error))), None)),
                };
                Some((Ok(piece), read_ahead(&file, left)))
            }
        });
        Ok(stream.boxed())
    }

    async fn delete_file(&self, path: &FilePath) -> FileResult<()> {
        let path = path.clone();
        self.blocking(move |root| {
            if root.metadata(path.as_str()).map_err(file_error)?.is_dir() {
                return Err(FileError::NotAFile);
            }
            root.remove_file(path.as_str()).map_err(file_error)
        })
        .await
    }

    async fn delete_folder(&self, path: &FilePath) -> FileResult<()> {
        let path = path.clone();
        self.blocking(move |root| root.remove_dir_all(path.as_str()).map_err(file_error)).await
    }

    fn list(&self) -> BoxStream<'static, FileResult<(FilePath, u64)>> {
        let root = Arc::clone(&self.root);
        let (found, files) = tokio::sync::mpsc::channel(LISTED_AHEAD);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = walk(&root, |file| found.blocking_send(Ok(file)).is_ok()) {
                // Nobody listens any more: nobody has to know.
                drop(found.blocking_send(Err(error)));
            }
        });
        stream::unfold(files, async |mut files| Some((files.recv().await?, files))).boxed()
    }

    async fn check(&self) -> FileResult<()> {
        self.blocking(|root| Ok(root.dir_metadata().map(drop)?)).await
    }
}

/// Writes gathered pieces on a blocking thread while the next ones arrive. No thread waits for the network,
/// so slow clients cost none.
struct LocalWriter {
    upload: Upload,
    /// `None` once the file is in its place.
    file: Option<Arc<File>>,
    gathered: Vec<Bytes>,
    gathered_size: usize,
    writing: Option<JoinHandle<FileResult<()>>>,
}

impl LocalWriter {
    async fn write_gathered(&mut self) -> FileResult<()> {
        self.wait_for_disk().await?;
        let Some(file) = self.file.clone() else {
            return Err(FileError::Io(ErrorKind::BrokenPipe.into()));
        };
        let pieces = std::mem::take(&mut self.gathered);
        self.gathered_size = 0;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let mut file = &*file;
            pieces.iter().try_for_each(|piece| file.write_all(piece)).map_err(file_error)
        }));
        Ok(())
    }

    async fn wait_for_disk(&mut self) -> FileResult<()> {
        match self.writing.take() {
            Some(writing) => writing.await.map_err(std::io::Error::other)?,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl FileWriter for LocalWriter {
    async fn write(&mut self, content: Bytes) -> FileResult<()> {
        self.gathered_size += content.len();
        self.gathered.push(content);
        if self.gathered_size < WRITE_SIZE {
            return Ok(());
        }
        self.write_gathered().await
    }

    async fn finish(mut self: Box<Self>) -> FileResult<()> {
        self.write_gathered().await?;
        self.wait_for_disk().await?;
        let Some(file) = self.file.clone() else {
            return Err(FileError::Io(ErrorKind::BrokenPipe.into()));
        };
        let upload = self.upload.clone();
        run_blocking(move || {
            file.sync_all().map_err(file_error)?;
            upload.publish()
        })
        .await?;
        self.file = None;
        Ok(())
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        if self.file.is_none() {
            return;
        }
        // Given up: at the latest the next start removes what can't be removed now.
        let upload = self.upload.clone();
        let remove = move || drop(upload.root.remove_file(&upload.temporary));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Where an upload's content is gathered, and where it goes.
#[derive(Clone)]
struct Upload {
    root: Arc<Dir>,
    target: FilePath,
    temporary: String,
}

impl Upload {
    /// Moves the finished file to its place and makes the move durable.
    fn publish(&self) -> FileResult<()> {
        let target = self.target.as_str();
        let folder = target.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() {
            self.create_folders(folder)?;
        }
        self.root.rename(&self.temporary, &self.root, target).map_err(|error| match error.kind() {
            ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty => FileError::NotAFile,
            _ => file_error(error),
        })?;
        self.sync_folder(folder)
    }

    /// Makes the missing folders of a path, each made durable in its parent.
    fn create_folders(&self, folder: &str) -> FileResult<()> {
        let mut parent = "";
        let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
        for end in ends {
            let path = &folder[..end];
            match self.root.create_dir(path) {
                Ok(()) => self.sync_folder(parent)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(file_error(error)),
            }
            parent = path;
        }
        if self.root.metadata(folder).map_err(file_error)?.is_dir() {
            return Ok(());
        }
        Err(FileError::NotAFile)
    }

    fn sync_folder(&self, folder: &str) -> FileResult<()> {
        let folder = if folder.is_empty() { "." } else { folder };
        self.root.open(folder).and_then(|folder| folder.sync_all()).map_err(file_error)
    }
}

/// A piece being read, and the range that is left after it.
type ReadAhead = JoinHandle<FileResult<(Bytes, Range<u64>)>>;

/// Starts to read the next piece of a range; `None` at its end.
fn read_ahead(file: &Arc<std::fs::File>, range: Range<u64>) -> Option<ReadAhead> {
    if range.is_empty() {
        return None;
    }
    let file = Arc::clone(file);
    Some(tokio::task::spawn_blocking(move || {
        let size = usize::try_from(range.end - range.start).map_or(READ_SIZE, |left| left.min(READ_SIZE));
        let mut piece = BytesMut::zeroed(size);
        let read = file.read_at(&mut piece, range.start)?;
        if read == 0 {
            return Err(FileError::Io(ErrorKind::UnexpectedEof.into()));
        }
        piece.truncate(read);
        Ok((piece.freeze(), range.start + read as u64..range.end))
    }))
}

/// Tells of each file below the root, until `tell` has enough.
fn walk(root: &Dir, mut tell: impl FnMut((FilePath, u64)) -> bool) -> FileResult<()> {
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = root.read_dir(if folder.is_empty() { "." } else { &folder })?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // Names that are no text came from elsewhere: no client can ask for them.
            let Some(name) = name.to_str() else { continue };
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() {
                if path != UPLOADS {
                    folders.push(path);
                }
                continue;
            }
            let Ok(file) = FilePath::parse(&path) else { continue };
            if !tell((file, entry.metadata()?.len())) {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> FileResult<T> + Send + 'static,
) -> FileResult<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(FileError::Io(std::io::Error::other(error))))
}

fn file_error(error: std::io::Error) -> FileError {
    match error.kind() {
        // Permission denied: a link that leads out of the root.
        ErrorKind::NotFound | ErrorKind::PermissionDenied => FileError::NotFound,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => FileError::NotAFile,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileError::NoSpace,
        _ => FileError::Io(error),
    }
}
