//! The query language of the list endpoints (spec 03 part 1), asked through `tasks.get_all` and
//! `tasks.get_all_ex`.

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Write};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer};

/// A server with a user.
async fn server() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let user = server.user().await;
    (server, user)
}

/// Stores tasks of the company, each with these fields over a few defaults.
async fn store_tasks(server: &TestServer, tasks: Vec<Document>) {
    store(server, Collection::Task, tasks).await;
}

async fn store(server: &TestServer, collection: Collection, documents: Vec<Document>) {
    let writes = documents
        .into_iter()
        .map(|fields| {
            let mut document = doc! { "company": COMPANY, "name": "some name" };
            document.extend(fields);
            Write::Insert(document)
        })
        .collect();
    server.app.documents.write(collection, writes).await.unwrap();
}

/// The ids that a request finds, in order.
async fn found(user: &Client, request: Value) -> Vec<String> {
    let mut request = request;
    request["only_fields"] = json!(["id"]);
    ids(&user.ok("tasks.get_all", request).await)
}

fn ids(data: &Value) -> Vec<String> {
    let tasks = data["tasks"].as_array().unwrap();
    tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids that a request finds, sorted.
async fn found_sorted(user: &Client, request: Value) -> Vec<String> {
    let mut ids = found(user, request).await;
    ids.sort();
    ids
}

fn day(day: i64) -> DateTime {
    DateTime::from_millis(1_704_067_200_000 + day * 86_400_000)
}

#[tokio::test]
async fn sees_own_and_public_documents() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "own" },
            doc! { "_id": "public", "company": "" },
            doc! { "_id": "foreign", "company": "another" },
        ],
    )
    .await;
    assert_eq!(found_sorted(&user, json!({})).await, ["own", "public"]);
    assert_eq!(ids(&user.ok("tasks.get_all_ex", json!({})).await).len(), 2);
    let own = user.ok("tasks.get_all_ex", json!({"allow_public": false})).await;
    assert_eq!(ids(&own), ["own"]);
}

#[tokio::test]
async fn hidden_documents_are_found_on_request_or_by_id() {
    let (server, user) = server().await;
    store_tasks(&server, vec![doc! { "_id": "seen" }, doc! { "_id": "unseen", "system_tags": ["hidden"] }])
        .await;
    assert_eq!(found(&user, json!({})).await, ["seen"]);
    assert_eq!(found_sorted(&user, json!({"search_hidden": true})).await, ["seen", "unseen"]);
    assert_eq!(found(&user, json!({"id": ["unseen"], "search_hidden": false})).await, ["unseen"]);
    assert_eq!(found(&user, json!({"name": "name"})).await, ["seen"]);
}

#[tokio::test]
async fn patterns() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "a", "name": "Alpha one", "comment": "beta" },
            doc! { "_id": "b", "name": "beta two (x)" },
        ],
    )
    .await;
    assert_eq!(found(&user, json!({"name": "lpha"})).await, ["a"]);
    assert_eq!(found(&user, json!({"name": "alpha"})).await, [""; 0]);
    assert_eq!(found(&user, json!({"name": r"^beta\ two\ \(x\)$"})).await, ["b"]);
    assert_eq!(
        found_sorted(&user, json!({"_any_": {"fields": ["name", "comment"], "pattern": "BETA"}})).await,
        ["a", "b"]
    );
    assert_eq!(
        found(&user, json!({"_all_": {"fields": ["name", "comment"], "pattern": "[ae]"}})).await,
        ["a"]
    );
    let (code, subcode, message) = user.error("tasks.get_all", json!({"name": "("})).await;
    assert_eq!((code, subcode), (400, 21));
    assert!(message.starts_with("Malformed regular expression: err="), "{message}");
    assert!(message.ends_with(", extra_info=None"), "{message}");
}

