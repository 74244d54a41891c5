//! The `auth` service (spec 01 §5.1).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bson::doc;
use clearml_apiserver::api::{CookieDomain, CookieSettings};
use clearml_auth::Role;
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer, claims, sign};

/// The claims of a token, as a client reads them.
fn payload(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn add_internal_user(server: &TestServer, name: &str) -> Client {
    let id = format!("__{name}__");
    let user = doc! {
        "_id": &id, "name": name, "company": COMPANY, "role": "system", "email": format!("{name}@example.com"),
        "credentials": [{"key": "K", "secret": "S"}],
    };
    server.app.documents.insert(Collection::AuthUser, user).await.unwrap();
    server.anonymous().bearer(&sign(&claims(&id, COMPANY, Role::System)))
}

// --- login ---------------------------------------------------------------------------------------

#[tokio::test]
async fn login_gives_a_token_with_the_documented_claims() {
    let server = TestServer::start().await;
    let user = server.user().await.with_own_credentials();
    let token = user.ok("auth.login", json!({})).await["token"].clone();
    let claims = payload(&token);
    assert_eq!(
        claims["identity"],
        json!({"user": user.id, "company": COMPANY, "role": "user", "user_name": "Jane Doe", "company_name": "clearml"})
    );
    assert_eq!(claims["auth_type"], "Bearer");
    assert_eq!(claims["env"], "<unknown>");
    assert_eq!(claims["api_version"], "2.34");
    assert_eq!(claims["server_version"], "2.3.0");
    assert_eq!(claims["server_build"], "");
    assert_eq!(claims["feature_set"], "basic");
    assert_eq!(claims["session_id"].as_str().unwrap().len(), 32);
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 2_592_000);
    assert!(claims.get("nbf").is_none());
    let header = token.as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header, json!({"typ": "JWT", "alg": "HS256"}));
    server.anonymous().bearer(token.as_str().unwrap()).ok("users.get_current_user", json!({})).await;
}

#[tokio::test]
async fn login_works_as_clients_send_it() {
    let server = TestServer::start().await;
    let user = server.user().await.with_own_credentials();
    let request =
        http::Request::get("/auth.login?expiration_sec=600").body(axum::body::Body::empty()).unwrap();
    let response = user.send(request).await;
    let claims = payload(&response.data()["token"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
}

#[tokio::test]
async fn login_renews_tokens() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let token = user.ok("auth.login", json!({})).await["token"].clone();
    assert_eq!(payload(&token)["identity"]["user"], *user.id);
}

#[tokio::test]
async fn lifetimes_are_bounded() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for (asked, lifetime) in
        [(json!(0), 2_592_000), (json!(null), 2_592_000), (json!("60"), 60), (json!(31_536_000), 31_536_000)]
    {
        let claims = payload(&user.ok("auth.login", json!({"expiration_sec": asked})).await["token"]);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), lifetime);
    }
    let (code, subcode, _) = user.error("auth.login", json!({"expiration_sec": 31_536_001})).await;
    assert_eq!((code, subcode), (400, 12));
    let (code, subcode, message) = user.error("auth.login", json!({"expiration_sec": "abc"})).await;
    assert_eq!((code, subcode), (400, 12));
    assert_eq!(message, "Validation error (invalid literal for int() with base 10: 'abc')");
    let expired = user.ok("auth.login", json!({"expiration_sec": -5})).await["token"].clone();
    let client = server.anonymous().bearer(expired.as_str().unwrap());
    assert_eq!(client.error("auth.login", json!({})).await.1, 30);
}

#[tokio::test]
async fn system_tokens_do_not_expire_by_default() {
    let server = TestServer::start().await;
    let system = server.user_with_role(Role::System).await;
    assert!(payload(&system.ok("auth.login", json!({})).await["token"]).get("exp").is_none());
    let claims = payload(&system.ok("auth.login", json!({"expiration_sec": 60})).await["token"]);
    assert!(claims["exp"].is_i64());
}

#[tokio::test]
async fn login_takes_the_role_from_the_database() {
    let server = TestServer::start().await;
    let target = server.user().await;
    for header in ["x-clearml-act-as", "x-clearml-impersonate-as"] {
        let system = server.user_with_role(Role::System).await.header(header, &target.id);
        let claims = payload(&system.ok("auth.login", json!({})).await["token"]);
        assert_eq!(claims["identity"]["role"], "user");
        assert_eq!(claims["identity"]["user"], *target.id);
    }
}

