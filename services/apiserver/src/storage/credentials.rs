//! Credentials of a company, whether stored or configured.

use bson::{Bson, Document, doc};

/// What opens object stores.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) aws: Aws,
    pub(crate) google: Google,
    pub(crate) azure: Azure,
}

/// S3: what holds for all buckets, and buckets with credentials of their own.
#[derive(Clone, Default)]
pub(crate) struct Aws {
    pub(crate) key: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) use_credentials_chain: bool,
    pub(crate) buckets: Vec<AwsBucket>,
}

/// A bucket of S3, or all buckets of a host.
#[derive(Clone, Default)]
pub(crate) struct AwsBucket {
    pub(crate) bucket: String,
    pub(crate) subdir: String,
    /// `host[:port]`; empty: Amazon's.
    pub(crate) host: String,
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    acl: String,
    pub(crate) region: String,
    multipart: bool,
    pub(crate) secure: bool,
    verify: Bson,
    pub(crate) use_credentials_chain: bool,
    profile: String,
    extra_args: Bson,
}

/// Google Cloud Storage.
#[derive(Clone, Default)]
pub(crate) struct Google {
    project: Option<String>,
    pub(crate) credentials_json: Option<String>,
    pub(crate) buckets: Vec<GoogleBucket>,
}

/// A bucket of Google Cloud Storage.
#[derive(Clone, Default)]
pub(crate) struct GoogleBucket {
    pub(crate) bucket: String,
    pub(crate) subdir: String,
    project: Option<String>,
    pub(crate) credentials_json: Option<String>,
    pool_connections: Bson,
    pool_maxsize: Bson,
}

/// Azure Blob Storage.
#[derive(Clone, Default)]
pub(crate) struct Azure {
    pub(crate) containers: Vec<AzureContainer>,
}

/// A container, or all containers of an account.
#[derive(Clone, Default)]
pub(crate) struct AzureContainer {
    pub(crate) account_name: String,
    pub(crate) account_key: String,
    pub(crate) container_name: String,
    /// The address of the account, if it is not the one in its files' addresses. Only configured, never told.
    pub(crate) endpoint: Option<String>,
}

fn text(document: &Document, key: &str) -> Option<String> {
    document.get_str(key).ok().map(str::to_owned)
}

fn text_or_empty(document: &Document, key: &str) -> String {
    text(document, key).unwrap_or_default()
}

/// A text that is not empty.
pub(super) fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn switch(document: &Document, key: &str, default: bool) -> bool {
    document.get_bool(key).unwrap_or(default)
}

fn other(document: &Document, key: &str) -> Bson {
    document.get(key).cloned().unwrap_or(Bson::Null)
}

fn items<'d>(document: &'d Document, key: &str) -> impl Iterator<Item = &'d Document> {
    document.get_array(key).into_iter().flatten().filter_map(Bson::as_document)
}

/// The name of a bucket or folder in it, without quotes around it and slashes behind it.
fn bare_name(document: &Document, key: &str) -> String {
    text_or_empty(document, key).trim_matches(['"', '\'']).trim_end_matches('/').to_owned()
}

impl Aws {
    /// Reads a stored or configured object; `buckets`: the name of its list. Buckets that nothing opens are
    /// left out.
    pub(super) fn read(document: &Document, buckets: &str) -> Self {
        let buckets = items(document, buckets).map(AwsBucket::read);
        Self {
            key: text(document, "key"),
            secret: text(document, "secret"),
            token: text(document, "token"),
            region: text(document, "region"),
            use_credentials_chain: switch(document, "use_credentials_chain", false),
            buckets: buckets.filter(AwsBucket::is_usable).collect(),
        }
    }

    pub(super) fn answer(&self) -> Document {
        doc! {
            "key": self.key.clone(),
            "secret": self.secret.clone(),
            "token": self.token.clone(),
            "region": self.region.clone(),
            "use_credentials_chain": self.use_credentials_chain,
            "buckets": self.buckets.iter().map(AwsBucket::answer).collect::<Vec<_>>(),
        }
    }
}

