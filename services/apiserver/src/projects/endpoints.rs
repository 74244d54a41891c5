//! The endpoints of `projects`: name, first version, access, handler.

use super::{create, delete, names, people, publicity, read, relocate, tags, update, values};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        document_endpoint("projects.create", 1, 0, create::create).required(&["name"]),
        endpoint("projects.get_by_id", 1, 0, read::get_by_id),
        document_endpoint("projects.get_all", 1, 0, read::get_all),
        document_endpoint("projects.get_all_ex", 1, 0, read::get_all_ex),
        document_endpoint("projects.update", 1, 0, update::update),
        endpoint("projects.move", 1, 0, relocate::move_project),
        endpoint("projects.merge", 1, 0, relocate::merge),
        endpoint("projects.validate_delete", 1, 0, delete::validate_delete),
        endpoint("projects.delete", 1, 0, delete::delete),
        endpoint("projects.get_unique_metric_variants", 1, 0, names::get_unique_metric_variants),
        endpoint("projects.get_hyper_parameters", 2, 9, names::get_hyper_parameters),
        endpoint("projects.get_hyperparam_values", 2, 13, values::get_hyperparam_values),
        endpoint("projects.get_model_metadata_keys", 1, 0, names::get_model_metadata_keys),
        endpoint("projects.get_model_metadata_values", 1, 0, values::get_model_metadata_values),
        endpoint("projects.get_project_tags", 1, 0, tags::get_project_tags),
        endpoint("projects.get_task_tags", 2, 8, tags::get_task_tags),
        endpoint("projects.get_model_tags", 2, 8, tags::get_model_tags),
        endpoint("projects.get_task_parents", 2, 12, people::get_task_parents),
        endpoint("projects.get_user_names", 1, 0, people::get_user_names),
        endpoint("projects.make_public", 2, 9, publicity::make_public),
        endpoint("projects.make_private", 2, 9, publicity::make_private),
    ]
}
