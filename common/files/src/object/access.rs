//! Which bucket of which provider, and how to reach it.

use std::{sync::Arc, time::Duration};

use object_store::{
    Certificate, ClientOptions, ObjectStore, RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3Builder, resolve_bucket_region},
    azure::MicrosoftAzureBuilder,
    gcp::{GcpCredential, GoogleCloudStorageBuilder},
    list::PaginatedListStore,
};

/// A bucket (a container on Azure) and the way to it.
#[derive(Clone)]
pub struct ObjectAccess {
    pub provider: Provider,
    pub bucket: String,
    pub transport: Transport,
    /// Variables of the environment (`AWS_*`, `AZURE_*`, `GOOGLE_*`) that stand in where nothing is set, as they
    /// do for the providers' own tools.
    pub environment: Vec<(String, String)>,
}

/// The provider and its credentials. Without any, those of the environment or of the machine are used.
#[derive(Clone)]
pub enum Provider {
    S3(S3Access),
    Google(GoogleAccess),
    Azure(AzureAccess),
}

/// S3 and what speaks its protocol.
#[derive(Clone, Default)]
pub struct S3Access {
    /// `https://host[:port]`; `None`: Amazon's.
    pub endpoint: Option<String>,
    /// `None`: asked for at Amazon, `us-east-1` elsewhere.
    pub region: Option<String>,
    pub keys: Option<S3Keys>,
    /// The bucket's name is part of the host name, not of the path.
    pub virtual_hosted: bool,
    /// The store can't delete many objects with one request.
    pub single_deletes: bool,
}

/// A pair of keys.
#[derive(Clone)]
pub struct S3Keys {
    pub key: String,
    pub secret: String,
    /// Of temporary credentials.
    pub token: Option<String>,
}

/// Google Cloud Storage.
#[derive(Clone, Default)]
pub struct GoogleAccess {
    /// `None`: Google's. An emulator is called without credentials.
    pub endpoint: Option<String>,
    /// The JSON text of a service account's key.
    pub credentials_json: Option<String>,
}

/// Azure Blob Storage.
#[derive(Clone, Default)]
pub struct AzureAccess {
    pub account: String,
    /// `None`: the account's address in the public cloud.
    pub endpoint: Option<String>,
    pub key: Option<String>,
    /// A shared access signature: a query string.
    pub sas_token: Option<String>,
}

/// Limits and trust of the connections.
#[derive(Clone)]
pub struct Transport {
    /// Addresses with `http://` are taken.
    pub allow_http: bool,
    /// Certificates are checked.
    pub verify: bool,
    /// Further certificate authorities to trust, PEM.
    pub ca_certificates: Option<Vec<u8>>,
    /// Longest silence of the store.
    pub timeout: Duration,
    /// Further attempts after failures that may pass.
    pub retries: usize,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            allow_http: false,
            verify: true,
            ca_certificates: None,
            timeout: Duration::from_mins(1),
            retries: 5,
        }
    }
}

/// The same store, for the two ways to list it.
pub(super) struct Connected {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) pages: Arc<dyn PaginatedListStore>,
    pub(super) deletes_per_request: usize,
    pub(super) longest_key: usize,
}

impl ObjectAccess {
    /// Prepares a client. Nothing is sent to the store, but Amazon may be asked for the bucket's region.
    pub(super) async fn connect(&self) -> object_store::Result<Connected> {
        // The clients take TLS from the process's provider; whoever installed one before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = self.transport.options()?;
        match &self.provider {
            Provider::S3(s3) => self.connect_s3(s3, options).await,
            Provider::Google(google) => self.connect_google(google, options),
            Provider::Azure(azure) => self.connect_azure(azure, options),
        }
    }

