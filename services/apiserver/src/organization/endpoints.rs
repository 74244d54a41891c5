//! The endpoints of `organization`: name, first version, access, handler.

use super::{companies, counts, download, tags, usages};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("organization.get_tags", 1, 0, tags::get_tags),
        document_endpoint("organization.get_user_companies", 1, 0, companies::get_user_companies),
        endpoint("organization.get_entities_count", 1, 0, counts::get_entities_count),
        document_endpoint("organization.prepare_download_for_get_all", 1, 0, download::prepare),
        endpoint("organization.download_for_get_all", 1, 0, download::download),
        endpoint("organization.get_project_usages", 1, 0, usages::get_project_usages),
        // The name under which the Web-App 2.5 asks for the same.
        endpoint("organization.get_project_workloads", 1, 0, usages::get_project_usages),
    ]
}
