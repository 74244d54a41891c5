//! How much of its queues a company's tasks used: `get_project_usages` (spec 09 §4.3).

mod groups;
mod period;
mod totals;

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document};
use clearml_documents::{Collection, Filter, Find, Sort};
use schemars::JsonSchema;
use serde::Deserialize;

use groups::Groups;
use period::Period;
use totals::Totals;

use crate::{
    App, UsageSettings,
    api::{ApiResult, Call, check},
    query::Visibility,
};

/// Tasks that are read and held at once.
const TASKS_PER_PAGE: usize = 2_000;

/// What usages are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BreakdownKey {
    Project,
    User,
    Queue,
}

impl BreakdownKey {
    const ALL: [Self; 3] = [Self::Project, Self::User, Self::Queue];

    /// The name in answers.
    const fn plural(self) -> &'static str {
        match self {
            Self::Project => "projects",
            Self::User => "users",
            Self::Queue => "queues",
        }
    }
}

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum UsageField {
    Duration,
    CpuUsage,
    GpuUsage,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UsagesRequest {
    #[serde(default)]
    projects: Vec<String>,
    from_date: String,
    to_date: String,
    #[serde(default)]
    include_development: bool,
    #[serde(default)]
    breakdown_keys: Vec<BreakdownKey>,
    #[serde(default)]
    usage_fields: Vec<UsageField>,
}

/// Usage per day and in total, by project, user and queue.
pub(super) async fn get_project_usages(app: Arc<App>, call: Arc<Call>, request: UsagesRequest) -> ApiResult {
    check::not_empty("projects", &request.projects)?;
    let period = Period::parse(&request.from_date, &request.to_date)?;
    let keys =
        if request.breakdown_keys.is_empty() { BreakdownKey::ALL.to_vec() } else { request.breakdown_keys };
    let fields = if request.usage_fields.is_empty() {
        vec![UsageField::Duration, UsageField::GpuUsage]
    } else {
        request.usage_fields
    };
    let visibility = Visibility::own_and_public(&call);
    let groups = Groups::load(&app, &visibility, &request.projects).await?;
    let queues = Queues::load(&app, &visibility).await?;

    let settings = &app.settings.organization.usages;
    let mut totals: Vec<Totals> = keys.iter().map(|_| Totals::default()).collect();
    let mut tasks =
        Tasks::new(&app, select(&period, &groups, &visibility, settings, request.include_development));
    let now = app.now();
    loop {
        let page = tasks.next_page().await?;
        for task in &page {
            let Some(span) = period.span_of(task, now) else { continue };
            let queue = task.get_document("execution").ok().and_then(|execution| text(execution, "queue"));
            let weights = queues.weights(queue.as_deref(), settings);
            for (key, totals) in keys.iter().zip(&mut totals) {
                let group = match key {
                    BreakdownKey::Project => {
                        text(task, "project").and_then(|project| groups.of(&project).map(str::to_owned))
                    }
                    BreakdownKey::User => text(task, "user"),
                    BreakdownKey::Queue => queue.as_deref().map(|queue| queues.group_of(queue).to_owned()),
                };
                let usage = totals.group(group, weights);
                for (day, seconds) in period.days_of(span) {
                    usage.add(day, seconds, weights);
                }
            }
        }
        if page.len() < TASKS_PER_PAGE {
            break;
        }
    }

    let mut answer = Document::new();
    for (key, totals) in keys.iter().zip(totals) {
        let names = match key {
            BreakdownKey::Project => groups.names(),
            BreakdownKey::User => user_names(&app, &visibility, totals.keys()).await?,
            BreakdownKey::Queue => queues.names(),
        };
        answer.insert(key.plural(), totals.answer(&period, &fields, &names));
    }
    Ok(answer.into())
}

/// The tasks that may have run in the period.
fn select(
    period: &Period,
    groups: &Groups,
    visibility: &Visibility,
    settings: &UsageSettings,
    include_development: bool,
) -> Filter {
    let after = |path: &str| Filter::gt(path, period.start());
    let running_then = Filter::eq("status", "in_progress")
        .or(after("completed"))
        .or(Filter::empty("completed").and(after("status_changed")));
    let mut filter = visibility
        .filter()
        .and(Filter::is_in("project", groups.projects()))
        .and(Filter::lt("started", period.end()))
        .and(running_then)
        .and(Filter::not_in("type", settings.excluded_task_types.iter().map(String::as_str)))
        .and(Filter::not_in("system_tags", settings.excluded_task_tags.iter().map(String::as_str)));
    if settings.exclude_app_parent_tasks {
        filter = filter.and(Filter::empty("application"));
    }
    if !include_development {
        filter = filter.and(Filter::ne("system_tags", "development"));
        if settings.exclude_tasks_without_queue {
            filter = filter.and(Filter::NotIn("execution.queue".to_owned(), vec![Bson::Null, "".into()]));
        }
    }
    filter
}

/// The selected tasks, page after page in the order of their ids.
struct Tasks<'a> {
    app: &'a App,
    filter: Filter,
    last: Option<Bson>,
}

