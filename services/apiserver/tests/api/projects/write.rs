//! `create`, `update`, `make_public`, `make_private`.

use serde_json::json;

use super::*;

#[tokio::test]
async fn creates_a_project_with_its_parents() {
    let (server, user) = server().await;
    let request = json!({
        "tags": ["b", "a", "b"], "description": null, "default_output_destination": " s3://bucket ",
    });
    let id = create_with(&user, " top / middle//last ", request).await;
    let (top, middle) = (by_name(&server, "top").await, by_name(&server, "top/middle").await);
    let created = project(&server, &id).await;
    assert_eq!(created.get_str("name").unwrap(), "top/middle/last");
    assert_eq!(created.get_str("basename").unwrap(), "last");
    assert_eq!(created.get_str("parent").unwrap(), id_of(&middle));
    assert_eq!(path_of(&created), [id_of(&top), id_of(&middle)]);
    assert_eq!(created.get_str("user").unwrap(), user.id);
    assert_eq!(created.get_str("company").unwrap(), COMPANY);
    assert_eq!(created.get_str("description").unwrap(), "");
    assert_eq!(created.get_array("tags").unwrap(), &["a".into(), "b".into(), "b".into()]);
    assert!(created.get_array("system_tags").unwrap().is_empty());
    assert_eq!(created.get_str("default_output_destination").unwrap(), "s3://bucket");
    assert_eq!(created.get_datetime("created").unwrap(), created.get_datetime("last_update").unwrap());
    assert_eq!(created.get_i32("featured").unwrap(), 9999);
    assert!(!top.contains_key("parent"));
    assert!(path_of(&top).is_empty());
    assert_eq!(path_of(&middle), [id_of(&top)]);
}

#[tokio::test]
async fn creation_touches_the_parent_only() {
    let (server, user) = server().await;
    create(&user, "top/middle").await;
    let (top, middle) = (id_of(&by_name(&server, "top").await), id_of(&by_name(&server, "top/middle").await));
    age(&server, &top).await;
    age(&server, &middle).await;
    create(&user, "top/middle/last").await;
    assert!(is_fresh(&server, &middle).await);
    assert!(!is_fresh(&server, &top).await);
}

#[tokio::test]
async fn creation_errors() {
    let (server, user) = server().await;
    create(&user, "taken").await;
    store_public(&server, "public", "examples").await;
    let long = ["abc"; 11].join("/");
    for (request, code, message) in [
        (json!({}), (400, 11), "Missing required fields: missing=(name)".to_owned()),
        (json!({"name": " / "}), (400, 407), "Invalid project name: name= / ".to_owned()),
        (
            json!({"name": "ab"}),
            (400, 800),
            "Data validation error: name=String value is too short".to_owned(),
        ),
        (
            json!({"name": "ab/longer"}),
            (400, 800),
            "Data validation error: name=String value is too short".to_owned(),
        ),
        (
            json!({"name": "/taken/"}),
            (400, 801),
            format!("Project with the same name already exists: name=taken, company={COMPANY}"),
        ),
        (
            json!({"name": "examples"}),
            (400, 414),
            "Cannot create project. public project with the same name already exists: name=examples"
                .to_owned(),
        ),
        (
            json!({"name": "examples/a/b"}),
            (400, 414),
            "Cannot create project. public project with the same name already exists: name=examples"
                .to_owned(),
        ),
        (
            json!({"name": long}),
            (400, 409),
            "Project path exceed the maximum allowed depth: max_depth=10".to_owned(),
        ),
        (
            json!({"name": "new one", "tags": 5}),
            (400, 16),
            "Invalid value for fields (expecting list): field=tags".to_owned(),
        ),
        (
            json!({"name": "new one", "tags": ["__$all"]}),
            (400, 16),
            "Invalid value for fields (unsupported tag prefix): values=(__$all)".to_owned(),
        ),
    ] {
        let (status, subcode, text) = user.error("projects.create", request.clone()).await;
        assert_eq!(((status, subcode), text), (code, message), "{request}");
    }
    create(&user, &["abc"; 10].join("/")).await;
}

#[tokio::test]
async fn old_clients_send_system_tags_among_tags() {
    let (server, user) = server().await;
    let id = create_with(&user.clone().version("2.2"), "old", json!({"tags": ["public", "x"]})).await;
    let created = project(&server, &id).await;
    assert_eq!(created.get_array("tags").unwrap(), &["x".into()]);
    assert_eq!(created.get_array("system_tags").unwrap(), &["public".into()]);
    let id = create_with(&user, "new", json!({"tags": ["public", "x"]})).await;
    assert_eq!(project(&server, &id).await.get_array("tags").unwrap().len(), 2);
}

