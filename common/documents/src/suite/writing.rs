//! Inserts, updates, deletes and what they refuse.

use bson::{Bson, Document, bson, doc};

use super::{Store, check_tasks, ids, insert, task};
use crate::{
    Change, Collection, DocumentStoreExt, Filter, Find, Reposition, Returned, StoreError, Write, WriteOutcome,
};

fn key(fields: &[(&str, &str)]) -> Vec<(String, Bson)> {
    fields.iter().map(|(field, value)| ((*field).to_owned(), Bson::from(*value))).collect()
}

#[track_caller]
fn assert_duplicate<T: std::fmt::Debug>(result: Result<T, StoreError>, fields: &[(&str, &str)]) {
    match result {
        Err(StoreError::Duplicate { key: found, .. }) => assert_eq!(found, key(fields)),
        other => panic!("expected a duplicate, got {other:?}"),
    }
}

pub async fn inserts_refuse_known_ids(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1", "name": "first"}]).await;
    assert_duplicate(
        store.insert(Collection::Task, doc! {"_id": "1", "name": "second"}).await,
        &[("_id", "1")],
    );
    assert_eq!(task(&store, "1").await.get_str("name").unwrap(), "first");
    let result = store.insert(Collection::Task, doc! {"name": "without an id"}).await;
    assert!(matches!(result, Err(StoreError::InvalidValue(_))));
}

pub async fn every_collection_stores(store: Store) {
    for (number, collection) in Collection::ALL.into_iter().enumerate() {
        // The same id and fields of its own in each: collections of one name in two databases are two.
        let id = "same";
        insert(&store, collection, [doc! {"_id": id, "number": number as i64}]).await;
        let update = vec![Change::Increment("number".into(), 100), Change::set("name", "n")];
        store.update_one(collection, Filter::id(id), update).await.unwrap();
        let named = Find::new(Filter::eq("name", "n")).include(["number"]);
        let found = store.find(collection, named).await.unwrap();
        assert_eq!(found, [doc! {"_id": id, "number": number as i64 + 100}]);
    }
    for collection in Collection::ALL {
        assert_eq!(store.delete(collection, Filter::Everything).await.unwrap(), 1);
    }
}

pub async fn unique_indexes_name_their_fields(store: Store) {
    let queue = |id: &str, name: &str, company: &str| doc! {"_id": id, "name": name, "company": company};
    insert(&store, Collection::Queue, [queue("1", "q", "a"), queue("2", "q", "b"), queue("3", "r", "a")])
        .await;
    let taken = [("name", "q"), ("company", "a")];
    assert_duplicate(store.insert(Collection::Queue, queue("4", "q", "a")).await, &taken);
    let rename = vec![Change::set("name", "q")];
    assert_duplicate(store.update_one(Collection::Queue, Filter::id("3"), rename).await, &taken);
    assert_eq!(ids(&store, Collection::Queue, Find::new(Filter::eq("name", "q"))).await, "1 2");
    store.delete(Collection::Queue, Filter::id("1")).await.unwrap();
    insert(&store, Collection::Queue, [queue("4", "q", "a")]).await;

    // A sparse index lets any number of documents go without the field.
    insert(
        &store,
        Collection::AuthUser,
        [doc! {"_id": "1"}, doc! {"_id": "2"}, doc! {"_id": "3", "email": "e"}],
    )
    .await;
    assert_duplicate(
        store.insert(Collection::AuthUser, doc! {"_id": "4", "email": "e"}).await,
        &[("email", "e")],
    );
}

pub async fn writes_are_all_or_nothing(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1", "tags": ["a"]}]).await;
    let writes = vec![
        Write::Insert(doc! {"_id": "2"}),
        Write::Update {
            filter: Filter::id("1"),
            update: vec![Change::set("tags", vec!["b"])],
            many: false,
            upsert: false,
        },
        Write::Insert(doc! {"_id": "1"}),
    ];
    assert_duplicate(store.write(Collection::Task, writes).await, &[("_id", "1")]);
    check_tasks(&store, Filter::Everything, "1").await;
    check_tasks(&store, Filter::eq("tags", "a"), "1").await;
    check_tasks(&store, Filter::eq("tags", "b"), "").await;
}

pub async fn later_writes_see_earlier_ones(store: Store) {
    let writes = vec![
        Write::Insert(doc! {"_id": "1", "name": "a"}),
        Write::Update {
            filter: Filter::eq("name", "a"),
            update: vec![Change::set("name", "b")],
            many: true,
            upsert: false,
        },
        Write::Delete { filter: Filter::eq("name", "a") },
        Write::Insert(doc! {"_id": "2", "name": "a"}),
        Write::Delete { filter: Filter::eq("name", "b") },
    ];
    let outcome = store.write(Collection::Task, writes).await.unwrap();
    assert_eq!(outcome, WriteOutcome { matched: 2, modified: 3, deleted: 1, upserted: false });
    check_tasks(&store, Filter::Everything, "2").await;
}

