//! The program streams: great files on S3 cost it no memory.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{
    env::var,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

const SIZE: usize = 300 << 20;
const PIECE: usize = 1 << 20;
/// Most resident memory of the process, in kB.
const LIMIT: u64 = 150 << 10;

struct Server {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// The file server's program on a bucket.
    async fn start(client: &reqwest::Client, endpoint: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("s3://{}/fileserver-memory", var("CLEARML_S3_BUCKET").unwrap());
        let process = Command::new(env!("CARGO_BIN_EXE_clearml-fileserver"))
            .args(["--ip", "127.0.0.1", "--port", &port.to_string()])
            .env("CLEARML_DATA_DIR", folder.path())
            .env("CLEARML_CONFIG_DIR", folder.path().join("none"))
            .env("CLEARML__fileserver__auth__enabled", "false")
            .env("CLEARML__fileserver__storage__url", url)
            .env("CLEARML__fileserver__storage__allow_http", "true")
            .env("CLEARML__fileserver__storage__s3__endpoint", endpoint)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { process, address: format!("http://127.0.0.1:{port}"), _folder: folder };
        while client.get(&server.address).send().await.is_err() {
            assert!(server.process.try_wait().unwrap().is_none(), "the file server ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    /// The greatest resident memory so far, in kB.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

fn piece(number: usize) -> Bytes {
    Bytes::from((0..PIECE).map(|at| (at ^ (at >> 8) ^ number) as u8).collect::<Vec<u8>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn great_files_on_s3_need_little_memory() {
    let Ok(endpoint) = var("CLEARML_S3_ENDPOINT") else {
        eprintln!("skipped: CLEARML_S3_ENDPOINT is not set");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let server = Server::start(&client, &endpoint).await;
    let name = format!("{:x}/great.bin", rand::random::<u64>());

    let head = format!("--B\r\nContent-Disposition: form-data; name=\"/{name}\"; filename=\"x\"\r\n\r\n");
    let pieces = stream::once(async move { Bytes::from(head) })
        .chain(stream::iter(0..SIZE / PIECE).map(piece))
        .chain(stream::once(async { Bytes::from_static(b"\r\n--B--\r\n") }))
        .map(Ok::<_, std::io::Error>);
    let upload = client
        .post(&server.address)
        .header("content-type", "multipart/form-data; boundary=B")
        .body(reqwest::Body::wrap_stream(pieces));
    let answer = upload.send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), format!("[\"{name}\"]"));

    let url = format!("{}/{name}", server.address);
    let mut received = client.get(&url).send().await.unwrap().bytes_stream();
    let (mut at, mut expected) = (0, Bytes::new());
    while let Some(mut part) = received.try_next().await.unwrap() {
        while !part.is_empty() {
            if expected.is_empty() {
                expected = piece(at / PIECE);
            }
            let size = part.len().min(expected.len());
            assert!(part.split_to(size) == expected.split_to(size), "at {at}");
            at += size;
        }
    }
    assert_eq!(at, SIZE);
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 200);
    let peak = server.peak_memory();
    eprintln!("300 MiB up and down: at most {peak} kB resident");
    assert!(peak < LIMIT, "{peak} kB");
}
