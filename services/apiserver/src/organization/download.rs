//! Lists of tasks and models as CSV files (spec 03 §3.4, 09 §4.2).

mod columns;
mod csv;

use std::{io, sync::Arc};

use axum::body::Body;
use bson::{Bson, Document, doc};
use bytes::Bytes;
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use futures::stream;
use schemars::JsonSchema;
use serde::Deserialize;

use columns::Columns;

use crate::{
    App,
    api::{
        ApiError, ApiResult, Call, Reply, check, codes, from_document,
        json::{self, Limits},
    },
    models::{self, schema::MODEL},
    query::{Query, Visibility, as_list, is_truthy, with_subprojects},
    tasks::{conversion, schema::TASK},
};

/// Parameters that say which part of a list is wanted: a file holds all of it.
const PAGING: [&str; 6] = ["scroll_id", "refresh_scroll", "start", "size", "page", "page_size"];

/// What a file lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    Tasks,
    Models,
}

impl Listed {
    fn parse(entity_type: &str) -> ApiResult<Self> {
        match entity_type {
            "task" => Ok(Self::Tasks),
            "model" => Ok(Self::Models),
            other => Err(ApiError::validation(format!("Unsupported entity type: {other}"))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Models => "models",
        }
    }

    /// The list that the request asks for, as `get_all_ex` answers it.
    async fn fetch(self, app: &App, call: &Call, request: Document) -> ApiResult<Vec<Document>> {
        let query = match self {
            Self::Tasks => Query::joined(app, call, &TASK, request).prepare()?.hide_hidden(),
            Self::Models => Query::joined(app, call, &MODEL, request).prepare()?,
        };
        let mut items = query.fetch().await?.items;
        for item in &mut items {
            match self {
                Self::Tasks => conversion::outgoing(item, call.version),
                Self::Models => models::convert(item, call),
            }
        }
        Ok(items)
    }
}

#[derive(Debug, Deserialize)]
struct PrepareRequest {
    entity_type: String,
    #[serde(default)]
    only_fields: Vec<String>,
}

/// `organization.prepare_download_for_get_all`: remembers a request for its download, after a try.
pub(super) async fn prepare(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let PrepareRequest { entity_type, only_fields } = from_document(&request)?;
    let listed = Listed::parse(&entity_type)?;
    check::not_empty("only_fields", &only_fields)?;
    Columns::read(&request)?;

    let mut attempt = all_of(request.clone());
    attempt.extend(doc! {"page": 0, "page_size": 1});
    listed.fetch(&app, &call, attempt).await?;

    let mut text = Vec::new();
    json::write_document(&mut text, &request)
        .map_err(|error| ApiError::unexpected(format!("failed to keep a request: {error}")))?;
    let text = String::from_utf8(text).map_err(|error| ApiError::unexpected(error.to_string()))?;
    let time_to_live = app.settings.organization.download.time_to_live;
    app.state.set(&key(&call.id), &text, Some(time_to_live)).await?;
    Ok(doc! {"prepare_id": &call.id}.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DownloadRequest {
    prepare_id: String,
}

/// `organization.download_for_get_all`: the prepared list as a file.
pub(super) async fn download(app: Arc<App>, call: Arc<Call>, request: DownloadRequest) -> ApiResult {
    let id = request.prepare_id;
    let text = app.state.get(&key(&id)).await?.ok_or_else(|| {
        ApiError::new(codes::INVALID_ID).extra("prepare ID not found").with("prepare_id", id.as_str())
    })?;
    let mut request = parse(&text).ok_or_else(|| {
        ApiError::new(codes::DATA_ERROR).extra("failed parsing prepared data").with("prepare_id", id.as_str())
    })?;
    let PrepareRequest { entity_type, .. } = from_document(&request)?;
    let listed = Listed::parse(&entity_type)?;
    let columns = Columns::read(&request)?;
    let file_name = file_name(&app, &call, listed, request.get("project")).await?;
    request = all_of(request);
    if is_truthy(request.get("include_subprojects"))
        && let Some(project) = request.get("project").filter(|project| is_truthy(Some(project)))
    {
        let projects = with_subprojects(&app, as_list(project)).await?;
        request.insert("project", projects);
    }

    let download = Download { app, call, listed, columns, request };
    // The first rows are read before the answer begins: a query that fails is answered as an error.
    let first = download.rows(0).await?;
    let header = download.columns.header(!first.is_empty());
    let rows = stream::try_unfold((download, Some((header, first, 0))), |(download, page)| async move {
        let Some((mut text, rows, read)) = page else { return Ok(None) };
        download.columns.write(&mut text, &rows);
        let read = read + rows.len() as u64;
        let next = if (rows.len() as u64) < download.batch_size() {
            None
        } else {
            let rows = download.rows(read).await.map_err(|error| io::Error::other(error.message()))?;
            (!rows.is_empty()).then(|| (Vec::new(), rows, read))
        };
        Ok::<_, io::Error>(Some((Bytes::from(text), (download, next))))
    });
    Ok(Reply::Raw { content_type: "text/csv", file_name, body: Body::from_stream(rows) })
}

fn key(id: &str) -> String {
    format!("get_all_download_{id}")
}

fn parse(text: &str) -> Option<Document> {
    match Bson::from(json::read(text.as_bytes(), Limits::default()).ok()?) {
        Bson::Document(document) => Some(document),
        _ => None,
    }
}

fn all_of(mut request: Document) -> Document {
    for parameter in PAGING {
        request.remove(parameter);
    }
    request
}

struct Download {
    app: Arc<App>,
    call: Arc<Call>,
    listed: Listed,
    columns: Columns,
    request: Document,
}

impl Download {
    fn batch_size(&self) -> u64 {
        self.app.settings.organization.download.batch_size.max(1)
    }

    /// The rows after so many.
    async fn rows(&self, start: u64) -> ApiResult<Vec<Document>> {
        let left = self.app.settings.organization.download.max_items.saturating_sub(start);
        let size = self.batch_size().min(left);
        if size == 0 {
            return Ok(Vec::new());
        }
        let mut request = self.request.clone();
        request.extend(doc! {"start": start as i64, "size": size as i64});
        self.listed.fetch(&self.app, &self.call, request).await
    }
}

/// `clearml-<project>-tasks.csv`; without the project if not just one is listed.
async fn file_name(app: &App, call: &Call, listed: Listed, project: Option<&Bson>) -> ApiResult<String> {
    let project = match project.map(as_list).as_deref() {
        Some([Bson::Null]) => Some("root".to_owned()),
        Some([Bson::String(id)]) => {
            let visible = Filter::id(id.as_str()).and(Visibility::own_and_public(call).filter());
            let find = Find::new(visible).include(["basename", "name"]);
            let project = app.documents.find_one(Collection::Project, find).await?;
            project.and_then(|project| {
                let name = project.get_str("basename").or_else(|_| project.get_str("name")).ok()?;
                let length = app.settings.organization.download.max_project_name_length;
                Some(name.chars().take(length).collect())
            })
        }
        _ => None,
    };
    let parts = ["clearml".to_owned()].into_iter().chain(project).chain([listed.name().to_owned()]);
    Ok(format!("{}.csv", parts.collect::<Vec<_>>().join("-")))
}
