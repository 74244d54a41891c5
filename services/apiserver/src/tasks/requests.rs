//! Request forms that several endpoints share.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::{ApiError, ApiResult};

/// Names one task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ByTask {
    pub(crate) task: String,
}

/// Names tasks, as the hyperparameter endpoints spell it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ByTasks {
    #[serde(default)]
    pub(crate) tasks: Vec<String>,
}

/// Names tasks, as the operations on several tasks spell it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ByIds {
    #[serde(default)]
    pub(crate) ids: Vec<String>,
}

/// 400/12 unless the text has a character.
pub(crate) fn check_not_empty(field: &str, text: &str) -> ApiResult<()> {
    if text.is_empty() {
        return Err(ApiError::validation(format!("error for field '{field}': field is required!")));
    }
    Ok(())
}
