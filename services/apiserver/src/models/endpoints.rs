//! The endpoints of `models`: name, first version, access, handler.

use super::{create, delete, edit, for_task, metadata, organize, publish, read};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        document_endpoint("models.get_by_id", 1, 0, read::get_by_id),
        document_endpoint("models.get_by_id_ex", 1, 0, read::get_by_id_ex).required(&["id"]),
        endpoint("models.get_by_task_id", 1, 0, read::get_by_task_id),
        document_endpoint("models.get_all", 1, 0, read::get_all),
        document_endpoint("models.get_all_ex", 1, 0, read::get_all_ex),
        endpoint("models.get_frameworks", 1, 0, read::get_frameworks),
        document_endpoint("models.create", 1, 0, create::create),
        document_endpoint("models.update_for_task", 1, 0, for_task::update_for_task),
        document_endpoint("models.edit", 1, 0, edit::edit),
        document_endpoint("models.update", 1, 0, edit::update),
        endpoint("models.set_ready", 1, 0, publish::set_ready),
        endpoint("models.publish_many", 1, 0, publish::publish_many),
        endpoint("models.delete", 1, 0, delete::delete),
        endpoint("models.delete_many", 1, 0, delete::delete_many),
        endpoint("models.archive_many", 1, 0, organize::archive_many),
        endpoint("models.unarchive_many", 1, 0, organize::unarchive_many),
        endpoint("models.make_public", 2, 9, organize::make_public),
        endpoint("models.make_private", 2, 9, organize::make_private),
        endpoint("models.move", 1, 0, organize::move_models),
        endpoint("models.update_tags", 1, 0, organize::update_tags),
        endpoint("models.add_or_update_metadata", 2, 13, metadata::add_or_update),
        endpoint("models.delete_metadata", 2, 13, metadata::delete),
    ]
}
