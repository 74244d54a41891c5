//! What MongoDB's errors mean to callers.

use bson::{Bson, Document};
use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::StoreError;

/// A key of a unique index is taken (11001 and 12582: old servers and mongos).
const DUPLICATE_KEY: &[i32] = &[11000, 11001, 12582];

/// A regular expression does not compile, is too long, or holds a zero byte.
const INVALID_REGEX: &[i32] = &[51091, 51108, 51109, 51111, 5_156_300, 5_156_304];

/// `$text` without a text index.
const NO_TEXT_INDEX: &[i32] = &[27];

/// The request holds what can't be stored or asked: bad values and types, paths through scalars, conflicting
/// paths, empty or `$` names, a changed `_id`, documents that are too large, orders by parallel arrays.
const INVALID_VALUE: &[i32] = &[
    2, 9, 14, 15, 28, 40, 52, 53, 54, 55, 56, 57, 66, 121, 10003, 10334, 16410, 16411, 16412, 17280, 17419,
    17420, 28664, 31249, 31250, 31253, 31254, 40218, 40352, 40353,
];

/// The server is starting, stopping, in an election or out of resources, or the operation ran out of time:
/// worth another try.
const UNAVAILABLE: &[i32] = &[
    6, 7, 24, 43, 50, 64, 89, 91, 100, 112, 133, 134, 189, 202, 216, 237, 251, 262, 290, 314, 317, 358, 384,
    9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436, 14031,
];

/// What an error of the driver or the server means.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn mongo_error(error: Error) -> StoreError {
    mongo_error_in("", &error)
}

/// The same, for a write to a collection.
pub(super) fn mongo_error_in(collection: &'static str, error: &Error) -> StoreError {
    if let Some(response) = error.server_response().and_then(|response| Document::try_from(&**response).ok())
        && let Some(failure) = failure_in(&response)
    {
        return failure.meaning(collection);
    }
    let text = error.kind.to_string();
    match &*error.kind {
        ErrorKind::Command(command) => Failure::new(command.code, &command.message).meaning(collection),
        ErrorKind::Write(WriteFailure::WriteError(write)) => {
            Failure::new(write.code, &write.message).meaning(collection)
        }
        // Stored, but maybe not on a majority: it could be lost.
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            StoreError::Unavailable(concern.message.clone())
        }
        ErrorKind::InsertMany(many) => match many.write_errors.iter().flatten().next() {
            Some(write) => Failure::new(write.code, &write.message).meaning(collection),
            None => StoreError::Unavailable(text),
        },
        ErrorKind::InvalidArgument { message, .. } => StoreError::InvalidValue(message.clone()),
        ErrorKind::BsonSerialization(_) | ErrorKind::Bson(_) => StoreError::InvalidValue(text),
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Shutdown => StoreError::Unavailable(text),
        _ => StoreError::Backend(text),
    }
}

/// An error as a server answers it.
#[derive(Debug)]
pub(super) struct Failure {
    code: i32,
    message: String,
    /// The fields of a unique index with the values that are taken.
    key: Vec<(String, Bson)>,
}

/// The first error in an answer, if there is one: of the command, of one of its writes, or of their durability.
pub(super) fn failure_in(response: &Document) -> Option<Failure> {
    let write = response.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document());
    let concern = response.get_document("writeConcernError").ok();
    let command = (number(response, "ok") == Some(0)).then_some(response);
    let error = write.or(command).or(concern)?;
    let mut failure = Failure::new(
        number(error, "code").unwrap_or_default() as i32,
        error.get_str("errmsg").unwrap_or("an error without a message"),
    );
    if write.is_none() && command.is_none() {
        failure.code = UNAVAILABLE[0];
    }
    failure.key = key_of(error, &failure.message);
    Some(failure)
}

impl Failure {
    fn new(code: i32, message: &str) -> Self {
        Self { code, message: message.to_owned(), key: key_in_message(message) }
    }

