//! The hot queries are answered from an index of an official server: reads the plan that MongoDB makes of each.
//! The stand-in of the test backends takes the index of the first field named and has no planner, so that which
//! of several indexes is taken, and whether a sort is needed, can't be shown there; only that none is a scan.

use bson::{Bson, DateTime, Document};

use super::open;
use crate::{Collection, Filter, Find, MongoStore, Sort, mongo::read::Query};

/// Names of the stages in the winning plan, from the top.
fn stages(plan: &Document) -> Vec<String> {
    // MongoDB 7 and later wrap the plan of their newer engine.
    let plan = plan.get_document("queryPlan").unwrap_or(plan);
    let mut found = vec![plan.get_str("stage").unwrap_or_default().to_owned()];
    for input in ["inputStage", "outerStage", "innerStage"] {
        if let Ok(below) = plan.get_document(input) {
            found.extend(stages(below));
        }
    }
    for below in plan.get_array("inputStages").into_iter().flatten().filter_map(Bson::as_document) {
        found.extend(stages(below));
    }
    found
}

async fn check(store: &MongoStore, collection: Collection, find: Find) {
    let command = Query::new(&find, store.shared.limits).unwrap().explain(collection.name());
    let answer = store.shared.connection.database(collection).run_command(command).await.unwrap();
    let plan = answer.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap();
    let stages = stages(plan);
    let indexed = ["IXSCAN", "IDHACK", "EXPRESS_IXSCAN", "EXPRESS_CLUSTERED_IXSCAN", "TEXT_MATCH"];
    assert!(stages.iter().any(|stage| indexed.contains(&stage.as_str())), "{find:?}: {plan}");
    assert!(!stages.iter().any(|stage| stage == "COLLSCAN"), "{find:?}: {plan}");
}

fn visible() -> Filter {
    Filter::is_in("company", ["mine", ""])
}

fn first_page(filter: Filter, sort: Sort) -> Find {
    Find::new(filter).sort(sort).sort(Sort::ascending("_id")).limit(500)
}

#[tokio::test]
async fn hot_queries_use_an_index() {
    let Some((store, databases)) = open("plans").await else { return };
    let shown = || visible().and(Filter::not_in("system_tags", ["archived", "hidden"]));
    let name =
        |path: &str| Filter::Regex { path: path.into(), pattern: "^a/b$".into(), case_insensitive: false };
    let task = |find: Find| check(&store, Collection::Task, find);
    task(Find::new(visible().and(Filter::ids(["1", "2"])))).await;
    for field in ["last_update", "created", "started"] {
        task(first_page(shown(), Sort::descending(field))).await;
    }
    task(first_page(shown(), Sort::ascending("name"))).await;
    task(first_page(shown().and(Filter::eq("project", "p")), Sort::descending("last_update"))).await;
    task(Find::new(visible().and(name("name")))).await;
    let old = Filter::eq("status", "in_progress")
        .and(Filter::lt("last_update", Bson::DateTime(DateTime::from_millis(0))));
    task(Find::new(old)).await;
    for path in ["parent", "project", "models.input.model"] {
        task(Find::new(Filter::eq(path, "x"))).await;
    }
    let project = |find: Find| check(&store, Collection::Project, find);
    project(Find::new(Filter::eq("name", "a/b").and(visible()))).await;
    project(Find::new(visible().and(name("name"))).sort(Sort::ascending("_id")).limit(500)).await;
    project(Find::new(visible().and(Filter::eq("parent", "p")))).await;
    project(Find::new(Filter::is_in("path", ["p", "q"]))).await;
    for path in ["task", "uri", "parent", "project"] {
        check(&store, Collection::Model, Find::new(visible().and(Filter::eq(path, "x")))).await;
    }
    let queue = Filter::eq("company", "c").and(Filter::eq("name", "default"));
    check(&store, Collection::Queue, Find::new(queue)).await;
    let eligible = Filter::is_in("status", ["created", "retrying"]).and(Filter::lt("retry_count", 3));
    check(&store, Collection::UrlToDelete, Find::new(eligible)).await;
    databases.drop().await;
}
