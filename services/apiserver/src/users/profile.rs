//! Profiles of users.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_auth::Role;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, StoreError};

use super::{
    requests::{CreateRequest, UpdateRequest, UserRequest},
    schema::USER,
};
use crate::{
    App,
    api::{Any, ApiError, ApiResult, Call, Reply, codes},
    query::{Page, Query, answer_everything},
};

/// A profile to be stored.
pub(crate) struct NewUser {
    pub(crate) id: String,
    pub(crate) company: String,
    pub(crate) name: String,
    pub(crate) given_name: Option<String>,
    pub(crate) family_name: Option<String>,
    pub(crate) avatar: Option<String>,
}

/// Stores a profile; 400/302 if the id is taken.
pub(crate) async fn insert_user(app: &App, user: NewUser) -> Result<(), ApiError> {
    let mut document = doc! {
        "_id": &user.id,
        "company": user.company,
        "name": user.name,
        "created": app.now(),
        "created_in_version": &app.settings.server.version,
        "preferences": "",
    };
    for (key, value) in
        [("given_name", user.given_name), ("family_name", user.family_name), ("avatar", user.avatar)]
    {
        if let Some(value) = value {
            document.insert(key, value);
        }
    }
    app.documents.insert(Collection::User, document).await.map_err(|error| match error {
        StoreError::Duplicate { .. } => ApiError::new(codes::USER_ID_EXISTS).with("id", user.id),
        other => other.into(),
    })
}

/// `users.get_by_id`: everything stored, preferences included.
pub(super) async fn get_by_id(app: Arc<App>, call: Arc<Call>, request: UserRequest) -> ApiResult {
    let mut filter = Filter::id(request.user.as_str());
    let sees_all = call.identity.as_ref().is_some_and(|identity| identity.role == Role::System);
    if !sees_all {
        filter = filter.and(Filter::eq("company", call.company()));
    }
    let user = app.documents.find_one(Collection::User, Find::new(filter)).await?.ok_or_else(|| {
        ApiError::new(codes::INVALID_USER_ID).with("id", request.user).with("company", call.company())
    })?;
    Ok(doc! {"user": answer_everything(&USER, &user)}.into())
}

/// `users.get_current_user`: the caller's profile, and what the Web-App wants to know at its start.
pub(super) async fn get_current_user(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    const FIELDS: [&str; 6] =
        ["name", "given_name", "family_name", "avatar", "created", "created_in_version"];
    let unknown = || ApiError::new(codes::INVALID_USER).extra("failed loading user");
    let identity = call.identity.as_ref().ok_or_else(unknown)?;
    let find = Find::new(Filter::id(call.user())).include(FIELDS);
    let stored = app.documents.find_one(Collection::User, find).await?.ok_or_else(unknown)?;
    let find = Find::new(Filter::id(call.company())).include(["name"]);
    let company = app.documents.find_one(Collection::Company, find).await?;

    let mut user = doc! {"id": call.user()};
    for field in FIELDS {
        if let Some(value) = stored.get(field).filter(|value| **value != Bson::Null) {
            user.insert(field, value.clone());
        }
    }
    let mut shown_company = doc! {"id": call.company()};
    if let Some(name) = company.as_ref().and_then(|company| company.get("name")) {
        shown_company.insert("name", name.clone());
    }
    user.insert("company", shown_company);
    user.insert("role", identity.role.as_str());
    let settings = &app.settings.server;
    Ok(doc! {
        "user": user,
        "getting_started": settings.getting_started.clone(),
        "settings": {"max_download_items": settings.max_download_items},
    }
    .into())
}

/// `users.get_all`.
pub(super) async fn get_all(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    Ok(users(Query::plain(&app, &call, &USER, request).fetch().await?))
}

/// `users.get_all_ex` before 2.8.
pub(super) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    Ok(users(Query::joined(&app, &call, &USER, request).fetch().await?))
}

/// `{users}`; these endpoints do not tell a scroll id.
pub(super) fn users(page: Page) -> Reply {
    Page { scroll_id: None, ..page }.reply("users")
}

/// `users.create`: a profile for an id that somebody else manages; its company is not checked.
pub(super) async fn create(app: Arc<App>, _: Arc<Call>, request: CreateRequest) -> ApiResult {
    let CreateRequest { id, company, name, given_name, family_name, avatar } = request;
    insert_user(&app, NewUser { id, company, name, given_name, family_name, avatar }).await?;
    Ok(Document::new().into())
}

/// `users.delete`: the profile only.
pub(super) async fn delete(app: Arc<App>, _: Arc<Call>, request: UserRequest) -> ApiResult {
    if app.documents.delete(Collection::User, Filter::id(request.user.as_str())).await? == 0 {
        return Err(ApiError::new(codes::INVALID_USER_ID).with("id", request.user));
    }
    Ok(Document::new().into())
}

/// `users.update`: names of a user of the caller's company. The name is the auth user's as well.
pub(super) async fn update(app: Arc<App>, call: Arc<Call>, request: UpdateRequest) -> ApiResult {
    let mut fields = Document::new();
    for (key, value) in
        [("name", request.name), ("given_name", request.given_name), ("family_name", request.family_name)]
    {
        match value {
            None => {}
            Some(Any(text @ Bson::String(_))) => {
                fields.insert(key, text);
            }
            Some(_) => {
                return Err(ApiError::new(codes::DATA_VALIDATION_ERROR)
                    .with(key, "StringField only accepts string values"));
            }
        }
    }
    if fields.is_empty() {
        return Ok(doc! {"updated": 0, "fields": {}}.into());
    }
    let filter = Filter::id(request.user.as_str()).and(Filter::eq("company", call.company()));
    let changes = fields.iter().map(|(key, value)| Change::set(key.as_str(), value.clone())).collect();
    let outcome = app.documents.update_one(Collection::User, filter.clone(), changes).await?;
    if let (Some(name), 1..) = (fields.get("name"), outcome.matched) {
        let change = vec![Change::set("name", name.clone())];
        app.documents.update_one(Collection::AuthUser, filter, change).await?;
    }
    Ok(doc! {"updated": outcome.matched as i64, "fields": fields}.into())
}
