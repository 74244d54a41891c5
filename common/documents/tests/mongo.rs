//! MongoDB passes the common suite. The tests run where `CLEARML_MONGODB_URL` is set, each in databases of its
//! own.
//!
//! The stand-in of the test backends calls itself the set `secantus` and lacks two things that MongoDB has: text
//! indexes, and a `findAndModify` that is atomic. What needs these is left out there, and said so.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{collections::BTreeMap, io::Read, sync::Arc, time::Duration};

use clearml_documents::{
    Bson, Change, Collection, Document, DocumentStore, DocumentStoreExt, Filter, Find, MongoSettings,
    MongoStore, StoreError, Write, doc, document_store_suite, suite,
};
use futures::TryStreamExt;
use mongodb::Client;

/// Databases of one test, dropped at its end.
struct Databases {
    url: String,
    names: [String; 2],
}

impl Databases {
    async fn client(&self) -> Client {
        Client::with_uri_str(&self.url).await.unwrap()
    }

    fn settings(&self) -> MongoSettings {
        let [backend, auth] = self.names.clone();
        MongoSettings {
            backend_uri: self.url.clone(),
            auth_uri: self.url.clone(),
            backend_database: backend,
            auth_database: auth,
            ..MongoSettings::default()
        }
    }

    /// The official name of a database -> its name here.
    fn named(&self, official: &str) -> &str {
        &self.names[usize::from(official == "auth")]
    }
}

impl Drop for Databases {
    /// On a thread of its own, because the test's runtime must not be blocked.
    fn drop(&mut self) {
        let (url, names) = (self.url.clone(), self.names.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = Client::with_uri_str(url).await.unwrap();
                for name in names {
                    client.database(&name).drop().await.unwrap();
                }
            });
        });
        assert!(dropping.join().is_ok(), "the databases of a test were not dropped");
    }
}

fn databases() -> Option<Databases> {
    let Ok(url) = std::env::var("CLEARML_MONGODB_URL") else {
        println!("skipped: CLEARML_MONGODB_URL is not set");
        return None;
    };
    let name = format!("clearml_test_{:016x}", rand::random::<u64>());
    Some(Databases { url, names: [format!("{name}_backend"), format!("{name}_auth")] })
}

async fn connect(databases: &Databases) -> MongoStore {
    MongoStore::connect(databases.settings()).await.unwrap()
}

async fn open() -> Option<(suite::Store, Databases)> {
    let databases = databases()?;
    let store = connect(&databases).await;
    store.ensure_indexes().await.unwrap();
    Some((Arc::new(store), databases))
}

document_store_suite!(open(), most);

/// Whether it is the stand-in that answers.
async fn is_stand_in(databases: &Databases) -> bool {
    let hello = databases.client().await.database("admin").run_command(doc! {"hello": 1}).await.unwrap();
    hello.get_str("setName").is_ok_and(|name| name == "secantus")
}

