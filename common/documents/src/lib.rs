//! Documents (tasks, projects, models, queues, users …) behind one typed interface.
//!
//! A document is a [`bson::Document`]: dates are BSON dates, unknown fields survive. Queries are values
//! of [`Filter`], changes are lists of [`Change`]: a back end compiles them to its own language (SQL for
//! the embedded store, BSON for MongoDB), and nothing above this crate knows which one runs.

mod collection;
mod filter;
mod query;
mod store;
mod update;

pub use bson::{Bson, DateTime, Document, doc};
pub use collection::{Collection, CollectionSpec, Index};
pub use filter::Filter;
pub use query::{Accumulator, Find, GroupBy, GroupKey, Order, Projection, Sort, SortKey};
pub use store::{DocumentStore, DocumentStoreExt, Returned, StoreError, StoreResult, Write, WriteOutcome};
pub use update::{Change, Reposition, Update};
