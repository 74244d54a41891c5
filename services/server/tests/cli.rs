//! The real binary: starts, prints, keeps secrets, stops; the administrator's commands.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod support;

use std::{fs, io::Write, net::TcpStream, os::unix::fs::PermissionsExt, process::Stdio};

use support::{Server, command, folder};

#[test]
fn the_first_start_creates_everything_and_later_ones_nothing() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    let started = server.started.clone();
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty() && user != "root");
    assert_eq!(started["user"], user.as_deref().unwrap_or("admin"));
    let (key, secret) = server.pair();
    assert_eq!(key.len(), 30);
    assert!(secret.len() >= 60);
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    let secrets = data.join("secrets.json");
    assert_eq!(fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);

    let token = server.login(&key, &secret).unwrap();
    let user = server.api(&token, "users.get_current_user", "{}");
    assert_eq!(user["data"]["user"]["role"], "admin", "{user}");
    assert_eq!(user["data"]["user"]["company"]["name"], "clearml");
    let queues = server.api(&token, "queues.get_all", "{}");
    assert_eq!(queues["data"]["queues"][0]["name"], "default");
    assert_eq!(queues["data"]["queues"][0]["system_tags"][0], "default");
    server.stop();

    let mut again = Server::start(&data, &[]);
    assert!(again.started["credentials"].is_null());
    again.login(&key, &secret).unwrap();
    let queues = again.api(&token, "queues.get_all", "{}");
    assert_eq!(
        queues["data"]["queues"].as_array().unwrap().len(),
        1,
        "tokens stay valid, nothing is doubled"
    );
    again.stop();
}

#[test]
fn people_read_the_addresses_and_a_block_to_paste() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start_for_people(&data);
    let first = server.read_until("}\n}\n");
    for part in [
        "ClearML server is ready.",
        "  Web-App  http://127.0.0.1:",
        "web_server: http://127.0.0.1:",
        "\"access_key\" = \"",
        "\"secret_key\" = \"",
    ] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    server.stop();
    let mut server = Server::start_for_people(&data);
    let later = server.read_until("credentials create\n");
    assert!(later.contains("http://127.0.0.1:") && !later.contains("secret_key"), "{later}");
    server.stop();
}

/// Nobody but the owner may do anything with the folder and what is in it.
fn assert_private(path: &std::path::Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mode = metadata.permissions().mode();
    assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            assert_private(&entry.unwrap().path());
        }
    }
}

#[test]
fn the_three_servers_know_each_other() {
    let folder = folder();
    let mut server = Server::start(&folder.path().join("data"), &[]);
    let (key, secret) = server.pair();
    let token = server.login(&key, &secret).unwrap();

    let boundary = "xxx";
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"/p/a.txt\"; filename=\"a\"\r\n\r\nhello\r\n--{boundary}--\r\n"
    );
    let headers = format!(
        "Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n"
    );
    let (status, text) = server.http("files_url", "POST", "/", &headers, &body);
    assert_eq!((status, text.as_str()), (200, "[\"p/a.txt\"]"));
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(server.http("web_url", "GET", "/files/p/a.txt", &bearer, ""), (200, "hello".to_owned()));
    assert_eq!(server.http("files_url", "GET", "/p/a.txt", "", "").0, 401);
    assert_private(&folder.path().join("data"));
    let (status, text) = server.http("web_url", "GET", "/api/v2.31/debug.ping", "", "");
    assert_eq!(status, 200);
    assert!(text.contains("ClearML server"), "{text}");
    let (status, text) = server.http("web_url", "GET", "/configuration.json", "", "");
    assert_eq!(status, 200);
    assert!(text.contains(server.started["api_url"].as_str().unwrap()), "{text}");

    // A token that was revoked at the API server opens no file.
    let logged_out = server.api(&token, "auth.logout", "{}");
    assert_eq!(logged_out["meta"]["result_code"], 200);
    assert_eq!(server.http("files_url", "GET", "/p/a.txt", &bearer, "").0, 401);
    server.stop();
}

