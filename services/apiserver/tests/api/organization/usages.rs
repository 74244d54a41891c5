//! How much of its queues a company's tasks used (spec 09 §4.3).

use bson::{DateTime, Document, doc};
use clearml_documents::Collection;
use serde_json::{Value, json};

use crate::lifecycle::World;

fn date(text: &str) -> DateTime {
    DateTime::parse_rfc3339_str(text).unwrap()
}

struct Places {
    world: World,
    parent: String,
    child: String,
    queue: String,
}

/// A project with a child, and an hour of work in each on the first of July.
async fn places() -> Places {
    let world = World::new().await;
    let parent = world.insert(Collection::Project, doc! {"name": "parent", "path": []}).await;
    let child = world
        .insert(Collection::Project, doc! {"name": "parent/child", "path": [&parent], "parent": &parent})
        .await;
    let deep = world
        .insert(
            Collection::Project,
            doc! {"name": "parent/child/deep", "path": [&parent, &child], "parent": &child},
        )
        .await;
    let queue = world
        .insert(
            Collection::Queue,
            doc! {"name": "q", "display_name": "Queue", "resources": {"cpu_usage": 8.0, "gpu_usage": 0.5}},
        )
        .await;
    let places = Places { world, parent: parent.clone(), child, queue: queue.clone() };
    places
        .ran(&parent, "2025-07-01T10:00:00Z", "2025-07-01T11:00:00Z", doc! {"execution": {"queue": &queue}})
        .await;
    places
        .ran(&deep, "2025-07-01T23:30:00Z", "2025-07-02T00:30:00Z", doc! {"execution": {"queue": "gone"}})
        .await;
    places
}

impl Places {
    async fn ran(&self, project: &str, from: &str, to: &str, more: Document) {
        let mut task = doc! {
            "status": "completed", "project": project, "user": &self.world.user.id, "started": date(from),
            "completed": date(to), "execution": {"queue": &self.queue},
        };
        task.extend(more);
        self.world.task(task).await;
    }

    async fn usages(&self, more: Value) -> Value {
        let mut request = json!({"projects": [self.parent], "from_date": "2025-07-01T00:00:00", "to_date": "2025-07-02T12:00:00"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.ok("organization.get_project_usages", request).await
    }
}

/// The entry of an id.
fn of<'a>(entries: &'a Value, id: &Value) -> &'a Value {
    entries.as_array().unwrap().iter().find(|entry| entry["id"] == *id).unwrap()
}

#[tokio::test]
async fn usage_is_summed_up_by_project_user_and_queue() {
    let places = places().await;
    let answer = places.usages(json!({"usage_fields": ["duration", "cpu_usage", "gpu_usage"]})).await;
    let days = json!([1_751_328_000.0, 1_751_414_400.0]);
    assert_eq!(
        *of(&answer["projects"]["series"], &json!(places.parent)),
        json!({
            "name": "parent", "id": places.parent, "dates": days, "duration": [3600, 0],
            "cpu_usage": [28800.0, 0], "gpu_usage": [1800.0, 0],
        })
    );
    assert_eq!(
        *of(&answer["projects"]["total"], &json!(places.child)),
        json!({
            "name": "parent/child", "id": places.child, "duration": 3600, "cpu_usage": 3600.0, "gpu_usage": 3600.0,
            "cpu_artificial_weights": true, "gpu_artificial_weights": true,
            "cpu_usage_artifical_weights": true, "gpu_usage_artifical_weights": true,
        })
    );
    assert_eq!(of(&answer["projects"]["series"], &json!(places.child))["duration"], json!([1800, 1800]));
    assert_eq!(answer["users"]["total"].as_array().unwrap().len(), 1);
    let user = &answer["users"]["total"][0];
    assert_eq!((&user["name"], &user["duration"]), (&json!("Jane Doe"), &json!(7200)));
    assert_eq!(of(&answer["queues"]["total"], &json!(places.queue))["name"], json!("Queue"));
    assert_eq!(of(&answer["queues"]["total"], &json!("_other_"))["name"], json!("other"));

    let some = places.usages(json!({"breakdown_keys": ["queue"], "usage_fields": ["duration"]})).await;
    assert_eq!(some.as_object().unwrap().keys().collect::<Vec<_>>(), ["queues"]);
    assert_eq!(
        *of(&some["queues"]["total"], &json!(places.queue)),
        json!({"name": "Queue", "id": places.queue, "duration": 3600})
    );
}

