//! `get_all_ex` with statistics and selected children (spec 03 §2.5).

use super::*;

fn minutes_ago(minutes: i64) -> DateTime {
    DateTime::from_millis(DateTime::now().timestamp_millis() - minutes * 60_000)
}

/// `top`, `top/child`, `top/.hidden` with tasks in each.
async fn tree(server: &TestServer, user: &Client) -> (String, String, String) {
    let child = create(user, "top/child").await;
    let hidden = create_with(user, "top/.hidden", json!({"system_tags": ["hidden"]})).await;
    let top = id_of(&by_name(server, "top").await);
    store(
        server,
        Collection::Task,
        vec![
            doc! {
                "project": &top, "status": "completed", "user": "u1", "tags": ["x"],
                "started": minutes_ago(30), "completed": minutes_ago(20),
            },
            doc! {
                "project": &child, "status": "failed", "user": "u2",
                "started": minutes_ago(10), "completed": minutes_ago(5),
            },
            doc! { "project": &child, "status": "completed", "completed": minutes_ago(60 * 48) },
            doc! { "project": &top, "status": "created", "system_tags": ["archived"] },
            doc! { "project": &hidden, "status": "created", "type": "controller", "system_tags": ["pipeline"] },
            doc! { "project": &top, "company": "another", "status": "created" },
        ],
    )
    .await;
    store(server, Collection::Model, vec![doc! { "project": &top, "user": "u3" }]).await;
    (top, child, hidden)
}

async fn one(user: &Client, mut request: Value, id: &str) -> Value {
    request["id"] = json!([id]);
    let data = user.ok("projects.get_all_ex", request).await;
    data["projects"][0].clone()
}