pub async fn replaces(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1", "name": "a", "tags": ["x"]}, doc! {"_id": "2"}])
        .await;
    let replace = async |document: Document| {
        store.write(Collection::Task, vec![Write::Replace(document)]).await.unwrap()
    };
    let outcome = replace(doc! {"_id": "1", "comment": "new"}).await;
    assert_eq!(outcome, WriteOutcome { matched: 1, modified: 1, ..WriteOutcome::default() });
    assert_eq!(task(&store, "1").await, doc! {"_id": "1", "comment": "new"});
    check_tasks(&store, Filter::eq("tags", "x"), "").await;
    let outcome = replace(doc! {"_id": "1", "comment": "new"}).await;
    assert_eq!(outcome, WriteOutcome { matched: 1, ..WriteOutcome::default() });
    assert!(replace(doc! {"_id": "3"}).await.upserted);
    check_tasks(&store, Filter::Everything, "1 2 3").await;
}

pub async fn updates_the_first_or_all(store: Store) {
    let documents = ["1", "2", "3"].map(|id| doc! {"_id": id, "project": "p", "status": "created"});
    insert(&store, Collection::Task, documents).await;
    let queued = || vec![Change::set("status", "queued")];
    let outcome = store.update_one(Collection::Task, Filter::eq("project", "p"), queued()).await.unwrap();
    assert_eq!((outcome.matched, outcome.modified), (1, 1));
    check_tasks(&store, Filter::eq("status", "queued"), "1").await;
    let outcome =
        store.update_many(Collection::Task, Filter::eq("status", "created"), queued()).await.unwrap();
    assert_eq!((outcome.matched, outcome.modified), (2, 2));
    check_tasks(&store, Filter::eq("status", "queued"), "1 2 3").await;
    let outcome =
        store.update_many(Collection::Task, Filter::eq("status", "created"), queued()).await.unwrap();
    assert_eq!(outcome, WriteOutcome::default());
}

pub async fn update_counts_real_changes(store: Store) {
    insert(&store, Collection::Task, ["1", "2"].map(|id| doc! {"_id": id, "free": id})).await;
    let same = vec![Change::set("free", "1")];
    let outcome = store.update_many(Collection::Task, Filter::Everything, same).await.unwrap();
    assert_eq!((outcome.matched, outcome.modified, outcome.upserted), (2, 1, false));
}

pub async fn upserts(store: Store) {
    let upsert = async |name: &str| {
        let write = Write::Update {
            filter: Filter::id("x").and(Filter::eq("company.name", "c")).and(Filter::gt("free", 1)),
            update: vec![Change::set("name", name), Change::SetOnInsert("free".into(), 5.into())],
            many: false,
            upsert: true,
        };
        store.write(Collection::Task, vec![write]).await.unwrap()
    };
    assert_eq!(upsert("a").await, WriteOutcome { modified: 1, upserted: true, ..WriteOutcome::default() });
    let expected = doc! {"_id": "x", "company": {"name": "c"}, "name": "a", "free": 5};
    let found = task(&store, "x").await;
    for (field, value) in &expected {
        assert_eq!(found.get(field), Some(value));
    }
    let outcome = upsert("b").await;
    assert_eq!(outcome, WriteOutcome { matched: 1, modified: 1, ..WriteOutcome::default() });
    assert_eq!(task(&store, "x").await.get_str("name").unwrap(), "b");
}

pub async fn every_change_is_applied(store: Store) {
    let before = doc! {"_id": "1", "n": 1_i64, "low": 5, "list": [1, 2, 3], "set": ["a"], "items": [{"k": "a"}, {"k": "b"}], "gone": 1};
    insert(&store, Collection::Task, [before]).await;
    let along = vec![("along".to_owned(), Bson::from("x"))];
    let update = vec![
        Change::set("new.deep", 1),
        Change::SetOnInsert("not".into(), 1.into()),
        Change::unset("gone"),
        Change::Increment("n".into(), 4),
        Change::Max("high".into(), 7.into()),
        Change::Min("low".into(), 3.into()),
        Change::Push("pushed".into(), "p".into()),
        Change::AddToSet("set".into(), vec!["a".into(), "b".into()]),
        Change::PopFirst("list".into()),
        Change::SetInElements {
            array: "items".into(),
            matching: Filter::eq("k", "b"),
            set: vec![("v".into(), 1.into())],
        },
        Change::SetIfLess { path: "least".into(), value: 2.into(), along },
        Change::SetIfGreater { path: "low".into(), value: 4.into(), along: vec![("wrong".into(), 1.into())] },
        Change::SetIfMissing { path: "first".into(), value: 9.into(), along: vec![] },
        Change::RunningMean { mean: "mean".into(), count: "count".into(), total: 5.0, n: 2 },
    ];
    store.update_one(Collection::Task, Filter::id("1"), update).await.unwrap();
    let found = task(&store, "1").await;
    let expected = doc! {"_id": "1", "n": 5_i64, "low": 3, "list": [2, 3], "set": ["a", "b"],
    "items": [{"k": "a"}, {"k": "b", "v": 1}], "new": {"deep": 1}, "high": 7, "pushed": ["p"],
    "least": 2, "along": "x", "first": 9, "mean": 2.5, "count": 2_i64};
    assert_eq!(found.len(), expected.len(), "{found}");
    for (field, value) in &expected {
        assert_eq!(found.get(field), Some(value), "{field}");
    }
    let update = vec![
        Change::PullAll("set".into(), vec!["a".into()]),
        Change::Pull("items".into(), Filter::eq("k", "a")),
        Change::MoveElement { array: "list".into(), matching: Filter::eq("", 3), to: Reposition::Front },
    ];
    store.update_one(Collection::Task, Filter::id("1"), update).await.unwrap();
    let found = task(&store, "1").await;
    assert_eq!(found.get("set"), Some(&bson!(["b"])));
    assert_eq!(found.get("items"), Some(&bson!([{"k": "b", "v": 1}])));
    assert_eq!(found.get("list"), Some(&bson!([3, 2])));
}

