//! Bodies that are no JSON, or too much of it.

use super::{
    Case,
    Expected::{self, NoHarm, Refused},
    Subject,
    wire::{Ending, Target},
};

const DEEP: usize = 100_000;
const LONG: usize = 10 << 20;

type Body = (&'static str, Vec<u8>, Expected);

pub(super) fn cases(subject: &Subject) -> Vec<Case> {
    let mut cases = Vec::new();
    for (target, line) in [
        (Target::Api, "POST /v2.31/tasks.create"),
        (Target::Api, "GET /v2.31/tasks.get_all_ex"),
        (Target::Api, "POST /v2.31/events.add"),
        (Target::Web, "POST /api/v2.31/tasks.create"),
        (Target::Files, "POST /delete_many"),
    ] {
        let all = malformed().into_iter().chain(odd());
        cases.extend(all.map(|body| case(subject, target, line, "application/json", body)));
    }
    for line in ["POST /v2.31/events.add_batch", "POST /v2.31/tasks.update_batch"] {
        let all = lines(&subject.task).into_iter();
        cases.extend(all.map(|body| case(subject, Target::Api, line, "application/json-lines", body)));
    }
    let form = "application/x-www-form-urlencoded";
    let line = "POST /v2.31/tasks.get_all_ex";
    cases.extend(forms().into_iter().map(|body| case(subject, Target::Api, line, form, body)));
    cases
}

fn case(subject: &Subject, target: Target, line: &str, kind: &str, (name, body, expected): Body) -> Case {
    Case {
        name: format!("{kind}: {name} ({target:?} {line})"),
        target,
        bytes: subject.request(line, &[("Content-Type", kind)], &body),
        ending: Ending::Wait,
        expected,
    }
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A good request but for one value.
fn value(value: &str) -> Vec<u8> {
    format!(r#"{{"name": "input", "type": "training", "comment": {value}}}"#).into_bytes()
}

fn malformed() -> Vec<Body> {
    let lists = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    vec![
        ("cut off", text(r#"{"name": "x"#), Refused),
        ("text behind", text(r#"{"name": "x"} more"#), Refused),
        ("single quotes", text("{'name': 'x'}"), Refused),
        ("trailing comma", text(r#"{"name": "x",}"#), Refused),
        ("comment", text("/* */ {}"), Refused),
        ("brackets that differ", text("{]"), Refused),
        ("invalid UTF-8", b"{\"name\": \"\xff\xfe\"}".to_vec(), Refused),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec(), Refused),
        ("unknown escape", value(r#""\q""#), Refused),
        ("half an escape", value(r#""\u12""#), Refused),
        ("leading zeros", value("007"), Refused),
        ("100 000 lists", text(&"[".repeat(DEEP)), Refused),
        ("100 000 deep lists", value(&lists), Refused),
        ("100 000 deep objects", value(&objects), Refused),
        ("70 MB", vec![b' '; 70 << 20], Refused),
    ]
}

fn odd() -> Vec<Body> {
    let long = "x".repeat(LONG);
    let numbers = "1,".repeat(3_000_000);
    let members: String = (0..500_000).map(|number| format!("\"k{number}\":1,")).collect();
    let with_key = |key: &str| format!(r#"{{"name": "xxx", "type": "training", "runtime": {{"{key}": 1}}}}"#);
    vec![
        ("control character", value("\"a\u{1}b\""), NoHarm),
        ("NUL", value(r#""a\u0000b""#), NoHarm),
        ("lone surrogate", value(r#""\ud800""#), NoHarm),
        ("text of 10 MB", value(&format!("\"{long}\"")), NoHarm),
        ("escapes of 6 MB", value(&format!("\"{}\"", r"\u0061".repeat(1 << 20))), NoHarm),
        ("name of 10 MB", text(&format!(r#"{{"name": "{long}", "type": "training"}}"#)), NoHarm),
        ("key of 10 MB", text(&with_key(&long)), NoHarm),
        ("key of NUL", text(&with_key(r"\u0000")), NoHarm),
        ("3 000 000 numbers", value(&format!("[{numbers}1]")), NoHarm),
        ("500 000 members", text(&format!(r#"{{{members}"name": "xxx", "type": "training"}}"#)), NoHarm),
        ("number of 1 000 000 digits", value(&"9".repeat(1_000_000)), NoHarm),
        ("1e999999999", value("1e999999999"), NoHarm),
        ("-1e-999999999", value("-1e-999999999"), NoHarm),
        ("2^64", value("18446744073709551616"), NoHarm),
        ("NaN", value("NaN"), NoHarm),
        ("-Infinity", value("-Infinity"), NoHarm),
        (
            "operators",
            text(r#"{"name": {"$ne": null}, "type": {"$gt": ""}, "id": {"$where": "1"}, "$or": [{}]}"#),
            NoHarm,
        ),
        ("keys with dots and dollars", text(&with_key("$where.$a..b")), NoHarm),
        ("repeated keys", text(r#"{"name": "xxx", "name": 1, "name": "yyy", "type": "training"}"#), NoHarm),
        ("prototype", text(r#"{"__proto__": {"admin": true}, "name": "xxx", "type": "training"}"#), NoHarm),
        ("list", text("[1, 2]"), NoHarm),
        ("text", text("\"text\""), NoHarm),
        ("number", text("7"), NoHarm),
    ]
}

fn lines(task: &str) -> Vec<Body> {
    let event = |rest: &str| {
        format!(
            r#"{{"type": "training_stats_scalar", "task": "{task}", "metric": "m", "variant": "v", {rest}}}"#
        )
    };
    let good = event(r#""value": 1, "iter": 1"#);
    let line = |rest: &str| text(&format!("{}\n", event(rest)));
    let long = "x".repeat(LONG);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    vec![
        ("blank lines", text(&"\n".repeat(1_000_000)), Refused),
        ("empty objects", text(&"{}\n".repeat(500_000)), NoHarm),
        ("lists", text(&"[]\n".repeat(500_000)), Refused),
        ("half a line", text(&format!("{good}\n{{\"type\"")), Refused),
        ("noise", vec![0xfe; 1 << 20], Refused),
        ("a deep line", text(&format!("{deep}\n")), Refused),
        ("a deep line behind another", text(&format!("{good}\n{deep}\n")), Refused),
        ("3 000 000 values in a line", line(&format!(r#""value": [{}1]"#, "1,".repeat(3_000_000))), Refused),
        ("5 000 000 brackets", vec![b'['; 5_000_000], Refused),
        ("message of 10 MB", line(&format!(r#""type": "log", "msg": "{long}""#)), NoHarm),
        ("metric of 10 MB", line(&format!(r#""value": 1, "iter": 1, "metric": "{long}""#)), NoHarm),
        ("iteration of 100 digits", line(&format!(r#""value": 1, "iter": {}"#, "9".repeat(100))), NoHarm),
        ("iteration of text", line(r#""value": 1, "iter": "one""#), NoHarm),
        ("value of text", line(r#""value": "one", "iter": 1"#), NoHarm),
        ("infinite value", line(r#""value": Infinity, "iter": 1"#), NoHarm),
        ("time of 300 digits", line(r#""value": 1, "iter": 1, "timestamp": 1e300"#), NoHarm),
        ("negative time", line(r#""value": 1, "iter": 1, "timestamp": -9223372036854775808"#), NoHarm),
        ("time of text", line(r#""value": 1, "iter": 1, "timestamp": "now""#), NoHarm),
        (
            "names that are none",
            line(r#""value": 1, "iter": 1, "metric": 1, "variant": {}, "worker": []"#),
            NoHarm,
        ),
        ("plot that is no text", line(r#""type": "plot", "plot_str": {"a": 1}, "iter": 1"#), NoHarm),
        ("task that is no text", text("{\"type\": \"log\", \"task\": {\"$ne\": 1}, \"msg\": 1}\n"), NoHarm),
    ]
}

fn forms() -> Vec<Body> {
    let many: String = (0..200_000).map(|number| format!("k{number}=v&")).collect();
    let deep = vec!["a"; 50_000].join(".");
    vec![
        ("broken escapes", text("name=%&id=%zz&x=%f"), NoHarm),
        ("invalid UTF-8", text("name=%ff%fe"), NoHarm),
        ("200 000 fields", text(&many), NoHarm),
        ("50 000 deep key", text(&format!("{deep}=1")), NoHarm),
        ("200 000 values of one key", text(&"id[]=x&".repeat(200_000)), NoHarm),
        ("keys in conflict", text("name=1&name.x=2&name[]=3&.=4&..=5&=6&[]=7"), NoHarm),
        ("number of 100 000 digits", text(&format!("page={}", "9".repeat(100_000))), NoHarm),
    ]
}
