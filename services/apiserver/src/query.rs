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
//! and a document that was read by id is answered with [`answer`].

mod answer;
mod comparisons;
mod conditions;
mod dates;
mod entity;
mod joins;
mod keys;
mod list_filter;
mod lookup;
mod order;
mod paging;
mod paths;
mod projection;
mod request;
mod tags;
#[cfg(test)]
pub(crate) mod testing;
mod visibility;

pub(crate) use answer::{answer, answer_everything};
pub(crate) use dates::parse_date;
pub use entity::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields};
pub(crate) use keys::{escape_key, md5_hex, unescape_key};
pub(crate) use list_filter::{dictionary_filter, operator_filter};
pub(crate) use lookup::{as_list, is_truthy};
pub(crate) use request::{Page, Query, with_subprojects};
pub(crate) use tags::{answer_tags, check_tags, split_legacy_tags};
pub(crate) use visibility::{Visibility, not_hidden};
