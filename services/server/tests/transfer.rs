//! `clearml-server export` and `import`, by running the binary.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(dead_code, reason = "the support is shared")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use support::{Server, command, folder};

fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data).args(arguments).output().unwrap()
}

/// What a command printed, which has to be successful.
fn done(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command, which has to fail.
fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A server with a task, its log and a file, stopped; its pair of keys and a token.
fn used(data: &Path) -> (String, String, String) {
    let mut server = Server::start(data, &[]);
    let (key, secret) = server.pair();
    let token = server.login(&key, &secret).unwrap();
    let task = server.api(&token, "tasks.create", r#"{"name": "moved", "type": "training"}"#);
    let task = task["data"]["id"].as_str().unwrap();
    let event = format!(r#"{{"type": "log", "task": "{task}", "msg": "a line", "level": "INFO"}}"#);
    let added = server.api(&token, "events.add", &event);
    assert_eq!(added["meta"]["result_code"], 200, "{added}");
    let body = "--B\r\nContent-Disposition: form-data; name=\"/p/a b.txt\"; filename=\"a\"\r\n\r\nhello\r\n--B--\r\n";
    let headers =
        format!("Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=B\r\n");
    assert_eq!(server.http("files_url", "POST", "/", &headers, body).0, 200);
    server.stop();
    (key, secret, token)
}

#[test]
fn a_server_moves_with_its_keys_and_tokens() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let archive = at("archive").to_str().unwrap().to_owned();
    let again = at("again").to_str().unwrap().to_owned();
    let (key, secret, token) = used(&at("first"));
    let sums = done(&at("first"), &["export", &archive]);
    for kind in ["backend.task ", "auth.user ", "log ", "files "] {
        assert!(sums.contains(kind), "{kind} is missing in {sums}");
    }
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o700);
    let message = refused(&at("first"), &["export", &archive]);
    assert!(message.contains("holds a complete archive"), "{message}");

    // It was started, and not used.
    Server::start(&at("second"), &[]).stop();
    let output = run(&at("second"), &["import", &archive]);
    assert!(output.status.success());
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(lines.contains("documents: ") && lines.contains("files: 1 (100 %)"), "{lines}");
    assert_eq!(done(&at("second"), &["export", &again]), sums);

    let mut server = Server::start(&at("second"), &[]);
    assert!(server.started["credentials"].is_null(), "nobody new is made");
    server.login(&key, &secret).unwrap();
    let tasks = server.api(&token, "tasks.get_all", r#"{"name": "moved"}"#);
    let task = tasks["data"]["tasks"][0]["id"].as_str().unwrap();
    let log = server.api(&token, "events.get_task_log", &format!(r#"{{"task": "{task}"}}"#));
    assert_eq!(log["data"]["events"][0]["msg"], "a line", "{log}");
    let queues = server.api(&token, "queues.get_all", "{}");
    assert_eq!(queues["data"]["queues"].as_array().unwrap().len(), 1);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(server.http("files_url", "GET", "/p/a%20b.txt", &bearer, ""), (200, "hello".to_owned()));
    server.stop();

    let message = refused(&at("second"), &["import", &archive]);
    assert!(message.contains("there are 1 documents in task"), "{message}");
}

#[test]
fn a_running_server_is_left_alone() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    for what in ["export", "import"] {
        let archive = folder.path().join("archive");
        let message = refused(&data, &[what, archive.to_str().unwrap()]);
        assert!(message.contains("in use"), "{message}");
        assert!(!archive.exists());
    }
    server.stop();
}

#[test]
fn there_is_no_archive_of_nothing() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let archive = at("archive").to_str().unwrap().to_owned();
    let message = refused(&at("nothing"), &["export", &archive]);
    assert!(message.contains("there is no data directory"), "{message}");
    let message = refused(&at("nothing"), &["import", &archive]);
    assert!(message.contains("manifest.json"), "{message}");
    assert!(!at("archive").exists());
}

#[test]
fn half_of_the_data_is_not_served() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    used(&at("first"));
    let archive = at("archive").to_str().unwrap().to_owned();
    let sums = done(&at("first"), &["export", &archive]);
    let part: PathBuf = fs::read_dir(&archive)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("log-"))
        .unwrap();
    let content = fs::read(&part).unwrap();
    fs::write(&part, [&content[..], b"x"].concat()).unwrap();
    let message = refused(&at("second"), &["import", &archive]);
    assert!(message.contains(part.file_name().unwrap().to_str().unwrap()), "{message}");
    assert!(message.contains("is damaged"), "{message}");
    let message = refused(&at("second"), &["--api-port", "0", "--files-port", "0", "--web-port", "0"]);
    assert!(message.contains("an import into these stores was interrupted"), "{message}");

    fs::write(&part, content).unwrap();
    assert_eq!(done(&at("second"), &["import", &archive]), sums);
    Server::start(&at("second"), &[]).stop();
}
