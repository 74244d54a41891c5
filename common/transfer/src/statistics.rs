//! Time series of workers, queues and serving containers.

use std::collections::HashMap;

use clearml_documents::{Collection, Filter, Find, Sort};
use clearml_events::{QueueSample, SampleKind, Samples, ServingSample, WorkerSample};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Part, Stage, TransferResult,
    archive::{PartReader, blocking},
    export::Exporter,
    import::Importer,
};

/// Samples read and appended at once.
const CHUNK: usize = 5_000;
/// Samples of a part.
const PART: u64 = 200_000;

/// The first line of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Heading {
    company: String,
    kind: SampleKind,
}

/// The name of a kind in an archive.
const fn name(kind: SampleKind) -> &'static str {
    match kind {
        SampleKind::Workers => "worker_stats",
        SampleKind::Queues => "queue_metrics",
        SampleKind::Serving => "serving_stats",
    }
}

/// A sample of some kind.
trait Sample: Serialize + DeserializeOwned + Send + 'static {
    const WRAP: fn(Vec<Self>) -> Samples;
}

impl Sample for WorkerSample {
    const WRAP: fn(Vec<Self>) -> Samples = Samples::Workers;
}

impl Sample for QueueSample {
    const WRAP: fn(Vec<Self>) -> Samples = Samples::Queues;
}

impl Sample for ServingSample {
    const WRAP: fn(Vec<Self>) -> Samples = Samples::Serving;
}

/// Writes the samples of all companies.
pub(crate) async fn export(exporter: &mut Exporter<'_>) -> TransferResult<()> {
    let find = Find::new(Filter::Everything).include(["_id"]).sort(Sort::ascending("_id"));
    let companies = exporter.stores.documents.find(Collection::Company, find).await?;
    let companies = companies.iter().filter_map(|company| company.get_str("_id").ok());
    let steps: Vec<Heading> = companies
        .flat_map(|company| SampleKind::ALL.map(|kind| Heading { company: company.to_owned(), kind }))
        .collect();
    exporter.begin(Stage::Statistics, Some(steps.len() as u64));
    for (step, heading) in steps.into_iter().enumerate() {
        let mut after = exporter.enter(Stage::Statistics, step);
        while let Some(start) = after {
            after = export_part(exporter, &heading, step, start).await?;
        }
        exporter.advance(Stage::Statistics, 0, 1);
    }
    Ok(())
}

async fn export_part(
    exporter: &mut Exporter<'_>,
    heading: &Heading,
    step: usize,
    start: String,
) -> TransferResult<Option<String>> {
    let mut writer = exporter.write(Stage::Statistics, name(heading.kind)).await?;
    let first = heading.clone();
    writer = blocking(move || {
        writer.heading(&first)?;
        Ok(writer)
    })
    .await?;
    let mut after = Some(start).filter(|start| !start.is_empty());
    let next = loop {
        let statistics = &exporter.stores.statistics;
        let page = statistics.samples(&heading.company, heading.kind, after.as_deref(), CHUNK).await?;
        let Some(next) = page.next else { break None };
        let before = writer.count();
        writer = blocking(move || {
            writer.lines(lines(&page.samples))?;
            Ok(writer)
        })
        .await?;
        exporter.advance(Stage::Statistics, writer.count() - before, 0);
        if writer.count() >= PART {
            break Some(next);
        }
        after = Some(next);
    };
    exporter.commit(Stage::Statistics, step, vec![writer], next.clone()).await?;
    Ok(next)
}

fn lines(samples: &Samples) -> Vec<String> {
    match samples {
        Samples::Workers(samples) => samples.iter().map(line).collect(),
        Samples::Queues(samples) => samples.iter().map(line).collect(),
        Samples::Serving(samples) => samples.iter().map(line).collect(),
    }
}

/// A sample has only texts and numbers: nothing can fail.
fn line(sample: &impl Serialize) -> String {
    serde_json::to_string(sample).unwrap_or_default()
}

/// Brings a part into the store.
pub(crate) async fn import(
    importer: &mut Importer<'_>,
    part: &Part,
    mut reader: PartReader,
) -> TransferResult<()> {
    let (heading, reader) = blocking(move || Ok((reader.next::<Heading>()?, reader))).await?;
    let Some(heading) = heading else { return Ok(()) };
    match heading.kind {
        SampleKind::Workers => import_all::<WorkerSample>(importer, part, &heading, reader).await,
        SampleKind::Queues => import_all::<QueueSample>(importer, part, &heading, reader).await,
        SampleKind::Serving => import_all::<ServingSample>(importer, part, &heading, reader).await,
    }
}

async fn import_all<T: Sample>(
    importer: &mut Importer<'_>,
    part: &Part,
    heading: &Heading,
    reader: PartReader,
) -> TransferResult<()> {
    // Samples have no identity: those that are in must not come again.
    let known = importer.lines;
    let mut resumed = importer.resumed;
    let mut line = 0;
    let mut chunks = reader.chunks::<T, T>(CHUNK, Ok);
    while let Some(chunk) = chunks.recv().await {
        let mut chunk = chunk?;
        let count = chunk.len() as u64;
        line += count;
        if line > known {
            if std::mem::take(&mut resumed) {
                chunk = missing(importer, part, heading, chunk, line).await?;
            }
            importer.stores.statistics.add_samples(&heading.company, T::WRAP(chunk)).await?;
            importer.note_lines(line).await?;
        }
        importer.advance(count);
    }
    Ok(())
}

/// What is not in the store yet of a chunk that ends behind the line `end` of `part`: equal samples are as many in the
/// store as there are in the archive up to there.
async fn missing<T: Sample>(
    importer: &Importer<'_>,
    part: &Part,
    heading: &Heading,
    chunk: Vec<T>,
    end: u64,
) -> TransferResult<Vec<T>> {
    let chunk: Vec<(String, T)> = chunk.into_iter().map(|sample| (line(&sample), sample)).collect();
    let wanted: HashMap<String, i64> = chunk.iter().map(|(line, _)| (line.clone(), 0)).collect();
    let mut parts: Vec<(Part, u64)> = importer
        .parts()
        .iter()
        .filter(|earlier| (earlier.stage, &earlier.kind) == (part.stage, &part.kind))
        .map(|earlier| (earlier.clone(), u64::MAX))
        .collect();
    parts.push((part.clone(), end));
    let (archive, of) = (importer.archive.clone(), heading.clone());
    let mut lacking = blocking(move || {
        let mut wanted = wanted;
        for (part, lines) in parts {
            let mut reader = archive.read(&part)?;
            if reader.next::<Heading>()?.as_ref() != Some(&of) {
                continue;
            }
            for _ in 0..lines {
                let Some(sample) = reader.next::<T>()? else { break };
                if let Some(count) = wanted.get_mut(&line(&sample)) {
                    *count += 1;
                }
            }
        }
        Ok(wanted)
    })
    .await?;
    let mut after = None;
    loop {
        let statistics = &importer.stores.statistics;
        let page = statistics.samples(&heading.company, heading.kind, after.as_deref(), CHUNK).await?;
        for line in lines(&page.samples) {
            if let Some(count) = lacking.get_mut(&line) {
                *count -= 1;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let is_lacking = |line: &str| {
        let count = lacking.get_mut(line)?;
        *count -= 1;
        (*count >= 0).then_some(())
    };
    let mut is_lacking = is_lacking;
    Ok(chunk.into_iter().filter(|(line, _)| is_lacking(line).is_some()).map(|(_, sample)| sample).collect())
}
