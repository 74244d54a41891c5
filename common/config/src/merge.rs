//! How a later source changes what earlier ones said.

use crate::value::{Kind, Members, Value};

/// Merges `over` into `base`: objects merge deeply, everything else replaces. A key with a leading `-`
/// replaces the object of that name instead of merging into it (spec 01 §7.1).
pub(crate) fn merge(base: &mut Value, over: Value) {
    let Kind::Object(members) = over.kind else {
        *base = over;
        return;
    };
    if !matches!(base.kind, Kind::Object(_)) {
        base.origin = over.origin;
    }
    let target = base.object_mut();
    for (key, value) in members {
        merge_member(target, key, value);
    }
}

fn merge_member(target: &mut Members, key: String, value: Value) {
    if let Some(replaced) = key.strip_prefix('-').filter(|name| !name.is_empty()) {
        // Merged into nothing, so that the keys inside are read by the same rules.
        let mut fresh = Value::empty_object(value.origin.clone());
        merge(&mut fresh, value);
        target.insert(replaced.to_owned(), fresh);
        return;
    }
    if let Some(known) = target.get_mut(&key) {
        merge(known, value);
    } else {
        let mut fresh = Value::empty_object(value.origin.clone());
        merge(&mut fresh, value);
        target.insert(key, fresh);
    }
}
