//! What a server makes sure of before it serves: installation id, company, default queue, the users that
//! the configuration names, and the first person (spec 01 §8.1).

mod first_user;
mod fixed_users;
mod internal_users;
mod lock;
mod migrations;
mod shared_secrets;

use bson::doc;
use clearml_config::{ConfigError, Settings};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find, StoreError, UNFINISHED_IMPORT};
use clearml_state::StateError;

use crate::{App, api::ApiError, queues::lookup};

pub use first_user::FirstUser;
pub(crate) use shared_secrets::share_secrets;
pub use shared_secrets::{set_shared_secrets, shared_secrets};

/// The server can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    State(#[from] StateError),
    #[error("{}", .0.message())]
    Api(ApiError),
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// Another replica holds the lock and does not come to an end.
    #[error("waited in vain for another server that sets up the same databases")]
    Locked,
    /// Half of the data would be served as if it were all.
    #[error("an import into these stores was interrupted; hint: complete it with `clearml-server import`")]
    HalfImported,
    /// The configuration gives an internal user a role that does not exist.
    #[error("secure.credentials.{name}.role: {role:?} is no role")]
    UnknownRole { name: String, role: String },
}

impl From<ApiError> for StartupError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// Sets the server up; repeating it does no harm. `first_user`: the name of the person to create when there
/// is none yet (in fixed users mode nobody is created). Answers the pair of a person just created.
pub async fn provision(
    app: &App,
    settings: &Settings,
    first_user: Option<&str>,
) -> Result<Option<FirstUser>, StartupError> {
    let lock = lock::acquire(app, settings).await?;
    let outcome = lock.hold(app, provision_alone(app, settings, first_user)).await;
    lock.release(app).await?;
    outcome
}

async fn provision_alone(
    app: &App,
    settings: &Settings,
    first_user: Option<&str>,
) -> Result<Option<FirstUser>, StartupError> {
    if app.documents.any(Collection::Settings, Filter::id(UNFINISHED_IMPORT)).await? {
        return Err(StartupError::HalfImported);
    }
    let company = &settings.apiserver.default_company;
    // First of all, since what follows makes new databases look used.
    migrations::run(app, migrations::is_new(app).await?).await?;
    ensure_server_id(app).await?;
    ensure_company(app, company, "clearml").await?;
    ensure_queue(app, company).await?;
    internal_users::apply(app, settings).await?;
    internal_users::remove_missing(app, settings).await?;
    let fixed = &app.settings.auth.fixed_users;
    if fixed.enabled {
        fixed_users::apply(app).await?;
        return Ok(None);
    }
    match first_user {
        Some(name) => first_user::ensure(app, company, name).await,
        None => Ok(None),
    }
}

async fn ensure_server_id(app: &App) -> Result<(), StartupError> {
    let filter = Filter::id("server.uuid");
    if app.documents.any(Collection::Settings, filter).await? {
        return Ok(());
    }
    let setting = doc! {"_id": "server.uuid", "value": uuid::Uuid::new_v4().to_string()};
    Ok(app.documents.insert(Collection::Settings, setting).await?)
}

/// Creates a company if it is missing.
async fn ensure_company(app: &App, id: &str, name: &str) -> Result<(), StartupError> {
    if app.documents.any(Collection::Company, Filter::id(id)).await? {
        return Ok(());
    }
    let company = doc! {"_id": id, "name": name, "defaults": {"stats_option": {"enabled": false}}};
    Ok(app.documents.insert(Collection::Company, company).await?)
}

/// Creates the default queue in a company that has no queue.
async fn ensure_queue(app: &App, company: &str) -> Result<(), StartupError> {
    if app.documents.any(Collection::Queue, Filter::eq("company", company)).await? {
        return Ok(());
    }
    let new = lookup::NewQueue { system_tags: vec!["default".to_owned()], ..Default::default() };
    lookup::create(app, company, "default", new).await?;
    Ok(())
}

/// Whether a profile exists.
async fn has_profile(app: &App, id: &str) -> Result<bool, StartupError> {
    let find = Find::new(Filter::id(id)).include(["_id"]);
    Ok(app.documents.find_one(Collection::User, find).await?.is_some())
}

/// First word and the rest.
fn split_name(name: &str) -> (String, Option<String>) {
    match name.split_once(' ') {
        Some((given, family)) => (given.to_owned(), Some(family.to_owned())),
        None => (name.to_owned(), None),
    }
}

#[cfg(test)]
mod tests;
