//! Deletions that are cut off, and the next server on the same data.

use std::{path::Path, sync::Arc};

use axum::body::Body;
use clearml_auth::{Claims, Identity, Role, TokenKey};
use clearml_events::{Event, EventType, NameLimits, Selection, Source};
use http::{Request, header};
use serde_json::json;
use tower::ServiceExt;

use super::*;
use crate::{Settings, Stores, api, registry};

const COMPANY: &str = "c";

fn app(folder: &Path) -> Arc<App> {
    let stores = Stores::embedded(folder, NameLimits::default()).unwrap();
    Arc::new(App::new(stores, Settings::new("a secret")))
}

async fn count(app: &App, id: &str) -> u64 {
    app.events.count(&Selection::new(Source::new(COMPANY, id), None), None).await.unwrap()
}

async fn report(app: &App, id: &str) {
    let mut image = Event::new(EventType::Image, id, 1, 1);
    image.url = Some(format!("http://files/{id}.png"));
    let log = Event::new(EventType::Log, id, 1, 1);
    app.events.append(COMPANY, vec![image, log]).await.unwrap();
}

fn call() -> Call {
    crate::query::testing::call()
}

async fn begin(app: &App, reason: Reason, owner: &str, ids: &[&str]) {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let urls = [format!("http://files/{owner}.pkl")];
    let announcement = Announcement { reason, owner, ids: &ids, urls: &urls, with_files: true };
    announce(app, &call(), announcement).await.unwrap();
}

async fn records(app: &App, collection: Collection) -> u64 {
    app.documents.count(collection, Filter::Everything, false).await.unwrap()
}

#[tokio::test]
async fn what_a_stopped_server_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let first = app(folder.path());
    for id in ["gone", "model", "kept"] {
        report(&first, id).await;
    }
    // The model went with its task; then the server stopped.
    begin(&first, Reason::Deletion, "gone", &["gone", "model"]).await;
    // The other call had only begun.
    first.documents.insert(Collection::Task, doc! {"_id": "kept", "company": COMPANY}).await.unwrap();
    begin(&first, Reason::Deletion, "kept", &["kept"]).await;

    // A call in progress is left alone.
    finish_interrupted(&first).await.unwrap();
    assert_eq!(count(&first, "gone").await, 2);
    drop(first);

    let next = app(folder.path());
    finish_interrupted(&next).await.unwrap();
    assert_eq!((count(&next, "gone").await, count(&next, "model").await), (0, 0));
    assert_eq!(count(&next, "kept").await, 2);
    let urls = next.documents.distinct(Collection::UrlToDelete, "url", Filter::Everything).await.unwrap();
    let mut urls: Vec<&str> = urls.iter().filter_map(Bson::as_str).collect();
    urls.sort_unstable();
    assert_eq!(urls, ["http://files/gone.pkl", "http://files/gone.png", "http://files/model.png"]);
    assert_eq!(records(&next, Collection::PendingRemoval).await, 1, "the call might still be at work");
}

#[tokio::test]
async fn a_reset_is_finished_only_where_it_happened() {
    let folder = tempfile::tempdir().unwrap();
    let first = app(folder.path());
    let old = DateTime::from_millis(1000);
    for (id, status, changed) in [
        ("reset", "created", DateTime::from_millis(i64::MAX / 2)),
        ("not reset", "completed", old),
        ("was new before", "created", old),
    ] {
        report(&first, id).await;
        begin(&first, Reason::Reset, id, &[id]).await;
        let task = doc! {"_id": id, "company": COMPANY, "status": status, "status_changed": changed};
        first.documents.insert(Collection::Task, task).await.unwrap();
    }
    drop(first);
    let next = app(folder.path());
    finish_interrupted(&next).await.unwrap();
    assert_eq!(count(&next, "reset").await, 0);
    assert_eq!(count(&next, "not reset").await, 2);
    assert_eq!(count(&next, "was new before").await, 2);
}

/// Each endpoint writes down what it is about to remove, and strikes it out.
#[tokio::test]
async fn calls_that_come_to_their_end_leave_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let identity = Identity {
        user: "u".to_owned(),
        company: COMPANY.to_owned(),
        role: Role::Admin,
        user_name: "Jane Doe".to_owned(),
        company_name: "clearml".to_owned(),
    };
    let claims = Claims {
        session_id: "s".to_owned(),
        auth_type: "Bearer".to_owned(),
        env: "<unknown>".to_owned(),
        iat: None,
        exp: None,
        nbf: None,
        identity,
        api_version: "2.31".to_owned(),
        server_version: "2.0.0".to_owned(),
        server_build: String::new(),
        feature_set: "basic".to_owned(),
    };
    let token = TokenKey::new("a secret").sign(&claims).unwrap();
    let router = api::router(Arc::clone(&app), registry());
    app.documents
        .insert(Collection::Project, doc! {"_id": "p", "name": "p", "company": COMPANY})
        .await
        .unwrap();
    for id in ["deleted", "reset", "one of many", "in project"] {
        let task = doc! {"_id": id, "company": COMPANY, "status": "created", "project": "p", "name": id};
        app.documents.insert(Collection::Task, task).await.unwrap();
        report(&app, id).await;
    }
    for id in ["m", "n"] {
        let model = doc! {"_id": id, "company": COMPANY, "uri": "", "name": id};
        app.documents.insert(Collection::Model, model).await.unwrap();
        report(&app, id).await;
    }
    for (endpoint, request, ids) in [
        ("tasks.delete", json!({"task": "deleted"}), ["deleted"]),
        ("tasks.reset", json!({"task": "reset"}), ["reset"]),
        ("tasks.delete_many", json!({"ids": ["one of many", "unknown"]}), ["one of many"]),
        ("models.delete", json!({"model": "m"}), ["m"]),
        ("models.delete_many", json!({"ids": ["n"]}), ["n"]),
        ("projects.delete", json!({"project": "p", "force": true, "delete_contents": true}), ["in project"]),
    ] {
        let request = Request::post(format!("/{endpoint}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(request.to_string()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{endpoint}");
        assert_eq!(count(&app, ids[0]).await, 0, "{endpoint}");
        assert_eq!(records(&app, Collection::PendingRemoval).await, 0, "{endpoint}");
    }
}
