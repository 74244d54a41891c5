//! The `models` service (spec 04 §1).

mod create;
mod delete;
mod edit;
mod for_task;
mod metadata;
mod organize;
mod publish;
mod read;
mod statistics;
mod tag_cache;
mod timestamps;

use bson::{DateTime, Document, doc};
use clearml_documents::Collection;
use serde_json::{Value, json};

use crate::{lifecycle::World, support::COMPANY};

impl World {
    /// Stores a draft model of old times.
    async fn model(&self, fields: Document) -> String {
        let long_ago = DateTime::from_millis(0);
        let mut model = doc! {
            "user": "somebody",
            "uri": "file:///weights",
            "ready": false,
            "created": long_ago,
            "last_update": long_ago,
            "last_change": long_ago,
        };
        model.extend(fields);
        self.insert(Collection::Model, model).await
    }

    async fn public_model(&self) -> String {
        self.model(doc! { "company": "", "company_origin": COMPANY }).await
    }

    async fn foreign_model(&self) -> String {
        self.model(doc! { "company": "another" }).await
    }

    /// A task that made the model.
    async fn creating_task(&self, model: &str, fields: Document) -> String {
        let items = vec![doc! { "name": "other", "model": "other" }, doc! { "name": "made", "model": model }];
        let mut task = doc! { "models": { "output": items } };
        task.extend(fields);
        self.task(task).await
    }

    async fn stored_model(&self, id: &str) -> Document {
        self.find(Collection::Model, id).await.unwrap()
    }

    /// The model as `get_by_id` answers it.
    async fn get_model(&self, id: &str) -> Value {
        self.ok("models.get_by_id", json!({"model": id})).await["model"].clone()
    }

    async fn data_at(&self, version: &str, endpoint: &str, request: Value) -> Value {
        self.user.clone().version(version).ok(endpoint, request).await
    }

    async fn error_at(&self, version: &str, endpoint: &str, request: Value) -> String {
        let (code, subcode, message) = self.user.clone().version(version).error(endpoint, request).await;
        format!("{code}/{subcode} {message}")
    }

    /// What an endpoint that changes one model answers for models that are not the company's.
    async fn assert_needs_own_model(&self, endpoint: &str, more: &Value) {
        for model in ["unknown".to_owned(), self.public_model().await, self.foreign_model().await] {
            let mut request = more.clone();
            request["model"] = json!(model);
            assert_eq!(self.error(endpoint, request).await, unknown(&model), "{endpoint}");
        }
        assert_eq!(
            self.error(endpoint, more.clone()).await,
            "400/12 Validation error (error for field 'model'. field is required!)",
            "{endpoint}"
        );
    }

    /// What an endpoint that changes many models, each for itself, answers for others than own ones.
    async fn assert_batch_of_models(&self, endpoint: &str, good: &str) {
        let public = self.public_model().await;
        let answer = self.ok(endpoint, json!({"ids": [public, good, "unknown"]})).await;
        assert_eq!(answer["succeeded"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(answer["succeeded"][0]["id"], json!(good));
        let failure = |id: &str| {
            json!({"id": id, "error": {
                "codes": [400, 201],
                "msg": format!("Invalid model id: company={COMPANY}, id={id}"),
                "data": {"company": COMPANY, "id": id},
            }})
        };
        assert_eq!(answer["failed"], json!([failure(&public), failure("unknown")]));
        self.assert_needs_ids(endpoint).await;
    }

    async fn assert_needs_ids(&self, endpoint: &str) {
        for request in [json!({"ids": [], "add_tags": ["a"], "project": null}), json!({"add_tags": ["a"]})] {
            assert_eq!(
                self.error(endpoint, request).await,
                "400/12 Validation error (error for field 'ids': value '[]' length is lower than allowed \
                 minimum '1'.)",
                "{endpoint}"
            );
        }
    }
}

/// The error for a model that is not the company's.
fn unknown(model: &str) -> String {
    format!("400/201 Invalid model id: company={COMPANY}, id={model}")
}

fn texts(document: &Document, path: &str) -> Vec<String> {
    document.get_array(path).unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}
