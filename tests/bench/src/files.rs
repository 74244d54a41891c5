//! One large file up and down, beside nginx doing the same on the same disk.

use std::{path::Path, process::Stdio, time::Instant};

use anyhow::Context;
use bytes::Bytes;
use clearml_driver::{Body, Http, Server};
use futures::stream;
use http::{Method, Request, header};
use http_body_util::{BodyExt, StreamBody};
use tokio::process::{Child, Command};

use crate::measure::{Times, usage};

const PIECE: usize = 256 * 1024;
const BOUNDARY: &str = "clearml-bench-boundary";

pub(crate) async fn run(binary: &Path, size_mb: u64, runs: u32) -> anyhow::Result<()> {
    let size = size_mb * 1024 * 1024;
    let server = Server::start(binary).await?;
    let authorization = server.login().await?.authorization;
    let http = Http::new();
    let (mut up, mut down) = (Times::default(), Times::default());
    let url = format!("{}/bench/large.bin", server.files_url);
    for _ in 0..runs {
        up.add(timed(http.send(upload(&server.files_url, &authorization, size)?)).await?);
        let request = Request::get(&url)
            .header(header::AUTHORIZATION, &authorization)
            .body(clearml_driver::full(""))?;
        down.add(timed(download(&http, request, size)).await?);
    }
    report("clearml-server", size_mb, &mut up, &mut down);
    println!("  {}", usage(&server)?);

    let folder = tempfile::tempdir_in(binary.parent().context("no folder")?)?;
    let Ok((mut nginx, address)) = start_nginx(folder.path()).await else {
        println!("nginx is not installed: nothing to compare with");
        return Ok(());
    };
    let url = format!("{address}/large.bin");
    let (mut up, mut down) = (Times::default(), Times::default());
    for _ in 0..runs {
        let put = Request::builder()
            .method(Method::PUT)
            .uri(&url)
            .header(header::CONTENT_LENGTH, size)
            .body(content(size))?;
        up.add(timed(http.send(put)).await?);
        let get = Request::get(&url).body(clearml_driver::full(""))?;
        down.add(timed(download(&http, get, size)).await?);
    }
    report("nginx", size_mb, &mut up, &mut down);
    nginx.kill().await?;
    Ok(())
}

async fn timed<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<std::time::Duration, E> {
    let started = Instant::now();
    work.await?;
    Ok(started.elapsed())
}

async fn download(http: &Http, request: Request<Body>, size: u64) -> anyhow::Result<()> {
    let received = http.drain(request).await?;
    anyhow::ensure!(received == size, "{received} bytes instead of {size}");
    Ok(())
}

fn report(name: &str, size_mb: u64, up: &mut Times, down: &mut Times) {
    let rate = |times: &mut Times| size_mb as f64 / times.percentile(0.5) * 1000.0;
    println!("{name}: upload {:.0} MB/s, download {:.0} MB/s (medians, {size_mb} MB)", rate(up), rate(down));
}

/// Bytes that no file system can leave out.
fn content(size: u64) -> Body {
    StreamBody::new(stream::iter(pieces(size).map(|piece| Ok(http_body_frame(piece))))).boxed()
}

fn pieces(size: u64) -> impl Iterator<Item = Bytes> + Send + Sync {
    let piece: Bytes = (0..PIECE).map(|index| (index * 7 % 251) as u8).collect::<Vec<_>>().into();
    (0..size.div_ceil(PIECE as u64)).map(move |index| {
        let left = size - index * PIECE as u64;
        piece.slice(..PIECE.min(usize::try_from(left).unwrap_or(PIECE)))
    })
}

fn http_body_frame(piece: Bytes) -> http_body::Frame<Bytes> {
    http_body::Frame::data(piece)
}

fn upload(files_url: &str, authorization: &str, size: u64) -> anyhow::Result<Request<Body>> {
    let name = "/bench/large.bin";
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    let length = size + (head.len() + tail.len()) as u64;
    let all =
        std::iter::once(Bytes::from(head)).chain(pieces(size)).chain(std::iter::once(Bytes::from(tail)));
    let body = StreamBody::new(stream::iter(all.map(|piece| Ok(http_body_frame(piece))))).boxed();
    Ok(Request::post(format!("{files_url}/"))
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
        .header(header::CONTENT_LENGTH, length)
        .body(body)?)
}

/// nginx with `PUT`, as a yardstick for the same transfer.
async fn start_nginx(folder: &Path) -> anyhow::Result<(Child, String)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let root = folder.display();
    let configuration = format!(
        "daemon off; pid {root}/pid; error_log {root}/error.log; worker_processes 2; user root;
         events {{}}
         http {{
            access_log off; sendfile on; client_max_body_size 0; client_body_temp_path {root}/body;
            server {{ listen 127.0.0.1:{port}; root {root}/files; location / {{ dav_methods PUT; create_full_put_path on; }} }}
         }}"
    );
    std::fs::create_dir_all(folder.join("files"))?;
    std::fs::write(folder.join("nginx.conf"), configuration)?;
    let process = Command::new("nginx")
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    Ok((process, format!("http://127.0.0.1:{port}")))
}
