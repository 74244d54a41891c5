//! The caller's credential pairs.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_auth::Credentials;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, WriteOutcome};

use super::requests::{CreateCredentialsRequest, EditCredentialsRequest, RevokeCredentialsRequest};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, json::naive_iso_date},
};

/// `auth.create_credentials`: a new pair; its secret is never shown again.
pub(super) async fn create(app: Arc<App>, call: Arc<Call>, request: CreateCredentialsRequest) -> ApiResult {
    refuse_protected(&app, &call)?;
    let pair = Credentials::generate();
    let mut stored = doc! {"key": &pair.key, "secret": &pair.secret};
    let mut answer = doc! {"access_key": pair.key, "secret_key": pair.secret};
    if let Some(label) = request.label {
        stored.insert("label", &label);
        answer.insert("label", label);
    }
    let push = vec![Change::Push("credentials".to_owned(), stored.into())];
    let outcome = app.documents.update_one(Collection::AuthUser, caller(&call), push).await?;
    if outcome.matched == 0 {
        return Err(unknown_user(&call));
    }
    Ok(doc! {"credentials": answer}.into())
}

/// `auth.get_credentials`: access keys with label and last use, in the order of their creation.
pub(super) async fn get(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    // Uses are noted behind the calls: this one may have been the first.
    app.last_used.flush(app.documents.as_ref()).await;
    let find = Find::new(caller(&call)).include(["credentials"]);
    let user =
        app.documents.find_one(Collection::AuthUser, find).await?.ok_or_else(|| unknown_user(&call))?;
    let stored = user.get_array("credentials").map(Vec::as_slice).unwrap_or_default();
    let credentials: Vec<Bson> =
        stored.iter().filter_map(Bson::as_document).map(|pair| shown(pair).into()).collect();
    Ok(doc! {"credentials": credentials}.into())
}

/// `auth.edit_credentials`: sets or removes a label.
pub(super) async fn edit(app: Arc<App>, call: Arc<Call>, request: EditCredentialsRequest) -> ApiResult {
    let change = Change::SetInElements {
        array: "credentials".to_owned(),
        matching: Filter::eq("key", request.access_key.as_str()),
        set: vec![("label".to_owned(), request.label.into())],
    };
    let outcome = update_pair(&app, &call, &request.access_key, change).await?;
    if outcome.matched == 0 {
        return Err(ApiError::new(codes::INVALID_ACCESS_KEY)
            .extra("invalid user or invalid access key")
            .with("user", call.user())
            .with("access_key", request.access_key)
            .with("company", call.company()));
    }
    Ok(doc! {"updated": 1}.into())
}

/// `auth.revoke_credentials`: deletes a pair.
pub(super) async fn revoke(app: Arc<App>, call: Arc<Call>, request: RevokeCredentialsRequest) -> ApiResult {
    refuse_protected(&app, &call)?;
    let change = Change::Pull("credentials".to_owned(), Filter::eq("key", request.access_key.as_str()));
    let outcome = update_pair(&app, &call, &request.access_key, change).await?;
    if outcome.matched == 0 {
        return Err(ApiError::new(codes::INVALID_USER)
            .extra("invalid user or invalid access key")
            .with("id", call.user())
            .with("company", call.company())
            .with("credentials__key", request.access_key));
    }
    Ok(doc! {"revoked": 1}.into())
}

/// Updates the caller's document if it has a pair with this access key.
async fn update_pair(
    app: &App,
    call: &Call,
    access_key: &str,
    change: Change,
) -> Result<WriteOutcome, ApiError> {
    let has_pair = Filter::ElementMatches("credentials".to_owned(), Box::new(Filter::eq("key", access_key)));
    let filter = caller(call).and(has_pair);
    Ok(app.documents.update_one(Collection::AuthUser, filter, vec![change]).await?)
}

fn caller(call: &Call) -> Filter {
    Filter::id(call.user()).and(Filter::eq("company", call.company()))
}

fn unknown_user(call: &Call) -> ApiError {
    ApiError::new(codes::INVALID_USER_ID).with("id", call.user()).with("company", call.company())
}

/// 400/301 for the server's own users, whose pairs come from the configuration.
fn refuse_protected(app: &App, call: &Call) -> Result<(), ApiError> {
    let name = call.user().trim_matches('_');
    if app.settings.auth.protected.iter().any(|protected| protected == name) {
        return Err(ApiError::new(codes::INVALID_USER_ID).extra("protected identity"));
    }
    Ok(())
}

/// A stored pair as it is answered: without its secret.
fn shown(pair: &Document) -> Document {
    let mut answer = Document::new();
    for (stored, name) in [
        ("key", "access_key"),
        ("label", "label"),
        ("last_used", "last_used"),
        ("last_used_from", "last_used_from"),
    ] {
        match pair.get(stored) {
            None | Some(Bson::Null) => {}
            Some(Bson::DateTime(date)) => {
                answer.insert(name, naive_iso_date(*date));
            }
            Some(value) => {
                answer.insert(name, value.clone());
            }
        }
    }
    answer
}
