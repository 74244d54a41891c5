//! Writes an archive.

use std::{cmp::Ordering, path::Path};

use clearml_documents::{Collection, DocumentStoreExt, Filter, Find, UNFINISHED_IMPORT};

use crate::{
    Archive, Progress, Stage, Stores, TransferError, TransferResult, Watcher,
    archive::{PartWriter, Position, blocking},
    documents, events, files, statistics,
};

/// An export that is under way.
pub(crate) struct Exporter<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) archive: Archive,
    watcher: Watcher<'a>,
    progress: StageProgress,
}

/// How far a stage is: what it moves, and the units of work that it is measured by.
#[derive(Default)]
struct StageProgress {
    done: u64,
    units: u64,
    all_units: Option<u64>,
}

/// Writes everything into an archive in `folder`, which is empty or missing, or holds an archive whose export was
/// interrupted. What clients change meanwhile may or may not be in it: stop the server for an exact copy.
pub async fn export(
    stores: &Stores,
    folder: &Path,
    id: &str,
    version: &str,
    watcher: Watcher<'_>,
) -> TransferResult<Archive> {
    if stores.documents.any(Collection::Settings, Filter::id(UNFINISHED_IMPORT)).await? {
        return Err(TransferError::HalfImported);
    }
    let find = Find::new(Filter::id("server.uuid"));
    let server = stores.documents.find_one(Collection::Settings, find).await?;
    let server = server.and_then(|setting| setting.get_str("value").ok().map(str::to_owned));
    let (folder, id, version) = (folder.to_owned(), id.to_owned(), version.to_owned());
    let archive = blocking(move || Archive::create(&folder, &id, &version, server)).await?;
    let mut exporter = Exporter { stores, archive, watcher, progress: StageProgress::default() };
    documents::export(&mut exporter).await?;
    events::export(&mut exporter).await?;
    statistics::export(&mut exporter).await?;
    files::export(&mut exporter).await?;
    exporter.take(Vec::new(), None).await?;
    Ok(exporter.archive)
}

impl Exporter<'_> {
    /// Begins a stage of so many units of work, if that is known.
    pub(crate) fn begin(&mut self, stage: Stage, all_units: Option<u64>) {
        self.progress = StageProgress { done: self.archive.manifest.count(stage), units: 0, all_units };
    }

    /// Tells of things and units of work that are done.
    pub(crate) fn advance(&mut self, stage: Stage, things: u64, units: u64) {
        let progress = &mut self.progress;
        progress.done += things;
        progress.units += units;
        let share = progress.all_units.map(|all| (progress.units as f64 / all.max(1) as f64).min(1.0));
        (self.watcher)(Progress { stage, done: progress.done, share });
    }

    /// Where to go on in a step of a stage: `""` at its beginning; `None`: it is done.
    pub(crate) fn enter(&self, stage: Stage, step: usize) -> Option<String> {
        let next = self.archive.manifest.next.as_ref()?;
        match (stage, step).cmp(&(next.stage, next.steps)) {
            Ordering::Less => None,
            Ordering::Equal => Some(next.after.clone().unwrap_or_default()),
            Ordering::Greater => Some(String::new()),
        }
    }

    /// Begins a part.
    pub(crate) async fn write(&self, stage: Stage, kind: &str) -> TransferResult<PartWriter> {
        let (archive, kind) = (self.archive.clone(), kind.to_owned());
        blocking(move || archive.write(stage, &kind)).await
    }

    /// Takes parts in; the export goes on behind `next` in this step, or with the next step.
    pub(crate) async fn commit(
        &mut self,
        stage: Stage,
        step: usize,
        writers: Vec<PartWriter>,
        next: Option<String>,
    ) -> TransferResult<()> {
        let steps = if next.is_some() { step } else { step + 1 };
        self.take(writers, Some(Position { stage, steps, after: next })).await
    }

    async fn take(&mut self, writers: Vec<PartWriter>, next: Option<Position>) -> TransferResult<()> {
        let mut archive = self.archive.clone();
        self.archive = blocking(move || {
            let mut parts = Vec::new();
            for writer in writers {
                parts.extend(writer.finish()?);
            }
            archive.commit(parts, next)?;
            Ok(archive)
        })
        .await?;
        Ok(())
    }
}
