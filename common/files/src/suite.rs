//! What every implementation of [`FileStore`] has to do: the local directory and the object stores run the
//! same checks.
//!
//! The store is expected to be empty. A failed check panics, as a test does.

use std::{fmt::Debug, ops::Range};

use bytes::Bytes;
use futures::TryStreamExt;

use crate::{Entry, FileError, FilePath, FileResult, FileStore};

/// Names that mean something to URLs, XML, shells or percent-encoding, and mean nothing here.
const NAMES: [&str; 12] = [
    "plain.txt",
    "a b/ c /d",
    "a%20b",
    "a+b&c=d?e#f",
    "é/ü/日本語 🙂.bin",
    "..a/b../...",
    "q\"uo'te\\back",
    "<x>&amp;",
    "[a]{b}^`|~*",
    "a;b,c:d@e!$(f)",
    "project/task one.0123456789abcdef/artifacts/data set/file.csv.gz",
    "%2e%2e/%2F",
];

/// Runs all checks.
pub async fn run(files: &dyn FileStore) {
    names(files).await;
    listing(files).await;
    large_files(files).await;
    replacement(files).await;
    files_and_folders(files).await;
    reading_and_deleting(files, async |path: &str, content: Vec<u8>| ok(store(files, path, &content).await))
        .await;
}

/// Runs the checks of reading and deleting, with files that `put` brings there.
pub async fn reading_and_deleting(files: &dyn FileStore, put: impl AsyncFn(&str, Vec<u8>)) {
    ok(files.check().await);
    reads(files, &put).await;
    deletions(files, &put).await;
    folder_deletions(files, &put).await;
}

/// Writes a file in pieces of 700 kB.
pub async fn store(files: &dyn FileStore, path: &str, content: &[u8]) -> FileResult<()> {
    let mut writer = files.create(&at(path)).await?;
    for piece in content.chunks(700_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.finish().await
}

/// Reads a range of a file.
pub async fn load(files: &dyn FileStore, path: &str, range: Range<u64>) -> FileResult<Vec<u8>> {
    let pieces: Vec<Bytes> = files.read(&at(path), range).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// Content that differs everywhere.
pub fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// A listing has every file once, with its size.
async fn listing(files: &dyn FileStore) {
    let names = ["listed/a b/%20ä.txt", "listed/a b.txt", "listed/c/d/e"];
    for (size, name) in names.iter().enumerate() {
        ok(store(files, name, &content(size)).await);
    }
    let all: Vec<(FilePath, u64)> = ok(files.list().try_collect().await);
    let mut found: Vec<(&str, u64)> = all
        .iter()
        .map(|(path, size)| (path.as_str(), *size))
        .filter(|(path, _)| path.starts_with("listed/"))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(names[1], 1), (names[0], 0), (names[2], 2)]);
    ok(files.delete_folder(&at("listed")).await);
}

fn at(path: &str) -> FilePath {
    ok(FilePath::parse(path))
}

fn ok<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("failed: {error:?}"),
    }
}

async fn exists(files: &dyn FileStore, path: &str) -> bool {
    match files.entry(&at(path)).await {
        Ok(_) => true,
        Err(FileError::NotFound) => false,
        Err(error) => panic!("{path}: {error:?}"),
    }
}

fn is_not_found<T>(result: &FileResult<T>) -> bool {
    matches!(result, Err(FileError::NotFound))
}

async fn names(files: &dyn FileStore) {
    for name in NAMES {
        ok(store(files, name, name.as_bytes()).await);
    }
    for name in NAMES {
        let size = name.len() as u64;
        assert_eq!(ok(load(files, name, 0..size).await), name.as_bytes(), "{name}");
        assert!(matches!(ok(files.entry(&at(name)).await), Entry::File { size: found, .. } if found == size));
    }
    assert!(!exists(files, "a b/ c").await && !exists(files, "a b/c /d").await, "spaces count");
    let paths: Vec<FilePath> = NAMES.iter().map(|name| at(name)).collect();
    let (some, rest) = paths.split_at(6);
    files.delete_all(some).await.into_iter().for_each(ok);
    for path in rest {
        let (folder, is_folder) =
            path.as_str().split_once('/').map_or((path.as_str(), false), |(f, _)| (f, true));
        if is_folder {
            ok(files.delete_folder(&at(folder)).await);
        } else {
            ok(files.delete_file(path).await);
        }
    }
    for name in NAMES {
        assert!(!exists(files, name).await, "{name}");
    }
}

