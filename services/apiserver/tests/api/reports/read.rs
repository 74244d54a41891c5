//! Listing reports.

use bson::doc;
use serde_json::{Value, json};

use super::{create, project};
use crate::lifecycle::World;

async fn names(world: &World, request: Value) -> Vec<String> {
    let mut request = request;
    request["order_by"] = json!(["name"]);
    let answer = world.ok("reports.get_all_ex", request).await;
    let tasks = answer["tasks"].as_array().unwrap();
    tasks.iter().map(|task| task["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn reports_are_found_by_the_projects_they_belong_to() {
    let world = World::new().await;
    let place = project(&world, "place").await;
    let below = project(&world, "place/below").await;
    let empty = project(&world, "empty").await;
    let (_, home) = create(&world, json!({"name": "in place", "project": place})).await;
    create(&world, json!({"name": "below", "project": below})).await;
    create(&world, json!({"name": "nowhere"})).await;
    world.task(doc! {"project": &home, "name": "no report"}).await;
    for (request, expected) in [
        (json!({}), vec!["below", "in place", "nowhere"]),
        (
            json!({"type": "training", "filters": {"type": {"any": {"include": ["training"]}}}}),
            vec!["below", "in place", "nowhere"],
        ),
        (json!({"project": place}), vec!["in place"]),
        (json!({"project": [home]}), vec!["in place"]),
        (json!({"project": [place], "include_subprojects": true}), vec!["below", "in place"]),
        (json!({"project": [null]}), vec!["nowhere"]),
        (json!({"project": [null, place]}), vec!["in place", "nowhere"]),
        (json!({"project": [empty]}), vec![]),
        (
            json!({"_any_": {"pattern": "PLACE", "fields": ["id", "name", "tags", "project", "comment", "report"]}}),
            vec!["in place"],
        ),
        (json!({"page": 1, "page_size": 2}), vec!["nowhere"]),
    ] {
        assert_eq!(names(&world, request.clone()).await, expected, "{request}");
    }
}

#[tokio::test]
async fn reports_come_with_joins_and_scrolls() {
    let world = World::new().await;
    let place = project(&world, "place").await;
    create(&world, json!({"name": "one", "project": place, "tags": ["b", "a"]})).await;
    create(&world, json!({"name": "two"})).await;
    let fields = [
        "name",
        "comment",
        "company",
        "tags",
        "report",
        "project.name",
        "user.name",
        "status",
        "report_assets",
    ];
    let request = json!({"only_fields": fields, "size": 1, "scroll_id": null, "order_by": ["name"]});
    let first = world.ok("reports.get_all_ex", request.clone()).await;
    let report = &first["tasks"][0];
    assert_eq!(
        (&report["name"], &report["project"]["name"], &report["user"]["name"], &report["tags"]),
        (&json!("one"), &json!("place/.reports"), &json!("Jane Doe"), &json!(["a", "b"]))
    );
    let mut next = request;
    next["scroll_id"] = first["scroll_id"].clone();
    assert_eq!(world.ok("reports.get_all_ex", next).await["tasks"][0]["name"], json!("two"));
}

#[tokio::test]
async fn tags_are_those_of_own_reports() {
    let world = World::new().await;
    create(&world, json!({"name": "one", "tags": ["b", "a"]})).await;
    create(&world, json!({"name": "two", "tags": ["c", "a"]})).await;
    world.task(doc! {"tags": ["d"]}).await;
    world.task(doc! {"type": "report", "tags": ["e"], "company": ""}).await;
    assert_eq!(world.ok("reports.get_tags", json!({})).await, json!({"tags": ["a", "b", "c"]}));
}
