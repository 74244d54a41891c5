//! Conditions, orders, pages, projections, text search.

use bson::{Bson, DateTime, Document, bson, doc};

use super::{Store, check_tasks, date, ids, insert, task};
use crate::{Collection, DocumentStoreExt, Filter, Find, Projection, Sort, SortKey, StoreError};

pub async fn documents_come_back_as_they_were(store: Store) {
    let document = doc! {
        "_id": "a",
        "int": 1_i32,
        "long": i64::MAX,
        "double": 0.1,
        "whole": 2.0,
        "infinite": f64::INFINITY,
        "text": "zero \0, quote \", umlaut ü, emoji 🦀",
        "empty": "",
        "null": null,
        "yes": true,
        "date": DateTime::from_millis(-1),
        "nested": {"list": [1, "a", [2, {"deep": null}], {}], "map": {"a%2Eb": 1, "with blank": 2, "$x": 3}},
        "binary": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![0, 1, 255] }),
        "unknown_to_all": {"x": 1},
    };
    insert(&store, Collection::Task, [document.clone()]).await;
    assert_eq!(task(&store, "a").await, document);
    insert(&store, Collection::Task, [doc! {"_id": "nan", "x": f64::NAN}]).await;
    assert!(task(&store, "nan").await.get_f64("x").unwrap().is_nan());
}

async fn insert_people(store: &Store) {
    insert(
        store,
        Collection::Task,
        [
            doc! {"_id": "1", "name": "alpha", "company": "c", "active_duration": 5, "runtime": {"x": 1}},
            doc! {"_id": "2", "name": "beta", "company": "", "active_duration": 10.0, "runtime": {"x": "1"}},
            doc! {"_id": "3", "name": "gamma", "company": "c", "active_duration": 7_i64, "runtime": {"x": 2.5}},
            doc! {"_id": "4", "name": null, "company": "d", "runtime": {}},
            doc! {"_id": "5", "company": "c"},
        ],
    )
    .await;
}

pub async fn conditions_select_documents(store: Store) {
    insert_people(&store).await;
    let check = |filter: Filter, expected: &'static str| check_tasks(&store, filter, expected);
    check(Filter::Everything, "1 2 3 4 5").await;
    check(Filter::Nothing, "").await;
    check(Filter::And(vec![]), "1 2 3 4 5").await;
    check(Filter::Or(vec![]), "").await;
    check(Filter::id("3"), "3").await;
    check(Filter::id(3), "").await;
    check(Filter::eq("name", "beta"), "2").await;
    check(Filter::ne("name", "beta"), "1 3 4 5").await;
    check(Filter::gt("name", "alpha"), "2 3").await;
    check(Filter::gt("name", 5), "").await;
    check(Filter::lt("active_duration", 10), "1 3").await;
    check(Filter::lte("active_duration", 10), "1 2 3").await;
    check(Filter::gte("active_duration", 7.0), "2 3").await;
    check(Filter::lt("active_duration", "z"), "").await;
    check(Filter::eq("active_duration", 10_i64), "2").await;
    check(Filter::is_in("name", ["alpha", "gamma", "delta"]), "1 3").await;
    check(Filter::not_in("name", ["alpha", "gamma"]), "2 4 5").await;
    check(Filter::is_in("name", Vec::<String>::new()), "").await;
    check(Filter::exists("name"), "1 2 3 4").await;
    check(Filter::Exists("name".into(), false), "5").await;
    check(Filter::exists("runtime.x"), "1 2 3").await;
    check(Filter::eq("runtime.x", 1), "1").await;
    check(Filter::eq("runtime.x", "1"), "2").await;
    check(Filter::gt("runtime.x", 0), "1 3").await;
    check(Filter::eq("runtime", bson!({})), "4").await;
    let visible = Filter::is_in("company", ["c", ""]);
    check(visible.clone().and(Filter::gt("active_duration", 5)), "2 3").await;
    check(visible.and(Filter::gt("active_duration", 5).or(Filter::eq("runtime.x", 1))), "1 2 3").await;
    check(Filter::eq("name", "alpha").or(Filter::eq("company", "d")), "1 4").await;
    check(Filter::eq("company", "c").and(Filter::eq("name", "alpha").negate()), "3 5").await;
    check(Filter::NotEqual("name".into(), Bson::Null).negate(), "4 5").await;
}

