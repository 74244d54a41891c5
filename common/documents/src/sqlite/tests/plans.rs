//! The hot queries are answered from an index: reads the plan of each.

use bson::{Bson, DateTime, Document, doc};

use crate::{
    Accumulator, Collection, DocumentStore, Filter, Find, GroupBy, GroupKey, Sort, SortKey, Write,
    sqlite::{
        SqliteStore,
        layout::Layout,
        reader::{Reader, Statement, select_seqs},
        session::{Access, Session},
    },
};

use Collection::{AuthUser, Model, Project, Queue, Task, UrlToDelete};

/// What is asked of a store.
enum Ask {
    Find(Find),
    Count(Filter),
    Group(GroupBy),
}

/// How the rows may be put in order.
#[derive(PartialEq)]
enum Order {
    /// They are few, or the caller wants none.
    Any,
    /// As an index has them, so that a page ends the walk.
    ByIndex,
}

/// A query that is asked often or of many documents, and a step that its plan has to contain.
struct Hot {
    name: &'static str,
    collection: Collection,
    ask: Ask,
    step: String,
    order: Order,
}

/// All of them.
#[expect(clippy::too_many_lines, reason = "a table")]
fn hot_queries() -> Vec<Hot> {
    use Order::{Any, ByIndex};

    let mut table = Vec::new();
    let mut add = |name: &'static str, collection: Collection, ask: Ask, step: &str, order: Order| {
        table.push(Hot { name, collection, ask, step: step.to_owned(), order });
    };
    let find = |filter: Filter| Ask::Find(Find::new(filter));

    for (name, count) in [("two tasks by id", 2), ("600 tasks by id", 600)] {
        let ids = Filter::ids((0..count).map(|id| id.to_string()));
        let step = "SEARCH task USING INDEX sqlite_autoindex_task_1 (_id=?)";
        add(name, Task, find(visible().and(ids)), step, Any);
    }

    // First pages.
    let shown = || visible().and(Filter::not_in("system_tags", ["archived", "hidden"]));
    for field in ["last_update", "created", "started"] {
        let step = format!("SCAN task USING INDEX index:task(-{field},_id)");
        add("all tasks, newest", Task, page(shown(), Sort::descending(field)), &step, ByIndex);
    }
    let by_name = page(shown(), Sort::ascending("name"));
    add("all tasks by name", Task, by_name, "SCAN task USING INDEX index:task(name,_id)", ByIndex);
    // Documents that lack the field of an ascending order come last: two queries.
    let index = "SEARCH task USING INDEX index:task(-started,_id) (started";
    let started = page(visible().and(Filter::ne("started", Bson::Null)), Sort::ascending("started"));
    add("started tasks", Task, started, &format!("{index}>?)"), ByIndex);
    let others = page(visible().and(Filter::empty("started")), Sort::ascending("started"));
    add("tasks that did not start", Task, others, &format!("{index}=?)"), ByIndex);
    let common = page(shown().and(Filter::eq("tags", "common")), Sort::descending("last_update"));
    add(
        "tasks with a common tag",
        Task,
        common,
        "SCAN task USING INDEX index:task(-last_update,_id)",
        ByIndex,
    );
    let rare = page(shown().and(Filter::eq("tags", "rare")), Sort::descending("last_update"));
    add("tasks with a rare tag", Task, rare, "SEARCH task:tags USING PRIMARY KEY (value=?)", Any);

    // In a project.
    let in_project = || {
        visible()
            .and(Filter::eq("project", "p"))
            .and(Filter::not_in("system_tags", ["archived", "hidden"]))
            .and(Filter::ne("system_tags", "hidden"))
    };
    for filter in [in_project(), in_project().and(Filter::is_in("project", ["p"]))] {
        for collection in [Task, Model] {
            let table = Layout::of(collection).table;
            let step =
                format!("SEARCH {table} USING INDEX index:{table}(project,-last_update,_id) (project=?)");
            let newest = page(filter.clone(), Sort::descending("last_update"));
            add("a project, newest", collection, newest, &step, ByIndex);
        }
    }
    let filtered = in_project()
        .and(Filter::is_in("status", ["completed", "failed"]))
        .and(Filter::is_in("type", ["training", "testing"]))
        .and(Filter::eq("tags", "common"));
    let by_metric = Find {
        numeric_collation: true,
        ..Find::new(filtered).sort(Sort::descending("last_metrics.m.v.value")).limit(50)
    };
    add("a project by a metric, three filters", Task, Ask::Find(by_metric), "(project=?)", Any);
    add("count of a project", Task, Ask::Count(in_project()), "(project=?)", Any);
    add(
        "statistics of projects",
        Task,
        Ask::Group(statistics()),
        "USING COVERING INDEX index:task(project,completed,started,status,system_tags=archived,company) (project=?)",
        Any,
    );

    // Searches.
    let trigrams = "SCAN task:trigrams VIRTUAL TABLE INDEX";
    for (name, pattern) in [("a pattern in names", "rare 17"), ("a pattern without match", "absent|missing")]
    {
        let newest = page(shown().and(regex("name", pattern)), Sort::descending("last_update"));
        add(name, Task, newest, trigrams, Any);
        add(name, Task, Ask::Count(shown().and(regex("name", pattern))), trigrams, Any);
        add(name, Task, find(shown().and(regex("name", pattern))), trigrams, Any);
    }
    let paths = ["_id", "name", "comment", "system_tags", "models.output.model", "models.input.model"];
    let anywhere = |pattern: &str| Filter::Or(paths.map(|path| regex(path, pattern)).to_vec());
    let newest = page(shown().and(anywhere("rare 17")), Sort::descending("last_update"));
    add("the search bar", Task, newest, trigrams, Any);
    for (name, filter) in [
        ("a pattern that is common", regex("name", "common")),
        ("a pattern without three letters", regex("name", "c.m")),
        ("the search bar, common", anywhere("common")),
        ("words that are common", Filter::Text("common".to_owned())),
    ] {
        let newest = page(shown().and(filter), Sort::descending("last_update"));
        add(name, Task, newest, "SCAN task USING INDEX index:task(-last_update,_id)", ByIndex);
    }
    let odd = page(shown().and(regex("name", "r.r. 1.")), Sort::descending("last_update"));
    add(
        "a rare pattern without three letters",
        Task,
        odd,
        "SEARCH texts USING COVERING INDEX index:task(name,_id)",
        Any,
    );
    let exact = Filter::Regex { path: "name".into(), pattern: "^my task$".into(), case_insensitive: false };
    let step = "index:task(name,_id) (name>? AND name<?)";
    add("a task by its exact name", Task, find(visible().and(exact)), step, Any);
    let words = || shown().and(Filter::Text("rare".to_owned()));
    let step = "SCAN task:text VIRTUAL TABLE INDEX";
    add("words, newest", Task, page(words(), Sort::descending("last_update")), step, Any);
    let score = Sort { key: SortKey::TextScore, order: crate::Order::Descending };
    add("words, best", Task, page(words(), score), step, Any);
    let projects = ["_id", "basename", "description"].map(|path| regex(path, "rare 17")).to_vec();
    let step = "SCAN project:trigrams VIRTUAL TABLE INDEX";
    add("projects, the search bar", Project, find(visible().and(Filter::Or(projects))), step, Any);

    // Watchdog and relations.
    let old = Filter::eq("status", "in_progress")
        .and(Filter::lt("last_update", Bson::DateTime(DateTime::from_millis(0))));
    let step = "index:task(status,-last_update) (status=? AND last_update<?)";
    add("watchdog", Task, find(old), step, Any);
    add("children", Task, find(Filter::eq("parent", "t")), "index:task(parent) (parent=?)", Any);
    for path in ["models.input.model", "models.output.model"] {
        let step = format!("SEARCH task:{path} USING PRIMARY KEY (value=?)");
        add("tasks of a model", Task, find(visible().and(Filter::eq(path, "m"))), &step, Any);
    }
    for path in ["task", "uri", "parent"] {
        let step = format!("index:model({path}) ({path}=?)");
        add("models", Model, find(visible().and(Filter::eq(path, "x"))), &step, Any);
    }
    let step = "index:model(project,-last_update,_id) (project=?)";
    add("models of a project", Model, find(visible().and(Filter::eq("project", "x"))), step, Any);

    // Projects.
    let step = "unique:project(name,company) (name=? AND company=?)";
    add("a project by its name", Project, find(Filter::eq("name", "a/b").and(visible())), step, Any);
    let exact = Filter::Regex { path: "name".into(), pattern: "^a/b$".into(), case_insensitive: false };
    let by_name = Find::new(visible().and(exact)).sort(Sort::ascending("_id")).limit(500);
    add("a project by its exact name", Project, Ask::Find(by_name), "unique:project(name,company)", Any);
    let step = "index:project(parent) (parent=?)";
    add("projects in a project", Project, find(visible().and(Filter::eq("parent", "p"))), step, Any);
    let step = "SEARCH project:path USING PRIMARY KEY (value=?)";
    add("projects below", Project, find(Filter::is_in("path", ["p", "q"])), step, Any);

    // Queues, users, files.
    let entry = Filter::eq("company", "c").and(Filter::eq("entries.task", "t"));
    add(
        "a task in a queue",
        Queue,
        find(entry),
        "SEARCH queue:entries.task USING PRIMARY KEY (value=?)",
        Any,
    );
    let name = Filter::eq("company", "c").and(Filter::eq("name", "default"));
    add("a queue by name", Queue, find(name), "unique:queue(name,company) (name=? AND company=?)", Any);
    let pair = Filter::eq("key", "k").and(Filter::eq("secret", "s"));
    for filter in
        [Filter::eq("credentials.key", "k"), Filter::ElementMatches("credentials".into(), Box::new(pair))]
    {
        let step = "SEARCH auth_user:credentials.key USING PRIMARY KEY (value=?)";
        add("credentials", AuthUser, find(filter), step, Any);
    }
    let eligible = Filter::is_in("status", ["created", "retrying"]).and(Filter::lt("retry_count", 3));
    let step = "index:url_to_delete(status,retry_count,storage_type) (status=? AND retry_count<?)";
    add("files to delete", UrlToDelete, find(eligible), step, Any);
    table
}

