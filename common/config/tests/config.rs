//! Files, environment and their precedence; typed settings and their errors; generated secrets.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use clearml_config::{
    Config, ConfigError, DataDir, Environment, GeneratedSecrets, Secret, Settings, Sources,
    config_directories,
    settings::{Program, StoreChoice, StoreKind},
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn load(folders: &[&Folder], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&Sources {
        directories: folders.iter().map(|folder| folder.path().to_owned()).collect(),
        environment: variables.iter().copied().collect(),
    })
}

#[track_caller]
fn settings(folders: &[&Folder], variables: &[(&str, &str)]) -> Settings {
    load(folders, variables).unwrap().settings().unwrap()
}

#[track_caller]
fn error(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
    let folder = Folder::new(files);
    let loaded = load(&[&folder], variables).and_then(|config| config.settings());
    loaded.unwrap_err().to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn without_sources_the_official_defaults_hold_except_for_secrets() {
    let settings = settings(&[], &[]);
    assert_eq!(settings.apiserver.listen.port, 8008);
    assert_eq!(settings.apiserver.default_company, "d1bd92a3b039400cbafc60a7a5b1e52b");
    assert_eq!(settings.services.tasks.non_responsive_tasks_watchdog.threshold_sec.seconds(), 7200);
    assert_eq!(settings.services.mongo.max_page_size, 500);
    assert_eq!(settings.hosts.redis["workers"].db, 4);
    assert_eq!(settings.hosts.mongo.auth.host, "mongodb://127.0.0.1:27017/auth");
    assert_eq!(settings.secure.credentials["tests"].display_name.as_deref(), Some("Default User"));
    assert!(settings.secure.auth.token_secret.is_empty());
    assert!(settings.secure.credentials.values().all(|user| user.user_key.is_empty()));
    assert!(settings.services.events.events_retrieval.scroll_id_key.is_empty());
    assert_eq!(settings.build.version, "2.3.0");
}

#[test]
fn files_are_keyed_by_their_path_and_later_directories_win() {
    let first = Folder::new(&[
        ("apiserver.conf", "listen { port = 1, ip = \"0.0.0.0\" }\nauth.cookies.domain = .a.org"),
        ("services/tasks.conf", "max_last_metrics = 7"),
        ("services.conf", "queues { hidden_tags = [a, b] }"),
        ("notes.txt", "not { configuration"),
        (".hidden/apiserver.conf", "listen.port = 9"),
    ]);
    let second =
        Folder::new(&[("apiserver.conf", "listen.port = 2"), ("services/queues.conf", "hidden_tags = [c]")]);
    let missing = Folder::new(&[]);
    let gone = missing.path().to_owned();
    drop(missing);
    let config = Config::load(&Sources {
        directories: vec![first.path().to_owned(), gone, second.path().to_owned()],
        environment: Environment::default(),
    });
    let settings = config.unwrap().settings().unwrap();
    assert_eq!(settings.apiserver.listen.port, 2);
    assert_eq!(settings.apiserver.listen.ip, "0.0.0.0");
    assert_eq!(settings.apiserver.auth.cookies.domain.unwrap().0, [".a.org"]);
    assert_eq!(settings.services.tasks.max_last_metrics, 7);
    assert_eq!(settings.services.queues.hidden_tags, ["c"]);
}

#[test]
fn a_leading_dash_replaces_instead_of_merging() {
    let folder = Folder::new(&[("secure.conf", "-credentials { only { role = admin } }\n\"-redis\" {}")]);
    let settings = settings(&[&folder], &[]);
    assert_eq!(settings.secure.credentials.keys().collect::<Vec<_>>(), ["only"]);
    assert!(!load(&[&folder], &[]).unwrap().value("secure").unwrap().to_string().contains('-'));
}

#[test]
fn variables_win_over_files_and_clearml_over_trains() {
    let folder = Folder::new(&[("apiserver.conf", "listen { ip = \"1.1.1.1\", port = 1 }")]);
    let settings = settings(
        &[&folder],
        &[
            ("TRAINS__apiserver__listen__port", "2"),
            ("CLEARML__APISERVER__LISTEN__PORT", "3"),
            ("TRAINS__apiserver__version__required", "true"),
            ("CLEARML__services___mongo__max_page_size", "0012"),
            ("CLEARML__apiserver__getting_started_info__agentName", "mine"),
            ("CLEARMLX__apiserver__listen__port", "4"),
            ("CLEARML__", "nothing"),
        ],
    );
    assert_eq!(settings.apiserver.listen.port, 3);
    assert_eq!(settings.apiserver.listen.ip, "1.1.1.1");
    assert!(settings.apiserver.version.required);
    assert_eq!(settings.services.mongo.max_page_size, 12);
    assert_eq!(settings.apiserver.getting_started_info["agentName"], "mine");
}

#[test]
fn variables_hold_hocon_and_anything_else_is_text() {
    let value = |text: &str| {
        let config = load(&[], &[("CLEARML__x__y", text)]).unwrap();
        config.value("x.y").unwrap()
    };
    assert_eq!(value(""), "");
    assert_eq!(value("true"), true);
    assert_eq!(value("[]"), serde_json::json!([]));
    assert_eq!(value("[http://files:8081, \"b c\"]"), serde_json::json!(["http://files:8081", "b c"]));
    assert_eq!(value("{a: 1, b: {c: x}}"), serde_json::json!({"a": 1, "b": {"c": "x"}}));
    assert_eq!(value("\"a+b=\""), "a+b=");
    assert_eq!(value("a+b=c$d,e"), "a+b=c$d,e");
    assert_eq!(value("ab#cd # comment"), "ab#cd");
    assert_eq!(value("http://host:80/x"), "http://host:80/x");
    assert_eq!(value("mongodb://u:p@h:1/db?a=b"), "mongodb://u:p@h:1/db?a=b");
}

#[test]
fn directories_come_from_variables() {
    let directories = |variables: &[(&str, &str)]| -> Vec<String> {
        let environment: Environment = variables.iter().copied().collect();
        config_directories(&environment).iter().map(|path| path.display().to_string()).collect()
    };
    assert_eq!(directories(&[]), ["/opt/trains/config", "/opt/clearml/config"]);
    let home = ("HOME", "/home/me");
    assert_eq!(
        directories(&[
            home,
            ("X", "x"),
            ("CLEARML_CONFIG_DIR", "~/a:$X/${X}b::$Y/c"),
            ("TRAINS_CONFIG_DIR", "/t")
        ]),
        ["/home/me/a", "x/xb", "$Y/c"]
    );
    assert_eq!(directories(&[home, ("TRAINS_CONFIG_DIR", "/t")]), ["/t"]);
}

#[test]
fn lenient_where_the_meaning_is_clear() {
    let settings = settings(
        &[],
        &[
            ("CLEARML__apiserver__listen__port", "\"8009\""),
            ("CLEARML__apiserver__version__required", "yes"),
            ("CLEARML__apiserver__pre_populate__zip_files", "/opt/clearml/db-pre-populate"),
            ("CLEARML__services__async_urls_delete__fileserver__url_prefixes", ""),
            ("CLEARML__services__tasks__non_responsive_tasks_watchdog__threshold_sec", "2 h"),
            ("CLEARML__services__tasks__non_responsive_tasks_watchdog__watch_interval_sec", "1.5"),
            ("CLEARML__secure__credentials__services_agent__user_key", ""),
            ("CLEARML__secure__auth__token_secret", "0012e5"),
            ("CLEARML__telemetry__log__format", "JSON"),
        ],
    );
    assert_eq!(settings.apiserver.listen.port, 8009);
    assert!(settings.apiserver.version.required);
    assert_eq!(settings.apiserver.pre_populate.zip_files, ["/opt/clearml/db-pre-populate"]);
    assert!(settings.services.async_urls_delete.fileserver.url_prefixes.is_empty());
    let watchdog = settings.services.tasks.non_responsive_tasks_watchdog;
    assert_eq!(watchdog.threshold_sec.duration(), Duration::from_hours(2));
    assert_eq!(watchdog.watch_interval_sec.duration(), Duration::from_millis(1500));
    assert_eq!(settings.secure.auth.token_secret.reveal(), "0012e5", "no number is made of a secret");
    assert_eq!(settings.telemetry.log.format, clearml_config::settings::LogFormat::Json);
}

#[test]
fn errors_name_place_key_and_expected_type() {
    assert_eq!(
        error(&[("apiserver.conf", "a = 1\nlisten {\n  port = eighty\n}")], &[]),
        "apiserver.conf:3: apiserver.listen.port: expected a whole number from 0 to 65535, found text \"eighty\""
    );
    assert_eq!(
        error(&[], &[("CLEARML__apiserver__listen__port", "70000")]),
        "environment variable CLEARML__apiserver__listen__port: apiserver.listen.port: \
         expected a whole number from 0 to 65535, found a number 70000"
    );
    assert_eq!(
        error(&[("fileserver.conf", "auth.enabled = maybe")], &[]),
        "fileserver.conf:1: fileserver.auth.enabled: expected true or false, found text \"maybe\""
    );
    assert_eq!(
        error(&[("services/queues.conf", "hidden_tags { a = 1 }")], &[]),
        "services/queues.conf:1: services.queues.hidden_tags: expected a list, found an object"
    );
    assert_eq!(
        error(&[("services.conf", "tasks.non_responsive_tasks_watchdog.threshold_sec = soon")], &[]),
        "services.conf:1: services.tasks.non_responsive_tasks_watchdog.threshold_sec: expected a number of \
         seconds, 0 or more, or a time such as \"10 s\", \"5m\" or \"2 h\", found text \"soon\""
    );
    assert_eq!(
        error(&[("telemetry.conf", "log { format = xml }")], &[]),
        "telemetry.conf:1: telemetry.log.format: expected one of text, json, found text \"xml\""
    );
    assert_eq!(
        error(&[("apiserver.conf", "auth { fixed_users { users: [\n{username: a, name: b}] } }")], &[]),
        "apiserver.conf:2: apiserver.auth.fixed_users.users: expected an object with the key password, found an object"
    );
    assert_eq!(
        error(&[("apiserver.conf", "listen = 8008")], &[]),
        "apiserver.conf:1: apiserver.listen: expected an object, found a number 8008"
    );
}

#[test]
fn errors_do_not_show_secrets() {
    let text = error(&[("secure.conf", "auth = hunter2secret")], &[]);
    assert!(!text.contains("hunter2"), "{text}");
    let text = error(&[("secure.conf", "auth.token_secret = [hunter2]")], &[]);
    assert_eq!(text, "secure.conf:1: secure.auth.token_secret: expected text, found a list");
}

#[test]
fn dedicated_variables_of_the_stores() {
    let set = settings(
        &[],
        &[
            ("CLEARML_MONGODB_SERVICE_HOST", "mongo"),
            ("MONGODB_SERVICE_PORT", "27018"),
            ("CLEARML_MONGODB_SERVICE_USERNAME", "me"),
            ("CLEARML_MONGODB_SERVICE_PASSWORD", "p@ss"),
            ("CLEARML_MONGODB_SERVICE_QUERY", "authSource=admin"),
            ("TRAINS_ELASTIC_SERVICE_HOST", "elastic"),
            ("CLEARML_ELASTIC_SERVICE_PORT", "9201"),
            ("CLEARML_ELASTIC_SERVICE_USERNAME", "elastic-user"),
            ("CLEARML_ELASTIC_SERVICE_PASSWORD", "elastic-password"),
            ("REDIS_SERVICE_HOST", "plain-redis"),
            ("CLEARML_REDIS_SERVICE_HOST", "redis"),
            ("REDIS_SERVICE_PORT", "6380"),
            ("CLEARML_REDIS_SERVICE_PASSWORD", "0123"),
            ("CLEARML_SERVER_VERSION", "2.3.0"),
            ("TRAINS_SERVER_BUILD", "77"),
            ("CLEARML_SERVER_DEPLOYMENT_TYPE", "k8s"),
            ("CLEARML_COMPRESS_RESP", "Off"),
            ("CLEARML_UPLOAD_FOLDER", "/mnt/files"),
        ],
    );
    assert_eq!(set.hosts.mongo.backend.host, "mongodb://me:p%40ss@mongo:27018/backend?authSource=admin");
    assert_eq!(set.hosts.mongo.auth.host, "mongodb://me:p%40ss@mongo:27018/auth?authSource=admin");
    for cluster in set.hosts.elastic.values() {
        assert_eq!((cluster.hosts[0].host.as_str(), cluster.hosts[0].port), ("elastic", 9201));
    }
    assert_eq!(set.secure.elastic.user.as_deref(), Some("elastic-user"));
    for (alias, redis) in &set.hosts.redis {
        assert_eq!((redis.host.as_str(), redis.port), ("redis", 6380));
        assert_eq!(set.secure.redis[alias].password.as_ref().unwrap().reveal(), "0123");
    }
    assert_eq!((set.build.version.as_str(), set.build.build.as_str()), ("2.3.0", "77"));
    assert_eq!(set.build.deployment, "k8s");
    assert!(!set.http.compress_responses);
    assert_eq!(set.fileserver.upload_folder.as_deref(), Some("/mnt/files"));

    let uri = "mongodb+srv://u:p@cluster/x?y=z";
    let set = settings(
        &[],
        &[("CLEARML_MONGODB_SERVICE_CONNECTION_STRING", uri), ("CLEARML_MONGODB_SERVICE_HOST", "ignored")],
    );
    assert_eq!((set.hosts.mongo.backend.host.as_str(), set.hosts.mongo.auth.host.as_str()), (uri, uri));
}

#[test]
fn dedicated_variables_are_checked() {
    let text = error(&[], &[("CLEARML_REDIS_SERVICE_PORT", "tcp://10.0.0.1:6379")]);
    assert_eq!(
        text,
        "environment variable CLEARML_REDIS_SERVICE_PORT: expected a port number, found \"tcp://10.0.0.1:6379\""
    );
    let text = error(&[], &[("CLEARML_ELASTIC_SERVICE_USERNAME", "me")]);
    assert!(text.contains("CLEARML_ELASTIC_SERVICE_PASSWORD"), "{text}");
}

#[test]
fn secrets_are_generated_once_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.json");
    let first =
        load(&[], &[]).unwrap().with_secrets(&GeneratedSecrets::load_or_create(&path).unwrap(), &path);
    let first = first.settings().unwrap().secure;
    assert!(first.auth.token_secret.reveal().len() >= 40);
    assert_eq!(first.credentials["webserver"].user_key.reveal().len(), 30);
    assert!(first.credentials["tests"].user_key.is_empty(), "this user is for tests of who configures it");
    assert_ne!(first.credentials["webserver"].user_secret, first.credentials["apiserver"].user_secret);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let again =
        load(&[], &[]).unwrap().with_secrets(&GeneratedSecrets::load_or_create(&path).unwrap(), &path);
    let again = again.settings().unwrap().secure;
    assert_eq!(again.auth.token_secret, first.auth.token_secret);
    assert_eq!(again.credentials["apiserver"].user_key, first.credentials["apiserver"].user_key);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let other = folder.path().join("other.json");
    let other = GeneratedSecrets::load_or_create(&other).unwrap();
    let other = load(&[], &[]).unwrap().with_secrets(&other, &path).settings().unwrap();
    assert_ne!(other.secure.auth.token_secret, first.auth.token_secret);

    fs::write(&path, "{\"secure").unwrap();
    let error = GeneratedSecrets::load_or_create(&path).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"secure", "a damaged file is not replaced");
}