#[tokio::test]
async fn lists_with_operators() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "1", "tags": ["a"] },
            doc! { "_id": "2", "tags": ["a", "b"] },
            doc! { "_id": "3", "tags": ["a", "b", "c"] },
            doc! { "_id": "4", "tags": [] },
            doc! { "_id": "5" },
            doc! { "_id": "6", "tags": Bson::Null },
            doc! { "_id": "7", "tags": ["-a"] },
        ],
    )
    .await;
    for (tags, expected) in [
        (json!(["a", "b"]), "1 2 3"),
        (json!("b"), "2 3"),
        (json!(["-a", "b"]), ""),
        (json!(["-c", "b"]), "2"),
        (json!(["__$not", "c", "b"]), "2"),
        (json!(["__$all", "a", "b", "__$not", "c"]), "2"),
        (json!(["__$all", "a", "__$nop", "c"]), "3"),
        (json!(["__$or", "c", "__$not", "a"]), "3 4 5 6 7"),
        (json!(["__$any", "-a"]), "7"),
        (json!(["c", null]), "3 4 5 6"),
        (json!([null]), "4 5 6"),
        (json!([]), "1 2 3 4 5 6 7"),
        (json!(null), "1 2 3 4 5 6 7"),
    ] {
        assert_eq!(found_sorted(&user, json!({"tags": tags})).await.join(" "), expected, "{tags}");
    }
    let (code, subcode, message) = user.error("tasks.get_all", json!({"tags": ["__$what"]})).await;
    assert_eq!((code, subcode), (400, 16));
    assert_eq!(message, "Invalid value for fields (Unsupported operator): field=tags, operator=__$what");
}

#[tokio::test]
async fn dictionary_filters() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "1", "tags": ["a"] },
            doc! { "_id": "2", "tags": ["a", "b"] },
            doc! { "_id": "3", "tags": [] },
            doc! { "_id": "4" },
        ],
    )
    .await;
    for (filter, expected) in [
        (json!({"any": {"include": ["b"]}}), "2"),
        (json!({"any": {"exclude": ["a", "b"]}}), "1 3 4"),
        (json!({"all": {"include": ["a", "b"]}}), "2"),
        (json!({"all": {"exclude": ["b"]}}), "1 3 4"),
        (json!({"any": {"include": [null]}}), "3"),
        (json!({"all": {"include": ["a", null]}}), ""),
        (json!({"any": {"include": ["b"]}, "all": {"exclude": ["a"]}, "op": "or"}), "2 3 4"),
        (json!({}), "1 2 3 4"),
    ] {
        let request = json!({"tags": ["overridden"], "filters": {"tags": filter}});
        assert_eq!(found_sorted(&user, request).await.join(" "), expected, "{filter}");
    }
    let (code, subcode, message) = user.error("tasks.get_all", json!({"filters": {"tags": ["a"]}})).await;
    assert_eq!((code, subcode), (400, 12));
    assert_eq!(
        message,
        "Validation error (invalid filter for field, dictionary expected): field=tags, value=(a)"
    );
}

#[tokio::test]
async fn ranges_dates_and_equalities() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! {
                "_id": "1", "last_iteration": 10, "created": day(1), "last_update": day(1),
                "last_metrics": {"m": {"v": {"value": 0.5}}}, "runtime": {"version": "1"},
            },
            doc! {
                "_id": "2", "last_iteration": 20, "created": day(2), "last_update": day(2),
                "last_metrics": {"m": {"v": {"value": 1.5}}}, "runtime": {"version": "2"},
            },
            doc! { "_id": "3" },
        ],
    )
    .await;
    for (request, expected) in [
        (json!({"last_iteration": [10, 20]}), "1 2"),
        (json!({"last_iteration": [11, null]}), "2"),
        (json!({"last_iteration": [null, 10]}), "1 3"),
        (json!({"created": ["2024-01-02", "2024-01-02T12:00:00"]}), "1"),
        (json!({"last_metrics.m.v.value": ["1", null]}), "2"),
        (json!({"last_update": ">2024-01-02"}), "2"),
        (json!({"last_update": [">=2024-01-02", "<2024-01-03"]}), "1"),
        (json!({"last_update": ["2024-01-02T00:00:00+00:00"]}), "1"),
        (json!({"last_update": ["2024-01-02", "2024-01-03"]}), "1 2"),
        (json!({"last_update": [null, "2024-01-02"]}), "1 2 3"),
        (json!({"_or_": {"fields": ["last_update", "last_change"], "datetime": [">2024-01-02"]}}), "2"),
        (json!({"runtime.version": "2"}), "2"),
        (json!({"runtime.version": null}), "1 2 3"),
    ] {
        assert_eq!(found_sorted(&user, request.clone()).await.join(" "), expected, "{request}");
    }
    for request in [json!({"last_iteration": 5}), json!({"created": [null, null]})] {
        let (code, subcode, _) = user.error("tasks.get_all", request).await;
        assert_eq!((code, subcode), (400, 12));
    }
    let (code, subcode, _) = user.error("tasks.get_all", json!({"last_update": [5]})).await;
    assert_eq!((code, subcode), (400, 16));
}