fn visible() -> Filter {
    Filter::is_in("company", ["mine", ""])
}

fn regex(path: &str, pattern: &str) -> Filter {
    Filter::Regex { path: path.into(), pattern: pattern.into(), case_insensitive: true }
}

fn page(filter: Filter, sort: Sort) -> Ask {
    Ask::Find(Find::new(filter).sort(sort).sort(Sort::ascending("_id")).limit(5))
}

/// As `projects.get_all_ex` asks.
fn statistics() -> GroupBy {
    let archived = Filter::eq("system_tags", "archived");
    let lately = Filter::gt("completed", DateTime::from_millis(0))
        .and(Filter::not_in("status", ["queued", "in_progress", "failed"]));
    GroupBy {
        filter: visible()
            .and(Filter::is_in("project", (0..50).map(|id| id.to_string())))
            .and(Filter::ne("system_tags", "archived")),
        keys: vec![
            ("project".into(), GroupKey::Field("project".into())),
            ("status".into(), GroupKey::Field("status".into())),
            ("archived".into(), GroupKey::Matches(archived)),
        ],
        values: vec![
            ("count".into(), Accumulator::Count),
            ("runtime".into(), Accumulator::SumSeconds { from: "started".into(), to: "completed".into() }),
            ("completed".into(), Accumulator::CountIf(lately)),
            ("last".into(), Accumulator::Max("started".into())),
        ],
    }
}