#[tokio::test]
async fn login_of_a_deleted_user_is_400_301() {
    let server = TestServer::start().await;
    let client = server.anonymous().bearer(&sign(&claims("gone", COMPANY, Role::User)));
    assert_eq!(
        client.error("auth.login", json!({})).await,
        (400, 301, format!("Invalid user id: id=gone, company={COMPANY}"))
    );
}

#[tokio::test]
async fn login_sets_the_session_cookie() {
    let server = TestServer::start().await;
    let response = server.user().await.call("auth.login", json!({})).await;
    let token = response.data()["token"].as_str().unwrap();
    let cookie = response.header("set-cookie");
    assert!(cookie.starts_with(&format!("clearml_token_basic={token}; Expires=")), "{cookie}");
    assert!(cookie.ends_with(" GMT; Max-Age=99999999999; HttpOnly; Path=/; SameSite=Lax"), "{cookie}");
}

#[tokio::test]
async fn cookie_settings_apply() {
    let server = TestServer::with_settings(|settings| {
        let auth = &mut settings.auth;
        auth.cookie_name = "session".into();
        auth.cookies.domain = Some(CookieDomain::FirstOf(vec![".example.com".into()]));
        auth.cookie_domains.insert("c2".into(), None);
        auth.cookie_domains.insert("c3".into(), Some(CookieDomain::One("three.org".into())));
    })
    .await;
    for (company, domain) in [(COMPANY, "; Domain=.example.com;"), ("c2", ""), ("c3", "; Domain=three.org;")]
    {
        if company != COMPANY {
            server.add_company(company, "other").await;
        }
        let user = server.user_of(company, Role::User).await.header("host", "app.example.com:8008");
        let response = user.call("auth.login", json!({})).await;
        let cookie = response.header("set-cookie");
        assert!(cookie.starts_with("session="), "{cookie}");
        assert!(
            cookie.contains(domain) && cookie.contains("Domain") != domain.is_empty(),
            "{company}: {cookie}"
        );
    }
}

#[tokio::test]
async fn custom_cookies_replace_the_settings() {
    let server = TestServer::with_settings(|settings| {
        let custom = CookieSettings { secure: true, max_age: Some(60), ..CookieSettings::default() };
        settings.auth.custom_cookies.insert("clearml_token_basic".into(), custom);
    })
    .await;
    let response = server.user().await.call("auth.login", json!({})).await;
    assert!(response.header("set-cookie").contains("; Max-Age=60; Secure;"));
}

// --- logout --------------------------------------------------------------------------------------

#[tokio::test]
async fn logout_revokes_the_token_and_removes_the_cookie() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let response = user.call("auth.logout", json!({})).await;
    assert_eq!(*response.data(), json!({}));
    let cookie = response.header("set-cookie");
    assert!(
        cookie.starts_with("clearml_token_basic=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0;"),
        "{cookie}"
    );
    assert_eq!(user.error("auth.login", json!({})).await.1, 30);
    let revoked = server.app.state.sorted_range("revoked_tokens", 0.0, f64::MAX).await.unwrap();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].len(), 32);
}

#[tokio::test]
async fn revoking_forgets_expired_tokens() {
    let server = TestServer::start().await;
    server.app.state.sorted_add("revoked_tokens", "old", 1.0).await.unwrap();
    server.user().await.ok("auth.logout", json!({})).await;
    let revoked = server.app.state.sorted_range("revoked_tokens", 0.0, f64::MAX).await.unwrap();
    assert!(!revoked.contains(&"old".to_owned()));
}

#[tokio::test]
async fn logout_of_a_pair_revokes_nothing() {
    let server = TestServer::start().await;
    let user = server.user().await.with_own_credentials();
    user.ok("auth.logout", json!({})).await;
    user.ok("auth.login", json!({})).await;
}

#[tokio::test]
async fn logout_came_with_2_2() {
    let server = TestServer::start().await;
    let user = server.user().await;
    assert_eq!(user.clone().version("2.1").error("auth.logout", json!({})).await.0, 404);
    assert_eq!(server.anonymous().version("2.2").error("auth.logout", json!({})).await.0, 401);
    user.version("2.2").ok("auth.logout", json!({})).await;
}

// --- tokens of others ----------------------------------------------------------------------------

