//! From embedded stores to those of a cluster and back. Runs where `CLEARML_MONGODB_URL`, `CLEARML_ELASTIC_URL`,
//! `CLEARML_S3_ENDPOINT` and what belongs to it are set.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod support;

use std::{env::var, panic::AssertUnwindSafe, sync::Arc};

use clearml_documents::{MongoSettings, MongoStore};
use clearml_events::{ElasticCluster, ElasticEvents, ElasticSettings, Event, EventType};
use clearml_files::{
    FilePath, ObjectFiles,
    object::{ObjectAccess, Provider, S3Access, S3Keys, Transport, UploadSettings},
};
use clearml_transfer::{Stores, import};
use futures::FutureExt;
use support::{COMPANY, embedded, exported, fill, imported, interrupted, settle, silent};

/// A part of the cluster for one test.
struct Cluster {
    mongo: String,
    elastic: String,
    name: String,
    s3: ObjectAccess,
}

impl Cluster {
    fn of_environment() -> Option<Self> {
        let read = |name: &str| {
            let value = var(name).ok().filter(|value| !value.is_empty());
            if value.is_none() {
                println!("skipped: {name} is not set");
            }
            value
        };
        let mongo = read("CLEARML_MONGODB_URL")?;
        let elastic = read("CLEARML_ELASTIC_URL")?;
        let endpoint = Some(read("CLEARML_S3_ENDPOINT")?);
        let keys =
            S3Keys { key: read("AWS_ACCESS_KEY_ID")?, secret: read("AWS_SECRET_ACCESS_KEY")?, token: None };
        let s3 = S3Access { endpoint, region: read("AWS_REGION"), keys: Some(keys), ..S3Access::default() };
        let s3 = ObjectAccess {
            provider: Provider::S3(s3),
            bucket: read("CLEARML_S3_BUCKET")?,
            transport: Transport { allow_http: true, ..Transport::default() },
            environment: Vec::new(),
        };
        let name = format!("transfer-{}", uuid::Uuid::new_v4().simple());
        Some(Self { mongo, elastic, name, s3 })
    }

    async fn open(&self) -> Stores {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let documents = MongoStore::connect(MongoSettings {
            backend_uri: self.mongo.clone(),
            auth_uri: self.mongo.clone(),
            backend_database: format!("{}-backend", self.name),
            auth_database: format!("{}-auth", self.name),
            ..MongoSettings::default()
        });
        let documents = documents.await.unwrap();
        documents.ensure_indexes().await.unwrap();
        let events = ElasticEvents::connect(ElasticSettings {
            events: ElasticCluster { hosts: vec![self.elastic.clone()], ..ElasticCluster::default() },
            index_prefix: format!("{}-", self.name),
            ..ElasticSettings::default()
        });
        let events = Arc::new(events.await.unwrap());
        let files = ObjectFiles::open(&self.s3, &self.name, UploadSettings::default()).await.unwrap();
        Stores { documents: Arc::new(documents), statistics: events.clone(), events, files: Arc::new(files) }
    }

    async fn remove(&self, stores: &Stores) {
        let client = mongodb::Client::with_uri_str(&self.mongo).await.unwrap();
        for part in ["backend", "auth"] {
            client.database(&format!("{}-{part}", self.name)).drop().await.unwrap();
        }
        let http = reqwest::Client::new();
        let indices = http.get(format!("{}/_cat/indices/{}-*?h=index", self.elastic, self.name));
        let indices = indices.send().await.unwrap().text().await.unwrap();
        for index in indices.lines().map(str::trim).filter(|index| index.starts_with(&self.name)) {
            http.delete(format!("{}/{index}", self.elastic)).send().await.unwrap();
        }
        for templates in ["_index_template", "_component_template"] {
            http.delete(format!("{}/{templates}/{}-*", self.elastic, self.name)).send().await.unwrap();
        }
        let _ = stores.files.delete_folder(&FilePath::parse("project").unwrap()).await;
    }
}

/// Runs a test on stores of its own, which are removed afterwards also if the test fails.
async fn in_cluster(test: impl AsyncFnOnce(&Stores)) {
    let Some(cluster) = Cluster::of_environment() else { return };
    let stores = cluster.open().await;
    let outcome = AssertUnwindSafe(test(&stores)).catch_unwind().await;
    cluster.remove(&stores).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_one_machine_to_a_cluster_and_back() {
    in_cluster(async |cluster| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let first = embedded(&at("first"));
        fill(&first).await;
        let archive = exported(&first, &at("archive")).await.manifest.contents();
        imported(cluster, &at("archive")).await;
        assert_eq!(exported(cluster, &at("of the cluster")).await.manifest.contents(), archive);
        let second = embedded(&at("second"));
        imported(&second, &at("of the cluster")).await;
        assert_eq!(exported(&second, &at("back")).await.manifest.contents(), archive);
    })
    .await;
}

/// An import that is cut off brings nothing in twice: what has no identity is counted, or replaced.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_imports_into_a_cluster_go_on() {
    in_cluster(async |cluster| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let first = embedded(&at("first"));
        fill(&first).await;
        let archive = exported(&first, &at("archive")).await.manifest.contents();
        let mut reports = 1;
        while interrupted(reports, async |watcher| import(cluster, &at("archive"), watcher).await.unwrap())
            .await
            .is_none()
        {
            reports += 9;
            settle(cluster).await;
        }
        assert!(reports > 30, "{reports}");
        assert_eq!(exported(cluster, &at("again")).await.manifest.contents(), archive);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_can_not_hold_keeps_nothing_else_from_moving() {
    in_cluster(async |cluster| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let first = embedded(&at("first"));
        fill(&first).await;
        let archive = exported(&first, &at("archive")).await.manifest;
        let mut event =
            Event::new(EventType::Plot, format!("{:032x}", 9), 1_700_000_000_000, 1_700_000_000_000);
        event.fields.insert("odd", "a text, unlike in all others");
        first.events.append(COMPANY, vec![event]).await.unwrap();
        exported(&first, &at("with another")).await;
        let outcome = import(cluster, &at("with another"), &silent).await.unwrap();
        assert_eq!(outcome.rejected, 1);
        assert_eq!(exported(cluster, &at("again")).await.manifest.contents(), archive.contents());
    })
    .await;
}
