//! The collections of an installation, with the facts that a back end needs of each.

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
}

/// What a back end has to know of a collection beyond its name.
#[derive(Debug)]
pub struct CollectionSpec {
    /// Paths that hold BSON dates: the embedded store sorts and indexes these by their milliseconds.
    pub dates: &'static [&'static str],
    /// Paths that hold arrays (of strings or of sub-documents): conditions on them and below them match
    /// when any element matches, as in MongoDB.
    pub arrays: &'static [&'static str],
    /// Indexes beyond `_id`; spec chapters 01 to 04 and 06, "Stored documents".
    pub indexes: &'static [Index],
    /// Fields of the text index with their weights; empty: no text search.
    pub text: &'static [(&'static str, i32)],
}

/// One ascending index.
#[derive(Debug)]
pub struct Index {
    /// Field paths in order.
    pub fields: &'static [&'static str],
    /// Two documents can't have equal values in all fields.
    pub unique: bool,
    /// Documents that lack the fields are left out.
    pub sparse: bool,
}

impl Collection {
    /// All collections, in a fixed order.
    pub const ALL: [Self; 12] = [
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
        }
    }

    /// The MongoDB database (logical name): `backend` or `auth`.
    pub const fn database(self) -> &'static str {
        match self {
            Self::AuthUser => "auth",
            _ => "backend",
        }
    }
}
