//! What a [`Change`] does to a document: the one place that knows MongoDB's updates.

use std::cmp::Ordering;

use bson::{Bson, Document, RawBson};

use crate::{
    Change, Matcher, Reposition, StoreError, StoreResult,
    matcher::invalid_value,
    value::{Collation, compare},
};

/// An array longer than this is not made by assigning to a far index.
const MAX_PADDED_INDEX: usize = 100_000;

/// As deep as MongoDB lets documents be.
const MAX_PATH_DEPTH: usize = 100;

/// Applies the changes in order; `inserting` says whether an upsert makes the document.
///
/// Errors: [`StoreError::InvalidValue`] when a path leads through a scalar or is malformed, when an array
/// operation meets something else, or when `_id` would change. The document is then partly changed and must
/// be thrown away.
pub fn apply(document: &mut Document, update: &[Change], inserting: bool) -> StoreResult<()> {
    let id = document.get("_id").cloned();
    // Conditions read the document as it was; few updates have any.
    let before = update.iter().any(Change::reads_before).then(|| document.clone());
    for change in update {
        apply_change(document, before.as_ref(), change, inserting)?;
    }
    if id.is_some() && document.get("_id") != id.as_ref() {
        return Err(StoreError::InvalidValue("the _id of a document can't change".to_owned()));
    }
    Ok(())
}

impl Change {
    const fn reads_before(&self) -> bool {
        matches!(
            self,
            Self::SetIfLess { .. }
                | Self::SetIfGreater { .. }
                | Self::SetIfMissing { .. }
                | Self::RunningMean { .. }
        )
    }
}

fn apply_change(
    document: &mut Document,
    before: Option<&Document>,
    change: &Change,
    inserting: bool,
) -> StoreResult<()> {
    let previous = |path: &str| before.and_then(|before| lookup(before, path));
    match change {
        Change::Set(path, value) => set(document, path, value.clone()),
        Change::SetOnInsert(path, value) if inserting => set(document, path, value.clone()),
        Change::SetOnInsert(..) => Ok(()),
        Change::Unset(path) => unset(document, path),
        Change::Increment(path, amount) => increment(document, path, *amount),
        Change::Max(path, value) => set_extreme(document, path, value, Ordering::Less),
        Change::Min(path, value) => set_extreme(document, path, value, Ordering::Greater),
        Change::Push(path, value) => {
            array_or_new(document, path)?.push(value.clone());
            Ok(())
        }
        Change::AddToSet(path, values) => add_to_set(array_or_new(document, path)?, values),
        Change::PullAll(path, values) => retain(document, path, |element| Ok(!contains(values, element)?)),
        Change::Pull(path, condition) => {
            let matcher = Matcher::new(condition, false)?;
            retain(document, path, |element| Ok(!matcher.matches_value(element)?))
        }
        Change::PopFirst(path) => {
            if let Some(array) = array_if_present(document, path)?
                && !array.is_empty()
            {
                array.remove(0);
            }
            Ok(())
        }
        Change::SetInElements { array, matching, set: fields } => {
            let matcher = Matcher::new(matching, false)?;
            for element in array_if_present(document, array)?.into_iter().flatten() {
                if matcher.matches_value(element)?
                    && let Bson::Document(element) = element
                {
                    set_all(element, fields)?;
                }
            }
            Ok(())
        }
        Change::MoveElement { array, matching, to } => {
            let matcher = Matcher::new(matching, false)?;
            match array_if_present(document, array)? {
                Some(array) => move_element(array, &matcher, *to),
                None => Ok(()),
            }
        }
        Change::SetIfLess { path, value, along } => {
            if is_empty_or(previous(path), value, Ordering::Greater)? {
                set(document, path, value.clone())?;
                set_all(document, along)?;
            }
            Ok(())
        }
        Change::SetIfGreater { path, value, along } => {
            if is_empty_or(previous(path), value, Ordering::Less)? {
                set(document, path, value.clone())?;
                set_all(document, along)?;
            }
            Ok(())
        }
        Change::SetIfMissing { path, value, along } => {
            if matches!(previous(path), None | Some(Bson::Null)) {
                set(document, path, value.clone())?;
                set_all(document, along)?;
            }
            Ok(())
        }
        Change::RunningMean { mean, count, total, n } => {
            let old_mean = previous(mean).and_then(number).unwrap_or(0.0);
            let old_count = previous(count).and_then(number).unwrap_or(0.0);
            let new_count = old_count + *n as f64;
            let new_mean = if new_count == 0.0 {
                0.0
            } else {
                round_half_even((old_mean * old_count + total) / new_count)
            };
            set(document, mean, Bson::Double(new_mean))?;
            set(document, count, Bson::Int64(new_count as i64))
        }
    }
}