pub async fn conditions_on_arrays(store: Store) {
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "tags": ["a", "b"], "models": {"input": [{"model": "m1", "name": "x"}, {"model": "m2", "name": "y"}]}},
            doc! {"_id": "2", "tags": [], "models": {"input": []}, "free": [{"k": 1, "v": 2}, {"k": 3, "v": 4}]},
            doc! {"_id": "3", "tags": ["b", "c", "b"], "free": [1, 5, 9]},
            doc! {"_id": "4"},
            doc! {"_id": "5", "tags": null},
        ],
    )
    .await;
    let check = |filter: Filter, expected: &'static str| check_tasks(&store, filter, expected);
    let all = |values: &[&str]| {
        Filter::ContainsAll("tags".into(), values.iter().map(|value| Bson::from(*value)).collect())
    };
    check(Filter::eq("tags", "b"), "1 3").await;
    check(Filter::ne("tags", "a"), "2 3 4 5").await;
    check(Filter::is_in("tags", ["a", "c"]), "1 3").await;
    check(Filter::not_in("tags", ["a", "x"]), "2 3 4 5").await;
    check(all(&["a", "b"]), "1").await;
    check(all(&["b"]), "1 3").await;
    check(all(&[]), "").await;
    check(Filter::Not(Box::new(all(&["b", "c"]))), "1 2 4 5").await;
    check(Filter::Size("tags".into(), 0), "2").await;
    check(Filter::Size("tags".into(), 3), "3").await;
    check(Filter::eq("tags", bson!([])), "2").await;
    check(Filter::eq("tags", bson!(["a", "b"])), "1").await;
    check(Filter::exists("tags"), "1 2 3 5").await;
    check(Filter::empty("tags"), "4 5").await;
    check(Filter::is_in("tags", [Bson::Null, "a".into()]), "1 4 5").await;
    check(Filter::eq("models.input.model", "m2"), "1").await;
    check(Filter::is_in("models.input.model", ["m1", "m2"]), "1").await;
    let element = |k: i32, v: i32| {
        Filter::ElementMatches("free".into(), Box::new(Filter::eq("k", k).and(Filter::eq("v", v))))
    };
    check(element(1, 2), "2").await;
    check(element(1, 4), "").await;
    check(Filter::eq("free.k", 1).and(Filter::eq("free.v", 4)), "2").await;
    let between = Filter::gt("", 5).and(Filter::lt("", 9));
    check(Filter::ElementMatches("free".into(), Box::new(between)), "").await;
    check(Filter::gt("free", 5).and(Filter::lt("free", 9)), "3").await;
    let item = Filter::eq("model", "m1").and(Filter::eq("name", "x"));
    check(Filter::ElementMatches("models.input".into(), Box::new(item)), "1").await;
    let item = Filter::eq("model", "m1").and(Filter::eq("name", "y"));
    check(Filter::ElementMatches("models.input".into(), Box::new(item)), "").await;
}

pub async fn conditions_on_dates(store: Store) {
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "last_update": date(-5), "free": date(1)},
            doc! {"_id": "2", "last_update": date(0), "free": 1},
            doc! {"_id": "3", "last_update": date(1_700_000_000_123)},
            doc! {"_id": "4", "last_update": null},
        ],
    )
    .await;
    let check = |filter: Filter, expected: &'static str| check_tasks(&store, filter, expected);
    check(Filter::lt("last_update", date(0)), "1").await;
    check(Filter::gte("last_update", date(0)), "2 3").await;
    check(Filter::eq("last_update", date(1_700_000_000_123)), "3").await;
    check(Filter::gt("last_update", 0), "").await;
    check(Filter::is_in("last_update", [date(0), Bson::Null]), "2 4").await;
    check(Filter::lte("free", date(1)), "1").await;
}

