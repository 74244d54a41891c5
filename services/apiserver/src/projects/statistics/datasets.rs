//! Statistics of datasets: how many there are, how large the latest versions are.

use std::collections::{BTreeSet, HashMap, HashSet};

use bson::{Bson, Document, doc};
use clearml_documents::{Accumulator, Collection, Filter, Find, GroupBy, GroupKey};

use super::{
    SubProject,
    request::{State, StatisticsRequest},
    sub_project_list,
};
use crate::{App, api::ApiResult, projects::tree::texts};

/// Adds the number and tags of the datasets below each project.
pub(super) async fn add_counts(
    app: &App,
    request: &StatisticsRequest,
    ids: &[String],
    below: &[SubProject],
    page: &mut [Document],
) -> ApiResult<()> {
    let mut parents: Vec<String> = ids.to_vec();
    parents.extend(below.iter().map(|project| project.id.clone()));
    let datasets = datasets_below(app, request, &parents, &["parent", "tags"]).await?;
    for (id, project) in ids.iter().zip(page) {
        let members: HashSet<&str> = std::iter::once(id.as_str())
            .chain(
                below
                    .iter()
                    .filter(|sub| sub.path.iter().any(|ancestor| ancestor == id))
                    .map(|sub| sub.id.as_str()),
            )
            .collect();
        let mut count = 0_i64;
        let mut tags = BTreeSet::new();
        for dataset in &datasets {
            if dataset.get_str("parent").is_ok_and(|parent| members.contains(parent)) {
                count += 1;
                tags.extend(texts(dataset, "tags"));
            }
        }
        let tags: Vec<String> = tags.into_iter().collect();
        project.insert("stats", doc! { "datasets": { "count": count, "tags": tags } });
        project.insert("sub_projects", sub_project_list(request, below, id));
    }
    Ok(())
}

/// The datasets whose parent is one of these projects.
pub(super) async fn datasets_below(
    app: &App,
    request: &StatisticsRequest,
    parents: &[String],
    fields: &[&str],
) -> ApiResult<Vec<Document>> {
    let filter = request.contents_of("parent", parents).and(Filter::eq("system_tags", "dataset"));
    Ok(app.documents.find(Collection::Project, Find::new(filter).include(fields.iter().copied())).await?)
}

/// Adds the size of each project's latest dataset version.
pub(super) async fn add_sizes(
    app: &App,
    request: &StatisticsRequest,
    ids: &[String],
    page: &mut [Document],
) -> ApiResult<()> {
    let versions = Filter::is_in("project", ids.iter().map(String::as_str))
        .and(request.visibility.clone().allow_public(true).filter())
        .and(State::Active.filter())
        .and(Filter::NotEqual("runtime".to_owned(), Bson::Null))
        .and(Filter::NotEqual("runtime".to_owned(), Bson::Document(Document::new())));
    let group = GroupBy {
        filter: versions.clone(),
        keys: vec![("project".to_owned(), GroupKey::Field("project".to_owned()))],
        values: vec![("last_update".to_owned(), Accumulator::Max("last_update".to_owned()))],
    };
    let latest: Vec<Filter> = app
        .documents
        .group(Collection::Task, group)
        .await?
        .iter()
        .filter_map(|row| {
            let last_update = row.get("last_update").cloned().unwrap_or(Bson::Null);
            let project = Filter::eq("project", row.get_str("project").ok()?);
            Some(project.and(Filter::Equal("last_update".to_owned(), last_update)))
        })
        .collect();
    let mut sizes: HashMap<String, Document> = HashMap::new();
    if !latest.is_empty() {
        let find = Find::new(versions.and(Filter::Or(latest))).include([
            "project",
            "runtime.ds_file_count",
            "runtime.ds_total_size",
        ]);
        for task in app.documents.find(Collection::Task, find).await? {
            let Ok(project) = task.get_str("project") else { continue };
            let runtime = task.get_document("runtime").cloned().unwrap_or_default();
            let value = |name: &str| match runtime.get(name) {
                None | Some(Bson::Null) => Bson::Int64(0),
                Some(value) => value.clone(),
            };
            let size = doc! { "file_count": value("ds_file_count"), "total_size": value("ds_total_size") };
            sizes.insert(project.to_owned(), size);
        }
    }
    for (id, project) in ids.iter().zip(page) {
        let size = sizes.remove(id).map_or(Bson::Null, Bson::Document);
        project.insert("dataset_stats", size);
    }
    Ok(())
}
