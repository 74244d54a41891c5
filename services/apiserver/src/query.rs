//! The query language of the `get_all*` endpoints (spec 03 part 1), shared by all services.
//!
//! A list endpoint is a few lines:
//!
//! ```ignore
//! let page = Query::joined(&app, &call, &TASK, request)
//!     .prepare()?                  // older clients' tags, escaped paths
//!     .hide_hidden()               // unless search_hidden or id is given
//!     .expand_subprojects().await? // include_subprojects
//!     .fetch().await?;
//! Ok(page.reply("tasks"))
//! ```
//!
//! and a document read by id is answered with [`answer`].

mod entity;
mod keys;
mod tags;

pub use entity::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields};
pub(crate) use keys::{escape_key, md5_hex, unescape_key};
pub(crate) use tags::{answer_tags, check_tags, split_legacy_tags};
