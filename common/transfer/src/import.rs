//! Reads an archive.

use std::path::Path;

use bson::{Document, doc};
use clearml_documents::{
    Collection, DocumentStore, DocumentStoreExt, Filter, Find, UNFINISHED_IMPORT, Write,
};
use clearml_events::EventType;

use crate::{
    Archive, Part, Progress, Stage, Stores, TransferError, TransferResult, Watcher, archive::blocking,
    documents, events, files, statistics,
};

/// An import that is under way.
pub(crate) struct Importer<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) archive: &'a Archive,
    watcher: Watcher<'a>,
    /// Parts that are in.
    parts: usize,
    /// Lines of the next part that are in, where that is noted.
    pub(crate) lines: u64,
    /// More of the next part may be in than is noted.
    pub(crate) resumed: bool,
    rejected: u64,
    stage: Stage,
    done: u64,
    /// Things of the stage.
    all: u64,
}

/// What an import has brought in.
#[derive(Debug)]
pub struct Imported {
    pub archive: Archive,
    /// Events that the store can't hold; each was logged. An import that goes on may count some twice.
    pub rejected: u64,
}

/// Brings a complete archive into stores that are not in use yet, or goes on with an import that was interrupted. No
/// server may run on the stores.
pub async fn import(stores: &Stores, folder: &Path, watcher: Watcher<'_>) -> TransferResult<Imported> {
    let path = folder.to_owned();
    let archive = blocking(move || Archive::open(&path)).await?;
    if archive.manifest.next.is_some() {
        return Err(TransferError::Incomplete(folder.display().to_string()));
    }
    let mut importer = Importer::begin(stores, &archive, watcher).await?;
    for part in archive.manifest.parts.iter().skip(importer.parts) {
        importer.enter(part.stage);
        let (checked, of) = (part.clone(), archive.clone());
        let reader = blocking(move || of.read(&checked)).await?;
        match part.stage {
            Stage::Documents => documents::import(&mut importer, &part.kind, reader).await?,
            Stage::Events => events::import(&mut importer, &part.kind, reader).await?,
            Stage::Statistics => statistics::import(&mut importer, part, reader).await?,
            Stage::Files => files::import(&mut importer, reader).await?,
        }
        importer.finish_part().await?;
    }
    stores.documents.delete(Collection::Settings, Filter::id(UNFINISHED_IMPORT)).await?;
    let rejected = importer.rejected;
    Ok(Imported { archive, rejected })
}

impl<'a> Importer<'a> {
    async fn begin(stores: &'a Stores, archive: &'a Archive, watcher: Watcher<'a>) -> TransferResult<Self> {
        let mut importer = Self {
            stores,
            archive,
            watcher,
            parts: 0,
            lines: 0,
            resumed: false,
            rejected: 0,
            stage: Stage::Documents,
            done: 0,
            all: archive.manifest.count(Stage::Documents),
        };
        if let Some(noted) = noted(stores.documents.as_ref()).await? {
            let id = noted.get_str("archive").unwrap_or_default();
            if id != archive.manifest.id {
                return Err(TransferError::OtherImport(id.to_owned()));
            }
            importer.parts = noted.get_i64("parts").unwrap_or_default() as usize;
            importer.lines = noted.get_i64("lines").unwrap_or_default() as u64;
            importer.rejected = noted.get_i64("rejected").unwrap_or_default() as u64;
            importer.resumed = true;
        } else {
            documents::make_room(stores.documents.as_ref()).await?;
            importer.note().await?;
        }
        Ok(importer)
    }

    /// Parts that are in.
    pub(crate) fn parts(&self) -> &'a [Part] {
        &self.archive.manifest.parts[..self.parts]
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.all = self.archive.manifest.count(stage);
        self.done = self.parts().iter().filter(|part| part.stage == stage).map(|part| part.count).sum();
    }

    /// Tells of things that are in.
    pub(crate) fn advance(&mut self, count: u64) {
        self.done += count;
        let share = Some(self.done as f64 / self.all.max(1) as f64);
        (self.watcher)(Progress { stage: self.stage, done: self.done, share });
    }

    /// Tells of an event that the store can't hold.
    pub(crate) fn reject(&mut self, of: Option<(EventType, String)>, reason: &str) {
        self.rejected += 1;
        let (kind, task) = of.map(|(kind, task)| (kind.name(), task)).unwrap_or_default();
        tracing::warn!(task, kind, reason, "the store can't hold an event; it stays in the archive alone");
    }

    /// Notes lines of a part that would be in twice, were they read again.
    pub(crate) async fn note_lines(&mut self, lines: u64) -> TransferResult<()> {
        self.lines = lines;
        self.note().await
    }

    async fn finish_part(&mut self) -> TransferResult<()> {
        self.parts += 1;
        self.lines = 0;
        self.resumed = false;
        self.note().await
    }

    async fn note(&self) -> TransferResult<()> {
        let progress = doc! {
            "_id": UNFINISHED_IMPORT,
            "archive": &self.archive.manifest.id,
            "parts": self.parts as i64,
            "lines": self.lines as i64,
            "rejected": self.rejected as i64,
        };
        self.stores.documents.write(Collection::Settings, vec![Write::Replace(progress)]).await?;
        Ok(())
    }
}

/// What an import that was interrupted has noted.
async fn noted(store: &dyn DocumentStore) -> TransferResult<Option<Document>> {
    Ok(store.find_one(Collection::Settings, Find::new(Filter::id(UNFINISHED_IMPORT))).await?)
}
