//! Documents (tasks, projects, models, queues, users …) behind one typed interface.
//!
//! A document is a [`bson::Document`]: dates are BSON dates, unknown fields survive. Queries are values
//! of [`Filter`], changes are lists of [`Change`]: a back end compiles them to its own language (SQL for
//! the embedded store, BSON for MongoDB), and nothing above this crate knows which one runs.

mod apply;
mod collation;
mod collection;
mod filter;
mod matcher;
mod mongo;
mod path;
mod projection;
mod query;
#[cfg(test)]
mod random;
mod regex;
mod sqlite;
mod store;
#[cfg(feature = "suite")]
pub mod suite;
mod update;
mod value;

pub use apply::apply;
pub use bson::{Bson, DateTime, Document, doc};
pub use collation::compare_collated;
pub use collection::{Collection, CollectionSpec, Index, UNFINISHED_IMPORT};
pub use filter::Filter;
pub use matcher::Matcher;
pub use mongo::{MongoSettings, MongoStore};
pub use query::{Accumulator, Find, GroupBy, GroupKey, Order, Projection, Sort, SortKey};
pub use sqlite::SqliteStore;
pub use store::{DocumentStore, DocumentStoreExt, Returned, StoreError, StoreResult, Write, WriteOutcome};
pub use update::{Change, Reposition, Update};
