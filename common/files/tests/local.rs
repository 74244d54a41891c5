//! The rules of a file store, on the local directory.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use bytes::Bytes;
use clearml_files::{Entry, FileError, FilePath, FileStore, LocalFiles};
use futures::TryStreamExt;

async fn store(files: &LocalFiles, path: &str, content: &[u8]) -> Result<(), FileError> {
    let mut writer = files.create(&FilePath::parse(path).unwrap()).await?;
    for piece in content.chunks(700_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.finish().await
}

async fn load(files: &LocalFiles, path: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let stream = files.read(&FilePath::parse(path).unwrap(), range).await.unwrap();
    stream.try_collect::<Vec<_>>().await.unwrap().concat()
}

#[tokio::test]
async fn what_is_written_is_read_back_whole_and_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::open(folder.path()).unwrap();
    let content: Vec<u8> = (0..3_000_001_u32).map(|i| (i % 251) as u8).collect();
    store(&files, "a b/é%20#/x.bin", &content).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("a b/é%20#/x.bin")).unwrap(), content);
    assert_eq!(load(&files, "a b/é%20#/x.bin", 0..3_000_001).await, content);
    assert_eq!(load(&files, "a b/é%20#/x.bin", 524_287..2_000_003).await, &content[524_287..2_000_003]);
    assert_eq!(load(&files, "a b/é%20#/x.bin", 5..5).await, b"");
    let entry = files.entry(&FilePath::parse("a b/é%20#/x.bin").unwrap()).await.unwrap();
    assert!(matches!(entry, Entry::File { size: 3_000_001, .. }));
    assert_eq!(files.entry(&FilePath::parse("a b").unwrap()).await.unwrap(), Entry::Folder);
}

#[tokio::test]
async fn a_second_file_replaces_the_first_and_an_abandoned_one_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::open(folder.path()).unwrap();
    store(&files, "x", b"first").await.unwrap();
    store(&files, "x", b"second").await.unwrap();
    let mut writer = files.create(&FilePath::parse("x").unwrap()).await.unwrap();
    writer.write(Bytes::from_static(b"third")).await.unwrap();
    drop(writer);
    store(&files, "y", b"").await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("x")).unwrap(), b"second");
    assert_eq!(std::fs::read(folder.path().join("y")).unwrap(), b"");
    drop(files);
    LocalFiles::open(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join(".clearml-uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn folders_and_files_do_not_replace_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::open(folder.path()).unwrap();
    store(&files, "a/b", b"1").await.unwrap();
    assert!(matches!(store(&files, "a", b"2").await, Err(FileError::NotAFile)));
    assert!(matches!(store(&files, "a/b/c", b"2").await, Err(FileError::NotAFile)));
    assert!(matches!(files.delete_file(&FilePath::parse("a").unwrap()).await, Err(FileError::NotAFile)));
    assert!(matches!(files.delete_file(&FilePath::parse("a/z").unwrap()).await, Err(FileError::NotFound)));
    files.delete_folder(&FilePath::parse("a").unwrap()).await.unwrap();
    assert!(matches!(files.entry(&FilePath::parse("a/b").unwrap()).await, Err(FileError::NotFound)));
}

#[tokio::test]
async fn links_out_of_the_directory_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "s").unwrap();
    let files = LocalFiles::open(folder.path()).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let path = FilePath::parse("link/secret").unwrap();
    assert!(matches!(files.entry(&path).await, Err(FileError::NotFound)));
    assert!(matches!(files.read(&path, 0..1).await, Err(FileError::NotFound)));
    assert!(files.delete_file(&path).await.is_err());
    assert!(store(&files, "link/new", b"x").await.is_err());
    assert!(outside.path().join("secret").exists() && !outside.path().join("new").exists());
}
