//! The runner, and the watchdog on stored tasks.

use std::sync::atomic::{AtomicU32, Ordering};

use bson::{DateTime, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use clearml_events::NameLimits;

use super::*;
use crate::Stores;

fn app(folder: &std::path::Path) -> Arc<App> {
    let stores = Stores::embedded(folder, NameLimits::default()).unwrap();
    Arc::new(App::new(stores, crate::Settings::new("a secret")))
}

#[tokio::test]
async fn a_job_is_repeated_after_failures_and_panics_until_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    tokio::time::pause();
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let job = Job::every("test job", Duration::from_mins(1), move |_| {
        let run = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            assert_ne!(run, 1, "for the test");
            Err(ApiError::unexpected("for the test"))
        }
    });
    let shutdown = Shutdown::default();
    let jobs = Jobs::start_these(&app, &shutdown, vec![job.exclusive()]);
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0, "the first run is after one interval");
    tokio::time::sleep(Duration::from_mins(4)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    shutdown.begin();
    jobs.stop(Duration::from_secs(1)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_exclusive_job_runs_in_one_replica() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    tokio::time::pause();
    let runs = Arc::new(AtomicU32::new(0));
    let shutdown = Shutdown::default();
    let replica = || {
        let counter = Arc::clone(&runs);
        let job = Job::every("test job", Duration::from_mins(1), move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        });
        Jobs::start_these(&app, &shutdown, vec![job.exclusive()])
    };
    let _replicas = (replica(), replica(), replica());
    tokio::time::sleep(Duration::from_secs(5 * 60 + 30)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn an_exclusive_job_that_lasts_long_stays_in_one_replica() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    tokio::time::pause();
    let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let shutdown = Shutdown::default();
    let replica = || {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let job = Job::every("long job", Duration::from_secs(10), move |_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(65)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        });
        Jobs::start_these(&app, &shutdown, vec![job.exclusive()])
    };
    let _replicas = (replica(), replica(), replica());
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_watchdog_stops_silent_running_tasks_only() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let ago = |seconds: i64| DateTime::from_millis(app.now().timestamp_millis() - seconds * 1000);
    for (id, status, last_update) in [
        ("silent", "in_progress", ago(7300)),
        ("silent too", "in_progress", ago(99_000)),
        ("lively", "in_progress", ago(100)),
        ("done", "completed", ago(7300)),
        ("waiting", "queued", ago(7300)),
    ] {
        let task = doc! {
            "_id": id, "company": "c", "name": id, "type": "training", "project": format!("project of {id}"),
            "status": status, "last_update": last_update, "created": ago(99_999), "user": "u",
        };
        app.documents.insert(Collection::Task, task).await.unwrap();
        let project = doc! {
            "_id": format!("project of {id}"), "company": "c", "name": id, "last_update": ago(99_999),
            "created": ago(99_999), "user": "u",
        };
        app.documents.insert(Collection::Project, project).await.unwrap();
    }
    let before = app.now();
    watchdog::stop_non_responsive(&app, Duration::from_hours(2)).await.unwrap();

    let load = |collection, id: String| {
        let find = Find::new(Filter::id(id));
        let app = Arc::clone(&app);
        async move { app.documents.find_one(collection, find).await.unwrap().unwrap() }
    };
    for id in ["silent", "silent too"] {
        let task = load(Collection::Task, id.to_owned()).await;
        assert_eq!(task.get_str("status").unwrap(), "stopped");
        for field in ["status_reason", "status_message"] {
            assert_eq!(task.get_str(field).unwrap(), "Forced stop (non-responsive)");
        }
        for field in ["status_changed", "last_update", "last_change"] {
            assert!(*task.get_datetime(field).unwrap() >= before);
        }
        assert_eq!(task.get_str("last_changed_by").unwrap(), "__apiserver__");
        assert!(!task.contains_key("completed"));
        let project = load(Collection::Project, format!("project of {id}")).await;
        assert!(*project.get_datetime("last_update").unwrap() >= before);
    }
    for (id, status) in [("lively", "in_progress"), ("done", "completed"), ("waiting", "queued")] {
        let task = load(Collection::Task, id.to_owned()).await;
        assert_eq!(task.get_str("status").unwrap(), status);
        let project = load(Collection::Project, format!("project of {id}")).await;
        assert!(*project.get_datetime("last_update").unwrap() < before);
    }
}
