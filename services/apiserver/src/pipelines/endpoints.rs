//! The endpoints of `pipelines`: name, first version, access, handler.

use super::{delete, start};
use crate::api::{Endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("pipelines.start_pipeline", 1, 0, start::start_pipeline),
        endpoint("pipelines.check_new_run", 1, 0, start::check_new_run),
        endpoint("pipelines.delete_runs", 1, 0, delete::delete_runs),
    ]
}