#[tokio::test]
async fn counts_tasks_with_those_below() {
    let (server, user) = server().await;
    let (top, child, _) = tree(&server, &user).await;
    let project = one(&user, json!({"include_stats": true}), &top).await;
    let active = &project["stats"]["active"];
    assert_eq!(project["stats"].as_object().unwrap().len(), 1);
    assert_eq!(active["total_tasks"], json!(3));
    assert_eq!(
        active["status_count"],
        json!({
            "created": 0, "queued": 0, "in_progress": 0, "stopped": 0, "publishing": 0, "published": 0,
            "closed": 0, "failed": 1, "completed": 2, "unknown": 0,
        })
    );
    assert_eq!(active["total_runtime"], json!(900.0));
    assert_eq!(active["completed_tasks_24h"], json!(1));
    assert!(active["last_task_run"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(project["sub_projects"], json!([{"id": child, "name": "top/child"}]));

    let alone = one(&user, json!({"include_stats": true, "stats_with_children": false}), &top).await;
    assert_eq!(alone["stats"]["active"]["total_tasks"], json!(1));
    assert_eq!(alone["sub_projects"], json!([]));
}

#[tokio::test]
async fn states_and_hidden_projects() {
    let (server, user) = server().await;
    let (top, child, hidden) = tree(&server, &user).await;
    let both = one(&user, json!({"include_stats": true, "stats_for_state": null}), &top).await;
    assert_eq!(both["stats"]["active"]["total_tasks"], json!(3));
    assert_eq!(both["stats"]["archived"]["total_tasks"], json!(1));
    assert_eq!(both["stats"]["archived"]["total_runtime"], json!(0.0));
    let archived = one(&user, json!({"include_stats": true, "stats_for_state": "archived"}), &top).await;
    assert_eq!(archived["stats"].as_object().unwrap().keys().collect::<Vec<_>>(), ["archived"]);
    let all = one(&user, json!({"include_stats": true, "search_hidden": true}), &top).await;
    assert_eq!(all["stats"]["active"]["total_tasks"], json!(4));
    assert_eq!(
        all["sub_projects"],
        json!([{"id": hidden, "name": "top/.hidden"}, {"id": child, "name": "top/child"}])
    );
    let (code, subcode, _) = user.error("projects.get_all_ex", json!({"stats_for_state": "other"})).await;
    assert_eq!((code, subcode), (400, 12));
}

#[tokio::test]
async fn a_project_without_tasks_has_zeros() {
    let (_server, user) = server().await;
    let id = create(&user, "empty").await;
    let project = one(&user, json!({"include_stats": true, "check_own_contents": true}), &id).await;
    assert_eq!(project["stats"]["active"]["total_runtime"], json!(0));
    assert_eq!(project["stats"]["active"]["last_task_run"], Value::Null);
    assert!(project["stats"]["active"].as_object().unwrap().contains_key("last_task_run"));
    assert_eq!((&project["own_tasks"], &project["own_models"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn filters_what_counts() {
    let (server, user) = server().await;
    let (top, ..) = tree(&server, &user).await;
    let total = async |filter: Value| {
        let request = json!({"include_stats": true, "include_stats_filter": filter});
        one(&user, request, &top).await["stats"]["active"]["total_tasks"].clone()
    };
    assert_eq!(total(json!({"tags": ["x"]})).await, json!(1));
    assert_eq!(total(json!({"tags": ["-x"]})).await, json!(2));
    assert_eq!(total(json!({"status": {"any": {"include": ["failed"]}}})).await, json!(1));
    assert_eq!(total(json!({"system_tags": ["-pipeline"], "status": ["completed"]})).await, json!(2));
    for (filter, message) in [
        (json!({"tags": []}), "Validation error (Non empty list or dictionary expected for the field: tags)"),
        (
            json!({"tags": "x"}),
            "Validation error (Non empty list or dictionary expected for the field: tags)",
        ),
        (json!({"tags": [5]}), "Validation error (Only string values are allowed in the list filter: tags)"),
    ] {
        let request = json!({"include_stats": true, "include_stats_filter": filter});
        let (code, subcode, text) = user.error("projects.get_all_ex", request).await;
        assert_eq!((code, subcode, text.as_str()), (400, 12, message));
    }
}

#[tokio::test]
async fn own_contents() {
    let (server, user) = server().await;
    let (top, ..) = tree(&server, &user).await;
    let own = async |mut request: Value| {
        request["check_own_contents"] = json!(true);
        let project = one(&user, request, &top).await;
        (project["own_tasks"].clone(), project["own_models"].clone())
    };
    assert_eq!(own(json!({})).await, (json!(1), json!(1)));
    assert_eq!(own(json!({"stats_for_state": null})).await, (json!(2), json!(1)));
    assert_eq!(own(json!({"include_stats_filter": {"system_tags": ["archived"]}})).await.0, json!(1));
    assert_eq!(own(json!({"include_stats_filter": {"tags": ["x"]}})).await, (json!(1), json!(0)));
}

#[tokio::test]
async fn active_users_select_projects() {
    let (server, user) = server().await;
    let (top, child, _) = tree(&server, &user).await;
    create(&user, "mine").await;
    let selected = async |users: Value| {
        let request = json!({"active_users": users, "include_stats": true, "order_by": ["name"]});
        user.ok("projects.get_all_ex", request).await
    };
    let data = selected(json!(["u2"])).await;
    assert_eq!(names(&data), ["top", "top/child"]);
    assert_eq!(data["projects"][0]["stats"]["active"]["total_tasks"], json!(1));
    assert_eq!(data["projects"][0]["sub_projects"], json!([{"id": child, "name": "top/child"}]));
    assert_eq!(names(&selected(json!(["u3"])).await), ["top"]);
    assert_eq!(names(&selected(json!([user.id])).await), ["mine", "top", "top/child"]);
    let nobody = user
        .ok("projects.get_all_ex", json!({"active_users": ["nobody"], "scroll_id": null, "size": 5}))
        .await;
    assert_eq!(nobody, json!({"projects": []}));
    let within = json!({"active_users": ["u2"], "id": [top]});
    assert_eq!(names(&user.ok("projects.get_all_ex", within).await), ["top"]);
}

#[tokio::test]
async fn children_of_kind() {
    let (server, user) = server().await;
    let dataset = create_with(
        &user,
        "data/.datasets/one",
        json!({"system_tags": ["dataset", "hidden"], "tags": ["red"]}),
    )
    .await;
    create_with(&user, "data/.datasets/two", json!({"system_tags": ["dataset", "hidden"]})).await;
    let container = id_of(&by_name(&server, "data/.datasets").await);
    let data = id_of(&by_name(&server, "data").await);
    let pipeline =
        create_with(&user, "flow/.pipelines/p", json!({"system_tags": ["pipeline", "hidden"]})).await;
    let reports = create_with(&user, "notes/.reports", json!({"system_tags": ["reports", "hidden"]})).await;
    create(&user, "plain").await;
    store(
        &server,
        Collection::Task,
        vec![
            doc! { "project": &pipeline, "type": "controller", "system_tags": ["pipeline"], "status": "created" },
            doc! { "project": &reports, "type": "report", "system_tags": ["reports", "hidden"], "status": "created" },
        ],
    )
    .await;
    let kind = async |kind: &str, more: Value| {
        let mut request = json!({"children_type": kind, "shallow_search": true, "include_stats": true});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        user.ok("projects.get_all_ex", request).await
    };
    let datasets = kind("dataset", json!({"check_own_contents": true, "search_hidden": true})).await;
    assert_eq!(names(&datasets), ["data"]);
    let project = &datasets["projects"][0];
    assert_eq!(project["stats"], json!({"datasets": {"count": 2, "tags": ["red"]}}));
    assert_eq!(project["own_datasets"], json!(0));
    assert_eq!(project["own_tasks"], Value::Null);
    assert_eq!(project["sub_projects"].as_array().unwrap().len(), 3);
    let red = kind("dataset", json!({"children_tags": ["red"]})).await;
    assert_eq!(red["projects"][0]["stats"]["datasets"]["count"], json!(1));
    let blue = kind("dataset", json!({"children_tags_filter": {"any": {"include": ["blue"]}}})).await;
    assert_eq!(blue, json!({"projects": []}));
    let request = json!({
        "children_type": "dataset", "id": [container], "check_own_contents": true, "include_stats": true,
    });
    let own = user.ok("projects.get_all_ex", request).await;
    assert_eq!(own["projects"][0]["own_datasets"], json!(2));

    let pipelines = kind("pipeline", json!({})).await;
    assert_eq!(names(&pipelines), ["flow"]);
    assert_eq!(pipelines["projects"][0]["stats"]["active"]["total_tasks"], json!(1));
    let reports = kind("report", json!({})).await;
    assert_eq!(names(&reports), ["notes"]);
    assert_eq!(reports["projects"][0]["stats"]["active"]["total_tasks"], json!(1));
    let (code, subcode, _) = user.error("projects.get_all_ex", json!({"children_type": "cake"})).await;
    assert_eq!((code, subcode), (400, 12));

    let version = |id: &str, files: i64, updated: i64, tags: &[&str]| {
        doc! {
            "_id": id, "project": &dataset, "last_update": minutes_ago(updated), "system_tags": tags.to_vec(),
            "runtime": {"ds_file_count": files},
        }
    };
    store(
        &server,
        Collection::Task,
        vec![
            version("old", 1, 20, &[]),
            version("latest", 2, 10, &[]),
            version("archived", 3, 5, &["archived"]),
            doc! { "project": &dataset, "last_update": minutes_ago(1), "runtime": {} },
        ],
    )
    .await;
    let request = json!({"id": [dataset, data], "include_dataset_stats": true, "order_by": ["name"]});
    let sizes = user.ok("projects.get_all_ex", request).await;
    assert_eq!(sizes["projects"][0]["dataset_stats"], Value::Null);
    assert!(sizes["projects"][0].as_object().unwrap().contains_key("dataset_stats"));
    assert_eq!(sizes["projects"][1]["dataset_stats"], json!({"file_count": 2, "total_size": 0}));
}
