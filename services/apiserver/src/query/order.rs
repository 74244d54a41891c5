//! Order of results (spec 03 §1.10): ties, empties last, numeric collation.

use bson::{Bson, Document};
use clearml_documents::{Filter, Order, Sort, SortKey};

use super::{
    Entity, Kind,
    lookup::{Target, as_list, is_truthy, resolve, stored_path},
};
use crate::api::{ApiError, ApiResult, codes};

/// Name of the relevance of a text match in `order_by`.
const TEXT_SCORE: &str = "@text_score";

/// An order of results.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ordering {
    pub(crate) sort: Vec<Sort>,
    /// When the first field is ascending: what makes it empty. Documents with an empty field come last.
    pub(crate) empties_last: Option<Empties>,
    /// Compare text with numbers in it by the numbers.
    pub(crate) numeric_collation: bool,
}

/// Splits documents by one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Empties {
    pub(crate) non_empty: Filter,
    pub(crate) empty: Filter,
}

/// The order that a request asks for.
///
/// # Errors
/// 400/14 for an unknown first field, 400/16 for the text score without a text search.
pub(crate) fn ordering(entity: &Entity, request: &Document) -> ApiResult<Ordering> {
    let names = read_names(request)?;
    if names.iter().any(|name| name.trim_start_matches('-') == TEXT_SCORE)
        && !is_truthy(request.get("search_text"))
    {
        return Err(ApiError::new(codes::FIELDS_VALUE_ERROR)
            .extra("text score cannot be used in order_by when search text is not used"));
    }
    let first = names.iter().find(|name| name.trim_start_matches('-') != TEXT_SCORE);
    Ok(Ordering {
        numeric_collation: request.keys().chain(first).any(|path| is_collated(entity, path)),
        empties_last: match first {
            Some(path) if !path.starts_with('-') && !path.contains('[') => empties(entity, path)?,
            _ => None,
        },
        sort: sort(&names),
    })
}

/// Whether the request's own parameters ask for numeric collation, whatever its order (for counts).
pub(crate) fn has_collated_parameter(entity: &Entity, request: &Document) -> bool {
    request.keys().any(|key| is_collated(entity, key))
}

fn read_names(request: &Document) -> ApiResult<Vec<String>> {
    let Some(value) = request.get("order_by").filter(|value| is_truthy(Some(value))) else {
        return Ok(Vec::new());
    };
    as_list(value)
        .into_iter()
        .map(|name| match name {
            Bson::String(name) if !name.is_empty() => Ok(name),
            other => Err(ApiError::validation("field names expected in order_by").with("value", other)),
        })
        .collect()
}

fn sort(names: &[String]) -> Vec<Sort> {
    let mut sort: Vec<Sort> = names
        .iter()
        .map(|name| {
            let (path, order) = match name.strip_prefix('-') {
                Some(path) => (path, Order::Descending),
                None => (name.as_str(), Order::Ascending),
            };
            let key = if path == TEXT_SCORE {
                SortKey::TextScore
            } else {
                SortKey::Field(stored_path(path).to_owned())
            };
            Sort { key, order }
        })
        .collect();
    let by_id = |sort: &Sort| sort.key == SortKey::Field("_id".to_owned());
    if !sort.is_empty() && !sort.iter().any(by_id) {
        sort.push(Sort::ascending("_id"));
    }
    sort
}

fn is_collated(entity: &Entity, path: &str) -> bool {
    let path = path.strip_prefix('-').unwrap_or(path);
    entity.collated_prefixes.iter().any(|prefix| path.starts_with(prefix))
}

