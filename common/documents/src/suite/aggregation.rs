//! Distinct values, groups, keys of maps.

use bson::{Bson, Document, doc};

use super::{Store, date, insert};
use crate::{Accumulator, Collection, Filter, GroupBy, GroupKey};

async fn insert_runs(store: &Store) {
    insert(
        store,
        Collection::Task,
        [
            doc! {"_id": "1", "project": "p", "status": "completed", "started": date(1000), "completed": date(4999),
                "tags": ["a", "b"], "active_duration": 3, "free": {"n": 3, "k": "x"}},
            doc! {"_id": "2", "project": "p", "status": "completed", "started": date(5000), "completed": date(2000),
                "tags": ["b"], "system_tags": ["archived"], "active_duration": 4_i64, "free": {"n": 4_i64, "k": "x"}},
            doc! {"_id": "3", "project": "p", "status": "failed", "started": date(2000), "active_duration": 1.5, "free": {"n": 1.5, "k": null}},
            doc! {"_id": "4", "project": "q", "status": "completed", "started": date(0), "completed": date(10_000), "free": {"n": "text", "k": "x"}},
            doc! {"_id": "5", "status": "created", "free": {}},
        ],
    )
    .await;
}

/// For comparison without order.
fn sorted(documents: &[Document]) -> Vec<String> {
    let mut texts: Vec<_> = documents.iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}

/// Whole numbers as one kind: a store may answer any.
fn plain(documents: Vec<Document>) -> Vec<Document> {
    let integer = |value: Bson| match value {
        Bson::Int32(number) => Bson::Int64(number.into()),
        Bson::Double(number) if number.fract() == 0.0 => Bson::Int64(number as i64),
        other => other,
    };
    documents
        .into_iter()
        .map(|document| document.into_iter().map(|(name, value)| (name, integer(value))).collect())
        .collect()
}

async fn check(store: &Store, group: GroupBy, expected: Vec<Document>) {
    let found = store.group(Collection::Task, group).await.unwrap();
    assert_eq!(sorted(&plain(found)), sorted(&plain(expected)));
}

pub async fn counts_distinct_values(store: Store) {
    insert_runs(&store).await;
    let distinct = async |path: &str, filter: Filter| {
        let mut values: Vec<_> = store
            .distinct(Collection::Task, path, filter)
            .await
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        values.sort();
        values.join(" ")
    };
    assert_eq!(distinct("project", Filter::Everything).await, r#""p" "q""#);
    assert_eq!(distinct("project", Filter::eq("status", "failed")).await, r#""p""#);
    assert_eq!(distinct("tags", Filter::Everything).await, r#""a" "b""#);
    assert_eq!(distinct("free.k", Filter::Everything).await, r#""x""#);
    assert_eq!(distinct("no.such", Filter::Everything).await, "");
    let dates = store.distinct(Collection::Task, "started", Filter::id("1")).await.unwrap();
    assert_eq!(dates, [date(1000)]);
}

pub async fn groups_by_columns(store: Store) {
    insert_runs(&store).await;
    let group = GroupBy {
        filter: Filter::exists("project"),
        keys: vec![
            ("project".into(), GroupKey::Field("project".into())),
            ("archived".into(), GroupKey::Matches(Filter::eq("system_tags", "archived"))),
        ],
        values: vec![
            ("count".into(), Accumulator::Count),
            ("failed".into(), Accumulator::CountIf(Filter::eq("status", "failed"))),
            ("runtime".into(), Accumulator::SumSeconds { from: "started".into(), to: "completed".into() }),
            ("duration".into(), Accumulator::Sum("active_duration".into())),
            ("last".into(), Accumulator::Max("started".into())),
            ("first".into(), Accumulator::Min("started".into())),
        ],
    };
    let expected = vec![
        doc! {"project": "p", "archived": false, "count": 2, "failed": 1, "runtime": 3, "duration": 4.5,
        "last": date(2000), "first": date(1000)},
        doc! {"project": "p", "archived": true, "count": 1, "failed": 0, "runtime": 0, "duration": 4,
        "last": date(5000), "first": date(5000)},
        doc! {"project": "q", "archived": false, "count": 1, "failed": 0, "runtime": 10, "duration": 0,
        "last": date(0), "first": date(0)},
    ];
    check(&store, group, expected).await;
}

pub async fn groups_by_anything(store: Store) {
    insert_runs(&store).await;
    let group = GroupBy {
        filter: Filter::Everything,
        keys: vec![("k".into(), GroupKey::Field("free.k".into()))],
        values: vec![
            ("count".into(), Accumulator::Count),
            ("sum".into(), Accumulator::Sum("free.n".into())),
            ("least".into(), Accumulator::Min("free.n".into())),
            ("most".into(), Accumulator::Max("free.n".into())),
            ("seconds".into(), Accumulator::SumSeconds { from: "started".into(), to: "completed".into() }),
        ],
    };
    let expected = vec![
        doc! {"k": "x", "count": 3, "sum": 7, "least": 3, "most": "text", "seconds": 13},
        doc! {"k": null, "count": 2, "sum": 1.5, "least": 1.5, "most": 1.5, "seconds": 0},
    ];
    check(&store, group, expected).await;
}

pub async fn groups_nothing(store: Store) {
    let count = || {
        vec![("count".to_owned(), Accumulator::Count), ("max".to_owned(), Accumulator::Max("free".into()))]
    };
    let group = |keys| GroupBy { filter: Filter::Everything, keys, values: count() };
    check(&store, group(vec![]), vec![]).await;
    check(&store, group(vec![("p".into(), GroupKey::Field("project".into()))]), vec![]).await;
    insert_runs(&store).await;
    check(&store, group(vec![]), vec![doc! {"count": 5, "max": {"n": "text", "k": "x"}}]).await;
}

pub async fn map_keys_of_nested_maps(store: Store) {
    let metric = |metric: &str, variant: &str| doc! {"metric": metric, "variant": variant};
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "project": "p", "last_metrics": {"m1": {"v1": metric("M1", "V1"), "v2": metric("M1", "V2")}}},
            doc! {"_id": "2", "project": "p", "last_metrics": {"m1": {"v1": metric("M1", "V1")}, "m2": {}, "m3": 5}},
            doc! {"_id": "3", "project": "q", "last_metrics": {"m4": {"v1": metric("M4", "V1")}}},
            doc! {"_id": "4", "project": "p"},
        ],
    )
    .await;
    let keys = async |path: &str, depth: usize, filter: Filter| {
        sorted(&store.map_keys(Collection::Task, path, depth, filter).await.unwrap())
    };
    assert_eq!(
        keys("last_metrics", 2, Filter::eq("project", "p")).await,
        sorted(&[
            doc! {"keys": ["m1", "v1"], "leaf": metric("M1", "V1")},
            doc! {"keys": ["m1", "v2"], "leaf": metric("M1", "V2")},
        ])
    );
    assert_eq!(keys("last_metrics.m1", 1, Filter::Everything).await.len(), 2);
    assert_eq!(keys("last_metrics", 1, Filter::Everything).await.len(), 4);
    assert_eq!(keys("missing", 1, Filter::Everything).await.len(), 0);
}
