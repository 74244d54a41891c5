//! The local directory passes the common suite, and is what it looks like on disk.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use bytes::Bytes;
use clearml_files::{
    FileError, FilePath, FileStore, LocalFiles,
    suite::{self, store},
};

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    suite::run(&LocalFiles::open(folder.path()).unwrap()).await;
}

#[tokio::test]
async fn files_lie_at_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::open(folder.path()).unwrap();
    store(&files, "a b/é%20#/x.bin", b"content").await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("a b/é%20#/x.bin")).unwrap(), b"content");
}

#[tokio::test]
async fn an_abandoned_upload_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::open(folder.path()).unwrap();
    let mut writer = files.create(&FilePath::parse("x").unwrap()).await.unwrap();
    writer.write(Bytes::from_static(b"third")).await.unwrap();
    drop(writer);
    drop(files);
    LocalFiles::open(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join(".clearml-uploads")).unwrap().count(), 0);
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
