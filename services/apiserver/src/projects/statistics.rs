//! Statistics of the projects on a page (spec 03 §2.5): a few grouped queries for all of them together.

use std::collections::{BTreeSet, HashMap, HashSet};

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Accumulator, Collection, Filter, Find, GroupBy, GroupKey};

use super::{
    children::{ChildrenType, active_users, children_tags},
    read::children_type,
    tree::texts,
};
use crate::{
    App,
    api::{ApiError, ApiResult},
    query::{Entity, Visibility, dictionary_filter, is_truthy, operator_filter},
    tasks::schema::TASK,
};

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

/// Whether archived tasks are looked at, or the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Active,
    Archived,
}

impl State {
    const BOTH: [Self; 2] = [Self::Active, Self::Archived];

    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }

    fn filter(self) -> Filter {
        match self {
            Self::Active => Filter::ne("system_tags", "archived"),
            Self::Archived => Filter::eq("system_tags", "archived"),
        }
    }
}

/// What of the statistics a request asks for.
#[derive(Debug)]
pub(super) struct StatisticsRequest {
    include_stats: bool,
    check_own_contents: bool,
    include_dataset_stats: bool,
    /// Contents of the projects below count as well.
    with_children: bool,
    /// Projects below count even if they are hidden.
    count_hidden: bool,
    children: Option<ChildrenType>,
    /// `None`: both.
    state: Option<State>,
    visibility: Visibility,
    /// What contents fulfil to count, beyond visibility and project.
    filter: Filter,
    /// The filter decides itself whether archived contents count.
    filters_archived: bool,
}

impl StatisticsRequest {
    /// Reads the flags and the filter.
    ///
    /// # Errors
    /// 400/12 for malformed filters and an unknown state.
    pub(super) fn read(request: &Document, visibility: Visibility) -> ApiResult<Self> {
        let flag = |name: &str| is_truthy(request.get(name));
        let children = children_type(request)?;
        let has_hidden_content = matches!(children, Some(ChildrenType::Pipeline | ChildrenType::Report));
        let (filter, filters_archived) = contents_filter(request, children)?;
        Ok(Self {
            include_stats: flag("include_stats"),
            check_own_contents: flag("check_own_contents"),
            include_dataset_stats: flag("include_dataset_stats"),
            with_children: request.get("stats_with_children").is_none_or(|value| is_truthy(Some(value))),
            count_hidden: has_hidden_content || flag("search_hidden"),
            children,
            state: read_state(request)?,
            visibility,
            filter: filter.and(active_users(request).unwrap_or(Filter::Everything)),
            filters_archived,
        })
    }

    fn contents_of(&self, field: &str, projects: &[String]) -> Filter {
        Filter::is_in(field, projects.iter().map(String::as_str))
            .and(self.visibility.clone().allow_public(true).filter())
            .and(self.filter.clone())
    }
}

fn read_state(request: &Document) -> ApiResult<Option<State>> {
    match request.get("stats_for_state") {
        None => Ok(Some(State::Active)),
        Some(Bson::Null) => Ok(None),
        Some(Bson::String(state)) if state == "active" => Ok(Some(State::Active)),
        Some(Bson::String(state)) if state == "archived" => Ok(Some(State::Archived)),
        Some(Bson::String(state)) if state == "hidden" => Ok(None),
        Some(other) => {
            let given = other.as_str().map_or_else(|| other.to_string(), ToOwned::to_owned);
            Err(ApiError::validation(format!(
                "error for field 'stats_for_state': value '{given}' is not a valid choice.."
            )))
        }
    }
}

/// `include_stats_filter`, or else what `children_type` implies; and whether it names the archived state.
fn contents_filter(request: &Document, children: Option<ChildrenType>) -> ApiResult<(Filter, bool)> {
    if let Some(given) = request.get("include_stats_filter").filter(|value| is_truthy(Some(value))) {
        let Bson::Document(fields) = given else {
            return Err(ApiError::validation(
                "Non empty list or dictionary expected for the field: include_stats_filter",
            ));
        };
        return explicit_filter(&TASK, fields);
    }
    let implied = |tag: &str, kind: &str| Filter::eq("system_tags", tag).and(Filter::eq("type", kind));
    let filter = match children {
        None => Filter::Everything,
        Some(ChildrenType::Dataset) => children_tags(request)?,
        Some(ChildrenType::Pipeline) => children_tags(request)?.and(implied("pipeline", "controller")),
        Some(ChildrenType::Report) => children_tags(request)?.and(implied("reports", "report")),
    };
    Ok((filter, false))
}

fn explicit_filter(entity: &Entity, fields: &Document) -> ApiResult<(Filter, bool)> {
    let mut filter = Filter::Everything;
    let mut names_archived = false;
    for (field, value) in fields {
        let condition = match value {
            Bson::Array(values) if !values.is_empty() => {
                if !values.iter().all(|value| matches!(value, Bson::String(_))) {
                    return Err(ApiError::validation(format!(
                        "Only string values are allowed in the list filter: {field}"
                    )));
                }
                let state_tag = |value: &Bson| matches!(value.as_str(), Some("archived" | "-archived"));
                names_archived |= field == "system_tags" && values.iter().any(state_tag);
                operator_filter(entity, field, value)?
            }
            Bson::Document(parts) if !parts.is_empty() => {
                names_archived |= field == "system_tags" && names_archived_in(parts);
                dictionary_filter(field, value)?
            }
            _ => {
                return Err(ApiError::validation(format!(
                    "Non empty list or dictionary expected for the field: {field}"
                )));
            }
        };
        filter = filter.and(condition);
    }
    Ok((filter, names_archived))
}

/// Whether the dictionary form of a filter has `archived` among its values.
fn names_archived_in(parts: &Document) -> bool {
    let values = parts.values().filter_map(Bson::as_document).flat_map(Document::values);
    values.filter_map(Bson::as_array).flatten().any(|value| value.as_str() == Some("archived"))
}

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
            add_dataset_counts(app, request, &ids, &below, page).await?;
        } else {
            add_task_statistics(app, request, &ids, &below, page).await?;
        }
    }
    if request.include_dataset_stats {
        add_dataset_sizes(app, request, &ids, page).await?;
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

async fn add_dataset_counts(
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
async fn datasets_below(
    app: &App,
    request: &StatisticsRequest,
    parents: &[String],
    fields: &[&str],
) -> ApiResult<Vec<Document>> {
    let filter = request.contents_of("parent", parents).and(Filter::eq("system_tags", "dataset"));
    Ok(app.documents.find(Collection::Project, Find::new(filter).include(fields.iter().copied())).await?)
}

async fn add_own_contents(
    app: &App,
    request: &StatisticsRequest,
    ids: &[String],
    page: &mut [Document],
) -> ApiResult<()> {
    if request.children == Some(ChildrenType::Dataset) {
        let mut counts: HashMap<String, i64> = HashMap::new();
        for dataset in datasets_below(app, request, ids, &["parent"]).await? {
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

/// Adds the size of each project's latest dataset version.
async fn add_dataset_sizes(
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
