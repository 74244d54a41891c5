//! Field paths as MongoDB takes them.

use bson::{Bson, doc};

use super::filter::literal;
use crate::{StoreError, StoreResult};

/// Refuses a path that MongoDB would take for an operator.
pub(super) fn check_name(path: &str) -> StoreResult<()> {
    if path.starts_with('$') {
        return Err(StoreError::InvalidValue(format!("the field name '{path}' starts with '$'")));
    }
    if path.contains('\0') {
        return Err(StoreError::InvalidValue("a field name contains a zero byte".to_owned()));
    }
    Ok(())
}

/// The value of a field of the document at hand in an expression, with MongoDB's way through arrays.
pub(super) fn field(path: &str) -> Bson {
    if path.split('.').all(is_plain) {
        return Bson::String(format!("${path}"));
    }
    path.split('.').fold(Bson::String("$$ROOT".to_owned()), member)
}

/// The member of a document in an expression.
pub(super) fn member(of: Bson, name: &str) -> Bson {
    match of {
        Bson::String(variable) if is_plain(name) && variable.starts_with("$$") => {
            Bson::String(format!("{variable}.{name}"))
        }
        of => doc! {"$getField": {"field": literal(name), "input": of}}.into(),
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('$')
}
