//! Background jobs: repeated work that runs beside the calls (spec 01 §8.2).

mod outbound;
mod update_check;
mod usage_report;
mod watchdog;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use clearml_config::Settings;
use clearml_telemetry::Shutdown;
use tokio::task::JoinSet;

use crate::{App, api::ApiError, external_files, queues};

type Run = Arc<dyn Fn(Arc<App>) -> Pin<Box<dyn Future<Output = Result<(), ApiError>> + Send>> + Send + Sync>;

/// How often the processor and the memory are looked at.
const RESOURCE_INTERVAL: Duration = Duration::from_secs(5);
/// How often queues are looked at that have not been sampled for long.
const QUEUE_INTERVAL: Duration = Duration::from_mins(1);
/// How often removals are looked for that servers have left unfinished.
const REMOVALS_INTERVAL: Duration = Duration::from_mins(1);
/// How often files are looked for that are to be deleted.
const FILES_INTERVAL: Duration = Duration::from_secs(10);

/// The most often that newer servers are asked for.
const UPDATES_INTERVAL: Duration = Duration::from_mins(5);

/// Work to be done again and again.
#[derive(Clone)]
pub(crate) struct Job {
    name: &'static str,
    first_after: Duration,
    interval: Duration,
    /// Only one of all replicas does it in an interval.
    exclusive: bool,
    /// The key that the replica holds whose turn it is; `None`: one with the job's name.
    key: Option<&'static str>,
    run: Run,
}

impl Job {
    /// A job that runs for the first time after one interval.
    pub(crate) fn every<F, R>(name: &'static str, interval: Duration, run: F) -> Self
    where
        F: Fn(Arc<App>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ApiError>> + Send + 'static,
    {
        let run: Run = Arc::new(move |app| Box::pin(run(app)));
        // A zero interval would spin.
        let interval = interval.max(Duration::from_secs(1));
        Self { name, first_after: interval, interval, exclusive: false, key: None, run }
    }

    /// Runs for the first time earlier or later.
    #[must_use]
    pub(crate) fn first_after(mut self, delay: Duration) -> Self {
        self.first_after = delay;
        self
    }

    /// Takes turns under an official key.
    #[must_use]
    fn under_key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// Runs in one replica only.
    #[must_use]
    pub(crate) fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }
}

/// The running jobs of a process.
pub struct Jobs {
    loops: JoinSet<()>,
}

impl Jobs {
    /// Starts all jobs; they end when the shutdown begins.
    pub fn start(app: &Arc<App>, settings: &Settings, shutdown: &Shutdown) -> Self {
        Self::start_these(app, shutdown, all(settings))
    }

    fn start_these(app: &Arc<App>, shutdown: &Shutdown, jobs: Vec<Job>) -> Self {
        let mut loops = JoinSet::new();
        for job in jobs {
            loops.spawn(repeat(job, Arc::clone(app), shutdown.clone()));
        }
        Self { loops }
    }

    /// Waits until work in progress has ended, at most for `patience`.
    pub async fn stop(mut self, patience: Duration) {
        let ended = tokio::time::timeout(patience, async { while self.loops.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tracing::warn!("background jobs still running are cut off");
        }
    }
}

fn all(settings: &Settings) -> Vec<Job> {
    let mut jobs = vec![Job::every("resource monitor", RESOURCE_INTERVAL, |app| async move {
        let sampled = tokio::task::spawn_blocking(move || app.resources.sample()).await;
        sampled.map_err(|error| ApiError::unexpected(error.to_string()))
    })];
    let watchdog = &settings.services.tasks.non_responsive_tasks_watchdog;
    if watchdog.enabled {
        let threshold = watchdog.threshold_sec.duration();
        let run = move |app: Arc<App>| async move { watchdog::stop_non_responsive(&app, threshold).await };
        jobs.push(Job::every("task watchdog", watchdog.watch_interval_sec.duration(), run).exclusive());
    }
    let refresh = settings.services.queues.metrics_refresh_interval_sec.duration();
    if !refresh.is_zero() {
        let run = move |app: Arc<App>| async move { queues::metrics::refresh(&app, refresh).await };
        let job = Job::every("queue metrics", QUEUE_INTERVAL, run).exclusive();
        jobs.push(job.first_after(Duration::from_secs(10)));
    }
    let finish = |app: Arc<App>| async move { external_files::finish_interrupted(&app).await };
    let job = Job::every("interrupted removals", REMOVALS_INTERVAL, finish).exclusive();
    jobs.push(job.first_after(Duration::from_secs(1)));
    let updates = settings.apiserver.check_for_updates.clone();
    if updates.enabled {
        let interval = updates.check_interval_sec.duration().max(UPDATES_INTERVAL);
        let run = move |app: Arc<App>| {
            let updates = updates.clone();
            async move { update_check::check(&app, &updates).await }
        };
        let job = Job::every("update check", interval, run).exclusive().under_key("check_updates");
        jobs.push(job.first_after(Duration::from_secs(10)));
    }
    let statistics = settings.apiserver.statistics.clone();
    if statistics.supported && statistics.report_interval_hours > 0 {
        let interval = Duration::from_hours(u64::from(statistics.report_interval_hours));
        let run = move |app: Arc<App>| {
            let statistics = statistics.clone();
            async move { usage_report::send(&app, &statistics).await }
        };
        jobs.push(Job::every("usage report", interval, run).exclusive());
    }
    if settings.services.async_urls_delete.enabled {
        let run = |app: Arc<App>| async move { external_files::delete_due(&app).await };
        jobs.push(Job::every("file deletion", FILES_INTERVAL, run).exclusive());
    }
    jobs
}

async fn repeat(job: Job, app: Arc<App>, shutdown: Shutdown) {
    let mut delay = job.first_after;
    loop {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shutdown.begun() => return,
        }
        delay = job.interval;
        if job.exclusive && !is_mine(&job, &app).await {
            continue;
        }
        // In a task of its own: a panic ends this run, not the job.
        let mut run = tokio::spawn((job.run)(Arc::clone(&app)));
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                () = tokio::time::sleep(job.turn() / 3), if job.exclusive => keep(&job, &app).await,
            }
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(job = job.name, error = error.message(), "a background job failed");
            }
            Err(error) => tracing::error!(job = job.name, %error, "a background job panicked"),
        }
    }
}

impl Job {
    /// The key that the replica holds whose turn it is.
    fn key(&self) -> String {
        self.key.map_or_else(|| format!("job_{}", self.name.replace(' ', "_")), str::to_owned)
    }

    /// How long a turn lasts: a little shorter than the interval, so that the same replica is not in its own
    /// way.
    fn turn(&self) -> Duration {
        self.interval.mul_f64(0.9)
    }
}

/// Takes the present interval for this replica.
async fn is_mine(job: &Job, app: &App) -> bool {
    match app.state.set_if_absent(&job.key(), "running", job.turn()).await {
        Ok(is_mine) => is_mine,
        Err(error) => {
            tracing::warn!(job = job.name, %error, "failed to take a background job");
            false
        }
    }
}

/// Holds the turn while a run lasts longer than the interval, so that no other replica does the same work.
async fn keep(job: &Job, app: &App) {
    if let Err(error) = app.state.expire(&job.key(), job.turn()).await {
        tracing::warn!(job = job.name, %error, "failed to hold on to a background job");
    }
}

#[cfg(test)]
mod tests;
