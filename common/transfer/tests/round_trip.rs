//! Everything goes from one set of embedded stores to another, unchanged, however often it is interrupted.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod support;

use std::fs;

use bson::doc;
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use clearml_files::FilePath;
use clearml_transfer::{Archive, Progress, Stage, TransferError, export, import};
use support::{EVENTS, TASKS, embedded, exported, fill, imported, interrupted, settle, silent};

#[tokio::test(flavor = "multi_thread")]
async fn embedded_stores_go_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = embedded(&at("first"));
    fill(&first).await;
    let archive = exported(&first, &at("archive")).await.manifest;
    let tasks = TASKS as u64;
    assert_eq!(archive.count(Stage::Documents), tasks + 10);
    assert_eq!(archive.count(Stage::Events), tasks * EVENTS as u64 + 1);
    assert_eq!(archive.count(Stage::Statistics), 5 + 1 + 2);
    assert_eq!(archive.count(Stage::Files), tasks);

    let second = embedded(&at("second"));
    imported(&second, &at("archive")).await;
    let again = exported(&second, &at("archive again")).await.manifest;
    assert_eq!(again.contents(), archive.contents());
    let task = Find::new(Filter::id(format!("{:032x}", 5)));
    let task = |store: &clearml_transfer::Stores| {
        let (store, find) = (store.documents.clone(), task.clone());
        async move { store.find_one(Collection::Task, find).await.unwrap().unwrap() }
    };
    let (left, right) = (task(&first).await, task(&second).await);
    assert_eq!(left.to_vec().unwrap(), right.to_vec().unwrap(), "the order of fields stays, too");

    // One document less is another sum, of its kind only.
    second.documents.delete(Collection::Project, Filter::id("p")).await.unwrap();
    let other = exported(&second, &at("other")).await.manifest.contents();
    let missing: Vec<_> = archive.contents().into_iter().filter(|content| !other.contains(content)).collect();
    assert_eq!(missing.iter().map(|content| content.kind.as_str()).collect::<Vec<_>>(), ["backend.project"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_transfers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = embedded(&at("first"));
    fill(&first).await;
    let whole = exported(&first, &at("whole")).await;

    let (mut after, mut times) = (1, 0);
    let export = async |watcher: &(dyn Fn(Progress) + Send + Sync)| {
        export(&first, &at("archive"), "other", "1.0.0", watcher).await.unwrap()
    };
    while interrupted(after, export).await.is_none() {
        after += 5;
        times += 1;
        let refused = import(&embedded(&at("nobody")), &at("archive"), &silent).await.unwrap_err();
        assert!(matches!(refused, TransferError::Incomplete(_)), "{refused}");
    }
    assert!(times > 5, "{times}");
    let archive = Archive::open(&at("archive")).unwrap();
    assert_eq!(archive.manifest.contents(), whole.manifest.contents());

    let second = embedded(&at("second"));
    let (mut after, mut times) = (1, 0);
    let import = async |watcher: &(dyn Fn(Progress) + Send + Sync)| {
        import(&second, &at("archive"), watcher).await.unwrap()
    };
    while interrupted(after, import).await.is_none() {
        after += 2;
        times += 1;
        settle(&second).await;
        let refused = clearml_transfer::export(&second, &at("none"), "x", "1", &silent).await.unwrap_err();
        assert!(matches!(refused, TransferError::HalfImported), "{refused}");
    }
    assert!(times > 10, "{times}");
    let again = exported(&second, &at("again")).await;
    assert_eq!(again.manifest.contents(), whole.manifest.contents());
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = embedded(&at("first"));
    fill(&first).await;
    let archive = exported(&first, &at("archive")).await;

    let second = embedded(&at("second"));
    let events = archive.manifest.parts.iter().find(|part| part.stage == Stage::Events).unwrap();
    let part = at("archive").join(&events.name);
    let content = fs::read(&part).unwrap();
    let mut damaged = content.clone();
    damaged[content.len() / 2] ^= 1;
    fs::write(&part, damaged).unwrap();
    let refused = import(&second, &at("archive"), &silent).await.unwrap_err();
    assert!(matches!(&refused, TransferError::Damaged(name) if *name == events.name), "{refused}");
    fs::remove_file(&part).unwrap();
    let refused = import(&second, &at("archive"), &silent).await.unwrap_err();
    assert!(refused.to_string().contains(&events.name), "{refused}");
    fs::write(&part, content).unwrap();

    let file = format!("project/task 9.{:032x}/a%20b ä.txt", 9);
    let copy = at("archive").join("files").join(&file);
    let content = fs::read(&copy).unwrap();
    fs::write(&copy, "other").unwrap();
    let refused = import(&second, &at("archive"), &silent).await.unwrap_err();
    let name = format!("files/{file}");
    assert!(matches!(&refused, TransferError::Damaged(damaged) if *damaged == name), "{refused}");
    let entry = second.files.entry(&FilePath::parse(&file).unwrap()).await;
    assert!(entry.is_err(), "nobody takes it for the file");

    // Mended, the import goes on.
    fs::write(&copy, content).unwrap();
    imported(&second, &at("archive")).await;
    let again = exported(&second, &at("again")).await;
    assert_eq!(again.manifest.contents(), archive.manifest.contents());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = embedded(&at("first"));
    fill(&first).await;
    let archive = exported(&first, &at("archive")).await;

    // Stores in use.
    let refused = import(&first, &at("archive"), &silent).await.unwrap_err();
    assert!(matches!(refused, TransferError::InUse { count: 130, collection: "task" }), "{refused}");

    // Folders with something else.
    let refused = export(&first, &at("archive"), "x", "1", &silent).await.unwrap_err();
    assert!(matches!(refused, TransferError::Complete(_)), "{refused}");
    let refused = export(&first, folder.path(), "x", "1", &silent).await.unwrap_err();
    assert!(matches!(refused, TransferError::NoArchive(_)), "{refused}");
    let nothing = import(&embedded(&at("other")), &at("nothing"), &silent).await.unwrap_err();
    assert!(matches!(nothing, TransferError::Archive { .. }), "{nothing}");

    // A server that was only started gives way; another file with a name from the archive does not.
    let second = embedded(&at("second"));
    let started = [
        (Collection::Company, doc! {"_id": "c", "name": "clearml"}),
        (Collection::Queue, doc! {"_id": "other", "company": "c", "name": "default"}),
        (Collection::AuthUser, doc! {"_id": "__apiserver__", "email": "x", "autocreated": true}),
        (Collection::AuthUser, doc! {"_id": "first", "email": "a@b"}),
        (Collection::Settings, doc! {"_id": "server.uuid", "value": "other"}),
    ];
    for (collection, document) in started {
        second.documents.insert(collection, document).await.unwrap();
    }
    let path = FilePath::parse(&format!("project/task 7.{:032x}/a%20b ä.txt", 7)).unwrap();
    second.files.create(&path).await.unwrap().finish().await.unwrap();
    let refused = import(&second, &at("archive"), &silent).await.unwrap_err();
    assert!(matches!(&refused, TransferError::FileExists(name) if name == path.as_str()), "{refused}");
    second.files.delete_file(&path).await.unwrap();
    imported(&second, &at("archive")).await;
    let again = exported(&second, &at("again")).await;
    assert_eq!(again.manifest.contents(), archive.manifest.contents());

    // The beginning of an export is of one server.
    interrupted(1, async |watcher| export(&first, &at("begun"), "x", "1", watcher).await.unwrap()).await;
    let third = embedded(&at("third"));
    let refused = export(&third, &at("begun"), "x", "1", &silent).await.unwrap_err();
    assert!(matches!(refused, TransferError::OtherServer(_)), "{refused}");
}
