//! Broken heads, broken chunks, and what is no HTTP at all.

use super::{
    Case, Expected, Subject,
    wire::{Ending, Target},
};

pub(super) fn cases(subject: &Subject) -> Vec<Case> {
    let mut cases = Vec::new();
    for target in Target::ALL {
        cases.extend(broken_heads(target));
        cases.extend(odd_heads(subject, target));
        cases.extend(lengths(subject, target));
        cases.extend(chunks(subject, target));
        cases.extend(not_http(target));
        cases.push(pipelined(target));
    }
    cases
}

/// A request that has a body.
fn post_line(target: Target) -> &'static str {
    match target {
        Target::Api => "POST /v2.31/tasks.get_all",
        Target::Files => "POST /",
        Target::Web => "POST /api/v2.31/tasks.get_all",
    }
}

/// A path that needs none.
fn get_path(target: Target) -> &'static str {
    match target {
        Target::Api => "/debug.ping",
        Target::Files => "/",
        Target::Web => "/api/debug.ping",
    }
}

fn case(name: &str, target: Target, bytes: impl Into<Vec<u8>>, expected: Expected) -> Case {
    let name = format!("{name} ({target:?})");
    Case { name, target, bytes: bytes.into(), ending: Ending::HalfClose, expected }
}

fn plain_head(target: Target) -> String {
    format!("GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", get_path(target))
}

