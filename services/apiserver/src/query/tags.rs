//! Rules for `tags` and `system_tags` (spec 03 §1.13, 04 §0.3).

use bson::{Bson, Document};

use super::{Entity, LegacyTags};
use crate::api::{ApiError, ApiResult, ApiVersion, codes};

/// Clients below this version know one list of tags.
const SYSTEM_TAGS_SINCE: ApiVersion = ApiVersion::new(2, 3);

/// Checks the tags of a write request: none may start with `__$`. `system_tags` are looked at only when
/// `tags` is in the request.
///
/// # Errors
/// 400/16 with the offending `values`.
pub(crate) fn check_tags(request: &Document) -> ApiResult<()> {
    if !request.contains_key("tags") {
        return Ok(());
    }
    for field in ["tags", "system_tags"] {
        let Ok(tags) = request.get_array(field) else { continue };
        let unsupported: Vec<Bson> = tags
            .iter()
            .filter(|tag| tag.as_str().is_some_and(|tag| tag.starts_with("__$")))
            .cloned()
            .collect();
        if !unsupported.is_empty() {
            return Err(ApiError::new(codes::FIELDS_VALUE_ERROR)
                .extra("unsupported tag prefix")
                .with("values", unsupported));
        }
    }
    Ok(())
}

/// Splits the `tags` of a request by a client below API 2.3 into `tags` and `system_tags`, if it gives no
/// `system_tags` itself.
pub(crate) fn split_legacy_tags(request: &mut Document, entity: &Entity, version: ApiVersion) {
    let gives_system_tags = match request.get("system_tags") {
        None | Some(Bson::Null) => false,
        Some(Bson::Array(tags)) => !tags.is_empty(),
        Some(_) => true,
    };
    if version >= SYSTEM_TAGS_SINCE || gives_system_tags {
        return;
    }
    let Ok(tags) = request.get_array("tags") else { return };
    let (system, plain): (Vec<Bson>, Vec<Bson>) = tags
        .iter()
        .cloned()
        .partition(|tag| tag.as_str().is_some_and(|tag| is_legacy_system_tag(tag, &entity.legacy_tags)));
    request.insert("tags", plain);
    request.insert("system_tags", system);
}

fn is_legacy_system_tag(tag: &str, rules: &LegacyTags) -> bool {
    let name = tag.strip_prefix('-').unwrap_or(tag);
    let lower_case = name.to_lowercase();
    rules.names.contains(&name) || rules.prefixes.iter().any(|prefix| lower_case.starts_with(prefix))
}

/// Brings the tags of an answered document into their form: sorted; below API 2.3 `tags` is the union of
/// both lists.
pub(crate) fn answer_tags(document: &mut Document, version: ApiVersion) {
    for field in ["tags", "system_tags"] {
        if let Ok(tags) = document.get_array_mut(field) {
            sort_texts(tags);
        }
    }
    if version >= SYSTEM_TAGS_SINCE {
        return;
    }
    let Ok(system) = document.get_array("system_tags").cloned() else { return };
    if let Ok(tags) = document.get_array_mut("tags") {
        tags.extend(system);
        sort_texts(tags);
        tags.dedup();
    }
}

fn sort_texts(values: &mut [Bson]) {
    values.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::{projects::schema::PROJECT, tasks::schema::TASK};

    const OLD: ApiVersion = ApiVersion::new(2, 2);

    #[test]
    fn refuses_operator_like_tags_only_when_tags_are_given() {
        let error = check_tags(&doc! { "tags": ["a", "__$all", "__$x"] }).unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid value for fields (unsupported tag prefix): values=(__$all, __$x)"
        );
        assert!(check_tags(&doc! { "tags": ["a"], "system_tags": ["__$b"] }).is_err());
        assert!(check_tags(&doc! { "system_tags": ["__$b"] }).is_ok());
        assert!(check_tags(&doc! { "tags": ["a", "b__$"] }).is_ok());
    }

    #[test]
    fn splits_tags_of_old_clients() {
        let mut task = doc! { "tags": ["a", "archived", "-development", "-Annotated", "default"] };
        split_legacy_tags(&mut task, &TASK, OLD);
        assert_eq!(
            task,
            doc! { "tags": ["a", "default"], "system_tags": ["archived", "-development", "-Annotated"] }
        );

        let mut project = doc! { "tags": ["public", "-default", "active"] };
        split_legacy_tags(&mut project, &PROJECT, OLD);
        assert_eq!(project, doc! { "tags": ["active"], "system_tags": ["public", "-default"] });
    }

    #[test]
    fn leaves_tags_of_new_clients_and_given_system_tags() {
        let request = doc! { "tags": ["archived"] };
        let mut new_client = request.clone();
        split_legacy_tags(&mut new_client, &TASK, ApiVersion::new(2, 3));
        assert_eq!(new_client, request);

        let mut both = doc! { "tags": ["archived"], "system_tags": ["x"] };
        split_legacy_tags(&mut both, &TASK, OLD);
        assert_eq!(both, doc! { "tags": ["archived"], "system_tags": ["x"] });
    }

    #[test]
    fn answers_sorted_tags_and_their_union_to_old_clients() {
        let stored = doc! { "tags": ["b", "a"], "system_tags": ["z", "archived"] };
        let mut answer = stored.clone();
        answer_tags(&mut answer, ApiVersion::CURRENT);
        assert_eq!(answer, doc! { "tags": ["a", "b"], "system_tags": ["archived", "z"] });

        let mut answer = stored;
        answer_tags(&mut answer, OLD);
        assert_eq!(answer, doc! { "tags": ["a", "archived", "b", "z"], "system_tags": ["archived", "z"] });
    }
}