#[test]
fn secrets_of_another_server_are_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.json");
    GeneratedSecrets::load_or_create(&path).unwrap();
    let own = fs::read_to_string(&path).unwrap();
    let secrets = [
        ("secure.auth.token_secret".to_owned(), Secret::from("from elsewhere")),
        ("secure.unknown".to_owned(), Secret::from("of a newer version")),
    ];
    GeneratedSecrets::adopt(&path, secrets).unwrap();
    let adopted = fs::read_to_string(&path).unwrap();
    assert!(adopted.contains("from elsewhere") && !adopted.contains("of a newer version"), "{adopted}");
    let same = own.lines().filter(|line| adopted.contains(*line)).count();
    assert_eq!(same, adopted.lines().count() - 1, "the others stay");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn configured_secrets_win_over_generated_ones() {
    let folder = Folder::new(&[(
        "secure.conf",
        "auth { token_secret = \"configured\" }\ncredentials { tests { user_key = K, user_secret = S } }",
    )]);
    let path = folder.path().join("secrets.json");
    let secrets = GeneratedSecrets::load_or_create(&path).unwrap();
    let config =
        load(&[&folder], &[("CLEARML__SECURE__CREDENTIALS__APISERVER__USER_KEY", "FROMENV")]).unwrap();
    let secure = config.with_secrets(&secrets, &path).settings().unwrap().secure;
    assert_eq!(secure.auth.token_secret.reveal(), "configured");
    assert_eq!(secure.credentials["tests"].user_key.reveal(), "K");
    assert_eq!(secure.credentials["apiserver"].user_key.reveal(), "FROMENV");
    assert_eq!(secure.credentials["fileserver"].user_key.reveal().len(), 30);
}

