//! `fileserver.storage` -> a file store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clearml_config::{
    Environment,
    settings::{self as keys, FileStorage, Secret},
};
use clearml_files::{
    FileError, FileStore, LocalFiles, ObjectFiles,
    object::{
        AzureAccess, ConnectError, GoogleAccess, ObjectAccess, Provider, S3Access, S3Keys, Transport,
        UploadSettings,
    },
};
use percent_encoding::percent_decode_str;

/// Why the files' place can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The setting makes no sense.
    #[error("{key}: {reason}")]
    Setting { key: &'static str, reason: String },
    /// The folder can't be opened.
    #[error(transparent)]
    Folder(#[from] FileError),
    /// The client of the object store can't be made.
    #[error("fileserver.storage: {0}")]
    Client(#[from] ConnectError),
}

const URL: &str = "fileserver.storage.url";

/// Opens the configured place; by default `files` in the data directory.
pub(crate) async fn open(
    settings: &keys::FileServer,
    environment: &Environment,
    data_dir: &Path,
) -> Result<Arc<dyn FileStore>, StorageError> {
    let storage = &settings.storage;
    match storage.url.as_deref().map(Place::parse).transpose()? {
        None => {
            let configured = settings.upload_folder.as_deref().map(PathBuf::from);
            Ok(Arc::new(LocalFiles::open(&configured.unwrap_or_else(|| data_dir.join("files")))?))
        }
        Some(Place::Folder(folder)) => Ok(Arc::new(LocalFiles::open(&folder)?)),
        Some(Place::Bucket(place)) => {
            let access = access(&place, storage, environment)?;
            let uploads = UploadSettings {
                part_size: storage.part_size_mb as usize * 1024 * 1024,
                parallel_parts: storage.parallel_parts,
                max_parts: storage.max_parts,
            };
            tracing::info!(bucket = access.bucket, prefix = place.prefix, "keeping files in an object store");
            Ok(Arc::new(ObjectFiles::open(&access, &place.prefix, uploads).await?))
        }
    }
}

/// What a storage URL names.
#[derive(Debug, PartialEq)]
enum Place {
    Folder(PathBuf),
    Bucket(BucketPlace),
}

#[derive(Debug, PartialEq)]
struct BucketPlace {
    scheme: Scheme,
    /// The host of S3 with a port of its own, the account's host on Azure.
    host: String,
    bucket: String,
    /// Without outer slashes.
    prefix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    S3,
    Google,
    Azure,
}

impl Place {
    fn parse(url: &str) -> Result<Self, StorageError> {
        let wrong = |reason: &str| StorageError::Setting { key: URL, reason: format!("{url:?}: {reason}") };
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        if scheme == "file" {
            let path = percent_decode_str(rest).decode_utf8().ok().filter(|path| path.starts_with('/'));
            let path = path.ok_or_else(|| wrong("expected file:///path"))?;
            return Ok(Self::Folder(PathBuf::from(path.into_owned())));
        }
        let scheme = match scheme {
            "s3" => Scheme::S3,
            "gs" => Scheme::Google,
            "azure" => Scheme::Azure,
            _ => return Err(wrong("expected a URL with file://, s3://, gs:// or azure://")),
        };
        let has_host = match scheme {
            Scheme::S3 => rest.split('/').next().is_some_and(|host| host.contains(':')),
            Scheme::Google => false,
            Scheme::Azure => true,
        };
        let (host, rest) = if has_host { rest.split_once('/').unwrap_or((rest, "")) } else { ("", rest) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            let what = if scheme == Scheme::Azure { "container" } else { "bucket" };
            return Err(wrong(&format!("it names no {what}")));
        }
        Ok(Self::Bucket(BucketPlace {
            scheme,
            host: host.to_owned(),
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        }))
    }
}

fn access(
    place: &BucketPlace,
    storage: &FileStorage,
    environment: &Environment,
) -> Result<ObjectAccess, StorageError> {
    let prefixes: &[&str] = match place.scheme {
        Scheme::S3 => &["AWS_"],
        Scheme::Google => &["GOOGLE_", "STORAGE_EMULATOR_HOST"],
        Scheme::Azure => &["AZURE_"],
    };
    let variables =
        environment.iter().filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    let provider = match place.scheme {
        Scheme::S3 => Provider::S3(s3(place, storage)?),
        Scheme::Google => Provider::Google(google(storage)?),
        Scheme::Azure => Provider::Azure(azure(place, storage, environment)?),
    };
    let ca_certificates = match &storage.ca_certificate {
        None => None,
        Some(path) => Some(std::fs::read(path).map_err(|error| StorageError::Setting {
            key: "fileserver.storage.ca_certificate",
            reason: format!("{path:?}: {error}"),
        })?),
    };
    Ok(ObjectAccess {
        provider,
        bucket: place.bucket.clone(),
        transport: Transport {
            allow_http: storage.allow_http,
            verify: storage.verify,
            ca_certificates,
            timeout: storage.timeout_sec.duration(),
            retries: storage.max_retries,
        },
        environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    })
}

/// The text of a secret that is set.
fn text(secret: Option<&Secret>) -> Option<String> {
    secret.map(Secret::reveal).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn s3(place: &BucketPlace, storage: &FileStorage) -> Result<S3Access, StorageError> {
    let s3 = &storage.s3;
    let keys = match (text(s3.key.as_ref()), text(s3.secret.as_ref())) {
        (Some(key), Some(secret)) => Some(S3Keys { key, secret, token: text(s3.token.as_ref()) }),
        (None, None) => None,
        (key, _) => {
            let missing =
                if key.is_some() { "fileserver.storage.s3.secret" } else { "fileserver.storage.s3.key" };
            let reason = "missing: key and secret belong together".to_owned();
            return Err(StorageError::Setting { key: missing, reason });
        }
    };
    let own_host = || {
        let scheme = if storage.allow_http { "http" } else { "https" };
        (!place.host.is_empty()).then(|| format!("{scheme}://{}", place.host))
    };
    Ok(S3Access {
        endpoint: s3.endpoint.clone().or_else(own_host),
        region: s3.region.clone(),
        keys,
        virtual_hosted: s3.virtual_hosted,
        single_deletes: !s3.bulk_delete,
    })
}

fn google(storage: &FileStorage) -> Result<GoogleAccess, StorageError> {
    let google = &storage.google;
    let credentials_json = match text(google.credentials_json.as_ref()) {
        Some(path) if !path.trim_start().starts_with('{') => {
            Some(std::fs::read_to_string(&path).map_err(|error| StorageError::Setting {
                key: "fileserver.storage.google.credentials_json",
                reason: format!("{path:?}: {error}"),
            })?)
        }
        json => json,
    };
    Ok(GoogleAccess { endpoint: google.endpoint.clone(), credentials_json })
}

fn azure(
    place: &BucketPlace,
    storage: &FileStorage,
    environment: &Environment,
) -> Result<AzureAccess, StorageError> {
    let azure = &storage.azure;
    let account = place.host.split('.').next().unwrap_or_default().to_owned();
    let named_host = place.host.contains('.').then(|| format!("https://{}", place.host));
    let mut access = AzureAccess {
        account,
        endpoint: azure.endpoint.clone().or(named_host),
        key: text(azure.account_key.as_ref()),
        sas_token: text(azure.sas_token.as_ref()),
    };
    let has_keys = access.key.is_some() || access.sas_token.is_some();
    let connection = text(azure.connection_string.as_ref()).or_else(|| {
        let variable =
            environment.first(["AZURE_STORAGE_CONNECTION_STRING"]).map(|(_, text)| text.to_owned());
        variable.filter(|_| !has_keys)
    });
    if let Some(connection) = connection {
        apply_connection_string(&mut access, &connection);
    }
    if access.account.is_empty() {
        return Err(StorageError::Setting { key: URL, reason: "it names no account".to_owned() });
    }
    Ok(access)
}

/// `Name=value;…`; a value may have `=` in it.
fn apply_connection_string(access: &mut AzureAccess, text: &str) {
    let (mut protocol, mut suffix) = ("https", "core.windows.net");
    let mut blob_endpoint = None;
    for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
        match name.trim() {
            "AccountName" => value.clone_into(&mut access.account),
            "AccountKey" => access.key = Some(value.to_owned()),
            "SharedAccessSignature" => access.sas_token = Some(value.to_owned()),
            "BlobEndpoint" => blob_endpoint = Some(value.to_owned()),
            "DefaultEndpointsProtocol" => protocol = value,
            "EndpointSuffix" => suffix = value,
            _ => {}
        }
    }
    let endpoint = blob_endpoint.unwrap_or_else(|| format!("{protocol}://{}.blob.{suffix}", access.account));
    access.endpoint.get_or_insert(endpoint);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(url: &str) -> (Scheme, String, String, String) {
        match Place::parse(url).unwrap() {
            Place::Bucket(place) => (place.scheme, place.host, place.bucket, place.prefix),
            Place::Folder(folder) => panic!("{folder:?}"),
        }
    }

    fn expected(scheme: Scheme, host: &str, bucket: &str, prefix: &str) -> (Scheme, String, String, String) {
        (scheme, host.to_owned(), bucket.to_owned(), prefix.to_owned())
    }

    #[test]
    fn urls_name_places() {
        assert_eq!(Place::parse("file:///srv/a%20b").unwrap(), Place::Folder("/srv/a b".into()));
        assert_eq!(bucket("s3://b"), expected(Scheme::S3, "", "b", ""));
        assert_eq!(bucket("s3://b/p/q/"), expected(Scheme::S3, "", "b", "p/q"));
        assert_eq!(bucket("s3://minio:9000/b/p"), expected(Scheme::S3, "minio:9000", "b", "p"));
        assert_eq!(bucket("gs://b/p"), expected(Scheme::Google, "", "b", "p"));
        assert_eq!(bucket("azure://acc/c/p"), expected(Scheme::Azure, "acc", "c", "p"));
        for wrong in ["", "/srv", "s3://", "s3://host:1", "gs:///x", "azure://acc", "file://srv", "ftp://x/y"]
        {
            let error = Place::parse(wrong).unwrap_err().to_string();
            assert!(error.starts_with("fileserver.storage.url: "), "{error}");
        }
    }

    #[test]
    fn azure_takes_hosts_and_connection_strings() {
        let place = |url| match Place::parse(url).unwrap() {
            Place::Bucket(place) => place,
            Place::Folder(folder) => panic!("{folder:?}"),
        };
        let no_variables = Environment::default();
        let by_host =
            azure(&place("azure://acc.blob.core.windows.net/c"), &FileStorage::default(), &no_variables);
        let by_host = by_host.unwrap();
        assert_eq!(by_host.account, "acc");
        assert_eq!(by_host.endpoint.as_deref(), Some("https://acc.blob.core.windows.net"));

        let text =
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5==;EndpointSuffix=example.com";
        let variables: Environment = [("AZURE_STORAGE_CONNECTION_STRING", text)].into_iter().collect();
        let by_text = azure(&place("azure://acc/c"), &FileStorage::default(), &variables).unwrap();
        assert_eq!(by_text.key.as_deref(), Some("a2V5=="));
        assert_eq!(by_text.endpoint.as_deref(), Some("https://acc.blob.example.com"));
    }

    #[test]
    fn half_a_pair_of_keys_is_a_mistake() {
        let mut storage = FileStorage::default();
        storage.s3.key = Some(Secret::from("k"));
        let Place::Bucket(place) = Place::parse("s3://b").unwrap() else { panic!() };
        let error = s3(&place, &storage).err().unwrap().to_string();
        assert!(error.starts_with("fileserver.storage.s3.secret: missing"), "{error}");
    }
}