async fn large_files(files: &dyn FileStore) {
    let all = content(21_000_001);
    ok(store(files, "large/x.bin", &all).await);
    assert!(ok(load(files, "large/x.bin", 0..21_000_001).await) == all);
    assert!(ok(load(files, "large/x.bin", 8_388_607..16_777_217).await) == all[8_388_607..16_777_217]);
    ok(store(files, "large/empty", b"").await);
    assert!(matches!(ok(files.entry(&at("large/empty")).await), Entry::File { size: 0, .. }));
    // Not one byte of an upload that is given up shows.
    let mut writer = ok(files.create(&at("large/given-up")).await);
    for piece in all.chunks(700_000) {
        ok(writer.write(Bytes::copy_from_slice(piece)).await);
    }
    assert!(!exists(files, "large/given-up").await);
    drop(writer);
    assert!(!exists(files, "large/given-up").await);
    ok(files.delete_folder(&at("large")).await);
}

async fn replacement(files: &dyn FileStore) {
    ok(store(files, "replaced/x", b"first").await);
    let first = ok(files.entry(&at("replaced/x")).await);
    ok(store(files, "replaced/x", b"later").await);
    assert_ne!(ok(files.entry(&at("replaced/x")).await), first, "time or tag");
    let mut writer = ok(files.create(&at("replaced/x")).await);
    ok(writer.write(Bytes::from_static(b"third")).await);
    drop(writer);
    assert_eq!(ok(load(files, "replaced/x", 0..5).await), b"later");
    ok(files.delete_folder(&at("replaced")).await);
}

async fn files_and_folders(files: &dyn FileStore) {
    ok(store(files, "a/b", b"1").await);
    for path in ["a", "a/b/c", "a/b/c/d"] {
        assert!(matches!(store(files, path, b"2").await, Err(FileError::NotAFile)), "{path}");
    }
    assert!(matches!(store(files, "a", &content(9_000_000)).await, Err(FileError::NotAFile)), "in parts");
    assert_eq!(ok(load(files, "a/b", 0..1).await), b"1");
    ok(store(files, "ab", b"next to a folder").await);
    ok(files.delete_folder(&at("a")).await);
    assert!(exists(files, "ab").await);
    ok(files.delete_file(&at("ab")).await);
}

async fn reads(files: &dyn FileStore, put: &impl AsyncFn(&str, Vec<u8>)) {
    let all = content(3_000_001);
    put("read/a b/é%20#.bin", all.clone()).await;
    let path = "read/a b/é%20#.bin";
    for range in [0..3_000_001, 0..1, 524_287..2_000_003, 3_000_000..3_000_001, 5..5] {
        let expected = &all[range.start as usize..range.end as usize];
        assert!(ok(load(files, path, range.clone()).await) == expected, "{range:?}");
    }
    assert!(matches!(ok(files.entry(&at(path)).await), Entry::File { size: 3_000_001, .. }));
    for folder in ["read", "read/a b"] {
        assert_eq!(ok(files.entry(&at(folder)).await), Entry::Folder);
    }
    for missing in ["rea", "read/a", "read/a b/é #.bin", "read/nothing"] {
        assert!(!exists(files, missing).await, "{missing}");
        assert!(is_not_found(&load(files, missing, 0..1).await), "{missing}");
    }
    ok(files.delete_folder(&at("read")).await);
}

async fn deletions(files: &dyn FileStore, put: &impl AsyncFn(&str, Vec<u8>)) {
    for path in ["d/one", "d/two", "d/folder/x", "d/folder/y/z", "d/kept"] {
        put(path, b"content".to_vec()).await;
    }
    ok(files.delete_file(&at("d/one")).await);
    assert!(is_not_found(&files.delete_file(&at("d/one")).await));
    assert!(matches!(files.delete_file(&at("d/folder")).await, Err(FileError::NotAFile)));
    assert!(is_not_found(&files.delete_folder(&at("d/nothing")).await));
    let results = files.delete_all(&["d/two", "d/gone", "d/folder", "d/folde"].map(at)).await;
    assert_eq!(results.iter().map(is_not_found).collect::<Vec<_>>(), [false, true, false, true]);
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(!exists(files, "d/two").await && !exists(files, "d/folder/y/z").await);
    assert!(exists(files, "d/kept").await);
    ok(files.delete_file(&at("d/kept")).await);
    assert!(files.delete_all(&[]).await.is_empty());
}

async fn folder_deletions(files: &dyn FileStore, put: &impl AsyncFn(&str, Vec<u8>)) {
    for number in 0..300 {
        put(&format!("many/{}/ü {number}%", number % 7), vec![]).await;
    }
    put("many-kept", vec![]).await;
    ok(files.delete_folder(&at("many")).await);
    assert!(!exists(files, "many").await);
    for number in 0..7 {
        assert!(!exists(files, &format!("many/{number}")).await);
    }
    ok(files.delete_file(&at("many-kept")).await);
}
