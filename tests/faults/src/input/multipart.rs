//! Forms that are malformed, to the file server and to the API.

use super::{
    Case, Expected, Subject,
    wire::{Ending, Target},
};

const END: &str = "--b--\r\n";

pub(super) fn cases(subject: &Subject) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, kind, body) in forms() {
        for (target, line) in [
            (Target::Files, "POST /"),
            (Target::Web, "POST /files/"),
            (Target::Api, "POST /v2.31/tasks.get_all"),
        ] {
            cases.push(Case {
                name: format!("form: {name} ({target:?} {line})"),
                target,
                bytes: subject.request(line, &[("Content-Type", kind)], body.as_bytes()),
                ending: Ending::Wait,
                expected: Expected::NoHarm,
            });
        }
    }
    cases
}

fn part(disposition: &str, rest: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n{rest}\r\ncontent\r\n")
}

fn file(name: &str) -> String {
    part(&format!("name=\"{name}\"; filename=\"f\""), "") + END
}

fn forms() -> Vec<(&'static str, &'static str, String)> {
    let boundary = "multipart/form-data; boundary=b";
    let long = "x".repeat(1 << 20);
    let with_head = |rest: &str| part("name=\"f\"; filename=\"f\"", rest) + END;
    vec![
        ("no boundary", "multipart/form-data", file("f")),
        ("empty boundary", "multipart/form-data; boundary=", file("f")),
        ("another boundary", "multipart/form-data; boundary=other", file("f")),
        ("odd boundary", "multipart/form-data; boundary=\"a\t;b\"", file("f")),
        ("no end", boundary, part("name=\"cut-off\"; filename=\"f\"", "")),
        ("cut off in a head", boundary, "--b\r\nContent-Dispo".to_owned()),
        (
            "cut off behind a head",
            boundary,
            "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n".to_owned(),
        ),
        ("no disposition", boundary, format!("--b\r\n\r\ncontent\r\n{END}")),
        ("no name", boundary, part("filename=\"f\"", "") + END),
        ("quotes left open", boundary, part("name=\"f; filename=\"f", "") + END),
        ("head of 1 MB", boundary, with_head(&format!("x-long: {long}\r\n"))),
        ("10 000 heads", boundary, with_head(&"x-a: b\r\n".repeat(10_000))),
        ("form in a form", boundary, with_head("Content-Type: multipart/mixed; boundary=b\r\n")),
        ("name of 1 MB", boundary, file(&long)),
        ("name of 300 bytes", boundary, file(&"n".repeat(300))),
        ("folder of 300 bytes", boundary, file(&format!("{}/f", "n".repeat(300)))),
        ("5000 folders", boundary, file(&format!("{}f", "d/".repeat(5000)))),
        ("name with NUL", boundary, file("a\0b")),
        ("name with line breaks", boundary, file("a%0d%0ab\u{b}")),
        ("name of slashes", boundary, file("////")),
        ("10 000 parts", boundary, part("name=\"p\"", "").repeat(10_000) + END),
        ("10 000 files", boundary, part("name=\"p\"; filename=\"f\"", "").repeat(10_000) + END),
        (
            "field of 1 MB",
            boundary,
            format!("--b\r\nContent-Disposition: form-data; name=\"p\"\r\n\r\n{long}\r\n{END}"),
        ),
        ("only the end", boundary, END.to_owned()),
        ("nothing", boundary, String::new()),
        ("only breaks", boundary, "\r\n".repeat(100_000)),
        ("only dashes", boundary, "-".repeat(1 << 20)),
    ]
}
