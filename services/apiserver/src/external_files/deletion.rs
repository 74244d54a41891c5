//! Deleting the files that were written down (spec 02 §12.3, 06 §4.2).

use std::collections::BTreeMap;

use bson::{DateTime, Document};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Sort, Write};

use super::{
    StorageType,
    address::path_on_fileserver,
    fileserver::FileServerClient,
    object_address::{Base, locate, provider_name},
    objects,
};
use crate::{
    App,
    api::ApiResult,
    storage::{Credentials, credentials_of},
};

/// Most files of one round, and of one call to the file server.
const FILES_PER_ROUND: u64 = 10_000;
/// Most bytes of paths in one call to the file server.
const PATH_BYTES_PER_CALL: usize = 4 << 20;

/// Deletes files that are due until none are left. A background job calls it every ten seconds.
pub(crate) async fn delete_due(app: &App) -> ApiResult<()> {
    if !app.settings.external_files.enabled {
        return Ok(());
    }
    // Files that fail are not due again before the retry timeout: the loop ends.
    while let Some((company, storage)) = next_files(app).await? {
        let records = due_records(app, &company, storage).await?;
        if records.is_empty() {
            break;
        }
        let files: Vec<Due<'_>> = records.iter().map(Due::of).collect();
        let outcomes = if storage == StorageType::FileServer {
            delete_on_fileserver(app, &files).await?
        } else {
            delete_objects(app, &credentials_of(app, &company).await?, storage, &files).await
        };
        let gone = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Gone).count();
        tracing::debug!(
            storage = storage.as_str(),
            files = files.len(),
            gone,
            "deleted files of removed tasks"
        );
        let writes = outcomes.into_iter().map(|(file, outcome)| outcome.into_write(app, file)).collect();
        app.documents.write(Collection::UrlToDelete, writes).await?;
    }
    Ok(())
}

/// Files that were not given up and have not failed lately.
fn due(app: &App) -> Filter {
    let settings = &app.settings.external_files;
    let retry_timeout = settings.retry_timeout.as_millis() as i64;
    let before = DateTime::from_millis(app.now().timestamp_millis().saturating_sub(retry_timeout));
    Filter::is_in("status", ["created", "retrying"])
        .and(Filter::lt("retry_count", i64::from(settings.max_retries)))
        .and(Filter::is_in("storage_type", StorageType::ALL.map(StorageType::as_str)))
        .and(Filter::empty("last_failure_time").or(Filter::lt("last_failure_time", before)))
}

/// The company and the storage whose files are next: those with the fewest failures first.
async fn next_files(app: &App) -> ApiResult<Option<(String, StorageType)>> {
    let find = Find::new(due(app)).sort(Sort::ascending("retry_count")).include(["company", "storage_type"]);
    let record = app.documents.find_one(Collection::UrlToDelete, find).await?;
    Ok(record.and_then(|record| {
        let storage = StorageType::from_name(record.get_str("storage_type").ok()?)?;
        Some((record.get_str("company").unwrap_or_default().to_owned(), storage))
    }))
}

async fn due_records(app: &App, company: &str, storage: StorageType) -> ApiResult<Vec<Document>> {
    let theirs = Filter::eq("company", company).and(Filter::eq("storage_type", storage.as_str()));
    let find = Find::new(due(app).and(theirs))
        .sort(Sort::ascending("url"))
        .limit(FILES_PER_ROUND)
        .include(["url", "retry_count"]);
    Ok(app.documents.find(Collection::UrlToDelete, find).await?)
}

/// A file to delete.
#[derive(Debug, Clone, Copy)]
struct Due<'a> {
    id: &'a str,
    url: &'a str,
    retry_count: i64,
}

