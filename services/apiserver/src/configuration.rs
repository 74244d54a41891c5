//! The configuration's keys -> this service's settings.

use std::collections::HashMap;

use bson::{Bson, Document};
use clearml_auth::Password;
use clearml_config::{
    Config, ConfigError,
    settings::{self as keys, UrlsOfFileServer},
};

use crate::{
    DownloadSettings, EventSettings, ExternalFileSettings, OrganizationSettings, QueueSettings,
    ServerSettings, ServingSettings, Settings, StorageSettings, UsageSettings, WorkerSettings,
    api::{
        ApiSettings, AuthSettings, CookieDomain, CookieSettings, CorsSettings, FixedUser, FixedUsers,
        GuestSettings, json::Limits,
    },
};

impl Settings {
    /// The settings that a configuration asks for.
    pub fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let all = config.settings()?;
        let services = &all.services;
        Ok(Self {
            api: api(&all),
            auth: auth(&all),
            server: server(config, &all),
            events: events(services),
            external_files: external_files(&all),
            organization: organization(services),
            queues: QueueSettings {
                hidden_tags: services.queues.hidden_tags.clone(),
                metrics_before_from_date: services.queues.metrics_before_from_date.duration(),
                metrics_refresh_interval: services.queues.metrics_refresh_interval_sec.duration(),
            },
            serving: ServingSettings {
                default_container_timeout: services.serving.default_container_timeout_sec.duration(),
                container_auto_register: services.serving.container_auto_register,
                container_auto_unregister: services.serving.container_auto_unregister,
                min_chart_interval: services.serving.min_chart_interval_sec.duration(),
            },
            storage: StorageSettings::new(&document(&services.storage_credentials), config.environment()),
            workers: WorkerSettings {
                auto_register: all.apiserver.workers.auto_register,
                auto_unregister: all.apiserver.workers.auto_unregister,
                default_timeout: all.apiserver.workers.default_timeout.duration(),
                default_worker_timeout: services.workers.default_worker_timeout_sec.duration(),
                task_update_timeout: all.apiserver.workers.task_update_timeout.duration(),
                min_chart_interval: services.workers.min_chart_interval_sec.duration(),
            },
        })
    }
}

fn api(all: &keys::Settings) -> ApiSettings {
    let apiserver = &all.apiserver;
    ApiSettings {
        strip_prefix: apiserver.request.strip_prefix.clone().unwrap_or_default(),
        version_required: apiserver.version.required,
        check_max_version: apiserver.version.check_max_version,
        return_stack: apiserver.return_stack && apiserver.return_stack_to_caller,
        server_header: apiserver.response.headers.server.clone(),
        compress: all.http.compress_responses,
        cors: CorsSettings {
            origins: apiserver.cors.origins.clone(),
            supports_credentials: apiserver.cors.supports_credentials,
        },
        max_body: apiserver.request.max_body_size,
        max_open_body: apiserver.request.max_open_body_size,
        max_json: apiserver.request.max_json_size,
        body_timeout: apiserver.request.body_timeout_sec.duration(),
        json: Limits { values: apiserver.request.max_json_values, ..Limits::default() },
        max_memory: apiserver.request.max_memory_size,
        memory_wait: apiserver.request.memory_wait_sec.duration(),
    }
}

fn auth(all: &keys::Settings) -> AuthSettings {
    let auth = &all.apiserver.auth;
    let overrides = auth.cookies_domain_override.iter();
    let custom = auth.custom_cookies.values().filter(|cookie| cookie.enabled);
    AuthSettings {
        env: all.env.clone().unwrap_or_else(|| "<unknown>".to_owned()),
        default_company: all.apiserver.default_company.clone(),
        default_expiration: auth.default_expiration_sec.seconds() as i64,
        max_expiration: auth.max_expiration_sec.seconds() as i64,
        cookie_name: auth.session_auth_cookie_name.clone(),
        cookies: cookie(&auth.cookies),
        cookie_domains: overrides
            .map(|(company, domain)| (company.clone(), domain.as_ref().and_then(cookie_domain)))
            .collect(),
        custom_cookies: custom
            .map(|custom| (custom.name.clone(), cookie(&custom.settings)))
            .collect::<HashMap<_, _>>(),
        fixed_users: fixed_users(all),
        protected: all.secure.credentials.keys().cloned().collect(),
        ..AuthSettings::new(all.secure.auth.token_secret.reveal())
    }
}

fn cookie(cookies: &keys::Cookies) -> CookieSettings {
    CookieSettings {
        http_only: cookies.httponly,
        secure: cookies.secure,
        domain: cookies.domain.as_ref().and_then(cookie_domain),
        same_site: cookies.samesite.clone(),
        max_age: cookies.max_age,
    }
}

fn cookie_domain(domain: &keys::OneOrMany) -> Option<CookieDomain> {
    match domain.0.as_slice() {
        [] => None,
        [one] => Some(CookieDomain::One(one.clone())),
        several => Some(CookieDomain::FirstOf(several.to_vec())),
    }
}