    pub(super) fn meaning(self, collection: &'static str) -> StoreError {
        let Self { code, message, key } = self;
        if DUPLICATE_KEY.contains(&code) {
            return StoreError::Duplicate { collection, key };
        }
        if NO_TEXT_INDEX.contains(&code) {
            return StoreError::NoTextIndex;
        }
        let about_regex = code == 2 && message.to_lowercase().contains("regular expression");
        if INVALID_REGEX.contains(&code) || about_regex {
            return StoreError::InvalidRegex(message);
        }
        if INVALID_VALUE.contains(&code) {
            return StoreError::InvalidValue(message);
        }
        if UNAVAILABLE.contains(&code) {
            return StoreError::Unavailable(message);
        }
        StoreError::Backend(format!("{message} (code {code})"))
    }
}

fn number(document: &Document, field: &str) -> Option<i64> {
    match document.get(field)? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => Some(*number as i64),
        _ => None,
    }
}

/// Fields in the order of the index, values of the document.
fn key_of(error: &Document, message: &str) -> Vec<(String, Bson)> {
    let Ok(values) = error.get_document("keyValue") else { return key_in_message(message) };
    let fields = error.get_document("keyPattern").unwrap_or(values);
    fields.keys().map(|field| (field.clone(), values.get(field).cloned().unwrap_or(Bson::Null))).collect()
}

/// From `… index: name_1_company_1 dup key: { name: "q", company: "c" }`: the fields with texts as values.
fn key_in_message(message: &str) -> Vec<(String, Bson)> {
    let Some((_, key)) = message.split_once("dup key: {") else { return Vec::new() };
    let key = key.rsplit_once('}').map_or(key, |(key, _)| key);
    key.split(", ")
        .filter_map(|member| {
            let (field, value) = member.split_once(": ")?;
            Some((field.trim().to_owned(), Bson::from(value.trim().trim_matches('"'))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn meaning(response: &Document) -> StoreError {
        failure_in(response).unwrap().meaning("queue")
    }

    #[test]
    fn duplicates_name_the_fields_of_the_index() {
        let error = doc! {"index": 0, "code": 11000, "errmsg": "E11000 duplicate key",
        "keyPattern": {"name": 1, "company": 1}, "keyValue": {"company": "c", "name": "q"}};
        let expected = [("name".to_owned(), "q".into()), ("company".to_owned(), "c".into())];
        for response in [doc! {"ok": 1, "writeErrors": [error.clone()]}, {
            let mut command = error;
            command.insert("ok", 0.0);
            command
        }] {
            match meaning(&response) {
                StoreError::Duplicate { collection: "queue", key } => assert_eq!(key, expected),
                other => panic!("{other:?}"),
            }
        }
        let old =
            "E11000 duplicate key error collection: b.q index: n_1 dup key: { name: \"q\", company: \"c\" }";
        match Failure::new(11000, old).meaning("queue") {
            StoreError::Duplicate { key, .. } => assert_eq!(key, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes_are_told_apart() {
        let of = |code: i32, message: &str| meaning(&doc! {"ok": 0.0, "code": code, "errmsg": message});
        assert!(matches!(of(51091, "Regular expression is invalid"), StoreError::InvalidRegex(_)));
        assert!(matches!(of(27, "text index required for $text query"), StoreError::NoTextIndex));
        assert!(matches!(of(14, "Cannot increment"), StoreError::InvalidValue(_)));
        assert!(matches!(of(50, "operation exceeded time limit"), StoreError::Unavailable(_)));
        assert!(matches!(of(10107, "not primary"), StoreError::Unavailable(_)));
        assert!(matches!(of(13, "not authorized"), StoreError::Backend(_)));
        let concern =
            doc! {"ok": 1, "n": 1, "writeConcernError": {"code": 64, "errmsg": "waiting timed out"}};
        assert!(matches!(meaning(&concern), StoreError::Unavailable(_)));
        assert!(failure_in(&doc! {"ok": 1.0, "n": 1}).is_none());
    }
}