#[tokio::test(flavor = "multi_thread")]
async fn full_text_search() {
    let Some((store, databases)) = open().await else { return };
    if is_stand_in(&databases).await {
        println!("skipped: the stand-in for MongoDB has no text indexes");
        return;
    }
    suite::full_text_search(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_hands_out_each_entry_once() {
    let Some((store, databases)) = open().await else { return };
    if is_stand_in(&databases).await {
        println!("skipped: findAndModify of the stand-in for MongoDB is not atomic");
        return;
    }
    suite::a_queue_hands_out_each_entry_once(store).await;
}

/// Name -> key, unique, sparse, numeric.
type Indexes = BTreeMap<String, (String, bool, bool, bool)>;

fn described(indexes: impl IntoIterator<Item = Document>) -> Indexes {
    let flag = |index: &Document, name: &str| index.get_bool(name).unwrap_or(false);
    let describe = |index: Document| {
        let key = index.get_document("key").unwrap();
        let key: Vec<String> = key
            .iter()
            .map(|(field, direction)| match direction {
                Bson::Double(direction) => format!("{field}:{direction:.0}"),
                other => format!("{field}:{other}"),
            })
            .collect();
        let numeric =
            index.get_document("collation").is_ok_and(|collation| flag(collation, "numericOrdering"));
        let facts = (key.join(","), flag(&index, "unique"), flag(&index, "sparse"), numeric);
        (index.get_str("name").unwrap().to_owned(), facts)
    };
    indexes.into_iter().map(describe).collect()
}

async fn indexes(databases: &Databases, database: &str, collection: &str) -> Indexes {
    let database = databases.client().await.database(databases.named(database));
    let cursor = database.run_cursor_command(doc! {"listIndexes": collection}).await.unwrap();
    described(cursor.try_collect::<Vec<Document>>().await.unwrap())
}

/// Many processes start at once; all of them find or make the indexes.
#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_made_once_by_many() {
    let Some(databases) = databases() else { return };
    let mut starting = Vec::new();
    for _ in 0..6 {
        let store = connect(&databases).await;
        starting.push(tokio::spawn(async move { store.ensure_indexes().await }));
    }
    for start in starting {
        start.await.unwrap().unwrap();
    }
    let queue = indexes(&databases, "backend", "queue").await;
    let names: Vec<_> = queue.keys().map(String::as_str).collect();
    assert_eq!(names, ["_id_", "name_1_company_1"]);
    assert_eq!(queue["name_1_company_1"], ("name:1,company:1".to_owned(), true, false, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_of_others_stay() {
    let Some(databases) = databases() else { return };
    let database = databases.client().await.database(databases.named("backend"));
    let own = doc! {"createIndexes": "queue", "indexes": [
        {"key": {"name": 1, "company": 1}, "name": "name_1_company_1"},
        {"key": {"extra": 1}, "name": "extra"},
    ]};
    database.run_command(own).await.unwrap();
    let before = indexes(&databases, "backend", "queue").await;
    let store = connect(&databases).await;
    store.ensure_indexes().await.unwrap();
    assert_eq!(indexes(&databases, "backend", "queue").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_unavailable() {
    let address = "mongodb://127.0.0.1:9/".to_owned();
    let store = MongoStore::connect(MongoSettings {
        backend_uri: address.clone(),
        auth_uri: address,
        server_selection_timeout: Duration::from_millis(200),
        ..MongoSettings::default()
    })
    .await
    .unwrap();
    let found = store.find(Collection::Task, Find::new(Filter::Everything)).await;
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    for result in [
        store.ping().await,
        store.ensure_indexes().await,
        store.insert(Collection::Task, doc! {"_id": "1"}).await,
        store.write(Collection::Task, vec![Write::Insert(doc! {"_id": "1"}); 2]).await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
}

#[tokio::test]
async fn malformed_addresses_are_refused_without_their_passwords() {
    for backend_uri in ["localhost:27017", "mongodb://me:secret@/backend", "mongodb://me:secret@h/?tls=maybe"]
    {
        let settings = MongoSettings { backend_uri: backend_uri.to_owned(), ..MongoSettings::default() };
        let error = MongoStore::connect(settings).await.unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_ends_with_its_time() {
    let Some(databases) = databases() else { return };
    let settings = MongoSettings { operation_timeout: Duration::from_nanos(1), ..databases.settings() };
    let store = MongoStore::connect(settings).await.unwrap();
    let result = store.find(Collection::Task, Find::new(Filter::Everything)).await;
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

/// A path in the address names the database, as the official configuration has it.
#[tokio::test(flavor = "multi_thread")]
async fn the_address_names_the_database() {
    let Some(databases) = databases() else { return };
    let (address, query) =
        databases.url.split_once("/?").unwrap_or((databases.url.trim_end_matches('/'), ""));
    let uri = |name: &str| format!("{address}/{}?{query}", databases.named(name));
    let settings =
        MongoSettings { backend_uri: uri("backend"), auth_uri: uri("auth"), ..MongoSettings::default() };
    let store = MongoStore::connect(settings).await.unwrap();
    store.insert(Collection::AuthUser, doc! {"_id": "a"}).await.unwrap();
    store.insert(Collection::User, doc! {"_id": "b"}).await.unwrap();
    let client = databases.client().await;
    for (database, id) in [("auth", "a"), ("backend", "b")] {
        let users = client.database(databases.named(database)).collection::<Document>("user");
        let found: Vec<Document> = users.find(doc! {}).await.unwrap().try_collect().await.unwrap();
        assert_eq!(found, [doc! {"_id": id}]);
    }
}

/// More than one statement, more than one command: the sums are right, and the whole is one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn many_writes_are_one() {
    let Some((store, _databases)) = open().await else { return };
    let mut writes: Vec<_> = (0..300).map(|number| Write::Insert(doc! {"_id": number.to_string()})).collect();
    for number in 0..300 {
        writes.push(Write::Update {
            filter: Filter::id(number.to_string()),
            update: vec![Change::set("even", number % 2 == 0)],
            many: false,
            upsert: false,
        });
    }
    writes.push(Write::Replace(doc! {"_id": "new"}));
    writes.push(Write::Delete { filter: Filter::eq("even", true) });
    let outcome = store.write(Collection::Task, writes).await.unwrap();
    assert_eq!((outcome.matched, outcome.modified, outcome.deleted), (450, 601, 150));
    assert!(outcome.upserted);
    assert_eq!(store.count(Collection::Task, Filter::Everything, false).await.unwrap(), 151);
}

/// The documents of an official server go through the store unchanged, and its indexes are the ones that are
/// made.
#[tokio::test(flavor = "multi_thread")]
async fn documents_and_indexes_of_an_official_server() {
    let Ok(folder) = std::env::var("CLEARML_COMPAT_DATA") else {
        println!("skipped: CLEARML_COMPAT_DATA is not set");
        return;
    };
    let Some((store, databases)) = open().await else { return };
    let folder = std::path::Path::new(&folder).join("mongo");
    let mut checked = 0;
    for collection in Collection::ALL {
        let file = folder.join(format!("{}.{}.ndjson.gz", collection.database(), collection.name()));
        let Ok(compressed) = std::fs::read(&file) else { continue };
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*compressed).read_to_string(&mut text).unwrap();
        let documents: Vec<Document> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let writes = documents.iter().cloned().map(Write::Insert).collect();
        store.write(collection, writes).await.unwrap();
        for document in &documents {
            let id = document.get_str("_id").unwrap();
            let found = store.find(collection, Find::new(Filter::id(id))).await.unwrap();
            assert_eq!(found, std::slice::from_ref(document));
        }
        for path in collection.spec().dates {
            let empty = Filter::empty(*path);
            let dated = Filter::gt(*path, clearml_documents::DateTime::from_millis(0));
            let others = store.count(collection, empty.or(dated).negate(), false).await.unwrap();
            assert_eq!(others, 0, "{path} of {collection:?} is no date");
        }
        checked += documents.len();
    }
    assert!(checked > 0);

    let official = std::fs::read_to_string(folder.join("indexes.json")).unwrap();
    let official: Document = serde_json::from_str(&official).unwrap();
    for (name, official) in &official {
        let official = official.as_array().unwrap().iter().map(|index| index.as_document().unwrap().clone());
        let official = described(official);
        let (database, collection) = name.split_once('.').unwrap();
        let mut made = indexes(&databases, database, collection).await;
        // The server that wrote them ran on the stand-in, too.
        made.retain(|name, _| !name.ends_with("main_text_index"));
        assert_eq!(made, official, "{name}");
    }
}