#[test]
fn probes_answer_on_every_port() {
    let folder = folder();
    let mut server = Server::start(&folder.path().join("data"), &[]);
    for port in ["api_url", "files_url", "web_url"] {
        assert_eq!(server.http(port, "GET", "/health", "", "").0, 200, "{port}");
        assert_eq!(server.http(port, "GET", "/ready", "", "").0, 200, "{port}");
    }
    let (key, secret) = server.pair();
    let bearer = format!("Authorization: Bearer {}\r\n", server.login(&key, &secret).unwrap());
    assert_eq!(server.http("files_url", "GET", "/health", &bearer, "").0, 404, "with a token it is a file");
    server.stop();
}

#[test]
fn key_pairs_are_managed_while_the_server_runs() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    let (first_key, first_secret) = server.pair();
    let admin = |arguments: &[&str]| {
        let output = command(&data).args(["credentials"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let created: serde_json::Value =
        serde_json::from_str(&admin(&["create", "--label", "laptop", "--print", "json"])).unwrap();
    let (key, secret) = (created["access_key"].as_str().unwrap(), created["secret_key"].as_str().unwrap());
    server.login(key, secret).unwrap();
    let block = admin(&["create"]);
    assert!(block.contains(server.started["api_url"].as_str().unwrap()), "{block}");

    let list = admin(&["list"]);
    assert!(list.contains(&first_key) && list.contains(key) && list.contains("laptop"), "{list}");
    assert!(!list.contains(secret) && !list.contains(&first_secret), "secrets are not shown again");
    let listed: serde_json::Value = serde_json::from_str(&admin(&["list", "--print", "json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 3);

    assert!(admin(&["revoke", key]).contains("Revoked"));
    assert_eq!(server.login(key, secret), Err(401));
    server.login(&first_key, &first_secret).unwrap();
    assert!(!admin(&["list"]).contains(key));

    for (arguments, hint) in [
        (["revoke", "NOSUCHKEY"].as_slice(), "no access key"),
        (["create", "--user", "nobody"].as_slice(), "no user \"nobody\""),
    ] {
        let output = command(&data).arg("credentials").args(arguments).output().unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: ") && error.contains(hint), "{error}");
    }
    server.stop();
    assert!(admin(&["create", "--user", listed[0]["user"].as_str().unwrap()]).contains("access_key"));
}

#[test]
fn the_pairs_of_the_configuration_are_not_revoked_by_hand() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    let secrets: serde_json::Value =
        serde_json::from_slice(&fs::read(data.join("secrets.json")).unwrap()).unwrap();
    let text = |key: &str| secrets[key].as_str().unwrap().to_owned();
    let key = text("secure.credentials.apiserver.user_key");
    server.login(&key, &text("secure.credentials.apiserver.user_secret")).unwrap();
    let output = command(&data).args(["credentials", "revoke", &key]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("configuration"));

    // The published pairs of the official server open nothing.
    for (key, secret) in [
        ("EGRTCO8JMSIGI6S39GTP43NFWXDQOW", "LPEJbGJ6bK4tujQcmrD3i1dbMBDdwUwelVa-LG0K0FFmY9bzH_H0Sw"),
        (
            "62T8CP7HGBC6647XF9314C2VY67RJO",
            "gaOfhDX2-bpkeI7-cwEcaMuGijxaG2UG3jbIvg4DxmVGF0LNI7rgvCb1-ne38IlBo1w",
        ),
        (
            "EYVQ385RW7Y2QQUH88CZ7DWIQ1WUHP",
            "XhkH6a6ds9JBnM_MrahYyYdO-wS2bqFSm8gl-V0UZXH26Ydd6Eyi28TeBEoSr6Z3Bes",
        ),
    ] {
        assert_eq!(server.login(key, secret), Err(401));
    }
    server.stop();
}

#[test]
fn a_configured_test_pair_and_fixed_users_work() {
    let folder = folder();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    fs::write(
        config.join("secure.conf"),
        "credentials { tests { user_key = TESTKEY, user_secret = testsecret, revoke_in_fixed_mode = false } }",
    )
    .unwrap();
    fs::write(
        config.join("apiserver.conf"),
        "auth.fixed_users { enabled = true, users = [{username = jane, password = \"p:w\", name = Jane Doe}] }",
    )
    .unwrap();
    let mut server = Server::start(&folder.path().join("data"), &["--config-dir", config.to_str().unwrap()]);
    assert!(server.started["credentials"].is_null(), "people log in with their passwords");
    server.login("TESTKEY", "testsecret").unwrap();
    let token = server.login("jane", "p:w").unwrap();
    let user = server.api(&token, "users.get_current_user", "{}");
    assert_eq!(user["data"]["user"]["given_name"], "Jane");
    assert_eq!(server.login("jane", "wrong"), Err(401));
    server.stop();

    // A user that the configuration names no more can't come back.
    fs::write(config.join("apiserver.conf"), "auth.fixed_users { enabled = true, users = [] }").unwrap();
    let mut server = Server::start(&folder.path().join("data"), &["--config-dir", config.to_str().unwrap()]);
    assert_eq!(server.login("jane", "p:w"), Err(401));
    server.stop();
}

#[test]
fn settings_are_shown_without_secrets() {
    let folder = folder();
    let data = folder.path().join("data");
    let output = command(&data)
        .arg("config")
        .env("CLEARML__SECURE__AUTH__TOKEN_SECRET", "veiled-token-secret")
        .env("CLEARML__apiserver__listen__port", "1234")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["apiserver"]["listen"]["port"], 1234);
    assert_eq!(shown["secure"]["auth"]["token_secret"], "***");
    assert!(!text.contains("veiled"), "{text}");
}

#[test]
fn mistakes_in_the_configuration_are_explained() {
    let folder = folder();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    fs::write(config.join("apiserver.conf"), "listen {\n  port = eighty\n}").unwrap();
    let data = folder.path().join("data");
    let output = command(&data).args(["--config-dir", config.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    let expected = "apiserver.conf:2: apiserver.listen.port: expected a whole number from 0 to 65535";
    assert!(error.starts_with("error: ") && error.contains(expected), "{error}");
    assert!(!data.exists(), "nothing is created");
}

#[test]
fn two_servers_do_not_share_a_data_directory() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    let output =
        command(&data).args(["--api-port", "0", "--files-port", "0", "--web-port", "0"]).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("in use by another server") && error.contains("hint:"), "{error}");
    server.stop();
    Server::start(&data, &[]).stop();
}

#[test]
fn a_killed_server_leaves_no_lock_behind() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    let (key, secret) = server.pair();
    server.kill();
    let mut again = Server::start(&data, &[]);
    again.login(&key, &secret).unwrap();
    again.stop();
}

#[test]
fn a_taken_port_is_explained() {
    let folder = folder();
    let mut server = Server::start(&folder.path().join("one"), &[]);
    let port = server.address("api_url").port().to_string();
    let output = command(&folder.path().join("two"))
        .args(["--api-port", &port, "--files-port", "0", "--web-port", "0"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("API server") && error.contains("hint:"), "{error}");
    server.stop();
}

#[test]
fn sigterm_lets_a_call_in_progress_end() {
    let folder = folder();
    let mut server = Server::start(&folder.path().join("data"), &[]);
    let (key, secret) = server.pair();
    let token = server.login(&key, &secret).unwrap();
    // The head and half of the body are there: the call is in progress.
    let mut call = TcpStream::connect(server.address("api_url")).unwrap();
    let head = format!(
        "POST /projects.create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 16\r\nExpect: 100-continue\r\n\r\n"
    );
    call.write_all(head.as_bytes()).unwrap();
    // The server asks for the body once the handler reads it.
    assert!(support::read_some(&mut call).starts_with("HTTP/1.1 100"));
    call.write_all(b"{\"name\":").unwrap();
    server.terminate();
    server.wait_until_refused("api_url");
    call.write_all(b" \"late\"}").unwrap();
    let answer = support::read_all(&mut call);
    assert!(answer.contains("\"result_code\":200"), "{answer}");
    assert!(server.wait().success());
}

#[test]
fn secrets_and_tokens_are_not_logged() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start_with_log(&data, "trace,hyper=off");
    let (key, secret) = server.pair();
    let token = server.login(&key, &secret).unwrap();
    server.api(&token, "users.get_current_user", "{}");
    server.login(&key, "a-wrong-secret").unwrap_err();
    server.stop();
    let log = server.log();
    assert!(log.contains("auth.login"), "{log}");
    let secrets = fs::read_to_string(data.join("secrets.json")).unwrap();
    let secrets: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&secrets).unwrap();
    let hidden = secrets.values().map(|secret| secret.as_str().unwrap()).chain([
        secret.as_str(),
        &token,
        "a-wrong-secret",
    ]);
    for secret in hidden {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[test]
fn logs_are_json_where_asked_for_and_metrics_have_a_port() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut server = Server::start_with(&data, &[], |command| {
        command.env("CLEARML__telemetry__log__format", "json");
        command.env("CLEARML__telemetry__metrics__enabled", "true");
        command.env("CLEARML__telemetry__metrics__listen__port", "0");
    });
    server.http("api_url", "GET", "/debug.ping", "", "");
    server.stop();
    let log = server.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["message"] == "metrics are served" && line["address"].is_string()),
        "{log}"
    );
    assert!(lines.iter().any(|line| line.to_string().contains("debug.ping")), "{log}");
}

