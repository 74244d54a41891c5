//! The endpoints of `queues`: name, first version, access, handler.

use super::{edit, history, read, tasks};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("queues.get_by_id", 2, 4, read::get_by_id),
        document_endpoint("queues.get_all", 2, 4, read::get_all),
        document_endpoint("queues.get_all_ex", 2, 4, read::get_all_ex),
        document_endpoint("queues.get_default", 2, 4, read::get_default),
        endpoint("queues.get_num_entries", 2, 15, read::get_num_entries),
        endpoint("queues.peek_task", 2, 15, read::peek_task),
        endpoint("queues.get_by_task_id", 1, 0, read::get_by_task_id),
        document_endpoint("queues.create", 2, 4, edit::create),
        document_endpoint("queues.update", 2, 4, edit::update),
        endpoint("queues.delete", 2, 4, edit::delete),
        endpoint("queues.add_or_update_metadata", 2, 13, edit::add_or_update_metadata),
        endpoint("queues.delete_metadata", 2, 13, edit::delete_metadata),
        endpoint("queues.add_task", 2, 4, tasks::add_task),
        endpoint("queues.remove_task", 2, 4, tasks::remove_task),
        endpoint("queues.clear_queue", 1, 0, tasks::clear_queue),
        endpoint("queues.get_next_task", 1, 0, tasks::get_next_task),
        endpoint("queues.move_task_forward", 2, 4, tasks::move_task_forward),
        endpoint("queues.move_task_backward", 2, 4, tasks::move_task_backward),
        endpoint("queues.move_task_to_front", 2, 4, tasks::move_task_to_front),
        endpoint("queues.move_task_to_back", 2, 4, tasks::move_task_to_back),
        endpoint("queues.move_task_to_queue", 1, 0, tasks::move_task_to_queue),
        endpoint("queues.get_queue_metrics", 2, 4, history::get_queue_metrics),
    ]
}
