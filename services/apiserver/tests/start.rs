//! Several servers start at once on the same empty stores of the cluster: they set them up once and agree on their
//! secrets.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use clearml_apiserver::{Service, StartOptions, Stores};
use clearml_config::{Config, DataDir, Environment, Loaded, Sources, settings::Program};
use clearml_documents::{Collection, Filter, Find};
use clearml_telemetry::Shutdown;

/// The variables of a server on databases, indices and keys of this test; `None` where the stores are missing.
fn variables(name: &str) -> Option<Vec<(String, String)>> {
    let mut stores = Vec::new();
    for variable in ["CLEARML_MONGODB_URL", "CLEARML_ELASTIC_URL", "CLEARML_REDIS_URL"] {
        let Ok(url) = std::env::var(variable) else {
            println!("skipped: {variable} is not set");
            return None;
        };
        stores.push(url);
    }
    let [mongo, elastic, redis] = stores.try_into().unwrap();
    let redis = redis.rsplit_once('/').unwrap().0.to_owned();
    let mut variables = vec![
        ("stores__elastic__index_prefix".to_owned(), format!("{name}-")),
        ("hosts__elastic__events__hosts".to_owned(), format!("[\"{elastic}\"]")),
        ("hosts__elastic__workers__hosts".to_owned(), format!("[\"{elastic}\"]")),
    ];
    for alias in ["backend", "auth"] {
        variables.push((format!("hosts__mongo__{alias}__host"), mongo.clone()));
        variables.push((format!("hosts__mongo__{alias}__name"), format!("{name}_{alias}")));
    }
    for (alias, database) in [("apiserver", 0), ("workers", 4)] {
        variables.push((format!("hosts__redis__{alias}__url"), format!("{redis}/{database}")));
        variables.push((format!("hosts__redis__{alias}__prefix"), format!("\"{name}:\"")));
    }
    Some(variables.into_iter().map(|(key, value)| (format!("CLEARML__{key}"), value)).collect())
}

fn load(variables: &[(String, String)], folder: &tempfile::TempDir) -> Loaded {
    let environment: Environment = variables.iter().cloned().collect();
    let config =
        Config::load(&Sources { directories: Vec::new(), environment: environment.clone() }).unwrap();
    Loaded::new(config, Program::Single, DataDir::open_shared(folder.path()).unwrap(), environment).unwrap()
}

async fn clean_up(variables: &[(String, String)], stores: &Stores) {
    let value = |suffix: &str| &variables.iter().find(|(key, _)| key.ends_with(suffix)).unwrap().1;
    let client = mongodb::Client::with_uri_str(value("mongo__backend__host")).await.unwrap();
    for alias in ["backend", "auth"] {
        client.database(value(&format!("mongo__{alias}__name"))).drop().await.unwrap();
    }
    for state in [&stores.state, &stores.worker_state] {
        let keys = state.keys("*").await.unwrap();
        state.delete(&keys).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_servers_set_empty_stores_up_once() {
    let Some(variables) = variables(&format!("start{}", std::process::id())) else { return };
    let folders: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut servers: Vec<Loaded> = folders.iter().map(|folder| load(&variables, folder)).collect();
    let shutdown = Shutdown::default();
    let starts = servers.iter_mut().map(|loaded| {
        let options = StartOptions { first_user: Some("jane".to_owned()), ..StartOptions::default() };
        Service::start(loaded, options, &shutdown)
    });
    let services: Vec<Service> =
        futures::future::join_all(starts).await.into_iter().map(Result::unwrap).collect();

    assert_eq!(services.iter().filter(|service| service.first_user.is_some()).count(), 1);
    for service in &services {
        assert!(service.health.failures().await.is_empty(), "every store answers");
    }
    let secrets: Vec<&str> =
        servers.iter().map(|loaded| loaded.settings.secure.auth.token_secret.reveal()).collect();
    assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]), "the servers share one secret");

    let stores = Stores::open(&servers[0]).await.unwrap();
    let documents = &stores.documents;
    let count = async |collection, filter| documents.count(collection, filter, false).await.unwrap();
    for (collection, expected) in
        [(Collection::Company, 1), (Collection::Queue, 1), (Collection::Versions, 14)]
    {
        assert_eq!(count(collection, Filter::Everything).await, expected, "{collection:?}");
    }
    let users = documents.find(Collection::AuthUser, Find::new(Filter::Everything)).await.unwrap();
    let mut names: Vec<&str> = users.iter().map(|user| user.get_str("name").unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["apiserver", "fileserver", "jane", "webserver"]);
    assert_eq!(count(Collection::Settings, Filter::id("server.uuid")).await, 1);

    // One that starts later takes what is there.
    let folder = tempfile::tempdir().unwrap();
    let mut later = load(&variables, &folder);
    let own = later.settings.secure.auth.token_secret.clone();
    let service = Service::start(&mut later, StartOptions::default(), &shutdown).await.unwrap();
    assert_ne!(later.settings.secure.auth.token_secret, own);
    assert_eq!(later.settings.secure.auth.token_secret.reveal(), secrets[0]);
    assert!(service.first_user.is_none());
    clean_up(&variables, &stores).await;
}
