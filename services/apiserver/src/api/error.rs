//! Errors of the API: the table of codes and subcodes (spec 01 §4.2) and the error that handlers return.

use bson::{Bson, Document, doc};
use clearml_documents::StoreError;

use super::json::{ReadError, python_float};

/// HTTP status, subcode and default text of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    pub status: u16,
    pub subcode: u16,
    pub text: &'static str,
}

macro_rules! error_codes {
    ($($name:ident = $status:literal, $subcode:literal, $text:literal;)*) => {
        /// Every code that this server answers, named as in spec 01 §4.2.
        pub mod codes {
            use super::ErrorCode;
            $(pub const $name: ErrorCode =
                ErrorCode { status: $status, subcode: $subcode, text: $text };)*

            /// All of them.
            pub const ALL: &[ErrorCode] = &[$($name),*];
        }
    };
}

error_codes! {
    NOT_SUPPORTED = 400, 1, "Endpoint is not supported";
    REQUEST_PATH_HAS_INVALID_VERSION = 400, 2, "Request path has invalid version";
    INVALID_HEADERS = 400, 5, "Invalid headers";
    IMPERSONATION_ERROR = 400, 6, "Impersonation error";
    INVALID_ID = 400, 10, "Invalid object id";
    MISSING_REQUIRED_FIELDS = 400, 11, "Missing required fields";
    VALIDATION_ERROR = 400, 12, "Validation error";
    INVALID_FIELDS = 400, 14, "Fields not defined for object";
    FIELDS_CONFLICT = 400, 15, "Conflicting fields";
    FIELDS_VALUE_ERROR = 400, 16, "Invalid value for fields";
    BATCH_CONTAINS_NO_ITEMS = 400, 17, "Batch request contains no items";
    INVALID_REGEX_ERROR = 400, 21, "Malformed regular expression";
    INVALID_ACCESS_KEY = 400, 75, "Access key not found";
    INVALID_TASK_ID = 400, 101, "Invalid task id";
    INVALID_TASK_STATUS = 400, 110, "Invalid task status";
    FAILED_CHANGING_TASK_STATUS = 400, 121, "Failed changing task status. probably someone changed it before you";
    MISSING_TASK_FIELDS = 400, 122, "Task is missing expected fields";
    TASK_CANNOT_BE_DELETED = 400, 123, "Task cannot be deleted";
    EVENTS_NOT_ADDED = 400, 131, "Events not added";
    OPERATION_SUPPORTED_ON_REPORTS_ONLY = 400, 150, "Passed task is not report";
    CANNOT_REMOVE_ALL_RUNS = 400, 160, "At least one pipeline run should be left";
    INVALID_MODEL_ID = 400, 201, "Invalid model id";
    MODEL_IS_READY = 400, 203, "Model is ready";
    MODEL_IN_USE = 400, 205, "Model is used by tasks";
    MODEL_CREATING_TASK_EXISTS = 400, 206, "Task that created this model exists";
    INVALID_USER = 400, 300, "Invalid user";
    INVALID_USER_ID = 400, 301, "Invalid user id";
    USER_ID_EXISTS = 400, 302, "User id already exists";
    INVALID_PREFERENCES_UPDATE = 400, 305, "Malformed key and/or value";
    INVALID_PROJECT_ID = 400, 401, "Invalid project id";
    PROJECT_HAS_TASKS = 400, 402, "Project has associated tasks";
    PROJECT_HAS_MODELS = 400, 405, "Project has associated models";
    PROJECT_HAS_DATASETS = 400, 406, "Project has associated non-empty datasets";
    INVALID_PROJECT_NAME = 400, 407, "Invalid project name";
    CANNOT_UPDATE_PROJECT_LOCATION = 400, 408, "Cannot update project location. use projects.move instead";
    PROJECT_PATH_EXCEEDS_MAX = 400, 409, "Project path exceed the maximum allowed depth";
    PROJECT_SOURCE_AND_DESTINATION_ARE_THE_SAME = 400, 410, "Project has the same source and destination paths";
    PROJECT_CANNOT_BE_MOVED_UNDER_ITSELF = 400, 411, "Project can not be moved under itself in the projects hierarchy";
    PROJECT_CANNOT_BE_MERGED_INTO_ITS_CHILD = 400, 412, "Project can not be merged into its own child";
    PROJECT_HAS_PIPELINES = 400, 413, "Project has associated pipelines with active controllers";
    PUBLIC_PROJECT_EXISTS = 400, 414, "Cannot create project. public project with the same name already exists";
    INVALID_QUEUE_ID = 400, 701, "Invalid queue id";
    QUEUE_NOT_EMPTY = 400, 702, "Queue is not empty";
    INVALID_QUEUE_OR_TASK_NOT_QUEUED = 400, 703, "Invalid queue id or task not in queue";
    FAILED_ADDING_DURING_REPOSITION = 400, 705, "Failed adding task back to queue during reposition";
    TASK_ALREADY_QUEUED = 400, 706, "Failed adding task to queue since task is already queued";
    NO_DEFAULT_QUEUE = 400, 707, "No queue is tagged as the default queue for this company";
    MULTIPLE_DEFAULT_QUEUES = 400, 708, "More than one queue is tagged as the default queue for this company";
    DATA_VALIDATION_ERROR = 400, 800, "Data validation error";
    EXPECTED_UNIQUE_DATA = 400, 801, "Value combination already exists (unique field already contains this value)";
    INVALID_WORKER_ID = 400, 1001, "Invalid worker id";
    WORKER_REGISTRATION_FAILED = 400, 1002, "Worker registration failed";
    WORKER_NOT_REGISTERED = 400, 1004, "Worker is not registered";
    WORKER_STATS_NOT_FOUND = 400, 1005, "Worker stats not found";
    CONTAINER_NOT_REGISTERED = 400, 1051, "Container is not registered";
    NO_CONTAINERS_FOR_URL = 400, 1052, "No container instances found for service url";
    INVALID_SCROLL_ID = 400, 1104, "Invalid scroll id";
    BAD_AUTH_TYPE = 401, 10, "Unauthorized (bad authentication header type)";
    NO_CREDENTIALS = 401, 20, "Unauthorized (missing credentials)";
    BAD_CREDENTIALS = 401, 21, "Unauthorized (malformed credentials)";
    INVALID_CREDENTIALS = 401, 22, "Unauthorized (invalid credentials)";
    ROLE_NOT_ALLOWED = 403, 20, "Forbidden (not allowed for role)";
    NO_WRITE_PERMISSION = 403, 21, "Forbidden (modification not allowed)";
    GENERAL_ERROR = 500, 0, "General server error";
    INTERNAL_ERROR = 500, 1, "Internal server error";
    CONFIG_ERROR = 500, 2, "Configuration error";
    LOW_DISK_SPACE = 500, 4, "Critical server error! server reports low or insufficient disk space. please resolve immediately by allocating additional disk space or freeing up storage space.";
    DATA_ERROR = 500, 100, "General data error";
    BAD_REQUEST = 400, 0, "Bad request";
    REQUEST_TOO_LARGE = 413, 0, "Request is too large";
    UNKNOWN_ENDPOINT = 404, 0, "Unable to find endpoint";
    NO_LONGER_SUPPORTED = 301, 1, "This endpoint is no longer supported for the requested api version";
    OVERLOADED = 503, 0, "Server is busy, please try again";
    INVALID_TOKEN = 401, 30, "Invalid token";
}

