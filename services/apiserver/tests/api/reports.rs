//! The `reports` service (spec 03 §3.6, 09 §6).

mod data;
mod read;

use bson::doc;
use clearml_documents::{Collection, Filter, Find};
use serde_json::{Value, json};

use crate::lifecycle::{World, forbidden};

/// Creates a report; its id and that of its project.
async fn create(world: &World, request: Value) -> (String, String) {
    let answer = world.ok("reports.create", request).await;
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("id"), text("project_id"))
}

async fn project(world: &World, name: &str) -> String {
    let created = world.ok("projects.create", json!({"name": name})).await;
    created["id"].as_str().unwrap().to_owned()
}

async fn exists(world: &World, collection: Collection, id: &str) -> bool {
    world.find(collection, id).await.is_some()
}

#[tokio::test]
async fn a_report_is_a_hidden_task_in_a_hidden_project() {
    let world = World::new().await;
    let place = project(&world, "place").await;
    let request = json!({
        "name": " a report ", "project": place, "tags": ["b", "a"], "comment": "c", "report": "ignored",
        "report_assets": ["ignored"],
    });
    let (report, home) = create(&world, request).await;
    let stored = world.stored(&report).await;
    assert_eq!(stored.get_str("name").unwrap(), "a report");
    assert_eq!(stored.get_str("type").unwrap(), "report");
    assert_eq!(stored.get_str("status").unwrap(), "created");
    assert_eq!(stored.get_str("project").unwrap(), home);
    assert_eq!(stored.get_str("comment").unwrap(), "c");
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
    assert_eq!(stored.get_array("tags").unwrap(), &vec!["a".into(), "b".into()]);
    assert_eq!(stored.get_array("system_tags").unwrap(), &vec!["hidden".into(), "reports".into()]);
    assert!(!stored.contains_key("report") && stored.get_array("report_assets").unwrap().is_empty());

    let stored = world.find(Collection::Project, &home).await.unwrap();
    assert_eq!(stored.get_str("name").unwrap(), "place/.reports");
    assert_eq!(stored.get_str("basename").unwrap(), ".reports");
    assert_eq!(stored.get_str("description").unwrap(), "Reports project");
    assert_eq!(stored.get_str("parent").unwrap(), place);
    assert_eq!(stored.get_array("system_tags").unwrap(), &vec!["hidden".into(), "reports".into()]);

    // The same project for the next report, also when it is named itself.
    assert_eq!(create(&world, json!({"name": "another", "project": place})).await.1, home);
    assert_eq!(create(&world, json!({"name": "a third", "project": home})).await.1, home);
    let (_, root) = create(&world, json!({"name": "without project"})).await;
    assert_eq!(world.find(Collection::Project, &root).await.unwrap().get_str("name").unwrap(), ".reports");
}

