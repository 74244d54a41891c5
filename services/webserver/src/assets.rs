//! The files of the Web-App: built into the program, or in a directory.

use std::path::PathBuf;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use rust_embed::RustEmbed;

/// The Web-App as built by `npm run build` in `web/`, with `.br` and `.gz` copies of what is worth it.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist"]
#[allow_missing = true]
struct BuiltIn;

/// Where the files come from.
pub(crate) enum Assets {
    BuiltIn,
    Directory(PathBuf),
}

/// One file.
struct Asset {
    content: Bytes,
    /// Strong validator: changes with the content.
    tag: String,
}

/// Said where the program was built without the Web-App.
const NOT_BUILT: &str = "<!doctype html><title>ClearML server</title><p>This server was built without its \
    Web-App: run <code>npm ci && npm run build</code> in <code>web/</code> and build again.";

impl Assets {
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        directory.map_or(Self::BuiltIn, Self::Directory)
    }

    /// Answers a file, a directory's index, or, for the Web-App's own addresses, the page of the Web-App.
    pub(crate) async fn answer(&self, path: &str, request: &HeaderMap, sub_path: &str) -> Response {
        let Ok(path) = percent_decode_str(path).decode_utf8() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let path = path.trim_start_matches('/');
        let safe = !path.split('/').any(|segment| segment == ".." || segment.contains('\0'));
        if path.is_empty() || path == "index.html" || !safe {
            return self.index(sub_path).await;
        }
        for (suffix, encoding) in [(".br", "br"), (".gz", "gzip"), ("", "")] {
            if !encoding.is_empty() && !accepts(request, encoding) {
                continue;
            }
            if let Some(asset) = self.load(&format!("{path}{suffix}")).await {
                return file(path, encoding, asset, request);
            }
        }
        if (path.starts_with("widgets/") || path == "widgets")
            && let Some(asset) = self.load("widgets/index.html").await
        {
            return html(asset.content);
        }
        self.index(sub_path).await
    }

    /// The page of the Web-App, its base address set to the sub-path.
    pub(crate) async fn index(&self, sub_path: &str) -> Response {
        let Some(asset) = self.load("index.html").await else {
            return html(Bytes::from_static(NOT_BUILT.as_bytes()));
        };
        if sub_path.is_empty() {
            return html(asset.content);
        }
        let page = String::from_utf8_lossy(&asset.content);
        html(page.replace("<base href=\"/\"", &format!("<base href=\"/{sub_path}/\"")).into())
    }

    async fn load(&self, path: &str) -> Option<Asset> {
        match self {
            Self::BuiltIn => {
                let file = BuiltIn::get(path)?;
                let hash = file.metadata.sha256_hash();
                let tag = hash.first_chunk().map_or(0, |start| u128::from_be_bytes(*start));
                Some(Asset { content: file.data.into_owned().into(), tag: format!("{tag:x}") })
            }
            Self::Directory(root) => {
                let path = root.join(path);
                let metadata = tokio::fs::metadata(&path).await.ok().filter(std::fs::Metadata::is_file)?;
                let modified = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
                let content = tokio::fs::read(&path).await.ok()?;
                Some(Asset {
                    content: content.into(),
                    tag: format!("{:x}-{:x}", modified.as_nanos(), metadata.len()),
                })
            }
        }
    }
}

fn html(content: Bytes) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from(content)).into_response()
}

fn file(path: &str, encoding: &str, asset: Asset, request: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", asset.tag);
    // The bundler puts a hash of the content into the names below `assets/`: they never change.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers =
        [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, caching), (header::VARY, "Accept-Encoding")];
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let text = guess.type_() == "text" || guess.essence_str() == "application/javascript";
    let media_type = if text { format!("{}; charset=utf-8", guess.essence_str()) } else { guess.to_string() };
    let mut response =
        (headers, [(header::CONTENT_TYPE, media_type)], Body::from(asset.content)).into_response();
    if let Ok(value) = encoding.parse()
        && !encoding.is_empty()
    {
        response.headers_mut().insert(header::CONTENT_ENCODING, value);
    }
    response
}

/// Whether the client takes an encoding; a weight of 0 means that it does not.
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    let offered = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused =
            parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)));
        name.eq_ignore_ascii_case(encoding) && !refused
    })
}