#[tokio::test]
async fn tokens_are_given_for_others() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let system = server.user_with_role(Role::System).await;
    for request in
        [json!({"user": user.id}), json!({"user": user.id, "company": COMPANY, "expiration_sec": 60})]
    {
        let response = system.call("auth.get_token_for_user", request).await;
        assert_eq!(payload(&response.data()["token"])["identity"]["user"], *user.id);
        assert_eq!(response.header("set-cookie"), "");
    }
    assert_eq!(
        system.error("auth.get_token_for_user", json!({"user": "x"})).await,
        (400, 301, "Invalid user id: id=x".into())
    );
    assert_eq!(
        system.error("auth.get_token_for_user", json!({"user": user.id, "company": "c"})).await,
        (400, 301, format!("Invalid user id: id={}, company=c", user.id))
    );
    assert_eq!(
        system.error("auth.get_token_for_user", json!({})).await,
        (400, 12, "Validation error (error for field 'user'. field is required!)".into())
    );
    let too_long = json!({"user": user.id, "expiration_sec": 99_999_999});
    assert_eq!(system.error("auth.get_token_for_user", too_long).await.1, 12);
}

#[tokio::test]
async fn tokens_are_validated() {
    let server = TestServer::start().await;
    let system = server.user_with_role(Role::System).await;
    let mut claims = claims("u", COMPANY, Role::User);
    let token = sign(&claims);
    let validated = async |token: &str| system.ok("auth.validate_token", json!({"token": token})).await;
    assert_eq!(validated(&token).await, json!({"valid": true, "user": "u", "company": COMPANY}));
    server.anonymous().bearer(&token).ok("auth.logout", json!({})).await;
    assert_eq!(
        validated(&token).await,
        json!({"valid": false, "user": "u", "company": COMPANY, "msg": "revoked token"})
    );
    claims.exp = Some(1);
    claims.iat = None;
    assert_eq!(validated(&sign(&claims)).await, json!({"valid": false, "msg": "Signature has expired"}));
    assert_eq!(validated("x").await, json!({"valid": false, "msg": "Not enough segments"}));
    assert_eq!(system.error("auth.validate_token", json!({})).await.1, 12);
    assert_eq!(
        system.error("auth.validate_token", json!({"token": 5})).await.2,
        r#"Validation error (error for field 'token': ('value is wrong, expected type "str"', 5).)"#
    );
}

// --- users ---------------------------------------------------------------------------------------

