//! The `organization` service (spec 03 §3.1 to §3.4, 09 §4).

mod download;
mod usages;

use bson::doc;
use clearml_documents::Collection;
use serde_json::json;

use crate::{lifecycle::World, support::COMPANY};

#[tokio::test]
async fn tags_are_those_of_own_tasks_and_models() {
    let world = World::new().await;
    world.task(doc! {"tags": ["b", "a"], "system_tags": ["archived"]}).await;
    world.task(doc! {"tags": ["public"], "company": ""}).await;
    world.insert(Collection::Model, doc! {"tags": ["m", "a"], "system_tags": ["s"]}).await;
    assert_eq!(world.ok("organization.get_tags", json!({})).await, json!({"tags": ["a", "b", "m"]}));
    assert_eq!(
        world.ok("organization.get_tags", json!({"include_system": true})).await,
        json!({"tags": ["a", "b", "m"], "system_tags": ["archived", "s"]})
    );
    let filtered = json!({"filter": {"system_tags": ["-archived"]}});
    assert_eq!(world.ok("organization.get_tags", filtered).await, json!({"tags": ["a", "m"]}));
    let odd = json!({"filter": {"tags": [null]}});
    assert!(world.error("organization.get_tags", odd).await.starts_with("400/12 "));
}

#[tokio::test]
async fn a_change_of_tags_shows_at_once() {
    let world = World::new().await;
    let task = world.task(doc! {"tags": ["a"]}).await;
    assert_eq!(world.ok("organization.get_tags", json!({})).await, json!({"tags": ["a"]}));
    world.ok("tasks.update_tags", json!({"ids": [task], "add_tags": ["b"]})).await;
    assert_eq!(world.ok("organization.get_tags", json!({})).await, json!({"tags": ["a", "b"]}));
}

#[tokio::test]
async fn the_company_is_listed_with_its_users() {
    let world = World::new().await;
    let avatar = doc! {"name": "Anna", "avatar": "http://pictures/a"};
    let anna = world.insert(Collection::User, avatar).await;
    world.insert(Collection::User, doc! {"name": "Somebody", "company": "another"}).await;
    assert_eq!(
        world.ok("organization.get_user_companies", json!({})).await,
        json!({"companies": [{
            "id": COMPANY, "name": "clearml", "allocated": 2, "owners": [
                {"id": anna, "name": "Anna", "avatar": "http://pictures/a"},
                {"id": world.user.id, "name": "Jane Doe", "avatar": null},
            ],
        }]})
    );
}

/// A world with some of everything.
async fn counted() -> World {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! {"system_tags": [], "path": []}).await;
    let hidden =
        doc! {"name": "h", "system_tags": ["hidden", "pipeline"], "path": [&project], "parent": &project};
    world.insert(Collection::Project, hidden).await;
    let dataset =
        doc! {"name": "d", "system_tags": ["hidden", "dataset"], "path": [&project], "parent": &project};
    world.insert(Collection::Project, dataset).await;
    for (name, kind, tags, user) in [
        ("one", "training", vec![], "u1"),
        ("two", "testing", vec!["archived"], "u2"),
        ("report", "report", vec!["hidden", "reports"], "u1"),
        ("run", "controller", vec!["pipeline"], "u1"),
        ("version", "data_processing", vec!["dataset", "hidden"], "u2"),
    ] {
        world
            .task(doc! {"name": name, "type": kind, "system_tags": tags, "user": user, "project": &project})
            .await;
    }
    world.insert(Collection::Model, doc! {"user": "u2"}).await;
    world.insert(Collection::Model, doc! {"user": "u1", "company": ""}).await;
    world
}

#[tokio::test]
async fn everything_is_counted_by_its_criteria() {
    let world = counted().await;
    let everything = json!({
        "projects": {}, "tasks": {}, "models": {}, "pipelines": {"system_tags": ["pipeline"]}, "pipeline_runs": {},
        "datasets": {"system_tags": ["dataset"]}, "dataset_versions": {"system_tags": [null, "dataset"]},
        "reports": {"type": "training", "filters": {"type": {"any": {"include": ["testing"]}}}},
    });
    let counts = json!({
        "projects": 1, "tasks": 3, "models": 2, "pipelines": 1, "pipeline_runs": 1, "datasets": 1,
        "dataset_versions": 1, "reports": 1,
    });
    assert_eq!(world.ok("organization.get_entities_count", everything.clone()).await, counts);

    let mut hidden = everything.clone();
    hidden["search_hidden"] = json!(true);
    let all = world.ok("organization.get_entities_count", hidden).await;
    assert_eq!((&all["projects"], &all["tasks"]), (&json!(3), &json!(5)));

    let mut own = everything.clone();
    own["allow_public"] = json!(false);
    assert_eq!(world.ok("organization.get_entities_count", own).await["models"], json!(1));

    let mut limited = everything;
    limited["limit"] = json!(1);
    let limited = world.ok("organization.get_entities_count", limited).await;
    assert!(limited.as_object().unwrap().values().all(|count| count == 1), "{limited}");
    let limit = json!({"tasks": {}, "limit": 1000});
    assert_eq!(world.ok("organization.get_entities_count", limit).await, json!({"tasks": 3}));
    assert_eq!(world.ok("organization.get_entities_count", json!({"tasks": null})).await, json!({}));
}

#[tokio::test]
async fn counts_can_be_those_of_some_users() {
    let world = counted().await;
    let request = |users: &[&str]| json!({"projects": {}, "tasks": {}, "models": {}, "active_users": users, "search_hidden": true});
    assert_eq!(
        world.ok("organization.get_entities_count", request(&["u1"])).await,
        json!({"projects": 1, "tasks": 3, "models": 1})
    );
    assert_eq!(
        world.ok("organization.get_entities_count", request(&["nobody"])).await,
        json!({"projects": 0, "tasks": 0, "models": 0})
    );
    let other = json!({"tasks": {"user": ["u2"]}, "active_users": ["u1"], "search_hidden": true});
    assert_eq!(world.ok("organization.get_entities_count", other).await, json!({"tasks": 2}));
}

#[tokio::test]
async fn a_wrong_criterion_is_told_of_and_the_others_count() {
    let world = counted().await;
    let request =
        json!({"projects": {}, "tasks": {"_any_": {"pattern": "x"}, "_all_": 5}, "models": {"name": "("}});
    let answer = world.ok("organization.get_entities_count", request).await;
    assert_eq!(answer["projects"], json!(1));
    assert_eq!((answer.get("tasks"), answer.get("models")), (None, None));
    assert_eq!(
        answer["errors"]["tasks"],
        json!(
            "Invalid value for fields (failed parsing query field): error=incorrect field format: field=_all_, field=_all_"
        )
    );
    assert!(answer["errors"]["models"].as_str().unwrap().starts_with("Malformed regular expression"));
    assert!(world.error("organization.get_entities_count", json!({"tasks": 5})).await.starts_with("400/12 "));
}
