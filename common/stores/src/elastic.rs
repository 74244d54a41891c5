//! `hosts.elastic` -> the settings of the store.

use clearml_config::{
    Settings,
    settings::{Elastic, IndexForm, Secret},
};
use clearml_events::{
    ElasticBulk, ElasticCluster, ElasticLogin, ElasticProbing, ElasticSettings, IndexSettings,
};

use crate::{OpenError, PAUSE, name_limits, waiting::Patience};

/// How to reach the clusters `events` and `workers`.
pub fn elastic_settings(settings: &Settings) -> Result<ElasticSettings, OpenError> {
    let client = &settings.stores.elastic;
    let mappings = &settings.services.elastic.mappings;
    let hosts = &settings.hosts.elastic;
    let default = Elastic::default();
    let events = hosts.get("events").unwrap_or(&default);
    let workers = hosts.get("workers").filter(|workers| *workers != events);
    Ok(ElasticSettings {
        events: cluster(settings, "events", events)?,
        workers: workers.map(|workers| cluster(settings, "workers", workers)).transpose()?,
        index_prefix: client.index_prefix.clone(),
        event_indices: form(&mappings.events),
        statistics_indices: form(&mappings.workers),
        limits: name_limits(settings),
        probing: ElasticProbing { max_retries: Patience::of(settings).retries(), interval: PAUSE },
        bulk: ElasticBulk {
            max_bytes: client.bulk_max_bytes,
            max_events: client.bulk_max_events,
            max_concurrent: client.bulk_max_concurrent,
            max_retries: client.bulk_max_retries,
        },
    })
}

fn cluster(settings: &Settings, name: &str, cluster: &Elastic) -> Result<ElasticCluster, OpenError> {
    let args = &cluster.args;
    let authorities = match &args.ca_certs {
        Some(path) => Some(std::fs::read(path).map_err(|error| OpenError::Setting {
            key: format!("hosts.elastic.{name}.args.ca_certs"),
            reason: format!("{path}: {error}"),
        })?),
        None => None,
    };
    Ok(ElasticCluster {
        hosts: cluster.hosts.iter().map(clearml_config::settings::ElasticHost::url).collect(),
        login: login(settings, cluster),
        authorities,
        verify_certificates: args.verify_certs,
        timeout: args.timeout.duration(),
        max_retries: args.max_retries,
        retry_on_timeout: args.retry_on_timeout,
        max_concurrent_requests: settings.stores.elastic.max_concurrent_requests,
        compress: args.http_compress,
    })
}

fn login(settings: &Settings, cluster: &Elastic) -> ElasticLogin {
    if let Some(key) = cluster.args.api_key.as_ref().filter(|key| !key.is_empty()) {
        return ElasticLogin::ApiKey(key.reveal().to_owned());
    }
    let login = &settings.secure.elastic;
    match login.user.as_deref().filter(|user| cluster.secure && !user.is_empty()) {
        Some(user) => ElasticLogin::Password {
            user: user.to_owned(),
            password: login.password.as_ref().map(Secret::reveal).unwrap_or_default().to_owned(),
        },
        None => ElasticLogin::None,
    }
}

fn form(form: &IndexForm) -> IndexSettings {
    IndexSettings { shards: form.number_of_shards, replicas: form.number_of_replicas }
}
