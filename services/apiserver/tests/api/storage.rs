//! The service `storage` (spec 06 §3).

use bson::doc;
use clearml_apiserver::StorageSettings;
use clearml_auth::Role;
use clearml_config::Environment;
use clearml_documents::{Collection, Filter, Find};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer};

async fn settings(client: &Client) -> Value {
    client.ok("storage.get_settings", json!({})).await["settings"].take()
}

fn bucket(given: &Value) -> Value {
    let mut bucket = json!({
        "bucket": "", "subdir": "", "host": "", "key": "", "secret": "", "token": "", "multipart": true,
        "acl": "", "secure": true, "region": "", "verify": null, "use_credentials_chain": false,
        "extra_args": null, "profile": "",
    });
    for (key, value) in given.as_object().unwrap() {
        bucket[key] = value.clone();
    }
    bucket
}

#[tokio::test]
async fn without_any_the_defaults_are_told() {
    let server = TestServer::start().await;
    let settings = settings(&server.user().await).await;
    let local = json!({"host": "localhost:9000", "key": "minioadmin", "secret": "minioadmin",
        "multipart": false, "secure": false});
    let expected = json!({
        "aws": {"key": "", "secret": "", "token": "", "region": "", "use_credentials_chain": false,
            "buckets": [bucket(&local)]},
        "google": {"project": null, "credentials_json": null, "buckets": []},
        "azure": {"containers": []},
        "last_update": null,
    });
    assert_eq!(settings, expected);
}

#[tokio::test]
async fn configured_ones_are_told_until_others_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("google.json");
    std::fs::write(&path, r#"{"type": "service_account"}"#).unwrap();
    let configured = doc! {
        "aws": {"s3": {
            "key": "k", "region": "eu-central-1",
            "credentials": [
                {"bucket": "\"data/\"", "subdir": "a/", "use_credentials_chain": true},
                {"bucket": "nothing opens it", "key": "only a key"},
            ],
        }},
        "google": {"storage": {
            "project": "p",
            "credentials_json": path.to_str().unwrap(),
            "credentials": [{"bucket": "b", "credentials_json": "/no/such/file", "pool_maxsize": 5}],
        }},
        "azure": {"storage": {"containers": [{"account_name": "a", "account_key": "k", "endpoint": "http://x"}]}},
    };
    let environment: Environment = [
        ("AWS_ACCESS_KEY_ID", "not this one"),
        ("AWS_SECRET_ACCESS_KEY", "from the environment"),
        ("AZURE_STORAGE_ACCOUNT", "account"),
        ("AZURE_STORAGE_KEY", "key"),
    ]
    .into_iter()
    .collect();
    let server =
        TestServer::with_settings(|all| all.storage = StorageSettings::new(&configured, &environment)).await;
    let user = server.user().await;
    let told = settings(&user).await;
    let chain = json!({"bucket": "data", "subdir": "a", "use_credentials_chain": true});
    assert_eq!(
        told["aws"],
        json!({"key": "k", "secret": "from the environment", "token": "", "region": "eu-central-1",
            "use_credentials_chain": false, "buckets": [bucket(&chain)]})
    );
    assert_eq!(
        told["google"],
        json!({"project": "p", "credentials_json": "{\"type\": \"service_account\"}", "buckets": [
            {"bucket": "b", "subdir": "", "project": null, "credentials_json": null, "pool_connections": null,
             "pool_maxsize": 5}]})
    );
    assert_eq!(
        told["azure"],
        json!({"containers": [
            {"account_name": "a", "account_key": "k", "container_name": ""},
            {"account_name": "account", "account_key": "key", "container_name": ""}]})
    );

    assert_eq!(user.ok("storage.set_settings", json!({"aws": {}})).await, json!({"updated": 1}));
    let told = settings(&user).await;
    assert_eq!(
        told["aws"],
        json!({"key": null, "secret": null, "token": null, "region": null, "use_credentials_chain": false,
            "buckets": []})
    );
    assert_eq!(told["google"]["project"], "p", "the others stay as configured");
}

