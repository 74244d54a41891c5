//! `get_by_id`, `get_all`, `get_all_ex` without statistics.

use super::*;

#[tokio::test]
async fn by_id_answers_the_whole_project() {
    let (server, user) = server().await;
    let id = create_with(&user, "top/one", json!({"tags": ["b", "a"]})).await;
    let top = id_of(&by_name(&server, "top").await);
    let data = user.ok("projects.get_by_id", json!({"project": id})).await;
    let project = &data["project"];
    assert_eq!(project["id"], json!(id));
    assert_eq!(project["path"], json!([top]));
    assert_eq!(project["parent"], json!(top));
    assert_eq!(project["company"], json!(COMPANY));
    assert_eq!(project["tags"], json!(["a", "b"]));
    store_public(&server, "public", "examples").await;
    let data = user.ok("projects.get_by_id", json!({"project": "public"})).await;
    assert_eq!(data["project"]["company_origin"], json!("elsewhere"));
    assert_eq!(data["project"]["featured"], json!(9999));
    let (code, subcode, message) = user.error("projects.get_by_id", json!({"project": "x"})).await;
    assert_eq!((code, subcode, message.as_str()), (400, 401, "Invalid project id: id=x"));
    let (code, subcode, _) = user.error("projects.get_by_id", json!({})).await;
    assert_eq!((code, subcode), (400, 12));
}

#[tokio::test]
async fn searches_the_tree() {
    let (server, user) = server().await;
    create(&user, "top/middle/leaf").await;
    create(&user, "other").await;
    let top = id_of(&by_name(&server, "top").await);
    for endpoint in ["projects.get_all", "projects.get_all_ex"] {
        let found = async |mut request: Value| {
            request["order_by"] = json!(["name"]);
            let data = user.ok(endpoint, request).await;
            names(&data).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(json!({})).await, ["other", "top", "top/middle", "top/middle/leaf"]);
        assert_eq!(found(json!({"parent": [top]})).await, ["top/middle", "top/middle/leaf"]);
        assert_eq!(found(json!({"parent": [top], "shallow_search": true})).await, ["top/middle"]);
        assert_eq!(found(json!({"shallow_search": true})).await, ["other", "top"]);
        assert_eq!(found(json!({"parent": [null]})).await, ["other", "top"]);
        assert_eq!(found(json!({"path": ["ignored"], "name": "^other$"})).await, ["other"]);
        assert_eq!(found(json!({"basename": "^leaf$"})).await, ["top/middle/leaf"]);
    }
}

#[tokio::test]
async fn hidden_projects() {
    let (_server, user) = server().await;
    let hidden = create_with(&user, "hidden one", json!({"system_tags": ["hidden"]})).await;
    create(&user, "seen").await;
    for endpoint in ["projects.get_all", "projects.get_all_ex"] {
        assert_eq!(names(&user.ok(endpoint, json!({})).await), ["seen"]);
        assert_eq!(names(&user.ok(endpoint, json!({"name": "hidden"})).await), [""; 0]);
        assert_eq!(names(&user.ok(endpoint, json!({"id": [hidden]})).await), ["hidden one"]);
    }
    let request = json!({"search_hidden": true, "only_fields": ["name"], "order_by": ["name"]});
    let data = user.ok("projects.get_all_ex", request).await;
    assert_eq!(data["projects"][0]["hidden"], json!(true));
    assert_eq!(data["projects"][0]["system_tags"], Value::Null);
    assert_eq!(data["projects"][1]["hidden"], Value::Null);
    let request = json!({"search_hidden": true, "id": hidden, "only_fields": ["system_tags"]});
    let data = user.ok("projects.get_all_ex", request).await;
    assert_eq!(data["projects"][0]["system_tags"], json!(["hidden"]));
}

#[tokio::test]
async fn public_projects_and_joins() {
    let (server, user) = server().await;
    store_public(&server, "public", "examples").await;
    let own = create(&user, "own").await;
    assert_eq!(user.ok("projects.get_all", json!({})).await["projects"].as_array().unwrap().len(), 2);
    for request in [json!({"allow_public": false}), json!({"non_public": true})] {
        assert_eq!(names(&user.ok("projects.get_all_ex", request).await), ["own"]);
    }
    let data = user.ok("projects.get_all_ex", json!({"id": "public"})).await;
    assert_eq!(data["projects"][0]["company"], json!({}));
    let data = user.ok("projects.get_all", json!({"id": "public"})).await;
    assert_eq!(data["projects"][0]["company"], json!(""));
    let request = json!({"id": [own], "only_fields": ["user.name", "company.name"]});
    let data = user.ok("projects.get_all_ex", request).await;
    assert_eq!(
        data["projects"][0],
        json!({
            "id": own,
            "user": {"id": user.id, "name": "Jane Doe"},
            "company": {"id": COMPANY, "name": "clearml"},
        })
    );
}

#[tokio::test]
async fn old_clients_get_all_tags_in_one_list() {
    let (_server, user) = server().await;
    create_with(&user, "tagged", json!({"tags": ["b"], "system_tags": ["archived"]})).await;
    let old = user.clone().version("2.2");
    for endpoint in ["projects.get_all", "projects.get_all_ex"] {
        let data = old.ok(endpoint, json!({"tags": ["archived"]})).await;
        assert_eq!(data["projects"][0]["tags"], json!(["archived", "b"]), "{endpoint}");
        assert_eq!(names(&user.ok(endpoint, json!({"tags": ["archived"]})).await), [""; 0]);
    }
}

#[tokio::test]
async fn scrolls_through_projects() {
    let (_server, user) = server().await;
    for name in ["aaa", "bbb", "ccc"] {
        create(&user, name).await;
    }
    let request = json!({"scroll_id": null, "size": 2, "order_by": ["name"]});
    let data = user.ok("projects.get_all_ex", request).await;
    assert_eq!(names(&data), ["aaa", "bbb"]);
    let request = json!({"scroll_id": data["scroll_id"], "size": 2, "order_by": ["name"]});
    assert_eq!(names(&user.ok("projects.get_all_ex", request).await), ["ccc"]);
}

#[tokio::test]
async fn finds_projects_by_text() {
    if crate::support::left_out_on_cluster("the stand-in for MongoDB has no text indexes") {
        return;
    }
    let (_server, user) = server().await;
    create_with(&user, "first", json!({"description": "about elephants"})).await;
    create(&user, "second").await;
    assert_eq!(names(&user.ok("projects.get_all", json!({"search_text": "elephants"})).await), ["first"]);
}
