use bson::doc;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Color {
    Red,
    DeepBlue,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Inner {
    name: String,
}

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(default)]
struct Optional {
    text: Option<String>,
    integer: Option<i64>,
    small: Option<u8>,
    float: Option<f64>,
    flag: bool,
    texts: Vec<String>,
    integers: Vec<i64>,
    color: Option<Color>,
    inner: Option<Inner>,
    inners: Vec<Inner>,
    map: std::collections::HashMap<String, i64>,
    document: Document,
    object: Object,
    any: Option<Any>,
    patch: Patch<i64>,
}

#[derive(Debug, Deserialize)]
struct Required {
    #[expect(dead_code, reason = "only its presence matters")]
    user: String,
}

#[expect(clippy::needless_pass_by_value, reason = "reads better at its callers")]
fn parse(document: Document) -> Optional {
    from_document(&document).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better at its callers")]
fn refusal<R: DeserializeOwned + std::fmt::Debug + 'static>(document: Document) -> String {
    let error = from_document::<R>(&document).unwrap_err();
    assert_eq!(error.code, super::super::codes::VALIDATION_ERROR);
    error.message()
}

#[test]
fn absent_and_null_fields_are_none_and_unknown_ones_ignored() {
    assert_eq!(parse(doc! {}), Optional::default());
    let nulls = doc! {
        "text": null, "integer": null, "float": null, "flag": null, "texts": null, "color": null, "inner": null,
        "inners": null, "map": null, "document": null, "object": null, "any": null, "method": "get", "x": {"y": 1},
    };
    assert_eq!(parse(nulls), Optional::default());
}

#[test]
fn integers_are_read_from_numbers_texts_and_booleans() {
    for value in [Bson::Int64(5), Bson::Int32(5), Bson::Double(5.9), "5".into(), " 5 ".into()] {
        assert_eq!(parse(doc! {"integer": value}).integer, Some(5));
    }
    assert_eq!(parse(doc! {"integer": true}).integer, Some(1));
    assert_eq!(parse(doc! {"integer": -1.9}).integer, Some(-1));
}

#[test]
fn anything_has_a_truth() {
    for (value, expected) in [
        (Bson::Boolean(true), true),
        ("false".into(), true),
        ("".into(), false),
        (Bson::Int64(0), false),
        (Bson::Int64(2), true),
        (Bson::Array(vec![]), false),
        (doc! {"a": 1}.into(), true),
    ] {
        assert_eq!(parse(doc! {"flag": value}).flag, expected);
    }
}

#[test]
fn falsy_values_are_empty_lists() {
    for value in [Bson::Null, Bson::Int64(0), "".into(), doc! {}.into(), false.into(), Bson::Array(vec![])] {
        assert!(parse(doc! {"texts": value}).texts.is_empty());
    }
    assert_eq!(parse(doc! {"texts": ["a", "b"]}).texts, ["a", "b"]);
    assert_eq!(parse(doc! {"integers": ["1", 2.5, true]}).integers, [1, 2, 1]);
}

#[test]
fn nested_types_are_read() {
    let request = parse(doc! {
        "inner": {"name": "n", "more": 1}, "inners": [{"name": "a"}], "map": {"k": "7"}, "color": "deep_blue",
        "float": 1, "document": {"a": {"b": [1_i64, null]}},
    });
    assert_eq!(request.inner, Some(Inner { name: "n".into() }));
    assert_eq!(request.inners, [Inner { name: "a".into() }]);
    assert_eq!(request.map["k"], 7);
    assert_eq!(request.color, Some(Color::DeepBlue));
    assert_eq!(request.float, Some(1.0));
    assert_eq!(request.document, doc! {"a": {"b": [1_i64, null]}});
}

#[test]
fn patches_tell_absent_from_null() {
    assert_eq!(parse(doc! {}).patch, Patch::Absent);
    assert_eq!(parse(doc! {"patch": null}).patch, Patch::Null);
    assert_eq!(parse(doc! {"patch": 3}).patch, Patch::Value(3));
}

#[test]
fn missing_fields_are_named() {
    assert_eq!(
        refusal::<Required>(doc! {"other": 1}),
        "Validation error (error for field 'user'. field is required!)"
    );
}

#[test]
fn wrong_values_are_named_as_clients_know_it() {
    for (document, detail) in [
        (doc! {"text": 5}, r#"error for field 'text': ('value is wrong, expected type "str"', 5)."#),
        (doc! {"text": ["A"]}, r#"error for field 'text': ('value is wrong, expected type "str"', ['a'])."#),
        (doc! {"color": "Foo"}, "error for field 'color': value 'foo' is not a valid choice.."),
        (doc! {"color": 5}, "error for field 'color': value '5' is not a valid choice.."),
        (
            doc! {"texts": ["a", 5]},
            r#"error for field 'texts': all items must be instances of "str", and not "int".."#,
        ),
        (
            doc! {"texts": "abc"},
            r#"error for field 'texts': ('value is wrong, expected type "list"', 'abc')."#,
        ),
        (doc! {"integer": "abc"}, "invalid literal for int() with base 10: 'abc'"),
        (doc! {"integer": f64::NAN}, "cannot convert float nan to integer"),
        (
            doc! {"integer": 1e300},
            r#"error for field 'integer': ('value is wrong, expected type "int"', 1e+300)."#,
        ),
        (doc! {"small": 256}, r#"error for field 'small': ('value is wrong, expected type "int"', 256)."#),
        (
            doc! {"float": "1.5"},
            r#"error for field 'float': ('value is wrong, expected type "float"', '1.5')."#,
        ),
        (doc! {"map": 1}, r#"error for field 'map': ('value is wrong, expected type "dict"', 1)."#),
        (doc! {"inner": 1}, r#"error for field 'inner': ('value is wrong, expected type "dict"', 1)."#),
        (doc! {"object": [1]}, r#"error for field 'object': ('value is wrong, expected type "dict"', [1])."#),
        (
            doc! {"inner": {"name": 1}},
            r#"error for field 'name': ('value is wrong, expected type "str"', 1)."#,
        ),
        (doc! {"inner": {}}, "error for field 'name'. field is required!"),
    ] {
        assert_eq!(refusal::<Optional>(document), format!("Validation error ({detail})"));
    }
    assert_eq!(
        refusal::<Required>(doc! {"user": null}),
        r#"Validation error (error for field 'user': ('value is wrong, expected type "str"', none).)"#
    );
}

#[test]
fn keys_cannot_conjure_up_bson_types() {
    let special = doc! {"$minKey": 1};
    assert!(refusal::<Optional>(doc! {"document": {"a": special}}).contains("'$minkey'"));
    let nested = doc! {"a": [{"$oid": "x"}], "$date": 5_i64};
    assert_eq!(parse(doc! {"object": nested.clone()}).object, Object(nested.clone()));
    assert_eq!(parse(doc! {"any": nested.clone()}).any, Some(Any(nested.clone().into())));
}