#[tokio::test]
async fn what_is_set_is_stored_and_told() {
    let server = TestServer::start().await;
    let user = server.user_with_role(Role::Guest).await;
    let request = json!({
        "aws": {"key": "k", "secret": "s", "token": null, "unknown": 1, "buckets": [
            {"bucket": "b", "host": "minio:9000", "key": "k2", "secret": "s2", "secure": false, "verify": null},
            {"bucket": "closed"},
        ]},
        "google": {"project": "p", "credentials_json": "{\"a\": 1}", "buckets": [{"bucket": "g"}, {}]},
        "azure": {"containers": [{"account_name": "a", "account_key": "x", "container_name": "c"}, {}]},
    });
    assert_eq!(user.ok("storage.set_settings", request).await, json!({"updated": 1}));
    let find = Find::new(Filter::eq("company", COMPANY));
    let mut stored = server.app.documents.find(Collection::StorageSettings, find.clone()).await.unwrap();
    assert_eq!(stored.len(), 1);
    let stored = stored.remove(0);
    assert_eq!(stored.get_str("_id").unwrap().len(), 32);
    assert_eq!(
        stored.get_document("aws").unwrap(),
        &doc! {"key": "k", "secret": "s", "use_credentials_chain": false, "buckets": [
            {"bucket": "b", "host": "minio:9000", "key": "k2", "secret": "s2", "multipart": true,
             "secure": false, "use_credentials_chain": false},
            {"bucket": "closed", "multipart": true, "secure": true, "verify": true,
             "use_credentials_chain": false},
        ]}
    );
    let told = settings(&user).await;
    let minio = json!({"bucket": "b", "host": "minio:9000", "key": "k2", "secret": "s2", "secure": false});
    assert_eq!(told["aws"]["buckets"], json!([bucket(&minio)]));
    assert_eq!(told["google"]["credentials_json"], "{\"a\": 1}");
    assert_eq!(told["google"]["buckets"].as_array().unwrap().len(), 2);
    assert_eq!(told["azure"]["containers"][1]["account_name"], "");
    assert!(told["last_update"].is_string());

    // A provider is replaced as a whole; the others stay.
    user.ok("storage.set_settings", json!({"google": {}, "azure": null})).await;
    let told = settings(&user).await;
    assert_eq!(told["google"], json!({"project": null, "credentials_json": null, "buckets": []}));
    assert_eq!(told["azure"]["containers"][0]["account_key"], "x");
    assert_eq!(
        server.app.documents.count(Collection::StorageSettings, Filter::Everything, false).await.unwrap(),
        1
    );

    // Nothing of it is another company's.
    server.add_company("other", "other").await;
    let stranger = server.user_of("other", Role::User).await;
    assert_eq!(settings(&stranger).await["last_update"], Value::Null);
    assert_eq!(stranger.ok("storage.reset_settings", json!({"keys": ["aws"]})).await, json!({"updated": 0}));
}

#[tokio::test]
async fn wrong_settings_are_refused() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for (request, expected) in [
        (json!({}), "Validation error (No settings were provided)"),
        (json!({"aws": null, "google": null}), "Validation error (No settings were provided)"),
        (
            json!({"google": {"credentials_json": "{no json"}}),
            "Validation error (Invalid json credentials: key must be a string at line 1 column 2)",
        ),
        (json!({"aws": []}), "Validation error ("),
        (json!({"aws": {"key": 1}}), "Validation error ("),
        (json!({"azure": {"containers": [1]}}), "Validation error ("),
    ] {
        let (code, subcode, message) = user.error("storage.set_settings", request.clone()).await;
        assert_eq!((code, subcode), (400, 12), "{request}: {message}");
        assert!(message.starts_with(expected), "{request}: {message}");
    }
    let (code, subcode, _) = user.error("storage.reset_settings", json!({"keys": ["minio"]})).await;
    assert_eq!((code, subcode), (400, 12));
    assert_eq!(settings(&user).await["last_update"], Value::Null);
    let (code, _, _) = server.anonymous().error("storage.get_settings", json!({})).await;
    assert_eq!(code, 401);
}

#[tokio::test]
async fn what_is_reset_is_configured_again() {
    let server = TestServer::start().await;
    let user = server.user().await;
    assert_eq!(user.ok("storage.reset_settings", json!({"keys": ["aws"]})).await, json!({"updated": 0}));
    let request = json!({"aws": {"key": "k"}, "azure": {"containers": [{"account_name": "a"}]}});
    user.ok("storage.set_settings", request).await;
    assert_eq!(
        user.ok("storage.reset_settings", json!({"keys": ["aws", "google"]})).await,
        json!({"updated": 1})
    );
    let told = settings(&user).await;
    assert_eq!(told["aws"]["buckets"][0]["host"], "localhost:9000");
    assert_eq!(told["azure"]["containers"][0]["account_name"], "a");
    assert_eq!(user.ok("storage.reset_settings", json!({"keys": []})).await, json!({"updated": 1}));
}
