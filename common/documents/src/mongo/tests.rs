//! Tests against a MongoDB: what the store's filters and updates do there is what the matcher and the updates
//! say. They run where `CLEARML_MONGODB_URL` is set.

mod plans;
mod random;

use super::{MongoSettings, MongoStore};

/// A store with databases of its own, and what drops them at the end.
async fn open(name: &str) -> Option<(MongoStore, Databases)> {
    let Ok(url) = std::env::var("CLEARML_MONGODB_URL") else {
        println!("skipped: CLEARML_MONGODB_URL is not set");
        return None;
    };
    let name = format!("clearml_test_{name}_{:08x}", rand::random::<u32>());
    let settings = MongoSettings {
        backend_uri: url.clone(),
        auth_uri: url,
        backend_database: format!("{name}_backend"),
        auth_database: format!("{name}_auth"),
        ..MongoSettings::default()
    };
    let store = MongoStore::connect(settings).await.unwrap();
    store.ensure_indexes().await.unwrap();
    Some((store.clone(), Databases(store)))
}

/// Whether the stand-in of the test backends answers, which calls itself the set `secantus`.
async fn is_stand_in(store: &MongoStore) -> bool {
    let database = store.shared.connection.database(crate::Collection::Task);
    let hello = database.run_command(bson::doc! {"hello": 1}).await.unwrap();
    hello.get_str("setName").is_ok_and(|name| name == "secantus")
}

/// Drops the databases.
struct Databases(MongoStore);

impl Databases {
    async fn drop(self) {
        for collection in [crate::Collection::Task, crate::Collection::AuthUser] {
            self.0.shared.connection.database(collection).drop().await.unwrap();
        }
    }
}