/// The text of the answer to what cannot be read at all.
pub(crate) const NOT_UNDERSTOOD: &str =
    "The browser (or proxy) sent a request that this server could not understand.";

/// An error answered to the client: `<text> (<extra>): key=value, key=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    pub code: ErrorCode,
    /// Text that replaces the code's own (`None`: the code's).
    pub text: Option<String>,
    /// The part in parentheses.
    pub extra: Option<String>,
    /// The `key=value` pairs; also the `data` of an entry in a batch's `failed` list.
    pub arguments: Vec<(String, Bson)>,
}

impl ApiError {
    /// An error of the table with its default text.
    pub fn new(code: ErrorCode) -> Self {
        Self { code, text: None, extra: None, arguments: Vec::new() }
    }

    /// 400/12 with a detail in parentheses.
    pub fn validation(detail: impl Into<String>) -> Self {
        Self::new(codes::VALIDATION_ERROR).extra(detail)
    }

    /// 400/0 with its own text: the client's mistake, where no other code says which.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(codes::BAD_REQUEST).text(text)
    }

    /// 500/0 with its own text: a failure of the server, never of the client.
    pub fn unexpected(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::new(codes::GENERAL_ERROR) }
    }

    /// 400/0 for a body that is no JSON; 413/0 if it holds too much.
    pub(crate) fn not_understood(error: &ReadError) -> Self {
        tracing::debug!(%error, "refused a request body");
        match error {
            ReadError::TooMany(_) => Self::new(codes::REQUEST_TOO_LARGE).extra(error.to_string()),
            ReadError::Encoding(_) | ReadError::Syntax(_) | ReadError::TooDeep(_) => {
                Self::bad_request(NOT_UNDERSTOOD)
            }
        }
    }

    /// Whether this is a failure of the server that no code of the table foresees.
    pub(crate) fn is_unexpected(&self) -> bool {
        self.code == codes::GENERAL_ERROR || self.code == codes::INTERNAL_ERROR
    }

    /// The `error` of an entry in the `failed` list of a `*_many` call: `{codes, msg, data}`.
    pub(crate) fn to_batch_entry(&self) -> Document {
        let data: Document = self.arguments.iter().cloned().collect();
        doc! {
            "codes": [i32::from(self.code.status), i32::from(self.code.subcode)],
            "msg": self.message(),
            "data": data,
        }
    }

    /// Replaces the default text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the part in parentheses.
    #[must_use]
    pub fn extra(mut self, extra: impl Into<String>) -> Self {
        self.extra = Some(extra.into());
        self
    }

    /// Adds `key=value`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Bson>) -> Self {
        self.arguments.push((key.into(), value.into()));
        self
    }

    /// `meta.result_msg`.
    pub fn message(&self) -> String {
        let mut message = self.text.clone().unwrap_or_else(|| self.code.text.to_owned());
        if let Some(extra) = &self.extra {
            // 401 and 403 texts carry their reason in parentheses already: a second pair follows.
            message.extend([" (", extra, ")"]);
        }
        let arguments: Vec<String> =
            self.arguments.iter().map(|(key, value)| format!("{key}={}", python_text(value))).collect();
        if !arguments.is_empty() {
            message.push_str(": ");
            message.push_str(&arguments.join(", "));
        }
        message
    }
}