pub async fn null_matches_missing(store: Store) {
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "project": "p", "execution": {"queue": "q"}, "free": 1},
            doc! {"_id": "2", "project": null, "execution": {}, "free": null},
            doc! {"_id": "3"},
        ],
    )
    .await;
    for path in ["project", "execution.queue", "free"] {
        check_tasks(&store, Filter::empty(path), "2 3").await;
        check_tasks(&store, Filter::ne(path, Bson::Null), "1").await;
        check_tasks(&store, Filter::gte(path, Bson::Null), "2 3").await;
        check_tasks(&store, Filter::gt(path, Bson::Null), "").await;
    }
    check_tasks(&store, Filter::is_in("project", [Bson::Null, "p".into()]), "1 2 3").await;
    check_tasks(&store, Filter::not_in("project", [Bson::Null]), "1").await;
}

pub async fn odd_field_names_and_values_are_only_data(store: Store) {
    let odd =
        ["'; DROP TABLE task; --", "\"", "a\"b", "%2E", "a$[0]", "x y", "`", "]", "\\", "ключ", "?1", ":a"];
    let mut parameters = Document::new();
    for name in odd {
        parameters.insert(name, doc! {"value": name});
    }
    insert(
        &store,
        Collection::Task,
        [doc! {"_id": "1", "hyperparams": parameters, "name": odd[0], "tags": odd.to_vec()}],
    )
    .await;
    for name in odd {
        let path = format!("hyperparams.{name}.value");
        check_tasks(&store, Filter::eq(&path, name), "1").await;
        check_tasks(&store, Filter::eq(&path, "other"), "").await;
        check_tasks(&store, Filter::eq("tags", name), "1").await;
        let find = Find::new(Filter::Everything).sort(Sort::descending(&path)).include([path.clone()]);
        let found = store.find(Collection::Task, find).await.unwrap();
        let value = found[0].get_document("hyperparams").unwrap().get_document(name).unwrap();
        assert_eq!(value.get_str("value").unwrap(), name);
        assert_eq!(
            store.distinct(Collection::Task, &path, Filter::Everything).await.unwrap(),
            [Bson::from(name)]
        );
    }
    check_tasks(&store, Filter::eq("name", odd[0]), "1").await;
    check_tasks(&store, Filter::eq("", 1), "").await;
}

pub async fn regular_expressions(store: Store) {
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "name": "train a.b", "comment": "first\nline", "tags": ["x1"]},
            doc! {"_id": "2", "name": "Train axb", "comment": "SECOND"},
            doc! {"_id": "3", "name": "train", "tags": ["y", "x2"]},
            doc! {"_id": "4"},
        ],
    )
    .await;
    let regex = |path: &str, pattern: &str, case_insensitive| Filter::Regex {
        path: path.into(),
        pattern: pattern.into(),
        case_insensitive,
    };
    let check = |filter: Filter, expected: &'static str| check_tasks(&store, filter, expected);
    check(regex("name", "rain", false), "1 2 3").await;
    check(regex("name", "^train", false), "1 3").await;
    check(regex("name", "^train", true), "1 2 3").await;
    check(regex("name", r"^train\ a\.b$", false), "1").await;
    check(regex("name", "a.b", false), "1 2").await;
    check(regex("name", "^train$", false), "3").await;
    check(regex("name", "^(?!train a)", false), "2 3").await;
    check(regex("comment", "second", true), "2").await;
    check(regex("comment", "first.line", false), "").await;
    check(regex("tags", "^x", false), "1 3").await;
    check(regex("_id", "[12]", false), "1 2").await;
    check(regex("name", "train a", false), "1").await;
    check(regex("name", "TRAIN A(.b|xb)$", true), "1 2").await;
    check(regex("name", "train$|axb", false), "2 3").await;
    check(regex("comment", "nothing like this", false), "").await;
    let anywhere = |pattern: &str| {
        let fields = ["name", "comment", "tags", "_id"];
        Filter::Or(fields.map(|path| regex(path, pattern, true)).to_vec())
    };
    check(anywhere("sec|x1"), "1 2").await;
    check(anywhere("second"), "2").await;
    store
        .update_one(Collection::Task, Filter::id("4"), vec![crate::Change::set("name", "the second")])
        .await
        .unwrap();
    check(anywhere("second"), "2 4").await;
    store
        .update_one(Collection::Task, Filter::id("2"), vec![crate::Change::set("comment", "x")])
        .await
        .unwrap();
    check(anywhere("second"), "4").await;
    store.delete(Collection::Task, Filter::id("4")).await.unwrap();
    check(anywhere("second"), "").await;
    for path in ["name", "comment"] {
        let result = store.count(Collection::Task, regex(path, "(unclosed", false), false).await;
        assert!(matches!(result, Err(StoreError::InvalidRegex(_))), "{result:?}");
    }
}

