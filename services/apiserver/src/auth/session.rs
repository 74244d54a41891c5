//! Tokens: getting, checking and revoking them.

use std::sync::Arc;

use bson::{Document, doc};
use clearml_auth::Identity;
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};

use super::{
    requests::{GetTokenForUserRequest, LoginRequest, ValidateTokenRequest},
    token,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Reply, codes, identity_of, seconds},
};

/// `auth.login`: a new token for the caller, in the answer and as the session cookie.
pub(super) async fn login(app: Arc<App>, call: Arc<Call>, request: LoginRequest) -> ApiResult {
    let identity = find_identity(&app, call.user(), Some(call.company())).await?;
    let token = token::issue(&app, identity, request.expiration_sec)?;
    Ok(Reply::WithCookie { data: doc! {"token": &token}, token: Some(token) })
}

/// `auth.logout` and `login.logout`: revokes the caller's token, if there is one, and removes the cookie.
pub(crate) async fn logout(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    if let Some(claims) = &call.claims {
        app.revocations.revoke(claims, seconds(app.now())).await?;
    }
    Ok(Reply::WithCookie { data: Document::new(), token: None })
}

/// `auth.get_token_for_user`: a token for somebody else.
pub(super) async fn get_token_for_user(
    app: Arc<App>,
    _: Arc<Call>,
    request: GetTokenForUserRequest,
) -> ApiResult {
    let identity = find_identity(&app, &request.user, request.company.as_deref()).await?;
    let token = token::issue(&app, identity, request.expiration_sec)?;
    Ok(doc! {"token": token}.into())
}

/// `auth.validate_token`: whether a token is good, and whose it is.
pub(super) async fn validate_token(app: Arc<App>, _: Arc<Call>, request: ValidateTokenRequest) -> ApiResult {
    let claims = match app.token_key.verify(&request.token, seconds(app.now())) {
        Ok(claims) => claims,
        Err(error) => return Ok(doc! {"valid": false, "msg": error.to_string()}.into()),
    };
    let is_revoked = app.revocations.contains(&claims).await?;
    let Identity { user, company, .. } = claims.identity;
    let mut answer = doc! {"valid": !is_revoked, "user": user, "company": company};
    if is_revoked {
        answer.insert("msg", "revoked token");
    }
    Ok(answer.into())
}

/// The identity of an auth user as it is stored now; 400/301 if there is none.
async fn find_identity(app: &App, user: &str, company: Option<&str>) -> Result<Identity, ApiError> {
    let mut filter = Filter::id(user);
    let mut unknown = ApiError::new(codes::INVALID_USER_ID).with("id", user);
    if let Some(company) = company {
        filter = filter.and(Filter::eq("company", company));
        unknown = unknown.with("company", company);
    }
    let find = Find::new(filter).include(["name", "company", "role"]);
    let Some(document) = app.documents.find_one(Collection::AuthUser, find).await? else {
        return Err(unknown);
    };
    identity_of(app, &document).await?.ok_or(unknown)
}
