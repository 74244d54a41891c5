//! How a step goes over a collection.

use bson::{Bson, Document};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Sort, StoreError, Write};

use super::{super::StartupError, upgrades::Upgrade};
use crate::App;

/// Documents that are read and written together.
const BATCH: u64 = 500;
/// Names that are tried for a project whose name holds a slash; `CLEARML_MIGRATION_PROJECT_RENAME_MAX_TRIES`
/// of the official server.
const RENAMES: usize = 10;

/// One change of a migration.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Documents that can be brought to the new form each for itself.
    Each(Collection, Upgrade),
    /// Projects from before there were sub-projects: `/` in their names becomes `_`.
    ProjectNames,
    /// Profiles learn from the accounts when they were made.
    UsersCreated,
}

impl Step {
    pub(super) const fn each(collection: Collection, upgrade: Upgrade) -> Self {
        Self::Each(collection, upgrade)
    }

    pub(super) fn collection(self) -> Collection {
        match self {
            Self::Each(collection, _) => collection,
            Self::ProjectNames => Collection::Project,
            Self::UsersCreated => Collection::User,
        }
    }

    fn candidates(self) -> Filter {
        match self {
            Self::Each(_, upgrade) => (upgrade.candidates)(),
            Self::ProjectNames => {
                Filter::Regex { path: "name".to_owned(), pattern: "/".to_owned(), case_insensitive: false }
                    .and(Filter::empty("path").or(Filter::Size("path".to_owned(), 0)))
            }
            Self::UsersCreated => Filter::empty("created"),
        }
    }

    /// Changes all documents of the old form; how many.
    pub(super) async fn run(self, app: &App) -> Result<u64, StartupError> {
        let mut changed = 0;
        let mut after: Option<Bson> = None;
        loop {
            let mut filter = self.candidates();
            if let Some(after) = &after {
                filter = filter.and(Filter::gt("_id", after.clone()));
            }
            let find = Find::new(filter).sort(Sort::ascending("_id")).limit(BATCH);
            let batch = app.documents.find(self.collection(), find).await?;
            let Some(last) = batch.last().and_then(|document| document.get("_id")) else {
                return Ok(changed);
            };
            after = Some(last.clone());
            changed += match self {
                Self::Each(collection, upgrade) => {
                    let writes = batch.iter().filter_map(|document| upgraded(app, document, upgrade));
                    write(app, collection, writes.collect()).await?
                }
                Self::ProjectNames => {
                    let mut renamed = 0;
                    for project in &batch {
                        renamed += u64::from(rename(app, project).await?);
                    }
                    renamed
                }
                Self::UsersCreated => users_created(app, &batch).await?,
            };
        }
    }
}

async fn write(app: &App, collection: Collection, writes: Vec<Write>) -> Result<u64, StartupError> {
    let count = writes.len() as u64;
    if count > 0 {
        app.documents.write(collection, writes).await?;
    }
    Ok(count)
}

fn upgraded(app: &App, document: &Document, upgrade: Upgrade) -> Option<Write> {
    let mut new = document.clone();
    (upgrade.apply)(&mut new, app.now());
    let update = difference(document, &new);
    let id = document.get("_id")?.clone();
    (!update.is_empty()).then(|| Write::Update { filter: Filter::id(id), update, many: false, upsert: false })
}

/// The changes of top-level fields that lead from one document to the other.
fn difference(old: &Document, new: &Document) -> Vec<Change> {
    let set = new.iter().filter(|(key, value)| old.get(key.as_str()) != Some(*value));
    let set = set.map(|(key, value)| Change::set(key.as_str(), value.clone()));
    let unset = old.keys().filter(|key| !new.contains_key(key.as_str()));
    set.chain(unset.map(|key| Change::unset(key.as_str()))).collect()
}

/// Gives a project a name without slashes that no other project of its company has.
async fn rename(app: &App, project: &Document) -> Result<bool, StartupError> {
    let (Some(id), Ok(name)) = (project.get("_id"), project.get_str("name")) else { return Ok(false) };
    for tries in 1..=RENAMES {
        let name = name.replace('/', &"_".repeat(tries));
        let company = project.get("company").cloned().unwrap_or(Bson::Null);
        let taken = Filter::eq("company", company).and(Filter::eq("name", name.as_str()));
        if app.documents.any(Collection::Project, taken).await? {
            continue;
        }
        let update = vec![Change::set("name", name.as_str())];
        match app.documents.update_one(Collection::Project, Filter::id(id.clone()), update).await {
            Ok(_) => return Ok(true),
            Err(StoreError::Duplicate { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    tracing::error!(project = %id, name, "found no free name for a project with a slash in its name");
    Ok(false)
}

async fn users_created(app: &App, profiles: &[Document]) -> Result<u64, StartupError> {
    let ids: Vec<Bson> = profiles.iter().filter_map(|profile| profile.get("_id").cloned()).collect();
    let find = Find::new(Filter::ids(ids)).include(["created"]);
    let accounts = app.documents.find(Collection::AuthUser, find).await?;
    let writes = accounts.iter().filter_map(|account| {
        Some(Write::Update {
            filter: Filter::id(account.get("_id")?.clone()),
            update: vec![Change::set(
                "created",
                account.get("created").filter(|at| **at != Bson::Null)?.clone(),
            )],
            many: false,
            upsert: false,
        })
    });
    write(app, Collection::User, writes.collect()).await
}
