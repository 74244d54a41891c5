//! Users as the server's own callers and admins manage them.

use std::sync::Arc;

use bson::doc;
use clearml_auth::Role;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};

use super::requests::{CreateUserRequest, EditUserRequest};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    users::{NewUser, insert_user},
};

/// `auth.create_user`: a user who can sign in, with a profile of the same id.
pub(super) async fn create_user(app: Arc<App>, _: Arc<Call>, request: CreateUserRequest) -> ApiResult {
    let company = request.company;
    if !app.documents.any(Collection::Company, Filter::id(company.as_str())).await? {
        return Err(ApiError::new(codes::INVALID_ID).with("company", company));
    }
    if !is_email(&request.email) {
        return Err(ApiError::new(codes::DATA_VALIDATION_ERROR)
            .with("email", format!("Invalid email address: {}", request.email)));
    }
    let id = app.new_id();
    let auth_user = doc! {
        "_id": &id,
        "name": &request.name,
        "company": &company,
        "role": request.role.unwrap_or(Role::User).as_str(),
        "email": &request.email,
        "created": app.now(),
        "credentials": [],
        "autocreated": false,
    };
    app.documents.insert(Collection::AuthUser, auth_user).await?;
    let profile = NewUser {
        id: id.clone(),
        company,
        name: request.name,
        given_name: request.given_name,
        family_name: request.family_name,
        avatar: request.avatar,
    };
    if let Err(error) = insert_user(&app, profile).await {
        app.documents.delete(Collection::AuthUser, Filter::id(id)).await?;
        return Err(ApiError::new(codes::GENERAL_ERROR)
            .extra("failed adding new user")
            .with("ex", error.message()));
    }
    Ok(doc! {"id": id}.into())
}

/// `auth.edit_user`: changes a role. Errors: 400/12 without a role that may be given; 400/301.
pub(super) async fn edit_user(app: Arc<App>, call: Arc<Call>, request: EditUserRequest) -> ApiResult {
    let Some(role) = request.role else {
        return Err(ApiError::validation("no role was given"));
    };
    if role.is_system_role() {
        return Err(ApiError::validation(format!(
            "error for field 'role': value '{role}' is not a valid choice.."
        )));
    }
    let filter = Filter::id(request.user.as_str()).and(Filter::eq("company", call.company()));
    let set = vec![Change::set("role", role.as_str())];
    let outcome = app.documents.update_one(Collection::AuthUser, filter, set).await?;
    if outcome.matched == 0 {
        return Err(ApiError::new(codes::INVALID_USER_ID)
            .with("id", request.user)
            .with("company", call.company()));
    }
    Ok(doc! {"updated": outcome.modified as i64, "fields": {"role": role.as_str()}}.into())
}

/// Whether a text has the form of an email address.
fn is_email(text: &str) -> bool {
    let Some((user, domain)) = text.rsplit_once('@') else { return false };
    let is_user_character = |byte: u8| byte.is_ascii_alphanumeric() || b"-!#$%&'*+/=?^_`{}|~".contains(&byte);
    let is_user = user.split('.').all(|part| !part.is_empty() && part.bytes().all(is_user_character));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = domain == "localhost" || (domain.contains('.') && domain.split('.').all(is_label));
    is_user && is_domain
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_have_a_user_and_a_domain() {
        for good in ["a@b.co", "jane.doe+x@mail.example.com", "__tests__@example.com", "x@localhost"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a..b@c.de",
            "a@b..de",
            "a@-b.de",
            "a@b@c.de",
            "ä@b.de",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
