//! The collections of an installation, with the facts that a back end needs of each.

mod spec;

/// The row of the settings that says that the data are not complete: an import from another server is under way, or
/// was interrupted. Servers don't start meanwhile.
pub const UNFINISHED_IMPORT: &str = "clearml-server.import";

/// A collection of documents, named and placed as in the databases of ClearML server 2.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collection {
    /// `backend.task`
    Task,
    /// `backend.task__trash`: deleted tasks, same `_id`
    TaskTrash,
    /// `backend.project`
    Project,
    /// `backend.model`
    Model,
    /// `backend.queue`
    Queue,
    /// `backend.user`: profile and preferences
    User,
    /// `backend.company`
    Company,
    /// `backend.settings`: `_id` = key, `value`
    Settings,
    /// `backend.versions`: applied migrations
    Versions,
    /// `backend.url_to_delete`
    UrlToDelete,
    /// `backend.storage_settings`
    StorageSettings,
    /// `auth.user`: identity, role and credentials
    AuthUser,
    /// `backend.pending_removal`: events and files whose owners are being deleted; our own, servers of others
    /// take no notice of it
    PendingRemoval,
}

/// What a back end has to know of a collection beyond its name.
#[derive(Debug)]
pub struct CollectionSpec {
    /// Paths that hold BSON dates: the embedded store keeps these as milliseconds in its indexes.
    pub dates: &'static [&'static str],
    /// Indexed paths that hold arrays, or lead through arrays of sub-documents: conditions on them match
    /// when any element matches, as in MongoDB.
    pub arrays: &'static [&'static str],
    /// Indexes beyond `_id` that MongoDB has; spec chapters 01 to 04 and 06, "Stored documents".
    pub indexes: &'static [Index],
    /// Fields of the text index with their weights; empty: no text search.
    pub text: &'static [(&'static str, i32)],
}

/// One index of a collection.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    /// Field paths in order; a leading `-` means descending.
    pub fields: &'static [&'static str],
    /// Two documents can't have equal values in all fields.
    pub unique: bool,
    /// Documents that lack the fields are left out.
    pub sparse: bool,
    /// Compares text as `{locale: "en_US", numericOrdering: true}`.
    pub numeric_collation: bool,
}

impl Collection {
    /// All collections, in the order of their definition.
    pub const ALL: [Self; 13] = [
        Self::Task,
        Self::TaskTrash,
        Self::Project,
        Self::Model,
        Self::Queue,
        Self::User,
        Self::Company,
        Self::Settings,
        Self::Versions,
        Self::UrlToDelete,
        Self::StorageSettings,
        Self::AuthUser,
        Self::PendingRemoval,
    ];

    /// The MongoDB collection name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::TaskTrash => "task__trash",
            Self::Project => "project",
            Self::Model => "model",
            Self::Queue => "queue",
            Self::User | Self::AuthUser => "user",
            Self::Company => "company",
            Self::Settings => "settings",
            Self::Versions => "versions",
            Self::UrlToDelete => "url_to_delete",
            Self::StorageSettings => "storage_settings",
            Self::PendingRemoval => "pending_removal",
        }
    }

    /// The MongoDB database (logical name): `backend` or `auth`.
    pub const fn database(self) -> &'static str {
        match self {
            Self::AuthUser => "auth",
            _ => "backend",
        }
    }

    /// What back ends have to know of the collection.
    pub const fn spec(self) -> &'static CollectionSpec {
        match self {
            Self::Task => &spec::TASK,
            Self::TaskTrash => &spec::TASK_TRASH,
            Self::Project => &spec::PROJECT,
            Self::Model => &spec::MODEL,
            Self::Queue => &spec::QUEUE,
            Self::User | Self::Company | Self::Settings | Self::PendingRemoval => &spec::PLAIN,
            Self::Versions => &spec::VERSIONS,
            Self::UrlToDelete => &spec::URL_TO_DELETE,
            Self::StorageSettings => &spec::STORAGE_SETTINGS,
            Self::AuthUser => &spec::AUTH_USER,
        }
    }
}
