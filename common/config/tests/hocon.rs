//! The HOCON forms that configuration files use, read through the public surface.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use clearml_config::{Config, Environment, Sources};
use serde_json::{Value, json};

/// The content of `test.conf` as JSON, or the error.
fn read(text: &str) -> Result<Value, String> {
    read_with(text, &[], Environment::default())
}

fn read_with(text: &str, others: &[(&str, &str)], environment: Environment) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.conf"), text).unwrap();
    std::fs::create_dir(folder.path().join(".parts")).unwrap();
    for (name, text) in others {
        std::fs::write(folder.path().join(".parts").join(name), text).unwrap();
    }
    let sources = Sources { directories: vec![folder.path().to_owned()], environment };
    let config = Config::load(&sources)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))?;
    Ok(config.value("test").unwrap_or(Value::Null))
}

#[track_caller]
fn same(text: &str, expected: &Value) {
    assert_eq!(&read(text).unwrap(), expected, "{text}");
}

#[test]
fn scalars_objects_and_lists() {
    same(
        "a = 1\nb: 'x'\nc { d = true, e = null }\nf = 1.50\ng = -3\nh = 1e5",
        &json!({"a": 1, "b": "'x'", "c": {"d": true, "e": null}, "f": 1.5, "g": -3, "h": 100_000.0}),
    );
    same("{ \"a\": {\"b\": [1, 2, [3]]} }", &json!({"a": {"b": [1, 2, [3]]}}));
    same("a = [\n 1\n 2\n { b = 3 }\n]\nb = [1,2,]", &json!({"a": [1, 2, {"b": 3}], "b": [1, 2]}));
    same(
        "a = 0012\nb = 1.2.3\nc = 99999999999\nd = 007x",
        &json!({"a": 12, "b": "1.2.3", "c": 99_999_999_999_i64, "d": "007x"}),
    );
    same("a = \"1\"\nb = \"true\"\nc = \"\"", &json!({"a": "1", "b": "true", "c": ""}));
    same("", &json!({}));
    same("\u{feff}a = 1\r\nb = x\r\n", &json!({"a": 1, "b": "x"}));
}

#[test]
fn comments_and_unquoted_text() {
    same("# c\n// d\na = 1 # t\nb = x y  // z\nc = p#q", &json!({"a": 1, "b": "x y", "c": "p"}));
    same("fileserver = http://localhost:8081 // ours", &json!({"fileserver": "http://localhost:8081"}));
    same("a = [http://x:1, https://y/z?q&r!]", &json!({"a": ["http://x:1", "https://y/z?q&r!"]}));
    same(
        "a = gaOfhDX2-bpkeI7_cw\nb = 10 s\nc = 5m",
        &json!({"a": "gaOfhDX2-bpkeI7_cw", "b": "10 s", "c": "5m"}),
    );
}

#[test]
fn keys() {
    same(
        "a.b.c = 1\na { b { d = 2 } }\n\"a.b\".c = 3",
        &json!({"a": {"b": {"c": 1, "d": 2}}, "a.b": {"c": 3}}),
    );
    same("\"access_key\" = \"A b\"\n1 = a\nx y = 2", &json!({"access_key": "A b", "1": "a", "x y": 2}));
    same("a { b = 1 }\na = 2\na { c = 3 }", &json!({"a": {"c": 3}}));
}