pub async fn natural_order_is_insertion_order(store: Store) {
    let numbers = [5, 3, 9, 1, 7, 2];
    insert(
        &store,
        Collection::Task,
        numbers.map(|number| doc! {"_id": number.to_string(), "project": if number > 4 { "p" } else { "q" }, "tags": ["t"]}),
    )
    .await;
    assert_eq!(ids(&store, Collection::Task, Find::new(Filter::Everything)).await, "5 3 9 1 7 2");
    let page = Find { skip: 1, limit: Some(2), ..Find::new(Filter::Everything) };
    assert_eq!(ids(&store, Collection::Task, page).await, "3 9");
}

pub async fn orders_by_several_fields(store: Store) {
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "last_update": date(5), "name": "b"},
            doc! {"_id": "2", "last_update": date(9), "name": "a"},
            doc! {"_id": "3", "last_update": date(5), "name": "a"},
            doc! {"_id": "4", "name": "c"},
            doc! {"_id": "5", "last_update": date(5), "name": "B"},
        ],
    )
    .await;
    let find = || Find::new(Filter::Everything);
    let newest = find().sort(Sort::descending("last_update")).sort(Sort::ascending("_id"));
    assert_eq!(ids(&store, Collection::Task, newest).await, "2 1 3 5 4");
    let oldest = find().sort(Sort::ascending("last_update")).sort(Sort::descending("_id"));
    assert_eq!(ids(&store, Collection::Task, oldest).await, "4 5 3 1 2");
    let named = find().sort(Sort::ascending("name")).sort(Sort::descending("last_update"));
    assert_eq!(ids(&store, Collection::Task, named).await, "5 2 3 1 4");
    let unknown = find().sort(Sort::descending("no.such.field"));
    // Equal documents have no order among them.
    assert_eq!(ids(&store, Collection::Task, unknown).await.len(), "1 2 3 4 5".len());
}

pub async fn orders_kinds_of_values(store: Store) {
    let values = [
        ("1", Bson::from("text")),
        ("2", date(1)),
        ("3", Bson::from(10)),
        ("4", Bson::Null),
        ("5", Bson::from(true)),
        ("6", Bson::from(-2.5)),
        ("7", bson!({"a": 1})),
        ("8", Bson::Int64(i64::MAX)),
        ("9", Bson::from("Text")),
    ];
    insert(&store, Collection::Task, values.map(|(id, value)| doc! {"_id": id, "runtime": {"x": value}}))
        .await;
    let find = Find::new(Filter::Everything).sort(Sort::ascending("runtime.x"));
    assert_eq!(ids(&store, Collection::Task, find).await, "4 6 3 8 9 1 7 5 2");
    let find = Find::new(Filter::Everything).sort(Sort::descending("runtime.x"));
    assert_eq!(ids(&store, Collection::Task, find).await, "2 5 7 1 9 8 3 6 4");
}

