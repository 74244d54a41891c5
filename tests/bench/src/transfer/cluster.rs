//! The stores of a cluster, from the variables that the tests use, in databases and below prefixes of their own.

use std::env;

use anyhow::Context;
use clearml_files::{
    FilePath, FileStore, ObjectFiles,
    object::{ObjectAccess, Provider, S3Access, S3Keys, Transport, UploadSettings},
};

/// Where the stores are, and the name of what is used of them.
pub(super) struct Cluster {
    mongo: String,
    elastic: String,
    redis: String,
    endpoint: String,
    bucket: String,
    name: String,
}

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}

impl Cluster {
    pub(super) fn of_environment() -> anyhow::Result<Self> {
        Ok(Self {
            mongo: variable("CLEARML_MONGODB_URL")?,
            elastic: variable("CLEARML_ELASTIC_URL")?,
            redis: variable("CLEARML_REDIS_URL")?,
            endpoint: variable("CLEARML_S3_ENDPOINT")?,
            bucket: variable("CLEARML_S3_BUCKET")?,
            name: format!("bench-transfer-{}", std::process::id()),
        })
    }

    /// What makes a server use them.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let database = |name: &str| {
            let (url, options) = self.mongo.split_once('?').unwrap_or((&self.mongo, ""));
            format!("{}/{}-{name}?{options}", url.trim_end_matches('/'), self.name)
        };
        let pairs = [
            ("stores__kind", "cluster".to_owned()),
            ("stores__elastic__index_prefix", format!("{}-", self.name)),
            ("hosts__mongo__backend__host", database("backend")),
            ("hosts__mongo__auth__host", database("auth")),
            ("fileserver__storage__url", format!("s3://{}/{}", self.bucket, self.name)),
            ("fileserver__storage__s3__endpoint", self.endpoint.clone()),
            ("fileserver__storage__allow_http", "true".to_owned()),
        ];
        let mut variables: Vec<(String, String)> =
            pairs.into_iter().map(|(key, value)| (format!("CLEARML__{key}"), value)).collect();
        for (service, url) in [("ELASTIC", &self.elastic), ("REDIS", &self.redis)] {
            let (_, address) = url.split_once("://").unwrap_or(("", url));
            let address = address.split('/').next().unwrap_or_default();
            let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
            variables.push((format!("CLEARML_{service}_SERVICE_HOST"), host.to_owned()));
            variables.push((format!("CLEARML_{service}_SERVICE_PORT"), port.to_owned()));
        }
        variables
    }

    /// Removes everything.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        // Fails if there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = mongodb::Client::with_uri_str(&self.mongo).await?;
        for database in ["backend", "auth"] {
            client.database(&format!("{}-{database}", self.name)).drop().await?;
        }
        let http = reqwest::Client::new();
        let indices = http.get(format!("{}/_cat/indices/{}-*?h=index", self.elastic, self.name));
        let indices = indices.send().await?.text().await?;
        for index in indices.lines().map(str::trim).filter(|index| index.starts_with(&self.name)) {
            http.delete(format!("{}/{index}", self.elastic)).send().await?;
        }
        for templates in ["_index_template", "_component_template"] {
            http.delete(format!("{}/{templates}/{}-*", self.elastic, self.name)).send().await?;
        }
        let keys = S3Keys {
            key: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
            token: None,
        };
        let s3 = S3Access {
            endpoint: Some(self.endpoint.clone()),
            region: env::var("AWS_REGION").ok(),
            keys: Some(keys),
            ..S3Access::default()
        };
        let access = ObjectAccess {
            provider: Provider::S3(s3),
            bucket: self.bucket.clone(),
            transport: Transport { allow_http: true, ..Transport::default() },
            environment: Vec::new(),
        };
        let files = ObjectFiles::open(&access, &self.name, UploadSettings::default()).await?;
        let folder = FilePath::parse("project").ok().context("no name of a folder")?;
        // There is none if nothing was moved.
        let _ = files.delete_folder(&folder).await;
        Ok(())
    }
}
