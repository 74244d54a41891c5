//! Many callers at once.

use std::{collections::HashSet, sync::Arc};

use bson::{bson, doc};

use super::{Store, insert, task};
use crate::{Change, Collection, DocumentStoreExt, Filter, Find, Returned, StoreError, Write};

const CALLERS: usize = 64;

/// Runs one task per caller and gives their results in order.
async fn all_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    call: impl Fn(usize) -> F,
) -> Vec<T> {
    let running: Vec<_> = (0..CALLERS).map(|caller| tokio::spawn(call(caller))).collect();
    let mut results = Vec::new();
    for call in running {
        results.push(call.await.unwrap());
    }
    results
}

pub async fn one_of_many_changes_a_status(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1", "status": "created"}]).await;
    let results = all_at_once(|caller| {
        let store = Arc::clone(&store);
        async move {
            let filter = Filter::id("1").and(Filter::eq("status", "created"));
            let update = vec![Change::set("status", "queued"), Change::set("winner", caller as i64)];
            store.update_one(Collection::Task, filter, update).await.unwrap().modified
        }
    })
    .await;
    assert_eq!(results.iter().sum::<u64>(), 1);
    let winner = results.iter().position(|modified| *modified == 1).unwrap();
    assert_eq!(task(&store, "1").await.get_i64("winner").unwrap(), winner as i64);
}

pub async fn a_queue_hands_out_each_entry_once(store: Store) {
    let entries: Vec<_> = (0..CALLERS / 2).map(|number| doc! {"task": number.to_string()}).collect();
    insert(&store, Collection::Queue, [doc! {"_id": "q", "name": "q", "company": "", "entries": entries}])
        .await;
    let results = all_at_once(|_| {
        let store = Arc::clone(&store);
        async move {
            let update = vec![Change::PopFirst("entries".into())];
            let before = store
                .find_and_update(Collection::Queue, Filter::id("q"), update, Returned::Before)
                .await
                .unwrap()
                .unwrap();
            let first = before.get_array("entries").unwrap().first().cloned();
            first.map(|entry| entry.as_document().unwrap().get_str("task").unwrap().to_owned())
        }
    })
    .await;
    let handed_out: Vec<_> = results.into_iter().flatten().collect();
    assert_eq!(handed_out.len(), CALLERS / 2);
    assert_eq!(handed_out.iter().collect::<HashSet<_>>().len(), CALLERS / 2);
}

pub async fn counters_lose_nothing(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1"}]).await;
    all_at_once(|caller| {
        let store = Arc::clone(&store);
        async move {
            for _ in 0..5 {
                let update = vec![
                    Change::Increment("n".into(), 1),
                    Change::AddToSet("tags".into(), vec![format!("t{caller}").into()]),
                ];
                store.update_one(Collection::Task, Filter::id("1"), update).await.unwrap();
            }
        }
    })
    .await;
    let found = task(&store, "1").await;
    assert_eq!(found.get_i64("n").unwrap(), 5 * CALLERS as i64);
    assert_eq!(found.get_array("tags").unwrap().len(), CALLERS);
    for caller in 0..CALLERS {
        let filter = Filter::eq("tags", format!("t{caller}"));
        assert_eq!(store.count(Collection::Task, filter, false).await.unwrap(), 1);
    }
}

pub async fn violations_harm_only_their_callers(store: Store) {
    let results = all_at_once(|caller| {
        let store = Arc::clone(&store);
        // Four callers want each name; each also writes a document of its own before.
        async move {
            let queue =
                |id: String, name: String| Write::Insert(doc! {"_id": id, "name": name, "company": "c"});
            let writes = vec![
                queue(format!("own{caller}"), format!("own{caller}")),
                queue(format!("id{caller}"), format!("shared{}", caller / 4)),
            ];
            store.write(Collection::Queue, writes).await
        }
    })
    .await;
    for (caller, result) in results.iter().enumerate() {
        let stored = store
            .count(Collection::Queue, Filter::ids([format!("own{caller}"), format!("id{caller}")]), false)
            .await
            .unwrap();
        match result {
            Ok(_) => assert_eq!(stored, 2),
            Err(StoreError::Duplicate { key, .. }) => {
                assert_eq!(key[0], ("name".to_owned(), format!("shared{}", caller / 4).into()));
                assert_eq!(stored, 0);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), CALLERS / 4);
}

/// Writers move a unit between two fields and two elements; whoever reads finds their sum unchanged.
pub async fn readers_see_whole_states(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1", "a": 0_i64, "b": 0_i64, "list": [0]}]).await;
    all_at_once(|caller| {
        let store = Arc::clone(&store);
        async move {
            for _ in 0..5 {
                if caller % 2 == 0 {
                    let update = vec![
                        Change::Increment("a".into(), 1),
                        Change::Increment("b".into(), -1),
                        Change::Push("list".into(), bson!(0)),
                    ];
                    store.update_one(Collection::Task, Filter::id("1"), update).await.unwrap();
                    continue;
                }
                let found = store.find(Collection::Task, Find::new(Filter::id("1"))).await.unwrap().remove(0);
                let number = |field: &str| found.get_i64(field).unwrap();
                assert_eq!(number("a") + number("b"), 0);
                assert_eq!(found.get_array("list").unwrap().len() as i64, number("a") + 1);
            }
        }
    })
    .await;
}
