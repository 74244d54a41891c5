//! The endpoints of `workers`: name, first version, access, handler.

use super::{read, register, statistics};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("workers.get_all", 2, 4, read::get_all),
        endpoint("workers.get_count", 1, 0, read::get_count),
        endpoint("workers.register", 2, 4, register::register),
        endpoint("workers.unregister", 2, 4, register::unregister),
        endpoint("workers.status_report", 2, 4, register::status_report),
        document_endpoint("workers.get_metric_keys", 2, 4, statistics::get_metric_keys),
        document_endpoint("workers.get_stats", 2, 4, statistics::get_stats),
        document_endpoint("workers.get_activity_report", 2, 4, statistics::get_activity_report),
    ]
}
