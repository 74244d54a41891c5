//! Setting up, again and again, with changing configurations.

use std::path::Path;

use bson::{Document, doc};
use clearml_config::{Config, Environment, Sources};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use clearml_events::NameLimits;

use super::*;
use crate::Stores;

const COMPANY: &str = "d1bd92a3b039400cbafc60a7a5b1e52b";

struct Setup {
    app: App,
    settings: Settings,
}

impl Setup {
    /// A server on these stores with what these variables configure.
    fn new(stores: &Stores, variables: &[(&str, &str)]) -> Self {
        let environment: Environment = variables.iter().copied().collect();
        let config = Config::load(&Sources { directories: Vec::new(), environment }).unwrap();
        let app = App::new(stores.clone(), crate::Settings::from_config(&config).unwrap());
        Self { app, settings: config.settings().unwrap() }
    }

    async fn run(&self, first_user: Option<&str>) -> Option<FirstUser> {
        provision(&self.app, &self.settings, first_user).await.unwrap()
    }

    async fn document(&self, collection: Collection, id: &str) -> Option<Document> {
        self.app.documents.find_one(collection, Find::new(Filter::id(id))).await.unwrap()
    }

    async fn count(&self, collection: Collection) -> u64 {
        self.app.documents.count(collection, Filter::Everything, false).await.unwrap()
    }
}

fn stores(folder: &Path) -> Stores {
    Stores::embedded(folder, NameLimits::default()).unwrap()
}

fn key_of(user: &Document, position: usize) -> &str {
    user.get_array("credentials").unwrap()[position].as_document().unwrap().get_str("key").unwrap()
}

#[tokio::test]
async fn a_first_start_makes_what_later_ones_keep() {
    let folder = tempfile::tempdir().unwrap();
    let stores = stores(folder.path());
    let setup = Setup::new(&stores, &[]);
    let first = setup.run(Some("Jane van Doe")).await.unwrap();
    let id = setup.document(Collection::Settings, "server.uuid").await.unwrap();
    assert_eq!(id.get_str("value").unwrap().len(), 36);
    assert_eq!(
        setup.document(Collection::Company, COMPANY).await.unwrap().get_str("name").unwrap(),
        "clearml"
    );
    let user =
        setup.app.documents.find(Collection::User, Find::new(Filter::Everything)).await.unwrap().remove(0);
    assert_eq!(user.get_str("given_name").unwrap(), "Jane");
    assert_eq!(user.get_str("family_name").unwrap(), "van Doe");
    let auth_user = setup.document(Collection::AuthUser, user.get_str("_id").unwrap()).await.unwrap();
    assert_eq!(auth_user.get_str("role").unwrap(), "admin");
    assert_eq!(key_of(&auth_user, 0), first.credentials.key);
    assert!(setup.document(Collection::AuthUser, "__apiserver__").await.is_none(), "it has no pair");

    assert!(setup.run(Some("Somebody Else")).await.is_none());
    assert_eq!(setup.document(Collection::Settings, "server.uuid").await.unwrap(), id);
    for collection in [Collection::Company, Collection::Queue, Collection::User, Collection::AuthUser] {
        assert_eq!(setup.count(collection).await, 1, "{collection:?}");
    }
}