impl<'a> Due<'a> {
    fn of(record: &'a Document) -> Self {
        let retry_count = record.get("retry_count");
        Self {
            id: record.get_str("_id").unwrap_or_default(),
            url: record.get_str("url").unwrap_or_default(),
            // The official server writes 32 bits.
            retry_count: retry_count
                .and_then(|count| count.as_i64().or_else(|| count.as_i32().map(i64::from)))
                .unwrap_or(0),
        }
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// Deleted, now or before.
    Gone,
    /// Worth another attempt.
    Failed(String),
    /// Never to be deleted.
    Hopeless(String),
}

impl Outcome {
    /// What it means for the file's record.
    fn into_write(self, app: &App, file: Due<'_>) -> Write {
        let filter = Filter::id(file.id);
        let (reason, given_up, counts) = match self {
            Self::Gone => return Write::Delete { filter },
            Self::Failed(reason) => {
                let max_retries = i64::from(app.settings.external_files.max_retries);
                (reason, file.retry_count + 1 >= max_retries, true)
            }
            Self::Hopeless(reason) => (reason, true, false),
        };
        let mut update =
            vec![Change::set("last_failure_time", app.now()), Change::set("last_failure_reason", reason)];
        if counts {
            update.push(Change::Increment("retry_count".to_owned(), 1));
        }
        if given_up {
            update.push(Change::set("status", "failed"));
        }
        Write::Update { filter, update, many: false, upsert: false }
    }
}

async fn delete_on_fileserver<'a>(app: &App, files: &[Due<'a>]) -> ApiResult<Vec<(Due<'a>, Outcome)>> {
    let settings = &app.settings.external_files;
    let mut outcomes = Vec::with_capacity(files.len());
    let mut with_paths = Vec::new();
    for file in files {
        match path_on_fileserver(file.url, &settings.fileserver_prefixes, &settings.fileserver_host) {
            None => {
                let name = provider_name(StorageType::FileServer);
                let reason = format!("Invalid {name} url or missing {name} configuration for account");
                outcomes.push((*file, Outcome::Hopeless(reason)));
            }
            Some("") => outcomes.push((*file, Outcome::Hopeless("Empty path".to_owned()))),
            Some(path) => with_paths.push((*file, path)),
        }
    }
    let mut rest = with_paths.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|(_, path)| {
            bytes += path.len();
            bytes <= PATH_BYTES_PER_CALL
        });
        let (call, later) = rest.split_at(fitting.count().max(1));
        outcomes.extend(ask_fileserver(app, call).await?);
        rest = later;
    }
    Ok(outcomes)
}

/// Has the files deleted with one call.
async fn ask_fileserver<'a>(app: &App, files: &[(Due<'a>, &str)]) -> ApiResult<Vec<(Due<'a>, Outcome)>> {
    let server = FileServerClient::new(app)?;
    let paths: Vec<&str> = files.iter().map(|(_, path)| *path).collect();
    let answer = match server.check().await {
        Ok(()) => server.delete(&paths).await,
        Err(reason) => Err(reason),
    };
    let deletion = match answer {
        Ok(deletion) => deletion,
        Err(reason) => {
            tracing::warn!(files = files.len(), reason, "failed to delete files on the file server");
            return Ok(files.iter().map(|(file, _)| (*file, Outcome::Failed(reason.clone()))).collect());
        }
    };
    let gone = deletion.gone();
    let outcome = |path: &str| match deletion.reason(path) {
        _ if gone.contains(path) => Outcome::Gone,
        reason => Outcome::Failed(reason.unwrap_or("Not succeeded").to_owned()),
    };
    Ok(files.iter().map(|(file, path)| (*file, outcome(path))).collect())
}

async fn delete_objects<'a>(
    app: &App,
    credentials: &Credentials,
    storage: StorageType,
    files: &[Due<'a>],
) -> Vec<(Due<'a>, Outcome)> {
    let mut outcomes = Vec::with_capacity(files.len());
    let mut by_base: BTreeMap<Base, (Vec<Due<'a>>, Vec<String>)> = BTreeMap::new();
    for file in files {
        match locate(storage, file.url, credentials) {
            Ok((base, key)) => {
                let (files, keys) = by_base.entry(base).or_default();
                files.push(*file);
                keys.push(key);
            }
            Err(reason) => outcomes.push((*file, Outcome::Hopeless(reason))),
        }
    }
    for (base, (files, keys)) in by_base {
        match objects::delete(app, credentials, &base, &keys).await {
            Ok(results) => {
                let results = results.into_iter().map(|result| match result {
                    Ok(()) => Outcome::Gone,
                    Err(reason) => Outcome::Failed(reason),
                });
                outcomes.extend(files.into_iter().zip(results));
            }
            Err(reason) => {
                tracing::warn!(bucket = base.bucket, files = files.len(), reason, "failed to delete objects");
                outcomes.extend(files.into_iter().map(|file| (file, Outcome::Failed(reason.clone()))));
            }
        }
    }
    outcomes
}

#[cfg(test)]
mod tests;
