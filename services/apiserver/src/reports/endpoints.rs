//! The endpoints of `reports`: name, first version, access, handler.

use super::{data, edit, read};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("reports.create", 1, 0, edit::create),
        endpoint("reports.update", 1, 0, edit::update),
        endpoint("reports.move", 1, 0, edit::move_report),
        endpoint("reports.publish", 1, 0, edit::publish),
        endpoint("reports.archive", 1, 0, edit::archive),
        endpoint("reports.unarchive", 1, 0, edit::unarchive),
        endpoint("reports.delete", 1, 0, edit::delete),
        document_endpoint("reports.get_all_ex", 1, 0, read::get_all_ex),
        document_endpoint("reports.get_tags", 1, 0, read::get_tags),
        document_endpoint("reports.get_task_data", 1, 0, data::get_task_data),
    ]
}
