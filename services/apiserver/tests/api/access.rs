//! Who may call (spec 01 §3).

use bson::{DateTime, doc};
use clearml_apiserver::api::{FixedUser, FixedUsers, GuestSettings};
use clearml_auth::{Password, Role};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use serde_json::json;

use crate::support::{COMPANY, Client, TestServer, claims, sign};

const UNKNOWN_PAIR: &str = "Unauthorized (invalid credentials) (failed to locate provided credentials)";

async fn refusal(client: &Client) -> (u64, u64, String) {
    client.error("users.get_all", json!({})).await
}

fn invalid_token(reason: &str) -> (u64, u64, String) {
    (401, 30, format!("Invalid token (invalid jwt token): reason={reason}"))
}

#[tokio::test]
async fn without_credentials_calls_are_401_20() {
    let anonymous = TestServer::start().await.anonymous();
    let missing = (401, 20, "Unauthorized (missing credentials)".to_owned());
    assert_eq!(refusal(&anonymous).await, missing);
    assert_eq!(refusal(&anonymous.clone().header("authorization", "")).await, missing);
    assert_eq!(refusal(&anonymous.header("cookie", "other=1")).await, missing);
}

#[tokio::test]
async fn other_schemes_are_401_10() {
    let server = TestServer::start().await;
    let token = sign(&claims("u", COMPANY, Role::User));
    for value in [format!("bearer {token}"), format!("BEARER {token}"), token, "Digest x".into()] {
        let client = server.anonymous().header("authorization", &value);
        let expected = (401, 10, "Unauthorized (bad authentication header type)".to_owned());
        assert_eq!(refusal(&client).await, expected);
    }
}

#[tokio::test]
async fn key_and_secret_authenticate() {
    let server = TestServer::start().await;
    let user = server.user().await;
    user.clone().with_own_credentials().ok("users.get_current_user", json!({})).await;
    let key = &user.credentials.as_ref().unwrap().key;
    let wrong = server.anonymous().basic(key, "wrong");
    assert_eq!(refusal(&wrong).await, (401, 22, UNKNOWN_PAIR.into()));
    let unknown = server.anonymous().basic("nobody", "x");
    assert_eq!(refusal(&unknown).await, (401, 22, UNKNOWN_PAIR.into()));
}

#[tokio::test]
async fn key_and_secret_must_be_of_one_pair() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let second = user.ok("auth.create_credentials", json!({})).await;
    let first = user.credentials.as_ref().unwrap();
    let mixed = server.anonymous().basic(&first.key, second["credentials"]["secret_key"].as_str().unwrap());
    assert_eq!(refusal(&mixed).await, (401, 22, UNKNOWN_PAIR.into()));
}

#[tokio::test]
async fn malformed_pairs_are_401_21() {
    let server = TestServer::start().await;
    for (value, reason) in [("Basic a2V5OnNlOmNyZXQ", "Incorrect padding"), ("Basic a", "Incorrect padding")]
    {
        let client = server.anonymous().header("authorization", value);
        let message = format!("Unauthorized (malformed credentials) ({reason})");
        assert_eq!(refusal(&client).await, (401, 21, message));
    }
    for value in ["Basic", "Basic ", "Basic a2V5"] {
        assert_eq!(refusal(&server.anonymous().header("authorization", value)).await.1, 21, "{value}");
    }
}

#[tokio::test]
async fn the_company_must_exist() {
    let server = TestServer::start().await;
    let lost = server.user_of("no such company", Role::User).await.with_own_credentials();
    let expected = (401, 22, "Unauthorized (invalid credentials) (invalid user company)".to_owned());
    assert_eq!(refusal(&lost).await, expected);
}

#[tokio::test]
async fn the_last_use_of_a_pair_is_noted() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let before = user.ok("auth.get_credentials", json!({})).await;
    assert_eq!(before["credentials"][0].get("last_used"), None);
    let pair = user.clone().with_own_credentials().header("x-clearml-worker", "machine:0");
    for _ in 0..20 {
        pair.ok("debug.ping", json!({})).await;
        pair.ok("users.get_current_user", json!({})).await;
    }
    let after = user.ok("auth.get_credentials", json!({})).await;
    assert_eq!(after["credentials"][0]["last_used_from"], "machine:0");
    let last_used = after["credentials"][0]["last_used"].as_str().unwrap();
    assert!(!last_used.contains('+'), "typed dates have no zone: {last_used}");
    // Without a worker it is the address.
    user.clone()
        .with_own_credentials()
        .header("x-forwarded-for", "10.1.2.3")
        .ok("users.get_current_user", json!({}))
        .await;
    let after = user.ok("auth.get_credentials", json!({})).await;
    assert_eq!(after["credentials"][0]["last_used_from"], "10.1.2.3");
}

