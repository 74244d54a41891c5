//! The endpoints of `tasks`: name, first version, access, handler.

use super::{
    activity, artifacts, clone, configuration, create, edit, hyperparams, models, organize, read, runtime,
    update,
};
use crate::api::{Endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("tasks.get_by_id", 1, 0, read::get_by_id),
        endpoint("tasks.get_by_id_ex", 1, 0, read::get_by_id_ex).required(&["id"]),
        endpoint("tasks.get_all", 1, 0, read::get_all),
        endpoint("tasks.get_all_ex", 1, 0, read::get_all_ex),
        endpoint("tasks.get_types", 1, 0, read::get_types),
        endpoint("tasks.create", 1, 0, create::create),
        endpoint("tasks.validate", 1, 0, create::validate),
        endpoint("tasks.clone", 1, 0, clone::clone),
        endpoint("tasks.edit", 1, 0, edit::edit),
        endpoint("tasks.update", 1, 0, update::update),
        endpoint("tasks.update_batch", 1, 0, update::update_batch).batch(),
        endpoint("tasks.set_requirements", 1, 0, activity::set_requirements),
        endpoint("tasks.ping", 1, 0, activity::ping),
        endpoint("tasks.move", 1, 0, organize::move_tasks),
        endpoint("tasks.update_tags", 1, 0, organize::update_tags),
        endpoint("tasks.make_public", 2, 9, organize::make_public),
        endpoint("tasks.make_private", 2, 9, organize::make_private),
        endpoint("tasks.get_hyper_params", 1, 0, hyperparams::get),
        endpoint("tasks.edit_hyper_params", 1, 0, hyperparams::edit),
        endpoint("tasks.delete_hyper_params", 1, 0, hyperparams::delete),
        endpoint("tasks.get_configurations", 1, 0, configuration::get),
        endpoint("tasks.get_configuration_names", 1, 0, configuration::get_names),
        endpoint("tasks.edit_configuration", 1, 0, configuration::edit),
        endpoint("tasks.delete_configuration", 1, 0, configuration::delete),
        endpoint("tasks.edit_runtime", 1, 0, runtime::edit),
        endpoint("tasks.add_or_update_artifacts", 2, 10, artifacts::add_or_update),
        endpoint("tasks.delete_artifacts", 2, 10, artifacts::delete),
        endpoint("tasks.add_or_update_model", 2, 13, models::add_or_update),
        endpoint("tasks.delete_models", 2, 13, models::delete),
    ]
}