/// The value at a path of members and array indexes.
pub(crate) fn lookup<'a>(document: &'a Document, path: &str) -> Option<&'a Bson> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let mut value = document.get(first)?;
    for segment in rest.into_iter().flat_map(|rest| rest.split('.')) {
        value = match value {
            Bson::Document(document) => document.get(segment)?,
            Bson::Array(array) => array.get(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

fn number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        _ => None,
    }
}

/// Two decimals, halves to the even neighbour (spec 05 §3.6).
fn round_half_even(value: f64) -> f64 {
    let rounded = (value * 100.0).round_ties_even() / 100.0;
    if rounded.is_finite() { rounded } else { value }
}

fn order(left: &Bson, right: &Bson) -> StoreResult<Ordering> {
    let raw = |value: &Bson| RawBson::try_from(value.clone()).map_err(invalid_value);
    let (left, right) = (raw(left)?, raw(right)?);
    Ok(compare(left.as_raw_bson_ref(), right.as_raw_bson_ref(), Collation::Binary))
}

fn is_empty_or(present: Option<&Bson>, value: &Bson, wanted: Ordering) -> StoreResult<bool> {
    match present {
        None | Some(Bson::Null) => Ok(true),
        Some(present) => Ok(order(present, value)? == wanted),
    }
}

fn set_extreme(document: &mut Document, path: &str, value: &Bson, replaced: Ordering) -> StoreResult<()> {
    let replace = match lookup(document, path) {
        None => true,
        Some(present) => order(present, value)? == replaced,
    };
    if replace { set(document, path, value.clone()) } else { Ok(()) }
}

fn increment(document: &mut Document, path: &str, amount: i64) -> StoreResult<()> {
    let sum =
        match lookup(document, path) {
            None => Bson::Int64(amount),
            Some(Bson::Int32(number)) => Bson::Int64(i64::from(*number) + amount),
            Some(Bson::Int64(number)) => Bson::Int64(number.checked_add(amount).ok_or_else(|| {
                StoreError::InvalidValue(format!("{path} would leave the range of integers"))
            })?),
            Some(Bson::Double(number)) => Bson::Double(number + amount as f64),
            Some(_) => return Err(StoreError::InvalidValue(format!("{path} is not a number"))),
        };
    set(document, path, sum)
}

fn set_all(document: &mut Document, fields: &[(String, Bson)]) -> StoreResult<()> {
    fields.iter().try_for_each(|(path, value)| set(document, path, value.clone()))
}

/// Assigns, making missing parents.
fn set(document: &mut Document, path: &str, value: Bson) -> StoreResult<()> {
    *place(document, path)? = value;
    Ok(())
}

/// The place that a path names, made when missing.
fn place<'a>(document: &'a mut Document, path: &str) -> StoreResult<&'a mut Bson> {
    check_path(path)?;
    let (first, rest) = path.split_once('.').map_or((path, ""), |(first, rest)| (first, rest));
    let mut slot = document.entry(first).or_insert(if rest.is_empty() {
        Bson::Null
    } else {
        Bson::Document(Document::new())
    });
    let mut rest = rest.split('.').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = rest.next() {
        let default = if rest.peek().is_some() { Bson::Document(Document::new()) } else { Bson::Null };
        slot = match slot {
            Bson::Document(document) => document.entry(segment).or_insert(default),
            Bson::Array(array) => {
                let index = segment.parse::<usize>().ok().filter(|index| *index < MAX_PADDED_INDEX);
                let Some(index) = index else { return Err(not_below(segment, path)) };
                if index >= array.len() {
                    array.resize(index + 1, Bson::Null);
                    array[index] = default;
                }
                &mut array[index]
            }
            _ => return Err(not_below(segment, path)),
        };
    }
    Ok(slot)
}