impl<'a> Tasks<'a> {
    fn new(app: &'a App, filter: Filter) -> Self {
        Self { app, filter, last: None }
    }

    async fn next_page(&mut self) -> ApiResult<Vec<Document>> {
        let filter = match self.last.take() {
            Some(last) => self.filter.clone().and(Filter::Greater("_id".to_owned(), last)),
            None => self.filter.clone(),
        };
        let find = Find::new(filter)
            .include([
                "status",
                "started",
                "completed",
                "status_changed",
                "project",
                "user",
                "execution.queue",
            ])
            .sort(Sort::ascending("_id"))
            .limit(TASKS_PER_PAGE as u64);
        let page = self.app.documents.find(Collection::Task, find).await?;
        self.last = page.last().and_then(|task| task.get("_id").cloned());
        Ok(page)
    }
}

/// What one second in a queue is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weights {
    cpu: f64,
    gpu: f64,
    /// The queue says nothing of it: the weight is a default.
    cpu_is_default: bool,
    gpu_is_default: bool,
}

/// The queues that the caller sees.
struct Queues(HashMap<String, Document>);

/// Stands for all queues that are gone.
const OTHER: &str = "_other_";

impl Queues {
    async fn load(app: &App, visibility: &Visibility) -> ApiResult<Self> {
        let find = Find::new(visibility.filter()).include(["name", "display_name", "resources"]);
        let queues = app.documents.find(Collection::Queue, find).await?;
        Ok(Self(queues.into_iter().filter_map(|queue| Some((text(&queue, "_id")?, queue))).collect()))
    }

    fn group_of<'a>(&self, queue: &'a str) -> &'a str {
        if self.0.contains_key(queue) { queue } else { OTHER }
    }

    fn weights(&self, queue: Option<&str>, settings: &UsageSettings) -> Weights {
        let resources = queue.and_then(|queue| self.0.get(queue)?.get_document("resources").ok());
        let weight = |name: &str| match resources?.get(name)? {
            Bson::Double(weight) => Some(*weight),
            Bson::Int32(weight) => Some(f64::from(*weight)),
            Bson::Int64(weight) => Some(*weight as f64),
            _ => None,
        };
        let (cpu, gpu) = (weight("cpu_usage"), weight("gpu_usage"));
        Weights {
            cpu: cpu.unwrap_or(settings.default_cpu_usage),
            gpu: gpu.unwrap_or(settings.default_gpu_usage),
            cpu_is_default: cpu.is_none(),
            gpu_is_default: gpu.is_none(),
        }
    }

    fn names(&self) -> HashMap<String, String> {
        let named = self.0.iter().filter_map(|(id, queue)| {
            Some((id.clone(), text(queue, "display_name").or_else(|| text(queue, "name"))?))
        });
        named.chain([(OTHER.to_owned(), "other".to_owned())]).collect()
    }
}

async fn user_names(
    app: &App,
    visibility: &Visibility,
    ids: impl Iterator<Item = &str>,
) -> ApiResult<HashMap<String, String>> {
    let find = Find::new(Filter::ids(ids).and(visibility.filter())).include(["name"]);
    let users = app.documents.find(Collection::User, find).await?;
    Ok(users.iter().filter_map(|user| Some((text(user, "_id")?, text(user, "name")?))).collect())
}

/// A text that is there and not empty.
fn text(document: &Document, field: &str) -> Option<String> {
    document.get_str(field).ok().filter(|text| !text.is_empty()).map(str::to_owned)
}
