use bson::doc;

use super::*;
use crate::{projects::schema::PROJECT, tasks::schema::TASK};

fn plain(fields: &[&str]) -> ApiResult<Selection> {
    Selection::plain(&TASK, &doc! { "only_fields": fields.to_vec() })
}

fn joined(fields: &[&str]) -> ApiResult<Selection> {
    Selection::joined(&TASK, &doc! { "only_fields": fields.to_vec() })
}

fn included(selection: &Selection) -> Vec<String> {
    match selection.stored(&TASK) {
        Projection::Include(paths) => paths,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_requested_is_everything_but_the_default_exclusions() {
    for request in [doc! {}, doc! { "only_fields": [] }, doc! { "projection": Bson::Null }] {
        let selection = Selection::plain(&TASK, &request).unwrap();
        assert_eq!(selection, Selection::standard(&TASK));
        assert!(selection.id);
        assert_eq!(
            selection.stored(&TASK),
            Projection::Exclude(vec![
                "company_origin".into(),
                "enqueue_status".into(),
                "unique_metrics".into()
            ])
        );
    }
    assert_eq!(
        Selection::standard(&PROJECT).stored(&PROJECT),
        Projection::Exclude(vec!["company_origin".into(), "logo_blob".into(), "path".into()])
    );
}

#[test]
fn projection_wins_over_only_fields() {
    let request = doc! { "only_fields": ["name"], "projection": ["type"] };
    assert_eq!(included(&Selection::plain(&TASK, &request).unwrap()), ["_id", "type"]);
    let request = doc! { "only_fields": ["name"], "projection": [] };
    assert_eq!(included(&Selection::plain(&TASK, &request).unwrap()), ["_id", "name"]);
}

#[test]
fn plain_answers_the_id_on_request_only() {
    assert!(!plain(&["name"]).unwrap().id);
    assert!(plain(&["name", "id"]).unwrap().id);
    assert!(plain(&["-name"]).unwrap().id);
    assert!(joined(&["name"]).unwrap().id);
}

#[test]
fn reads_only_what_is_needed() {
    assert_eq!(
        included(
            &plain(&["script.branch", "runtime.version", "last_metrics.a.b", "execution", "execution.queue"])
                .unwrap()
        ),
        ["_id", "script.branch", "runtime.version", "last_metrics.a.b", "execution"]
    );
    assert_eq!(
        included(
            &joined(&["project.name", "parent.project.name", "models.input.model.name", "execution.*"])
                .unwrap()
        ),
        ["_id", "project", "parent", "models.input.model", "execution"]
    );
    assert_eq!(
        joined(&["-project.name", "-script.diff"]).unwrap().stored(&TASK),
        Projection::Exclude(vec![
            "company_origin".into(),
            "enqueue_status".into(),
            "unique_metrics".into(),
            "script.diff".into()
        ])
    );
}

#[test]
fn hidden_fields_are_answered_when_named() {
    assert!(plain(&["unique_metrics"]).unwrap().exclude.children.get("unique_metrics").is_none());
    let everything = joined(&["*"]).unwrap();
    assert!(everything.exclude.children.is_empty());
    assert_eq!(included(&everything).len(), TASK.fields.len() + 1);
}

#[test]
fn plain_refuses_unknown_and_joined_paths() {
    for (field, part) in [
        ("foo", "foo"),
        ("project.name", "name"),
        ("execution.model", "model"),
        ("*", "*"),
        ("script.*", "*"),
    ] {
        let error = plain(&[field]).unwrap_err();
        assert_eq!((error.code.status, error.code.subcode), (400, 14));
        assert!(error.message().starts_with("Lookup error"), "{}", error.message());
        assert!(
            error.message().ends_with(&format!("Cannot resolve field \"{part}\"")),
            "{}",
            error.message()
        );
    }
}

#[test]
fn joined_refuses_unknown_paths() {
    for (field, message) in [
        ("foo", "Fields not defined for object: fields=(foo), object=Task"),
        ("-foo", "Fields not defined for object: fields=(foo), object=Task"),
        ("-", "Fields not defined for object: fields=-, object=Task"),
        (".*", "Fields not defined for object: fields=-, object=Task"),
        ("project.foo", "Fields not defined for object: fields=(foo), object=Project"),
        (
            "script.foo",
            "Lookup error (probably an invalid field name or unsupported nested field): \
             err=Cannot resolve field \"foo\"",
        ),
    ] {
        let error = joined(&[field]).unwrap_err();
        assert_eq!((error.code.status, error.code.subcode), (400, 14));
        assert_eq!(error.message(), message);
    }
}

#[test]
fn chains_of_joins_are_bounded() {
    let chain = format!("{}name", "parent.".repeat(2000));
    assert!(joined(&[&chain]).is_err());
    assert!(joined(&["parent.parent.parent.project.name"]).is_ok());
}