impl AwsBucket {
    fn read(document: &Document) -> Self {
        Self {
            bucket: bare_name(document, "bucket"),
            subdir: bare_name(document, "subdir"),
            host: text_or_empty(document, "host"),
            key: text_or_empty(document, "key"),
            secret: text_or_empty(document, "secret"),
            token: text_or_empty(document, "token"),
            acl: text_or_empty(document, "acl"),
            region: text_or_empty(document, "region"),
            multipart: switch(document, "multipart", true),
            secure: switch(document, "secure", true),
            verify: other(document, "verify"),
            use_credentials_chain: switch(document, "use_credentials_chain", false),
            profile: text_or_empty(document, "profile"),
            extra_args: other(document, "extra_args"),
        }
    }

    fn is_usable(&self) -> bool {
        self.use_credentials_chain || !(self.key.is_empty() || self.secret.is_empty())
    }

    /// Whether the host's certificate is checked.
    pub(crate) fn verifies(&self) -> bool {
        self.verify != Bson::Boolean(false)
    }

    fn answer(&self) -> Document {
        doc! {
            "bucket": &self.bucket,
            "subdir": &self.subdir,
            "host": &self.host,
            "key": &self.key,
            "secret": &self.secret,
            "token": &self.token,
            "multipart": self.multipart,
            "acl": &self.acl,
            "secure": self.secure,
            "region": &self.region,
            "verify": &self.verify,
            "use_credentials_chain": self.use_credentials_chain,
            "extra_args": &self.extra_args,
            "profile": &self.profile,
        }
    }
}

impl Google {
    /// Reads a stored or configured object; `buckets`: the name of its list.
    pub(super) fn read(document: &Document, buckets: &str) -> Self {
        Self {
            project: text(document, "project"),
            credentials_json: text(document, "credentials_json").filter(|json| !json.is_empty()),
            buckets: items(document, buckets).map(GoogleBucket::read).collect(),
        }
    }

    pub(super) fn answer(&self) -> Document {
        doc! {
            "project": self.project.clone(),
            "credentials_json": self.credentials_json.clone(),
            "buckets": self.buckets.iter().map(GoogleBucket::answer).collect::<Vec<_>>(),
        }
    }

    /// All texts that may be names of files.
    pub(super) fn credential_texts(&mut self) -> impl Iterator<Item = &mut Option<String>> {
        let of_buckets = self.buckets.iter_mut().map(|bucket| &mut bucket.credentials_json);
        std::iter::once(&mut self.credentials_json).chain(of_buckets)
    }
}

impl GoogleBucket {
    fn read(document: &Document) -> Self {
        Self {
            bucket: bare_name(document, "bucket"),
            subdir: bare_name(document, "subdir"),
            project: text(document, "project"),
            credentials_json: text(document, "credentials_json"),
            pool_connections: other(document, "pool_connections"),
            pool_maxsize: other(document, "pool_maxsize"),
        }
    }

    fn answer(&self) -> Document {
        doc! {
            "bucket": &self.bucket,
            "subdir": &self.subdir,
            "project": self.project.clone(),
            "credentials_json": self.credentials_json.clone(),
            "pool_connections": &self.pool_connections,
            "pool_maxsize": &self.pool_maxsize,
        }
    }
}

impl Azure {
    /// Reads a stored or configured object.
    pub(super) fn read(document: &Document) -> Self {
        Self { containers: items(document, "containers").map(AzureContainer::read).collect() }
    }

    pub(super) fn answer(&self) -> Document {
        doc! {"containers": self.containers.iter().map(AzureContainer::answer).collect::<Vec<_>>()}
    }
}

impl AzureContainer {
    fn read(document: &Document) -> Self {
        Self {
            account_name: text_or_empty(document, "account_name"),
            account_key: text_or_empty(document, "account_key"),
            container_name: text_or_empty(document, "container_name"),
            endpoint: None,
        }
    }

    /// Reads one that is configured.
    pub(super) fn read_configured(document: &Document) -> Self {
        Self { endpoint: text(document, "endpoint"), ..Self::read(document) }
    }

    fn answer(&self) -> Document {
        doc! {
            "account_name": &self.account_name,
            "account_key": &self.account_key,
            "container_name": &self.container_name,
        }
    }
}
