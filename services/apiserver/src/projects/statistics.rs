//! Statistics of the projects on a page (spec 03 §2.5): a few grouped queries for all of them together.

mod datasets;
mod request;

use std::collections::{HashMap, HashSet};

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Accumulator, Collection, Filter, Find, GroupBy, GroupKey};

use request::State;
pub(super) use request::StatisticsRequest;

use super::{children::ChildrenType, tree::texts};
use crate::{App, api::ApiResult, query::is_truthy};

const STATUSES: [&str; 10] = [
    "created",
    "queued",
    "in_progress",
    "stopped",
    "publishing",
    "published",
    "closed",
    "failed",
    "completed",
    "unknown",
];
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// A project below those on the page.
struct SubProject {
    id: String,
    name: String,
    path: Vec<String>,
    hidden: bool,
}

/// Adds what the request asks for to the projects of a page. `selected`: only these projects below count.
pub(super) async fn add(
    app: &App,
    request: &StatisticsRequest,
    selected: Option<&HashSet<String>>,
    page: &mut [Document],
) -> ApiResult<()> {
    let ids: Vec<String> =
        page.iter().filter_map(|project| project.get_str("id").ok().map(ToOwned::to_owned)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    if request.check_own_contents {
        add_own_contents(app, request, &ids, page).await?;
    }
    if request.include_stats {
        let below = sub_projects(app, request, selected, &ids).await?;
        if request.children == Some(ChildrenType::Dataset) {
            datasets::add_counts(app, request, &ids, &below, page).await?;
        } else {
            add_task_statistics(app, request, &ids, &below, page).await?;
        }
    }
    if request.include_dataset_stats {
        datasets::add_sizes(app, request, &ids, page).await?;
    }
    Ok(())
}

async fn sub_projects(
    app: &App,
    request: &StatisticsRequest,
    selected: Option<&HashSet<String>>,
    ids: &[String],
) -> ApiResult<Vec<SubProject>> {
    if !request.with_children {
        return Ok(Vec::new());
    }
    let filter = Filter::is_in("path", ids.iter().map(String::as_str))
        .and(request.visibility.clone().allow_public(true).filter());
    let find = Find::new(filter).include(["name", "path", "system_tags"]);
    let mut below: Vec<SubProject> = app
        .documents
        .find(Collection::Project, find)
        .await?
        .iter()
        .map(|project| SubProject {
            id: project.get_str("_id").unwrap_or_default().to_owned(),
            name: project.get_str("name").unwrap_or_default().to_owned(),
            path: texts(project, "path"),
            hidden: texts(project, "system_tags").iter().any(|tag| tag == "hidden"),
        })
        .filter(|project| selected.is_none_or(|selected| selected.contains(&project.id)))
        .collect();
    below.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(below)
}

/// The sub-projects of one project that are listed and whose tasks count.
fn counted<'a>(
    request: &StatisticsRequest,
    below: &'a [SubProject],
    project: &str,
) -> impl Iterator<Item = &'a SubProject> {
    let count_hidden = request.count_hidden;
    below
        .iter()
        .filter(move |candidate| count_hidden || !candidate.hidden)
        .filter(move |candidate| candidate.path.iter().any(|ancestor| ancestor == project))
}

fn sub_project_list(request: &StatisticsRequest, below: &[SubProject], project: &str) -> Vec<Document> {
    counted(request, below, project)
        .map(|candidate| doc! { "id": &candidate.id, "name": &candidate.name })
        .collect()
}

/// What is summed up over the tasks of one state in a project.
#[derive(Debug, Clone, Default)]
struct TaskTotals {
    by_status: HashMap<String, i64>,
    runtime: i64,
    completed_24h: i64,
    last_run: Option<DateTime>,
}

impl TaskTotals {
    fn add(&mut self, other: &Self) {
        for (status, count) in &other.by_status {
            *self.by_status.entry(status.clone()).or_default() += count;
        }
        self.runtime += other.runtime;
        self.completed_24h += other.completed_24h;
        self.last_run = self.last_run.max(other.last_run);
    }

    fn answer(&self) -> Document {
        let mut status_count = Document::new();
        for status in STATUSES {
            status_count.insert(status, self.by_status.get(status).copied().unwrap_or_default());
        }
        let total: i64 = self.by_status.values().sum();
        let runtime = if total == 0 { Bson::Int64(0) } else { Bson::Double(self.runtime as f64) };
        doc! {
            "status_count": status_count,
            "total_tasks": total,
            "total_runtime": runtime,
            "completed_tasks_24h": self.completed_24h,
            "last_task_run": self.last_run.map_or(Bson::Null, Bson::DateTime),
        }
    }
}

async fn add_task_statistics(
    app: &App,
    request: &StatisticsRequest,
    ids: &[String],
    below: &[SubProject],
    page: &mut [Document],
) -> ApiResult<()> {
    let counted_below = below.iter().filter(|project| request.count_hidden || !project.hidden);
    let mut projects: Vec<String> = ids.to_vec();
    projects.extend(counted_below.map(|project| project.id.clone()));
    projects.sort_unstable();
    projects.dedup();
    let totals = task_totals(app, request, &projects).await?;

    let states = request.state.map_or_else(|| State::BOTH.to_vec(), |state| vec![state]);
    for (id, project) in ids.iter().zip(page) {
        let mut by_state = Document::new();
        for state in &states {
            let mut sum = TaskTotals::default();
            let members =
                std::iter::once(id.as_str()).chain(counted(request, below, id).map(|sub| sub.id.as_str()));
            for member in members {
                if let Some(own) = totals.get(&(member.to_owned(), *state)) {
                    sum.add(own);
                }
            }
            by_state.insert(state.name(), sum.answer());
        }
        project.insert("stats", by_state);
        project.insert("sub_projects", sub_project_list(request, below, id));
    }
    Ok(())
}

