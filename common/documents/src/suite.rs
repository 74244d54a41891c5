//! The tests that every [`DocumentStore`] has to pass: one function per behaviour, on an empty store each.
//! [`document_store_suite!`](crate::document_store_suite) makes a test of each.
#![expect(clippy::unwrap_used, reason = "these are tests")]
#![expect(missing_docs, reason = "the names say what is tested")]

mod aggregation;
mod concurrency;
mod reading;
mod writing;

use std::sync::Arc;

use bson::{Bson, DateTime, Document};

pub use self::{aggregation::*, concurrency::*, reading::*, writing::*};
use crate::{Collection, DocumentStore, Filter, Find, Sort, Write};

/// The store under test.
pub type Store = Arc<dyn DocumentStore>;

/// What a test gets: a store with something to keep, or nothing where the store is not at hand.
pub trait Opened {
    /// Kept until the test's end.
    type Guard;
    /// The store with its guard.
    fn opened(self) -> Option<(Store, Self::Guard)>;
}

impl<G> Opened for (Store, G) {
    type Guard = G;
    fn opened(self) -> Option<(Store, G)> {
        Some(self)
    }
}

impl<G> Opened for Option<(Store, G)> {
    type Guard = G;
    fn opened(self) -> Option<(Store, G)> {
        self
    }
}

/// Makes a test of each behaviour. The expression opens an empty store: it is an async block that gives an
/// [`Opened`], mostly an `Arc<dyn DocumentStore>` and something to keep until the test's end.
/// [`full_text_search`] and [`a_queue_hands_out_each_entry_once`] are named apart, because a stand-in for a
/// store may lack what they need: `document_store_suite!(open(), most)` does without.
#[macro_export]
macro_rules! document_store_suite {
    ($open:expr) => {
        $crate::document_store_suite! { $open, most }
        $crate::document_store_suite! { @tests $open;
            full_text_search
            a_queue_hands_out_each_entry_once
        }
    };
    ($open:expr, most) => {
        $crate::document_store_suite! { @tests $open;
            documents_come_back_as_they_were
            conditions_select_documents
            conditions_on_arrays
            conditions_on_dates
            null_matches_missing
            odd_field_names_and_values_are_only_data
            regular_expressions
            natural_order_is_insertion_order
            orders_by_several_fields
            orders_kinds_of_values
            orders_arrays_by_their_extremes
            numeric_collation_orders_and_compares
            pages
            projections
            large_lists_of_ids
            every_collection_stores
            inserts_refuse_known_ids
            unique_indexes_name_their_fields
            writes_are_all_or_nothing
            later_writes_see_earlier_ones
            replaces
            updates_the_first_or_all
            update_counts_real_changes
            upserts
            every_change_is_applied
            updates_keep_arrays_searchable
            invalid_updates_change_nothing
            deletes
            finds_and_updates
            counts_distinct_values
            groups_by_columns
            groups_by_anything
            groups_nothing
            map_keys_of_nested_maps
            one_of_many_changes_a_status
            counters_lose_nothing
            violations_harm_only_their_callers
            readers_see_whole_states
        }
    };
    (@tests $open:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                if let Some((store, _guard)) = $crate::suite::Opened::opened($open.await) {
                    $crate::suite::$name(store).await;
                }
            }
        )*
    };
}

fn date(millis: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(millis))
}

async fn insert(store: &Store, collection: Collection, documents: impl IntoIterator<Item = Document>) {
    let writes = documents.into_iter().map(Write::Insert).collect();
    store.write(collection, writes).await.unwrap();
}

/// Ids of the documents that a query finds, in order, joined by blanks.
async fn ids(store: &Store, collection: Collection, find: Find) -> String {
    let documents = store.find(collection, find.include(["_id"])).await.unwrap();
    let ids: Vec<_> = documents.iter().map(|document| document.get_str("_id").unwrap()).collect();
    ids.join(" ")
}

/// Checks which tasks fulfil a filter, that the count agrees, and that the negation finds all others.
async fn check_tasks(store: &Store, filter: Filter, expected: &str) {
    let message = format!("{filter:?}");
    let find = Find::new(filter.clone()).sort(Sort::ascending("_id"));
    assert_eq!(ids(store, Collection::Task, find).await, expected, "{message}");
    let count = store.count(Collection::Task, filter.clone(), false).await.unwrap();
    assert_eq!(count as usize, expected.split_whitespace().count(), "{message}");
    let all = store.count(Collection::Task, Filter::Everything, false).await.unwrap();
    let others = store.count(Collection::Task, filter.negate(), false).await.unwrap();
    assert_eq!(others, all - count, "not {message}");
}

async fn task(store: &Store, id: &str) -> Document {
    let mut found = store.find(Collection::Task, Find::new(Filter::id(id))).await.unwrap();
    found.pop().unwrap()
}
