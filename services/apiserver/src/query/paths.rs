//! Spelling of request paths into maps with escaped keys (spec 03 §1.13).

use bson::{Bson, Document};

use super::{
    PathRules,
    keys::{escape_key, unescape_key},
};
use crate::api::{ApiError, ApiResult};

/// Rewrites the keys of a request and the paths in its projection and order into stored spelling.
///
/// # Errors
/// 400/12 for a path into a map with too few or too many parts.
pub(crate) fn rewrite_paths(request: Document, rules: &PathRules) -> ApiResult<Document> {
    let mut rewritten = Document::new();
    for (key, value) in request {
        let value = match key.as_str() {
            "only_fields" | "projection" | "order_by" => rewrite_values(value, rules)?,
            _ => value,
        };
        rewritten.insert(rewrite_path(&key, rules)?, value);
    }
    Ok(rewritten)
}

fn rewrite_values(value: Bson, rules: &PathRules) -> ApiResult<Bson> {
    Ok(match value {
        Bson::String(path) => Bson::String(rewrite_path(&path, rules)?),
        Bson::Array(paths) => {
            Bson::Array(paths.into_iter().map(|path| rewrite_values(path, rules)).collect::<Result<_, _>>()?)
        }
        other => other,
    })
}

fn rewrite_path(path: &str, rules: &PathRules) -> ApiResult<String> {
    let path = rules.replacements.iter().fold(path.to_owned(), |path, (old, new)| {
        if path.contains(old) { path.replace(old, new) } else { path }
    });
    let (sign, name) = path.strip_prefix('-').map_or(("", path.as_str()), |name| ("-", name));
    if !rules.escaped_prefixes.iter().any(|prefix| name.starts_with(prefix)) {
        return Ok(path);
    }
    let parts: Vec<&str> = name.split('.').collect();
    if !(2..=rules.max_parts).contains(&parts.len()) {
        return Err(ApiError::validation(rules.error).with("path", path.as_str()));
    }
    let escaped: Vec<String> =
        parts.into_iter().map(|part| escape_key(&unescape_key(part))).collect::<Result<_, _>>()?;
    Ok(format!("{sign}{}", escaped.join(".")))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::{models::schema::MODEL, tasks::schema::TASK};

    #[test]
    fn replaces_legacy_names_and_escapes_parts() {
        let request = doc! {
            "execution.parameters.lr": ["1"],
            "name": "execution.parameters",
            "only_fields": ["execution.docker_cmd", "-hyperparams.Args.a%2Eb.value", "configuration.$x"],
            "order_by": "-execution.model_desc",
        };
        assert_eq!(
            rewrite_paths(request, &TASK.paths).unwrap(),
            doc! {
                "hyperparams.Args.lr": ["1"],
                "name": "execution.parameters",
                "only_fields": ["container", "-hyperparams.Args.a%2Eb.value", "configuration.%24x"],
                "order_by": "-configuration",
            }
        );
    }

    #[test]
    fn refuses_paths_of_other_lengths() {
        for (request, path) in [
            (doc! { "hyperparams.a.b.c.d": 1 }, "hyperparams.a.b.c.d"),
            (doc! { "order_by": ["-configuration.a.b.c.d"] }, "-configuration.a.b.c.d"),
        ] {
            let error = rewrite_paths(request, &TASK.paths).unwrap_err();
            assert_eq!(error.message(), format!("Validation error (invalid task field): path={path}"));
        }
        let error = rewrite_paths(doc! { "metadata.a.b.c": 1 }, &MODEL.paths).unwrap_err();
        assert_eq!(error.message(), "Validation error (invalid field): path=metadata.a.b.c");
        assert!(rewrite_paths(doc! { "hyperparams": 1, "metadata.a.b.c": 1 }, &TASK.paths).is_ok());
    }
}