fn not_below(segment: &str, path: &str) -> StoreError {
    StoreError::InvalidValue(format!(
        "cannot create field '{segment}' of '{path}' in a value that is no object"
    ))
}

/// Refuses paths that no store can write.
pub(crate) fn check_path(path: &str) -> StoreResult<()> {
    if path.split('.').any(str::is_empty) {
        return Err(StoreError::InvalidValue(format!("the path '{path}' contains an empty field name")));
    }
    if path.split('.').count() > MAX_PATH_DEPTH {
        return Err(StoreError::InvalidValue(format!("a path has more than {MAX_PATH_DEPTH} parts")));
    }
    if path.contains('\0') {
        return Err(StoreError::InvalidValue("a field name contains a zero byte".to_owned()));
    }
    Ok(())
}

fn unset(document: &mut Document, path: &str) -> StoreResult<()> {
    check_path(path)?;
    let Some((parents, last)) = path.rsplit_once('.') else {
        document.remove(path);
        return Ok(());
    };
    match lookup_mut(document, parents) {
        Some(Bson::Document(parent)) => {
            parent.remove(last);
        }
        Some(Bson::Array(parent)) => {
            if let Some(element) = last.parse::<usize>().ok().and_then(|index| parent.get_mut(index)) {
                *element = Bson::Null;
            }
        }
        _ => {}
    }
    Ok(())
}

fn lookup_mut<'a>(document: &'a mut Document, path: &str) -> Option<&'a mut Bson> {
    let mut segments = path.split('.');
    let mut value = document.get_mut(segments.next()?)?;
    for segment in segments {
        value = match value {
            Bson::Document(document) => document.get_mut(segment)?,
            Bson::Array(array) => array.get_mut(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

fn not_an_array(path: &str) -> StoreError {
    StoreError::InvalidValue(format!("the field '{path}' must be an array"))
}

fn array_or_new<'a>(document: &'a mut Document, path: &str) -> StoreResult<&'a mut Vec<Bson>> {
    if lookup(document, path).is_none() {
        set(document, path, Bson::Array(Vec::new()))?;
    }
    match place(document, path)? {
        Bson::Array(array) => Ok(array),
        _ => Err(not_an_array(path)),
    }
}

fn array_if_present<'a>(document: &'a mut Document, path: &str) -> StoreResult<Option<&'a mut Vec<Bson>>> {
    check_path(path)?;
    match lookup_mut(document, path) {
        None => Ok(None),
        Some(Bson::Array(array)) => Ok(Some(array)),
        Some(_) => Err(not_an_array(path)),
    }
}

