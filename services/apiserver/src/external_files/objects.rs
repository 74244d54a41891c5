//! Object stores, asked to delete objects (spec 06 §4.2).

use std::time::Duration;

use clearml_files::object::{
    AzureAccess, GoogleAccess, ObjectAccess, ObjectClient, Provider, S3Access, S3Keys, Transport,
};

use super::{StorageType, object_address::Base};
use crate::{
    App,
    storage::{AwsBucket, Credentials},
};

/// Longest silence of a store.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts beyond the first within one round; the records have rounds of their own.
const RETRIES: usize = 2;

/// Deletes objects of one base. For each whether it is gone, else why not; errors: why all are still there.
pub(super) async fn delete(
    app: &App,
    credentials: &Credentials,
    base: &Base,
    keys: &[String],
) -> Result<Vec<Result<(), String>>, String> {
    let access = access(base, credentials, &app.settings.storage.environment)?;
    let client = ObjectClient::connect(&access).await.map_err(|error| error.to_string())?;
    let results = client.delete(keys).await;
    Ok(results.into_iter().map(|result| result.map_err(|error| error.to_string())).collect())
}

/// How to reach a bucket. Errors: what is missing.
fn access(
    base: &Base,
    credentials: &Credentials,
    environment: &[(String, String)],
) -> Result<ObjectAccess, String> {
    let mut transport = Transport { timeout: TIMEOUT, retries: RETRIES, ..Transport::default() };
    let provider = match base.storage {
        StorageType::S3 => Provider::S3(s3(base, credentials, &mut transport)?),
        StorageType::GoogleStorage => Provider::Google(google(base, credentials)),
        StorageType::Azure => Provider::Azure(azure(base, credentials)?),
        StorageType::FileServer => return Err("Not succeeded".to_owned()),
    };
    transport.allow_http |= match &provider {
        Provider::S3(s3) => s3.endpoint.as_deref().is_some_and(is_http),
        Provider::Google(_) => {
            environment.iter().any(|(name, value)| name == "STORAGE_EMULATOR_HOST" && is_http(value))
        }
        Provider::Azure(azure) => azure.endpoint.as_deref().is_some_and(is_http),
    };
    let environment = environment.to_vec();
    Ok(ObjectAccess { provider, bucket: base.bucket.clone(), transport, environment })
}

fn is_http(address: &str) -> bool {
    address.starts_with("http://")
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn s3(base: &Base, credentials: &Credentials, transport: &mut Transport) -> Result<S3Access, String> {
    let aws = &credentials.aws;
    let own = base.credentials.and_then(|at| aws.buckets.get(at));
    let (key, secret, token) = own.map_or_else(
        || (aws.key.clone(), aws.secret.clone(), aws.token.clone()),
        |own| (Some(own.key.clone()), Some(own.secret.clone()), Some(own.token.clone())),
    );
    let of_all = |text: Option<String>| text.filter(|text| !text.is_empty());
    let use_chain = own.map_or(aws.use_credentials_chain, |own| own.use_credentials_chain);
    let keys = match (of_all(key), of_all(secret)) {
        (Some(key), Some(secret)) => Some(S3Keys { key, secret, token: of_all(token) }),
        _ if use_chain => None,
        _ => {
            let (host, bucket) = (&base.host, &base.bucket);
            return Err(format!("Missing key or secret for AWS S3 host: {host}, bucket: {bucket}"));
        }
    };
    transport.verify = own.is_none_or(AwsBucket::verifies);
    let scheme = if own.is_none_or(|own| own.secure) { "https" } else { "http" };
    let endpoint = filled(&base.host).map(|host| format!("{scheme}://{host}"));
    let region = own.and_then(|own| filled(&own.region)).or_else(|| of_all(aws.region.clone()));
    Ok(S3Access { endpoint, region, keys, ..S3Access::default() })
}

fn google(base: &Base, credentials: &Credentials) -> GoogleAccess {
    let google = &credentials.google;
    let own = base.credentials.and_then(|at| google.buckets.get(at));
    let own = own.and_then(|own| own.credentials_json.clone()).filter(|json| !json.is_empty());
    GoogleAccess { endpoint: None, credentials_json: own.or_else(|| google.credentials_json.clone()) }
}

fn azure(base: &Base, credentials: &Credentials) -> Result<AzureAccess, String> {
    let found = base.credentials.and_then(|at| credentials.azure.containers.get(at));
    let container = found.filter(|container| !container.account_key.is_empty());
    let container = container.ok_or_else(|| {
        let account = base.host.split('.').next().unwrap_or_default();
        format!("Missing key for Azure account: {account}, container: {}", base.bucket)
    })?;
    let named_host = base.host.contains('.').then(|| format!("https://{}", base.host));
    Ok(AzureAccess {
        account: container.account_name.clone(),
        endpoint: container.endpoint.clone().or(named_host),
        key: Some(container.account_key.clone()),
        sas_token: None,
    })
}
