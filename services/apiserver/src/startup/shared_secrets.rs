//! Generated secrets that all replicas share. Each data directory has its own; a token that one replica signs has
//! to be valid for the others, and their internal users have to keep one pair.

use bson::{Bson, Document, doc};
use clearml_config::{Loaded, Secret};
use clearml_documents::{
    Change, Collection, DocumentStore, DocumentStoreExt, Filter, Find, StoreError, Write,
};

use super::StartupError;

/// The row of the collection `settings`; official servers pay no heed to rows that they don't know.
const ROW: &str = "clearml-server.generated_secrets";

/// Takes the secrets in the store in place of generated ones; those that it lacks are put into it. Replicas that
/// start at the same time agree on one set.
pub(crate) async fn share_secrets(
    documents: &dyn DocumentStore,
    loaded: &mut Loaded,
) -> Result<(), StartupError> {
    let own = loaded.config.generated_secrets();
    if own.is_empty() {
        return Ok(());
    }
    let shared = agree(documents, &own).await?;
    let config = loaded.config.clone().with_shared_secrets(shared);
    loaded.settings = config.settings()?;
    loaded.config = config;
    Ok(())
}

/// The secrets in the store.
pub async fn shared_secrets(documents: &dyn DocumentStore) -> Result<Vec<(String, Secret)>, StoreError> {
    let row = documents.find_one(Collection::Settings, Find::new(Filter::id(ROW))).await?;
    Ok(row.as_ref().map(pairs).unwrap_or_default())
}

/// Puts secrets into the store in place of all that are there.
pub async fn set_shared_secrets(
    documents: &dyn DocumentStore,
    secrets: &[(String, Secret)],
) -> Result<(), StoreError> {
    let pair = |(key, secret): &(String, Secret)| Bson::from(doc! {"key": key, "secret": secret.reveal()});
    let row = doc! {"_id": ROW, "value": secrets.iter().map(pair).collect::<Vec<_>>()};
    documents.write(Collection::Settings, vec![Write::Replace(row)]).await?;
    Ok(())
}

async fn agree(
    documents: &dyn DocumentStore,
    own: &[(String, Secret)],
) -> Result<Vec<(String, Secret)>, StartupError> {
    if !documents.any(Collection::Settings, Filter::id(ROW)).await? {
        match documents.insert(Collection::Settings, doc! {"_id": ROW, "value": []}).await {
            // Another replica was faster.
            Ok(()) | Err(StoreError::Duplicate { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for (key, secret) in own {
        let row = Filter::id(ROW).and(Filter::ne("value.key", key.as_str()));
        let pair = doc! {"key": key, "secret": secret.reveal()};
        let push = vec![Change::Push("value".to_owned(), pair.into())];
        documents.update_one(Collection::Settings, row, push).await?;
    }
    Ok(shared_secrets(documents).await?)
}

fn pairs(row: &Document) -> Vec<(String, Secret)> {
    let pairs = row.get_array("value").into_iter().flatten().filter_map(Bson::as_document);
    pairs
        .filter_map(|pair| Some((pair.get_str("key").ok()?.to_owned(), pair.get_str("secret").ok()?.into())))
        .collect()
}
