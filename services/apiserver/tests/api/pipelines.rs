//! The `pipelines` service (spec 03 §3.5, 09 §10.4).

use bson::{Document, doc};
use clearml_documents::{Collection, Filter, Find};
use serde_json::{Value, json};

use crate::lifecycle::World;

struct Pipeline {
    world: World,
    project: String,
    controller: String,
    queue: String,
}

/// A pipeline `place/.pipelines/pipe` with one run.
async fn pipeline() -> Pipeline {
    let world = World::new().await;
    let project =
        doc! {"name": "place/.pipelines/pipe", "basename": "pipe", "system_tags": ["hidden", "pipeline"]};
    let project = world.insert(Collection::Project, project).await;
    let queue = world.queue("services").await;
    let controller = world
        .task(doc! {
            "name": "pipe", "type": "controller", "status": "completed", "project": &project, "tags": ["t"],
            "system_tags": ["pipeline", "development", "archived"],
            "hyperparams": {
                "Args": {"a%2Eb": {"section": "Args", "name": "a.b", "value": "1"}, "n": {"section": "Args", "name": "n", "value": "1", "type": "int"}},
                "pipeline": {"_x": {"section": "pipeline", "name": "_x", "value": "y"}},
            },
        })
        .await;
    Pipeline { world, project, controller, queue }
}

impl Pipeline {
    async fn start(&self, more: Value) -> Value {
        let mut request = json!({"task": self.controller, "queue": self.queue});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.ok("pipelines.start_pipeline", request).await
    }

    async fn run(&self, answer: &Value) -> Document {
        assert_eq!(answer["enqueued"], json!(true));
        self.world.stored(answer["pipeline"].as_str().unwrap()).await
    }
}

#[tokio::test]
async fn a_new_run_is_a_numbered_clone_in_the_queue() {
    let pipeline = pipeline().await;
    let args = json!([{"name": "n", "value": "20"}, {"name": "c.d", "value": "x"}]);
    let answer = pipeline.start(json!({"args": args})).await;
    assert_eq!(answer.as_object().unwrap().len(), 2);
    let run = pipeline.run(&answer).await;
    assert_eq!(run.get_str("name").unwrap(), "pipe #2");
    assert_eq!(run.get_str("project").unwrap(), pipeline.project);
    assert_eq!(run.get_str("parent").unwrap(), pipeline.controller);
    assert_eq!(run.get_str("status").unwrap(), "queued");
    assert_eq!(run.get_str("status_message").unwrap(), "Starting pipeline");
    assert_eq!(run.get_array("system_tags").unwrap(), &vec!["pipeline".into()]);
    let id = answer["pipeline"].as_str().unwrap();
    assert_eq!(pipeline.world.entries(&pipeline.queue).await, [id]);
    assert_eq!(
        run.get_document("hyperparams").unwrap(),
        &doc! {
            "Args": {
                "a%2Eb": {"section": "Args", "name": "a.b", "value": "1"},
                "n": {"section": "Args", "name": "n", "value": "20"},
                "c%2Ed": {"section": "Args", "name": "c.d", "value": "x"},
            },
            "pipeline": {"%_x": {"section": "pipeline", "name": "_x", "value": "y"}},
        }
    );

    let third = pipeline.start(json!({})).await;
    let third = pipeline.run(&third).await;
    assert_eq!(third.get_str("name").unwrap(), "pipe #3");
    let parameters = third.get_document("hyperparams").unwrap().get_document("Args").unwrap();
    assert_eq!(parameters.get_document("n").unwrap().get_str("type").unwrap(), "int");
}

#[tokio::test]
async fn names_follow_the_project_and_stay_without_one() {
    let pipeline = pipeline().await;
    let stranger = doc! {"name": "another name", "type": "controller", "project": &pipeline.project};
    let stranger = pipeline.world.task(stranger).await;
    pipeline
        .world
        .change(Collection::Task, &pipeline.controller, vec![clearml_documents::Change::set("name", "x")])
        .await;
    let answer = pipeline.start(json!({"task": stranger})).await;
    assert_eq!(pipeline.run(&answer).await.get_str("name").unwrap(), "pipe");

    let homeless = pipeline.world.task(doc! {"name": "homeless", "type": "controller"}).await;
    let answer = pipeline.start(json!({"task": homeless})).await;
    assert_eq!(pipeline.run(&answer).await.get_str("name").unwrap(), "homeless");
}

#[tokio::test]
async fn somebody_may_watch_the_queue() {
    let pipeline = pipeline().await;
    let watched = json!({"verify_watched_queue": true});
    assert_eq!(pipeline.start(watched.clone()).await["queue_watched"], json!(false));
    pipeline.world.ok("workers.register", json!({"worker": "w", "queues": [pipeline.queue]})).await;
    assert_eq!(pipeline.start(watched).await["queue_watched"], json!(true));
}

#[tokio::test]
async fn the_queue_may_be_that_of_the_source() {
    let pipeline = pipeline().await;
    let request = json!({"task": pipeline.controller});
    assert_eq!(
        pipeline.world.error("pipelines.start_pipeline", request.clone()).await,
        "400/12 Validation error (error for field 'queue'. field is required!)"
    );
    let queue = clearml_documents::Change::set("execution.queue", pipeline.queue.as_str());
    pipeline.world.change(Collection::Task, &pipeline.controller, vec![queue]).await;
    pipeline.world.ok("pipelines.start_pipeline", request).await;
    assert_eq!(pipeline.world.entries(&pipeline.queue).await.len(), 1);
}

