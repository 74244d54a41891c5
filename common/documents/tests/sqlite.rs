//! The embedded store passes the common suite, and keeps what it acknowledged.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::{os::unix::fs::PermissionsExt, sync::Arc};

use clearml_documents::{
    Change, Collection, DocumentStore, DocumentStoreExt, Filter, Find, Sort, SqliteStore, StoreError, Write,
    doc, document_store_suite,
};
use rusqlite::Connection;
use tempfile::TempDir;

/// An empty store, and the directory that holds it.
async fn open() -> (Arc<dyn DocumentStore>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.ping().await.unwrap();
    (Arc::new(store), directory)
}

document_store_suite!(open());

fn file(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("documents.sqlite")
}

#[tokio::test]
async fn documents_are_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = SqliteStore::open(directory.path()).unwrap();
        assert_eq!(store.count(Collection::Task, Filter::eq("tags", "t"), false).await.unwrap(), round * 10);
        let tasks = (0..10).map(|number| doc! {"_id": format!("{round}.{number}"), "tags": ["t"]});
        store.write(Collection::Task, tasks.map(Write::Insert).collect()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_on_disk_while_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.insert(Collection::Task, doc! {"_id": "1"}).await.unwrap();
    // As after a crash: the files as they are now, opened elsewhere.
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let recovered = SqliteStore::open(copy.path()).unwrap();
    assert_eq!(recovered.count(Collection::Task, Filter::id("1"), false).await.unwrap(), 1);
}

#[tokio::test]
async fn waiting_writes_are_finished_before_the_store_closes() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let writes: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { store.insert(Collection::Task, doc! {"_id": number.to_string()}).await },
            )
        })
        .collect();
    drop(store);
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(store.count(Collection::Task, Filter::Everything, false).await.unwrap(), 100);
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(directory.path()).unwrap());
    let connection = Connection::open(file(&directory)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn files_of_version_1_get_the_new_collection() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(directory.path()).unwrap());
    let connection = Connection::open(file(&directory)).unwrap();
    connection
        .execute_batch(
            "DROP TABLE pending_removal; DROP TABLE \"pending_removal:doc\"; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(directory.path()).unwrap();
    store.insert(Collection::PendingRemoval, doc! {"_id": "a"}).await.unwrap();
    assert!(store.any(Collection::PendingRemoval, Filter::id("a")).await.unwrap());
}

/// Version 2 had no index of trigrams, no columns for tags that lists leave out, and no index for statistics.
#[tokio::test]
async fn files_of_version_2_are_indexed() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let tasks = (0..300).map(|number| {
        let tags = if number % 3 == 0 { vec!["archived"] } else { vec![] };
        doc! {"_id": number.to_string(), "name": format!("Run {number}."), "project": "p", "system_tags": tags}
    });
    store.write(Collection::Task, tasks.map(Write::Insert).collect()).await.unwrap();
    drop(store);
    let connection = Connection::open(file(&directory)).unwrap();
    connection
        .execute_batch(
            "DROP TABLE \"task:trigrams\"; DROP TABLE \"model:trigrams\"; DROP TABLE \"project:trigrams\";
             DROP INDEX \"index:task(project,completed,started,status,system_tags=archived,company)\";
             ALTER TABLE task DROP COLUMN \"system_tags=archived\";
             ALTER TABLE task DROP COLUMN \"system_tags=hidden\";
             PRAGMA user_version = 2;",
        )
        .unwrap();
    drop(connection);

    let store = SqliteStore::open(directory.path()).unwrap();
    let count = async |filter| store.count(Collection::Task, filter, false).await.unwrap();
    let regex = |pattern: &str| Filter::Regex {
        path: "name".into(),
        pattern: pattern.into(),
        case_insensitive: false,
    };
    assert_eq!(count(regex("Run 29[0-9]")).await, 10);
    assert_eq!(count(regex("un 7\\.")).await, 1);
    assert_eq!(count(Filter::ne("system_tags", "archived")).await, 200);
    let connection = Connection::open(file(&directory)).unwrap();
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let indexed: u32 =
        connection.query_row("SELECT count(*) FROM \"task:trigrams\"", [], |row| row.get(0)).unwrap();
    assert_eq!((version, indexed), (3, 300));
}

