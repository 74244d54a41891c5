//! The object stores pass the common suite. Each test needs a server, told by `CLEARML_S3_ENDPOINT`,
//! `CLEARML_AZURE_ENDPOINT` and `CLEARML_GCS_ENDPOINT`.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod backends;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use backends::{azure, google, google_put, s3, skipped};
use bytes::Bytes;
use clearml_files::{
    FileError, FilePath, FileStore, ObjectFiles,
    object::{ObjectAccess, ObjectClient, Provider, UploadSettings},
    suite,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn open(access: &ObjectAccess, prefix: &str) -> ObjectFiles {
    let uploads = UploadSettings { part_size: 5 << 20, ..UploadSettings::default() };
    ObjectFiles::open(access, prefix, uploads).await.unwrap()
}

fn prefix() -> String {
    format!("files suite/{}", uuid::Uuid::new_v4())
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_passes_the_suite() {
    let Some(access) = s3() else { return skipped("CLEARML_S3_ENDPOINT") };
    suite::run(&open(&access, &prefix()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_passes_the_suite() {
    let Some(access) = azure().await else { return skipped("CLEARML_AZURE_ENDPOINT") };
    suite::run(&open(&access, &prefix()).await).await;
}

/// The emulator has no XML uploads, which the client uses: Google's own servers have. So objects are brought
/// there through the JSON API, and writing is left out.
#[tokio::test(flavor = "multi_thread")]
async fn google_passes_the_suite_of_reading_and_deleting() {
    let Some(access) = google() else { return skipped("CLEARML_GCS_ENDPOINT") };
    let prefix = prefix();
    let files = open(&access, &prefix).await;
    suite::reading_and_deleting(&files, async |path: &str, content: Vec<u8>| {
        google_put(&format!("{prefix}/{path}"), content).await;
    })
    .await;
}

#[tokio::test]
async fn the_whole_bucket_is_a_place_too() {
    let Some(access) = s3() else { return skipped("CLEARML_S3_ENDPOINT") };
    let files = open(&access, "").await;
    let name = format!("{}/f", prefix());
    suite::store(&files, &name, b"x").await.unwrap();
    assert_eq!(suite::load(&files, &name, 0..1).await.unwrap(), b"x");
    files.delete_file(&FilePath::parse(&name).unwrap()).await.unwrap();
}

#[tokio::test]
async fn names_that_no_object_can_have_are_refused() {
    let Some(access) = s3() else { return skipped("CLEARML_S3_ENDPOINT") };
    let files = open(&access, &prefix()).await;
    for name in ["a\nb", "tab\there", &"long/".repeat(250)] {
        let path = FilePath::parse(name).unwrap();
        assert!(matches!(files.create(&path).await, Err(FileError::UnsupportedName)), "{name:?}");
        assert!(matches!(files.entry(&path).await, Err(FileError::NotFound)), "{name:?}");
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_no_parts() {
    let Some(access) = s3() else { return skipped("CLEARML_S3_ENDPOINT") };
    let prefix = prefix();
    let files = open(&access, &prefix).await;
    let mut writer = files.create(&FilePath::parse("x").unwrap()).await.unwrap();
    for _ in 0..12 {
        writer.write(Bytes::from(vec![0; 1 << 20])).await.unwrap();
    }
    assert_eq!(backends::open_uploads(&access, &prefix).await, 1);
    drop(writer);
    files.close().await;
    assert_eq!(backends::open_uploads(&access, &prefix).await, 0);
}

#[tokio::test]
async fn deletions_are_answered_one_by_one() {
    for access in [s3(), azure().await, google()].into_iter().flatten() {
        let client = ObjectClient::connect(&access).await.unwrap();
        let keys = ["gone/already", "", "/slashed", "a//b", "also gone"].map(str::to_owned);
        let answers: Vec<bool> = client.delete(&keys).await.iter().map(Result::is_ok).collect();
        assert_eq!(answers, [true, false, false, false, true]);
    }
}

#[tokio::test]
async fn failures_tell_what_is_wrong() {
    let Some(access) = s3() else { return skipped("CLEARML_S3_ENDPOINT") };
    let path = FilePath::parse("x").unwrap();
    let mut wrong_key = access.clone();
    if let Provider::S3(s3) = &mut wrong_key.provider {
        s3.keys.as_mut().unwrap().secret = "wrong".to_owned();
    }
    let error = open(&wrong_key, "").await.check().await.unwrap_err();
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    let client = ObjectClient::connect(&wrong_key).await.unwrap();
    let answers = client.delete(&["a".to_owned(), "b".to_owned()]).await;
    assert!(answers[1].as_ref().unwrap_err().to_string().starts_with("SignatureDoesNotMatch"), "{answers:?}");

    let no_bucket = ObjectAccess { bucket: "no-such-bucket".to_owned(), ..access.clone() };
    let error = open(&no_bucket, "").await.check().await.unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");

    let mut nobody = access;
    nobody.transport.retries = 0;
    if let Provider::S3(s3) = &mut nobody.provider {
        s3.endpoint = Some("http://127.0.0.1:1".to_owned());
    }
    let files = open(&nobody, "").await;
    assert!(matches!(files.entry(&path).await, Err(FileError::Unavailable(_))));
    assert!(matches!(suite::store(&files, "x", b"1").await, Err(FileError::Unavailable(_))));
}

/// A way to the store whose connections break after so many bytes of answers.
async fn breaking_way(target: String, bytes: u64) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let server = tokio::net::TcpStream::connect(target.trim_start_matches("http://")).await.unwrap();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (from_server, mut to_server) = server.into_split();
                let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let _ = tokio::io::copy(&mut from_server.take(bytes), &mut to_client).await;
                let _ = to_client.shutdown().await;
                up.abort();
            });
        }
    });
    (address, connections)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_goes_on_where_it_broke() {
    let Some(access) = s3() else { return skipped("CLEARML_S3_ENDPOINT") };
    let prefix = prefix();
    let content = suite::content(10_000_000);
    let direct = open(&access, &prefix).await;
    suite::store(&direct, "x", &content).await.unwrap();

    let mut broken = access;
    let Provider::S3(s3) = &mut broken.provider else { unreachable!() };
    let (address, connections) = breaking_way(s3.endpoint.take().unwrap(), 700_000).await;
    s3.endpoint = Some(address);
    let files = open(&broken, &prefix).await;
    assert!(suite::load(&files, "x", 0..10_000_000).await.unwrap() == content);
    assert!(connections.load(Ordering::Relaxed) >= 10_000_000 / 700_000);
    direct.delete_file(&FilePath::parse("x").unwrap()).await.unwrap();
}
