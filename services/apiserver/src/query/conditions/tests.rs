use bson::doc;

use super::*;
use crate::{
    models::schema::MODEL, projects::schema::PROJECT, query::dates::parse_date, queues::schema::QUEUE,
    tasks::schema::TASK, users::schema::USER,
};

#[expect(clippy::needless_pass_by_value, reason = "doc! makes a value")]
fn task(request: Document) -> Filter {
    request_filter(&TASK, &request).unwrap()
}

fn regex(path: &str, pattern: &str, case_insensitive: bool) -> Filter {
    Filter::Regex { path: path.to_owned(), pattern: pattern.to_owned(), case_insensitive }
}

#[test]
fn each_entity_has_its_parameters() {
    let constrains =
        |entity: &Entity, request: Document| request_filter(entity, &request).unwrap() != Filter::Everything;
    let (text, list, range) = (Bson::from("x"), Bson::from(vec!["x"]), Bson::from(vec![1, 2]));
    let rows: [(&Entity, &Bson, &[&str]); 13] = [
        (&TASK, &text, &["name", "comment", "report"]),
        (&TASK, &list, &["id", "user", "tags", "system_tags", "type", "status", "project", "parent"]),
        (&TASK, &list, &["hyperparams.Args.lr.value", "execution.queue", "models.input.model"]),
        (&TASK, &range, &["active_duration", "last_metrics.a.b.value", "last_iteration"]),
        (&TASK, &text, &["runtime.version"]),
        (&MODEL, &text, &["name", "comment", "ready"]),
        (&MODEL, &list, &["tags", "system_tags", "framework", "uri", "id", "user", "project", "task"]),
        (&MODEL, &list, &["parent", "metadata.a.value"]),
        (&MODEL, &range, &["last_metrics.a.b.value", "last_iteration"]),
        (&PROJECT, &text, &["name", "basename", "description"]),
        (&PROJECT, &list, &["tags", "system_tags", "id", "parent", "path"]),
        (&QUEUE, &list, &["tags", "system_tags", "id", "metadata.a.value"]),
        (&USER, &list, &["id"]),
    ];
    for (entity, value, fields) in rows {
        for field in fields {
            assert!(constrains(entity, doc! { *field: value.clone() }), "{} {field}", entity.name);
        }
    }
    for (entity, field) in
        [(&TASK, "status_changed"), (&TASK, "last_update"), (&TASK, "last_change"), (&MODEL, "last_update")]
    {
        assert!(constrains(entity, doc! { field: ">2024-01-01" }), "{} {field}", entity.name);
    }
    for (entity, field) in [
        (&TASK, "foo"),
        (&TASK, "uri"),
        (&USER, "tags"),
        (&QUEUE, "comment"),
        (&PROJECT, "user"),
        (&TASK, "runtime."),
    ] {
        assert!(!constrains(entity, doc! { field: "x" }), "{} {field}", entity.name);
    }
}

#[test]
fn patterns_are_case_sensitive_and_falsy_ones_ignored() {
    assert_eq!(task(doc! { "name": "^abc$" }), regex("name", "^abc$", false));
    for falsy in [Bson::Null, Bson::from(""), Bson::from(false)] {
        assert_eq!(task(doc! { "name": falsy }), Filter::Everything);
    }
    let error = request_filter(&TASK, &doc! { "name": 5 }).unwrap_err();
    assert_eq!(error.message(), "Validation error (the pattern of field name is not text)");
}

#[test]
fn parts_are_joined_by_and() {
    assert_eq!(
        task(doc! { "status": ["failed"], "name": "x", "last_iteration": [1, Bson::Null] }),
        Filter::And(vec![
            regex("name", "x", false),
            Filter::eq("status", "failed"),
            Filter::gte("last_iteration", 1)
        ])
    );
}

#[test]
fn null_lists_ranges_and_equalities_are_absent() {
    assert_eq!(
        task(doc! { "tags": Bson::Null, "created": Bson::Null, "runtime.x": Bson::Null }),
        Filter::Everything
    );
}

#[test]
fn metric_values_become_numbers() {
    assert_eq!(
        task(doc! { "last_metrics.a.b.value": ["0.5", Bson::Null] }),
        Filter::gte("last_metrics.a.b.value", 0.5)
    );
}

