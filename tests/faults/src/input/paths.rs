//! Paths that lead out of the folder of files, in every encoding.

use std::path::Path;

use anyhow::ensure;
use clearml_driver::DataDir;

use super::{
    Case, Expected, Subject,
    wire::{Ending, Target},
};

/// The name of every file that a case tries to write.
const ESCAPED: &str = "escaped-name";
/// A file beside the folder of files, and beside the data directory.
const OUTSIDE: &str = "outside.txt";

/// Ways to write `../`.
const UP: [&str; 22] = [
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    ".%2e/",
    "..%252f",
    "%252e%252e%252f",
    "..\\",
    "..%5c",
    "..%c0%af",
    "%c0%ae%c0%ae/",
    "%e0%80%ae%e0%80%ae/",
    "..%ef%bc%8f",
    "....//",
    "..;/",
    ".%00./",
    "..%00/",
    "%2e%2e%00/",
    "./../",
    "x/../../",
    "x/%2e%2e/%2e%2e/",
    "//../",
];

pub(super) fn cases(subject: &Subject) -> Vec<Case> {
    let mut cases = Vec::new();
    for up in UP {
        for depth in [1, 2, 10] {
            let way = up.repeat(depth);
            for to in [OUTSIDE, "secrets.json", "etc/passwd"] {
                cases.extend(reads(subject, &format!("/{way}{to}")));
            }
            cases.extend(writes(subject, &format!("{way}{ESCAPED}")));
        }
    }
    let absolute = [
        "//etc/passwd",
        "/%2fetc/passwd",
        "/%2f%2fetc%2fpasswd",
        "/proc/self/environ",
        "///etc/../etc/passwd",
    ];
    for path in absolute {
        cases.extend(reads(subject, path));
    }
    let roots =
        ["/", ".", "..", "a/..", ".clearml-uploads", ".clearml-uploads/escaped-name", "//tmp/escaped-name"];
    for path in roots {
        cases.extend(writes(subject, path));
    }
    cases
}

fn reads(subject: &Subject, path: &str) -> Vec<Case> {
    let path = path.replace('\\', "%5c");
    let case = |target, path: &str, expected| Case {
        name: format!("path: GET {path} ({target:?})"),
        target,
        bytes: subject.request(&format!("GET {path}"), &[], b""),
        ending: Ending::Wait,
        expected,
    };
    vec![
        case(Target::Files, &path, Expected::Refused),
        case(Target::Api, &path, Expected::Refused),
        // Unknown paths show the Web-App.
        case(Target::Web, &path, Expected::NoHarm),
        case(Target::Web, &format!("/files{path}"), Expected::NoHarm),
    ]
}

fn writes(subject: &Subject, path: &str) -> Vec<Case> {
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"{path}\"; filename=\"f\"\r\n\r\nescaped\r\n--b--\r\n"
    );
    let kind = [("Content-Type", "multipart/form-data; boundary=b")];
    let existing = path.replace(ESCAPED, OUTSIDE);
    let list = serde_json::json!({"files": [path, existing, format!("/{existing}")]});
    let delete = format!("DELETE /{}", existing.replace('\\', "%5c"));
    let case = |what: &str, bytes| Case {
        name: format!("path: {what} {path}"),
        target: Target::Files,
        bytes,
        ending: Ending::Wait,
        expected: Expected::NoHarm,
    };
    vec![
        case("upload to", subject.request("POST /", &kind, form.as_bytes())),
        case("delete", subject.request(&delete, &[], b"")),
        case("delete many", subject.request("POST /delete_many", &[], list.to_string().as_bytes())),
    ]
}

/// What the cases wanted to write lies in the folder of files or nowhere; what they wanted to delete is there.
pub(super) fn nothing_escaped(data: &DataDir) -> anyhow::Result<()> {
    let files = data.path().join("files");
    for kept in [
        data.parent().join(OUTSIDE),
        data.path().join(OUTSIDE),
        data.path().join("secrets.json"),
        files.join(".clearml-uploads"),
    ] {
        ensure!(kept.exists(), "{} was deleted", kept.display());
    }
    let unfinished = std::fs::read_dir(files.join(".clearml-uploads"))?.count();
    ensure!(unfinished == 0, "{unfinished} unfinished uploads are left");
    let temporary = Path::new("/tmp").join(ESCAPED);
    ensure!(!temporary.exists(), "{} was written", temporary.display());
    search(data.parent(), &files)
}

fn search(folder: &Path, files: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        ensure!(!path.to_string_lossy().contains(ESCAPED), "{} was written", path.display());
        if path.is_dir() && path != files {
            search(&path, files)?;
        }
    }
    Ok(())
}
