//! A lane that uploads, replaces and deletes files.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use clearml_driver::{CallError, full};
use http::{Method, Request, StatusCode, header};
use rand::{RngExt, SeedableRng, rngs::SmallRng, rngs::StdRng};

use super::{Lane, Scope, Session, answered};

/// Old files looked at after each round.
const SAMPLE: usize = 10;
/// Files kept at most: more are deleted than uploaded from there on.
const MOST_FILES: usize = 300;
const BOUNDARY: &str = "clearml-faults-boundary";

pub(crate) struct Files {
    lane: u32,
    random: StdRng,
    /// What each path ever used has to hold.
    known: BTreeMap<String, Option<Content>>,
    /// The paths of the call without an answer, and what they may hold instead.
    open: Vec<(String, Option<Content>)>,
    touched: Vec<String>,
    uploads: u64,
    bytes: u64,
}

/// A file's content; its bytes follow from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    seed: u64,
    size: usize,
}

impl Content {
    fn bytes(self) -> Bytes {
        let mut bytes = vec![0; self.size];
        SmallRng::seed_from_u64(self.seed).fill(&mut bytes[..]);
        bytes.into()
    }
}

impl Files {
    pub(crate) fn new(lane: u32, random: StdRng) -> Self {
        Self {
            lane,
            random,
            known: BTreeMap::new(),
            open: Vec::new(),
            touched: Vec::new(),
            uploads: 0,
            bytes: 0,
        }
    }

    fn new_content(&mut self) -> Content {
        // As many files around 1 kB as around 1 MB; up to 4 MB.
        let magnitude = self.random.random_range(0..22);
        Content { seed: self.random.random(), size: self.random.random_range(0..2_usize << magnitude) }
    }

    fn new_path(&mut self) -> String {
        let (folder, name) = (self.random.random_range(0..20), self.random.random::<u64>());
        format!("lane{}/folder {folder}/{name:016x} ☃.bin", self.lane)
    }

    fn any_path(&mut self, existing: bool) -> Option<String> {
        let paths: Vec<_> = self
            .known
            .iter()
            .filter(|(_, content)| !existing || content.is_some())
            .map(|(path, _)| path)
            .collect();
        (!paths.is_empty()).then(|| paths[self.random.random_range(0..paths.len())].clone())
    }

    async fn step(&mut self, session: &Session) -> anyhow::Result<bool> {
        let existing = self.known.values().flatten().count();
        let deletes = if existing > MOST_FILES { 6 } else { 2 };
        let choice = self.random.random_range(0..10);
        if choice < deletes
            && let Some(path) = self.any_path(true)
        {
            return self.delete(session, path).await;
        }
        let mut parts = Vec::new();
        if choice == 8
            && let Some(path) = self.any_path(false)
        {
            parts.push((path, self.new_content()));
        }
        let new = if choice == 9 { self.random.random_range(2..6) } else { usize::from(parts.is_empty()) };
        for _ in 0..new {
            parts.push((self.new_path(), self.new_content()));
        }
        self.upload(session, parts).await
    }

    async fn upload(&mut self, session: &Session, parts: Vec<(String, Content)>) -> anyhow::Result<bool> {
        let mut body = Vec::new();
        for (path, content) in &parts {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"/{path}\"; filename=\"/{path}\"\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&content.bytes());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let request = Request::post(format!("{}/", session.files_url))
            .header(header::AUTHORIZATION, &session.api.authorization)
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(full(body))?;

        self.touched.extend(parts.iter().map(|(path, _)| path.clone()));
        self.open = parts.iter().map(|(path, content)| (path.clone(), Some(*content))).collect();
        let Some(answer) = answered(session.api.http.send(request).await)? else { return Ok(false) };
        let stored: Vec<String> = serde_json::from_slice(&answer)?;
        let sent: Vec<_> = parts.iter().map(|(path, _)| path.clone()).collect();
        ensure!(stored == sent, "uploaded {sent:?}, stored {stored:?}");
        self.uploads += parts.len() as u64;
        self.bytes += parts.iter().map(|(_, content)| content.size as u64).sum::<u64>();
        self.known.extend(std::mem::take(&mut self.open));
        Ok(true)
    }

    async fn delete(&mut self, session: &Session, path: String) -> anyhow::Result<bool> {
        let request = request(session, Method::DELETE, &path)?;
        self.touched.push(path.clone());
        self.open = vec![(path, None)];
        let Some(_) = answered(session.api.http.send(request).await)? else { return Ok(false) };
        self.known.extend(std::mem::take(&mut self.open));
        Ok(true)
    }

    async fn compare(&mut self, session: &Session, path: &str) -> anyhow::Result<()> {
        let found = match session.api.http.send(request(session, Method::GET, path)?).await {
            Ok(bytes) => Some(bytes),
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => None,
            Err(error) => return Err(error).with_context(|| format!("file {path}")),
        };
        let holds = |content: Option<Content>| match (&found, content) {
            (None, None) => true,
            (Some(found), Some(content)) => found.len() == content.size && *found == content.bytes(),
            _ => false,
        };
        if let Some(at) = self.open.iter().position(|(open, to)| open == path && holds(*to)) {
            let (path, to) = self.open.remove(at);
            self.known.insert(path, to);
            return Ok(());
        }
        let expected = self.known.get(path).copied().flatten();
        if !holds(expected) {
            let found = found.map_or("nothing".to_owned(), |found| format!("{} other bytes", found.len()));
            bail!("file {path}: expected {expected:?}, found {found}");
        }
        Ok(())
    }

    /// Nothing is there that nobody uploaded.
    fn count(&self, session: &Session) -> anyhow::Result<()> {
        let lane = format!("lane{}", self.lane);
        let mut found = Vec::new();
        walk(&session.files.join(&lane), &lane, &mut found)?;
        found.sort();
        let expected: Vec<_> = self
            .known
            .iter()
            .filter(|(_, content)| content.is_some())
            .map(|(path, _)| path.clone())
            .collect();
        let unknown: Vec<_> = found.iter().filter(|path| !expected.contains(path)).collect();
        ensure!(unknown.is_empty(), "files that nobody uploaded: {unknown:?}");
        ensure!(found.len() == expected.len(), "{} files instead of {}", found.len(), expected.len());
        Ok(())
    }
}

fn request(session: &Session, method: Method, path: &str) -> anyhow::Result<Request<clearml_driver::Body>> {
    let path: String = path
        .bytes()
        .map(|byte| match byte {
            b'/' | b'.' | b'0'..=b'9' | b'a'..=b'z' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/{path}", session.files_url))
        .header(header::AUTHORIZATION, &session.api.authorization)
        .body(full(""))?;
    Ok(request)
}

fn walk(folder: &Path, name: &str, found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[async_trait]
impl Lane for Files {
    async fn write(&mut self, session: &Session) -> anyhow::Result<()> {
        self.touched.clear();
        self.open.clear();
        while self.step(session).await? {}
        Ok(())
    }

    async fn verify(&mut self, session: &Session, scope: Scope) -> anyhow::Result<()> {
        let mut paths = self.touched.clone();
        if scope == Scope::All {
            paths.extend(self.known.keys().cloned());
        } else {
            for _ in 0..SAMPLE {
                paths.extend(self.any_path(false));
            }
        }
        for path in paths {
            self.compare(session, &path).await?;
        }
        self.open.clear();
        if scope == Scope::All {
            self.count(session)?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let left = self.known.values().flatten().count();
        format!("files: {} uploaded with {} MB, {left} left", self.uploads, self.bytes / 1_000_000)
    }
}