pub async fn updates_keep_arrays_searchable(store: Store) {
    insert(&store, Collection::Queue, [doc! {"_id": "q", "name": "q", "company": "", "entries": []}]).await;
    let queues =
        async |task: &str| ids(&store, Collection::Queue, Find::new(Filter::eq("entries.task", task))).await;
    let update = async |change: Change| {
        store.update_one(Collection::Queue, Filter::id("q"), vec![change]).await.unwrap();
    };
    for task in ["a", "b", "b"] {
        update(Change::Push("entries".into(), bson!({"task": task}))).await;
    }
    assert_eq!(queues("a").await, "q");
    assert_eq!(queues("b").await, "q");
    update(Change::PopFirst("entries".into())).await;
    assert_eq!(queues("a").await, "");
    update(Change::PopFirst("entries".into())).await;
    assert_eq!(queues("b").await, "q");
    update(Change::Pull("entries".into(), Filter::eq("task", "b"))).await;
    assert_eq!(queues("b").await, "");
    update(Change::set("entries", bson!([{"task": "c"}]))).await;
    assert_eq!(queues("c").await, "q");
    update(Change::unset("entries")).await;
    assert_eq!(queues("c").await, "");
}

pub async fn invalid_updates_change_nothing(store: Store) {
    let before = doc! {"_id": "1", "free": "text", "name": "n"};
    insert(&store, Collection::Task, [before.clone()]).await;
    let invalid = [
        Change::set("free.below", 1),
        Change::set("a..b", 1),
        Change::Increment("free".into(), 1),
        Change::Push("free".into(), 1.into()),
        Change::set("_id", "2"),
    ];
    for change in invalid {
        let update = vec![Change::set("name", "changed"), change];
        let result = store.update_one(Collection::Task, Filter::id("1"), update).await;
        assert!(matches!(result, Err(StoreError::InvalidValue(_))), "{result:?}");
        assert_eq!(task(&store, "1").await, before);
    }
    let large = "x".repeat(17 * 1024 * 1024);
    let result = store.insert(Collection::Task, doc! {"_id": "2", "free": large}).await;
    assert!(matches!(result, Err(StoreError::InvalidValue(_))));
}

pub async fn deletes(store: Store) {
    insert(
        &store,
        Collection::Task,
        (0..6).map(|n| doc! {"_id": n.to_string(), "project": (n % 2).to_string(), "tags": ["t"]}),
    )
    .await;
    assert_eq!(store.delete(Collection::Task, Filter::eq("project", "0")).await.unwrap(), 3);
    assert_eq!(store.delete(Collection::Task, Filter::eq("project", "0")).await.unwrap(), 0);
    check_tasks(&store, Filter::eq("tags", "t"), "1 3 5").await;
    assert_eq!(store.delete(Collection::Task, Filter::Everything).await.unwrap(), 3);
    check_tasks(&store, Filter::Everything, "").await;
}

pub async fn finds_and_updates(store: Store) {
    insert(&store, Collection::Task, [doc! {"_id": "1", "status": "created"}]).await;
    let start = |returned| {
        let filter = Filter::id("1").and(Filter::eq("status", "created"));
        store.find_and_update(Collection::Task, filter, vec![Change::set("status", "queued")], returned)
    };
    let found = start(Returned::Before).await.unwrap();
    assert_eq!(found, Some(doc! {"_id": "1", "status": "created"}));
    assert_eq!(start(Returned::Before).await.unwrap(), None);
    let again = vec![Change::set("status", "stopped")];
    let found =
        store.find_and_update(Collection::Task, Filter::id("1"), again, Returned::After).await.unwrap();
    assert_eq!(found, Some(doc! {"_id": "1", "status": "stopped"}));
}
