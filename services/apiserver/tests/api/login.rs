//! The `login` service (spec 01 §5.2).

use serde_json::{Value, json};

use crate::support::TestServer;

fn modes(authenticated: bool) -> Value {
    json!({
        "basic": {"enabled": false, "guest": {"enabled": false}},
        "sso": {},
        "sso_providers": [],
        "server_errors": {"missed_es_upgrade": false, "es_connection_error": false},
        "authenticated": authenticated,
    })
}

#[tokio::test]
async fn modes_tell_whether_the_caller_is_known() {
    let server = TestServer::start().await;
    let user = server.user().await;
    assert_eq!(server.anonymous().ok("login.supported_modes", json!({})).await, modes(false));
    assert_eq!(user.ok("login.supported_modes", json!({})).await, modes(true));
    assert_eq!(user.clone().version("1.0").ok("login.supported_modes", json!({})).await, modes(true));
    assert_eq!(user.with_own_credentials().ok("login.supported_modes", json!({})).await, modes(true));
    for header in ["", "Bearer x", "Basic x", "Basic bm9ib2R5Ong=", "Nonsense"] {
        let client = server.anonymous().header("authorization", header);
        assert_eq!(client.ok("login.supported_modes", json!({})).await, modes(false), "{header}");
    }
}

#[tokio::test]
async fn modes_name_the_guest() {
    let server = TestServer::with_settings(|settings| {
        settings.auth.fixed_users.enabled = true;
        settings.auth.fixed_users.guest.enabled = true;
    })
    .await;
    assert_eq!(
        server.anonymous().ok("login.supported_modes", json!({})).await["basic"],
        json!({
            "enabled": true,
            "guest": {"enabled": true, "name": "Guest", "username": "guest", "password": "guest"},
        })
    );
}

#[tokio::test]
async fn logout_is_for_everybody() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let response = server.anonymous().call("login.logout", json!({})).await;
    assert_eq!(response.code(), (200, 0));
    assert!(response.header("set-cookie").contains("clearml_token_basic=;"));
    assert_eq!(user.ok("login.logout", json!({})).await, json!({}));
    assert_eq!(user.error("users.get_all", json!({})).await.1, 30);
    assert_eq!(user.call("login.logout", json!({})).await.code(), (200, 0));
    assert_eq!(user.version("2.12").error("login.logout", json!({})).await.0, 404);
}
