//! How runs and pipelines are called.

use bson::Document;
use clearml_documents::{Collection, Filter};

use crate::{
    App,
    api::{ApiResult, Call},
    tasks::access::id_of,
};

/// The container of a project's pipelines.
const PIPELINES: &str = ".pipelines";

/// The full name of a pipeline's project.
pub(super) fn project_name(location: &str, pipeline: &str) -> String {
    format!("{location}/{PIPELINES}/{pipeline}")
}

/// The full name of the project that holds a place's pipelines.
pub(super) fn container_name(location: &str) -> String {
    format!("{location}/{PIPELINES}")
}

/// A run's name without its number.
pub(super) fn without_number(name: &str) -> &str {
    match name.rsplit_once(" #") {
        Some((base, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            base
        }
        _ => name,
    }
}

/// Number of the pipeline's runs whose names end with `base`, or with it and a number; but for one of them.
pub(super) async fn count_runs(
    app: &App,
    call: &Call,
    project: &str,
    base: &str,
    but: &Document,
) -> ApiResult<u64> {
    let runs = Filter::eq("company", call.company())
        .and(Filter::eq("project", project))
        .and(Filter::eq("system_tags", "pipeline"))
        .and(Filter::ne("_id", id_of(but)))
        .and(Filter::Regex {
            path: "name".to_owned(),
            pattern: format!(r"{}( #\d+)?$", regex::escape(base)),
            case_insensitive: false,
        });
    Ok(app.documents.count(Collection::Task, runs, false).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_off() {
        for (name, base) in
            [("p #12", "p"), ("p", "p"), ("p #", "p #"), ("p #1x", "p #1x"), ("a #1 #2", "a #1")]
        {
            assert_eq!(without_number(name), base);
        }
    }
}