/// Whether one of the values equals the wanted one.
pub(crate) fn contains(values: &[Bson], wanted: &Bson) -> StoreResult<bool> {
    for value in values {
        if value == wanted || order(value, wanted)?.is_eq() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn add_to_set(array: &mut Vec<Bson>, values: &[Bson]) -> StoreResult<()> {
    for value in values {
        if !contains(array, value)? {
            array.push(value.clone());
        }
    }
    Ok(())
}

fn retain(
    document: &mut Document,
    path: &str,
    mut keep: impl FnMut(&Bson) -> StoreResult<bool>,
) -> StoreResult<()> {
    let Some(array) = array_if_present(document, path)? else { return Ok(()) };
    let mut failure = None;
    array.retain(|element| match keep(element) {
        Ok(keep) => keep,
        Err(error) => {
            failure = Some(error);
            true
        }
    });
    failure.map_or(Ok(()), Err)
}

fn move_element(array: &mut Vec<Bson>, matcher: &Matcher, to: Reposition) -> StoreResult<()> {
    for from in 0..array.len() {
        if !matcher.matches_value(&array[from])? {
            continue;
        }
        let last = array.len() - 1;
        let target = match to {
            Reposition::Front => 0,
            Reposition::Back => last,
            Reposition::By(steps) => (from as i64).saturating_add(steps).clamp(0, last as i64) as usize,
        };
        let element = array.remove(from);
        array.insert(target, element);
        return Ok(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::{bson, doc};

    use super::*;
    use crate::Filter;

    #[track_caller]
    fn check(before: Document, update: &[Change], after: &Document) {
        let mut document = before;
        apply(&mut document, update, false).unwrap();
        assert_eq!(&document, after);
    }

    #[track_caller]
    fn refused(mut document: Document, change: Change) {
        assert!(matches!(apply(&mut document, &[change], false), Err(StoreError::InvalidValue(_))));
    }

    #[test]
    fn set_and_unset_follow_paths() {
        check(doc! {}, &[Change::set("a.b.c", 1)], &doc! {"a": {"b": {"c": 1}}});
        check(doc! {"a": [{"x": 1}]}, &[Change::set("a.0.x", 2)], &doc! {"a": [{"x": 2}]});
        check(doc! {"a": [1]}, &[Change::set("a.2", 3)], &doc! {"a": [1, null, 3]});
        check(doc! {"a": {"b": 1, "c": 2}}, &[Change::unset("a.b")], &doc! {"a": {"c": 2}});
        check(doc! {"a": 1}, &[Change::unset("a.b"), Change::unset("x.y")], &doc! {"a": 1});
        check(doc! {"a": 1, "b": 2}, &[Change::set("a", 3)], &doc! {"a": 3, "b": 2});
        refused(doc! {"a": 1}, Change::set("a.b", 1));
        refused(doc! {"a": [1]}, Change::set("a.b", 1));
        refused(doc! {}, Change::set("a..b", 1));
        refused(doc! {}, Change::set("", 1));
        refused(doc! {}, Change::set(["a"; 101].join("."), 1));
        refused(doc! {"_id": "a"}, Change::set("_id", "b"));
    }

    #[test]
    fn on_insert_applies_to_inserts_only() {
        let change = [Change::SetOnInsert("a".into(), 1.into())];
        check(doc! {}, &change, &doc! {});
        let mut document = doc! {};
        apply(&mut document, &change, true).unwrap();
        assert_eq!(document, doc! {"a": 1});
    }

    #[test]
    fn numbers_are_counted() {
        check(doc! {"n": 1}, &[Change::Increment("n".into(), 2)], &doc! {"n": 3_i64});
        check(doc! {}, &[Change::Increment("n".into(), -2)], &doc! {"n": -2_i64});
        check(doc! {"n": 0.5}, &[Change::Increment("n".into(), 1)], &doc! {"n": 1.5});
        refused(doc! {"n": "1"}, Change::Increment("n".into(), 1));
        refused(doc! {"n": i64::MAX}, Change::Increment("n".into(), 1));
        check(doc! {"n": 1}, &[Change::Max("n".into(), 2.into())], &doc! {"n": 2});
        check(doc! {"n": 3}, &[Change::Max("n".into(), 2.into())], &doc! {"n": 3});
        check(doc! {}, &[Change::Max("n".into(), 2.into())], &doc! {"n": 2});
        check(doc! {"n": 3}, &[Change::Min("n".into(), 2.into())], &doc! {"n": 2});
    }

    #[test]
    fn arrays_grow_and_shrink() {
        check(doc! {}, &[Change::Push("a".into(), 1.into())], &doc! {"a": [1]});
        let add = Change::AddToSet("a".into(), vec![1.into(), 2.into(), 2.into()]);
        check(doc! {"a": [1_i64]}, &[add], &doc! {"a": [1_i64, 2]});
        let pull_all = Change::PullAll("a".into(), vec![1.into(), "x".into()]);
        check(doc! {"a": [1, "x", 1.0, 2]}, std::slice::from_ref(&pull_all), &doc! {"a": [2]});
        check(doc! {}, &[pull_all], &doc! {});
        let pull = Change::Pull("e".into(), Filter::eq("task", "t"));
        check(doc! {"e": [{"task": "t"}, {"task": "u"}]}, &[pull], &doc! {"e": [{"task": "u"}]});
        let pull = Change::Pull("a".into(), Filter::gt("", 1));
        check(doc! {"a": [1, 2, 3]}, &[pull], &doc! {"a": [1]});
        check(doc! {"a": [1, 2]}, &[Change::PopFirst("a".into())], &doc! {"a": [2]});
        check(doc! {"a": []}, &[Change::PopFirst("a".into())], &doc! {"a": []});
        check(doc! {}, &[Change::PopFirst("a".into())], &doc! {});
        refused(doc! {"a": 1}, Change::Push("a".into(), 1.into()));
        refused(doc! {"a": 1}, Change::PopFirst("a".into()));
    }

    #[test]
    fn elements_are_changed_in_place() {
        let set = Change::SetInElements {
            array: "e".into(),
            matching: Filter::eq("m", "x"),
            set: vec![("m".into(), "y".into())],
        };
        let before = doc! {"e": [{"m": "x", "n": 1}, {"m": "z"}, {"m": "x"}]};
        check(before, &[set], &doc! {"e": [{"m": "y", "n": 1}, {"m": "z"}, {"m": "y"}]});
    }

    #[test]
    fn elements_move() {
        let move_to = |to| Change::MoveElement { array: "a".into(), matching: Filter::eq("", 2), to };
        let before = doc! {"a": [1, 2, 3, 4]};
        check(before.clone(), &[move_to(Reposition::By(1))], &doc! {"a": [1, 3, 2, 4]});
        check(before.clone(), &[move_to(Reposition::By(-9))], &doc! {"a": [2, 1, 3, 4]});
        check(before.clone(), &[move_to(Reposition::By(i64::MAX))], &doc! {"a": [1, 3, 4, 2]});
        check(before.clone(), &[move_to(Reposition::Front)], &doc! {"a": [2, 1, 3, 4]});
        check(before, &[move_to(Reposition::Back)], &doc! {"a": [1, 3, 4, 2]});
        check(doc! {"a": [1]}, &[move_to(Reposition::Back)], &doc! {"a": [1]});
    }

    #[test]
    fn conditions_read_the_document_as_it_was() {
        let along = |value: i32| vec![("at".to_owned(), Bson::Int32(value))];
        let less = Change::SetIfLess { path: "min".into(), value: 1.into(), along: along(7) };
        let more = Change::SetIfGreater { path: "max".into(), value: 9.into(), along: vec![] };
        let once = Change::SetIfMissing { path: "first".into(), value: 1.into(), along: vec![] };
        let set = Change::set("min", 0);
        check(
            doc! {"min": 3, "max": 10, "first": 5},
            &[set, less.clone(), more.clone(), once.clone()],
            &doc! {"min": 1, "max": 10, "first": 5, "at": 7},
        );
        check(
            doc! {"min": null},
            &[less.clone(), more, once],
            &doc! {"min": 1, "at": 7, "max": 9, "first": 1},
        );
        check(doc! {"min": 1}, &[less], &doc! {"min": 1});
    }

    #[test]
    fn means_run() {
        let mean = |total, n| Change::RunningMean { mean: "m".into(), count: "c".into(), total, n };
        check(doc! {}, &[mean(3.0, 2)], &doc! {"m": 1.5, "c": 2_i64});
        check(doc! {"m": 1.5, "c": 2}, &[mean(0.0, 1)], &doc! {"m": 1.0, "c": 3_i64});
        check(doc! {}, &[mean(0.125, 1)], &doc! {"m": 0.12, "c": 1_i64});
    }

    #[test]
    fn values_of_any_kind_are_compared() {
        check(
            doc! {"a": [{"x": 1}, bson!([1])]},
            &[Change::PullAll("a".into(), vec![bson!({"x": 1})])],
            &doc! {
                "a": [[1]]
            },
        );
    }
}
