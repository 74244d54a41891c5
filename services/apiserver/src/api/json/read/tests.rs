use super::*;

fn bson(text: &str) -> Result<Bson, ReadError> {
    read(text.as_bytes(), Limits::default()).map(Bson::from)
}

#[test]
fn standard_json_reads_as_a_standard_library_reads_it() {
    for text in [
        "null",
        " true ",
        "false",
        "0",
        "12",
        "-9223372036854775808",
        "9223372036854775807",
        "1.5",
        "-1.5e3",
        "1E-2",
        "1e+2",
        "\"\"",
        "\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"",
        "\"\\u00e9\\ud83d\\ude00é😀\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1,[2,{\"a\":[3]}] , null]",
        "{\"a\" : 1 , \"b\":{\"c\":[true]}}",
        "{\"a\":1,\"b\":2,\"a\":3}",
    ] {
        let standard: serde_json::Value = serde_json::from_str(text).unwrap();
        let ours = bson(text).unwrap();
        let mut written = Vec::new();
        crate::api::json::write_value(&mut written, &ours).unwrap();
        let again: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(again, standard, "{text}");
    }
}

#[test]
fn malformed_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "1 2",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x10",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "tru",
        "nul",
        "Nan",
        "Inf",
        "-Inf",
        "undefined",
        "\u{feff}{}",
        "[1}",
        "{\"a\":1]",
    ] {
        assert!(matches!(bson(text), Err(ReadError::Syntax(_))), "{text:?}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?} is JSON");
    }
}

#[test]
fn python_extensions_are_read() {
    let list = bson("[NaN, Infinity, -Infinity]").unwrap();
    let values: Vec<f64> = list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert!(values[0].is_nan());
    assert_eq!(values[1..], [f64::INFINITY, f64::NEG_INFINITY]);
}

#[test]
fn lone_surrogates_become_the_replacement_character() {
    for (text, expected) in [
        ("\"\\udc80\"", "\u{fffd}"),
        ("\"a\\ud83dz\"", "a\u{fffd}z"),
        ("\"\\ud83d\\ud83d\\ude00\"", "\u{fffd}\u{1f600}"),
        ("\"\\ud83d\\n\"", "\u{fffd}\n"),
        ("\"\\ud83d\\u0041\"", "\u{fffd}A"),
    ] {
        assert_eq!(bson(text).unwrap(), Bson::String(expected.into()), "{text}");
    }
}

#[test]
fn huge_integers_become_floats() {
    assert_eq!(bson("9223372036854775808").unwrap(), Bson::Double(9_223_372_036_854_775_808.0));
    assert_eq!(bson(&"9".repeat(400)).unwrap(), Bson::Double(f64::INFINITY));
    assert_eq!(bson("1e999").unwrap(), Bson::Double(f64::INFINITY));
}

#[test]
fn invalid_utf8_is_refused() {
    assert_eq!(read(b"\"a\xff\"", Limits::default()), Err(ReadError::Encoding(2)));
}

#[test]
fn nesting_and_number_of_values_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(bson(&nested(200)).is_ok());
    assert_eq!(bson(&nested(201)), Err(ReadError::TooDeep(200)));
    assert_eq!(bson(&"[".repeat(1_000_000)), Err(ReadError::TooDeep(200)));
    assert_eq!(bson(&"{\"a\":".repeat(1_000_000)), Err(ReadError::TooDeep(200)));
    let limits = Limits { values: 3, ..Limits::default() };
    assert!(read(b"[1,2]", limits).is_ok());
    assert_eq!(read(b"[1,2,3]", limits), Err(ReadError::TooMany(3)));
}

#[test]
fn all_ways_of_reading_agree() {
    for text in [
        "null",
        "[]",
        "{}",
        "[1,2.5,\"a\\\"[,{\"]",
        "{\"a,b\":[{\"c\":{}},[]],\"a,b\":null}",
        "[1",
        "{\"a\":}",
        "\"\\",
        "[[[",
        "\"a",
        "{\"a\\",
    ] {
        let limits = Limits::default();
        let read = read_counted(text.as_bytes(), limits);
        assert_eq!(
            read_bson(text.as_bytes(), limits).ok(),
            read.clone().ok().map(|read| read.0.into()),
            "{text}"
        );
        assert_eq!(is_json(text.as_bytes(), limits.depth), read.is_ok(), "{text}");
        let estimate = estimate_values(text.as_bytes());
        if let Ok((_, values)) = read {
            assert!(
                (values..=2 * values).contains(&estimate),
                "{text}: {values} values, estimate {estimate}"
            );
        }
    }
}

#[test]
fn the_last_of_repeated_keys_counts() {
    let value = read(b"{\"a\":1,\"a\":2}", Limits::default()).unwrap();
    assert_eq!(value.get("a"), Some(&Json::Integer(2)));
}

#[test]
fn plain_strings_are_borrowed() {
    let value = read("{\"key\":\"välue\"}".as_bytes(), Limits::default()).unwrap();
    assert!(matches!(value.get("key"), Some(Json::Text(Cow::Borrowed("välue")))));
}
