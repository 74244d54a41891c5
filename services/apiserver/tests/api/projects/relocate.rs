//! `move` and `merge`.

use super::*;

#[tokio::test]
async fn moves_a_tree() {
    let (server, user) = server().await;
    let leaf = create(&user, "source/moved/inner/leaf").await;
    let source = id_of(&by_name(&server, "source").await);
    let moved = id_of(&by_name(&server, "source/moved").await);
    let inner = id_of(&by_name(&server, "source/moved/inner").await);
    age(&server, &source).await;
    age(&server, &leaf).await;
    let data = user.ok("projects.move", json!({"project": moved, "new_location": "target/place"})).await;
    assert_eq!(data, json!({"moved": 3}));
    let target = id_of(&by_name(&server, "target").await);
    let place = id_of(&by_name(&server, "target/place").await);
    let moved_document = project(&server, &moved).await;
    assert_eq!(moved_document.get_str("name").unwrap(), "target/place/moved");
    assert_eq!(moved_document.get_str("basename").unwrap(), "moved");
    assert_eq!(moved_document.get_str("parent").unwrap(), place);
    assert_eq!(path_of(&moved_document), [target.clone(), place.clone()]);
    let leaf_document = project(&server, &leaf).await;
    assert_eq!(leaf_document.get_str("name").unwrap(), "target/place/moved/inner/leaf");
    assert_eq!(leaf_document.get_str("parent").unwrap(), inner);
    assert_eq!(path_of(&leaf_document), [target, place, moved.clone(), inner]);
    assert!(is_fresh(&server, &source).await && is_fresh(&server, &leaf).await);

    assert_eq!(user.ok("projects.move", json!({"project": moved, "new_location": ""})).await["moved"], 3);
    let moved_document = project(&server, &moved).await;
    assert_eq!(moved_document.get_str("name").unwrap(), "moved");
    assert!(!moved_document.contains_key("parent") && path_of(&moved_document).is_empty());
    assert_eq!(project(&server, &leaf).await.get_str("name").unwrap(), "moved/inner/leaf");
}

#[tokio::test]
async fn move_errors() {
    let (server, user) = server().await;
    let child = create(&user, "top/child").await;
    let top = id_of(&by_name(&server, "top").await);
    create(&user, "other/child").await;
    store_public(&server, "public", "examples").await;
    let deep = ["abc"; 9].join("/");
    for (request, code, message) in [
        (
            json!({"project": child, "new_location": "top"}),
            (400, 410),
            "Project has the same source and destination paths: location=top".to_owned(),
        ),
        (
            json!({"project": top, "new_location": ""}),
            (400, 410),
            "Project has the same source and destination paths: location=".to_owned(),
        ),
        (
            json!({"project": top, "new_location": "top/child"}),
            (400, 411),
            format!(
                "Project can not be moved under itself in the projects hierarchy: project={top}, parent={child}"
            ),
        ),
        (
            json!({"project": top, "new_location": deep}),
            (400, 409),
            "Project path exceed the maximum allowed depth: max_depth=10".to_owned(),
        ),
        (
            json!({"project": child, "new_location": "other"}),
            (400, 801),
            format!(
                "Value combination already exists (unique field already contains this value): \
                 name=other/child, company={COMPANY}"
            ),
        ),
        (
            json!({"project": child, "new_location": "examples"}),
            (400, 414),
            "Cannot create project. public project with the same name already exists: name=examples"
                .to_owned(),
        ),
        (
            json!({"project": "public", "new_location": "top"}),
            (400, 401),
            "Invalid project id: id=public".to_owned(),
        ),
        (json!({"project": "x", "new_location": "top"}), (400, 401), "Invalid project id: id=x".to_owned()),
        (
            json!({"project": child, "new_location": null}),
            (400, 12),
            "Validation error (new_location is required): field=new_location".to_owned(),
        ),
    ] {
        let (status, subcode, text) = user.error("projects.move", request.clone()).await;
        assert_eq!(((status, subcode), text), (code, message), "{request}");
    }
    assert_eq!(project(&server, &child).await.get_str("name").unwrap(), "top/child");
}

#[tokio::test]
async fn a_child_of_a_public_project_stays() {
    let (server, user) = server().await;
    store_public(&server, "public", "examples").await;
    let child = doc! { "_id": "c", "name": "examples/mine", "parent": "public", "path": ["public"] };
    store(&server, Collection::Project, vec![child]).await;
    let (code, subcode, _) = user.error("projects.move", json!({"project": "c", "new_location": ""})).await;
    assert_eq!((code, subcode), (403, 21));
}