#[tokio::test]
async fn unknown_tasks_and_queues_are_refused() {
    let pipeline = pipeline().await;
    assert_eq!(
        pipeline.world.error("pipelines.start_pipeline", json!({"task": "x", "queue": pipeline.queue})).await,
        "400/101 Invalid task id: id=x"
    );
    assert_eq!(
        pipeline.world.error("pipelines.start_pipeline", json!({"queue": pipeline.queue})).await,
        "400/12 Validation error (error for field 'task'. field is required!)"
    );
    let unknown = json!({"task": pipeline.controller, "queue": "x"});
    assert!(pipeline.world.error("pipelines.start_pipeline", unknown).await.starts_with("400/701 "));
    // The clone remains.
    let clones = Find::new(Filter::eq("parent", pipeline.controller.as_str()));
    assert_eq!(pipeline.world.server.app.documents.find(Collection::Task, clones).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_can_become_a_pipeline_of_its_own() {
    let pipeline = pipeline().await;
    let check =
        json!({"task": pipeline.controller, "new_project_name": "new place", "new_pipeline_name": "fresh"});
    assert_eq!(pipeline.world.ok("pipelines.check_new_run", check.clone()).await, json!({}));

    let new =
        json!({"new_project_name": "new place", "new_pipeline_name": "fresh", "new_pipeline_version": "1.2"});
    let answer = pipeline.start(new.clone()).await;
    let run = pipeline.run(&answer).await;
    assert_eq!(run.get_str("name").unwrap(), "fresh");
    assert_eq!(run.get_document("runtime").unwrap().get_str("version").unwrap(), "1.2");
    let properties = run.get_document("hyperparams").unwrap().get_document("properties").unwrap();
    assert_eq!(properties.get_document("version").unwrap().get_str("value").unwrap(), "1.2");
    assert!(run.get_document("hyperparams").unwrap().contains_key("Args"));

    let id = answer["new_project"]["id"].as_str().unwrap();
    assert_eq!(answer["new_project"]["name"], json!("new place/.pipelines/fresh"));
    assert_eq!(run.get_str("project").unwrap(), id);
    let project = pipeline.world.find(Collection::Project, id).await.unwrap();
    assert_eq!(project.get_array("system_tags").unwrap(), &vec!["hidden".into(), "pipeline".into()]);
    let container = project.get_str("parent").unwrap();
    let container = pipeline.world.find(Collection::Project, container).await.unwrap();
    assert_eq!(container.get_str("name").unwrap(), "new place/.pipelines");
    assert_eq!(container.get_array("system_tags").unwrap(), &vec!["hidden".into()]);

    assert_eq!(
        pipeline.world.ok("pipelines.check_new_run", check).await,
        json!({"existing_project": {"id": id, "name": "new place/.pipelines/fresh"}})
    );
    let second = pipeline.start(new).await;
    assert_eq!(second["new_project"]["id"], json!(id));
    assert_eq!(pipeline.run(&second).await.get_str("name").unwrap(), "fresh #2");

    // Without a name the pipeline is called as its controller.
    let unnamed = json!({"task": pipeline.controller, "new_project_name": "place"});
    assert_eq!(
        pipeline.world.ok("pipelines.check_new_run", unnamed).await["existing_project"]["id"],
        json!(pipeline.project)
    );
    let unknown = json!({"task": "x", "new_project_name": "place"});
    assert_eq!(
        pipeline.world.error("pipelines.check_new_run", unknown).await,
        "400/101 Invalid task id: id=x"
    );
}

#[tokio::test]
async fn runs_are_deleted_with_steps_and_models_but_never_all() {
    let pipeline = pipeline().await;
    let world = &pipeline.world;
    let run = world
        .task(doc! {"type": "controller", "status": "in_progress", "project": &pipeline.project, "name": "pipe #2"})
        .await;
    let step = world.task(doc! {"parent": &run, "status": "published", "project": &pipeline.project}).await;
    let model = world.insert(Collection::Model, doc! {"task": &run, "ready": false}).await;
    let all = json!({"project": pipeline.project, "ids": [run, pipeline.controller]});
    assert_eq!(
        world.error("pipelines.delete_runs", all).await,
        format!("400/160 At least one pipeline run should be left: project={}", pipeline.project)
    );
    let none = json!({"project": pipeline.project, "ids": [step, "x"]});
    assert_eq!(world.ok("pipelines.delete_runs", none).await, json!({"succeeded": [], "failed": []}));

    let request = json!({"project": pipeline.project, "ids": [run, run, "x"]});
    assert_eq!(
        world.ok("pipelines.delete_runs", request).await,
        json!({
            "succeeded": [{
                "id": run, "deleted": true, "updated_children": 0, "updated_models": 0, "deleted_models": 1, "urls": null,
            }],
            "failed": [],
        })
    );
    for (collection, id) in [(Collection::Task, &run), (Collection::Task, &step), (Collection::Model, &model)]
    {
        assert_eq!(world.find(collection, id).await, None);
    }
    assert_eq!(world.find(Collection::TaskTrash, &run).await, None);
}

#[tokio::test]
async fn odd_deletions_are_refused() {
    let pipeline = pipeline().await;
    for (request, message) in [
        (json!({"ids": ["x"]}), "400/12 Validation error (error for field 'project'. field is required!)"),
        (
            json!({"project": "p", "ids": []}),
            "400/12 Validation error (error for field 'ids': value '[]' length is lower than allowed minimum '1'.)",
        ),
        (
            json!({"project": "p", "ids": ["x"]}),
            "400/160 At least one pipeline run should be left: project=p",
        ),
    ] {
        assert_eq!(pipeline.world.error("pipelines.delete_runs", request).await, message);
    }
}
