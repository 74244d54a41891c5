//! Events, in blocks of a few tasks or models each.

mod line;

use bson::Document;
use clearml_documents::{Collection, Filter, Find, Sort};
use clearml_events::{
    Event, EventError, EventType, KeyField, LogDeletion, Order, ScrollQuery, Selection, Source,
};

use crate::{
    Stage, TransferResult,
    archive::{PartReader, PartWriter, blocking},
    export::Exporter,
    import::Importer,
};
use line::{Block, Item, Line};

/// Who has events; those of deleted tasks stay until they are removed.
const OWNERS: [Collection; 3] = [Collection::Task, Collection::Model, Collection::TaskTrash];
/// Owners of a block.
const BLOCK: u64 = 50;
/// Events of all kinds after which parts end, at the end of a block.
const PARTS: u64 = 100_000;
/// Owners after which parts end.
const OWNERS_OF_PARTS: u64 = 20_000;
/// Events appended at once.
const CHUNK: usize = 10_000;

/// Events read at once: plots may have megabytes each.
const fn page_size(kind: EventType) -> usize {
    match kind {
        EventType::Plot | EventType::Vector => 50,
        EventType::Scalar | EventType::Image | EventType::Log => 5_000,
    }
}

/// Writes the events of all tasks and models.
pub(crate) async fn export(exporter: &mut Exporter<'_>) -> TransferResult<()> {
    let (mut all, mut done) = (0, 0);
    for (step, owners) in OWNERS.into_iter().enumerate() {
        let documents = &exporter.stores.documents;
        let count = documents.count(owners, Filter::Everything, false).await?;
        all += count;
        done += match exporter.enter(Stage::Events, step) {
            None => count,
            Some(after) => documents.count(owners, Filter::lte("_id", after), false).await?,
        };
    }
    exporter.begin(Stage::Events, Some(all));
    exporter.advance(Stage::Events, 0, done);
    for (step, owners) in OWNERS.into_iter().enumerate() {
        let mut after = exporter.enter(Stage::Events, step);
        while let Some(start) = after {
            after = export_parts(exporter, owners, step, start).await?;
        }
    }
    Ok(())
}

/// Writes a part of each kind; where the next ones begin.
async fn export_parts(
    exporter: &mut Exporter<'_>,
    owners: Collection,
    step: usize,
    start: String,
) -> TransferResult<Option<String>> {
    let mut writers = Vec::new();
    for kind in EventType::ALL {
        writers.push((kind, exporter.write(Stage::Events, kind.name()).await?));
    }
    let (mut after, mut seen) = (start, 0);
    let next = loop {
        let find = Find::new(Filter::gt("_id", after.as_str())).include(["_id", "company", "company_origin"]);
        let find = find.sort(Sort::ascending("_id")).limit(BLOCK);
        let found = exporter.stores.documents.find(owners, find).await?;
        let Some(last) = found.last() else { break None };
        after = last.get_str("_id").unwrap_or_default().to_owned();
        for sources in by_company(&found) {
            for (kind, writer) in std::mem::take(&mut writers) {
                writers.push((kind, export_block(exporter, &sources, kind, writer).await?));
            }
        }
        exporter.advance(Stage::Events, 0, found.len() as u64);
        seen += found.len() as u64;
        let events: u64 = writers.iter().map(|(_, writer)| writer.count()).sum();
        if events >= PARTS || seen >= OWNERS_OF_PARTS {
            break Some(after);
        }
    };
    let writers = writers.into_iter().map(|(_, writer)| writer).collect();
    exporter.commit(Stage::Events, step, writers, next.clone()).await?;
    Ok(next)
}

/// The sources of each company.
fn by_company(owners: &[Document]) -> Vec<Vec<Source>> {
    let mut groups: Vec<Vec<Source>> = Vec::new();
    for owner in owners {
        // What became public keeps its events where they were.
        let company = match owner.get_str("company") {
            Ok(company) if !company.is_empty() => company,
            _ => owner.get_str("company_origin").unwrap_or_default(),
        };
        let source = Source::new(company, owner.get_str("_id").unwrap_or_default());
        match groups.iter_mut().find(|group| group[0].company == company) {
            Some(group) => group.push(source),
            None => groups.push(vec![source]),
        }
    }
    groups
}

/// Appends the events of some tasks to a part.
async fn export_block(
    exporter: &mut Exporter<'_>,
    sources: &[Source],
    kind: EventType,
    mut writer: PartWriter,
) -> TransferResult<PartWriter> {
    let query = ScrollQuery {
        selection: Selection::of(sources.to_vec(), kind),
        field: KeyField::Timestamp,
        order: Order::Ascending,
        limit: page_size(kind),
    };
    let mut after: Option<String> = None;
    loop {
        let page = exporter.stores.events.scroll(&query, after.as_deref()).await?;
        let count = page.events.len();
        if count == 0 {
            return Ok(writer);
        }
        let heading = after.is_none().then(|| Line::Block(Block::of(sources)));
        writer = blocking(move || {
            if let Some(heading) = heading {
                writer.heading(&heading)?;
            }
            writer.lines(page.events.into_iter().map(line::of))?;
            Ok(writer)
        })
        .await?;
        exporter.advance(Stage::Events, count as u64, 0);
        after = page.next;
        if after.is_none() || count < query.limit {
            return Ok(writer);
        }
    }
}

/// Brings a part into the store.
pub(crate) async fn import(
    importer: &mut Importer<'_>,
    kind: &str,
    reader: PartReader,
) -> TransferResult<()> {
    // Only logs would be there twice: all other events replace themselves.
    let clear = importer.resumed && kind == EventType::Log.name();
    let mut company = String::new();
    let mut chunks = reader.chunks(CHUNK, Item::parse);
    while let Some(chunk) = chunks.recv().await {
        let mut events = Vec::new();
        for item in chunk? {
            match item {
                Item::Event(event) => events.push(*event),
                Item::Block(block) => {
                    if block.company != company {
                        append(importer, &company, std::mem::take(&mut events)).await?;
                        company = block.company;
                    }
                    if clear {
                        clear_logs(importer, &company, block.tasks).await?;
                    }
                }
            }
        }
        append(importer, &company, events).await?;
    }
    Ok(())
}

async fn append(importer: &mut Importer<'_>, company: &str, events: Vec<Event>) -> TransferResult<()> {
    let count = events.len() as u64;
    if count == 0 {
        return Ok(());
    }
    let tasks: Vec<(EventType, String)> =
        events.iter().map(|event| (event.event_type, event.task.clone())).collect();
    match importer.stores.events.append(company, events).await {
        Ok(()) => {}
        // All others are in: one event that an index can't hold must not keep all else from moving.
        Err(EventError::Rejected(rejected)) => {
            for rejected in rejected {
                let of = tasks.get(rejected.place).cloned();
                importer.reject(of, &rejected.reason);
            }
        }
        Err(error) => return Err(error.into()),
    }
    importer.advance(count);
    Ok(())
}

/// Removes what an interrupted import has brought in of a block.
async fn clear_logs(importer: &Importer<'_>, company: &str, tasks: Vec<String>) -> TransferResult<()> {
    for task in tasks {
        let source = Source::new(company, task);
        importer.stores.events.clear_log(&source, &LogDeletion::default()).await?;
    }
    Ok(())
}
