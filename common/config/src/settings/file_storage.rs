//! `fileserver.storage`: where the files are kept.

use serde::{Deserialize, Serialize};

use super::{Seconds, Secret};

/// `fileserver.storage`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct FileStorage {
    /// `file:///path`, `s3://bucket/prefix`, `s3://host:port/bucket/prefix`, `gs://bucket/prefix` or
    /// `azure://account/container/prefix`; null: `fileserver.upload_folder`.
    pub url: Option<String>,
    /// Larger files go up in parts of so many times 1024² bytes; at least 5 for S3.
    pub part_size_mb: u32,
    /// Parts of one upload that are sent at the same time.
    pub parallel_parts: usize,
    /// Parts of all uploads together that are sent at the same time.
    pub max_parts: usize,
    /// Longest silence of the store.
    pub timeout_sec: Seconds,
    /// Further attempts after failures that may pass.
    pub max_retries: usize,
    /// Take endpoints without TLS.
    pub allow_http: bool,
    /// Check the store's certificate.
    pub verify: bool,
    /// A PEM file with further certificate authorities to trust.
    pub ca_certificate: Option<String>,
    pub s3: S3Storage,
    pub google: GoogleStorage,
    pub azure: AzureStorage,
}

impl Default for FileStorage {
    fn default() -> Self {
        Self {
            url: None,
            part_size_mb: 8,
            parallel_parts: 4,
            max_parts: 8,
            timeout_sec: Seconds::new(60),
            max_retries: 5,
            allow_http: false,
            verify: true,
            ca_certificate: None,
            s3: S3Storage::default(),
            google: GoogleStorage::default(),
            azure: AzureStorage::default(),
        }
    }
}

/// `fileserver.storage.s3`; without keys, those of the environment or of the machine are used.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct S3Storage {
    /// Null: Amazon's.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub key: Option<Secret>,
    pub secret: Option<Secret>,
    pub token: Option<Secret>,
    /// The bucket's name is part of the host name.
    pub virtual_hosted: bool,
    /// The store can delete many objects with one request.
    pub bulk_delete: bool,
}

impl Default for S3Storage {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            key: None,
            secret: None,
            token: None,
            virtual_hosted: false,
            bulk_delete: true,
        }
    }
}

/// `fileserver.storage.google`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GoogleStorage {
    /// Null: Google's.
    pub endpoint: Option<String>,
    /// The key of a service account: JSON, or the name of a file with it.
    pub credentials_json: Option<Secret>,
}

/// `fileserver.storage.azure`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AzureStorage {
    /// Null: the account's address in the public cloud.
    pub endpoint: Option<String>,
    pub account_key: Option<Secret>,
    pub sas_token: Option<Secret>,
    /// `AccountName=…;AccountKey=…;BlobEndpoint=…`, as the Azure portal shows it.
    pub connection_string: Option<Secret>,
}