#[test]
fn shown_settings_hide_secrets() {
    let folder = Folder::new(&[
        ("secure.conf", "auth { token_secret = veiled1 }\nredis.apiserver.password = 424242"),
        (
            "apiserver.conf",
            "auth.fixed_users { enabled = true, users: [{username: jane, password: veiled2, name: Jane}] }",
        ),
        (
            "services/storage_credentials.conf",
            "aws.s3 { key = veiled3, secret = veiled4, credentials: [{bucket: b, token: veiled5}] }",
        ),
    ]);
    let variables = [("CLEARML_MONGODB_SERVICE_CONNECTION_STRING", "mongodb://user:veiled6@host/db")];
    let config = load(&[&folder], &variables).unwrap();
    let shown = config.masked().to_string();
    assert!(!shown.contains("veiled") && !shown.contains("424242"), "{shown}");
    assert!(shown.contains("jane") && shown.contains("mongodb://user:***@host/db"), "{shown}");
    assert!(shown.contains("\"tokens_cache_threshold_sec\":43200"), "{shown}");
    let debug = format!("{:?}", config.settings().unwrap());
    assert!(!debug.contains("veiled1") && !debug.contains("veiled2"), "{debug}");
}

#[test]
fn a_data_directory_is_private_and_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/data");
    let first = DataDir::open_alone(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let error = DataDir::open_alone(&path).unwrap_err().to_string();
    assert!(error.contains("in use by another server") && error.contains("hint:"), "{error}");
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    DataDir::open_shared(&path).unwrap();
    drop(first);
    DataDir::open_alone(&path).unwrap();

    let environment = |variables: &[(&str, &str)]| variables.iter().copied().collect::<Environment>();
    let path = |variables| DataDir::default_path(&environment(variables)).display().to_string();
    assert_eq!(path(&[("HOME", "/home/me")]), "/home/me/.clearml-server");
    assert_eq!(path(&[("HOME", "/home/me"), ("XDG_DATA_HOME", "/data")]), "/data/clearml-server");
}