fn empties(entity: &Entity, field: &str) -> ApiResult<Option<Empties>> {
    let path = stored_path(field);
    let mut empty = Filter::empty(path);
    let mut non_empty = Filter::NotEqual(path.to_owned(), Bson::Null);
    match resolve(entity, field)? {
        // Every document has an id.
        Target::Id => return Ok(None),
        Target::Field(declared) => match declared.kind {
            Kind::Text | Kind::Reference(_) => {
                empty = empty.or(Filter::eq(path, ""));
                non_empty = non_empty.and(Filter::ne(path, ""));
            }
            Kind::Texts | Kind::EmbeddedList(_) => {
                empty = empty.or(Filter::Size(path.to_owned(), 0));
                non_empty = non_empty.and(Filter::Size(path.to_owned(), 0).negate());
            }
            _ => {}
        },
        Target::Inner => {}
    }
    Ok(Some(Empties { non_empty, empty }))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::{models::schema::MODEL, queues::schema::QUEUE, tasks::schema::TASK};

    #[expect(clippy::needless_pass_by_value, reason = "doc! makes a value")]
    fn order(request: Document) -> Ordering {
        ordering(&TASK, &request).unwrap()
    }

    #[test]
    fn the_id_breaks_ties() {
        assert_eq!(
            order(doc! { "order_by": ["-last_update", "name"] }).sort,
            [Sort::descending("last_update"), Sort::ascending("name"), Sort::ascending("_id")]
        );
        assert_eq!(order(doc! { "order_by": "-id" }).sort, [Sort::descending("_id")]);
        assert_eq!(
            order(doc! { "order_by": ["id", "name"] }).sort,
            [Sort::ascending("_id"), Sort::ascending("name")]
        );
        for nothing in [doc! {}, doc! { "order_by": [] }, doc! { "order_by": Bson::Null }] {
            assert_eq!(order(nothing), Ordering::default());
        }
    }

    #[test]
    fn empties_of_an_ascending_first_field_come_last() {
        let empties = |field: &str| order(doc! { "order_by": [field] }).empties_last;
        assert_eq!(
            empties("execution.queue"),
            Some(Empties {
                non_empty: Filter::ne("execution.queue", Bson::Null).and(Filter::ne("execution.queue", "")),
                empty: Filter::empty("execution.queue").or(Filter::eq("execution.queue", "")),
            })
        );
        assert_eq!(
            empties("tags").unwrap().empty,
            Filter::empty("tags").or(Filter::Size("tags".to_owned(), 0))
        );
        assert_eq!(empties("created").unwrap().empty, Filter::empty("created"));
        assert_eq!(empties("hyperparams.a.b.value").unwrap().empty, Filter::empty("hyperparams.a.b.value"));
        assert_eq!(empties("-name"), None);
        assert_eq!(empties("id"), None);
        assert_eq!(empties("hyperparams.a[0]"), None);
    }

    #[test]
    fn only_an_ascending_first_field_must_be_known() {
        for unknown in ["foo", "project.name"] {
            let error = ordering(&TASK, &doc! { "order_by": [unknown] }).unwrap_err();
            assert_eq!((error.code.status, error.code.subcode), (400, 14));
        }
        assert!(ordering(&TASK, &doc! { "order_by": ["-foo", "bar"] }).is_ok());
        assert!(ordering(&TASK, &doc! { "order_by": ["name", "bar"] }).is_ok());
    }

    #[test]
    fn the_text_score_needs_a_text_search() {
        let error = ordering(&TASK, &doc! { "order_by": ["@text_score"] }).unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid value for fields (text score cannot be used in order_by when search text is not used)"
        );
        let ordering = order(doc! { "order_by": ["@text_score", "name"], "search_text": "x" });
        assert_eq!(ordering.sort[0].key, SortKey::TextScore);
        assert!(ordering.empties_last.is_some(), "the first field that is no score decides");
    }

    #[test]
    fn numeric_collation_follows_parameters_and_first_field() {
        let numeric = |entity, request| ordering(entity, &request).unwrap().numeric_collation;
        assert!(numeric(&TASK, doc! { "hyperparams.a.b.value": ["1"] }));
        assert!(numeric(&TASK, doc! { "order_by": ["-last_metrics.a.b.value"] }));
        assert!(numeric(&TASK, doc! { "execution.parameters.x": 1 }));
        assert!(!numeric(&TASK, doc! { "order_by": ["-name", "last_metrics.a.b.value"] }));
        assert!(numeric(&MODEL, doc! { "metadata.a.value": ["1"] }));
        assert!(numeric(&QUEUE, doc! { "order_by": ["-metadata.a.value"] }));
        assert!(!numeric(&QUEUE, doc! { "hyperparams.a": 1 }));
    }
}