#[test]
fn the_version_and_the_help_are_there() {
    let folder = folder();
    for arguments in [["--version"].as_slice(), &["--help"], &["credentials", "create", "--help"]] {
        let output = command(folder.path()).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn the_healthcheck_tells_a_running_server_from_a_stopped_one() {
    let folder = folder();
    let data = folder.path().join("data");
    let healthcheck = |more: &[&str]| command(&data).arg("healthcheck").args(more).output().unwrap();
    let mut server = Server::start(&data, &[]);
    for options in [&[][..], &["--ready"]] {
        let output = healthcheck(options);
        assert!(
            output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
    server.stop();
    let output = healthcheck(&[]);
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: no answer from 127.0.0.1:"), "{message}");
}

#[test]
fn files_lie_on_s3_where_configured() {
    let (Ok(endpoint), Ok(bucket)) =
        (std::env::var("CLEARML_S3_ENDPOINT"), std::env::var("CLEARML_S3_BUCKET"))
    else {
        eprintln!("skipped: CLEARML_S3_ENDPOINT is not set");
        return;
    };
    let folder = folder();
    let data = folder.path().join("data");
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    let mut server = Server::start_with(&data, &[], |command| {
        command
            .env("CLEARML__fileserver__storage__url", format!("s3://{bucket}/server-tests/{name}"))
            .env("CLEARML__fileserver__storage__allow_http", "true")
            .env("CLEARML__fileserver__storage__s3__endpoint", &endpoint);
    });
    let (key, secret) = server.pair();
    let token = format!("Authorization: Bearer {}\r\n", server.login(&key, &secret).unwrap());
    let body = "--B\r\nContent-Disposition: form-data; name=\"/p/a b.txt\"; filename=\"a\"\r\n\r\nhello\r\n--B--\r\n";
    let headers = format!("{token}Content-Type: multipart/form-data; boundary=B\r\n");
    let stored = server.http("files_url", "POST", "/", &headers, body);
    assert_eq!(stored, (200, "[\"p/a b.txt\"]".to_owned()));
    assert!(!data.join("files").exists());
    for (url, path) in [("files_url", "/p/a%20b.txt"), ("web_url", "/files/p/a%20b.txt")] {
        assert_eq!(server.http(url, "GET", path, &token, ""), (200, "hello".to_owned()), "{path}");
    }
    assert_eq!(server.http("files_url", "GET", "/ready", "", "").0, 200);
    assert_eq!(server.http("files_url", "DELETE", "/p/a%20b.txt", &token, "").0, 200);
    assert_eq!(server.http("files_url", "GET", "/p/a%20b.txt", &token, "").0, 404);
    server.stop();
}