/// An index that was made for other fields is made anew.
#[tokio::test]
async fn trigrams_of_other_fields_are_indexed_anew() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.insert(Collection::Task, doc! {"_id": "1", "name": "a name"}).await.unwrap();
    drop(store);
    let connection = Connection::open(file(&directory)).unwrap();
    connection
        .execute_batch(
            "DROP TABLE \"task:trigrams\";
             CREATE VIRTUAL TABLE \"task:trigrams\" USING fts5(other, content = '', tokenize = 'trigram');",
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(directory.path()).unwrap();
    let name = Filter::Regex { path: "name".into(), pattern: "name".into(), case_insensitive: false };
    assert_eq!(store.count(Collection::Task, name, false).await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(file(&directory), "no database at all, but long enough to have a header".repeat(100))
        .unwrap();
    assert!(matches!(SqliteStore::open(directory.path()), Err(StoreError::Backend(_))));
    let missing = SqliteStore::open(file(&directory).join("below"));
    assert!(matches!(missing, Err(StoreError::Unavailable(_))));
}

/// Columns, side tables, indexes and full text of another version are made anew from the documents.
#[tokio::test]
async fn derived_tables_are_rebuilt() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let tasks = ["b", "a", "c"]
        .map(|id| doc! {"_id": id, "name": format!("name {id}"), "tags": [id], "execution": {"queue": id}});
    store.write(Collection::Task, tasks.into_iter().map(Write::Insert).collect()).await.unwrap();
    drop(store);
    let connection = Connection::open(file(&directory)).unwrap();
    connection
        .execute_batch(
            "DROP INDEX \"index:task(name,_id)\";
             CREATE INDEX obsolete ON task(user);
             ALTER TABLE task DROP COLUMN \"execution.queue\";
             ALTER TABLE task ADD COLUMN \"obsolete\";
             DROP TABLE \"task:tags\";
             CREATE TABLE \"task:obsolete\" (value, seq);
             DROP TABLE \"task:text\";",
        )
        .unwrap();
    drop(connection);

    let store = SqliteStore::open(directory.path()).unwrap();
    let found = async |filter: Filter| {
        let find = Find::new(filter).sort(Sort::ascending("name"));
        let documents = store.find(Collection::Task, find).await.unwrap();
        documents.iter().map(|document| document.get_str("_id").unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(found(Filter::Everything).await, "abc");
    assert_eq!(found(Filter::eq("tags", "a")).await, "a");
    assert_eq!(found(Filter::eq("execution.queue", "c")).await, "c");
    assert_eq!(found(Filter::Text("name".to_owned())).await, "abc");
    store.update_one(Collection::Task, Filter::id("a"), vec![Change::set("tags", vec!["z"])]).await.unwrap();
    assert_eq!(found(Filter::eq("tags", "z")).await, "a");

    let connection = Connection::open(file(&directory)).unwrap();
    let obsolete: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%obsolete%' OR sql LIKE '%obsolete%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(obsolete, 0);
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    let (store, directory) = open().await;
    store.insert(Collection::Settings, doc! {"_id": "secret"}).await.unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

/// A column holds texts, numbers or dates; documents that others wrote may hold anything.
#[tokio::test]
async fn odd_documents_are_found_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store
        .insert(Collection::Task, doc! {"_id": "1", "name": ["a", "b"], "last_update": "yesterday"})
        .await
        .unwrap();
    for store in [store, SqliteStore::open(directory.path()).unwrap()] {
        for filter in [Filter::eq("name", "b"), Filter::eq("last_update", "yesterday")] {
            assert_eq!(store.count(Collection::Task, filter, false).await.unwrap(), 1);
        }
        assert_eq!(store.count(Collection::Task, Filter::empty("name"), false).await.unwrap(), 0);
    }
}
