//! Random documents, filters, orders and updates: the store does what the matcher and the updates say.

use bson::{Bson, Document, RawBsonRef, RawDocumentBuf};
use rand::RngExt;

use crate::{
    Change, Collection, DocumentStore, Filter, Find, Matcher, Order, Sort, SortKey, StoreError, Write, apply,
    path::Path,
    random::{Dice, sorted, texts},
    sqlite::SqliteStore,
    value::Collation,
};

/// Whether a full-text search for the words, which are no stems of others, finds the document.
fn has_any_word(document: &Document, words: &[&str]) -> bool {
    let is_word = |part: &str| words.iter().any(|word| part.eq_ignore_ascii_case(word));
    let has_word = |value: Option<RawBsonRef<'_>>| {
        value
            .and_then(RawBsonRef::as_str)
            .is_some_and(|text| text.split(|character: char| !character.is_alphanumeric()).any(is_word))
    };
    let document = RawDocumentBuf::try_from(document).unwrap();
    let mut paths = Collection::Task.spec().text.iter().map(|(path, _)| Path::new(path));
    paths.any(|path| path.any_unwound(RawBsonRef::Document(&document), has_word))
}

async fn check_reads(store: &SqliteStore, model: &[Document], dice: &mut Dice) {
    let mut filter = dice.filter(2);
    let numeric = dice.chance(0.3);
    let collation = Collation::new(numeric);
    let matcher = Matcher::new(&filter, numeric).unwrap();
    let mut matching: Vec<_> =
        model.iter().filter(|document| matcher.matches(document).unwrap()).cloned().collect();
    if dice.chance(0.2) {
        let words: Vec<_> = (0..dice.0.random_range(1..3)).map(|_| dice.word()).collect();
        matching.retain(|document| has_any_word(document, &words));
        filter = filter.and(Filter::Text(words.join(" ")));
    }

    let sorts: Vec<_> = (0..dice.0.random_range(0..3))
        .map(|_| (dice.path(), if dice.chance(0.5) { Order::Ascending } else { Order::Descending }))
        .collect();
    let skip = dice.0.random_range(0..3);
    let limit = dice.chance(0.5).then(|| dice.0.random_range(0..6));
    let expected: Vec<_> = sorted(matching.clone(), &sorts, collation)
        .into_iter()
        .skip(skip as usize)
        .take(limit.map_or(usize::MAX, |limit| limit as usize))
        .collect();

    let mut find = Find::new(filter.clone());
    find.sort =
        sorts.iter().map(|(path, order)| Sort { key: SortKey::Field(path.clone()), order: *order }).collect();
    (find.skip, find.limit, find.numeric_collation) = (skip, limit, numeric);
    let found = store.find(Collection::Task, find.clone()).await.unwrap();
    assert_eq!(texts(&found), texts(&expected), "{find:?}");
    let count = store.count(Collection::Task, filter, numeric).await.unwrap();
    assert_eq!(count, matching.len() as u64, "{find:?}");
}

/// Applies a random write to the store and to the model.
async fn write(store: &SqliteStore, model: &mut Vec<Document>, dice: &mut Dice, regular: bool) {
    let id = dice.0.random_range(0..60).to_string();
    let position = model.iter().position(|document| document.get_str("_id").is_ok_and(|known| known == id));
    match dice.0.random_range(0..10) {
        0..5 => {
            let document = dice.document(&id, regular);
            let result = store.write(Collection::Task, vec![Write::Insert(document.clone())]).await;
            if position.is_none() {
                result.unwrap();
                model.push(document);
            } else {
                let key = vec![("_id".to_owned(), Bson::String(id))];
                assert!(matches!(result, Err(StoreError::Duplicate { key: found, .. }) if found == key));
            }
        }
        5 => {
            let document = dice.document(&id, regular);
            store.write(Collection::Task, vec![Write::Replace(document.clone())]).await.unwrap();
            match position {
                Some(position) => model[position] = document,
                None => model.push(document),
            }
        }
        6 => {
            let filter = dice.filter(1).and(Filter::lt("_id", "2"));
            let matcher = Matcher::new(&filter, false).unwrap();
            store.write(Collection::Task, vec![Write::Delete { filter }]).await.unwrap();
            model.retain(|document| !matcher.matches(document).unwrap());
        }
        _ => {
            let filter = dice.filter(1);
            let update: Vec<_> = (0..dice.0.random_range(1..3)).map(|_| dice.change()).collect();
            if !regular || update.iter().all(|change| matches!(change, Change::Push(path, _) | Change::AddToSet(path, _) | Change::PullAll(path, _) if path == "tags")) {
                check_update(store, model, filter, update, dice.chance(0.7)).await;
            }
        }
    }
}

async fn check_update(
    store: &SqliteStore,
    model: &mut Vec<Document>,
    filter: Filter,
    update: Vec<Change>,
    many: bool,
) {
    let matcher = Matcher::new(&filter, false).unwrap();
    let mut changed = model.clone();
    let matching = changed.iter_mut().filter(|document| matcher.matches(document).unwrap());
    let expected = matching
        .take(if many { usize::MAX } else { 1 })
        .try_fold(0, |count, document| apply(document, &update, false).map(|()| count + 1));
    let write = Write::Update { filter, update, many, upsert: false };
    let result = store.write(Collection::Task, vec![write]).await;
    match expected {
        Ok(count) => {
            assert_eq!(result.unwrap().matched, count);
            *model = changed;
        }
        // All or nothing.
        Err(_) => assert!(matches!(result, Err(StoreError::InvalidValue(_)))),
    }
}

async fn run(seed: u64, regular: bool) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let mut dice = Dice::with_odd_letters(seed);
    let mut model = Vec::new();
    for _ in 0..60 {
        for _ in 0..4 {
            write(&store, &mut model, &mut dice, regular).await;
        }
        for _ in 0..12 {
            check_reads(&store, &model, &mut dice).await;
        }
    }
    assert_eq!(store.shared.irregular.of(Collection::Task) == 0, regular);
}

#[tokio::test]
async fn regular_documents() {
    for seed in 0..6 {
        run(seed, true).await;
    }
}

#[tokio::test]
async fn documents_of_any_shape() {
    for seed in 100..106 {
        run(seed, false).await;
    }
}
