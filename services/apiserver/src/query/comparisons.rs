//! Conditions on range fields (spec 03 §1.6) and datetime fields (§1.7).

use bson::{Bson, DateTime};
use clearml_documents::Filter;

use super::{
    Entity, Kind,
    dates::parse_date,
    lookup::{Target, as_list, resolve, stored_path},
};
use crate::api::{ApiError, ApiResult, codes};

/// The condition of `[min, max]`, both inclusive, either null.
///
/// # Errors
/// 400/12 for any other shape.
pub(crate) fn range_filter(entity: &Entity, field: &str, value: &Bson) -> ApiResult<Filter> {
    let bounds = match value {
        Bson::Array(bounds) if bounds.len() == 2 => bounds,
        _ => {
            return Err(ApiError::validation(format!(
                "Min and max values should be specified for range field {field}"
            )));
        }
    };
    let (min, max) = (&bounds[0], &bounds[1]);
    if *min == Bson::Null && *max == Bson::Null {
        return Err(ApiError::validation(format!(
            "At least one of min or max values should be provided for field {field}"
        )));
    }
    let path = stored_path(field);
    let (Some(min), Some(max)) = (cast_bound(entity, field, min), cast_bound(entity, field, max)) else {
        // A bound that is no date is compared as null: no date is.
        return Ok(Filter::Nothing);
    };
    Ok(match (min, max) {
        (Bson::Null, max) => Filter::lte(path, max).or(Filter::empty(path)),
        (min, Bson::Null) => Filter::gte(path, min),
        (min, max) => Filter::gte(path, min).and(Filter::lte(path, max)),
    })
}

/// A bound as a value of the field's type; `None` if it should be a date and is none.
fn cast_bound(entity: &Entity, field: &str, bound: &Bson) -> Option<Bson> {
    let Ok(Target::Field(declared)) = resolve(entity, field) else { return Some(bound.clone()) };
    match (&declared.kind, bound) {
        (Kind::Date, Bson::Null | Bson::DateTime(_)) => Some(bound.clone()),
        (Kind::Date, Bson::String(text)) => parse_date(text).map(Bson::DateTime),
        (Kind::Date, _) => None,
        (Kind::Integer, Bson::String(text)) => {
            Some(text.trim().parse::<i64>().map_or_else(|_| bound.clone(), Bson::Int64))
        }
        _ => Some(bound.clone()),
    }
}

