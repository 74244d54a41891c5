//! `projects.*` (spec 03 part 2).

mod aggregations;
mod delete;
mod read;
mod relocate;
mod statistics;
mod write;

use bson::{DateTime, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find, Write};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer};

/// A server with a user.
async fn server() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let user = server.user().await;
    (server, user)
}

/// Creates a project; its id.
async fn create(user: &Client, name: &str) -> String {
    create_with(user, name, json!({})).await
}

async fn create_with(user: &Client, name: &str, fields: Value) -> String {
    let mut request = fields;
    request["name"] = json!(name);
    let data = user.ok("projects.create", request).await;
    data["id"].as_str().unwrap().to_owned()
}

/// Stores documents of the company.
async fn store(server: &TestServer, collection: Collection, documents: Vec<Document>) {
    let writes = documents
        .into_iter()
        .map(|fields| {
            let mut document = doc! { "_id": server.app.new_id(), "company": COMPANY, "name": "some name" };
            document.extend(fields);
            Write::Insert(document)
        })
        .collect();
    server.app.documents.write(collection, writes).await.unwrap();
}

/// Stores a public project.
async fn store_public(server: &TestServer, id: &str, name: &str) {
    let project = doc! {
        "_id": id, "company": "", "company_origin": "elsewhere", "name": name, "basename": name, "path": [],
    };
    server.app.documents.insert(Collection::Project, project).await.unwrap();
}

/// The stored document.
async fn stored(server: &TestServer, collection: Collection, id: &str) -> Option<Document> {
    server.app.documents.find_one(collection, Find::new(Filter::id(id))).await.unwrap()
}

async fn project(server: &TestServer, id: &str) -> Document {
    stored(server, Collection::Project, id).await.unwrap()
}

/// The own project of this name, which exists.
async fn by_name(server: &TestServer, name: &str) -> Document {
    let filter = Filter::eq("name", name).and(Filter::eq("company", COMPANY));
    server.app.documents.find_one(Collection::Project, Find::new(filter)).await.unwrap().unwrap()
}

fn id_of(document: &Document) -> String {
    document.get_str("_id").unwrap().to_owned()
}

fn path_of(document: &Document) -> Vec<String> {
    document.get_array("path").unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Sets a project's `last_update` long ago.
async fn age(server: &TestServer, id: &str) {
    let update = vec![clearml_documents::Change::set("last_update", DateTime::from_millis(0))];
    server.app.documents.update_one(Collection::Project, Filter::id(id), update).await.unwrap();
}

async fn is_fresh(server: &TestServer, id: &str) -> bool {
    project(server, id).await.get_datetime("last_update").unwrap().timestamp_millis() > 0
}

/// The names of projects in an answer.
fn names(data: &Value) -> Vec<&str> {
    data["projects"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect()
}