#[tokio::test]
async fn text_search() {
    if crate::support::left_out_on_cluster("the stand-in for MongoDB has no text indexes") {
        return;
    }
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![doc! { "_id": "1", "name": "yellow submarine" }, doc! { "_id": "2", "name": "red car" }],
    )
    .await;
    assert_eq!(found(&user, json!({"search_text": "submarine"})).await, ["1"]);
    assert_eq!(found(&user, json!({"search_text": "car", "order_by": ["@text_score"]})).await, ["2"]);
    let (code, subcode, _) = user.error("tasks.get_all", json!({"order_by": ["@text_score"]})).await;
    assert_eq!((code, subcode), (400, 16));
}

#[tokio::test]
async fn empties_come_last_and_ids_break_ties() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "e", "comment": "" },
            doc! { "_id": "d", "comment": "y" },
            doc! { "_id": "c" },
            doc! { "_id": "b", "comment": "x" },
            doc! { "_id": "a", "comment": "y" },
        ],
    )
    .await;
    let ascending = json!({"order_by": ["comment"]});
    let all = found(&user, ascending.clone()).await;
    assert_eq!(all[..3], ["b", "a", "d"]);
    assert_eq!(found(&user, json!({"order_by": "comment"})).await, all);
    assert_eq!(found(&user, json!({"order_by": ["-comment"]})).await[..3], ["a", "d", "b"]);
    // Pages run over the whole.
    for (page, expected) in [(0, &all[0..2]), (1, &all[2..4]), (2, &all[4..5])] {
        let request = json!({"order_by": ["comment"], "page": page, "page_size": 2});
        assert_eq!(found(&user, request).await, expected, "page {page}");
    }
    assert_eq!(found(&user, json!({"order_by": ["comment"], "page": 3, "page_size": 2})).await, [""; 0]);
    let (code, subcode, message) = user.error("tasks.get_all", json!({"order_by": ["project.name"]})).await;
    assert_eq!((code, subcode), (400, 14));
    assert!(message.starts_with("Lookup error"), "{message}");
    assert_eq!(found(&user, json!({"order_by": ["-project.name"]})).await.len(), 5);
}

#[tokio::test]
async fn numbers_in_hyperparameters_order_as_numbers() {
    let (server, user) = server().await;
    let parameter = |id: &str, value: &str| {
        doc! { "_id": id, "hyperparams": {"Args": {"lr%2E1": {"name": "lr.1", "value": value}}} }
    };
    store_tasks(&server, vec![parameter("ten", "10"), parameter("two", "2"), doc! { "_id": "none" }]).await;
    assert_eq!(
        found(&user, json!({"order_by": ["hyperparams.Args.lr%2E1.value"]})).await,
        ["two", "ten", "none"]
    );
    assert_eq!(found(&user, json!({"order_by": ["-execution.parameters.lr%2E1.value"]})).await[0], "ten");
    assert_eq!(found(&user, json!({"hyperparams.Args.lr%2E1.value": ["2"]})).await, ["two"]);
    let (code, subcode, message) = user.error("tasks.get_all", json!({"hyperparams.a.b.c.d": ["2"]})).await;
    assert_eq!((code, subcode), (400, 12));
    assert_eq!(message, "Validation error (invalid task field): path=hyperparams.a.b.c.d");
}

#[tokio::test]
async fn pages_keep_natural_order() {
    let (server, user) = server().await;
    store_tasks(&server, ["c", "a", "b"].map(|id| doc! { "_id": id }).to_vec()).await;
    assert_eq!(found(&user, json!({})).await, ["c", "a", "b"]);
    assert_eq!(found(&user, json!({"page": 1, "page_size": 2})).await, ["b"]);
    assert_eq!(found(&user, json!({"start": 1, "size": 1})).await, ["a"]);
    assert_eq!(found(&user, json!({"page": null, "page_size": null})).await, ["c", "a", "b"]);
    for (request, code) in [
        (json!({"page": -1}), (400, 12)),
        (json!({"page_size": 0}), (400, 12)),
        (json!({"page_size": null}), (400, 11)),
        (json!({"page": "x"}), (400, 12)),
    ] {
        let (status, subcode, _) = user.error("tasks.get_all", request.clone()).await;
        assert_eq!((status, subcode), code, "{request}");
    }
}

