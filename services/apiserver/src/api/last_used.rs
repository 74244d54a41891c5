//! When and from where credentials were last used (spec 01 §3.2): noted on every Basic call, written behind.

use std::{collections::HashMap, sync::Arc};

use bson::DateTime;
use clearml_documents::{Change, Collection, DocumentStore, Filter, Write};
use tokio::sync::Mutex;

/// Uses not yet written. While one write is under way, later uses of the same pair merge into one.
#[derive(Default)]
pub(crate) struct LastUsed {
    pending: std::sync::Mutex<HashMap<(String, String), Use>>,
    writing: Mutex<()>,
}

struct Use {
    at: DateTime,
    from: String,
}

impl LastUsed {
    /// Notes a use of a user's access key and has it written soon.
    pub(crate) fn note(
        self: &Arc<Self>,
        documents: &Arc<dyn DocumentStore>,
        user: &str,
        access_key: &str,
        at: DateTime,
        from: String,
    ) {
        let is_first = {
            let mut pending = self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let was_empty = pending.is_empty();
            pending.insert((user.to_owned(), access_key.to_owned()), Use { at, from });
            was_empty
        };
        // Whoever finds the list empty writes; others leave theirs for it to take along.
        if is_first {
            let (list, documents) = (Arc::clone(self), Arc::clone(documents));
            tokio::spawn(async move { list.flush(documents.as_ref()).await });
        }
    }

    /// Writes what is pending and waits for writes under way.
    pub(crate) async fn flush(&self, documents: &dyn DocumentStore) {
        let _turn = self.writing.lock().await;
        let uses =
            std::mem::take(&mut *self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if uses.is_empty() {
            return;
        }
        let writes = uses
            .into_iter()
            .map(|((user, access_key), last)| Write::Update {
                filter: Filter::id(user),
                update: vec![Change::SetInElements {
                    array: "credentials".to_owned(),
                    matching: Filter::eq("key", access_key),
                    set: vec![
                        ("last_used".to_owned(), last.at.into()),
                        ("last_used_from".to_owned(), last.from.into()),
                    ],
                }],
                many: false,
                upsert: false,
            })
            .collect();
        if let Err(error) = documents.write(Collection::AuthUser, writes).await {
            tracing::warn!(%error, "failed to note the use of credentials");
        }
    }
}