#[tokio::test]
async fn odd_reports_are_not_created() {
    let world = World::new().await;
    let public = world.insert(Collection::Project, doc! {"company": "", "name": "public"}).await;
    for (request, message) in [
        (json!({}), "400/12 Validation error (error for field 'name'. field is required!)".to_owned()),
        (json!({"name": "ab"}), "400/800 Data validation error: name=String value is too short".to_owned()),
        (json!({"name": "report", "project": "x"}), "400/401 Invalid project id: id=x".to_owned()),
        (
            json!({"name": "report", "project": public}),
            format!(
                "403/21 Forbidden (modification not allowed) (cannot modify public project(s), ids=('{public}',))"
            ),
        ),
        (
            json!({"name": "report", "tags": ["__$all"]}),
            "400/16 Invalid value for fields (unsupported tag prefix): values=(__$all)".to_owned(),
        ),
    ] {
        assert_eq!(world.error("reports.create", request).await, message);
    }
    let reports = Find::new(Filter::eq("type", "report"));
    assert!(world.server.app.documents.find(Collection::Task, reports).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_own_reports_can_be_written() {
    let world = World::new().await;
    for endpoint in ["update", "move", "publish", "archive", "unarchive", "delete"] {
        let endpoint = format!("reports.{endpoint}");
        let request = |task: &str| json!({"task": task, "project": null, "name": "a name"});
        let task = world.task(doc! {}).await;
        assert_eq!(
            world.error(&endpoint, request(&task)).await,
            format!("400/150 Passed task is not report: id={task}")
        );
        let public = world.public_task().await;
        assert_eq!(world.error(&endpoint, request(&public)).await, forbidden(&public));
        let foreign = world.foreign_task().await;
        assert!(world.error(&endpoint, request(&foreign)).await.starts_with("400/101 "), "{endpoint}");
        assert!(world.error(&endpoint, json!({})).await.starts_with("400/12 "), "{endpoint}");
    }
}

#[tokio::test]
async fn a_draft_can_be_written_and_a_published_report_relabelled() {
    let world = World::new().await;
    let (report, _) = create(&world, json!({"name": "report"})).await;
    assert_eq!(world.ok("reports.update", json!({"task": report})).await, json!({"updated": 0}));
    let text = format!("# Title\n\n{}", "word ".repeat(30));
    let request =
        json!({"task": report, "report": text, "report_assets": ["http://files/1"], "tags": ["b", "a"]});
    assert_eq!(
        world.ok("reports.update", request).await,
        json!({"updated": 1, "fields": {
            "tags": ["a", "b"], "report": format!("# Title {} [...]", ["word"; 17].join(" ")),
            "report_assets": ["http://files/1"],
        }})
    );
    let stored = world.stored(&report).await;
    assert_eq!(stored.get_str("report").unwrap(), text);
    assert_eq!(stored.get_datetime("last_update").unwrap(), stored.get_datetime("last_change").unwrap());

    world.ok("reports.publish", json!({"task": report})).await;
    for field in [json!({"report": "x"}), json!({"report_assets": []})] {
        let mut request = field;
        request["task"] = json!(report);
        request["name"] = json!("a name");
        assert_eq!(
            world.error("reports.update", request).await,
            "400/110 Invalid task status: expected=created, status=published"
        );
    }
    let request = json!({"task": report, "name": "new name", "comment": "c", "tags": []});
    assert_eq!(
        world.ok("reports.update", request).await,
        json!({"updated": 1, "fields": {"name": "new name", "tags": [], "comment": "c"}})
    );
    let short = json!({"task": report, "name": "ab"});
    assert_eq!(
        world.error("reports.update", short).await,
        "400/800 Data validation error: name=String value is too short"
    );
    let tags = json!({"task": report, "tags": ["__$not"]});
    assert!(world.error("reports.update", tags).await.starts_with("400/16 "));
}

#[tokio::test]
async fn a_report_moves_and_leaves_no_empty_project() {
    let world = World::new().await;
    let place = project(&world, "place").await;
    let (report, home) = create(&world, json!({"name": "report", "project": place})).await;
    let (other, _) = create(&world, json!({"name": "other report", "project": place})).await;

    let moved = world.ok("reports.move", json!({"task": report, "project_name": "new/place"})).await;
    let new_home = moved["project_id"].as_str().unwrap().to_owned();
    assert_eq!(
        world.find(Collection::Project, &new_home).await.unwrap().get_str("name").unwrap(),
        "new/place/.reports"
    );
    assert_eq!(world.stored(&report).await.get_str("project").unwrap(), new_home);
    assert!(exists(&world, Collection::Project, &home).await, "the other report is there");

    let moved = world.ok("reports.move", json!({"task": other, "project": null})).await;
    assert!(!exists(&world, Collection::Project, &home).await);
    assert!(exists(&world, Collection::Project, &place).await);
    let root = moved["project_id"].as_str().unwrap().to_owned();
    assert_eq!(world.find(Collection::Project, &root).await.unwrap().get_str("name").unwrap(), ".reports");

    // Where it is already; by id; the name wins.
    assert_eq!(world.ok("reports.move", json!({"task": other, "project": null})).await, moved);
    let back = world.ok("reports.move", json!({"task": other, "project": place})).await;
    assert_ne!(back["project_id"], json!(root));
    assert!(!exists(&world, Collection::Project, &root).await);
    let both = json!({"task": other, "project": "unknown", "project_name": "new/place"});
    assert_eq!(world.ok("reports.move", both).await["project_id"], json!(new_home));

    assert_eq!(
        world.error("reports.move", json!({"task": other})).await,
        "400/11 Missing required fields (project or project_name is required)"
    );
    assert_eq!(
        world.error("reports.move", json!({"task": other, "project": "x"})).await,
        "400/401 Invalid project id: id=x"
    );
}

#[tokio::test]
async fn a_report_is_published_from_any_status() {
    let world = World::new().await;
    for status in ["created", "published", "unknown"] {
        let report = world.task(doc! {"type": "report", "status": status}).await;
        let answer = world.ok("reports.publish", json!({"task": report, "message": "done"})).await;
        assert_eq!(answer["updated"], json!(1));
        let fields = &answer["fields"];
        assert_eq!(
            (
                &fields["status"],
                &fields["status_reason"],
                &fields["status_message"],
                &fields["last_changed_by"]
            ),
            (&json!("published"), &json!(""), &json!("done"), &json!(world.user.id))
        );
        for date in ["published", "status_changed", "last_update", "last_change"] {
            assert!(fields[date].is_string(), "{date}");
        }
        assert_eq!(world.status(&report).await, "published");
    }
}

#[tokio::test]
async fn a_report_is_archived_and_brought_back() {
    let world = World::new().await;
    let (report, _) = create(&world, json!({"name": "report"})).await;
    let request = json!({"task": report, "message": "why"});
    assert_eq!(world.ok("reports.archive", request).await, json!({"archived": 1}));
    let stored = world.stored(&report).await;
    assert!(stored.get_array("system_tags").unwrap().contains(&"archived".into()));
    assert_eq!(stored.get_str("status_message").unwrap(), "why");
    assert_eq!(world.ok("reports.unarchive", json!({"task": report})).await, json!({"unarchived": 1}));
    let stored = world.stored(&report).await;
    assert_eq!(stored.get_array("system_tags").unwrap(), &vec!["hidden".into(), "reports".into()]);
    assert_eq!(stored.get_str("status_message").unwrap(), "");
}

#[tokio::test]
async fn a_report_is_deleted_with_its_emptied_project() {
    let world = World::new().await;
    let (report, home) = create(&world, json!({"name": "report"})).await;
    let (other, _) = create(&world, json!({"name": "other report"})).await;
    world.ok("reports.publish", json!({"task": report})).await;
    assert_eq!(world.ok("reports.delete", json!({"task": report})).await, json!({"deleted": 1}));
    assert!(!exists(&world, Collection::Task, &report).await);
    assert!(exists(&world, Collection::Project, &home).await);
    world.ok("reports.delete", json!({"task": other, "force": true})).await;
    assert!(!exists(&world, Collection::Project, &home).await);
}
