//! Random documents, filters, orders, groups and updates.

use bson::{Bson, Document, doc};
use rand::{RngExt, seq::IndexedRandom};

use super::{is_stand_in, open};
use crate::{
    Accumulator, Change, Collection, DocumentStore, Filter, Find, GroupBy, Matcher, MongoStore, Order,
    Reposition, Sort, SortKey, StoreError, Write, apply,
    mongo::update::{Compiled, compile},
    random::{Dice, sorted, texts},
    value::Collation,
};

async fn check_reads(store: &MongoStore, model: &[Document], dice: &mut Dice) {
    let filter = dice.filter(2);
    let numeric = dice.chance(0.3);
    let collation = Collation::new(numeric);
    let matcher = Matcher::new(&filter, numeric).unwrap();
    let matching: Vec<_> =
        model.iter().filter(|document| matcher.matches(document).unwrap()).cloned().collect();

    // One field, because MongoDB refuses orders by two arrays, and the id, because it leaves ties open.
    let order = |dice: &mut Dice| if dice.chance(0.5) { Order::Ascending } else { Order::Descending };
    let sorts = [(dice.path(), order(dice)), ("_id".to_owned(), order(dice))];
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

/// Whether the condition is about the presence of a member of a document: in expressions, the stand-in for
/// MongoDB takes a missing one for null.
fn asks_for_members(filter: &Filter) -> bool {
    match filter {
        Filter::Exists(path, _) => path.contains('.'),
        Filter::And(filters) | Filter::Or(filters) => filters.iter().any(asks_for_members),
        Filter::Not(inner) | Filter::ElementMatches(_, inner) => asks_for_members(inner),
        _ => false,
    }
}

/// Filters as expressions count what the matcher finds. The flag says whether the store is a stand-in.
async fn check_expressions((store, stand_in): (&MongoStore, bool), model: &[Document], dice: &mut Dice) {
    let filters: Vec<_> =
        (0..8).map(|_| dice.filter(2)).filter(|filter| !(stand_in && asks_for_members(filter))).collect();
    let named =
        |(position, filter): (usize, &Filter)| (position.to_string(), Accumulator::CountIf(filter.clone()));
    let group = GroupBy {
        filter: Filter::Everything,
        keys: Vec::new(),
        values: filters.iter().enumerate().map(named).collect(),
    };
    let found = store.group(Collection::Task, group).await.unwrap();
    for (position, filter) in filters.iter().enumerate() {
        let matcher = Matcher::new(filter, false).unwrap();
        let expected = model.iter().filter(|document| matcher.matches(document).unwrap()).count();
        let count = found.first().map_or(0, |group| group.get_i64(position.to_string()).unwrap());
        assert_eq!(count, expected as i64, "{filter:?}");
    }
}

/// Applies a random write to the store and to the model.
async fn write(store: &MongoStore, model: &mut Vec<Document>, dice: &mut Dice) {
    let id = dice.0.random_range(0..60).to_string();
    let position = model.iter().position(|document| document.get_str("_id").is_ok_and(|known| known == id));
    match dice.0.random_range(0..10) {
        0..5 => {
            let document = dice.document(&id, false);
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
            let document = dice.document(&id, false);
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
            // One document, because an update of many that fails half-way is not taken back.
            let filter = Filter::id(id).and(dice.filter(1));
            let update: Vec<_> = (0..dice.0.random_range(1..3)).map(|_| dice.change()).collect();
            // A pipeline treats paths through odd values in its own way.
            if matches!(compile(&update, false).unwrap(), Compiled::Operators(_)) {
                check_update(store, model, filter, update).await;
            }
        }
    }
}

async fn check_update(store: &MongoStore, model: &mut Vec<Document>, filter: Filter, update: Vec<Change>) {
    let matcher = Matcher::new(&filter, false).unwrap();
    let mut changed = model.clone();
    let expected = changed
        .iter_mut()
        .filter(|document| matcher.matches(document).unwrap())
        .try_fold(0, |count, document| apply(document, &update, false).map(|()| count + 1));
    let write = Write::Update { filter, update: update.clone(), many: true, upsert: false };
    let result = store.write(Collection::Task, vec![write]).await;
    match expected {
        Ok(count) => {
            assert_eq!(result.unwrap().matched, count, "{update:?}");
            *model = changed;
        }
        Err(_) => assert!(matches!(result, Err(StoreError::InvalidValue(_))), "{result:?} {update:?}"),
    }
}

#[tokio::test]
async fn documents_of_any_shape() {
    for seed in 100..104 {
        let Some((store, databases)) = open("random").await else { return };
        let stand_in = is_stand_in(&store).await;
        let mut dice = Dice::new(seed);
        let mut model = Vec::new();
        for _ in 0..30 {
            for _ in 0..6 {
                write(&store, &mut model, &mut dice).await;
            }
            for _ in 0..8 {
                check_reads(&store, &model, &mut dice).await;
            }
            check_expressions((&store, stand_in), &model, &mut dice).await;
        }
        databases.drop().await;
    }
}

/// Changes of a document as the API writes it, several of one field too, so that pipelines are made.
fn change(dice: &mut Dice) -> Change {
    let number = |dice: &mut Dice| Bson::Double(f64::from(dice.0.random_range(-3..4)));
    let path = |dice: &mut Dice| (*["m.a", "m.b", "n"].choose(&mut dice.0).unwrap()).to_owned();
    let task = |dice: &mut Dice| Filter::eq("task", dice.0.random_range(0..6));
    let along = |dice: &mut Dice| vec![("m.at".to_owned(), dice.value()), ("other".to_owned(), dice.value())];
    match dice.0.random_range(0..17) {
        0 => Change::Set(path(dice), number(dice)),
        1 => Change::Unset(path(dice)),
        2 => Change::Increment(path(dice), dice.0.random_range(-3..4)),
        3 => Change::Max(path(dice), number(dice)),
        4 => Change::Min(path(dice), number(dice)),
        5 => Change::Push("tags".into(), dice.value()),
        6 => Change::AddToSet("tags".into(), dice.values()),
        7 => Change::PullAll("tags".into(), dice.values()),
        8 => Change::Pull("tags".into(), Filter::gt("", dice.value()).or(Filter::eq("", dice.value()))),
        9 => Change::PopFirst("tags".into()),
        10 => {
            let to = match dice.0.random_range(0..3) {
                0 => Reposition::Front,
                1 => Reposition::Back,
                _ => Reposition::By(*[-2, -1, 0, 1, 2, i64::MAX].choose(&mut dice.0).unwrap()),
            };
            Change::MoveElement { array: "entries".into(), matching: task(dice), to }
        }
        11 => Change::SetInElements {
            array: "entries".into(),
            matching: task(dice),
            set: vec![("task".into(), dice.0.random_range(0..6).into()), ("deep.er".into(), dice.value())],
        },
        12 => Change::Pull("entries".into(), task(dice)),
        13 => Change::SetIfLess { path: path(dice), value: number(dice), along: along(dice) },
        14 => Change::SetIfGreater { path: path(dice), value: number(dice), along: along(dice) },
        15 => Change::SetIfMissing { path: path(dice), value: number(dice), along: along(dice) },
        _ => Change::RunningMean {
            mean: "m.mean".into(),
            count: "m.count".into(),
            total: f64::from(dice.0.random_range(-8..9)) / 4.0,
            n: dice.0.random_range(1..5),
        },
    }
}

/// Members in one order: a pipeline may add them in another.
fn ordered(value: &Bson) -> Bson {
    match value {
        Bson::Document(document) => {
            let mut members: Vec<_> =
                document.iter().map(|(name, value)| (name.clone(), ordered(value))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Bson::Document(members.into_iter().collect())
        }
        Bson::Array(array) => array.iter().map(ordered).collect::<Vec<_>>().into(),
        Bson::Int32(number) => Bson::Int64(i64::from(*number)),
        other => other.clone(),
    }
}

#[tokio::test]
async fn updates_of_any_kind() {
    let Some((store, databases)) = open("updates").await else { return };
    let mut dice = Dice::new(7);
    for round in 0..400 {
        let id = round.to_string();
        let entries: Vec<_> = (0..dice.0.random_range(0..5)).map(|task| doc! {"task": task}).collect();
        let mut document =
            doc! {"_id": &id, "m": {}, "entries": entries, "tags": dice.values(), "other": dice.value()};
        for path in ["m.a", "m.b", "n", "m.mean", "m.count"] {
            if dice.chance(0.5) {
                apply(&mut document, &[Change::set(path, dice.0.random_range(-3..4))], false).unwrap();
            }
        }
        store.write(Collection::Task, vec![Write::Insert(document.clone())]).await.unwrap();
        let update: Vec<_> = (0..dice.0.random_range(1..5)).map(|_| change(&mut dice)).collect();
        let mut expected = document.clone();
        apply(&mut expected, &update, false).unwrap();
        let write =
            Write::Update { filter: Filter::id(&*id), update: update.clone(), many: false, upsert: false };
        let outcome = store.write(Collection::Task, vec![write]).await.unwrap();
        assert_eq!(outcome.matched, 1);
        let found = store.find(Collection::Task, Find::new(Filter::id(id))).await.unwrap().remove(0);
        assert_eq!(
            format!("{:?}", ordered(&found.into())),
            format!("{:?}", ordered(&expected.into())),
            "{update:?} of {document}"
        );
    }
    databases.drop().await;
}
