//! The object stores that the environment names.

use std::env::var;

use clearml_files::object::{AzureAccess, GoogleAccess, ObjectAccess, Provider, S3Access, S3Keys, Transport};
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    azure::{AzureAccessKey, AzureAuthorizer, AzureCredential},
    client::HttpRequestBody,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const CONTAINER: &str = "clearml-files-test";

pub(crate) fn skipped(variable: &str) {
    eprintln!("skipped: {variable} is not set");
}

fn access(provider: Provider, bucket: String) -> ObjectAccess {
    let transport = Transport { allow_http: true, ..Transport::default() };
    ObjectAccess { provider, bucket, transport, environment: Vec::new() }
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

type Request = http::Request<HttpRequestBody>;

fn request(method: &str, url: &str) -> Request {
    http::Request::builder().method(method).uri(url).body(HttpRequestBody::empty()).unwrap()
}

async fn send(request: Request) -> (u16, String) {
    let (head, _) = request.into_parts();
    let request = http().request(head.method, head.uri.to_string()).headers(head.headers).body("");
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) fn s3() -> Option<ObjectAccess> {
    let endpoint = Some(var("CLEARML_S3_ENDPOINT").ok()?);
    let keys = S3Keys {
        key: var("AWS_ACCESS_KEY_ID").unwrap(),
        secret: var("AWS_SECRET_ACCESS_KEY").unwrap(),
        token: None,
    };
    let s3 = S3Access { endpoint, region: var("AWS_REGION").ok(), keys: Some(keys), ..S3Access::default() };
    Some(access(Provider::S3(s3), var("CLEARML_S3_BUCKET").unwrap()))
}

/// How many uploads in parts are open below the prefix.
pub(crate) async fn open_uploads(access: &ObjectAccess, prefix: &str) -> usize {
    let Provider::S3(s3) = &access.provider else { unreachable!() };
    let keys = s3.keys.as_ref().unwrap();
    let credential = AwsCredential { key_id: keys.key.clone(), secret_key: keys.secret.clone(), token: None };
    let mut request =
        request("GET", &format!("{}/{}?uploads=", s3.endpoint.as_ref().unwrap(), access.bucket));
    AwsAuthorizer::new(&credential, "s3", s3.region.as_ref().unwrap())
        .try_authorize(&mut request, None)
        .unwrap();
    let (status, list) = send(request).await;
    assert_eq!(status, 200, "{list}");
    list.split("<Key>").filter(|upload| upload.starts_with(prefix)).count()
}

/// Makes the container too, if it is missing.
pub(crate) async fn azure() -> Option<ObjectAccess> {
    let endpoint = var("CLEARML_AZURE_ENDPOINT").ok()?;
    let (account, key) =
        (var("AZURE_STORAGE_ACCOUNT_NAME").unwrap(), var("AZURE_STORAGE_ACCOUNT_KEY").unwrap());
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(&key).unwrap());
    let mut request = request("PUT", &format!("{endpoint}/{CONTAINER}?restype=container"));
    request.headers_mut().insert(http::header::CONTENT_LENGTH, 0.into());
    AzureAuthorizer::new(&credential, &account).try_authorize(&mut request).unwrap();
    let (status, answer) = send(request).await;
    assert!(matches!(status, 201 | 409), "{status} {answer}");
    let azure = AzureAccess { account, endpoint: Some(endpoint), key: Some(key), sas_token: None };
    Some(access(Provider::Azure(azure), CONTAINER.to_owned()))
}

pub(crate) fn google() -> Option<ObjectAccess> {
    let google = GoogleAccess { endpoint: Some(var("CLEARML_GCS_ENDPOINT").ok()?), credentials_json: None };
    Some(access(Provider::Google(google), var("CLEARML_GCS_BUCKET").unwrap()))
}

/// Stores an object through the JSON API.
pub(crate) async fn google_put(name: &str, content: Vec<u8>) {
    let (endpoint, bucket) = (var("CLEARML_GCS_ENDPOINT").unwrap(), var("CLEARML_GCS_BUCKET").unwrap());
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let url = format!("{endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}");
    let response = http().post(url).body(content).send().await.unwrap();
    assert!(response.status().is_success(), "{response:?}");
}