#[tokio::test]
async fn tokens_authenticate_without_a_user_in_the_database() {
    let server = TestServer::start().await;
    let token = sign(&claims("deleted", COMPANY, Role::User));
    server.anonymous().bearer(&token).ok("users.get_all", json!({})).await;
}

#[tokio::test]
async fn cookies_authenticate_and_headers_win() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let token = sign(&claims(&user.id, COMPANY, Role::User));
    let cookie = format!("a=b; clearml_token_basic={token}; c=d");
    let by_cookie = server.anonymous().header("cookie", &cookie);
    by_cookie.ok("users.get_current_user", json!({})).await;
    let bad_header = by_cookie.clone().header("authorization", "Bearer x");
    assert_eq!(refusal(&bad_header).await, invalid_token("Not enough segments"));
    let empty_header = by_cookie.header("authorization", "");
    assert_eq!(refusal(&empty_header).await.1, 20);
    let expired = format!("clearml_token_basic={}", sign(&expired_claims()));
    let good_header = user.with_own_credentials().header("cookie", &expired);
    good_header.ok("auth.login", json!({})).await;
}

fn expired_claims() -> clearml_auth::Claims {
    let mut claims = claims("u", COMPANY, Role::User);
    claims.iat = Some(1_600_000_000);
    claims.exp = Some(1_600_000_001);
    claims
}

#[tokio::test]
async fn bad_tokens_are_401_30() {
    let server = TestServer::start().await;
    let refused = async |token: &str| refusal(&server.anonymous().bearer(token)).await;
    let good = sign(&claims("u", COMPANY, Role::User));
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    let other_key = clearml_auth::TokenKey::new("other").sign(&claims("u", COMPANY, Role::User)).unwrap();
    let payload = good.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let mut future = claims("u", COMPANY, Role::User);
    future.iat = future.iat.map(|now| now + 1000);
    assert_eq!(refused(&sign(&expired_claims())).await, invalid_token("Signature has expired"));
    assert_eq!(refused(&other_key).await, invalid_token("Signature verification failed"));
    assert_eq!(refused(&format!("{unsigned}.AAAA")).await, invalid_token("Signature verification failed"));
    assert_eq!(refused(unsigned).await, invalid_token("Not enough segments"));
    assert_eq!(refused("").await, invalid_token("Not enough segments"));
    assert_eq!(refused(&none).await, invalid_token("The specified alg value is not allowed"));
    assert_eq!(refused(&sign(&future)).await, invalid_token("The token is not yet valid (iat)"));
    for garbage in ["a.b.c", "é.é.é", "...", "e30.e30.e30"] {
        let (code, subcode, _) = refused(garbage).await;
        assert_eq!((code, subcode), (401, 30), "{garbage}");
    }
}

#[tokio::test]
async fn tokens_without_our_claims_are_401_30() {
    let server = TestServer::start().await;
    let mut incomplete = claims("u", COMPANY, Role::User);
    incomplete.exp = None;
    server.anonymous().bearer(&sign(&incomplete)).ok("users.get_all", json!({})).await;
    // {"alg":"HS256","typ":"JWT"} . {"a":1}, signed with the server's key.
    let key = jsonwebtoken::EncodingKey::from_secret(crate::support::SECRET.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &json!({"a": 1}), &key).unwrap();
    let (code, subcode, message) = refusal(&server.anonymous().bearer(&token)).await;
    assert_eq!((code, subcode), (401, 30));
    assert!(message.starts_with("Invalid token (failed parsing token): reason="), "{message}");
}

#[tokio::test]
async fn revoked_tokens_are_401_30() {
    let server = TestServer::start().await;
    let user = server.user().await;
    user.ok("auth.logout", json!({})).await;
    assert_eq!(refusal(&user).await, (401, 30, "Invalid token (revoked token)".into()));
    user.with_own_credentials().ok("users.get_all", json!({})).await;
}

#[tokio::test]
async fn roles_are_checked() {
    let server = TestServer::start().await;
    let user = server.user().await;
    assert_eq!(
        user.error("auth.get_token_for_user", json!({})).await,
        (403, 20, "Forbidden (not allowed for role): role=user, allowed=(system, root)".into())
    );
    assert_eq!(
        user.error("server.config", json!({})).await.2,
        "Forbidden (not allowed for role): role=user, allowed=(root, system)"
    );
    for role in [Role::Admin, Role::Superuser, Role::Annotator, Role::Guest] {
        let client = server.user_with_role(role).await;
        for endpoint in [
            "auth.create_user",
            "auth.get_token_for_user",
            "auth.validate_token",
            "users.create",
            "users.delete",
            "server.config",
            "server.endpoints",
            "server.get_stats",
        ] {
            let (code, subcode, _) = client.error(endpoint, json!({})).await;
            assert_eq!((code, subcode), (403, 20), "{endpoint} {role}");
        }
        client.ok("users.get_all", json!({})).await;
    }
    for role in [Role::System, Role::Root] {
        server.user_with_role(role).await.ok("server.endpoints", json!({})).await;
    }
}

