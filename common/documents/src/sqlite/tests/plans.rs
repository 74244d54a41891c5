//! The hot queries are answered from an index: reads the plan of each.

use bson::{Bson, DateTime};

use crate::{
    Collection, Filter, Find, Sort,
    sqlite::{
        SqliteStore,
        layout::Layout,
        reader::{Reader, select_seqs},
        session::{Access, Session},
    },
};

/// The steps of the plan that SQLite makes.
fn plan(collection: Collection, find: &Find) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let session = Session::open(&store.shared.file, Access::Read).unwrap();
    let statement = select_seqs(Reader::new(&session, collection, &store.shared.irregular), find).unwrap();
    session.set_slots(statement.slots);
    let mut explain = session.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let params = rusqlite::params_from_iter(statement.params);
    let steps = explain.query_map(params, |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<rusqlite::Result<_>>().unwrap()
}

/// The plan searches, and sorts only where `sorts` says so.
#[track_caller]
fn check(collection: Collection, find: &Find, index: &str, sorts: bool) {
    let plan = plan(collection, find);
    let table = Layout::of(collection).table;
    let text = plan.join("\n");
    assert!(text.contains(index), "expected {index} in\n{text}");
    for step in &plan {
        // Walking an index in the order that the query wants is no scan: it stops at the limit.
        let walks_index = step.contains("USING INDEX") || step.contains("USING COVERING INDEX");
        assert!(!step.starts_with(&format!("SCAN {table}")) || walks_index, "scan in\n{text}");
        if !sorts {
            assert!(!step.contains("USE TEMP B-TREE FOR ORDER BY"), "sort in\n{text}");
        }
    }
}

fn visible() -> Filter {
    Filter::is_in("company", ["mine", ""])
}

fn first_page(filter: Filter, sort: Sort) -> Find {
    Find::new(filter).sort(sort).sort(Sort::ascending("_id")).limit(500)
}

#[test]
fn tasks_by_ids() {
    for ids in [2, 600] {
        let find = Find::new(visible().and(Filter::ids((0..ids).map(|id| id.to_string()))));
        check(Collection::Task, &find, "SEARCH task USING INDEX sqlite_autoindex_task_1 (_id=?)", true);
    }
}

#[test]
fn first_pages_of_all_tasks() {
    let shown = visible().and(Filter::not_in("system_tags", ["archived", "hidden"]));
    for field in ["last_update", "created", "started"] {
        let find = first_page(shown.clone(), Sort::descending(field));
        check(Collection::Task, &find, &format!("SCAN task USING INDEX index:task(-{field},_id)"), false);
    }
    let find = first_page(shown, Sort::ascending("name"));
    check(Collection::Task, &find, "SCAN task USING INDEX index:task(name,_id)", false);
}

/// Documents that lack the field of an ascending order come last: two queries.
#[test]
fn first_pages_with_empties_last() {
    let index = "task USING INDEX index:task(-started,_id) (started";
    let find = first_page(visible().and(Filter::ne("started", Bson::Null)), Sort::ascending("started"));
    check(Collection::Task, &find, &format!("SEARCH {index}>?)"), false);
    let find = first_page(visible().and(Filter::empty("started")), Sort::ascending("started"));
    check(Collection::Task, &find, &format!("SEARCH {index}=?)"), false);
}

#[test]
fn first_page_of_a_project() {
    let filter = visible()
        .and(Filter::eq("project", "p"))
        .and(Filter::not_in("system_tags", ["archived", "hidden"]))
        .and(Filter::ne("system_tags", "hidden"));
    for filter in [filter.clone(), filter.and(Filter::is_in("project", ["p"]))] {
        let find = first_page(filter, Sort::descending("last_update"));
        check(
            Collection::Task,
            &find,
            "SEARCH task USING INDEX index:task(project,-last_update,_id) (project=?)",
            false,
        );
        check(
            Collection::Model,
            &find,
            "USING INDEX index:model(project,-last_update,_id) (project=?)",
            false,
        );
    }
}

#[test]
fn tasks_by_name_in_a_project() {
    let name = Filter::Regex { path: "name".into(), pattern: "^my task$".into(), case_insensitive: false };
    check(
        Collection::Task,
        &Find::new(visible().and(name)),
        "index:task(name,_id) (name>? AND name<?)",
        true,
    );
}

#[test]
fn watchdog_and_relations_of_tasks() {
    let old = Filter::eq("status", "in_progress")
        .and(Filter::lt("last_update", Bson::DateTime(DateTime::from_millis(0))));
    check(
        Collection::Task,
        &Find::new(old),
        "index:task(status,-last_update) (status=? AND last_update<?)",
        true,
    );
    check(Collection::Task, &Find::new(Filter::eq("parent", "t")), "index:task(parent) (parent=?)", true);
    for path in ["models.input.model", "models.output.model"] {
        let find = Find::new(visible().and(Filter::eq(path, "m")));
        check(Collection::Task, &find, &format!("SEARCH task:{path} USING PRIMARY KEY (value=?)"), true);
    }
}

#[test]
fn projects_by_name_parent_and_path() {
    let exact = Filter::eq("name", "a/b").and(visible());
    check(
        Collection::Project,
        &Find::new(exact),
        "unique:project(name,company) (name=? AND company=?)",
        true,
    );
    let regex = Filter::Regex { path: "name".into(), pattern: "^a/b$".into(), case_insensitive: false };
    let find = Find::new(visible().and(regex)).sort(Sort::ascending("_id")).limit(500);
    check(Collection::Project, &find, "unique:project(name,company)", true);
    let children = Find::new(visible().and(Filter::eq("parent", "p")));
    check(Collection::Project, &children, "index:project(parent) (parent=?)", true);
    let descendants = Find::new(Filter::is_in("path", ["p", "q"]));
    check(Collection::Project, &descendants, "SEARCH project:path USING PRIMARY KEY (value=?)", true);
}

#[test]
fn models_by_task_project_and_uri() {
    for path in ["task", "uri", "parent"] {
        let find = Find::new(visible().and(Filter::eq(path, "x")));
        check(Collection::Model, &find, &format!("index:model({path}) ({path}=?)"), true);
    }
    let find = Find::new(visible().and(Filter::eq("project", "x")));
    check(Collection::Model, &find, "index:model(project,-last_update,_id) (project=?)", true);
}

#[test]
fn queues_and_users() {
    let entry = Find::new(Filter::eq("company", "c").and(Filter::eq("entries.task", "t")));
    check(Collection::Queue, &entry, "SEARCH queue:entries.task USING PRIMARY KEY (value=?)", true);
    let name = Find::new(Filter::eq("company", "c").and(Filter::eq("name", "default")));
    check(Collection::Queue, &name, "unique:queue(name,company) (name=? AND company=?)", true);
    let pair = Filter::eq("key", "k").and(Filter::eq("secret", "s"));
    for filter in
        [Filter::eq("credentials.key", "k"), Filter::ElementMatches("credentials".into(), Box::new(pair))]
    {
        let key = "SEARCH auth_user:credentials.key USING PRIMARY KEY (value=?)";
        check(Collection::AuthUser, &Find::new(filter), key, true);
    }
    let eligible = Filter::is_in("status", ["created", "retrying"]).and(Filter::lt("retry_count", 3));
    check(
        Collection::UrlToDelete,
        &Find::new(eligible),
        "index:url_to_delete(status,retry_count,storage_type) (status=? AND retry_count<?)",
        true,
    );
}