#[tokio::test]
async fn concurrent_creations_share_their_parents() {
    let (server, user) = server().await;
    let creations = (0..8).map(|n| {
        let user = user.clone();
        async move { create(&user, &format!("shared/parent/child {n}")).await }
    });
    let ids = futures::future::join_all(creations).await;
    let parent = by_name(&server, "shared/parent").await;
    for id in ids {
        assert_eq!(project(&server, &id).await.get_str("parent").unwrap(), id_of(&parent));
    }
}

#[tokio::test]
async fn updates_fields() {
    let (server, user) = server().await;
    let id = create(&user, "before").await;
    age(&server, &id).await;
    let request = json!({"project": id, "description": "d", "tags": ["b", "a"], "other": 1});
    let data = user.ok("projects.update", request).await;
    assert_eq!(data, json!({"updated": 1, "fields": {"description": "d", "tags": ["a", "b"]}}));
    let updated = project(&server, &id).await;
    assert_eq!(updated.get_str("description").unwrap(), "d");
    assert_eq!(updated.get_array("tags").unwrap(), &["b".into(), "a".into()]);
    assert_eq!(updated.get_str("name").unwrap(), "before");

    let request = json!({"project": id, "description": null, "name": ""});
    user.ok("projects.update", request).await;
    let updated = project(&server, &id).await;
    assert_eq!(updated.get("description"), Some(&bson::Bson::Null));
    assert_eq!(updated.get_str("name").unwrap(), "before");
}

#[tokio::test]
async fn a_new_name_renames_what_is_below() {
    let (server, user) = server().await;
    let leaf = create(&user, "top/old/inner/leaf").await;
    let old = id_of(&by_name(&server, "top/old").await);
    let older = create(&user, "top/older").await;
    age(&server, &leaf).await;
    let data = user.ok("projects.update", json!({"project": old, "name": "top/new"})).await;
    assert_eq!(data["fields"], json!({"name": "top/new"}));
    assert_eq!(project(&server, &old).await.get_str("basename").unwrap(), "new");
    let leaf_document = project(&server, &leaf).await;
    assert_eq!(leaf_document.get_str("name").unwrap(), "top/new/inner/leaf");
    assert_eq!(leaf_document.get_str("basename").unwrap(), "leaf");
    assert!(is_fresh(&server, &leaf).await);
    assert_eq!(project(&server, &older).await.get_str("name").unwrap(), "top/older");
}

#[tokio::test]
async fn update_errors() {
    let (server, user) = server().await;
    let id = create(&user, "top/one").await;
    create(&user, "top/two").await;
    store_public(&server, "public", "examples").await;
    for (request, code, message) in [
        (
            json!({"name": "x"}),
            (400, 12),
            "Validation error (error for field 'project'. field is required!)".to_owned(),
        ),
        (json!({"project": "x"}), (400, 401), "Invalid project id: id=x".to_owned()),
        (
            json!({"project": "public", "description": "x"}),
            (403, 21),
            "Forbidden (modification not allowed) (cannot modify public project(s), ids=('public',))"
                .to_owned(),
        ),
        (
            json!({"project": id, "name": "elsewhere/ one"}),
            (400, 408),
            "Cannot update project location. use projects.move instead: name=elsewhere/one".to_owned(),
        ),
        (
            json!({"project": id, "name": "top/two"}),
            (400, 801),
            format!(
                "Value combination already exists (unique field already contains this value): \
                 name=top/two, company={COMPANY}"
            ),
        ),
    ] {
        let (status, subcode, text) = user.error("projects.update", request.clone()).await;
        assert_eq!(((status, subcode), text), (code, message), "{request}");
    }
    assert_eq!(project(&server, &id).await.get_str("name").unwrap(), "top/one");
}

#[tokio::test]
async fn publicity() {
    let (server, user) = server().await;
    let id = create(&user, "to share").await;
    assert_eq!(user.ok("projects.make_public", json!({"ids": [id]})).await, json!({"updated": 1}));
    let shared = project(&server, &id).await;
    assert_eq!(shared.get_str("company").unwrap(), "");
    assert_eq!(shared.get_str("company_origin").unwrap(), COMPANY);
    let (code, subcode, message) = user.error("projects.make_public", json!({"ids": [id]})).await;
    assert_eq!((code, subcode, message), (400, 401, format!("Invalid project id: ids=({id})")));
    assert_eq!(user.ok("projects.make_private", json!({"ids": [id]})).await, json!({"updated": 1}));
    let private = project(&server, &id).await;
    assert_eq!(private.get_str("company").unwrap(), COMPANY);
    assert!(!private.contains_key("company_origin"));

    store_public(&server, "foreign", "examples").await;
    let (code, subcode, _) = user.error("projects.make_private", json!({"ids": ["foreign", id]})).await;
    assert_eq!((code, subcode), (400, 401));
    let (code, subcode, _) = user.error("projects.make_public", json!({"ids": []})).await;
    assert_eq!((code, subcode), (400, 12));
    let (code, subcode, _) =
        user.clone().version("2.8").error("projects.make_public", json!({"ids": [id]})).await;
    assert_eq!((code, subcode), (404, 0));
}