#[test]
fn quoted_text() {
    same(r#"a = "\"\\\/\n\t\u00e9\ud83d\ude00""#, &json!({"a": "\"\\/\n\té😀"}));
    same("a = \"\"\"x\n\"y\" \\n\"\"\"", &json!({"a": "x\n\"y\" \\n"}));
    same(r#"a = "lone \ud800!""#, &json!({"a": "lone \u{fffd}!"}));
}

#[test]
fn substitutions() {
    let environment: Environment = [("HOME_HOST", "example.org"), ("PORT", "80")].into_iter().collect();
    let text = "base = { port = 1, host = a }\nuse = ${base} { port = 2 }\nurl = \"http://\"${HOME_HOST}\":\"${base.port}\nport = ${PORT}\nnone = ${?MISSING}\nkept = 1\nkept = ${?MISSING}";
    assert_eq!(
        read_with(text, &[], environment).unwrap(),
        json!({
            "base": {"port": 1, "host": "a"}, "use": {"port": 2, "host": "a"},
            "url": "http://example.org:1", "port": "80", "kept": 1
        })
    );
    same("a { x = 1, y = ${a.x} }", &json!({"a": {"x": 1, "y": 1}}));
    same("p = a\np = ${p}\":b\"\nq = x\nq = ${q} y", &json!({"p": "a:b", "q": "x y"}));
    same("l = [1]\nl += 2\nl = ${l} [3]\nm += 4", &json!({"l": [1, 2, 3], "m": [4]}));
    same("a = ${b}\nb = ${c}\nc = 3", &json!({"a": 3, "b": 3, "c": 3}));
    same(
        "a = {x = 1}\na = ${b}\nb = {y = 2}\nc = ${a.y} ${a.x}",
        &json!({"a": {"x": 1, "y": 2}, "b": {"y": 2}, "c": "2 1"}),
    );
}

#[test]
fn includes() {
    let parts = [("common.conf", "x = 1\nnested { y = ${x} }"), ("circle.conf", "include \"circle.conf\"")];
    let read = |text: &str| read_with(text, &parts, Environment::default());
    assert_eq!(read("include \".parts/common.conf\"\nx = 2").unwrap(), json!({"x": 2, "nested": {"y": 2}}));
    assert_eq!(
        read("z { include required(file(\".parts/common\"))\n }").unwrap(),
        json!({"z": {"x": 1, "nested": {"y": 1}}})
    );
    assert_eq!(read("include \"missing.conf\"\na = 1").unwrap(), json!({"a": 1}));
    assert_eq!(read("include = 5\nincluded = 6").unwrap(), json!({"include": 5, "included": 6}));
    assert_eq!(
        read("include required(\"missing.conf\")").unwrap_err(),
        "test.conf:1: included file missing.conf not found"
    );
    assert!(read("include \".parts/circle.conf\"").unwrap_err().contains("a file includes itself"));
    assert!(read("include url(\"http://x\")").unwrap_err().contains("only files can be included"));
}

#[test]
fn errors_name_file_line_and_reason() {
    for (text, expected) in [
        ("a = 1\nb = {\n  c = 1\n", "test.conf:2: this object is never closed: a '}' is missing"),
        ("a = [1,\n2", "test.conf:1: this list is never closed: a ']' is missing"),
        ("\na = \"x", "test.conf:2: this text is never closed: a '\"' is missing"),
        ("a = \"\"\"x", "test.conf:1: this text is never closed: a '\"' is missing"),
        ("a", "test.conf:1: expected '=', ':' or '{' after the key a"),
        ("a = ,b = 1", "test.conf:1: expected a value"),
        ("= 1", "test.conf:1: expected a key"),
        ("a = x=y", "test.conf:1: '=' in unquoted text: put the value in quotes"),
        ("a = p$q", "test.conf:1: '$' in unquoted text: put the value in quotes"),
        ("a = 1 }", "test.conf:1: expected a key"),
        ("{ a = 1 } b = 2", "test.conf:1: unexpected text after the end of the object"),
        ("a = \"x\\q\"", "test.conf:1: unknown escape in quoted text: a backslash is written \\\\"),
        (
            "a = 1\nb = ${nope}",
            "test.conf:2: ${nope} is neither a key of this file nor an environment variable",
        ),
        ("a = ${b}\nb = ${a}", "test.conf:2: ${a} is neither"),
        ("a = 1\na += 2", "test.conf:2: += needs a list to append to"),
        ("a = {x = 1} [2]", "test.conf:1: an object and a list can't be joined into one value"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    assert!(read(&format!("a = {}", "[".repeat(50_000))).unwrap_err().contains("nested deeper than 100"));
    assert!(read(&"a { ".repeat(50_000)).unwrap_err().contains("nested deeper than 100"));
}