fn choice(program: Program, variables: &[(&str, &str)]) -> StoreChoice {
    load(&[], variables).unwrap().store_choice(program).unwrap()
}

#[test]
fn one_rule_says_which_stores_a_program_uses() {
    let embedded = StoreChoice::all(StoreKind::Embedded);
    let cluster = StoreChoice::all(StoreKind::Cluster);
    for program in [Program::AllInOne, Program::Single] {
        assert_eq!(choice(program, &[]), embedded);
        assert_eq!(choice(program, &[("CLEARML__stores__kind", "cluster")]), cluster);
        let mixed = [("CLEARML__stores__kind", "cluster"), ("CLEARML__stores__events", "embedded")];
        assert_eq!(choice(program, &mixed), StoreChoice { events: StoreKind::Embedded, ..cluster });
        assert!(choice(program, &mixed).uses_data_dir());
        let one = [("CLEARML__stores__state", "cluster")];
        assert_eq!(choice(program, &one), StoreChoice { state: StoreKind::Cluster, ..embedded });
    }
    // What the official compose files and charts set is enough for what takes the official server's place.
    for variable in [
        ("CLEARML_MONGODB_SERVICE_HOST", "mongo"),
        ("CLEARML_MONGODB_SERVICE_CONNECTION_STRING", "mongodb://mongo:27017"),
        ("CLEARML_ELASTIC_SERVICE_HOST", "elasticsearch"),
        ("CLEARML_REDIS_SERVICE_PORT", "6379"),
        ("CLEARML__HOSTS__ELASTIC__EVENTS__HOSTS", "[{\"host\": \"es\", \"port\": 9200}]"),
        ("CLEARML__hosts__mongo__backend__host", "mongodb://127.0.0.1:27017/backend"),
    ] {
        assert_eq!(choice(Program::Single, &[variable]), cluster, "{variable:?}");
        assert_eq!(choice(Program::AllInOne, &[variable]), embedded, "{variable:?}");
    }
    let folder = Folder::new(&[("hosts.conf", "redis.workers.host = store")]);
    let config = load(&[&folder], &[("CLEARML__stores__kind", "embedded")]).unwrap();
    assert!(config.hosts_are_configured());
    assert_eq!(config.store_choice(Program::Single).unwrap(), embedded, "what is said counts");
    let other = [("CLEARML__hosts__fileserver", "http://files")];
    assert_eq!(choice(Program::Single, &other), embedded);
}