#[tokio::test]
async fn internal_users_follow_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let stores = stores(folder.path());
    let tests = [
        ("CLEARML__secure__credentials__tests__user_key", "KEY1"),
        ("CLEARML__secure__credentials__tests__user_secret", "secret1"),
        ("CLEARML__secure__credentials__agent2__role", "admin"),
        ("CLEARML__secure__credentials__agent2__user_key", "KEY2"),
        ("CLEARML__secure__credentials__agent2__user_secret", "secret2"),
    ];
    let setup = Setup::new(&stores, &tests);
    assert!(setup.run(None).await.is_none());
    let user = setup.document(Collection::AuthUser, "__tests__").await.unwrap();
    assert_eq!((user.get_str("role").unwrap(), key_of(&user, 0)), ("user", "KEY1"));
    assert_eq!(user.get_str("email").unwrap(), "tests@example.com");
    let profile = setup.document(Collection::User, "__tests__").await.unwrap();
    assert_eq!(profile.get_str("name").unwrap(), "Default User");
    let agent = setup.document(Collection::AuthUser, "__agent2__").await.unwrap();
    assert_eq!((agent.get_str("role").unwrap(), key_of(&agent, 0)), ("admin", "KEY2"));

    // The same pair keeps its note of use, and a profile its preferences.
    let noted = vec![Change::set(
        "credentials",
        vec![bson::Bson::from(doc! {"key": "KEY1", "secret": "secret1", "last_used_from": "here"})],
    )];
    setup.app.documents.update_one(Collection::AuthUser, Filter::id("__tests__"), noted).await.unwrap();
    let preferences = vec![Change::set("preferences", "{\"a\":1}")];
    setup.app.documents.update_one(Collection::User, Filter::id("__tests__"), preferences).await.unwrap();
    Setup::new(&stores, &tests[..2]).run(None).await;
    let user = setup.document(Collection::AuthUser, "__tests__").await.unwrap();
    assert!(user.to_string().contains("here"), "{user}");
    let profile = setup.document(Collection::User, "__tests__").await.unwrap();
    assert_eq!(profile.get_str("preferences").unwrap(), "{\"a\":1}");
    assert!(setup.document(Collection::AuthUser, "__agent2__").await.is_none(), "configured no more");

    // Another pair replaces the old one; none empties it; fixed users mode revokes some.
    let changed = [tests[0], ("CLEARML__secure__credentials__tests__user_secret", "secret3")];
    Setup::new(&stores, &changed).run(None).await;
    let user = setup.document(Collection::AuthUser, "__tests__").await.unwrap();
    assert!(user.to_string().contains("secret3") && !user.to_string().contains("here"), "{user}");
    let fixed = [changed[0], changed[1], ("CLEARML__apiserver__auth__fixed_users__enabled", "true")];
    Setup::new(&stores, &fixed).run(None).await;
    let user = setup.document(Collection::AuthUser, "__tests__").await.unwrap();
    assert!(user.get_array("credentials").unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_role_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(&stores(folder.path()), &[("CLEARML__secure__credentials__x__role", "king")]);
    let error = provision(&setup.app, &setup.settings, None).await.unwrap_err();
    assert_eq!(error.to_string(), "secure.credentials.x.role: \"king\" is no role");
}

#[tokio::test]
async fn fixed_users_come_change_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let stores = stores(folder.path());
    let with = |users: &str, guest: &str| {
        let users = ("CLEARML__apiserver__auth__fixed_users", users);
        Setup::new(&stores, &[users, ("CLEARML__services__auth__fixed_users__guest__enabled", guest)])
    };
    let setup = with(
        "{enabled: true, users: [{username: jane, password: x, name: Jane Doe}, {username: jane, password: y, name: Twice}]}",
        "true",
    );
    assert!(setup.run(Some("nobody")).await.is_none(), "people are configured");
    let id = clearml_auth::fixed_user_id(COMPANY, "jane");
    let user = setup.document(Collection::AuthUser, &id).await.unwrap();
    assert_eq!((user.get_str("role").unwrap(), user.get_str("name").unwrap()), ("user", "Jane Doe"));
    assert_eq!(user.get_str("email").unwrap(), format!("{id}@example.com"));
    let guests = "025315a9321f49f8be07f5ac48fbcf92";
    assert_eq!(setup.document(Collection::Company, guests).await.unwrap().get_str("name").unwrap(), "guests");
    let guest = clearml_auth::fixed_user_id(guests, "guest");
    let guest = setup.document(Collection::AuthUser, &guest).await.unwrap();
    assert_eq!(guest.get_str("role").unwrap(), "guest");

    // Own key pairs and the profile survive; names follow the configuration.
    let push = vec![Change::Push("credentials".to_owned(), doc! {"key": "OWN", "secret": "s"}.into())];
    setup.app.documents.update_one(Collection::AuthUser, Filter::id(id.as_str()), push).await.unwrap();
    with("{enabled: true, users: [{username: jane, password: x, name: Jane}]}", "false").run(None).await;
    let user = setup.document(Collection::AuthUser, &id).await.unwrap();
    assert_eq!(key_of(&user, 0), "OWN");
    let profile = setup.document(Collection::User, &id).await.unwrap();
    assert_eq!(profile.get_str("name").unwrap(), "Jane");
    assert!(profile.get_str("family_name").is_err());

    with("{enabled: true, users: []}", "false").run(None).await;
    assert!(setup.document(Collection::AuthUser, &id).await.is_none());
    assert!(setup.document(Collection::User, &id).await.is_some(), "the profile stays");
}

#[tokio::test]
async fn several_starts_at_once_set_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let stores = stores(folder.path());
    let setups: Vec<Setup> = (0..4).map(|_| Setup::new(&stores, &[])).collect();
    let outcomes = futures::future::join_all(setups.iter().map(|setup| setup.run(Some("jane")))).await;
    assert_eq!(outcomes.iter().flatten().count(), 1);
    for collection in [Collection::Company, Collection::Queue, Collection::User, Collection::AuthUser] {
        assert_eq!(setups[0].count(collection).await, 1, "{collection:?}");
    }
}