pub async fn orders_arrays_by_their_extremes(store: Store) {
    for path in ["tags", "free"] {
        let collection = if path == "tags" { Collection::Task } else { Collection::Model };
        insert(
            &store,
            collection,
            [
                doc! {"_id": "1", path: ["b", "y"]},
                doc! {"_id": "2", path: ["c"]},
                doc! {"_id": "3", path: ["a", "x"]},
                doc! {"_id": "4"},
            ],
        )
        .await;
        let find = Find::new(Filter::Everything);
        assert_eq!(ids(&store, collection, find.clone().sort(Sort::ascending(path))).await, "4 3 1 2");
        assert_eq!(ids(&store, collection, find.sort(Sort::descending(path))).await, "1 3 2 4");
    }
}

pub async fn numeric_collation_orders_and_compares(store: Store) {
    let values = ["10", "9", "abc", "Abd", "0.5", "100", "x2", "x10"];
    let documents = values
        .map(|value| doc! {"_id": value, "name": value, "hyperparams": {"Args": {"v": {"value": value}}}});
    insert(&store, Collection::Task, documents).await;
    for path in ["name", "hyperparams.Args.v.value"] {
        let collated = |filter: Filter| Find { numeric_collation: true, ..Find::new(filter) };
        let find = collated(Filter::Everything).sort(Sort::ascending(path));
        assert_eq!(ids(&store, Collection::Task, find).await, "0.5 9 10 100 abc Abd x2 x10");
        let find = collated(Filter::gt(path, "9").and(Filter::lt(path, "abc"))).sort(Sort::descending(path));
        assert_eq!(ids(&store, Collection::Task, find).await, "100 10");
        assert_eq!(store.count(Collection::Task, Filter::gte(path, "10"), true).await.unwrap(), 6);
        let find = Find::new(Filter::Everything).sort(Sort::ascending(path));
        assert_eq!(ids(&store, Collection::Task, find).await, "0.5 10 100 9 Abd abc x10 x2");
    }
}

pub async fn pages(store: Store) {
    insert(
        &store,
        Collection::Task,
        (0..10).map(|number| doc! {"_id": number.to_string(), "free": number % 2}),
    )
    .await;
    let page = |skip, limit| {
        let filter = Filter::eq("free", 0);
        Find { skip, limit, ..Find::new(filter).sort(Sort::descending("_id")) }
    };
    assert_eq!(ids(&store, Collection::Task, page(0, Some(2))).await, "8 6");
    assert_eq!(ids(&store, Collection::Task, page(2, Some(2))).await, "4 2");
    assert_eq!(ids(&store, Collection::Task, page(4, Some(2))).await, "0");
    assert_eq!(ids(&store, Collection::Task, page(9, Some(2))).await, "");
    assert_eq!(ids(&store, Collection::Task, page(3, None)).await, "2 0");
    assert_eq!(ids(&store, Collection::Task, page(0, Some(0))).await, "");
    assert_eq!(ids(&store, Collection::Task, page(u64::MAX, Some(u64::MAX))).await, "");
}

pub async fn projections(store: Store) {
    let document = doc! {"_id": "1", "name": "n", "script": {"binary": "python", "diff": "+", "more": {"x": 1}},
    "models": {"input": [{"model": "m", "name": "i"}, {"name": "j"}]}};
    insert(&store, Collection::Task, [document.clone()]).await;
    let project = async |projection: Projection| {
        let find = Find { projection, ..Find::new(Filter::Everything) };
        store.find(Collection::Task, find).await.unwrap().remove(0)
    };
    let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    assert_eq!(project(Projection::All).await, document);
    assert_eq!(project(Projection::Include(vec![])).await, doc! {"_id": "1"});
    assert_eq!(project(Projection::Include(paths(&["_id"]))).await, doc! {"_id": "1"});
    assert_eq!(
        project(Projection::Include(paths(&["name", "script.binary", "script.more", "missing.x"]))).await,
        doc! {"_id": "1", "name": "n", "script": {"binary": "python", "more": {"x": 1}}}
    );
    assert_eq!(
        project(Projection::Include(paths(&["models.input.model"]))).await,
        doc! {"_id": "1", "models": {"input": [{"model": "m"}, {}]}}
    );
    assert_eq!(
        project(Projection::Exclude(paths(&["name", "script.diff", "script.more.x", "models.input.name"])))
            .await,
        doc! {"_id": "1", "script": {"binary": "python", "more": {}}, "models": {"input": [{"model": "m"}, {}]}}
    );
}

