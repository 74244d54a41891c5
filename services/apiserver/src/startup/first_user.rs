//! The person who starts a server for the first time.

use bson::doc;
use clearml_auth::{Credentials, Role};
use clearml_documents::{Collection, DocumentStoreExt, Filter};

use super::{StartupError, split_name};
use crate::{
    App,
    users::{NewUser, insert_user},
};

/// A person just created, with the pair to log in with.
#[derive(Debug, Clone)]
pub struct FirstUser {
    pub name: String,
    pub credentials: Credentials,
}

/// Creates the person, an administrator, unless the company has a person already.
pub(super) async fn ensure(app: &App, company: &str, name: &str) -> Result<Option<FirstUser>, StartupError> {
    let people = Filter::eq("company", company).and(Filter::ne("autocreated", true));
    if app.documents.any(Collection::AuthUser, people).await? {
        return Ok(None);
    }
    let id = app.new_id();
    let credentials = Credentials::generate();
    let (given_name, family_name) = split_name(name);
    let profile = NewUser {
        id: id.clone(),
        company: company.to_owned(),
        name: name.to_owned(),
        given_name: Some(given_name),
        family_name,
        avatar: None,
    };
    insert_user(app, profile).await?;
    // Last, since it decides whether there is a first user: a crash before leads to another try.
    let document = doc! {
        "_id": &id,
        "name": name,
        "email": format!("{id}@example.com"),
        "role": Role::Admin.as_str(),
        "company": company,
        "created": app.now(),
        "credentials": [{"key": &credentials.key, "secret": &credentials.secret, "label": "first start"}],
        "autocreated": false,
    };
    app.documents.insert(Collection::AuthUser, document).await?;
    tracing::info!(user = name, "created the first user");
    Ok(Some(FirstUser { name: name.to_owned(), credentials }))
}
