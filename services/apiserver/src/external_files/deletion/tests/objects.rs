//! Objects of S3, Azure and Google Cloud Storage. Each test needs a server, told by `CLEARML_S3_ENDPOINT`,
//! `CLEARML_AZURE_ENDPOINT` and `CLEARML_GCS_ENDPOINT`.

use std::env::var;

use axum::body::Body;
use clearml_auth::{Claims, Identity, Role, TokenKey};
use clearml_config::Environment;
use clearml_files::{
    Entry, FileError, FilePath, FileStore, ObjectFiles,
    object::{AzureAccess, ObjectAccess, Provider, S3Access, S3Keys, Transport, UploadSettings},
    suite,
};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::{StorageSettings, api, registry};

fn skipped(variable: &str) {
    eprintln!("skipped: {variable} is not set");
}

/// A server whose company may have no credentials but these.
fn server(folder: &Path, configured: &Document) -> App {
    let mut app = app(folder, "http://localhost:1");
    app.settings.storage = StorageSettings::new(configured, &Environment::default());
    app
}

/// Calls the API as a user of company `c`.
async fn call(app: &Arc<App>, endpoint: &str, request: Value) -> Value {
    let now = DateTime::now().timestamp_millis() / 1000;
    let claims = Claims {
        session_id: app.new_id(),
        auth_type: "Bearer".into(),
        env: "<unknown>".into(),
        iat: Some(now),
        exp: Some(now + 3600),
        nbf: None,
        identity: Identity {
            user: "u".into(),
            company: "c".into(),
            role: Role::User,
            user_name: "u".into(),
            company_name: "c".into(),
        },
        api_version: "2.31".into(),
        server_version: "2.0.0".into(),
        server_build: String::new(),
        feature_set: "basic".into(),
    };
    let token = TokenKey::new("a secret for tests").sign(&claims).unwrap();
    let request = Request::post(format!("/{endpoint}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(request.to_string()))
        .unwrap();
    let response = api::router(Arc::clone(app), registry()).oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let mut answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["meta"]["result_code"], 200, "{answer}");
    answer["data"].take()
}

struct S3 {
    host: String,
    bucket: String,
    key: String,
    secret: String,
    prefix: String,
    files: ObjectFiles,
}

async fn open(provider: Provider, bucket: &str, prefix: &str) -> ObjectFiles {
    let access = ObjectAccess {
        provider,
        bucket: bucket.to_owned(),
        transport: Transport { allow_http: true, ..Transport::default() },
        environment: Vec::new(),
    };
    ObjectFiles::open(&access, prefix, UploadSettings::default()).await.unwrap()
}

fn prefix() -> String {
    format!("apiserver-tests/{}", uuid::Uuid::new_v4().simple())
}

async fn s3() -> Option<S3> {
    let endpoint = var("CLEARML_S3_ENDPOINT").ok()?;
    let (key, secret) = (var("AWS_ACCESS_KEY_ID").unwrap(), var("AWS_SECRET_ACCESS_KEY").unwrap());
    let bucket = var("CLEARML_S3_BUCKET").unwrap();
    let prefix = prefix();
    let keys = S3Keys { key: key.clone(), secret: secret.clone(), token: None };
    let host = endpoint.trim_start_matches("http://").to_owned();
    let access = S3Access { endpoint: Some(endpoint), keys: Some(keys), ..S3Access::default() };
    let files = open(Provider::S3(access), &bucket, &prefix).await;
    Some(S3 { host, bucket, key, secret, prefix, files })
}

impl S3 {
    fn url(&self, name: &str) -> String {
        format!("s3://{}/{}/{}/{name}", self.host, self.bucket, self.prefix)
    }

    /// The request that stores these credentials.
    fn credentials(&self, secret: &str) -> Value {
        json!({"aws": {"buckets": [{
            "host": self.host, "bucket": self.bucket, "key": self.key, "secret": secret, "secure": false,
        }]}})
    }
}

async fn exists(files: &ObjectFiles, name: &str) -> bool {
    match files.entry(&FilePath::parse(name).unwrap()).await {
        Ok(Entry::File { .. } | Entry::Folder) => true,
        Err(FileError::NotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn artifacts_on_s3_go_with_their_task() {
    let Some(s3) = s3().await else { return skipped("CLEARML_S3_ENDPOINT") };
    let folder = tempfile::tempdir().unwrap();
    let app = Arc::new(server(folder.path(), &Document::new()));
    call(&app, "storage.set_settings", s3.credentials(&s3.secret)).await;
    let task = call(&app, "tasks.create", json!({"name": "with artifacts", "type": "training"})).await;
    let names = ["a b%20.txt", "é/ü?x#y.bin", "plain"];
    let artifacts: Vec<Value> = names
        .iter()
        .chain(["gone"].iter())
        .map(|name| json!({"key": name, "type": "custom", "mode": "output", "uri": s3.url(name)}))
        .collect();
    for name in names {
        suite::store(&s3.files, name, b"content").await.unwrap();
    }
    suite::store(&s3.files, "kept", b"content").await.unwrap();
    let added = json!({"task": task["id"], "artifacts": artifacts});
    call(&app, "tasks.add_or_update_artifacts", added).await;
    call(&app, "tasks.delete", json!({"task": task["id"], "force": true})).await;
    assert_eq!(records(&app).await.len(), 4);
    delete_due(&app).await.unwrap();
    assert_eq!(records(&app).await, Vec::<Document>::new());
    for name in names {
        assert!(!exists(&s3.files, name).await, "{name}");
    }
    assert!(exists(&s3.files, "kept").await);
    s3.files.delete_file(&FilePath::parse("kept").unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_told_and_tried_again() {
    let Some(s3) = s3().await else { return skipped("CLEARML_S3_ENDPOINT") };
    let folder = tempfile::tempdir().unwrap();
    let mut app = server(folder.path(), &Document::new());
    app.settings.external_files.retry_timeout = Duration::from_mins(1);
    let app = Arc::new(app);
    suite::store(&s3.files, "x", b"content").await.unwrap();
    let unknown_bucket = "s3://unknown-bucket/x";
    schedule(&app, &s3.url("x")).await;
    schedule(&app, unknown_bucket).await;
    schedule(&app, "s3://bucket/").await;
    call(&app, "storage.set_settings", s3.credentials("wrong")).await;
    for attempt in 1..=3 {
        delete_due(&app).await.unwrap();
        delete_due(&app).await.unwrap();
        let left = records(&app).await;
        assert_eq!(left.len(), 3);
        for record in &left {
            let reason = record.get_str("last_failure_reason").unwrap();
            let expected = match record.get_str("url").unwrap() {
                "s3://bucket/" => "Empty path",
                url if url == unknown_bucket => {
                    "Missing key or secret for AWS S3 host: , bucket: unknown-bucket"
                }
                _ => "SignatureDoesNotMatch",
            };
            assert!(reason.starts_with(expected), "{reason}");
            let is_hopeless = expected == "Empty path";
            let retries = if is_hopeless { 0 } else { attempt };
            assert_eq!(record.get_i64("retry_count").unwrap(), retries, "once per retry timeout");
            let status = if is_hopeless || attempt == 3 { "failed" } else { "created" };
            assert_eq!(record.get_str("status").unwrap(), status);
        }
        let_time_pass(&app).await;
    }
    // Deleted again with the right key, it starts over.
    call(&app, "storage.set_settings", s3.credentials(&s3.secret)).await;
    schedule(&app, &s3.url("x")).await;
    delete_due(&app).await.unwrap();
    assert!(!exists(&s3.files, "x").await);
    assert_eq!(records(&app).await.len(), 2);
}

#[tokio::test]
async fn many_objects_take_few_requests() {
    let Some(s3) = s3().await else { return skipped("CLEARML_S3_ENDPOINT") };
    let folder = tempfile::tempdir().unwrap();
    let app = Arc::new(server(folder.path(), &Document::new()));
    call(&app, "storage.set_settings", s3.credentials(&s3.secret)).await;
    let names: Vec<String> = (0..1500).map(|number| format!("many/{number}")).collect();
    for name in &names[..20] {
        suite::store(&s3.files, name, b"").await.unwrap();
    }
    let urls: Vec<String> = names.iter().map(|name| s3.url(name)).collect();
    super::super::super::schedule(&app, "c", "u", "t", &urls).await.unwrap();
    delete_due(&app).await.unwrap();
    assert!(records(&app).await.is_empty());
    assert!(!exists(&s3.files, "many").await);
}

#[tokio::test]
async fn blobs_on_azure_are_deleted() {
    let Ok(endpoint) = var("CLEARML_AZURE_ENDPOINT") else { return skipped("CLEARML_AZURE_ENDPOINT") };
    let (account, key) =
        (var("AZURE_STORAGE_ACCOUNT_NAME").unwrap(), var("AZURE_STORAGE_ACCOUNT_KEY").unwrap());
    // Made by the tests of the file stores; a container of another name needs a call of its own.
    let container = "clearml-files-test";
    let prefix = prefix();
    let access = AzureAccess {
        account: account.clone(),
        endpoint: Some(endpoint.clone()),
        key: Some(key.clone()),
        sas_token: None,
    };
    let files = open(Provider::Azure(access), container, &prefix).await;
    if let Err(error) = files.check().await {
        return eprintln!("skipped: the container {container} is missing: {error}");
    }
    for name in ["a b.txt", "deep/x"] {
        suite::store(&files, name, b"content").await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let configured = doc! {"azure": {"storage": {"containers": [
        {"account_name": &account, "account_key": key, "endpoint": endpoint},
    ]}}};
    let app = server(folder.path(), &configured);
    for path in ["a%20b.txt", "deep/x", "gone"] {
        schedule(&app, &format!("azure://{account}/{container}/{prefix}/{path}")).await;
    }
    schedule(&app, "azure://another/container/x").await;
    delete_due(&app).await.unwrap();
    let left = records(&app).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        left[0].get_str("last_failure_reason").unwrap(),
        "Invalid Azure url or missing Azure configuration for account"
    );
    assert!(!exists(&files, "a b.txt").await && !exists(&files, "deep/x").await);
}

#[tokio::test]
async fn objects_on_google_are_deleted() {
    let Ok(endpoint) = var("CLEARML_GCS_ENDPOINT") else { return skipped("CLEARML_GCS_ENDPOINT") };
    let bucket = var("CLEARML_GCS_BUCKET").unwrap();
    let prefix = prefix();
    // The emulator has no XML uploads: the object comes through its JSON API.
    let path =
        format!("/upload/storage/v1/b/{bucket}/o?uploadType=media&name={}%2Fx", prefix.replace('/', "%2F"));
    let request = Request::post(format!("{endpoint}{path}")).body(Body::from("content")).unwrap();
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    assert!(client.request(request).await.unwrap().status().is_success());

    let google =
        clearml_files::object::GoogleAccess { endpoint: Some(endpoint.clone()), credentials_json: None };
    let files = open(Provider::Google(google), &bucket, &prefix).await;
    assert!(exists(&files, "x").await);
    let folder = tempfile::tempdir().unwrap();
    let mut app = server(folder.path(), &Document::new());
    let variables: Environment = [("STORAGE_EMULATOR_HOST", endpoint.as_str())].into_iter().collect();
    app.settings.storage = StorageSettings::new(&Document::new(), &variables);
    for path in ["x", "gone"] {
        schedule(&app, &format!("gs://{bucket}/{prefix}/{path}")).await;
    }
    delete_due(&app).await.unwrap();
    assert_eq!(records(&app).await, Vec::<Document>::new());
    assert!(!exists(&files, "x").await);
}
