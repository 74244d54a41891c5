//! A disk that is full: nothing is lost, everybody is told, and work goes on when there is room again.

use std::sync::Arc;

use bson::{Document, doc};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Collection, Filter, Find, StoreError, StoreResult, Write, WriteOutcome,
    sqlite::{
        irregular::Irregular,
        reader::Reader,
        schema,
        session::{Access, Session},
        writer::{Command, Writer},
    },
};

type Answer = oneshot::Receiver<StoreResult<WriteOutcome>>;

fn insert(document: Document) -> (Command, Answer) {
    let (answer, receiver) = oneshot::channel();
    let writes = vec![Write::Insert(document)];
    (Command::Write { collection: Collection::Task, writes, answer }, receiver)
}

/// Queues the commands, so that they share a commit, and runs the writer until all are answered.
fn run(writer: Writer, documents: Vec<Document>) -> Vec<StoreResult<WriteOutcome>> {
    let (sender, commands) = mpsc::channel(documents.len());
    let (queued, answers): (Vec<_>, Vec<_>) = documents.into_iter().map(insert).unzip();
    for command in queued {
        sender.try_send(command).unwrap();
    }
    drop(sender);
    writer.run(commands);
    answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("test.sqlite");
    let irregular = Arc::new(Irregular::default());
    let open = |free_pages: Option<i64>| {
        let mut session = Session::open(&file, Access::Write).unwrap();
        schema::prepare(&mut session.connection, &irregular).unwrap();
        if let Some(free) = free_pages {
            let pages: i64 = session.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            session.connection.pragma_update(None, "max_page_count", pages + free).unwrap();
        }
        Writer::new(session, Arc::clone(&irregular))
    };
    let small = |id: &str| doc! {"_id": id, "tags": ["t"]};
    let large = |id: &str| doc! {"_id": id, "comment": "x".repeat(400_000)};

    assert!(run(open(None), vec![small("1")])[0].is_ok());
    let results = run(open(Some(40)), vec![small("2"), large("3"), small("4"), small("1")]);
    assert!(matches!(results[1], Err(StoreError::Unavailable(_))), "{results:?}");
    assert!(matches!(results[3], Err(StoreError::Duplicate { .. })), "{results:?}");
    // Whoever was told that it is stored finds it; whoever was not, does not.
    let mut stored = vec!["1"];
    stored
        .extend(["2", "3", "4"].iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(id, _)| *id));
    assert!(stored.contains(&"4"), "small documents still fit");
    let found = || {
        let session = Session::open(&file, Access::Read).unwrap();
        let reader = Reader::new(&session, Collection::Task, &irregular);
        let documents = reader.find(&Find::new(Filter::Everything)).unwrap();
        documents.iter().map(|document| document.get_str("_id").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(), stored);

    assert!(run(open(None), vec![large("5")])[0].is_ok());
    assert_eq!(found().last().unwrap(), "5");
}