/// Many tasks that are alike, and one that is not.
fn task(number: i32) -> Document {
    let is_rare = number == 17;
    doc! {
        "_id": format!("t{number}"), "company": "mine", "project": if is_rare { "other" } else { "p" },
        "name": if is_rare { "rare 17" } else { "a common name" }, "tags": [if is_rare { "rare" } else { "common" }],
        "last_update": DateTime::from_millis(i64::from(number)),
    }
}

/// The steps of the plan that SQLite makes.
fn plan(store: &SqliteStore, session: &Session, hot: &Hot) -> Vec<String> {
    let reader = Reader::new(session, hot.collection, &store.shared.irregular);
    let statement: Statement = match &hot.ask {
        Ask::Find(find) => select_seqs(reader, find).unwrap(),
        Ask::Count(filter) => reader.count_statement(filter, false).unwrap(),
        Ask::Group(group) => reader.group_statement(group).unwrap().unwrap().0,
    };
    session.set_slots(statement.slots);
    let mut explain = session.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let params = rusqlite::params_from_iter(statement.params);
    let steps = explain.query_map(params, |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<rusqlite::Result<_>>().unwrap()
}

#[tokio::test]
async fn hot_queries_are_answered_from_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.write(Task, (0..1000).map(|number| Write::Insert(task(number))).collect()).await.unwrap();
    let session = Session::open(&store.shared.file, Access::Read).unwrap();
    for hot in hot_queries() {
        let steps = plan(&store, &session, &hot);
        let text = format!("{}:\n{}", hot.name, steps.join("\n"));
        assert!(text.contains(&hot.step), "expected {}\n{text}", hot.step);
        let table = format!("SCAN {}", Layout::of(hot.collection).table);
        for step in &steps {
            // Walking an index in the order that the query wants is no scan: it stops at the limit.
            let walks = hot.order == Order::ByIndex && step.contains("USING INDEX");
            let is_whole = *step == table || step.starts_with(&format!("{table} "));
            assert!(!is_whole || walks, "scan\n{text}");
            let sorts = step.contains("USE TEMP B-TREE FOR ORDER BY");
            assert!(hot.order == Order::Any || !sorts, "sort\n{text}");
        }
    }
}