#[tokio::test]
async fn scrolls() {
    let (server, user) = server().await;
    store_tasks(&server, ["a", "b", "c", "d", "e"].map(|id| doc! { "_id": id }).to_vec()).await;
    let scroll = async |scroll_id: Value, refresh: bool| {
        let request = json!({
            "scroll_id": scroll_id, "size": 2, "refresh_scroll": refresh, "order_by": ["id"], "only_fields": ["id"],
        });
        let data = user.ok("tasks.get_all_ex", request).await;
        (ids(&data), data["scroll_id"].clone())
    };
    let (first, id) = scroll(Value::Null, false).await;
    assert_eq!(first, ["a", "b"]);
    assert_eq!(scroll(id.clone(), false).await, (vec!["c".to_owned(), "d".to_owned()], id.clone()));
    let (seen, same) = scroll(id.clone(), true).await;
    assert_eq!((seen.as_slice(), &same), (["a", "b", "c", "d"].map(str::to_owned).as_slice(), &id));
    assert_eq!(scroll(id.clone(), false).await.0, ["e"]);
    assert_eq!(scroll(id.clone(), false).await, (Vec::new(), id.clone()));
    // The state lies under the key that all replicas know.
    let key = format!(
        "<class 'apiserver.database.model.base.GetMixin.GetManyScrollState'>/{}",
        id.as_str().unwrap()
    );
    let state = server.app.state.get(&key).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&state).unwrap(), json!({"_id": id, "position": 5}));
    // An unknown id starts a scroll of its own.
    let (restarted, new_id) = scroll(json!("unknown"), false).await;
    assert_eq!(restarted, ["a", "b"]);
    assert_ne!(new_id, json!("unknown"));

    let (code, subcode, message) = user.error("tasks.get_all", json!({"scroll_id": null})).await;
    assert_eq!((code, subcode), (400, 12));
    assert_eq!(
        message,
        "Validation error (Integer size parameter greater than 1 should be provided when working with scroll)"
    );
}

#[tokio::test]
async fn projections() {
    let (server, user) = server().await;
    let task = doc! {
        "_id": "t", "name": "some name", "project": "p", "user": "u", "script": {"branch": "main"},
        "runtime": {"version": "1", "other": 2}, "unique_metrics": ["a/b"], "unknown": 1, "comment": Bson::Null,
    };
    store_tasks(&server, vec![task]).await;
    let plain = async |fields: Value| {
        user.ok("tasks.get_all", json!({"only_fields": fields})).await["tasks"][0].clone()
    };
    assert_eq!(plain(json!(["name"])).await, json!({"name": "some name"}));
    assert_eq!(
        plain(json!(["id", "project", "runtime.version", "script.repository"])).await,
        json!({"id": "t", "project": "p", "runtime": {"version": "1"}, "script": {"repository": ""}})
    );
    assert_eq!(plain(json!(["unique_metrics"])).await, json!({"unique_metrics": ["a/b"]}));
    let everything = plain(json!([])).await;
    assert_eq!(everything["id"], "t");
    assert_eq!(everything["tags"], json!([]));
    for absent in ["unknown", "comment", "unique_metrics", "company_origin"] {
        assert_eq!(everything[absent], Value::Null, "{absent}");
    }
    assert_eq!(plain(json!(["-script", "-runtime.other"])).await["runtime"], json!({"version": "1"}));
    for field in ["foo", "project.name", "*", "script.*"] {
        let (code, subcode, message) = user.error("tasks.get_all", json!({"only_fields": [field]})).await;
        assert_eq!((code, subcode), (400, 14), "{field}");
        assert!(message.starts_with("Lookup error"), "{message}");
    }
}

