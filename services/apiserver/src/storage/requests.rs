//! What the endpoints of `storage` are asked.

use bson::{Bson, Document};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::Patch;

/// `storage.set_settings`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SetSettingsRequest {
    pub(super) aws: Option<AwsRequest>,
    pub(super) google: Option<GoogleRequest>,
    pub(super) azure: Option<AzureRequest>,
}

/// `storage.reset_settings`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ResetSettingsRequest {
    #[serde(default)]
    pub(super) keys: Vec<ProviderName>,
}

/// A provider, as stored and as named in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProviderName {
    Azure,
    Aws,
    Google,
}

impl ProviderName {
    /// The stored field.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Aws => "aws",
            Self::Google => "google",
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AwsRequest {
    key: Option<String>,
    secret: Option<String>,
    region: Option<String>,
    token: Option<String>,
    #[serde(default)]
    use_credentials_chain: Patch<bool>,
    #[serde(default)]
    buckets: Vec<AwsBucketRequest>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AwsBucketRequest {
    bucket: Option<String>,
    subdir: Option<String>,
    host: Option<String>,
    key: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    #[serde(default)]
    multipart: Patch<bool>,
    acl: Option<String>,
    #[serde(default)]
    secure: Patch<bool>,
    region: Option<String>,
    #[serde(default)]
    verify: Patch<bool>,
    #[serde(default)]
    use_credentials_chain: Patch<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GoogleRequest {
    project: Option<String>,
    pub(super) credentials_json: Option<String>,
    #[serde(default)]
    buckets: Vec<GoogleBucketRequest>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct GoogleBucketRequest {
    bucket: Option<String>,
    subdir: Option<String>,
    project: Option<String>,
    credentials_json: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AzureRequest {
    #[serde(default)]
    containers: Vec<AzureContainerRequest>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AzureContainerRequest {
    account_name: Option<String>,
    account_key: Option<String>,
    container_name: Option<String>,
}

/// A stored document of the values that are there.
fn stored<const N: usize>(members: [(&str, Option<Bson>); N]) -> Document {
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn text(value: Option<String>) -> Option<Bson> {
    value.map(Bson::String)
}

/// What is stored of a switch: the default if it is not named, nothing if it is null.
fn switch(value: Patch<bool>, default: bool) -> Option<Bson> {
    match value {
        Patch::Absent => Some(default.into()),
        Patch::Null => None,
        Patch::Value(value) => Some(value.into()),
    }
}

fn list<T>(items: Vec<T>, stored: impl Fn(T) -> Document) -> Bson {
    Bson::Array(items.into_iter().map(|item| stored(item).into()).collect())
}

impl AwsRequest {
    pub(super) fn into_stored(self) -> Document {
        stored([
            ("key", text(self.key)),
            ("secret", text(self.secret)),
            ("region", text(self.region)),
            ("token", text(self.token)),
            ("use_credentials_chain", switch(self.use_credentials_chain, false)),
            ("buckets", Some(list(self.buckets, AwsBucketRequest::into_stored))),
        ])
    }
}

impl AwsBucketRequest {
    fn into_stored(self) -> Document {
        stored([
            ("bucket", text(self.bucket)),
            ("subdir", text(self.subdir)),
            ("host", text(self.host)),
            ("key", text(self.key)),
            ("secret", text(self.secret)),
            ("token", text(self.token)),
            ("multipart", switch(self.multipart, true)),
            ("acl", text(self.acl)),
            ("secure", switch(self.secure, true)),
            ("region", text(self.region)),
            ("verify", switch(self.verify, true)),
            ("use_credentials_chain", switch(self.use_credentials_chain, false)),
        ])
    }
}

impl GoogleRequest {
    pub(super) fn into_stored(self) -> Document {
        let bucket = |bucket: GoogleBucketRequest| {
            stored([
                ("bucket", text(bucket.bucket)),
                ("subdir", text(bucket.subdir)),
                ("project", text(bucket.project)),
                ("credentials_json", text(bucket.credentials_json)),
            ])
        };
        stored([
            ("project", text(self.project)),
            ("credentials_json", text(self.credentials_json)),
            ("buckets", Some(list(self.buckets, bucket))),
        ])
    }
}

impl AzureRequest {
    pub(super) fn into_stored(self) -> Document {
        let container = |container: AzureContainerRequest| {
            stored([
                ("account_name", text(container.account_name)),
                ("account_key", text(container.account_key)),
                ("container_name", text(container.container_name)),
            ])
        };
        stored([("containers", Some(list(self.containers, container)))])
    }
}