fn broken_heads(target: Target) -> Vec<Case> {
    let (path, plain) = (get_path(target), plain_head(target));
    let long = "a".repeat(1 << 20);
    let many: String = (0..10_000).map(|number| format!("x-{number}: value\r\n")).collect();
    let hundreds: String = (0..300).map(|number| format!("x-{number}: value\r\n")).collect();
    let same = "x-same: value\r\n".repeat(20_000);
    let heads = [
        ("request line of 1 MB", format!("GET /{long} HTTP/1.1\r\n\r\n")),
        ("query of 70 kB", format!("GET {path}?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000))),
        ("method of 100 kB", format!("{} / HTTP/1.1\r\n\r\n", "G".repeat(100_000))),
        ("header of 1 MB", format!("{plain}x-long: {long}\r\n\r\n")),
        ("header name of 1 MB", format!("{plain}{long}: x\r\n\r\n")),
        ("10 000 headers", format!("{plain}{many}\r\n")),
        ("300 headers", format!("{plain}{hundreds}\r\n")),
        ("20 000 times the same header", format!("{plain}{same}\r\n")),
        ("header without colon", format!("{plain}nonsense\r\n\r\n")),
        ("space before the colon", format!("{plain}x-a : b\r\n\r\n")),
        ("header with NUL", format!("{plain}x-a: b\0c\r\n\r\n")),
        ("header with a bare CR", format!("{plain}x-a: b\rc\r\n\r\n")),
        ("folded header", format!("{plain}x-a: b\r\n folded\r\n\r\n")),
        ("empty header name", format!("{plain}: b\r\n\r\n")),
        ("head without end", format!("{plain}x-a: b")),
        ("HTTP/9.9", format!("GET {path} HTTP/9.9\r\n\r\n")),
        ("HTTP/0.9", format!("GET {path}\r\n\r\n")),
        ("no version", format!("GET {path} \r\n\r\n")),
        ("too many words", format!("GET {path} more HTTP/1.1\r\n\r\n")),
        ("control character in the path", format!("GET {path}\u{1} HTTP/1.1\r\n\r\n")),
        ("CONNECT", "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n".to_owned()),
        ("empty lines, 1 MB", "\r\n".repeat(500_000)),
    ];
    heads.into_iter().map(|(name, text)| case(name, target, text, Expected::Refused)).collect()
}

/// Whole requests, so the answer is to come.
fn odd_heads(subject: &Subject, target: Target) -> Vec<Case> {
    let (path, plain) = (get_path(target), plain_head(target));
    let authorization = &subject.api.authorization;
    let ranges = "0-0,".repeat(10_000);
    let cookies = "clearml_token_basic=x; ".repeat(2500);
    let from = "Host: x\r\nConnection: close\r\n";
    let heads = [
        ("no host", format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n")),
        ("two hosts", format!("{plain}Host: y\r\n\r\n")),
        ("odd host", format!("GET {path} HTTP/1.1\r\nHost: a b[:]:99999999\r\nConnection: close\r\n\r\n")),
        ("another site's address", format!("GET http://evil.example{path} HTTP/1.1\r\n{from}\r\n")),
        ("file address", format!("GET file:///etc/passwd HTTP/1.1\r\n{from}\r\n")),
        ("path without slash", format!("GET debug.ping HTTP/1.1\r\n{from}\r\n")),
        ("asterisk", format!("GET * HTTP/1.1\r\n{from}\r\n")),
        ("OPTIONS asterisk", format!("OPTIONS * HTTP/1.1\r\n{from}\r\n")),
        ("unknown method", format!("BREW {path} HTTP/1.1\r\n{from}\r\n")),
        ("lower case method", format!("get {path} HTTP/1.1\r\n{from}\r\n")),
        ("bare LF", format!("GET {path} HTTP/1.1\nHost: x\nConnection: close\n\n")),
        ("upgrade to h2c", format!("{plain}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n")),
        ("upgrade to websocket", format!("{plain}Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")),
        ("unknown expectation", format!("{plain}Expect: miracles\r\n\r\n")),
        ("10 000 ranges", format!("{plain}Authorization: {authorization}\r\nRange: bytes={ranges}\r\n\r\n")),
        ("cookies of 57 kB", format!("{plain}Cookie: {cookies}\r\n\r\n")),
        ("odd encodings", format!("{plain}Accept-Encoding: gzip;q=NaN, ;;;, *;q=-1\r\n\r\n")),
        ("compressed body", format!("{plain}Content-Encoding: gzip\r\n\r\n")),
        ("odd origin", format!("{plain}Origin: \u{ff}\r\nAccess-Control-Request-Method: \u{ff}\r\n\r\n")),
        (
            "forged forwarding",
            format!("{plain}X-Forwarded-For: \u{ff}';--\r\nX-Clearml-Worker: \u{ff}\r\n\r\n"),
        ),
        ("odd dates", format!("{plain}If-Modified-Since: yesterday\r\nIf-None-Match: \"\r\n\r\n")),
    ];
    let whole = |(name, text)| Case { ending: Ending::Wait, ..case(name, target, text, Expected::NoHarm) };
    heads.into_iter().map(whole).collect()
}

/// Of a body that is wrong anyway. A file server that gets no form answers an empty list.
fn expected_of_body(target: Target) -> Expected {
    if target == Target::Files { Expected::NoHarm } else { Expected::Refused }
}

fn lengths(subject: &Subject, target: Target) -> Vec<Case> {
    let headers: [(&str, &[(&str, &str)]); 14] = [
        ("-1", &[("Content-Length", "-1")]),
        ("+5", &[("Content-Length", "+5")]),
        ("text", &[("Content-Length", "five")]),
        ("1e3", &[("Content-Length", "1e3")]),
        ("hexadecimal", &[("Content-Length", "0x10")]),
        ("empty", &[("Content-Length", "")]),
        ("two that differ", &[("Content-Length", "5"), ("Content-Length", "6")]),
        ("list", &[("Content-Length", "5, 6")]),
        ("2^64", &[("Content-Length", "18446744073709551616")]),
        ("2^63 - 1", &[("Content-Length", "9223372036854775807")]),
        ("larger than the body", &[("Content-Length", "1000")]),
        ("with chunks", &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")]),
        ("unknown encoding", &[("Transfer-Encoding", "gzip")]),
        ("chunks inside of something", &[("Transfer-Encoding", "chunked, identity")]),
    ];
    let case_of = |(name, headers): (&str, &[(&str, &str)])| {
        let mut bytes = subject.head(post_line(target), headers);
        bytes.extend_from_slice(b"[[[[[");
        case(&format!("length: {name}"), target, bytes, expected_of_body(target))
    };
    headers.into_iter().map(case_of).collect()
}

fn chunks(subject: &Subject, target: Target) -> Vec<Case> {
    let digits = format!("{}\r\n", "F".repeat(100));
    let extension = format!("5;{}\r\n[[[[[\r\n0\r\n\r\n", "x".repeat(1 << 20));
    let trailers = format!("5\r\n[[[[[\r\n0\r\n{}\r\n", "x-trailer: y\r\n".repeat(50_000));
    let tiny = format!("{}0\r\n\r\n", "1\r\n[\r\n".repeat(100_000));
    let bodies = [
        ("size of 100 digits", digits.as_str()),
        ("size of 2^63 - 1", "7fffffffffffffff\r\n[[[[["),
        ("size of 2^64 - 1", "ffffffffffffffff\r\n[[[[["),
        ("negative size", "-5\r\n[[[[[\r\n0\r\n\r\n"),
        ("0x", "0x5\r\n[[[[[\r\n0\r\n\r\n"),
        ("no size", "\r\n[[[[[\r\n0\r\n\r\n"),
        ("size of letters", "size\r\n[[[[[\r\n0\r\n\r\n"),
        ("space before the size", " 5\r\n[[[[[\r\n0\r\n\r\n"),
        ("bare LF", "5\n[[[[[\n0\n\n"),
        ("no CRLF after the size", "5[[[[[\r\n0\r\n\r\n"),
        ("no CRLF after the data", "5\r\n[[[[[0\r\n\r\n"),
        ("more data than the size", "5\r\n[[[[[[[[[[\r\n0\r\n\r\n"),
        ("cut off in the size", "5"),
        ("cut off in the data", "5\r\n[["),
        ("cut off before the end", "5\r\n[[[[[\r\n"),
        ("extension of 1 MB", &extension),
        ("trailers of 700 kB", &trailers),
        ("malformed trailer", "5\r\n[[[[[\r\n0\r\nno colon\r\n\r\n"),
        ("100 000 chunks of a byte", &tiny),
    ];
    let form = "multipart/form-data; boundary=b";
    let mut cases = Vec::new();
    for (name, body) in bodies {
        for kind in ["application/json", form] {
            let headers = [("Transfer-Encoding", "chunked"), ("Content-Type", kind)];
            let mut bytes = subject.head(post_line(target), &headers);
            bytes.extend_from_slice(body.as_bytes());
            let expected = if kind == form { Expected::NoHarm } else { expected_of_body(target) };
            cases.push(case(&format!("chunks of {kind}: {name}"), target, bytes, expected));
        }
    }
    cases
}

fn not_http(target: Target) -> Vec<Case> {
    // The beginning of a TLS 1.2 ClientHello.
    let mut tls = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    tls.extend((0..500_u32).map(|byte| (byte * 37 % 251) as u8));
    let noise: Vec<u8> = (0..65_536_u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let all = [
        ("TLS", tls),
        ("noise", noise),
        ("zeros", vec![0; 1 << 20]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("Redis", b"*1\r\n$4\r\nPING\r\n".to_vec()),
        ("SMTP", b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n".to_vec()),
        ("proxy protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
    ];
    all.into_iter().map(|(name, bytes)| case(name, target, bytes, Expected::Refused)).collect()
}

/// A good request with garbage behind it: its answer, and then the end.
fn pipelined(target: Target) -> Case {
    let mut bytes = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", get_path(target)).into_bytes();
    bytes.extend_from_slice(b"\x01\x02 garbage\r\n\r\n");
    Case { ending: Ending::Wait, ..case("garbage behind a request", target, bytes, Expected::NoHarm) }
}