fn fixed_users(all: &keys::Settings) -> FixedUsers {
    let fixed = &all.apiserver.auth.fixed_users;
    let guest = &all.services.auth.fixed_users.guest;
    let password = |secret: &keys::Secret| {
        let text = secret.reveal().to_owned();
        if fixed.pass_hashed { Password::Hashed(text) } else { Password::Plain(text) }
    };
    let users = fixed.users.iter().map(|user| FixedUser {
        username: user.username.clone(),
        password: password(&user.password),
        name: user.name.clone(),
        company: user.company.clone().unwrap_or_else(|| all.apiserver.default_company.clone()),
        is_guest: user.is_guest,
    });
    FixedUsers {
        enabled: fixed.enabled,
        users: users.collect(),
        guest: GuestSettings {
            enabled: guest.enabled,
            company: guest.default_company.clone(),
            name: guest.name.clone(),
            username: guest.username.clone(),
            password: password(&guest.password),
            shown_password: guest.password.reveal().to_owned(),
            allow_endpoints: guest.allow_endpoints.clone(),
        },
    }
}

fn server(config: &Config, all: &keys::Settings) -> ServerSettings {
    let mut shown = config.masked();
    if let Some(members) = shown.as_object_mut() {
        members.remove("secure");
    }
    let getting_started = document(&all.apiserver.getting_started_info);
    ServerSettings {
        version: all.build.version.clone(),
        build: all.build.build.clone(),
        commit: all.build.commit.clone(),
        deployment: all.build.deployment.clone(),
        statistics_supported: all.apiserver.statistics.supported,
        getting_started: (!getting_started.is_empty()).then_some(getting_started),
        max_download_items: all.services.organization.download.max_download_items as i64,
        configuration: document(&shown),
    }
}

/// A JSON object as a document; anything else is an empty one.
fn document(json: &serde_json::Value) -> Document {
    match bson::serialize_to_bson(json) {
        Ok(Bson::Document(document)) => document,
        _ => Document::new(),
    }
}

fn events(services: &keys::Services) -> EventSettings {
    let events = &services.events;
    let retrieval = &events.events_retrieval;
    EventSettings {
        ignore_iteration_metrics: events.ignore_iteration.metrics.clone(),
        state_expiration: retrieval.state_expiration_sec.duration(),
        max_metrics_concurrency: retrieval.max_metrics_concurrency.max(1),
        dynamic_metrics_count: retrieval.dynamic_metrics_count,
        dynamic_metrics_count_threshold: retrieval.dynamic_metrics_count_threshold,
        max_metrics_count: retrieval.max_metrics_count,
        max_variants_count: retrieval.max_variants_count,
        allow_uninitialized_variants: retrieval.debug_images.allow_uninitialized_variants,
        max_raw_scalars_size: retrieval.max_raw_scalars_size,
        scroll_id_key: retrieval.scroll_id_key.reveal().to_owned(),
        multi_plots_batch_size: retrieval.multi_plots_batch_size,
        validate_plot_str: events.validate_plot_str,
        plot_compression_threshold: events.plot_compression_threshold,
        multi_task_histogram_limit: services.tasks.multi_task_histogram_limit,
        max_last_metrics: services.tasks.max_last_metrics,
    }
}

fn organization(services: &keys::Services) -> OrganizationSettings {
    let organization = &services.organization;
    let usages = &organization.project_usages;
    OrganizationSettings {
        max_entities_count_concurrency: organization.max_entities_count_concurrency,
        download: DownloadSettings {
            time_to_live: organization.download.redis_timeout_sec.duration(),
            batch_size: organization.download.batch_size,
            max_items: organization.download.max_download_items,
            max_project_name_length: organization.download.max_project_name_length,
        },
        usages: UsageSettings {
            excluded_task_tags: usages.excluded_task_tags.clone(),
            excluded_task_types: usages.excluded_task_types.clone(),
            exclude_app_parent_tasks: usages.exclude_app_parent_tasks,
            exclude_tasks_without_queue: usages.exclude_tasks_without_queue,
            default_cpu_usage: services.queues.resource_usages.cpu,
            default_gpu_usage: services.queues.resource_usages.gpu,
        },
    }
}

fn external_files(all: &keys::Settings) -> ExternalFileSettings {
    let services = &all.services;
    let urls = &services.async_urls_delete;
    let default = ExternalFileSettings::default();
    // The shipped prefix is a placeholder that no URL starts with: who has not set one wants all.
    let is_placeholder = urls.fileserver.url_prefixes == UrlsOfFileServer::default().url_prefixes;
    ExternalFileSettings {
        enabled: urls.enabled,
        fileserver_prefixes: if is_placeholder {
            default.fileserver_prefixes
        } else {
            urls.fileserver.url_prefixes.clone()
        },
        fileserver_timeout: urls.fileserver.timeout_sec.duration(),
        fileserver_host: all.hosts.fileserver.clone(),
        fileserver_token_expiration: urls.fileserver.token_expiration_sec.duration(),
        max_retries: urls.max_retries,
        retry_timeout: urls.retry_timeout_sec.duration(),
        async_events_delete: services.tasks.async_events_delete,
        async_events_delete_threshold: services.tasks.async_events_delete_threshold,
        max_async_deleted_events_per_sec: services.events.max_async_deleted_events_per_sec,
    }
}
