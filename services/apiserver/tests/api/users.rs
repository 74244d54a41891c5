//! The `users` service (spec 01 §5.3, 09 §1).

use bson::doc;
use clearml_auth::Role;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer, claims, normalized, sign};

/// Users `u1` Ann, `u2` Bob, `u3` bobby of the company.
async fn server_with_users() -> (TestServer, Client) {
    let server = TestServer::start().await;
    for (id, name) in [("u1", "Ann"), ("u2", "Bob"), ("u3", "bobby")] {
        let user = doc! {
            "_id": id, "name": name, "given_name": name, "company": COMPANY, "preferences": "{\"secret\":1}",
        };
        server.app.documents.insert(Collection::User, user).await.unwrap();
    }
    let client = server.anonymous().bearer(&sign(&claims("u1", COMPANY, Role::User)));
    (server, client)
}

async fn ids(client: &Client, endpoint: &str, request: Value) -> Vec<String> {
    let users = client.ok(endpoint, request).await["users"].clone();
    let mut ids: Vec<String> =
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

// --- get_by_id, get_current_user -----------------------------------------------------------------

#[tokio::test]
async fn a_user_is_answered_with_everything() {
    let (server, client) = server_with_users().await;
    assert_eq!(
        client.ok("users.get_by_id", json!({"user": "u2"})).await,
        json!({"user": {
            "id": "u2", "name": "Bob", "given_name": "Bob", "company": COMPANY, "preferences": "{\"secret\":1}",
        }})
    );
    assert_eq!(
        client.error("users.get_by_id", json!({"user": "x"})).await,
        (400, 301, format!("Invalid user id: id=x, company={COMPANY}"))
    );
    assert_eq!(
        client.error("users.get_by_id", json!({})).await,
        (400, 12, "Validation error (error for field 'user'. field is required!)".into())
    );
    server.add_company("c2", "other").await;
    let stranger = server.user_of("c2", Role::User).await;
    let request = json!({"user": stranger.id});
    assert_eq!(client.error("users.get_by_id", request.clone()).await.1, 301);
    assert_eq!(
        server.user_with_role(Role::Root).await.error("users.get_by_id", request.clone()).await.1,
        301
    );
    server.user_with_role(Role::System).await.ok("users.get_by_id", request).await;
}

#[tokio::test]
async fn the_current_user_is_told_who_it_is() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let answer = user.ok("users.get_current_user", json!({})).await;
    insta::assert_json_snapshot!(normalized(&answer), @r#"
    {
      "user": {
        "id": "<id 1>",
        "name": "Jane Doe",
        "given_name": "Jane",
        "family_name": "Doe",
        "created": "<date>",
        "company": {
          "id": "<id 2>",
          "name": "clearml"
        },
        "role": "user"
      },
      "getting_started": {
        "agentName": "clearml",
        "configure": "clearml-init",
        "install": "pip install clearml",
        "packageName": "clearml"
      },
      "settings": {
        "max_download_items": 50000
      }
    }
    "#);
    assert_eq!(user.version("2.1").ok("users.get_current_user", json!({})).await, answer);
    let internal = server.anonymous().bearer(&sign(&claims("__apiserver__", COMPANY, Role::System)));
    assert_eq!(
        internal.error("users.get_current_user", json!({})).await,
        (400, 300, "Invalid user (failed loading user)".into())
    );
}

// --- get_all, get_all_ex -------------------------------------------------------------------------

#[tokio::test]
async fn users_are_listed() {
    let (_server, client) = server_with_users().await;
    for endpoint in ["users.get_all", "users.get_all_ex"] {
        assert_eq!(ids(&client, endpoint, json!({})).await, ["u1", "u2", "u3"]);
        assert_eq!(ids(&client, endpoint, json!({"name": "ob"})).await, ["u2", "u3"]);
        assert_eq!(ids(&client, endpoint, json!({"name": "^B"})).await, ["u2"]);
        assert_eq!(ids(&client, endpoint, json!({"id": ["u1", "u2"]})).await, ["u1", "u2"]);
        assert_eq!(ids(&client, endpoint, json!({"id": "u1"})).await, ["u1"]);
        assert_eq!(ids(&client, endpoint, json!({"id": []})).await, ["u1", "u2", "u3"]);
        assert_eq!(ids(&client, endpoint, json!({"id": ["-u1"]})).await, ["u2", "u3"]);
        assert_eq!(ids(&client, endpoint, json!({"given_name": "Ann", "foo": 1})).await, ["u1", "u2", "u3"]);
        let any = json!({"_any_": {"fields": ["name"], "pattern": "^b"}});
        assert_eq!(ids(&client, endpoint, any).await, ["u2", "u3"]);
        let page = json!({"order_by": ["-name"], "page": 1, "page_size": 2});
        assert_eq!(ids(&client, endpoint, page).await, ["u1"]);
        let (code, subcode, _) = client.error(endpoint, json!({"page": -1, "page_size": 2})).await;
        assert_eq!((code, subcode), (400, 12));
        assert_eq!(client.error(endpoint, json!({"order_by": ["foo"]})).await.1, 14);
        assert_eq!(client.error(endpoint, json!({"name": "("})).await.1, 21);
        let scrolled = client.ok(endpoint, json!({"scroll_id": null, "size": 2})).await;
        assert_eq!(scrolled["users"].as_array().unwrap().len(), 2);
        assert_eq!(scrolled.get("scroll_id"), None);
    }
}

#[tokio::test]
async fn companies_and_preferences_are_shown_as_asked() {
    let (_server, client) = server_with_users().await;
    let plain = client.ok("users.get_all", json!({"id": ["u2"]})).await;
    assert_eq!(plain["users"], json!([{"id": "u2", "name": "Bob", "given_name": "Bob", "company": COMPANY}]));
    let joined = client.ok("users.get_all_ex", json!({"id": ["u2"]})).await;
    assert_eq!(joined["users"][0]["company"], json!({"id": COMPANY}));
    assert_eq!(joined["users"][0].get("preferences"), None);
    let fields = json!({"id": ["u2"], "only_fields": ["name", "company.name"]});
    assert_eq!(
        client.ok("users.get_all_ex", fields).await["users"],
        json!([{"id": "u2", "name": "Bob", "company": {"id": COMPANY, "name": "clearml"}}])
    );
    let preferences = json!({"id": ["u2"], "only_fields": ["preferences"]});
    assert_eq!(
        client.ok("users.get_all", preferences).await["users"],
        json!([{"preferences": "{\"secret\":1}"}])
    );
    assert_eq!(client.error("users.get_all", json!({"only_fields": ["foo"]})).await.1, 14);
    assert_eq!(
        client.error("users.get_all_ex", json!({"only_fields": ["foo"]})).await,
        (400, 14, "Fields not defined for object: fields=(foo), object=User".into())
    );
}

#[tokio::test]
async fn users_of_other_companies_are_not_listed() {
    let (server, client) = server_with_users().await;
    server.add_company("c2", "other").await;
    let stranger = server.user_of("c2", Role::User).await;
    assert_eq!(ids(&client, "users.get_all", json!({})).await, ["u1", "u2", "u3"]);
    assert_eq!(ids(&stranger, "users.get_all_ex", json!({})).await, [stranger.id.as_str()]);
}

#[tokio::test]
async fn users_are_found_by_what_they_own() {
    let (server, client) = server_with_users().await;
    let documents = &server.app.documents;
    let insert = async |collection, document| documents.insert(collection, document).await.unwrap();
    insert(Collection::Project, doc! {"_id": "p", "name": "p", "company": COMPANY, "user": "u1", "path": []})
        .await;
    let below =
        doc! {"_id": "p2", "name": "p/q", "company": COMPANY, "user": "u1", "parent": "p", "path": ["p"]};
    insert(Collection::Project, below).await;
    insert(
        Collection::Project,
        doc! {"_id": "p3", "name": "r", "company": COMPANY, "user": "u3", "path": []},
    )
    .await;
    insert(
        Collection::Task,
        doc! {"_id": "t", "name": "t", "company": COMPANY, "user": "u2", "project": "p2"},
    )
    .await;
    insert(
        Collection::Model,
        doc! {"_id": "m", "name": "m", "company": "other", "user": "u3", "project": "p"},
    )
    .await;

    let active = async |projects: Value| {
        ids(&client, "users.get_all_ex", json!({"active_in_projects": projects})).await
    };
    assert_eq!(active(json!(["p"])).await, ["u1", "u2"]);
    assert_eq!(active(json!(["p2"])).await, ["u1", "u2"]);
    assert_eq!(active(json!(["p3"])).await, ["u3"]);
    assert_eq!(active(json!([])).await, ["u1", "u2", "u3"]);
    assert_eq!(active(json!(null)).await, ["u1", "u2", "u3"]);
    assert_eq!(active(json!(["nothing"])).await, Vec::<String>::new());
    let both = json!({"active_in_projects": ["p"], "id": ["u2", "u3"]});
    assert_eq!(ids(&client, "users.get_all_ex", both.clone()).await, ["u2"]);
    // Before 2.8 the field meant nothing.
    assert_eq!(ids(&client.clone().version("2.7"), "users.get_all_ex", both).await, ["u2", "u3"]);
    assert_eq!(client.error("users.get_all_ex", json!({"active_in_projects": "p"})).await.1, 12);
    assert_eq!(client.error("users.get_all_ex", json!({"active_in_projects": [1]})).await.1, 12);
}

// --- create, update, delete ----------------------------------------------------------------------

#[tokio::test]
async fn profiles_are_created_and_deleted() {
    let (server, client) = server_with_users().await;
    let system = server.user_with_role(Role::System).await;
    let request = json!({"id": "new", "company": "no such company", "name": "New", "family_name": "User"});
    assert_eq!(system.ok("users.create", request.clone()).await, json!({}));
    let user = system.ok("users.get_by_id", json!({"user": "new"})).await["user"].clone();
    assert_eq!(user["company"], "no such company");
    assert_eq!(user["family_name"], "User");
    assert_eq!(user["created_in_version"], "2.3.0");
    assert!(user["created"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(user.get("given_name"), None);
    assert_eq!(
        system.error("users.create", request).await,
        (400, 302, "User id already exists: id=new".into())
    );
    for field in ["id", "company", "name"] {
        let mut incomplete = json!({"id": "x", "company": "c", "name": "n"});
        incomplete.as_object_mut().unwrap().remove(field);
        assert_eq!(system.error("users.create", incomplete).await.1, 12);
    }

    assert_eq!(system.ok("users.delete", json!({"user": "new"})).await, json!({}));
    assert_eq!(
        system.error("users.delete", json!({"user": "new"})).await,
        (400, 301, "Invalid user id: id=new".into())
    );
    assert_eq!(client.error("users.delete", json!({"user": "u2"})).await.0, 403);
    assert_eq!(client.error("users.create", json!({})).await.0, 403);
}

#[tokio::test]
async fn names_are_updated() {
    let server = TestServer::start().await;
    let (user, colleague) = (server.user().await, server.user().await);
    let request = json!({
        "user": colleague.id, "name": "New Name", "given_name": null, "family_name": "", "avatar": "ignored.png",
    });
    assert_eq!(
        user.ok("users.update", request).await,
        json!({"updated": 1, "fields": {"name": "New Name", "family_name": ""}})
    );
    let stored = user.ok("users.get_by_id", json!({"user": colleague.id})).await["user"].clone();
    assert_eq!(stored["name"], "New Name");
    assert_eq!(stored["given_name"], "Jane");
    assert_eq!(stored["family_name"], "");
    assert_eq!(stored.get("avatar"), None);
    let find = Find::new(Filter::id(colleague.id.as_str()));
    let auth_user = server.app.documents.find_one(Collection::AuthUser, find).await.unwrap().unwrap();
    assert_eq!(auth_user.get_str("name").unwrap(), "New Name");

    let nothing = json!({"updated": 0, "fields": {}});
    assert_eq!(user.ok("users.update", json!({"user": user.id})).await, nothing);
    assert_eq!(user.ok("users.update", json!({"user": "x", "name": "n"})).await["updated"], 0);
    assert_eq!(
        user.error("users.update", json!({"user": user.id, "name": 5})).await,
        (400, 800, "Data validation error: name=StringField only accepts string values".into())
    );
    assert_eq!(user.error("users.update", json!({"name": "n"})).await.1, 12);
}

#[tokio::test]
async fn users_of_other_companies_are_not_updated() {
    let server = TestServer::start().await;
    server.add_company("c2", "other").await;
    let stranger = server.user_of("c2", Role::User).await;
    let user = server.user().await;
    assert_eq!(user.ok("users.update", json!({"user": stranger.id, "name": "x"})).await["updated"], 0);
    assert_eq!(stranger.ok("users.get_current_user", json!({})).await["user"]["name"], "Jane Doe");
    let find = Find::new(Filter::id(stranger.id.as_str()));
    let auth_user = server.app.documents.find_one(Collection::AuthUser, find).await.unwrap().unwrap();
    assert_eq!(auth_user.get_str("name").unwrap(), "Jane Doe");
}

// --- preferences ---------------------------------------------------------------------------------

async fn preferences(client: &Client) -> Value {
    client.ok("users.get_preferences", json!({})).await["preferences"].clone()
}

async fn set(client: &Client, preferences: Value) -> Value {
    client.ok("users.set_preferences", json!({"preferences": preferences})).await
}

#[tokio::test]
async fn preferences_are_replaced_by_top_level_keys() {
    let user = TestServer::start().await.user().await;
    assert_eq!(preferences(&user).await, json!({}));
    let first = json!({"a": {"b": 1, "c": 2}, "ünïcode": "é", "n": 1.5});
    assert_eq!(set(&user, first.clone()).await, json!({"updated": 1, "fields": {"preferences": first}}));
    assert_eq!(preferences(&user).await, first);
    set(&user, json!({"a": {"z": 9}, "n": null})).await;
    assert_eq!(preferences(&user).await, json!({"a": {"z": 9}, "ünïcode": "é", "n": null}));
    assert_eq!(set(&user, json!({"a": {"z": 9}})).await, json!({"updated": 0, "fields": {}}));
    assert_eq!(set(&user, json!({})).await, json!({"updated": 0, "fields": {}}));
}

#[tokio::test]
async fn preferences_are_stored_as_ascii_text() {
    let server = TestServer::start().await;
    let user = server.user().await;
    set(&user, json!({"a": {"b": "é"}, "c": [1, 2]})).await;
    let find = Find::new(Filter::id(user.id.as_str()));
    let stored = server.app.documents.find_one(Collection::User, find).await.unwrap().unwrap();
    assert_eq!(stored.get_str("preferences").unwrap(), r#"{"a":{"b":"\u00e9"},"c":[1,2]}"#);
}

#[tokio::test]
async fn dotted_keys_are_paths() {
    let user = TestServer::start().await.user().await;
    set(&user, json!({"a": {"b": 1}, "list": [{"x": 1}]})).await;
    set(&user, json!({"a.c": 2, "n.m.o": [1], "list.0.x": 5})).await;
    assert_eq!(
        preferences(&user).await,
        json!({"a": {"b": 1, "c": 2}, "list": [{"x": 5}], "n": {"m": {"o": [1]}}})
    );
    let request = json!({"preferences": {"a.d": 3}, "return_updated": false});
    assert_eq!(user.ok("users.set_preferences", request).await, json!({"updated": 1, "fields": {}}));
    assert_eq!(
        user.error("users.set_preferences", json!({"preferences": {"a.b.c": 1}})).await,
        (400, 305, "Malformed key and/or value: key=a.b.c, value=1".into())
    );
}

#[tokio::test]
async fn invalid_keys_are_refused() {
    let user = TestServer::start().await.user().await;
    for (changes, key) in [
        (json!({"$a": 1}), "$a"),
        (json!({"a": {"b.c": 1}}), "b.c"),
        (json!({"a": [{"$b": 1}]}), "$b"),
        (json!({"a": [[{"b.c": 1}]]}), "b.c"),
    ] {
        assert_eq!(
            user.error("users.set_preferences", json!({"preferences": changes})).await,
            (
                400,
                16,
                format!(
                    "Invalid value for fields (Key {key} is invalid. Keys cannot start with '$' or contain '.'.)"
                )
            )
        );
    }
    assert_eq!(
        user.error("users.set_preferences", json!({"preferences": {"": 1}})).await,
        (400, 305, "Malformed key and/or value: key=, value=1".into())
    );
    assert_eq!(user.error("users.set_preferences", json!({})).await.1, 12);
    assert_eq!(user.error("users.set_preferences", json!({"preferences": 1})).await.1, 12);
    assert_eq!(preferences(&user).await, json!({}));
}

#[tokio::test]
async fn preferences_cannot_outgrow_what_can_be_read() {
    let user = TestServer::start().await.user().await;
    let mut deep = json!(1);
    for _ in 0..150 {
        deep = json!([deep]);
    }
    let path = vec!["a"; 90].join(".");
    assert_eq!(user.error("users.set_preferences", json!({"preferences": {path: deep}})).await.1, 305);
    let path = vec!["a"; 100_000].join(".");
    assert_eq!(user.error("users.set_preferences", json!({"preferences": {path: 1}})).await.1, 305);
}

#[tokio::test]
async fn concurrent_changes_are_not_lost() {
    let user = TestServer::start().await.user().await;
    let changes = (0..8).map(|number| {
        let user = user.clone();
        tokio::spawn(async move { set(&user, json!({format!("key{number}"): number})).await })
    });
    for change in changes.collect::<Vec<_>>() {
        assert_eq!(change.await.unwrap()["updated"], 1);
    }
    assert_eq!(preferences(&user).await.as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn objects_of_old_servers_are_read() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let change = vec![Change::set("preferences", doc! {"a": {"b": 1}})];
    server.app.documents.update_one(Collection::User, Filter::id(user.id.as_str()), change).await.unwrap();
    assert_eq!(preferences(&user).await, json!({"a": {"b": 1}}));
    set(&user, json!({"a.c": 2})).await;
    assert_eq!(preferences(&user).await, json!({"a": {"b": 1, "c": 2}}));
}

#[tokio::test]
async fn preferences_need_a_profile() {
    let server = TestServer::start().await;
    let internal = server.anonymous().bearer(&sign(&claims("__apiserver__", COMPANY, Role::System)));
    assert_eq!(internal.error("users.get_preferences", json!({})).await.1, 301);
    assert_eq!(internal.error("users.set_preferences", json!({"preferences": {"a": 1}})).await.1, 301);
}
