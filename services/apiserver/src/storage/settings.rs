//! The credentials that a company has stored (spec 06 §3). They are told in clear: who may use them may read
//! them.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, StoreError, Update, Write};

use super::{
    credentials::{Aws, Azure, Credentials, Google},
    requests::{
        AwsRequest, AzureRequest, GoogleRequest, ProviderName, ResetSettingsRequest, SetSettingsRequest,
    },
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call},
};

/// `storage.get_settings`: of each provider what is stored, else what is configured.
pub(super) async fn get_settings(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    let stored = stored(&app, call.company()).await?;
    let credentials = credentials(&app, stored.as_ref());
    let last_update = stored.and_then(|mut stored| stored.remove("last_update"));
    let settings = doc! {
        "aws": credentials.aws.answer(),
        "google": credentials.google.answer(),
        "azure": credentials.azure.answer(),
        "last_update": last_update.unwrap_or(Bson::Null),
    };
    Ok(doc! {"settings": settings}.into())
}

/// `storage.set_settings`: replaces what is stored of each provider that the request names.
pub(super) async fn set_settings(app: Arc<App>, call: Arc<Call>, request: SetSettingsRequest) -> ApiResult {
    let google_json = request.google.as_ref().and_then(|google| google.credentials_json.as_deref());
    if let Some(json) = google_json.filter(|json| !json.is_empty())
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(json)
    {
        return Err(ApiError::validation(format!("Invalid json credentials: {error}")));
    }
    let providers = [
        (ProviderName::Aws, request.aws.map(AwsRequest::into_stored)),
        (ProviderName::Google, request.google.map(GoogleRequest::into_stored)),
        (ProviderName::Azure, request.azure.map(AzureRequest::into_stored)),
    ];
    let mut update: Update = providers
        .into_iter()
        .filter_map(|(name, provider)| Some(Change::set(name.as_str(), provider?)))
        .collect();
    if update.is_empty() {
        return Err(ApiError::validation("No settings were provided"));
    }
    update.push(Change::set("last_update", app.now()));
    update.push(Change::SetOnInsert("_id".to_owned(), app.new_id().into()));
    let filter = Filter::eq("company", call.company());
    let write = Write::Update { filter, update, many: false, upsert: true };
    match app.documents.write(Collection::StorageSettings, vec![write.clone()]).await {
        // Two first calls at the same time: the other one has made the document.
        Err(StoreError::Duplicate { .. }) => {
            app.documents.write(Collection::StorageSettings, vec![write]).await?;
        }
        outcome => drop(outcome?),
    }
    Ok(doc! {"updated": 1}.into())
}

/// `storage.reset_settings`: forgets what is stored of these providers.
pub(super) async fn reset_settings(
    app: Arc<App>,
    call: Arc<Call>,
    request: ResetSettingsRequest,
) -> ApiResult {
    let mut update: Update = request.keys.iter().map(|key| Change::unset(key.as_str())).collect();
    update.push(Change::set("last_update", app.now()));
    let filter = Filter::eq("company", call.company());
    let outcome = app.documents.update_one(Collection::StorageSettings, filter, update).await?;
    Ok(doc! {"updated": outcome.matched.min(1) as i64}.into())
}

/// The credentials of a company.
pub(crate) async fn credentials_of(app: &App, company: &str) -> ApiResult<Credentials> {
    Ok(credentials(app, stored(app, company).await?.as_ref()))
}

async fn stored(app: &App, company: &str) -> ApiResult<Option<Document>> {
    let find = Find::new(Filter::eq("company", company));
    Ok(app.documents.find_one(Collection::StorageSettings, find).await?)
}

fn credentials(app: &App, stored: Option<&Document>) -> Credentials {
    let configured = app.settings.storage.credentials();
    let provider = |name: ProviderName| stored.and_then(|stored| stored.get_document(name.as_str()).ok());
    Credentials {
        aws: provider(ProviderName::Aws)
            .map_or_else(|| configured.aws.clone(), |stored| Aws::read(stored, "buckets")),
        google: provider(ProviderName::Google)
            .map_or_else(|| configured.google.clone(), |stored| Google::read(stored, "buckets")),
        azure: provider(ProviderName::Azure).map_or_else(|| configured.azure.clone(), Azure::read),
    }
}