#[test]
fn hosts_of_the_stores_have_several_forms() {
    let settings = settings(
        &[],
        &[
            (
                "CLEARML__hosts__elastic__events__hosts",
                "[{host: a}, {host: b, use_ssl: true}, \"https://c/p\", d]",
            ),
            ("CLEARML__hosts__mongo__auth__db", "people"),
            ("CLEARML__hosts__elastic__events__args__api_key", "secret"),
        ],
    );
    let urls: Vec<String> = settings.hosts.elastic["events"]
        .hosts
        .iter()
        .map(clearml_config::settings::ElasticHost::url)
        .collect();
    assert_eq!(urls, ["http://a:9200", "https://b:9200", "https://c:443/p", "http://d:9200"]);
    assert_eq!(settings.hosts.mongo.auth.database(), Some("people"));
    assert_eq!(settings.hosts.mongo.backend.database(), None);
}

#[test]
fn shared_secrets_replace_generated_ones_only() {
    let folder = Folder::new(&[]);
    let path = folder.path().join("secrets.json");
    let secrets = GeneratedSecrets::load_or_create(&path).unwrap();
    let key = ("CLEARML__secure__credentials__apiserver__user_key", "CONFIGURED");
    let config = load(&[], &[key]).unwrap().with_secrets(&secrets, &path);
    assert!(config.is_generated("secure.auth.token_secret"));
    assert!(!config.is_generated("secure.credentials.apiserver.user_key"));
    let shared = config.generated_secrets().into_iter().map(|(key, _)| (key, "shared".into()));
    let all = shared.chain([("secure.credentials.apiserver.user_key".to_owned(), "shared".into())]);
    let settings = config.clone().with_shared_secrets(all.collect::<Vec<_>>()).settings().unwrap();
    assert_eq!(settings.secure.auth.token_secret.reveal(), "shared");
    assert_eq!(settings.secure.credentials["apiserver"].user_key.reveal(), "CONFIGURED");
    assert_eq!(settings.secure.credentials["apiserver"].user_secret.reveal(), "shared");
}
