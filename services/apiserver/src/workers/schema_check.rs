//! Requests that the official server checks against its JSON schema, with that check's error texts
//! (spec 01 §2): `Validation error: message=…, path=(…), validator=…`.

use bson::{Bson, Document};

use crate::{
    api::{ApiError, ApiResult, codes},
    python::repr,
};

/// What a field has to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Number,
    Integer,
    Boolean,
    /// A list of strings.
    Texts,
    /// A list of objects whose fields, where given, are one of some names.
    Objects(&'static [(&'static str, &'static [&'static str])]),
}

/// Checks the fields of a request that are given and not null. Errors: 400/12.
pub(super) fn check(request: &Document, required: &[&str], fields: &[(&str, Kind)]) -> ApiResult<()> {
    for (name, kind) in fields {
        match request.get(*name) {
            None | Some(Bson::Null) => {}
            Some(value) => check_value(name, value, *kind)?,
        }
    }
    for name in required {
        if matches!(request.get(*name), None | Some(Bson::Null)) {
            let names: Vec<Bson> = required.iter().map(|name| Bson::from(*name)).collect();
            return Err(violation(
                format!("'{name}' is a required property"),
                Vec::new(),
                ("required", names.into()),
                &request.clone().into(),
            ));
        }
    }
    Ok(())
}

fn check_value(name: &str, value: &Bson, kind: Kind) -> ApiResult<()> {
    let path = || vec![Bson::from(name)];
    match (kind, value) {
        (Kind::Number, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_))
        | (Kind::Integer, Bson::Int32(_) | Bson::Int64(_))
        | (Kind::Boolean, Bson::Boolean(_)) => Ok(()),
        (Kind::Integer, Bson::Double(number)) if number.fract() == 0.0 => Ok(()),
        (Kind::Texts, Bson::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                if !matches!(item, Bson::String(_)) {
                    return Err(wrong_type(item, "string", [path(), vec![(index as i64).into()]].concat()));
                }
            }
            Ok(())
        }
        (Kind::Objects(fields), Bson::Array(items)) => check_objects(name, items, fields),
        (Kind::Number, _) => Err(wrong_type(value, "number", path())),
        (Kind::Integer, _) => Err(wrong_type(value, "integer", path())),
        (Kind::Boolean, _) => Err(wrong_type(value, "boolean", path())),
        (Kind::Texts | Kind::Objects(_), _) => Err(wrong_type(value, "array", path())),
    }
}

fn check_objects(name: &str, items: &[Bson], fields: &[(&str, &[&str])]) -> ApiResult<()> {
    for (index, item) in items.iter().enumerate() {
        let path = vec![Bson::from(name), Bson::from(index as i64)];
        let Bson::Document(object) = item else { return Err(wrong_type(item, "object", path)) };
        for (field, choices) in fields {
            let Some(value) = object.get(*field).filter(|value| **value != Bson::Null) else { continue };
            if !value.as_str().is_some_and(|text| choices.contains(&text)) {
                let choices: Vec<Bson> = choices.iter().map(|choice| Bson::from(*choice)).collect();
                return Err(violation(
                    format!("{} is not one of {}", repr(value), repr(&choices.clone().into())),
                    [path, vec![Bson::from(*field)]].concat(),
                    ("enum", choices.into()),
                    value,
                ));
            }
        }
    }
    Ok(())
}

fn wrong_type(value: &Bson, expected: &str, path: Vec<Bson>) -> ApiError {
    violation(format!("{} is not of type '{expected}'", repr(value)), path, ("type", expected.into()), value)
}

fn violation(message: String, path: Vec<Bson>, validator: (&str, Bson), instance: &Bson) -> ApiError {
    let (name, value) = validator;
    ApiError::new(codes::VALIDATION_ERROR)
        .with("message", message)
        .with("path", path)
        .with("context", Vec::<Bson>::new())
        .with("cause", Bson::Null)
        .with("validator", name)
        .with("validator_value", value)
        .with("instance", instance.clone())
        .with("parent", Bson::Null)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn wrong_types_are_told_as_the_schema_check_tells_them() {
        let error = check(&doc! { "from_date": "a" }, &[], &[("from_date", Kind::Number)]).unwrap_err();
        assert_eq!(
            error.message(),
            "Validation error: message='a' is not of type 'number', path=(from_date), context=(), cause=None, \
             validator=type, validator_value=number, instance=a, parent=None"
        );
    }

    #[test]
    fn missing_and_unknown_are_refused() {
        let fields = [("items", Kind::Objects(&[("key", &["a", "b"])]))];
        assert!(check(&doc! { "items": Bson::Null }, &["items"], &fields).is_err());
        assert!(check(&doc! { "items": [{"key": "c"}] }, &["items"], &fields).is_err());
        assert!(check(&doc! { "items": [1] }, &["items"], &fields).is_err());
        assert!(check(&doc! { "items": [{"key": "a"}] }, &["items"], &fields).is_ok());
    }
}
