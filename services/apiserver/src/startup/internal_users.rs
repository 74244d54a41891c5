//! The users of `secure.credentials`: servers and agents that log in with a configured pair.

use bson::{Bson, doc};
use clearml_auth::Role;
use clearml_config::{Settings, settings::InternalUser};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};

use super::{StartupError, has_profile};
use crate::{
    App,
    users::{NewUser, insert_user},
};

/// Brings them all to what the configuration says.
pub(super) async fn apply(app: &App, settings: &Settings) -> Result<(), StartupError> {
    for (name, user) in &settings.secure.credentials {
        let role = Role::from_name(&user.role)
            .ok_or_else(|| StartupError::UnknownRole { name: name.clone(), role: user.role.clone() })?;
        apply_one(app, settings, name, user, role).await?;
    }
    Ok(())
}

async fn apply_one(
    app: &App,
    settings: &Settings,
    name: &str,
    user: &InternalUser,
    role: Role,
) -> Result<(), StartupError> {
    let id = format!("__{name}__");
    let company = settings.apiserver.default_company.as_str();
    let credentials = credentials(user, app.settings.auth.fixed_users.enabled);
    let find = Find::new(Filter::id(id.as_str())).include(["credentials"]);
    let stored = app.documents.find_one(Collection::AuthUser, find).await?;
    match stored {
        // Nobody logs in as this user: not worth a document.
        None if credentials.is_empty() => return Ok(()),
        None => {
            let document = doc! {
                "_id": &id,
                "name": name,
                "email": email(name),
                "role": role.as_str(),
                "company": company,
                "created": app.now(),
                "credentials": credentials,
                "autocreated": true,
            };
            app.documents.insert(Collection::AuthUser, document).await?;
        }
        Some(stored) => {
            let mut changes = vec![
                Change::set("email", email(name)),
                Change::set("role", role.as_str()),
                Change::set("autocreated", true),
            ];
            // The same pair keeps the note of its last use.
            if pairs(stored.get_array("credentials").map(Vec::as_slice).unwrap_or_default())
                != pairs(&credentials)
            {
                changes.push(Change::set("credentials", credentials));
            }
            app.documents.update_one(Collection::AuthUser, Filter::id(id.as_str()), changes).await?;
        }
    }
    if role == Role::User && !has_profile(app, &id).await? {
        let profile = NewUser {
            id,
            company: company.to_owned(),
            name: user.display_name.clone().unwrap_or_else(|| name.to_owned()),
            given_name: None,
            family_name: None,
            avatar: None,
        };
        insert_user(app, profile).await?;
    }
    Ok(())
}

fn credentials(user: &InternalUser, is_fixed_mode: bool) -> Vec<Bson> {
    let is_revoked = is_fixed_mode && user.revoke_in_fixed_mode;
    if is_revoked || user.user_key.is_empty() || user.user_secret.is_empty() {
        return Vec::new();
    }
    vec![doc! {"key": user.user_key.reveal(), "secret": user.user_secret.reveal()}.into()]
}

fn pairs(credentials: &[Bson]) -> Vec<(Option<&str>, Option<&str>)> {
    let documents = credentials.iter().filter_map(Bson::as_document);
    documents.map(|pair| (pair.get_str("key").ok(), pair.get_str("secret").ok())).collect()
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// Removes automatically created users of the company that the configuration names no more.
pub(super) async fn remove_missing(app: &App, settings: &Settings) -> Result<(), StartupError> {
    if !settings.apiserver.auth.delete_missing_autocreated_users {
        return Ok(());
    }
    let mut emails: Vec<String> = settings.secure.credentials.keys().map(|name| email(name)).collect();
    let fixed = &app.settings.auth.fixed_users;
    if fixed.enabled {
        emails.extend(fixed.users.iter().map(|user| super::fixed_users::email(&user.id())));
    }
    let filter = Filter::eq("company", settings.apiserver.default_company.as_str())
        .and(Filter::eq("autocreated", true))
        .and(Filter::not_in("email", emails));
    let removed = app.documents.delete(Collection::AuthUser, filter).await?;
    if removed > 0 {
        tracing::info!(removed, "removed users that the configuration names no more");
    }
    Ok(())
}
