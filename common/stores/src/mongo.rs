//! `hosts.mongo` -> the settings of the store.

use clearml_config::Settings;
use clearml_documents::MongoSettings;

/// How to reach the databases `backend` and `auth`.
pub fn mongo_settings(settings: &Settings) -> MongoSettings {
    let mongo = &settings.hosts.mongo;
    let client = &settings.stores.mongo;
    MongoSettings {
        backend_uri: mongo.backend.host.clone(),
        auth_uri: mongo.auth.host.clone(),
        backend_database: mongo.backend.database().unwrap_or("backend").to_owned(),
        auth_database: mongo.auth.database().unwrap_or("auth").to_owned(),
        max_pool_size: client.max_pool_size,
        min_pool_size: client.min_pool_size,
        max_idle_time: client.max_idle_time_sec.duration(),
        connect_timeout: client.connect_timeout_sec.duration(),
        server_selection_timeout: client.server_selection_timeout_sec.duration(),
        operation_timeout: client.operation_timeout_sec.duration(),
        compression: client.compression,
        ..MongoSettings::default()
    }
}
