//! The query language of the `get_all*` endpoints (spec 03 part 1), shared by all services.

mod entity;

pub use entity::{Default, Entity, Field, Kind, QueryFields};