#[tokio::test]
async fn users_are_created_with_a_profile() {
    let server = TestServer::start().await;
    let system = server.user_with_role(Role::System).await;
    let request = json!({
        "name": "New User", "company": COMPANY, "email": "new@example.com", "given_name": "New", "family_name": "User",
        "avatar": "a.png",
    });
    let id = system.ok("auth.create_user", request).await["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    let stored = stored_auth_user(&server, &id).await;
    assert_eq!(stored.get_str("role").unwrap(), "user");
    assert_eq!(stored.get_str("email").unwrap(), "new@example.com");
    assert_eq!(stored.get_array("credentials").unwrap().len(), 0);
    assert!(!stored.get_bool("autocreated").unwrap());
    assert!(stored.get_datetime("created").is_ok());
    let profile = system.ok("users.get_by_id", json!({"user": id})).await["user"].clone();
    assert_eq!(profile["given_name"], "New");
    assert_eq!(profile["family_name"], "User");
    assert_eq!(profile["avatar"], "a.png");
    assert_eq!(profile["company"], COMPANY);
    assert_eq!(profile["preferences"], "");
    assert_eq!(profile["created_in_version"], "2.3.0");
    // The new user can be impersonated at once, as the Web-App's simple mode does.
    system.header("x-clearml-impersonate-as", &id).ok("auth.login", json!({})).await;
}

async fn stored_auth_user(server: &TestServer, id: &str) -> bson::Document {
    server.app.documents.find_one(Collection::AuthUser, Find::new(Filter::id(id))).await.unwrap().unwrap()
}

#[tokio::test]
async fn users_can_be_created_with_any_role() {
    let server = TestServer::start().await;
    let root = server.user_with_role(Role::Root).await;
    for role in Role::ALL {
        let request =
            json!({"name": "n", "company": COMPANY, "email": format!("{role}@example.com"), "role": role});
        let id = root.ok("auth.create_user", request).await["id"].as_str().unwrap().to_owned();
        assert_eq!(stored_auth_user(&server, &id).await.get_str("role").unwrap(), role.as_str());
    }
}

#[tokio::test]
async fn user_creation_is_checked() {
    let server = TestServer::start().await;
    let system = server.user_with_role(Role::System).await;
    let request = |change: Value| {
        let mut request = json!({"name": "n", "company": COMPANY, "email": "x@example.com"});
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        request
    };
    assert_eq!(
        system.error("auth.create_user", request(json!({"company": "c"}))).await,
        (400, 10, "Invalid object id: company=c".into())
    );
    assert_eq!(
        system.error("auth.create_user", request(json!({"email": "nonsense"}))).await,
        (400, 800, "Data validation error: email=Invalid email address: nonsense".into())
    );
    assert_eq!(
        system.error("auth.create_user", request(json!({"role": "Emperor"}))).await,
        (
            400,
            12,
            "Validation error (error for field 'role': value 'emperor' is not a valid choice..)".into()
        )
    );
    for field in ["name", "company", "email"] {
        let mut incomplete = request(json!({}));
        incomplete.as_object_mut().unwrap().remove(field);
        assert_eq!(
            system.error("auth.create_user", incomplete).await,
            (400, 12, format!("Validation error (error for field '{field}'. field is required!)"))
        );
    }
    system.ok("auth.create_user", request(json!({}))).await;
    let (code, subcode, message) = system.error("auth.create_user", request(json!({}))).await;
    assert_eq!((code, subcode), (400, 801));
    assert!(message.ends_with("email=x@example.com"), "{message}");
    let profiles =
        server.app.documents.count(Collection::User, Filter::eq("name", "n"), false).await.unwrap();
    assert_eq!(profiles, 1);
}

#[tokio::test]
async fn roles_are_edited() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for role in [Role::Admin, Role::Root, Role::System] {
        let editor = server.user_with_role(role).await;
        let answer = editor.ok("auth.edit_user", json!({"user": user.id, "role": "guest"})).await;
        assert_eq!(answer["fields"], json!({"role": "guest"}));
    }
    let admin = server.user_with_role(Role::Admin).await;
    let edit = |role: &str| json!({"user": user.id, "role": role});
    assert_eq!(admin.ok("auth.edit_user", edit("superuser")).await["updated"], 1);
    assert_eq!(admin.ok("auth.edit_user", edit("superuser")).await["updated"], 0);
    for role in ["system", "root", "emperor"] {
        let (code, subcode, message) = admin.error("auth.edit_user", edit(role)).await;
        assert_eq!((code, subcode), (400, 12));
        assert_eq!(
            message,
            format!("Validation error (error for field 'role': value '{role}' is not a valid choice..)")
        );
    }
    assert_eq!(
        admin.error("auth.edit_user", json!({"user": "x", "role": "user"})).await,
        (400, 301, format!("Invalid user id: id=x, company={COMPANY}"))
    );
    assert_eq!(admin.error("auth.edit_user", json!({"user": user.id})).await.1, 12);
    assert_eq!(user.error("auth.edit_user", edit("admin")).await.1, 20);
}

#[tokio::test]
async fn roles_of_other_companies_are_not_edited() {
    let server = TestServer::start().await;
    server.add_company("c2", "other").await;
    let stranger = server.user_of("c2", Role::User).await;
    let admin = server.user_with_role(Role::Admin).await;
    assert_eq!(admin.error("auth.edit_user", json!({"user": stranger.id, "role": "admin"})).await.1, 301);
}

// --- credentials ---------------------------------------------------------------------------------