#[test]
fn dictionaries_override_the_same_parameter_and_skip_others() {
    assert_eq!(
        task(doc! { "tags": ["x"], "filters": { "tags": { "all": { "include": ["a"] } }, "name": "x" } }),
        Filter::ContainsAll("tags".to_owned(), vec!["a".into()])
    );
    assert_eq!(task(doc! { "filters": {} }), Filter::Everything);
    assert_eq!(task(doc! { "filters": Bson::Null }), Filter::Everything);
    let error = request_filter(&TASK, &doc! { "filters": ["a"] }).unwrap_err();
    assert_eq!(
        error.message(),
        "Invalid value for fields (invalid value type, string expected): field=filters, value=(a)"
    );
}

#[test]
fn half_open_dates_are_ignored_as_parameters_only() {
    assert_eq!(task(doc! { "last_update": [Bson::Null, "2024-01-01"] }), Filter::Everything);
    let day = parse_date("2024-01-01").unwrap();
    assert_eq!(
        task(doc! { "_any_": { "fields": ["last_update"], "datetime": [Bson::Null, "2024-01-01"] } }),
        Filter::lte("last_update", day).or(Filter::empty("last_update"))
    );
}

#[test]
fn multi_field_patterns_ignore_case() {
    for (key, expected) in [
        ("_any_", Filter::Or(vec![regex("name", "x", true), regex("_id", "x", true)])),
        ("_or_", Filter::Or(vec![regex("name", "x", true), regex("_id", "x", true)])),
        ("_all_", Filter::And(vec![regex("name", "x", true), regex("_id", "x", true)])),
        ("_and_", Filter::And(vec![regex("name", "x", true), regex("_id", "x", true)])),
    ] {
        assert_eq!(task(doc! { key: { "fields": ["name", "id"], "pattern": "x" } }), expected, "{key}");
    }
    assert_eq!(task(doc! { "_any_": { "fields": [], "pattern": "x" } }), Filter::Everything);
    assert_eq!(
        task(doc! { "_all_": { "fields": ["hyperparams.a._b", "id"], "pattern": "x" } }),
        Filter::And(vec![regex("hyperparams.a._b", "x", true), regex("id", "x", true)])
    );
}

#[test]
fn multi_field_patterns_need_known_fields() {
    let error =
        request_filter(&TASK, &doc! { "_any_": { "fields": ["project.name"], "pattern": "x" } }).unwrap_err();
    assert_eq!((error.code.status, error.code.subcode), (400, 14));
    assert!(error.message().ends_with("err=Cannot resolve field \"name\""));
}

#[test]
fn multi_field_dates_use_datetime_fields_only() {
    let day = parse_date("2024-01-01").unwrap();
    let request =
        doc! { "_any_": { "fields": ["last_update", "created", "last_change"], "datetime": ">2024-01-01" } };
    assert_eq!(
        task(request.clone()),
        Filter::Or(vec![Filter::gt("last_update", day), Filter::gt("last_change", day)])
    );
    assert_eq!(task(doc! { "_any_": { "fields": ["name"], "datetime": ">2024-01-01" } }), Filter::Everything);
    let error = request_filter(&PROJECT, &request).unwrap_err();
    assert_eq!(
        error.message(),
        "Invalid value for fields (failed parsing query field): \
         error=argument of type 'NoneType' is not iterable, field=_any_"
    );
}

#[test]
fn refuses_other_multi_field_forms() {
    for value in [
        Bson::Null,
        Bson::from("x"),
        Bson::from(doc! { "fields": ["name"] }),
        Bson::from(doc! { "fields": ["name"], "pattern": "a", "datetime": "b" }),
        Bson::from(doc! { "fields": ["name"], "pattern": Bson::Null, "datetime": Bson::Null }),
        Bson::from(doc! { "fields": ["name"], "pattern": "a", "other": 1 }),
    ] {
        let error = request_filter(&TASK, &doc! { "_any_": value }).unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid value for fields (failed parsing query field): \
             error=incorrect field format: field=_any_, field=_any_"
        );
    }
}
