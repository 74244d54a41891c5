//! Data of older servers brought to today's form (spec 01 §8.3): what was written before the newest row of the
//! collection `versions`. Each step reads and writes in batches, changes only what has the old form, and may be
//! cut off and begun again.

mod steps;
mod upgrades;

use bson::{Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};

use super::StartupError;
use crate::App;
use steps::Step;

/// What all rows say, as those of official servers do.
const DESCRIPTION: &str = "Applied on server startup";

/// The versions that changed the form of documents, oldest first.
const MIGRATIONS: [(&str, &[Step]); 14] = [
    (
        "0.12.1",
        &[
            Step::each(Collection::Task, upgrades::SYSTEM_TAGS_OF_TASK),
            Step::each(Collection::Model, upgrades::SYSTEM_TAGS_OF_MODEL),
            Step::each(Collection::Project, upgrades::SYSTEM_TAGS_OF_PROJECT),
        ],
    ),
    ("0.13.0", &[Step::each(Collection::User, upgrades::PREFERENCES)]),
    // Ids of fixed users: the official change never matches.
    ("0.14.0", &[]),
    (
        "0.15.0",
        &[
            Step::each(Collection::Task, upgrades::SORTED_TAGS),
            Step::each(Collection::Model, upgrades::SORTED_TAGS),
            Step::each(Collection::Project, upgrades::SORTED_TAGS),
            Step::each(Collection::Queue, upgrades::SORTED_TAGS),
        ],
    ),
    ("0.16.0", &[Step::each(Collection::Task, upgrades::HYPERPARAMS)]),
    ("0.16.1", &[Step::each(Collection::Project, upgrades::FEATURED)]),
    ("0.16.2", &[Step::each(Collection::Task, upgrades::ARTIFACTS)]),
    (
        "0.17.0",
        &[
            Step::each(Collection::Task, upgrades::ARTIFACTS),
            Step::each(Collection::Task, upgrades::ACTIVE_DURATION),
        ],
    ),
    ("1.0.0", &[Step::each(Collection::Task, upgrades::MODELS_AND_CONTAINER), Step::ProjectNames]),
    ("1.0.2", &[Step::each(Collection::Project, upgrades::DESCRIPTION)]),
    (
        "1.3.0",
        &[
            Step::each(Collection::Model, upgrades::METADATA),
            Step::each(Collection::Queue, upgrades::METADATA),
        ],
    ),
    ("1.6.0", &[Step::each(Collection::Project, upgrades::BASENAME)]),
    ("1.7.0", &[Step::UsersCreated]),
    // Only an index.
    ("1.9.0", &[]),
];

/// Brings the data to today's form and notes it. `is_new`: there are no data, so only the notes are made.
pub(super) async fn run(app: &App, is_new: bool) -> Result<(), StartupError> {
    let find = Find::new(Filter::Everything).include(["num"]);
    let rows = app.documents.find(Collection::Versions, find).await?;
    let current = rows.iter().filter_map(|row| number(row.get_str("num").ok()?)).max().unwrap_or_default();
    let newer = MIGRATIONS.iter().filter(|(version, _)| number(version) > Some(current));
    for (version, steps) in newer {
        if !is_new {
            tracing::info!(version, "migrating the documents");
            for step in *steps {
                let changed = step.run(app).await?;
                tracing::info!(version, collection = step.collection().name(), changed, "migrated");
            }
        }
        app.documents.insert(Collection::Versions, row(app, version)).await?;
    }
    Ok(())
}

/// Whether no server has used the databases yet.
pub(super) async fn is_new(app: &App) -> Result<bool, StartupError> {
    for collection in [Collection::Company, Collection::User, Collection::AuthUser, Collection::Versions] {
        if app.documents.any(collection, Filter::Everything).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn row(app: &App, version: &str) -> Document {
    doc! {"_id": app.new_id(), "num": version, "created": app.now(), "desc": DESCRIPTION}
}

/// A version such as `0.16.2` as something that can be compared.
fn number(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.trim().split('.').map(|part| part.parse().ok());
    let number = [parts.next()??, parts.next().unwrap_or(Some(0))?, parts.next().unwrap_or(Some(0))?];
    Some(number)
}

#[cfg(test)]
mod tests;