#[tokio::test]
async fn the_web_apps_own_name_answers_the_same() {
    let places = places().await;
    let request = json!({
        "projects": [places.parent], "include_development": false, "from_date": "2025-07-01T00:00:00.000Z",
        "to_date": "2025-07-02T01:30:21.122Z", "usage_fields": ["duration"],
    });
    let answer = places.world.ok("organization.get_project_workloads", request.clone()).await;
    assert_eq!(answer, places.world.ok("organization.get_project_usages", request).await);
    assert_eq!(of(&answer["projects"]["total"], &json!(places.parent))["duration"], json!(3600));
}

#[tokio::test]
async fn several_projects_are_told_apart() {
    let places = places().await;
    let answer = places.usages(json!({"projects": [places.parent, places.child, "unknown"]})).await;
    let total = answer["projects"]["total"].as_array().unwrap();
    assert_eq!(total.len(), 1, "the child lies in the parent");
    assert_eq!((&total[0]["id"], &total[0]["duration"]), (&json!(places.parent), &json!(7200)));
    let nothing = places.usages(json!({"projects": ["unknown"]})).await;
    assert_eq!(nothing["projects"], json!({"total": [], "series": []}));
}

#[tokio::test]
async fn some_tasks_do_not_count() {
    let places = places().await;
    let (from, to) = ("2025-07-01T12:00:00Z", "2025-07-01T12:10:00Z");
    for excluded in [
        doc! {"type": "controller"},
        doc! {"system_tags": ["dataset"]},
        doc! {"application": {"id": "a"}},
        doc! {"company": "another"},
    ] {
        places.ran(&places.parent, from, to, excluded).await;
    }
    places.ran(&places.parent, from, to, doc! {"system_tags": ["development"]}).await;
    places.ran(&places.parent, from, to, doc! {"execution": {}}).await;
    places.ran(&places.parent, "2025-06-29T12:00:00Z", "2025-06-30T12:00:00Z", doc! {}).await;
    places.ran(&places.parent, "2025-07-03T12:00:00Z", "2025-07-03T13:00:00Z", doc! {}).await;
    let own = |answer: &Value| of(&answer["projects"]["total"], &json!(places.parent))["duration"].clone();
    assert_eq!(own(&places.usages(json!({})).await), json!(3600));
    let with_development = places.usages(json!({"include_development": true})).await;
    assert_eq!(own(&with_development), json!(3600 + 1200));
    // Who was in no queue is told apart.
    assert_eq!(of(&with_development["queues"]["total"], &json!(null))["name"], json!(null));
}

#[tokio::test]
async fn running_tasks_count_up_to_now() {
    let places = places().await;
    let started = DateTime::from_millis(DateTime::now().timestamp_millis() - 3_600_000);
    let task = doc! {
        "status": "in_progress", "project": &places.child, "started": started, "execution": {"queue": &places.queue},
    };
    places.world.task(task).await;
    let day = |days: i64| {
        let date = DateTime::from_millis(DateTime::now().timestamp_millis() + days * 86_400_000);
        date.try_to_rfc3339_string().unwrap()
    };
    let answer =
        places.usages(json!({"from_date": day(-2), "to_date": day(1), "breakdown_keys": ["project"]})).await;
    let duration = answer["projects"]["total"][0]["duration"].as_i64().unwrap();
    assert!((3600..3700).contains(&duration), "{duration}");
    assert_eq!(answer["projects"]["series"][0]["dates"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn odd_requests_are_refused() {
    let world = World::new().await;
    for (request, message) in [
        (
            json!({"projects": [], "from_date": "2025-07-01", "to_date": "2025-07-02"}),
            "error for field 'projects': value '[]' length is lower than allowed minimum '1'.",
        ),
        (
            json!({"projects": ["p"], "to_date": "2025-07-02"}),
            "error for field 'from_date'. field is required!",
        ),
        (
            json!({"projects": ["p"], "from_date": "2025-07-03", "to_date": "2025-07-02"}),
            "from_date cannot be later than to_date",
        ),
        (
            json!({"projects": ["p"], "from_date": "2025-07-03T00:00:00+01:00", "to_date": "2025-07-04"}),
            "from_date and to_date must both have a time zone, or neither",
        ),
        (
            json!({"projects": ["p"], "from_date": "2025-07-01", "to_date": "2025-07-02", "breakdown_keys": ["x"]}),
            "error for field 'breakdown_keys': value 'x' is not a valid choice..",
        ),
    ] {
        assert_eq!(
            world.error("organization.get_project_usages", request).await,
            format!("400/12 Validation error ({message})")
        );
    }
}