#[tokio::test]
async fn access_is_checked_before_the_body() {
    let server = TestServer::start().await;
    let response = server.anonymous().post("users.get_all", "application/json", "{broken").await;
    assert_eq!(response.code(), (401, 20));
    let user = server.user().await;
    assert_eq!(user.post("server.config", "application/json", "{broken").await.code(), (403, 20));
    assert_eq!(user.post("users.get_all", "application/json", "{broken").await.code(), (400, 0));
}

// --- Impersonation -------------------------------------------------------------------------------

#[tokio::test]
async fn impersonation_takes_the_targets_role() {
    let server = TestServer::start().await;
    let target = server.user().await;
    let system = server.user_with_role(Role::System).await.header("x-clearml-impersonate-as", &target.id);
    let me = system.ok("users.get_current_user", json!({})).await;
    assert_eq!(me["user"]["id"], *target.id);
    assert_eq!(me["user"]["role"], "user");
    assert_eq!(system.error("server.config", json!({})).await.1, 20);
}

#[tokio::test]
async fn acting_keeps_the_callers_role() {
    let server = TestServer::start().await;
    let target = server.user().await;
    let system = server.user_with_role(Role::System).await.header("x-trains-act-as", &target.id);
    let me = system.ok("users.get_current_user", json!({})).await;
    assert_eq!(me["user"]["id"], *target.id);
    assert_eq!(me["user"]["role"], "system");
    system.ok("server.config", json!({})).await;
}

#[tokio::test]
async fn impersonation_is_for_powerful_roles() {
    let server = TestServer::start().await;
    let target = server.user().await;
    for role in [Role::User, Role::Superuser, Role::Guest] {
        let client = server.user_with_role(role).await.header("x-clearml-impersonate-as", &target.id);
        let message = format!("Impersonation error (impersonation not allowed): role={role}");
        assert_eq!(refusal(&client).await, (400, 6, message));
    }
    server
        .user_with_role(Role::Admin)
        .await
        .header("x-clearml-impersonate-as", &target.id)
        .ok("users.get_all", json!({}))
        .await;
}

#[tokio::test]
async fn only_one_impersonation_header_is_allowed() {
    let server = TestServer::start().await;
    let client = server.user().await.header("x-clearml-impersonate-as", "a").header("x-clearml-act-as", "b");
    let (code, subcode, message) = refusal(&client).await;
    assert_eq!((code, subcode), (400, 5));
    assert!(message.starts_with("Invalid headers (only one allowed): headers=("), "{message}");
}

#[tokio::test]
async fn impersonated_users_must_exist_in_the_company() {
    let server = TestServer::start().await;
    server.add_company("c2", "other").await;
    let stranger = server.user_of("c2", Role::User).await;
    let admin = server.user_with_role(Role::Admin).await;
    for id in ["nobody", &stranger.id] {
        let client = admin.clone().header("x-clearml-impersonate-as", id);
        let message = format!("Impersonation error (unknown user): id={id}, company={COMPANY}");
        assert_eq!(refusal(&client).await, (400, 6, message));
    }
    let root = server.user_with_role(Role::Root).await;
    root.clone().header("x-clearml-impersonate-as", &stranger.id).ok("users.get_all", json!({})).await;
    let lost = server.user_of("no such company", Role::User).await;
    let client = root.header("x-clearml-impersonate-as", &lost.id);
    assert_eq!(refusal(&client).await, (400, 6, "Impersonation error (unknown company for user)".into()));
}

#[tokio::test]
async fn impersonation_needs_a_caller() {
    let server = TestServer::start().await;
    let system = server.user_with_role(Role::System).await.header("x-clearml-impersonate-as", "x");
    let expected = (400, 6, "Impersonation error (validating impersonation)".to_owned());
    assert_eq!(system.error("debug.ping", json!({})).await, expected);
    let anonymous = server.anonymous().header("x-clearml-act-as", "x");
    assert_eq!(anonymous.error("login.supported_modes", json!({})).await, expected);
    assert_eq!(refusal(&anonymous).await.1, 20);
}

// --- Fixed users ---------------------------------------------------------------------------------

