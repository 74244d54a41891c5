//! The endpoints of `serving`: name, first version, access, handler.

use super::{history, read, report};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        document_endpoint("serving.register_container", 1, 0, report::register_container),
        endpoint("serving.unregister_container", 1, 0, report::unregister_container),
        document_endpoint("serving.container_status_report", 1, 0, report::container_status_report),
        document_endpoint("serving.get_endpoints", 1, 0, read::get_endpoints),
        endpoint("serving.get_endpoint_details", 1, 0, read::get_endpoint_details),
        document_endpoint("serving.get_loading_instances", 1, 0, read::get_loading_instances),
        endpoint("serving.get_endpoint_metrics_history", 1, 0, history::get_endpoint_metrics_history),
    ]
}
