//! Which endpoints of the API's catalogue the server has.
//!
//! The catalogue is a folder of JSON files, one per service: `{"service": …, "endpoints": {name: …}}`. It is
//! found by the environment variable `CLEARML_API_CATALOGUE`; without it this test does nothing.

use std::{collections::BTreeSet, fs, path::Path};

use clearml_apiserver::registry;
use serde_json::Value;

/// The variable that names the folder.
pub const CATALOGUE: &str = "CLEARML_API_CATALOGUE";

/// What is still to be built. Take an endpoint off the list with the commit that adds it.
const MISSING: [&str; 0] = [];

/// Endpoints of later versions than the catalogue's.
const ADDED_SINCE: [&str; 4] = [
    "organization.get_project_workloads",
    "pipelines.check_new_run",
    "queues.get_by_task_id",
    "queues.move_task_to_queue",
];

#[test]
fn the_catalogue_is_served_but_for_known_gaps() {
    let Some(folder) = std::env::var_os(CATALOGUE) else {
        eprintln!("skipped: {CATALOGUE} names no folder of endpoint catalogues");
        return;
    };
    let catalogue = read(Path::new(&folder));
    let registry = registry();
    let served: BTreeSet<String> = registry.iter().map(|(name, _)| name.to_owned()).collect();
    let missing: Vec<&String> = catalogue.difference(&served).collect();
    assert_eq!(missing, MISSING, "in the catalogue but not served");
    let added: Vec<&String> = served.difference(&catalogue).collect();
    assert_eq!(added, ADDED_SINCE, "served but not in the catalogue");
}

/// The names of all endpoints.
fn read(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let service: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let prefix = service["service"].as_str().unwrap();
        names.extend(service["endpoints"].as_object().unwrap().keys().map(|name| format!("{prefix}.{name}")));
    }
    assert!(!names.is_empty(), "{} holds no catalogue", folder.display());
    names
}
