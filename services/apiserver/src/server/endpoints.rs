//! The endpoints of `server`: name, first version, access, handler.

use super::{about, report, statistics_option};
use crate::api::{Endpoint, Role, document_endpoint, endpoint};

/// Callers that act for the server itself.
const SYSTEM: &[Role] = &[Role::Root, Role::System];

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        document_endpoint("server.info", 1, 0, about::info),
        document_endpoint("server.info", 2, 8, about::info_with_uid),
        document_endpoint("server.info", 2, 12, about::info_with_api_version),
        endpoint("server.config", 1, 0, about::config).roles(SYSTEM),
        document_endpoint("server.endpoints", 1, 0, about::endpoints).roles(SYSTEM),
        endpoint("server.report_stats_option", 1, 0, statistics_option::report_stats_option),
        document_endpoint("server.get_stats", 1, 0, report::get_stats).roles(SYSTEM),
    ]
}
