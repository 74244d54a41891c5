//! Against a real file server on a socket, and real object stores.

mod objects;

use std::{path::Path, sync::Arc, time::Duration};

use bson::doc;
use clearml_documents::SqliteStore;
use clearml_events::{EmbeddedEvents, NameLimits};
use clearml_files::LocalFiles;
use clearml_fileserver::{FileServer, FileServerSettings, Refusal, TokenCheck};
use clearml_state::MemoryState;

use super::*;
use crate::{Settings, Stores};

/// Checks tokens as the API server does.
struct Tokens(clearml_auth::TokenKey);

#[async_trait::async_trait]
impl TokenCheck for Tokens {
    async fn check(&self, token: &str) -> Result<(), Refusal> {
        let claims = self.0.verify(token, DateTime::now().timestamp_millis() / 1000).unwrap();
        assert_eq!(claims.identity.user, "__apiserver__");
        Ok(())
    }
}

fn app(folder: &Path, fileserver: &str) -> App {
    let events = Arc::new(EmbeddedEvents::open(folder, NameLimits::default()).unwrap());
    let state = Arc::new(MemoryState::default());
    let stores = Stores {
        documents: Arc::new(SqliteStore::open(folder).unwrap()),
        state: state.clone(),
        worker_state: state,
        events: events.clone(),
        statistics: events,
    };
    let mut settings = Settings::new("a secret for tests");
    settings.external_files.fileserver_host = fileserver.to_owned();
    settings.external_files.fileserver_prefixes = vec!["http://files.example/".to_owned()];
    settings.external_files.retry_timeout = Duration::ZERO;
    App::new(stores, settings)
}

/// Serves a folder; the server's address.
async fn serve(folder: &Path) -> String {
    let server = FileServer {
        settings: FileServerSettings::default(),
        files: Arc::new(LocalFiles::open(folder).unwrap()),
        tokens: Some(Arc::new(Tokens(clearml_auth::TokenKey::new("a secret for tests")))),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = clearml_fileserver::router(Arc::new(server));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

async fn schedule(app: &App, url: &str) {
    super::super::schedule(app, "c", "u", "t", &[url.to_owned()]).await.unwrap();
}

/// Makes failures of the past worth another attempt.
async fn let_time_pass(app: &App) {
    let long_ago = vec![Change::set("last_failure_time", DateTime::from_millis(0))];
    let failed = Filter::exists("last_failure_time");
    app.documents.update_many(Collection::UrlToDelete, failed, long_ago).await.unwrap();
}

async fn records(app: &App) -> Vec<Document> {
    let all = Find::new(Filter::Everything).sort(Sort::ascending("url"));
    app.documents.find(Collection::UrlToDelete, all).await.unwrap()
}

#[tokio::test]
async fn scheduled_files_are_deleted_on_the_file_server() {
    let (stores, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["p/a b.txt", "p/kept.txt", "x+y"] {
        let path = files.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "content").unwrap();
    }
    let address = serve(files.path()).await;
    let mut app = app(stores.path(), &address);
    app.settings.external_files.fileserver_prefixes.push(address.clone());
    schedule(&app, "http://files.example/p/a%20b.txt").await;
    schedule(&app, "http://files.example/gone").await;
    schedule(&app, "http://files.example/").await;
    schedule(&app, &format!("{address}/x%2By")).await;
    delete_due(&app).await.unwrap();

    assert!(!files.path().join("p/a b.txt").exists());
    assert!(!files.path().join("x+y").exists());
    assert!(files.path().join("p/kept.txt").exists());
    let left = records(&app).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].get_str("url").unwrap(), "http://files.example/");
    assert_eq!(left[0].get_str("status").unwrap(), "failed");
    assert_eq!(left[0].get_str("last_failure_reason").unwrap(), "Empty path");
}

#[tokio::test]
async fn an_unreachable_file_server_is_tried_three_times() {
    let stores = tempfile::tempdir().unwrap();
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut app = app(stores.path(), &format!("http://{unused}"));
    app.settings.external_files.retry_timeout = Duration::from_mins(1);
    schedule(&app, "http://files.example/a").await;
    for attempt in 1..=3 {
        delete_due(&app).await.unwrap();
        delete_due(&app).await.unwrap();
        let record = records(&app).await.pop().unwrap();
        assert_eq!(record.get_i64("retry_count").unwrap(), attempt, "once per retry timeout");
        assert!(!record.get_str("last_failure_reason").unwrap().is_empty());
        let status = if attempt == 3 { "failed" } else { "created" };
        assert_eq!(record.get_str("status").unwrap(), status);
        let_time_pass(&app).await;
    }
    delete_due(&app).await.unwrap();
    assert_eq!(records(&app).await[0].get_i64("retry_count").unwrap(), 3);
}

#[tokio::test]
async fn files_of_other_servers_are_given_up() {
    let stores = tempfile::tempdir().unwrap();
    let app = app(stores.path(), "http://localhost:1");
    let record = doc! {
        "_id": "r", "company": "c", "url": "http://elsewhere/a", "storage_type": "fileserver",
        "status": "created", "retry_count": 0_i64,
    };
    app.documents.insert(Collection::UrlToDelete, record).await.unwrap();
    delete_due(&app).await.unwrap();
    let record = records(&app).await.pop().unwrap();
    assert_eq!(record.get_str("status").unwrap(), "failed");
    assert_eq!(
        record.get_str("last_failure_reason").unwrap(),
        "Invalid Fileserver url or missing Fileserver configuration for account"
    );
}

#[tokio::test]
async fn folders_of_official_servers_are_deleted_with_all_in_them() {
    let (stores, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(files.path().join("p/t/artifacts")).unwrap();
    std::fs::write(files.path().join("p/t/artifacts/a"), "1").unwrap();
    std::fs::write(files.path().join("p/kept"), "1").unwrap();
    let app = app(stores.path(), &serve(files.path()).await);
    // 32 bits, as Python writes small numbers.
    let record = doc! {
        "_id": "r", "company": "c", "url": "http://files.example/p/t", "storage_type": "fileserver",
        "type": "folder", "status": "created", "retry_count": 0_i32,
    };
    app.documents.insert(Collection::UrlToDelete, record).await.unwrap();
    delete_due(&app).await.unwrap();
    assert!(records(&app).await.is_empty());
    assert!(!files.path().join("p/t").exists() && files.path().join("p/kept").exists());
}