pub async fn large_lists_of_ids(store: Store) {
    insert(
        &store,
        Collection::Task,
        (0..1000).map(|number| doc! {"_id": number.to_string(), "project": format!("p{number}")}),
    )
    .await;
    let asked: Vec<_> = (0..100_000).step_by(100).map(|number: i32| number.to_string()).collect();
    let found = Find::new(Filter::ids(asked.clone())).sort(Sort::ascending("_id"));
    assert_eq!(ids(&store, Collection::Task, found).await, "0 100 200 300 400 500 600 700 800 900");
    let projects = asked.iter().map(|number| format!("p{number}"));
    assert_eq!(store.count(Collection::Task, Filter::is_in("project", projects), false).await.unwrap(), 10);
    assert_eq!(store.count(Collection::Task, Filter::not_in("_id", asked), false).await.unwrap(), 990);
    let many = Filter::Or((0..3000).map(|number| Filter::id(number.to_string())).collect());
    assert_eq!(store.count(Collection::Task, many, false).await.unwrap(), 1000);
}

pub async fn full_text_search(store: Store) {
    insert(
        &store,
        Collection::Task,
        [
            doc! {"_id": "1", "name": "Training of a big network", "comment": "nothing"},
            doc! {"_id": "2", "name": "evaluation", "comment": "trains the network", "project": "p"},
            doc! {"_id": "3", "name": "network big", "script": {"repository": "https://host/trained.git"}},
            doc! {"_id": "4", "name": "pipeline", "models": {"input": [{"model": "m123"}]}},
        ],
    )
    .await;
    let search = |text: &str| Find::new(Filter::Text(text.to_owned())).sort(Sort::ascending("_id"));
    let check = async |text: &str, expected: &str| {
        assert_eq!(ids(&store, Collection::Task, search(text)).await, expected, "{text}");
    };
    check("network", "1 2 3").await;
    check("NETWORKS", "1 2 3").await;
    check("the evaluation pipelines", "2 4").await;
    check("trained", "1 2 3").await;
    check("\"big network\"", "1").await;
    check("network -big", "2").await;
    check("m123", "4").await;
    check("absent", "").await;
    check("-big", "").await;
    check("", "").await;
    check("\"' OR NEAR( * ) ^ : -", "").await;
    let in_project = search("network").filter.and(Filter::eq("project", "p"));
    assert_eq!(ids(&store, Collection::Task, Find::new(in_project)).await, "2");

    let relevance = Sort { key: SortKey::TextScore, order: crate::Order::Descending };
    let best = Find::new(Filter::Text("trained evaluation".to_owned())).sort(relevance);
    assert!(ids(&store, Collection::Task, best).await.starts_with("2 "));

    let rename = vec![crate::Change::set("name", "zebra")];
    store.update_one(Collection::Task, Filter::id("1"), rename).await.unwrap();
    check("big", "3").await;
    check("zebra", "1").await;
    store.delete(Collection::Task, Filter::id("1")).await.unwrap();
    check("zebra", "").await;
    let result = store.find(Collection::Queue, Find::new(Filter::Text("x".to_owned()))).await;
    assert!(matches!(result, Err(StoreError::NoTextIndex)));
}
