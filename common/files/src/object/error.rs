//! What a store's failures mean for files.

use std::error::Error as _;

use object_store::{
    Error,
    client::{HttpError, HttpErrorKind},
};

use crate::FileError;

/// How stores say that there is no room left.
const NO_SPACE: [&str; 6] =
    ["507 Insufficient", "QuotaExceeded", "StorageFull", "InsufficientStorage", "StorageLimit", "NoSpace"];

/// The same failure in the words of [`FileError`].
pub(super) fn file_error(error: Error) -> FileError {
    if matches!(error, Error::NotFound { .. }) {
        // A missing bucket looks like a missing object, but it is a mistake of the installation.
        if says(&error, &["NoSuchBucket", "ContainerNotFound"]) {
            return FileError::Io(std::io::Error::other(reason(&error)));
        }
        return FileError::NotFound;
    }
    if says(&error, &NO_SPACE) {
        return FileError::NoSpace;
    }
    if is_unavailable(&error) {
        return FileError::Unavailable(reason(&error));
    }
    FileError::Io(std::io::Error::other(error))
}

/// Whether the store did not answer, or that it can't at the moment.
fn is_unavailable(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(one) = cause {
        if let Some(http) = one.downcast_ref::<HttpError>() {
            return matches!(
                http.kind(),
                HttpErrorKind::Connect
                    | HttpErrorKind::Request
                    | HttpErrorKind::Timeout
                    | HttpErrorKind::Interrupted
            );
        }
        cause = one.source();
    }
    says(error, &["status code: 5", "status code: 429", "SlowDown", "InternalError"])
}

fn says(error: &Error, words: &[&str]) -> bool {
    let text = error.to_string();
    words.iter().any(|word| text.contains(word))
}

/// What went wrong, in one line without addresses and request ids: stores tell it in XML with a code and a
/// message, connections in the innermost cause.
pub(super) fn reason(error: &Error) -> String {
    let text = error.to_string();
    let inner = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>"))
            .map(|(inner, _)| inner.lines().next().unwrap_or_default().trim())
    };
    match (inner("Code"), inner("Message")) {
        (Some(code), Some(message)) if !message.is_empty() => return format!("{code}: {message}"),
        (Some(code), _) => return code.to_owned(),
        _ => {}
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}
