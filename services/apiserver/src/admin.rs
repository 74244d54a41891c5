//! What the administrator's commands do to the stored users, with or without a running server.

use bson::{Bson, DateTime, Document, doc};
use clearml_auth::Credentials;
use clearml_documents::{
    Change, Collection, DocumentStore, DocumentStoreExt, Filter, Find, Sort, StoreError,
};

/// A command can't be done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("there is no user {0:?}; hint: `credentials list` shows the users")]
    UnknownUser(String),
    #[error("{count} users are called {name:?}; hint: give the id: {ids}", count = .ids.len(), ids = .ids.join(", "))]
    SeveralUsers { name: String, ids: Vec<String> },
    #[error("there is no user yet; hint: start the server once, or create users with the Web-App")]
    NoUser,
    #[error("there is no access key {0:?}")]
    UnknownKey(String),
    #[error("the access key belongs to {0}, which gets its pair from the configuration")]
    InternalKey(String),
}

/// A pair as it may be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownPair {
    pub user: String,
    pub access_key: String,
    pub label: Option<String>,
    pub last_used: Option<DateTime>,
    pub last_used_from: Option<String>,
}

/// A person as the commands name it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    id: String,
    name: String,
}

/// Adds a pair to a user, given by name, id or e-mail address; `None`: the longest-standing person.
/// Answers the user's name and the pair.
pub async fn create_credentials(
    documents: &dyn DocumentStore,
    user: Option<&str>,
    label: Option<&str>,
) -> Result<(String, Credentials), AdminError> {
    let person = match user {
        Some(user) => find_person(documents, user).await?,
        None => first_person(documents).await?,
    };
    let pair = Credentials::generate();
    let mut stored = doc! {"key": &pair.key, "secret": &pair.secret};
    if let Some(label) = label {
        stored.insert("label", label);
    }
    let push = vec![Change::Push("credentials".to_owned(), stored.into())];
    documents.update_one(Collection::AuthUser, Filter::id(person.id.as_str()), push).await?;
    Ok((person.name, pair))
}

/// All pairs of all people.
pub async fn list_credentials(documents: &dyn DocumentStore) -> Result<Vec<ShownPair>, AdminError> {
    let find = Find::new(Filter::Everything).sort(Sort::ascending("created"));
    let users = documents.find(Collection::AuthUser, find.include(["name", "credentials"])).await?;
    let people = users.iter().filter(|user| !is_internal(id_of(user)));
    Ok(people.flat_map(|user| pairs_of(user).map(|pair| shown(user, pair))).collect())
}

/// Removes a pair; answers its user's name.
pub async fn revoke_credentials(documents: &dyn DocumentStore, key: &str) -> Result<String, AdminError> {
    let find = Find::new(Filter::eq("credentials.key", key)).include(["name"]);
    let user = documents.find_one(Collection::AuthUser, find).await?;
    let user = user.ok_or_else(|| AdminError::UnknownKey(key.to_owned()))?;
    let id = id_of(&user);
    if is_internal(id) {
        return Err(AdminError::InternalKey(id.to_owned()));
    }
    let pull = vec![Change::Pull("credentials".to_owned(), Filter::eq("key", key))];
    documents.update_one(Collection::AuthUser, Filter::id(id), pull).await?;
    Ok(name_of(&user))
}

async fn find_person(documents: &dyn DocumentStore, user: &str) -> Result<Person, AdminError> {
    let filter = Filter::id(user).or(Filter::eq("name", user)).or(Filter::eq("email", user));
    let found = documents.find(Collection::AuthUser, Find::new(filter).include(["name"])).await?;
    let mut people: Vec<Person> =
        found.iter().map(person).filter(|person| !is_internal(&person.id)).collect();
    if let Some(exact) = people.iter().position(|person| person.id == user) {
        return Ok(people.swap_remove(exact));
    }
    match people.len() {
        0 => Err(AdminError::UnknownUser(user.to_owned())),
        1 => Ok(people.remove(0)),
        _ => Err(AdminError::SeveralUsers {
            name: user.to_owned(),
            ids: people.into_iter().map(|person| person.id).collect(),
        }),
    }
}

async fn first_person(documents: &dyn DocumentStore) -> Result<Person, AdminError> {
    let filter = Filter::ne("autocreated", true);
    let find = Find::new(filter).sort(Sort::ascending("created")).include(["name"]);
    let found = documents.find_one(Collection::AuthUser, find).await?;
    found.as_ref().map(person).ok_or(AdminError::NoUser)
}

fn person(user: &Document) -> Person {
    Person { id: id_of(user).to_owned(), name: name_of(user) }
}

fn id_of(user: &Document) -> &str {
    user.get_str("_id").unwrap_or_default()
}

fn name_of(user: &Document) -> String {
    user.get_str("name").unwrap_or_default().to_owned()
}

/// Users such as `__apiserver__` belong to the configuration.
fn is_internal(id: &str) -> bool {
    id.starts_with("__") && id.ends_with("__")
}

fn pairs_of(user: &Document) -> impl Iterator<Item = &Document> {
    user.get_array("credentials").into_iter().flatten().filter_map(Bson::as_document)
}

fn shown(user: &Document, pair: &Document) -> ShownPair {
    let text = |key: &str| pair.get_str(key).ok().map(str::to_owned);
    ShownPair {
        user: name_of(user),
        access_key: text("key").unwrap_or_default(),
        label: text("label"),
        last_used: pair.get_datetime("last_used").ok().copied(),
        last_used_from: text("last_used_from"),
    }
}
