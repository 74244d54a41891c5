//! Deleting the files that were written down (spec 02 §12.3, 06 §4.2). So far those on the file server.

use bson::{DateTime, Document};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Sort, Write};

use super::{StorageType, address::path_on_fileserver, fileserver::FileServerClient};
use crate::{App, api::ApiResult};

/// Most files of one round, and of one call to the file server.
const FILES_PER_ROUND: u64 = 10_000;

/// Deletes files that are due until none are left. A background job calls it every ten seconds.
pub(crate) async fn delete_due(app: &App) -> ApiResult<()> {
    if !app.settings.external_files.enabled {
        return Ok(());
    }
    // Files that fail are not due again before the retry timeout: the loop ends.
    while let Some(company) = next_company(app).await? {
        let records = due_records(app, &company).await?;
        if records.is_empty() {
            break;
        }
        delete_files(app, &records).await?;
    }
    Ok(())
}

/// Files on the file server that were not given up and have not failed lately.
fn due(app: &App) -> Filter {
    let settings = &app.settings.external_files;
    let retry_timeout = settings.retry_timeout.as_millis() as i64;
    let before = DateTime::from_millis(app.now().timestamp_millis().saturating_sub(retry_timeout));
    Filter::is_in("status", ["created", "retrying"])
        .and(Filter::lt("retry_count", i64::from(settings.max_retries)))
        .and(Filter::eq("storage_type", StorageType::FileServer.as_str()))
        .and(Filter::empty("last_failure_time").or(Filter::lt("last_failure_time", before)))
}

/// The company whose files are next: those with the fewest failures first.
async fn next_company(app: &App) -> ApiResult<Option<String>> {
    let find = Find::new(due(app)).sort(Sort::ascending("retry_count")).include(["company"]);
    let record = app.documents.find_one(Collection::UrlToDelete, find).await?;
    Ok(record.map(|record| record.get_str("company").unwrap_or_default().to_owned()))
}

async fn due_records(app: &App, company: &str) -> ApiResult<Vec<Document>> {
    let find = Find::new(due(app).and(Filter::eq("company", company)))
        .sort(Sort::ascending("url"))
        .limit(FILES_PER_ROUND)
        .include(["url", "retry_count"]);
    Ok(app.documents.find(Collection::UrlToDelete, find).await?)
}

/// A file to delete.
struct Due<'a> {
    id: &'a str,
    path: &'a str,
    retry_count: i64,
}

async fn delete_files(app: &App, records: &[Document]) -> ApiResult<()> {
    let settings = &app.settings.external_files;
    let mut writes = Vec::new();
    let mut files = Vec::new();
    for record in records {
        let id = record.get_str("_id").unwrap_or_default();
        let url = record.get_str("url").unwrap_or_default();
        match path_on_fileserver(url, &settings.fileserver_prefixes, &settings.fileserver_host) {
            None => writes.push(failed(
                app,
                id,
                "Invalid Fileserver url or missing Fileserver configuration for account",
            )),
            Some("") => writes.push(failed(app, id, "Empty path")),
            Some(path) => {
                let retry_count = record.get_i64("retry_count").unwrap_or(0);
                files.push(Due { id, path, retry_count });
            }
        }
    }
    if !files.is_empty() {
        writes.extend(ask_fileserver(app, &files).await?);
    }
    app.documents.write(Collection::UrlToDelete, writes).await?;
    Ok(())
}

/// Has the files deleted; what that means for their records.
async fn ask_fileserver(app: &App, files: &[Due<'_>]) -> ApiResult<Vec<Write>> {
    let server = FileServerClient::new(app)?;
    let paths: Vec<&str> = files.iter().map(|file| file.path).collect();
    let outcome = match server.check().await {
        Ok(()) => server.delete(&paths).await,
        Err(reason) => Err(reason),
    };
    Ok(match outcome {
        Ok(deletion) => {
            let gone = deletion.gone();
            tracing::debug!(files = files.len(), gone = gone.len(), "deleted files of removed tasks");
            files
                .iter()
                .map(|file| {
                    if gone.contains(file.path) {
                        Write::Delete { filter: Filter::id(file.id) }
                    } else {
                        retry(app, file, deletion.reason(file.path).unwrap_or("Not succeeded"))
                    }
                })
                .collect()
        }
        Err(reason) => {
            tracing::warn!(files = files.len(), reason, "failed to delete files on the file server");
            files.iter().map(|file| retry(app, file, &reason)).collect()
        }
    })
}

/// One failure more; at the limit the file is given up.
fn retry(app: &App, file: &Due<'_>, reason: &str) -> Write {
    let mut update = vec![
        Change::Increment("retry_count".to_owned(), 1),
        Change::set("last_failure_time", app.now()),
        Change::set("last_failure_reason", reason),
    ];
    if file.retry_count + 1 >= i64::from(app.settings.external_files.max_retries) {
        update.push(Change::set("status", "failed"));
    }
    Write::Update { filter: Filter::id(file.id), update, many: false, upsert: false }
}

/// A file that can't be deleted at all.
fn failed(app: &App, id: &str, reason: &str) -> Write {
    let update = vec![
        Change::set("status", "failed"),
        Change::set("last_failure_time", app.now()),
        Change::set("last_failure_reason", reason),
    ];
    Write::Update { filter: Filter::id(id), update, many: false, upsert: false }
}

#[cfg(test)]
mod tests;