/// A value as it stands in error messages: text as is, lists `(a, b)`, objects `(key1, key2)`, others in
/// Python's way (`None`, `True`); spec 01 §4.1.
pub(crate) fn python_text(value: &Bson) -> String {
    match value {
        Bson::String(text) => text.clone(),
        Bson::Null => "None".to_owned(),
        Bson::Boolean(true) => "True".to_owned(),
        Bson::Boolean(false) => "False".to_owned(),
        Bson::Array(items) => {
            format!("({})", items.iter().map(python_text).collect::<Vec<_>>().join(", "))
        }
        Bson::Document(document) => {
            format!("({})", document.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        Bson::Double(number) => python_float(*number),
        Bson::DateTime(date) => super::json::iso_date(*date).replace('T', " "),
        other => other.to_string(),
    }
}

/// A value as Python's `repr` prints it: texts in quotes, lists and objects in full.
pub(crate) fn python_repr(value: &Bson) -> String {
    match value {
        Bson::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
        Bson::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Bson::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Bson::Document(document) => {
            let members = document.iter().map(|(key, value)| {
                format!("{}: {}", python_repr(&Bson::String(key.clone())), python_repr(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => python_text(other),
    }
}

/// Store errors as the API answers them (spec 01 §4.3).
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Duplicate { key, .. } => {
                let mut api_error = Self::new(codes::EXPECTED_UNIQUE_DATA);
                for (field, value) in key {
                    api_error = api_error.with(field, value);
                }
                api_error
            }
            StoreError::InvalidRegex(text) => {
                Self::new(codes::INVALID_REGEX_ERROR).with("err", text).with("extra_info", Bson::Null)
            }
            StoreError::InvalidValue(text) => Self::new(codes::DATA_VALIDATION_ERROR).extra(text),
            // Only a search that the client asked for needs one.
            StoreError::NoTextIndex => Self::validation(error.to_string()),
            StoreError::Unavailable(_) | StoreError::Backend(_) => {
                Self::new(codes::INTERNAL_ERROR).with("err", error.to_string())
            }
        }
    }
}

impl From<clearml_events::EventError> for ApiError {
    fn from(error: clearml_events::EventError) -> Self {
        match error {
            clearml_events::EventError::DiskFull(reason) => Self::new(codes::LOW_DISK_SPACE)
                .extra("metrics, logs and all indexed data is in read-only mode!")
                .with("reason", reason),
            clearml_events::EventError::InvalidPosition => Self::new(codes::INVALID_SCROLL_ID),
            other => Self::new(codes::DATA_ERROR).extra(other.to_string()),
        }
    }
}

impl From<clearml_state::StateError> for ApiError {
    fn from(error: clearml_state::StateError) -> Self {
        Self::new(codes::INTERNAL_ERROR).with("err", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_text_extra_and_arguments() {
        let error = ApiError::new(codes::INVALID_USER_ID);
        assert_eq!(error.message(), "Invalid user id");
        let error = error.with("id", "x").with("company", Bson::Null).with("ids", vec!["a", "b"]);
        assert_eq!(error.message(), "Invalid user id: id=x, company=None, ids=(a, b)");
        assert_eq!(
            error.extra("because").message(),
            "Invalid user id (because): id=x, company=None, ids=(a, b)"
        );
    }

    #[test]
    fn values_print_as_python_prints_them() {
        let values = doc! {"a": true, "b": 1.0, "c": 1_i64, "d": {"x": 1, "y": 2}, "e": "t"};
        let texts: Vec<String> = values.iter().map(|(_, value)| python_text(value)).collect();
        assert_eq!(texts, ["True", "1.0", "1", "(x, y)", "t"]);
        assert_eq!(
            python_repr(&values.into()),
            "{'a': True, 'b': 1.0, 'c': 1, 'd': {'x': 1, 'y': 2}, 'e': 't'}"
        );
        assert_eq!(python_repr(&Bson::String("it's".into())), "\"it's\"");
    }

    #[test]
    fn entries_of_failed_lists_carry_codes_message_and_data() {
        let error = ApiError::new(codes::INVALID_TASK_ID).with("id", "x");
        assert_eq!(
            error.to_batch_entry(),
            doc! {"codes": [400, 101], "msg": "Invalid task id: id=x", "data": {"id": "x"}}
        );
    }
}