fn fixed_user(username: &str, password: Password, is_guest: bool) -> FixedUser {
    FixedUser {
        username: username.into(),
        password,
        name: "Fixed User".into(),
        company: COMPANY.into(),
        is_guest,
    }
}

async fn fixed_server(hashed: bool) -> TestServer {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let password = if hashed {
        Password::Hashed(STANDARD.encode(bcrypt::hash("pässword", 4).unwrap()))
    } else {
        Password::Plain("pässword".into())
    };
    let users = vec![fixed_user("jane", password.clone(), false), fixed_user("visitor", password, true)];
    let server = TestServer::with_settings(|settings| {
        settings.auth.fixed_users = FixedUsers {
            enabled: true,
            users: users.clone(),
            guest: GuestSettings { enabled: true, ..GuestSettings::default() },
        };
    })
    .await;
    server.add_company("025315a9321f49f8be07f5ac48fbcf92", "guests").await;
    let guest = clearml_auth::fixed_user_id("025315a9321f49f8be07f5ac48fbcf92", "guest");
    let ids = [
        (users[0].id(), COMPANY, "user"),
        (users[1].id(), COMPANY, "guest"),
        (guest, "025315a9321f49f8be07f5ac48fbcf92", "guest"),
    ];
    for (id, company, role) in ids {
        let user = doc! {
            "_id": &id, "name": "Fixed User", "company": company, "role": role, "credentials": [],
            "email": format!("{id}@example.com"), "autocreated": true, "created": DateTime::now(),
        };
        server.app.documents.insert(Collection::AuthUser, user).await.unwrap();
    }
    server
}

#[tokio::test]
async fn fixed_users_sign_in_with_their_password() {
    for hashed in [false, true] {
        let server = fixed_server(hashed).await;
        let jane = server.anonymous().basic("jane", "pässword");
        jane.ok("users.get_all", json!({})).await;
        let token = jane.ok("auth.login", json!({})).await["token"].as_str().unwrap().to_owned();
        server.anonymous().bearer(&token).ok("users.get_all", json!({})).await;
        let wrong = server.anonymous().basic("jane", "wrong");
        assert_eq!(
            refusal(&wrong).await,
            (401, 22, "Unauthorized (invalid credentials) (bad username or password)".into())
        );
        assert_eq!(refusal(&server.anonymous().basic("joe", "x")).await, (401, 22, UNKNOWN_PAIR.into()));
    }
}

#[tokio::test]
async fn guests_may_only_sign_in() {
    let server = fixed_server(false).await;
    for (username, password) in [("guest", "guest"), ("visitor", "pässword")] {
        let guest = server.anonymous().basic(username, password);
        let message = "Unauthorized (invalid credentials) (endpoint not allowed for guest)";
        assert_eq!(refusal(&guest).await, (401, 22, message.into()));
        let token = guest.ok("auth.login", json!({})).await["token"].as_str().unwrap().to_owned();
        server.anonymous().bearer(&token).ok("users.get_all", json!({})).await;
    }
    assert_eq!(refusal(&server.anonymous().basic("guest", "wrong")).await.1, 22);
}

#[tokio::test]
async fn credentials_keep_working_beside_fixed_users() {
    let server = fixed_server(false).await;
    server.user().await.with_own_credentials().ok("users.get_all", json!({})).await;
}

#[tokio::test]
async fn fixed_users_that_were_never_stored_are_refused() {
    let server = fixed_server(false).await;
    let id = fixed_user("jane", Password::Plain(String::new()), false).id();
    server.app.documents.delete(Collection::AuthUser, Filter::id(id)).await.unwrap();
    let jane = server.anonymous().basic("jane", "pässword");
    assert_eq!(refusal(&jane).await, (401, 22, UNKNOWN_PAIR.into()));
}

#[tokio::test]
async fn damaged_password_hashes_are_401_22() {
    let server = TestServer::with_settings(|settings| {
        settings.auth.fixed_users.enabled = true;
        settings.auth.fixed_users.users = vec![fixed_user("jane", Password::Hashed("%%".into()), false)];
    })
    .await;
    assert_eq!(refusal(&server.anonymous().basic("jane", "x")).await.1, 22);
}

#[tokio::test]
async fn unknown_roles_in_the_database_count_as_user() {
    let server = TestServer::start().await;
    let user = server.user_with_role(Role::System).await;
    let change = vec![Change::set("role", "emperor")];
    server
        .app
        .documents
        .update_one(Collection::AuthUser, Filter::id(user.id.as_str()), change)
        .await
        .unwrap();
    assert_eq!(user.with_own_credentials().error("server.config", json!({})).await.1, 20);
}
