//! The aggregations (spec 03 §2.10) and the tag caches (§3.1).

use super::*;

/// `top` with `top/below`: their ids.
async fn two_projects(server: &TestServer, user: &Client) -> (String, String) {
    let below = create(user, "top/below").await;
    (id_of(&by_name(server, "top").await), below)
}

#[tokio::test]
async fn metric_variants() {
    let (server, user) = server().await;
    let (top, below) = two_projects(&server, &user).await;
    let metrics = |metric: &str, variant: &str| {
        doc! { "h1": {"h2": {"metric": metric, "variant": variant, "value": 1.0}} }
    };
    store(
        &server,
        Collection::Task,
        vec![
            doc! { "_id": "1", "project": &top, "last_metrics": metrics("loss", "train") },
            doc! { "_id": "2", "project": &below, "last_metrics": {"h3": {"h4": {"metric": "acc", "variant": "val"}}} },
            doc! { "_id": "3", "last_metrics": {"h5": {"h6": {"metric": "free", "variant": "v"}}} },
        ],
    )
    .await;
    store(&server, Collection::Model, vec![doc! { "project": &top, "last_metrics": metrics("size", "mb") }])
        .await;
    let found = async |request: Value| {
        let data = user.ok("projects.get_unique_metric_variants", request).await;
        let metrics = data["metrics"].as_array().unwrap().clone();
        metrics.iter().map(|metric| metric["metric"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let data = user
        .ok("projects.get_unique_metric_variants", json!({"project": top, "include_subprojects": false}))
        .await;
    assert_eq!(
        data["metrics"],
        json!([{"metric": "loss", "metric_hash": "h1", "variant": "train", "variant_hash": "h2"}])
    );
    assert_eq!(found(json!({"project": top})).await, ["acc", "loss"]);
    assert_eq!(found(json!({})).await, ["acc", "free", "loss"]);
    assert_eq!(found(json!({"include_subprojects": false})).await, ["free"]);
    assert_eq!(found(json!({"ids": ["2"]})).await, ["acc"]);
    assert_eq!(found(json!({"model_metrics": true})).await, ["size"]);
}

#[tokio::test]
async fn hyper_parameters_and_their_values() {
    let (server, user) = server().await;
    let (top, below) = two_projects(&server, &user).await;
    let task = |project: &str, value: &str| {
        doc! {
            "project": project, "last_update": DateTime::now(),
            "hyperparams": {"Args": {"lr%2E1": {"section": "Args", "name": "lr.1", "value": value}}},
        }
    };
    store(
        &server,
        Collection::Task,
        vec![
            task(&top, "10"),
            task(&below, "2"),
            task(&below, "2"),
            doc! { "project": &top, "hyperparams": {"General": {"x": {"value": "a"}}} },
        ],
    )
    .await;
    assert_eq!(
        user.ok("projects.get_hyper_parameters", json!({"project": top})).await,
        json!({
            "parameters": [{"section": "Args", "name": "lr.1"}, {"section": "General", "name": "x"}],
            "total": 2, "remaining": 0,
        })
    );
    let page = json!({"project": top, "page": 1, "page_size": 1});
    assert_eq!(
        user.ok("projects.get_hyper_parameters", page).await,
        json!({"parameters": [{"section": "General", "name": "x"}], "total": 1, "remaining": 0})
    );
    let beyond = user.ok("projects.get_hyper_parameters", json!({"project": top, "page": 9})).await;
    assert_eq!(beyond["total"], json!(0));

    let values = async |mut request: Value| {
        request["section"] = json!("Args");
        request["name"] = json!("lr.1");
        user.ok("projects.get_hyperparam_values", request).await
    };
    assert_eq!(values(json!({"projects": [top]})).await, json!({"total": 2, "values": ["2", "10"]}));
    assert_eq!(
        values(json!({"projects": [top], "include_subprojects": false, "page_size": 7})).await,
        json!({"total": 1, "values": ["10"]})
    );
    assert_eq!(values(json!({"pattern": "^1"})).await, json!({"total": 1, "values": ["10"]}));
    let unknown = json!({"section": "Args", "name": "none"});
    assert_eq!(user.ok("projects.get_hyperparam_values", unknown).await, json!({"total": 0, "values": []}));
    // Cached for as long as nothing much newer is there.
    store(&server, Collection::Task, vec![task(&top, "7")]).await;
    assert_eq!(values(json!({"projects": [top]})).await["total"], json!(2));
    let key = format!("hyperparam_values_{COMPANY}_{top}_Args_lr.1_True_None_0_500");
    assert!(server.app.state.get(&key).await.unwrap().is_some());

    let (code, subcode, _) = user.error("projects.get_hyperparam_values", json!({"name": "x"})).await;
    assert_eq!((code, subcode), (400, 12));
    for (endpoint, version) in
        [("projects.get_hyper_parameters", "2.8"), ("projects.get_hyperparam_values", "2.12")]
    {
        let (code, subcode, _) = user.clone().version(version).error(endpoint, json!({})).await;
        assert_eq!((code, subcode), (404, 0), "{endpoint}");
    }
}

#[tokio::test]
async fn model_metadata() {
    let (server, user) = server().await;
    let (top, below) = two_projects(&server, &user).await;
    let model = |project: &str, key: &str, value: &str, minutes: i64| {
        let updated = DateTime::from_millis(1_700_000_000_000 + minutes * 60_000);
        let metadata = doc! { key: {"key": key, "type": "str", "value": value} };
        doc! { "project": project, "last_update": updated, "metadata": metadata }
    };
    store(
        &server,
        Collection::Model,
        vec![model(&top, "a%2Eb", "10", 0), model(&below, "a%2Eb", "9", 1), model(&top, "zz", "1", 2)],
    )
    .await;
    assert_eq!(
        user.ok("projects.get_model_metadata_keys", json!({"project": top})).await,
        json!({"keys": ["a.b", "zz"], "total": 2, "remaining": 0})
    );
    let values = json!({"projects": [top], "key": "a.b"});
    assert_eq!(
        user.ok("projects.get_model_metadata_values", values.clone()).await,
        json!({"total": 2, "values": ["9", "10"]})
    );
    // Any newer model makes the cached values outdated.
    store(&server, Collection::Model, vec![model(&top, "a%2Eb", "11", 3)]).await;
    assert_eq!(user.ok("projects.get_model_metadata_values", values).await["total"], json!(3));
}

#[tokio::test]
async fn project_tags() {
    let (server, user) = server().await;
    let below = create_with(&user, "top/below", json!({"tags": ["b", "a"], "system_tags": ["s"]})).await;
    create_with(&user, "other", json!({"tags": ["c"]})).await;
    store_public(&server, "public", "examples").await;
    let top = id_of(&by_name(&server, "top").await);
    let tags = async |request: Value| user.ok("projects.get_project_tags", request).await;
    assert_eq!(tags(json!({})).await, json!({"tags": ["a", "b", "c"], "system_tags": []}));
    assert_eq!(
        tags(json!({"projects": [top], "include_system": true})).await,
        json!({"tags": ["a", "b"], "system_tags": ["s"]})
    );
    assert_eq!(tags(json!({"filter": {"tags": ["-a"]}})).await["tags"], json!(["c"]));
    assert_eq!(tags(json!({"projects": [below], "filter": {"system_tags": ["x"]}})).await["tags"], json!([]));
    let (code, subcode, _) =
        user.error("projects.get_project_tags", json!({"filter": {"tags": [null]}})).await;
    assert_eq!((code, subcode), (400, 12));
}

#[tokio::test]
async fn task_and_model_tags_are_cached() {
    let (server, user) = server().await;
    let (top, below) = two_projects(&server, &user).await;
    for (endpoint, collection, entity) in [
        ("projects.get_task_tags", Collection::Task, "Task"),
        ("projects.get_model_tags", Collection::Model, "Model"),
    ] {
        store(
            &server,
            collection,
            vec![
                doc! { "project": &top, "tags": ["a"], "system_tags": ["s"] },
                doc! { "project": &below, "tags": ["b"] },
                doc! { "tags": ["c"] },
                doc! { "company": "", "tags": ["public"] },
            ],
        )
        .await;
        let tags = async |request: Value| user.ok(endpoint, request).await;
        assert_eq!(tags(json!({})).await, json!({"tags": ["a", "b", "c"]}));
        let project = json!({"projects": [top], "include_system": true});
        assert_eq!(tags(project.clone()).await, json!({"tags": ["a", "b"], "system_tags": ["s"]}));
        let filtered = json!({"projects": [top], "filter": {"system_tags": ["s"]}});
        assert_eq!(tags(filtered).await, json!({"tags": ["a"]}));

        let cached = |key: String| {
            let server = &server;
            async move { server.app.state.list_all(&key).await.unwrap() }
        };
        assert_eq!(cached(format!("tags_{COMPANY}_{entity}")).await, ["__dummy__", "a", "b", "c"]);
        assert_eq!(cached(format!("tags_{COMPANY}_{top}_{entity}")).await, ["__dummy__", "a", "b"]);
        assert_eq!(
            cached(format!("tags_{COMPANY}_{top}_{entity}_filter_system_tags_s")).await,
            ["__dummy__", "a"]
        );
        store(&server, collection, vec![doc! { "project": &top, "tags": ["new"] }]).await;
        assert_eq!(tags(project).await["tags"], json!(["a", "b"]), "still the cached tags");
    }
    // A move resets the caches of both places.
    user.ok("projects.move", json!({"project": below, "new_location": ""})).await;
    let data = user.ok("projects.get_task_tags", json!({"projects": [top]})).await;
    assert_eq!(data["tags"], json!(["a", "new"]));
    let (code, subcode, _) = user.clone().version("2.7").error("projects.get_task_tags", json!({})).await;
    assert_eq!((code, subcode), (404, 0));
}

#[tokio::test]
async fn task_parents() {
    let (server, user) = server().await;
    let (top, below) = two_projects(&server, &user).await;
    store(
        &server,
        Collection::Task,
        vec![
            doc! { "_id": "p2", "name": "second", "project": &top },
            doc! { "_id": "p1", "name": "first" },
            doc! { "_id": "foreign", "name": "foreign", "company": "another" },
            doc! { "project": &top, "parent": "p2" },
            doc! { "project": &below, "parent": "p1", "system_tags": ["archived"] },
            doc! { "project": &below, "parent": "foreign" },
        ],
    )
    .await;
    let parents =
        async |request: Value| user.ok("projects.get_task_parents", request).await["parents"].clone();
    let (first, second) = (
        json!({"id": "p1", "name": "first"}),
        json!({"id": "p2", "name": "second", "project": {"id": top, "name": "top"}}),
    );
    assert_eq!(parents(json!({"projects": [top]})).await, json!([first, second]));
    assert_eq!(parents(json!({"projects": [top], "include_subprojects": false})).await, json!([second]));
    assert_eq!(parents(json!({"tasks_state": "active"})).await, json!([second]));
    assert_eq!(parents(json!({"tasks_state": "archived"})).await, json!([first]));
    assert_eq!(parents(json!({"task_name": "^fir"})).await, json!([first]));
    let (code, subcode, _) = user.error("projects.get_task_parents", json!({"tasks_state": "x"})).await;
    assert_eq!((code, subcode), (400, 12));
    let (code, subcode, _) = user.error("projects.get_task_parents", json!({"task_name": "("})).await;
    assert_eq!((code, subcode), (400, 21));
    let (code, _, _) = user.clone().version("2.11").error("projects.get_task_parents", json!({})).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn user_names() {
    let (server, user) = server().await;
    let (top, below) = two_projects(&server, &user).await;
    store(
        &server,
        Collection::Task,
        vec![doc! { "project": &below, "user": &user.id }, doc! { "project": &top, "user": "unknown" }],
    )
    .await;
    let names = async |request: Value| user.ok("projects.get_user_names", request).await;
    let jane = json!({"users": [{"id": user.id, "name": "Jane Doe"}]});
    assert_eq!(names(json!({"projects": [top]})).await, jane);
    assert_eq!(names(json!({})).await, jane);
    assert_eq!(names(json!({"projects": [top], "include_subprojects": false})).await, json!({"users": []}));
    assert_eq!(names(json!({"entity": "model"})).await, json!({"users": []}));
}
