use bson::{bson, doc};

use super::*;
use crate::tasks::schema::TASK;

#[expect(clippy::needless_pass_by_value, reason = "bson! makes a value")]
fn tags(value: Bson) -> Filter {
    operator_filter(&TASK, "tags", &value).unwrap()
}

fn any_of(values: &[&str]) -> Filter {
    match values {
        [single] => Filter::eq("tags", *single),
        several => Filter::is_in("tags", several.iter().copied()),
    }
}

fn all_of(values: &[&str]) -> Filter {
    Filter::ContainsAll("tags".to_owned(), values.iter().map(|value| Bson::from(*value)).collect())
}

fn none_of(values: &[&str]) -> Filter {
    Filter::not_in("tags", values.iter().copied())
}

fn size_zero() -> Filter {
    Filter::Size("tags".to_owned(), 0)
}

#[test]
fn reads_the_operator_examples() {
    for (value, expected) in [
        (bson!(["a", "b"]), any_of(&["a", "b"])),
        (bson!("a"), any_of(&["a"])),
        (bson!(["a", "a"]), any_of(&["a"])),
        (bson!([]), Filter::Everything),
        (bson!(["-a", "b"]), Filter::And(vec![any_of(&["b"]), none_of(&["a"])])),
        (bson!(["__$not", "a", "b"]), Filter::And(vec![any_of(&["b"]), none_of(&["a"])])),
        (bson!(["__$all", "a", "b", "__$not", "c"]), Filter::And(vec![all_of(&["a", "b"]), none_of(&["c"])])),
        (bson!(["__$all", "a", "__$nop", "b"]), Filter::And(vec![any_of(&["b"]), all_of(&["a"])])),
        (bson!(["__$or", "a", "__$not", "b"]), Filter::Or(vec![any_of(&["a"]), none_of(&["b"])])),
        (bson!(["__$any", "-a"]), any_of(&["-a"])),
        (bson!(["__$and", "-a"]), all_of(&["-a"])),
        (bson!(["__$all", "__$nop", "-a"]), none_of(&["a"])),
        // After a value an operator changes the context but not the combination.
        (bson!(["a", "__$or", "__$not", "b"]), Filter::And(vec![any_of(&["a"]), none_of(&["b"])])),
        (bson!(["__$not", "-a"]), none_of(&["-a"])),
        (bson!(["__$not", "__$nop", "a"]), any_of(&["a"])),
    ] {
        assert_eq!(tags(value.clone()), expected, "{value}");
    }
}

#[test]
fn null_allows_empty_fields() {
    assert_eq!(tags(bson!([null])), Filter::Or(vec![Filter::empty("tags"), size_zero()]));
    assert_eq!(
        tags(bson!(["a", null])),
        Filter::Or(vec![any_of(&["a"]), Filter::empty("tags"), size_zero()])
    );
    // It cancels a pending __$not and is no value of its own.
    assert_eq!(
        tags(bson!(["__$not", null, "a"])),
        Filter::Or(vec![any_of(&["a"]), Filter::empty("tags"), size_zero()])
    );
    // Scalar fields have no empty list.
    assert_eq!(operator_filter(&TASK, "project", &bson!([null])).unwrap(), Filter::empty("project"));
}

#[test]
fn id_is_stored_under_another_name() {
    assert_eq!(operator_filter(&TASK, "id", &bson!(["x"])).unwrap(), Filter::id("x"));
}

#[test]
fn refuses_malformed_operator_lists() {
    for (value, message) in [
        (bson!(["__$foo"]), "(Unsupported operator): field=tags, operator=__$foo"),
        (bson!(["-"]), "(Missing value after the exclude prefix -): field=tags, value="),
        (bson!([5]), "(invalid value type, string expected): field=tags, value=5"),
        (bson!(["__$not", "__$all", "a"]), "(Value is expected after): field=tags, operator=__$not"),
        (bson!(["__$not", "__$not", "a"]), "(Value is expected after): field=tags, operator=__$not"),
        (bson!(["a", "__$not"]), "(Value is expected after): operator=__$not"),
    ] {
        let error = operator_filter(&TASK, "tags", &value).unwrap_err();
        assert_eq!((error.code.status, error.code.subcode), (400, 16), "{value}");
        assert_eq!(error.message(), format!("Invalid value for fields {message}"));
    }
}

#[test]
fn reads_the_dictionary_form() {
    let filter = |value: Document| dictionary_filter("tags", &Bson::Document(value)).unwrap();
    let in_ab = Filter::is_in("tags", ["a", "b"]);
    assert_eq!(filter(doc! { "any": { "include": ["a", "b", "a"] } }), in_ab);
    assert_eq!(filter(doc! { "any": { "exclude": ["a", "b"] } }), all_of(&["a", "b"]).negate());
    assert_eq!(filter(doc! { "all": { "include": ["a", "b"] } }), all_of(&["a", "b"]));
    assert_eq!(filter(doc! { "all": { "exclude": ["a", "b"] } }), none_of(&["a", "b"]));
    assert_eq!(
        filter(doc! { "any": { "include": ["a", "b"], "exclude": ["c"] } }),
        Filter::Or(vec![in_ab.clone(), all_of(&["c"]).negate()])
    );
    assert_eq!(
        filter(doc! { "all": { "include": ["a"], "exclude": ["c"] } }),
        Filter::And(vec![all_of(&["a"]), none_of(&["c"])])
    );
    let both = doc! { "any": { "include": ["a", "b"] }, "all": { "exclude": ["c"] } };
    assert_eq!(filter(both.clone()), Filter::And(vec![in_ab.clone(), none_of(&["c"])]));
    let mut either = both;
    either.insert("op", "or");
    assert_eq!(filter(either), Filter::Or(vec![in_ab, none_of(&["c"])]));
}

#[test]
fn dictionary_null_is_an_empty_list() {
    let filter = |value: Document| dictionary_filter("tags", &Bson::Document(value)).unwrap();
    assert_eq!(filter(doc! { "any": { "include": [Bson::Null] } }), size_zero());
    assert_eq!(filter(doc! { "any": { "exclude": [Bson::Null] } }), size_zero().negate());
    assert_eq!(
        filter(doc! { "all": { "include": ["x", Bson::Null] } }),
        Filter::And(vec![all_of(&["x"]), size_zero()])
    );
}

#[test]
fn falsy_dictionary_filters_do_not_constrain() {
    for value in
        [bson!(null), bson!({}), bson!({ "any": {} }), bson!({ "any": { "include": [] }, "op": "or" })]
    {
        assert_eq!(dictionary_filter("tags", &value).unwrap(), Filter::Everything);
    }
}

#[test]
fn refuses_malformed_dictionaries() {
    for (value, message) in [
        (bson!("x"), "Validation error (invalid filter for field, dictionary expected): field=tags, value=x"),
        (
            bson!({ "op": "xor" }),
            "Validation error: field=tags, value=Invalid list query filter operator: xor. \
             Should be one of ['and', 'or']",
        ),
        (bson!({ "some": {} }), "Validation error: field=tags, value=Invalid list query filter key: some"),
        (
            bson!({ "any": { "with": [] } }),
            "Validation error: field=tags, value=Invalid list query filter key: with",
        ),
    ] {
        let error = dictionary_filter("tags", &value).unwrap_err();
        assert_eq!((error.code.status, error.code.subcode), (400, 12));
        assert_eq!(error.message(), message);
    }
}