/// The condition of dates with comparison prefixes, or of a pair of dates.
///
/// # Errors
/// The text for 400/16 when an element is no text.
pub(crate) fn datetime_filter(entity: &Entity, field: &str, value: &Bson) -> ApiResult<Filter> {
    let elements = as_list(value);
    let texts: Vec<Option<&str>> = elements.iter().map(Bson::as_str).collect();
    let is_pair = elements.len() == 2
        && elements.iter().all(|element| {
            matches!(element, Bson::Null | Bson::DateTime(_))
                || element.as_str().is_some_and(|text| split_prefix(text).0.is_none())
        });
    if is_pair {
        return range_filter(entity, field, &Bson::Array(elements));
    }
    let mut comparisons: Vec<(Option<Comparison>, DateTime)> = Vec::new();
    for (element, text) in elements.iter().zip(texts) {
        let Some(text) = text else { return Err(parse_failure(field, not_text(element))) };
        let (comparison, date) = split_prefix(text);
        let Some(date) = parse_date(date) else { continue };
        match comparisons.iter_mut().find(|(known, _)| *known == comparison) {
            Some(earlier) => earlier.1 = date,
            None => comparisons.push((comparison, date)),
        }
    }
    let path = stored_path(field);
    Ok(comparisons.into_iter().fold(Filter::Everything, |filter, (comparison, date)| {
        filter.and(match comparison {
            None => Filter::eq(path, date),
            Some(Comparison::GreaterOrEqual) => Filter::gte(path, date),
            Some(Comparison::Greater) => Filter::gt(path, date),
            Some(Comparison::LessOrEqual) => Filter::lte(path, date),
            Some(Comparison::Less) => Filter::lt(path, date),
        })
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
}

fn split_prefix(text: &str) -> (Option<Comparison>, &str) {
    for (prefix, comparison) in [
        (">=", Comparison::GreaterOrEqual),
        (">", Comparison::Greater),
        ("<=", Comparison::LessOrEqual),
        ("<", Comparison::Less),
    ] {
        if let Some(date) = text.strip_prefix(prefix) {
            return (Some(comparison), date);
        }
    }
    (None, text)
}

/// 400/16 for a query field that can't be read.
pub(crate) fn parse_failure(field: &str, error: impl Into<String>) -> ApiError {
    ApiError::new(codes::FIELDS_VALUE_ERROR)
        .extra("failed parsing query field")
        .with("error", error.into())
        .with("field", field)
}

fn not_text(value: &Bson) -> String {
    format!("text expected, not {value}")
}

#[cfg(test)]
mod tests {
    use bson::bson;

    use super::*;
    use crate::tasks::schema::TASK;

    fn date(text: &str) -> DateTime {
        parse_date(text).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "bson! makes a value")]
    fn range(field: &str, value: Bson) -> Filter {
        range_filter(&TASK, field, &value).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "bson! makes a value")]
    fn times(value: Bson) -> Filter {
        datetime_filter(&TASK, "last_update", &value).unwrap()
    }

    #[test]
    fn ranges_are_inclusive_and_open_ended() {
        let iterations = "last_iteration";
        assert_eq!(
            range(iterations, bson!([1, 5])),
            Filter::gte(iterations, 1).and(Filter::lte(iterations, 5))
        );
        assert_eq!(range(iterations, bson!([1, null])), Filter::gte(iterations, 1));
        assert_eq!(
            range(iterations, bson!([null, 5])),
            Filter::lte(iterations, 5).or(Filter::empty(iterations))
        );
    }

    #[test]
    fn bounds_get_the_fields_type() {
        assert_eq!(
            range("created", bson!(["2024-01-01", "2024-02-01"])),
            Filter::gte("created", date("2024-01-01")).and(Filter::lte("created", date("2024-02-01")))
        );
        assert_eq!(range("active_duration", bson!(["10", null])), Filter::gte("active_duration", 10_i64));
        assert_eq!(range("created", bson!(["soon", null])), Filter::Nothing);
        assert_eq!(
            range("last_metrics.a.b.value", bson!([0.5, null])),
            Filter::gte("last_metrics.a.b.value", 0.5)
        );
    }

    #[test]
    fn refuses_other_ranges() {
        for value in [bson!(5), bson!([1]), bson!([1, 2, 3]), bson!({})] {
            let error = range_filter(&TASK, "last_iteration", &value).unwrap_err();
            assert_eq!(
                error.message(),
                "Validation error (Min and max values should be specified for range field last_iteration)"
            );
        }
        assert_eq!(
            range_filter(&TASK, "created", &bson!([null, null])).unwrap_err().message(),
            "Validation error (At least one of min or max values should be provided for field created)"
        );
    }

    #[test]
    fn reads_prefixed_dates() {
        let (path, day) = ("last_update", date("2024-01-02"));
        assert_eq!(times(bson!(">=2024-01-02")), Filter::gte(path, day));
        assert_eq!(times(bson!([">2024-01-02"])), Filter::gt(path, day));
        assert_eq!(times(bson!(["<=2024-01-02"])), Filter::lte(path, day));
        assert_eq!(times(bson!(["< 2024-01-02"])), Filter::lt(path, day));
        assert_eq!(times(bson!(["2024-01-02"])), Filter::eq(path, day));
        assert_eq!(
            times(bson!([">=2024-01-02", "<2024-02-02"])),
            Filter::gte(path, day).and(Filter::lt(path, date("2024-02-02")))
        );
        // The later of two bounds of one kind counts.
        assert_eq!(times(bson!([">2023-01-01", ">2024-01-02"])), Filter::gt(path, day));
        // What is no date is skipped.
        assert_eq!(times(bson!([">1704164645"])), Filter::Everything);
    }

    #[test]
    fn two_plain_dates_are_a_range() {
        let path = "last_update";
        assert_eq!(
            times(bson!(["2024-01-01", "2024-02-01"])),
            Filter::gte(path, date("2024-01-01")).and(Filter::lte(path, date("2024-02-01")))
        );
        assert_eq!(times(bson!(["2024-01-01", null])), Filter::gte(path, date("2024-01-01")));
        assert_eq!(
            times(bson!([null, "2024-01-01"])),
            Filter::lte(path, date("2024-01-01")).or(Filter::empty(path))
        );
    }

    #[test]
    fn refuses_numbers_and_null_as_dates() {
        for value in [bson!(null), bson!([5]), bson!(1_704_164_645), bson!([1, 2])] {
            let error = datetime_filter(&TASK, "last_update", &value).unwrap_err();
            assert_eq!((error.code.status, error.code.subcode), (400, 16));
            assert_eq!(error.extra.as_deref(), Some("failed parsing query field"));
        }
    }
}