#[tokio::test]
async fn joins() {
    let (server, user) = server().await;
    store(
        &server,
        Collection::Project,
        vec![
            doc! { "_id": "p", "name": "project one", "basename": "project one" },
            doc! { "_id": "foreign", "name": "foreign", "company": "another" },
        ],
    )
    .await;
    store(&server, Collection::Model, vec![doc! { "_id": "m", "name": "model", "uri": "u" }]).await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "parent", "name": "the parent", "project": "p", "user": user.id.as_str() },
            doc! {
                "_id": "child", "parent": "parent", "project": "p", "user": "nobody",
                "models": {"input": [{"name": "in", "model": "m"}, {"name": "gone", "model": "x"}]},
                "execution": {"queue": "q"},
            },
            doc! { "_id": "stray", "project": "foreign", "company": "" },
        ],
    )
    .await;
    let joined = async |id: &str, fields: Value| {
        user.ok("tasks.get_all_ex", json!({"id": [id], "only_fields": fields})).await["tasks"][0].clone()
    };
    assert_eq!(
        joined("child", json!(["project.name", "parent.name", "parent.project.name", "user.name"])).await,
        json!({
            "id": "child",
            "project": {"id": "p", "name": "project one"},
            "parent": {"id": "parent", "name": "the parent", "project": {"id": "p", "name": "project one"}},
            "user": {"id": "nobody"},
        })
    );
    assert_eq!(
        joined("child", json!(["models.input.model.name", "execution.queue"])).await,
        json!({
            "id": "child",
            "models": {"input": [{"model": {"id": "m", "name": "model"}}, {"model": {"id": "x"}}]},
            "execution": {"queue": {"id": "q"}},
        })
    );
    let whole = joined("child", json!(["project.*"])).await;
    assert_eq!(whole["project"]["basename"], "project one");
    assert_eq!(whole["project"]["company"], json!({"id": COMPANY}));
    assert_eq!(
        joined("stray", json!(["company", "project.name"])).await,
        json!({"id": "stray", "company": {}, "project": {"id": "foreign"}})
    );
    assert_eq!(joined("child", json!(["project"])).await["project"], json!({"id": "p"}));
    assert_eq!(joined("child", json!([])).await["parent"], json!({"id": "parent"}));
    assert_eq!(joined("child", json!(["-project.name"])).await["project"], json!({"id": "p"}));

    let mine = joined("parent", json!(["user.name", "user.preferences"])).await;
    assert_eq!(mine["user"]["name"], "Jane Doe");
    let (code, subcode, message) =
        user.error("tasks.get_all_ex", json!({"only_fields": ["user.credentials"]})).await;
    assert_eq!((code, subcode), (400, 14));
    assert_eq!(message, "Fields not defined for object: fields=(credentials), object=User");
}

#[tokio::test]
async fn subprojects_are_included_on_request() {
    let (server, user) = server().await;
    store(
        &server,
        Collection::Project,
        vec![
            doc! { "_id": "p", "name": "top", "path": [] },
            doc! { "_id": "q", "name": "top/below", "path": ["p"], "parent": "p" },
            doc! { "_id": "r", "name": "top/below/deep", "path": ["p", "q"], "parent": "q" },
        ],
    )
    .await;
    store_tasks(
        &server,
        ["p", "q", "r"].map(|id| doc! { "_id": format!("in {id}"), "project": id }).to_vec(),
    )
    .await;
    assert_eq!(found(&user, json!({"project": ["p"]})).await, ["in p"]);
    assert_eq!(
        found_sorted(&user, json!({"project": "q", "include_subprojects": true})).await,
        ["in q", "in r"]
    );
    assert_eq!(found(&user, json!({"project": [null], "include_subprojects": true})).await, [""; 0]);
}

#[tokio::test]
async fn tags_of_old_clients_are_split() {
    let (server, user) = server().await;
    store_tasks(
        &server,
        vec![
            doc! { "_id": "1", "tags": ["b", "a"], "system_tags": ["archived"] },
            doc! { "_id": "2", "tags": ["archived"] },
        ],
    )
    .await;
    let old = user.clone().version("2.2");
    assert_eq!(found(&old, json!({"tags": ["archived"]})).await, ["1"]);
    assert_eq!(found(&user, json!({"tags": ["archived"]})).await, ["2"]);
    let answered = old.ok("tasks.get_all", json!({"id": ["1"]})).await;
    assert_eq!(answered["tasks"][0]["tags"], json!(["a", "archived", "b"]));
    let answered = user.ok("tasks.get_all", json!({"id": ["1"]})).await;
    assert_eq!(answered["tasks"][0]["tags"], json!(["a", "b"]));
}

/// A join of many references is answered by few queries: each id once, in chunks.
#[tokio::test]
async fn joins_of_a_large_page() {
    let (server, user) = server().await;
    let projects = (0..3).map(|n| doc! { "_id": format!("p{n}"), "name": format!("project {n}") }).collect();
    store(&server, Collection::Project, projects).await;
    let tasks = (0..500).map(|n| doc! { "_id": format!("t{n}"), "project": format!("p{}", n % 3) }).collect();
    store_tasks(&server, tasks).await;
    let data = user.ok("tasks.get_all_ex", json!({"only_fields": ["project.name"]})).await;
    let tasks = data["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 500);
    for task in tasks {
        let id = task["project"]["id"].as_str().unwrap();
        assert_eq!(task["project"]["name"], format!("project {}", &id[1..]));
    }
    assert!(server.app.documents.any(Collection::Task, Filter::id("t499")).await.unwrap());
}
