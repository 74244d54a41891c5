//! Tokens and keys that are none.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Case, Expected, Subject,
    wire::{self, Ending, Target},
};

pub(super) fn cases(subject: &Subject) -> Vec<Case> {
    let token = subject.api.authorization.strip_prefix("Bearer ").unwrap_or_default();
    let mut parts = token.split('.');
    let [header, claims, signature] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let none = encoded(r#"{"alg":"none","typ":"JWT"}"#);
    let file = encoded(r#"{"alg":"HS256","typ":"JWT","kid":"../../../dev/null"}"#);
    let rsa = encoded(r#"{"alg":"RS256","typ":"JWT"}"#);
    let root = encoded(r#"{"identity":{"user":"x","company":"x","role":"root"}}"#);
    let authorizations = [
        ("alg none", format!("Bearer {none}.{claims}.")),
        ("alg none with signature", format!("Bearer {none}.{claims}.{signature}")),
        ("another algorithm", format!("Bearer {rsa}.{claims}.{signature}")),
        ("key of a file", format!("Bearer {file}.{claims}.{signature}")),
        ("other claims", format!("Bearer {header}.{root}.{signature}")),
        ("no signature", format!("Bearer {header}.{claims}")),
        ("signature of another key", format!("Bearer {header}.{claims}.{}", encoded(&"x".repeat(32)))),
        ("token of 50 kB", format!("Bearer {}", "a".repeat(50_000))),
        ("token of dots", format!("Bearer {}", ".".repeat(10_000))),
        ("empty token", "Bearer ".to_owned()),
        ("empty", String::new()),
        ("lower case", format!("bearer {token}")),
        ("basic without colon", "Basic YWJj".to_owned()),
        ("basic that is no base64", "Basic ====!!".to_owned()),
        ("basic of 48 kB", format!("Basic {}", "YWE6".repeat(12_000))),
        ("basic that is no UTF-8", "Basic //8://8=".to_owned()),
        ("digest", "Digest username=\"x\"".to_owned()),
    ];
    let lines = [
        (Target::Api, "POST /tasks.get_all"),
        (Target::Files, "GET /outside.txt"),
        (Target::Web, "POST /api/tasks.get_all"),
        (Target::Web, "GET /files/outside.txt"),
    ];
    let mut cases = Vec::new();
    for (name, authorization) in authorizations {
        for (target, line) in lines {
            cases.push(Case {
                name: format!("token: {name} ({target:?} {line})"),
                target,
                bytes: wire::head(line, &[("Authorization", &authorization)]),
                ending: Ending::Wait,
                expected: Expected::Refused,
            });
        }
    }
    cases
}