async fn task_totals(
    app: &App,
    request: &StatisticsRequest,
    projects: &[String],
) -> ApiResult<HashMap<(String, State), TaskTotals>> {
    let state = request.state.map_or(Filter::Everything, State::filter);
    let day_ago = DateTime::from_millis(app.now().timestamp_millis() - DAY_MILLISECONDS);
    let completed_lately =
        Filter::gt("completed", day_ago).and(Filter::not_in("status", ["queued", "in_progress", "failed"]));
    let group = GroupBy {
        filter: request.contents_of("project", projects).and(state),
        keys: vec![
            ("project".to_owned(), GroupKey::Field("project".to_owned())),
            ("status".to_owned(), GroupKey::Field("status".to_owned())),
            ("archived".to_owned(), GroupKey::Matches(State::Archived.filter())),
        ],
        values: vec![
            ("count".to_owned(), Accumulator::Count),
            (
                "runtime".to_owned(),
                Accumulator::SumSeconds { from: "started".to_owned(), to: "completed".to_owned() },
            ),
            ("completed_24h".to_owned(), Accumulator::CountIf(completed_lately)),
            ("last_run".to_owned(), Accumulator::Max("started".to_owned())),
        ],
    };
    let mut totals: HashMap<(String, State), TaskTotals> = HashMap::new();
    for row in app.documents.group(Collection::Task, group).await? {
        let Ok(project) = row.get_str("project") else { continue };
        let state = if is_truthy(row.get("archived")) { State::Archived } else { State::Active };
        let status =
            row.get_str("status").ok().filter(|status| STATUSES.contains(status)).unwrap_or("unknown");
        totals.entry((project.to_owned(), state)).or_default().add(&TaskTotals {
            by_status: HashMap::from([(status.to_owned(), integer(&row, "count"))]),
            runtime: integer(&row, "runtime"),
            completed_24h: integer(&row, "completed_24h"),
            last_run: row.get_datetime("last_run").ok().copied(),
        });
    }
    Ok(totals)
}

/// A number that a store computed.
fn integer(row: &Document, field: &str) -> i64 {
    match row.get(field) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    }
}

async fn add_own_contents(
    app: &App,
    request: &StatisticsRequest,
    ids: &[String],
    page: &mut [Document],
) -> ApiResult<()> {
    if request.children == Some(ChildrenType::Dataset) {
        let mut counts: HashMap<String, i64> = HashMap::new();
        for dataset in datasets::datasets_below(app, request, ids, &["parent"]).await? {
            if let Ok(parent) = dataset.get_str("parent") {
                *counts.entry(parent.to_owned()).or_default() += 1;
            }
        }
        insert_counts("own_datasets", &counts, ids, page);
        return Ok(());
    }
    let state = match request.state {
        Some(state) if !request.filters_archived => state.filter(),
        _ => Filter::Everything,
    };
    for (name, collection) in [("own_tasks", Collection::Task), ("own_models", Collection::Model)] {
        let group = GroupBy {
            filter: request.contents_of("project", ids).and(state.clone()),
            keys: vec![("project".to_owned(), GroupKey::Field("project".to_owned()))],
            values: vec![("count".to_owned(), Accumulator::Count)],
        };
        let rows = app.documents.group(collection, group).await?;
        let counts = rows
            .iter()
            .filter_map(|row| Some((row.get_str("project").ok()?.to_owned(), integer(row, "count"))))
            .collect();
        insert_counts(name, &counts, ids, page);
    }
    Ok(())
}

fn insert_counts(name: &str, counts: &HashMap<String, i64>, ids: &[String], page: &mut [Document]) {
    for (id, project) in ids.iter().zip(page) {
        project.insert(name, counts.get(id).copied().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api::Reply,
        projects::read::get_all_ex,
        query::testing::{CountedApp, call},
    };

    /// A page of projects with all statistics takes a fixed number of readings.
    #[tokio::test]
    async fn statistics_do_not_ask_per_project() {
        let counted = CountedApp::start();
        let top = |n: i32| doc! { "_id": format!("p{n}"), "name": format!("project {n}"), "path": [] };
        let below = |n: i32| {
            let (id, parent) = (format!("s{n}"), format!("p{n}"));
            doc! { "_id": id, "name": format!("project {n}/s"), "path": [&parent], "parent": &parent }
        };
        counted.store(Collection::Project, (0..50).map(top)).await;
        counted.store(Collection::Project, (0..50).map(below)).await;
        let task = |n: i32| {
            let (project, status) = (format!("s{}", n % 50), "created");
            doc! { "_id": format!("t{n}"), "project": project, "status": status, "runtime": {"ds_file_count": 1} }
        };
        counted.store(Collection::Task, (0..200).map(task)).await;

        let request = doc! {
            "shallow_search": true, "page_size": 50, "order_by": ["featured", "-last_update"],
            "include_stats": true, "check_own_contents": true, "include_dataset_stats": true,
        };
        let reply = get_all_ex(Arc::clone(&counted.app), Arc::new(call()), request).await.unwrap();
        let Reply::Data(data) = reply else { panic!("{reply:?}") };
        let projects = data.get_array("projects").unwrap();
        assert_eq!(projects.len(), 50);
        for project in projects.iter().filter_map(Bson::as_document) {
            let active = project.get_document("stats").unwrap().get_document("active").unwrap();
            assert_eq!(active.get_i64("total_tasks").unwrap(), 4);
        }
        // The page in two parts (`featured` first, and those without), tasks and models in them, the
        // projects below, their tasks, the latest dataset versions.
        assert!(counted.store.take_readings() <= 7);
    }
}