    async fn connect_s3(&self, s3: &S3Access, options: ClientOptions) -> object_store::Result<Connected> {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in &self.environment {
            // Keys that are set do not mix with the environment's.
            let is_about_place =
                ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
                    .contains(&name.as_str());
            if s3.keys.is_some() && !is_about_place {
                continue;
            }
            if name.starts_with("AWS_")
                && let Ok(key) = name.to_ascii_lowercase().parse()
            {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(&self.bucket)
            .with_client_options(options.clone())
            .with_retry(self.transport.retry())
            .with_virtual_hosted_style_request(s3.virtual_hosted)
            .with_disable_bulk_delete(s3.single_deletes);
        let has_place =
            |names: &[&str]| self.environment.iter().any(|(name, _)| names.contains(&name.as_str()));
        let is_amazon = s3.endpoint.is_none() && !has_place(&["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]);
        if let Some(endpoint) = &s3.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &s3.region {
            builder = builder.with_region(region);
        } else if is_amazon && !has_place(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
            match resolve_bucket_region(&self.bucket, &options).await {
                Ok(region) => builder = builder.with_region(region),
                Err(error) => {
                    tracing::warn!(bucket = self.bucket, %error, "failed to find a bucket's region");
                }
            }
        }
        if let Some(keys) = &s3.keys {
            builder = builder.with_access_key_id(&keys.key).with_secret_access_key(&keys.secret);
            if let Some(token) = &keys.token {
                builder = builder.with_token(token);
            }
        }
        Ok(Connected::new(builder.build()?, 1000, 1024))
    }

    fn connect_google(
        &self,
        google: &GoogleAccess,
        options: ClientOptions,
    ) -> object_store::Result<Connected> {
        let mut builder = GoogleCloudStorageBuilder::new();
        let emulator = self.environment.iter().find(|(name, _)| name == "STORAGE_EMULATOR_HOST");
        let endpoint = google.endpoint.as_deref().or(emulator.map(|(_, address)| address.as_str()));
        if let Some(json) = &google.credentials_json {
            builder = builder.with_service_account_key(json);
        } else if endpoint.is_some() {
            let nobody = GcpCredential { bearer: String::new() };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
        } else {
            for (name, value) in self.environment.iter().filter(|(name, _)| name.starts_with("GOOGLE_")) {
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
        }
        if let Some(endpoint) = endpoint {
            builder = builder.with_base_url(endpoint.trim_end_matches('/'));
        }
        builder = builder
            .with_bucket_name(&self.bucket)
            .with_client_options(options)
            .with_retry(self.transport.retry());
        Ok(Connected::new(builder.build()?, 100, 1024))
    }

    fn connect_azure(&self, azure: &AzureAccess, options: ClientOptions) -> object_store::Result<Connected> {
        let mut builder = MicrosoftAzureBuilder::new();
        let has_credentials = azure.key.is_some() || azure.sas_token.is_some();
        for (name, value) in self.environment.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
            if has_credentials {
                break;
            }
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_account(&azure.account)
            .with_container_name(&self.bucket)
            .with_client_options(options)
            .with_retry(self.transport.retry());
        if let Some(endpoint) = &azure.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        if let Some(key) = &azure.key {
            builder = builder.with_access_key(key);
        } else if let Some(token) = &azure.sas_token {
            let pairs: Vec<(String, String)> =
                form_urlencoded::parse(token.trim_start_matches('?').as_bytes()).into_owned().collect();
            builder = builder.with_sas_authorization(pairs);
        }
        Ok(Connected::new(builder.build()?, 256, 1024))
    }
}

impl Connected {
    fn new<S: ObjectStore + PaginatedListStore>(
        store: S,
        deletes_per_request: usize,
        longest_key: usize,
    ) -> Self {
        let store = Arc::new(store);
        Self { store: Arc::clone(&store) as _, pages: store, deletes_per_request, longest_key }
    }
}

impl Transport {
    fn options(&self) -> object_store::Result<ClientOptions> {
        // No limit for a whole call: a large file may take hours.
        let mut options = ClientOptions::new()
            .with_allow_http(self.allow_http)
            .with_allow_invalid_certificates(!self.verify)
            .with_timeout_disabled()
            .with_read_timeout(self.timeout)
            .with_connect_timeout(self.timeout.min(Duration::from_secs(10)))
            .with_pool_idle_timeout(Duration::from_secs(20));
        if let Some(pem) = &self.ca_certificates {
            for certificate in Certificate::from_pem_bundle(pem)? {
                options = options.with_root_certificate(certificate);
            }
        }
        Ok(options)
    }

    fn retry(&self) -> RetryConfig {
        RetryConfig { max_retries: self.retries, retry_timeout: self.timeout, ..RetryConfig::default() }
    }
}
