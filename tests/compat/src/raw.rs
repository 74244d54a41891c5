//! Puts a recording into the stores of a cluster as raw data, with its own indexes and mappings: what a
//! server finds that takes the place of an official one.

use std::{collections::BTreeMap, env, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use bson::{Document, doc};
use clearml_apiserver::Stores;
use clearml_documents::{Collection, MongoSettings, MongoStore};
use clearml_events::{ElasticCluster, ElasticEvents, ElasticSettings};
use clearml_state::{RedisSettings, RedisState, SharedState};
use reqwest::Client;
use serde_json::{Value, json};

use crate::Dump;

/// Documents of one request.
const CHUNK: usize = 2_000;

/// Databases, indices and keys of a cluster that are one test's own.
pub struct Cluster {
    /// Begins the names of the databases; ends with `_`.
    pub databases: String,
    /// Begins the names of the indices; ends with `-`.
    pub indices: String,
    /// Address of MongoDB.
    pub mongodb_url: String,
    /// Address of Elasticsearch.
    pub elastic_url: String,
    /// Address of Redis.
    pub redis_url: String,
    mongodb: mongodb::Client,
    http: Client,
}

impl Cluster {
    /// The cluster that the variables `CLEARML_{MONGODB,ELASTIC,REDIS}_URL` name; `None` after a line that says
    /// which one is not set. Tests of one process tell their purposes.
    pub async fn of_environment(purpose: &str) -> anyhow::Result<Option<Self>> {
        let mut urls = Vec::new();
        for name in ["CLEARML_MONGODB_URL", "CLEARML_ELASTIC_URL", "CLEARML_REDIS_URL"] {
            let Ok(url) = env::var(name) else {
                println!("skipped: {name} is not set");
                return Ok(None);
            };
            urls.push(url);
        }
        let [mongodb_url, elastic_url, redis_url] = <[String; 3]>::try_from(urls).unwrap_or_default();
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = format!("{purpose}{}", std::process::id());
        Ok(Some(Self {
            databases: format!("compat_{own}_"),
            indices: format!("compat-{own}-"),
            mongodb: mongodb::Client::with_uri_str(&mongodb_url).await?,
            http: Client::builder().timeout(Duration::from_mins(1)).build()?,
            mongodb_url,
            elastic_url: elastic_url.trim_end_matches('/').to_owned(),
            redis_url,
        }))
    }

    /// Fills the databases and indices.
    pub async fn load(&self, dump: &Dump) -> anyhow::Result<()> {
        self.load_documents(dump).await?;
        self.load_indices(dump).await
    }

    async fn load_documents(&self, dump: &Dump) -> anyhow::Result<()> {
        let indexes: BTreeMap<String, Vec<Value>> = serde_json::from_value(dump.json("mongo/indexes.json")?)?;
        for collection in Collection::ALL {
            let database = self.mongodb.database(&format!("{}{}", self.databases, collection.database()));
            let documents = dump.documents(collection)?;
            if !documents.is_empty() {
                database.collection::<Document>(collection.name()).insert_many(documents).await?;
            }
            let name = format!("{}.{}", collection.database(), collection.name());
            let recorded = indexes.get(&name).into_iter().flatten().filter(|index| index["name"] != "_id_");
            let recorded: Vec<Document> = recorded.map(index_model).collect::<Result<_, _>>()?;
            if !recorded.is_empty() {
                let command = doc! {"createIndexes": collection.name(), "indexes": recorded};
                database.run_command(command).await.with_context(|| format!("indexes of {name}"))?;
            }
        }
        Ok(())
    }

    async fn load_indices(&self, dump: &Dump) -> anyhow::Result<()> {
        for (name, _, _) in dump.indices()? {
            let recorded = dump.json(&format!("elastic/{name}.index.json"))?;
            let index = format!("{}/{}{name}", self.elastic_url, self.indices);
            let settings = &recorded["settings"]["index"];
            let body = json!({
                "mappings": recorded["mappings"],
                "settings": {
                    "number_of_shards": settings["number_of_shards"],
                    "number_of_replicas": settings["number_of_replicas"],
                },
            });
            let response = self.http.put(&index).json(&body).send().await?;
            ensure!(response.status().is_success(), "{index}: {}", response.text().await?);
            let mut documents = dump.indexed(&name)?;
            loop {
                let mut lines = String::new();
                for hit in documents.by_ref().take(CHUNK) {
                    let hit = hit?;
                    let action = json!({"index": {"_id": hit.id}});
                    let source = serde_json::to_string(&hit.source)?;
                    lines.push_str(&format!("{action}\n{source}\n"));
                }
                if lines.is_empty() {
                    break;
                }
                let request = self.http.post(format!("{index}/_bulk?refresh=true"));
                let request = request.header("content-type", "application/x-ndjson").body(lines);
                let answer: Value = request.send().await?.error_for_status()?.json().await?;
                ensure!(answer["errors"] == false, "{index}: {answer}");
            }
        }
        Ok(())
    }

    /// The server's stores in them.
    pub async fn stores(&self) -> anyhow::Result<Stores> {
        let documents = MongoStore::connect(MongoSettings {
            backend_uri: self.mongodb_url.clone(),
            auth_uri: self.mongodb_url.clone(),
            backend_database: format!("{}backend", self.databases),
            auth_database: format!("{}auth", self.databases),
            ..MongoSettings::default()
        })
        .await?;
        let events = ElasticEvents::connect(ElasticSettings {
            events: ElasticCluster { hosts: vec![self.elastic_url.clone()], ..ElasticCluster::default() },
            index_prefix: self.indices.clone(),
            ..ElasticSettings::default()
        })
        .await?;
        let events = Arc::new(events);
        let state = Arc::new(self.state().await?);
        Ok(Stores {
            documents: Arc::new(documents),
            state: state.clone(),
            worker_state: state,
            statistics: events.clone(),
            events,
        })
    }

    async fn state(&self) -> anyhow::Result<RedisState> {
        let settings = RedisSettings::from_url(&self.redis_url)?;
        Ok(RedisState::connect(RedisSettings { prefix: self.indices.clone(), ..settings }).await?)
    }

    /// What Elasticsearch answers at this path.
    pub async fn elastic(&self, path: &str) -> anyhow::Result<Value> {
        let response = self.http.get(format!("{}/{path}", self.elastic_url)).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// At most 1000 documents of the indices of this pattern.
    pub async fn sources(&self, pattern: &str) -> anyhow::Result<Vec<Document>> {
        // Statistics are written without a refresh: whoever reads them asks for one.
        self.elastic(&format!("{}{pattern}/_refresh", self.indices)).await?;
        let found = self.elastic(&format!("{}{pattern}/_search?size=1000", self.indices)).await?;
        let hits = found["hits"]["hits"].as_array().context("no hits")?;
        hits.iter().map(|hit| Ok(serde_json::from_value(hit["_source"].clone())?)).collect()
    }

    /// Removes the databases, indices and keys.
    pub async fn clean(&self) -> anyhow::Result<()> {
        let state = self.state().await?;
        let keys = state.keys("*").await?;
        if !keys.is_empty() {
            state.delete(&keys).await?;
        }
        for database in ["backend", "auth"] {
            self.mongodb.database(&format!("{}{database}", self.databases)).drop().await?;
        }
        let list = format!("{}/_cat/indices/{}*?format=json&h=index", self.elastic_url, self.indices);
        let indices: Vec<Value> = self.http.get(list).send().await?.error_for_status()?.json().await?;
        for index in indices.iter().filter_map(|index| index["index"].as_str()) {
            self.http.delete(format!("{}/{index}", self.elastic_url)).send().await?.error_for_status()?;
        }
        for kind in ["_index_template", "_component_template"] {
            // The composed ones go first; a cluster without such a template answers 404.
            let templates = format!("{}/{kind}/{}*", self.elastic_url, self.indices);
            self.http.delete(templates).send().await?;
        }
        Ok(())
    }
}

/// The model that makes a recorded index.
fn index_model(index: &Value) -> anyhow::Result<Document> {
    let mut model: Document = bson::serialize_to_document(index)?;
    model.remove("v");
    model.remove("background");
    let keys = model.get_document_mut("key")?;
    let fields: Vec<String> = keys.keys().cloned().collect();
    for field in fields {
        // Orders are 32-bit numbers to MongoDB.
        let order = index["key"][&field].as_i64().context("no order")?;
        keys.insert(field, i32::try_from(order)?);
    }
    Ok(model)
}