#[tokio::test]
async fn merges_a_project_into_another() {
    let (server, user) = server().await;
    // The child takes the name that the source gives up.
    let grandchild = create(&user, "top/source/source/leaf").await;
    let source = id_of(&by_name(&server, "top/source").await);
    let child = id_of(&by_name(&server, "top/source/source").await);
    let top = id_of(&by_name(&server, "top").await);
    store(
        &server,
        Collection::Task,
        vec![
            doc! { "_id": "active", "project": &source },
            doc! { "_id": "archived", "project": &source, "system_tags": ["archived"] },
        ],
    )
    .await;
    store(&server, Collection::Model, vec![doc! { "_id": "model", "project": &source }]).await;
    age(&server, &top).await;
    let data = user.ok("projects.merge", json!({"project": source, "destination_project": top})).await;
    assert_eq!(data, json!({"moved_entities": 2, "moved_projects": 1}));
    assert!(stored(&server, Collection::Project, &source).await.is_none());
    let child_document = project(&server, &child).await;
    assert_eq!(child_document.get_str("name").unwrap(), "top/source");
    assert_eq!(child_document.get_str("parent").unwrap(), top);
    let grandchild = project(&server, &grandchild).await;
    assert_eq!(grandchild.get_str("name").unwrap(), "top/source/leaf");
    assert_eq!(path_of(&grandchild), [top.clone(), child]);
    assert!(is_fresh(&server, &top).await);
    let project_of = async |collection, id| {
        stored(&server, collection, id).await.unwrap().get_str("project").unwrap().to_owned()
    };
    assert_eq!(project_of(Collection::Task, "active").await, top);
    assert_eq!(project_of(Collection::Model, "model").await, top);
    assert_eq!(project_of(Collection::Task, "archived").await, source);
}

#[tokio::test]
async fn merges_into_the_root() {
    let (server, user) = server().await;
    let child = create(&user, "source/child").await;
    let source = id_of(&by_name(&server, "source").await);
    store(&server, Collection::Task, vec![doc! { "_id": "task", "project": &source }]).await;
    let data = user.ok("projects.merge", json!({"project": source})).await;
    assert_eq!(data, json!({"moved_entities": 1, "moved_projects": 1}));
    assert_eq!(project(&server, &child).await.get_str("name").unwrap(), "child");
    let task = stored(&server, Collection::Task, "task").await.unwrap();
    assert_eq!(task.get("project"), Some(&bson::Bson::Null));
}

#[tokio::test]
async fn merge_errors() {
    let (server, user) = server().await;
    let inner = create(&user, "source/inner").await;
    let source = id_of(&by_name(&server, "source").await);
    create(&user, "target/inner").await;
    let target = id_of(&by_name(&server, "target").await);
    store(&server, Collection::Task, vec![doc! { "_id": "task", "project": &source }]).await;
    for (request, code, message) in [
        (
            json!({"project": source, "destination_project": source}),
            (400, 410),
            format!("Project has the same source and destination paths: source={source}"),
        ),
        (
            json!({"project": source, "destination_project": inner}),
            (400, 412),
            format!("Project can not be merged into its own child: source={source}, destination={inner}"),
        ),
        (
            json!({"project": source, "destination_project": target}),
            (400, 801),
            format!(
                "Value combination already exists (unique field already contains this value): \
                 name=target/inner, company={COMPANY}"
            ),
        ),
        (json!({"project": "x"}), (400, 401), "Invalid project id: id=x".to_owned()),
        (
            json!({"project": source, "destination_project": "x"}),
            (400, 401),
            "Invalid project id: id=x".to_owned(),
        ),
    ] {
        let (status, subcode, text) = user.error("projects.merge", request.clone()).await;
        assert_eq!(((status, subcode), text), (code, message), "{request}");
    }
    // Nothing has moved.
    let task = stored(&server, Collection::Task, "task").await.unwrap();
    assert_eq!(task.get_str("project").unwrap(), source);
}

#[tokio::test]
async fn depth_is_checked_below_the_destination() {
    let (server, user) = server().await;
    create(&user, &["aaa"; 9].join("/")).await;
    let deepest = id_of(&by_name(&server, &["aaa"; 9].join("/")).await);
    create(&user, "source/one/two").await;
    let source = id_of(&by_name(&server, "source").await);
    let request = json!({"project": source, "destination_project": deepest});
    let (code, subcode, _) = user.error("projects.merge", request).await;
    assert_eq!((code, subcode), (400, 409));
}
