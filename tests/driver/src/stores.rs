//! The stores of a cluster, a part of each that is a test's own, and the ways there.

use std::net::SocketAddr;

use anyhow::Context;
use rand::RngExt;

use crate::Proxy;

/// Where stores for tests run, from the environment.
#[derive(Debug, Clone)]
pub struct StoreAddresses {
    /// `CLEARML_MONGODB_URL`: without a database.
    pub mongo: String,
    /// `CLEARML_ELASTIC_URL`.
    pub elastic: String,
    /// `CLEARML_REDIS_URL`.
    pub redis: String,
    /// `CLEARML_S3_ENDPOINT`, with `CLEARML_S3_BUCKET` and the `AWS_` variables.
    pub s3: String,
    pub s3_bucket: String,
}

impl StoreAddresses {
    /// `None` if a variable is missing.
    pub fn from_environment() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self {
            mongo: variable("CLEARML_MONGODB_URL")?,
            elastic: variable("CLEARML_ELASTIC_URL")?,
            redis: variable("CLEARML_REDIS_URL")?,
            s3: variable("CLEARML_S3_ENDPOINT")?,
            s3_bucket: variable("CLEARML_S3_BUCKET")?,
        })
    }
}

/// Databases, indices, keys and objects of one test, each behind a way that can be cut.
pub struct Stores {
    addresses: StoreAddresses,
    /// Begins the names of what belongs to this test.
    pub name: String,
    pub mongo: Proxy,
    pub elastic: Proxy,
    pub redis: Proxy,
    pub s3: Proxy,
}

impl Stores {
    /// Fresh ones.
    pub async fn open(addresses: StoreAddresses) -> anyhow::Result<Self> {
        let name = format!("t{:08x}", rand::rng().random::<u32>());
        Ok(Self {
            mongo: Proxy::to(socket(&addresses.mongo).await?).await?,
            elastic: Proxy::to(socket(&addresses.elastic).await?).await?,
            redis: Proxy::to(socket(&addresses.redis).await?).await?,
            s3: Proxy::to(socket(&addresses.s3).await?).await?,
            addresses,
            name,
        })
    }

    /// The settings of an API server or file server on them, as environment variables.
    pub fn settings(&self) -> Vec<(String, String)> {
        let database = |name: &str| format!("\"{}\"", self.database_url(name));
        let elastic =
            format!("[{{host: \"{}\", port: {}}}]", self.elastic.address.ip(), self.elastic.address.port());
        let mut settings = vec![
            ("hosts__mongo__backend__host".to_owned(), database("backend")),
            ("hosts__mongo__auth__host".to_owned(), database("auth")),
            ("hosts__elastic__events__hosts".to_owned(), elastic.clone()),
            ("hosts__elastic__workers__hosts".to_owned(), elastic),
            ("stores__elastic__index_prefix".to_owned(), format!("{}-", self.name)),
            (
                "fileserver__storage__url".to_owned(),
                format!("\"s3://{}/{}\"", self.addresses.s3_bucket, self.name),
            ),
            ("fileserver__storage__s3__endpoint".to_owned(), format!("\"http://{}\"", self.s3.address)),
            ("fileserver__storage__allow_http".to_owned(), "true".to_owned()),
        ];
        // One server of Redis for all tests: each has databases of its own.
        let first = 1 + u32::from_str_radix(&self.name[7..], 16).unwrap_or_default() % 4 * 3;
        for (offset, alias) in ["apiserver", "workers", "fileserver"].iter().enumerate() {
            settings.push((format!("hosts__redis__{alias}__host"), self.redis.address.ip().to_string()));
            settings.push((format!("hosts__redis__{alias}__port"), self.redis.address.port().to_string()));
            settings.push((format!("hosts__redis__{alias}__db"), (first + offset as u32).to_string()));
        }
        settings.into_iter().map(|(name, value)| (format!("CLEARML__{name}"), value)).collect()
    }

    /// The address of a database of this test, through the way that can be cut.
    pub fn database_url(&self, name: &str) -> String {
        let options = self.addresses.mongo.split_once('?').map_or("", |(_, options)| options);
        format!("mongodb://{}/{name}_{}?{options}", self.mongo.address, self.name)
    }
}

/// The address within a URL.
async fn socket(url: &str) -> anyhow::Result<SocketAddr> {
    let (_, rest) = url.split_once("://").with_context(|| format!("{url} is no URL"))?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let mut found =
        tokio::net::lookup_host(host).await.with_context(|| format!("no host and port in {url}"))?;
    found.next().with_context(|| format!("{host} has no address"))
}
