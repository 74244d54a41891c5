//! The users of `apiserver.auth.fixed_users`, who log in with name and password (spec 01 §3.5).

use std::collections::HashSet;

use bson::doc;
use clearml_auth::{Role, fixed_user_id};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};

use super::{StartupError, ensure_company, has_profile, split_name};
use crate::{
    App,
    users::{NewUser, insert_user},
};

struct Person {
    id: String,
    name: String,
    company: String,
    role: Role,
}

/// Brings them all to what the configuration says. What fails for one is logged, the others are not
/// concerned.
pub(super) async fn apply(app: &App) -> Result<(), StartupError> {
    let fixed = &app.settings.auth.fixed_users;
    let mut people: Vec<Person> = Vec::new();
    let mut names = HashSet::new();
    for user in &fixed.users {
        if !names.insert((user.company.as_str(), user.username.as_str())) {
            tracing::error!(
                username = user.username,
                "a fixed user is configured twice; the first one counts"
            );
            continue;
        }
        people.push(Person {
            id: user.id(),
            name: user.name.clone(),
            company: user.company.clone(),
            role: if user.is_guest { Role::Guest } else { Role::User },
        });
    }
    if let Some(guest) = fixed.active_guest() {
        ensure_company(app, &guest.company, "guests").await?;
        people.push(Person {
            id: fixed_user_id(&guest.company, &guest.username),
            name: guest.name.clone(),
            company: guest.company.clone(),
            role: Role::Guest,
        });
    }
    for person in people {
        if let Err(error) = apply_one(app, &person).await {
            tracing::error!(user = person.name, %error, "failed to set up a fixed user");
        }
    }
    Ok(())
}

async fn apply_one(app: &App, person: &Person) -> Result<(), StartupError> {
    let id = person.id.as_str();
    let find = Find::new(Filter::id(id)).include(["_id"]);
    if app.documents.find_one(Collection::AuthUser, find).await?.is_some() {
        let changes = vec![
            Change::set("role", person.role.as_str()),
            Change::set("email", email(id)),
            Change::set("autocreated", true),
        ];
        app.documents.update_one(Collection::AuthUser, Filter::id(id), changes).await?;
    } else {
        let document = doc! {
            "_id": id,
            "name": &person.name,
            "email": email(id),
            "role": person.role.as_str(),
            "company": &person.company,
            "created": app.now(),
            "credentials": [],
            "autocreated": true,
        };
        app.documents.insert(Collection::AuthUser, document).await?;
    }
    let (given_name, family_name) = split_name(&person.name);
    if has_profile(app, id).await? {
        let mut changes =
            vec![Change::set("name", person.name.as_str()), Change::set("given_name", given_name)];
        changes.push(match family_name {
            Some(family_name) => Change::set("family_name", family_name),
            None => Change::unset("family_name"),
        });
        app.documents.update_one(Collection::User, Filter::id(id), changes).await?;
        return Ok(());
    }
    let profile = NewUser {
        id: id.to_owned(),
        company: person.company.clone(),
        name: person.name.clone(),
        given_name: Some(given_name),
        family_name,
        avatar: None,
    };
    Ok(insert_user(app, profile).await?)
}

pub(super) fn email(id: &str) -> String {
    format!("{id}@example.com")
}
