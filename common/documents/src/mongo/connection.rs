//! The clients: connected when first used, shared where both databases are in one place.

use std::sync::Arc;

use bson::{Document, doc};
use mongodb::{
    Client, Database,
    options::{Acknowledgment, ClientOptions, Compressor, WriteConcern},
};

use tokio::sync::OnceCell;

use super::{
    error::mongo_error,
    settings::{MongoSettings, without_database, without_password},
};
use crate::{Collection, StoreError, StoreResult, matcher::invalid_value};

/// Both databases.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    backend: Place,
    auth: Place,
    /// Both are behind one client.
    shared: bool,
}

/// A database and what is known of its deployment.
#[derive(Debug, Clone)]
struct Place {
    database: Database,
    /// Commands that the driver does not make itself need it written out.
    write_concern: Document,
    /// Asked once.
    transactions: Arc<OnceCell<bool>>,
}

impl Connection {
    /// Makes the clients; nothing but names of hosts is looked up.
    pub(super) async fn open(settings: &MongoSettings) -> StoreResult<Self> {
        let backend = options(&settings.backend_uri, settings).await?;
        let auth = options(&settings.auth_uri, settings).await?;
        let shared = without_database(&settings.backend_uri) == without_database(&settings.auth_uri)
            && backend.credential == auth.credential;
        let backend_name =
            backend.default_database.clone().unwrap_or_else(|| settings.backend_database.clone());
        let auth_name = auth.default_database.clone().unwrap_or_else(|| settings.auth_database.clone());
        let backend_client = client(backend)?;
        let auth_client = if shared { backend_client.clone() } else { client(auth)? };
        let backend = Place::new(backend_client.database(&backend_name))?;
        let mut auth = Place::new(auth_client.database(&auth_name))?;
        if shared {
            auth.transactions = Arc::clone(&backend.transactions);
        }
        Ok(Self { backend, auth, shared })
    }

    pub(super) fn database(&self, collection: Collection) -> &Database {
        &self.place(collection).database
    }

    pub(super) fn write_concern(&self, collection: Collection) -> Document {
        self.place(collection).write_concern.clone()
    }

    /// Whether the deployment has transactions: a replica set or a sharded cluster has, a single server has not.
    pub(super) async fn has_transactions(&self, collection: Collection) -> StoreResult<bool> {
        let place = self.place(collection);
        let ask = || async {
            let hello = place.database.run_command(doc! {"hello": 1}).await.map_err(mongo_error)?;
            let sharded = hello.get_str("msg").is_ok_and(|message| message == "isdbgrid");
            StoreResult::Ok(sharded || hello.contains_key("setName"))
        };
        place.transactions.get_or_try_init(ask).await.copied()
    }

    fn place(&self, collection: Collection) -> &Place {
        match collection {
            Collection::AuthUser => &self.auth,
            Collection::Task
            | Collection::TaskTrash
            | Collection::Project
            | Collection::Model
            | Collection::Queue
            | Collection::User
            | Collection::Company
            | Collection::Settings
            | Collection::Versions
            | Collection::UrlToDelete
            | Collection::StorageSettings
            | Collection::PendingRemoval => &self.backend,
        }
    }

    /// One database behind each client.
    pub(super) fn servers(&self) -> Vec<Database> {
        let backend = self.backend.database.clone();
        if self.shared { vec![backend] } else { vec![backend, self.auth.database.clone()] }
    }
}

impl Place {
    fn new(database: Database) -> StoreResult<Self> {
        let write_concern = if let Some(concern) = database.write_concern() {
            bson::serialize_to_document(concern).map_err(invalid_value)?
        } else {
            doc! {"w": "majority"}
        };
        Ok(Self { database, write_concern, transactions: Arc::default() })
    }
}

fn client(options: ClientOptions) -> StoreResult<Client> {
    Client::with_options(options).map_err(mongo_error)
}

async fn options(uri: &str, settings: &MongoSettings) -> StoreResult<ClientOptions> {
    let mut options = ClientOptions::parse(uri).await.map_err(|error| {
        let address = without_password(uri);
        match mongo_error(error) {
            StoreError::Unavailable(text) => StoreError::Unavailable(format!("{address}: {text}")),
            other => StoreError::Backend(format!("{address}: {other}")),
        }
    })?;
    options.app_name.get_or_insert_with(|| settings.app_name.clone());
    options.max_pool_size.get_or_insert(settings.max_pool_size);
    options.min_pool_size.get_or_insert(settings.min_pool_size);
    options.max_idle_time.get_or_insert(settings.max_idle_time);
    options.connect_timeout.get_or_insert(settings.connect_timeout);
    options.server_selection_timeout.get_or_insert(settings.server_selection_timeout);
    options.retry_writes.get_or_insert(true);
    options.retry_reads.get_or_insert(true);
    if settings.compression {
        options
            .compressors
            .get_or_insert_with(|| vec![Compressor::Zstd { level: None }, Compressor::Zlib { level: None }]);
    }
    // What is acknowledged is durable: on a majority of the members, in their journals.
    let concern = options.write_concern.get_or_insert_with(WriteConcern::default);
    concern.w.get_or_insert(Acknowledgment::Majority);
    concern.journal.get_or_insert(true);
    Ok(options)
}