#[tokio::test]
async fn credentials_live() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let created = user.ok("auth.create_credentials", json!({"label": "laptop"})).await["credentials"].clone();
    let (key, secret) = (created["access_key"].as_str().unwrap(), created["secret_key"].as_str().unwrap());
    assert_eq!(key.len(), 30);
    assert_eq!(secret.len(), 67);
    assert_eq!(created["label"], "laptop");
    server.anonymous().basic(key, secret).ok("users.get_all", json!({})).await;

    let listed = user.ok("auth.get_credentials", json!({})).await["credentials"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0], json!({"access_key": user.credentials.as_ref().unwrap().key}));
    assert_eq!(listed[1]["access_key"], key);
    assert_eq!(listed[1]["label"], "laptop");
    assert!(!listed.to_string().contains(secret));

    assert_eq!(
        user.ok("auth.edit_credentials", json!({"access_key": key, "label": "tower"})).await,
        json!({"updated": 1})
    );
    assert_eq!(user.ok("auth.get_credentials", json!({})).await["credentials"][1]["label"], "tower");
    assert_eq!(user.ok("auth.edit_credentials", json!({"access_key": key})).await, json!({"updated": 1}));
    assert_eq!(user.ok("auth.get_credentials", json!({})).await["credentials"][1].get("label"), None);

    assert_eq!(user.ok("auth.revoke_credentials", json!({"access_key": key})).await, json!({"revoked": 1}));
    assert_eq!(user.ok("auth.get_credentials", json!({})).await["credentials"].as_array().unwrap().len(), 1);
    assert_eq!(server.anonymous().basic(key, secret).error("users.get_all", json!({})).await.1, 22);
}

#[tokio::test]
async fn credentials_without_label_have_none() {
    let user = TestServer::start().await.user().await;
    let created = user.version("2.1").ok("auth.create_credentials", json!({})).await;
    assert_eq!(created["credentials"].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn unknown_credentials_are_refused() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let id = &user.id;
    assert_eq!(
        user.error("auth.edit_credentials", json!({"access_key": "X", "label": "l"})).await,
        (
            400,
            75,
            format!(
                "Access key not found (invalid user or invalid access key): user={id}, access_key=X, company={COMPANY}"
            )
        )
    );
    assert_eq!(
        user.error("auth.revoke_credentials", json!({"access_key": "X"})).await,
        (
            400,
            300,
            format!(
                "Invalid user (invalid user or invalid access key): id={id}, company={COMPANY}, credentials__key=X"
            )
        )
    );
    assert_eq!(user.error("auth.edit_credentials", json!({})).await.1, 12);
    assert_eq!(user.error("auth.revoke_credentials", json!({"key_id": "x"})).await.1, 12);
}

#[tokio::test]
async fn credentials_of_others_are_out_of_reach() {
    let server = TestServer::start().await;
    let (user, other) = (server.user().await, server.user().await);
    let key = &other.credentials.as_ref().unwrap().key;
    assert_eq!(user.error("auth.revoke_credentials", json!({"access_key": key})).await.1, 300);
    assert_eq!(user.error("auth.edit_credentials", json!({"access_key": key, "label": "x"})).await.1, 75);
    other.with_own_credentials().ok("auth.login", json!({})).await;
}

#[tokio::test]
async fn protected_identities_keep_their_credentials() {
    let server = TestServer::start().await;
    for name in ["apiserver", "fileserver", "webserver", "services_agent", "tests"] {
        let client = add_internal_user(&server, name).await;
        let expected = (400, 301, "Invalid user id (protected identity)".to_owned());
        assert_eq!(client.error("auth.create_credentials", json!({})).await, expected);
        assert_eq!(client.error("auth.revoke_credentials", json!({"access_key": "K"})).await, expected);
        client.ok("auth.get_credentials", json!({})).await;
    }
}

#[tokio::test]
async fn deleted_users_have_no_credentials() {
    let server = TestServer::start().await;
    let client = server.anonymous().bearer(&sign(&claims("gone", COMPANY, Role::User)));
    for endpoint in ["auth.create_credentials", "auth.get_credentials"] {
        assert_eq!(client.error(endpoint, json!({})).await.1, 301, "{endpoint}");
    }
}

// --- modes ---------------------------------------------------------------------------------------

#[tokio::test]
async fn fixed_users_mode_is_told_to_everybody() {
    let server = TestServer::start().await;
    assert_eq!(
        server.anonymous().ok("auth.fixed_users_mode", json!({})).await,
        json!({"enabled": false, "guest": {"enabled": false}, "server_errors": {}})
    );
    let server = TestServer::with_settings(|settings| {
        settings.auth.fixed_users.enabled = true;
        settings.auth.fixed_users.guest.enabled = true;
    })
    .await;
    assert_eq!(
        server.anonymous().bearer("nonsense").ok("auth.fixed_users_mode", json!({})).await,
        json!({
            "enabled": true,
            "guest": {"enabled": true, "name": "Guest", "username": "guest", "password": "guest"},
            "server_errors": {},
        })
    );
}
