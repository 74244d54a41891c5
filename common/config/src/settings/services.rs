//! `services.*`: limits and switches of the API's services.

use serde::{Deserialize, Serialize};

use super::{Seconds, Secret};

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    )*};
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

settings! {
    /// `services`
    Services {
        #[serde(rename = "_mongo")]
        mongo: Queries = Queries::default(),
        #[serde(rename = "_elastic")]
        elastic: Indices = Indices::default(),
        auth: ServiceAuth = ServiceAuth::default(),
        async_urls_delete: AsyncUrlsDelete = AsyncUrlsDelete::default(),
        events: Events = Events::default(),
        models: Models = Models::default(),
        organization: Organization = Organization::default(),
        projects: Projects = Projects::default(),
        queues: Queues = Queues::default(),
        serving: Serving = Serving::default(),
        /// Keys of storage providers (spec 06 §3), read by the storage service.
        storage_credentials: serde_json::Value = serde_json::json!({}),
        tasks: Tasks = Tasks::default(),
        workers: Workers = Workers::default(),
    }

    /// `services._mongo`: the list endpoints.
    Queries {
        max_page_size: u64 = 500,
        scroll_state_expiration_seconds: Seconds = Seconds::new(600),
        allow_disk_use: AllowDiskUse = AllowDiskUse::default(),
    }

    /// `services._mongo.allow_disk_use`
    AllowDiskUse {
        sort: bool = true,
        aggregate: bool = true,
    }

    /// `services._elastic`
    Indices {
        mappings: IndexForms = IndexForms::default(),
    }

    /// `services._elastic.mappings`: the form of new indices.
    IndexForms {
        events: IndexForm = IndexForm::default(),
        workers: IndexForm = IndexForm::default(),
    }

    /// `services._elastic.mappings.<cluster>`
    IndexForm {
        number_of_shards: u32 = 1,
        number_of_replicas: u32 = 0,
    }

    /// `services.auth`
    ServiceAuth {
        fixed_users: ServiceFixedUsers = ServiceFixedUsers::default(),
    }

    /// `services.auth.fixed_users`
    ServiceFixedUsers {
        guest: Guest = Guest::default(),
    }

    /// `services.auth.fixed_users.guest` (spec 01 §3.5)
    Guest {
        enabled: bool = false,
        default_company: String = "025315a9321f49f8be07f5ac48fbcf92".to_owned(),
        name: String = "Guest".to_owned(),
        username: String = "guest".to_owned(),
        password: Secret = Secret::from("guest"),
        allow_endpoints: Vec<String> = vec!["auth.login".to_owned()],
    }

    /// `services.async_urls_delete` (spec 06 §4)
    AsyncUrlsDelete {
        enabled: bool = true,
        max_retries: u32 = 3,
        retry_timeout_sec: Seconds = Seconds::new(60),
        fileserver: UrlsOfFileServer = UrlsOfFileServer::default(),
    }

    /// `services.async_urls_delete.fileserver`
    UrlsOfFileServer {
        url_prefixes: Vec<String> = vec!["https://files.community-master.hosted.allegro.ai/".to_owned()],
        timeout_sec: Seconds = Seconds::new(300),
        token_expiration_sec: Seconds = Seconds::new(600),
    }

    /// `services.events` (spec 05 §2.5)
    Events {
        ignore_iteration: IgnoreIteration = IgnoreIteration::default(),
        events_retrieval: EventsRetrieval = EventsRetrieval::default(),
        validate_plot_str: bool = false,
        plot_compression_threshold: usize = 100_000,
        max_async_deleted_events_per_sec: u64 = 1000,
    }

    /// `services.events.ignore_iteration`
    IgnoreIteration {
        metrics: Vec<String> = vec![":monitor:machine".to_owned(), ":monitor:gpu".to_owned()],
    }

    /// `services.events.events_retrieval`
    EventsRetrieval {
        state_expiration_sec: Seconds = Seconds::new(3600),
        max_metrics_concurrency: usize = 4,
        dynamic_metrics_count: bool = true,
        dynamic_metrics_count_threshold: usize = 80,
        max_metrics_count: usize = 100,
        max_variants_count: usize = 100,
        debug_images: DebugImages = DebugImages::default(),
        max_raw_scalars_size: usize = 200_000,
        /// Key of the signatures of scroll ids; generated if not configured.
        scroll_id_key: Secret = Secret::default(),
        multi_plots_batch_size: usize = 1000,
    }

    /// `services.events.events_retrieval.debug_images`
    DebugImages {
        allow_uninitialized_variants: bool = true,
    }

    /// `services.models`
    Models {
        metadata_values: CacheTime = CacheTime::default(),
    }

    /// `services.models.metadata_values`
    CacheTime {
        cache_ttl_sec: Seconds = Seconds::new(86_400),
    }

    /// `services.organization`
    Organization {
        tags_cache: TagsCache = TagsCache::default(),
        download: OrganizationDownload = OrganizationDownload::default(),
        /// 0: one after the other.
        max_entities_count_concurrency: usize = 4,
        project_usages: ProjectUsages = ProjectUsages::default(),
    }

    /// `services.organization.project_usages` (spec 09 §4.3)
    ProjectUsages {
        excluded_task_tags: Vec<String> = texts(&["dataset", "reports", "hidden"]),
        excluded_task_types: Vec<String> =
            texts(&["dataset_import", "annotation", "annotation_manual", "report", "controller"]),
        exclude_app_parent_tasks: bool = true,
        exclude_tasks_without_queue: bool = true,
    }

    /// `services.organization.tags_cache`
    TagsCache {
        expiration_seconds: Seconds = Seconds::new(3600),
    }

    /// `services.organization.download`
    OrganizationDownload {
        redis_timeout_sec: Seconds = Seconds::new(300),
        batch_size: u64 = 500,
        max_download_items: u64 = 50_000,
        max_project_name_length: usize = 60,
    }

    /// `services.projects`
    Projects {
        featured: Featured = Featured::default(),
        sub_projects: SubProjects = SubProjects::default(),
    }

    /// `services.projects.featured`
    Featured {
        order: Vec<serde_json::Value> = Vec::new(),
        public_default: i64 = 9999,
    }

    /// `services.projects.sub_projects`
    SubProjects {
        max_depth: usize = 10,
    }

    /// `services.queues`
    Queues {
        metrics_before_from_date: Seconds = Seconds::new(3600),
        /// 0: off.
        metrics_refresh_interval_sec: Seconds = Seconds::new(300),
        hidden_tags: Vec<String> = vec!["k8s-glue".to_owned()],
        resource_usages: ResourceUsages = ResourceUsages::default(),
    }

    /// `services.queues.resource_usages`: what one task uses, where its queue says nothing of it
    ResourceUsages {
        cpu: f64 = 1.0,
        gpu: f64 = 1.0,
    }

    /// `services.serving`
    Serving {
        default_container_timeout_sec: Seconds = Seconds::new(600),
        container_auto_register: bool = true,
        container_auto_unregister: bool = true,
        min_chart_interval_sec: Seconds = Seconds::new(40),
    }

    /// `services.tasks`
    Tasks {
        non_responsive_tasks_watchdog: Watchdog = Watchdog::default(),
        multi_task_histogram_limit: usize = 100,
        hyperparam_values: HyperparamValues = HyperparamValues::default(),
        /// 0: no limit.
        max_last_metrics: usize = 2000,
        async_events_delete: bool = true,
        async_events_delete_threshold: u64 = 100_000,
    }

    /// `services.tasks.non_responsive_tasks_watchdog` (spec 02 §11)
    Watchdog {
        enabled: bool = true,
        threshold_sec: Seconds = Seconds::new(7200),
        watch_interval_sec: Seconds = Seconds::new(900),
    }

    /// `services.tasks.hyperparam_values`
    HyperparamValues {
        cache_allowed_outdate_sec: Seconds = Seconds::new(60),
        cache_ttl_sec: Seconds = Seconds::new(86_400),
    }

    /// `services.workers`
    Workers {
        default_worker_timeout_sec: Seconds = Seconds::new(600),
        min_chart_interval_sec: Seconds = Seconds::new(40),
    }
}
