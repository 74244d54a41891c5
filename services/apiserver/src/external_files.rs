//! Events and files outside the documents that go when tasks or models are reset or deleted (spec 02 §7.4,
//! §12; 05 §12). Events are removed here; files are written down for the job that deletes them. What is about to
//! be removed is written down first, see [`announce`].

mod address;
mod deletion;
mod fileserver;
mod intent;
mod object_address;
mod objects;
mod schedule;
mod settings;

use std::{collections::HashSet, sync::Arc};

use clearml_events::{Pace, Selection, Source, UrlKind};

pub(crate) use deletion::delete_due;
pub(crate) use intent::{Announcement, Reason, announce, finish_interrupted};
use schedule::{StorageType, schedule};
pub use settings::ExternalFileSettings;

use crate::{
    App,
    api::{ApiResult, Call},
};

/// Ids per query to the event store.
const IDS_PER_QUERY: usize = 100;
/// Events per page of urls.
const URLS_PER_PAGE: usize = 1000;
/// From so many tasks on, a removal that may linger does.
const LINGERING_IDS: usize = 100;

/// Whether the caller waits until the events are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pacing {
    Wait,
    /// Large removals go on after the answer, at a measured pace.
    MayLinger,
}

/// What is to be removed.
#[derive(Debug)]
pub(crate) struct Removal {
    with_files: bool,
    /// Tasks and models whose events go.
    ids: Vec<String>,
    /// Owner (task or model) and its urls.
    urls: Vec<(String, Vec<String>)>,
    /// Records of what is written down about it.
    announced: Vec<String>,
}

/// For whom files are deleted.
#[derive(Debug, Clone, Copy)]
struct Subject<'a> {
    company: &'a str,
    user: &'a str,
    owner: &'a str,
}

impl Removal {
    /// An empty removal. `with_files`: the request's `delete_external_artifacts`.
    pub(crate) fn new(with_files: bool) -> Self {
        Self { with_files, ids: Vec::new(), urls: Vec::new(), announced: Vec::new() }
    }

    /// Adds a task or model, the models deleted with it, and the urls of its files.
    pub(crate) fn add(
        &mut self,
        owner: &str,
        deleted_models: &[String],
        urls: impl IntoIterator<Item = String>,
    ) {
        self.ids.push(owner.to_owned());
        self.ids.extend_from_slice(deleted_models);
        self.urls.push((owner.to_owned(), urls.into_iter().collect()));
    }
}

/// Removes the events, and schedules the deletion of the files before their addresses are lost with them.
pub(crate) async fn remove(
    app: &Arc<App>,
    call: &Call,
    mut removal: Removal,
    pacing: Pacing,
) -> ApiResult<()> {
    let announced = std::mem::take(&mut removal.announced);
    match remove_announced(app, call, removal, pacing, &announced).await {
        Ok(Progress::Done) => intent::forget(app, &announced).await,
        Ok(Progress::GoesOn) => Ok(()),
        Err(error) => {
            intent::abandon(app, &announced).await;
            Err(error)
        }
    }
}

/// How far a removal has come.
enum Progress {
    Done,
    /// Beside other calls.
    GoesOn,
}

async fn remove_announced(
    app: &Arc<App>,
    call: &Call,
    removal: Removal,
    pacing: Pacing,
    announced: &[String],
) -> ApiResult<Progress> {
    let Some((first_owner, _)) = removal.urls.first() else { return Ok(Progress::Done) };
    let company = call.company();
    if removal.with_files && app.settings.external_files.enabled {
        for (owner, urls) in &removal.urls {
            schedule(app, company, call.user(), owner, urls).await?;
        }
        let subject = Subject { company, user: call.user(), owner: first_owner };
        for ids in removal.ids.chunks(IDS_PER_QUERY) {
            schedule_event_urls(app, subject, ids).await?;
        }
    }
    if pacing == Pacing::MayLinger && lingers(app, company, &removal.ids).await? {
        let pace = Pace::EventsPerSecond(app.settings.external_files.max_async_deleted_events_per_sec);
        intent::linger(app, announced).await?;
        let (app, company, announced) = (Arc::clone(app), company.to_owned(), announced.to_vec());
        tokio::spawn(async move {
            for ids in removal.ids.chunks(IDS_PER_QUERY) {
                if let Err(error) = app.events.delete(&company, ids, pace).await {
                    tracing::error!(company, %error, "failed to delete events of removed tasks");
                    return intent::abandon(&app, &announced).await;
                }
            }
            if let Err(error) = intent::forget(&app, &announced).await {
                tracing::error!(company, error = error.message(), "failed to end a removal");
            }
        });
        return Ok(Progress::GoesOn);
    }
    for ids in removal.ids.chunks(IDS_PER_QUERY) {
        app.events.delete(company, ids, Pace::Fast).await?;
    }
    Ok(Progress::Done)
}

/// Whether [`remove`], of a removal with files, has this file deleted.
pub(crate) fn is_deletable(app: &App, url: &str) -> bool {
    let settings = &app.settings.external_files;
    settings.enabled && StorageType::of(url, &settings.fileserver_prefixes).is_some()
}

async fn lingers(app: &App, company: &str, ids: &[String]) -> ApiResult<bool> {
    let settings = &app.settings.external_files;
    if !settings.async_events_delete {
        return Ok(false);
    }
    if ids.len() >= LINGERING_IDS {
        return Ok(true);
    }
    let sources = ids.iter().map(|id| Source::new(company, id.as_str())).collect();
    let threshold = settings.async_events_delete_threshold;
    let count = app.events.count(&Selection::of(sources, None), Some(threshold + 1)).await?;
    Ok(count > threshold)
}

async fn schedule_event_urls(app: &App, subject: Subject<'_>, ids: &[String]) -> ApiResult<()> {
    let Subject { company, user, owner } = subject;
    for kind in [UrlKind::Images, UrlKind::Plots] {
        let mut after = None;
        loop {
            let page = app.events.urls(company, ids, kind, after.as_deref(), URLS_PER_PAGE).await?;
            let distinct: HashSet<String> = page.urls.into_iter().collect();
            let urls: Vec<String> = distinct.into_iter().collect();
            schedule(app, company, user, owner, &urls).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}
