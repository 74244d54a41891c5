//! Which object of which bucket a url names, and which credentials open it (spec 06 §4.2).

use percent_encoding::percent_decode_str;

use super::StorageType;
use crate::storage::{AwsBucket, Credentials};

/// A bucket, and which of a company's credentials open it. Objects of one base are deleted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Base {
    pub(super) storage: StorageType,
    /// `host[:port]` of S3 other than Amazon's, the account's host on Azure; else empty.
    pub(super) host: String,
    pub(super) bucket: String,
    /// The place in the company's list of buckets or containers; `None`: what holds for all.
    pub(super) credentials: Option<usize>,
}

/// Finds base and key of an object. Errors: why it can never be deleted, in the words of the record.
pub(super) fn locate(
    storage: StorageType,
    url: &str,
    credentials: &Credentials,
) -> Result<(Base, String), String> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let located = match storage {
        StorageType::S3 => locate_s3(rest, credentials),
        StorageType::GoogleStorage => locate_google(rest, credentials),
        StorageType::Azure => locate_azure(rest, credentials),
        StorageType::FileServer => None,
    };
    let Some((base, key)) = located else {
        let name = provider_name(storage);
        return Err(format!("Invalid {name} url or missing {name} configuration for account"));
    };
    if !key.is_empty() {
        return Ok((base, key));
    }
    Err(match storage {
        StorageType::Azure => "No path found following container name".to_owned(),
        _ => "Empty path".to_owned(),
    })
}

/// How messages name a storage.
pub(super) const fn provider_name(storage: StorageType) -> &'static str {
    match storage {
        StorageType::S3 => "AWS",
        StorageType::Azure => "Azure",
        StorageType::GoogleStorage => "Google Storage",
        StorageType::FileServer => "Fileserver",
    }
}

/// The first segment, and what follows its slash.
fn split(path: &str) -> (&str, &str) {
    path.split_once('/').unwrap_or((path, ""))
}

/// The position of the longest prefix that the path begins with, whatever its case.
fn longest_match<'p>(path: &str, prefixes: impl Iterator<Item = (usize, [&'p str; 3])>) -> Option<usize> {
    let path = path.to_lowercase();
    prefixes
        .map(|(at, parts)| {
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            (at, parts.join("/").to_lowercase())
        })
        .filter(|(_, prefix)| {
            let rest = path.strip_prefix(prefix.as_str());
            !prefix.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(_, prefix)| prefix.len())
        .map(|(at, _)| at)
}

fn locate_s3(rest: &str, credentials: &Credentials) -> Option<(Base, String)> {
    let buckets = &credentials.aws.buckets;
    let prefix = |bucket: &AwsBucket| [bucket.host.clone(), bucket.bucket.clone(), bucket.subdir.clone()];
    let prefixes: Vec<[String; 3]> = buckets.iter().map(prefix).collect();
    let found = longest_match(
        rest,
        prefixes.iter().enumerate().map(|(at, parts)| (at, parts.each_ref().map(String::as_str))),
    );
    let has_host = match found {
        Some(at) if !buckets[at].host.is_empty() => true,
        _ => {
            let (host, _) = split(rest);
            let port = host.rsplit_once(':').map(|(_, port)| port);
            port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        }
    };
    let (host, path) = if has_host { split(rest) } else { ("", rest) };
    let (bucket, key) = split(path);
    if bucket.is_empty() {
        return None;
    }
    let base = Base {
        storage: StorageType::S3,
        host: host.to_owned(),
        bucket: bucket.to_owned(),
        credentials: found,
    };
    Some((base, key.to_owned()))
}

fn locate_google(rest: &str, credentials: &Credentials) -> Option<(Base, String)> {
    let (bucket, key) = split(rest);
    if bucket.is_empty() {
        return None;
    }
    let buckets = credentials.google.buckets.iter().enumerate();
    let prefixes = buckets.map(|(at, bucket)| (at, [bucket.bucket.as_str(), bucket.subdir.as_str(), ""]));
    let base = Base {
        storage: StorageType::GoogleStorage,
        host: String::new(),
        bucket: bucket.to_owned(),
        credentials: longest_match(rest, prefixes),
    };
    Some((base, key.to_owned()))
}

fn locate_azure(rest: &str, credentials: &Credentials) -> Option<(Base, String)> {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = split(rest);
    let (container, key) = split(path);
    let account = host.split('.').next().unwrap_or_default();
    let of_account = |name: &str| !container.is_empty() && name.eq_ignore_ascii_case(account);
    let mut containers = credentials.azure.containers.iter().enumerate();
    // A container's own entry goes before the account's.
    let own =
        containers.clone().find(|(_, one)| of_account(&one.account_name) && one.container_name == container);
    let any = || containers.find(|(_, one)| of_account(&one.account_name) && one.container_name.is_empty());
    let (found, _) = own.or_else(any)?;
    let base = Base {
        storage: StorageType::Azure,
        host: host.to_owned(),
        bucket: container.to_owned(),
        credentials: Some(found),
    };
    Some((base, percent_decode_str(key).decode_utf8_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};
    use clearml_config::Environment;

    use super::*;
    use crate::storage::StorageSettings;

    fn credentials(configured: &Document) -> Credentials {
        StorageSettings::new(configured, &Environment::default()).credentials().clone()
    }

    fn located(
        storage: StorageType,
        url: &str,
        credentials: &Credentials,
    ) -> (String, String, Option<usize>, String) {
        let (base, key) = locate(storage, url, credentials).unwrap();
        (base.host, base.bucket, base.credentials, key)
    }

    fn expected(
        host: &str,
        bucket: &str,
        at: Option<usize>,
        key: &str,
    ) -> (String, String, Option<usize>, String) {
        (host.to_owned(), bucket.to_owned(), at, key.to_owned())
    }

    #[test]
    fn s3_is_opened_by_the_best_matching_bucket() {
        let bucket = |host: &str, bucket: &str, subdir: &str| {
            doc! {"host": host, "bucket": bucket, "subdir": subdir, "key": "k", "secret": "s"}
        };
        let list = vec![
            bucket("", "data", ""),
            bucket("", "data", "team/a"),
            bucket("minio:9000", "", ""),
            bucket("store.example", "Data", ""),
        ];
        let credentials = credentials(&doc! {"aws": {"s3": {"credentials": list}}});
        let s3 = |url| located(StorageType::S3, url, &credentials);
        assert_eq!(s3("s3://data/x/y%20z?a#b"), expected("", "data", Some(0), "x/y%20z?a#b"));
        assert_eq!(s3("s3://data/team/a/x"), expected("", "data", Some(1), "team/a/x"));
        assert_eq!(s3("s3://data/team/ab/x"), expected("", "data", Some(0), "team/ab/x"));
        assert_eq!(s3("s3://data2/x"), expected("", "data2", None, "x"));
        assert_eq!(s3("s3://minio:9000/b/x"), expected("minio:9000", "b", Some(2), "x"));
        assert_eq!(s3("s3://other:9000/b/x"), expected("other:9000", "b", None, "x"));
        assert_eq!(s3("s3://STORE.example/data/x"), expected("STORE.example", "data", Some(3), "x"));
        assert_eq!(locate(StorageType::S3, "s3://data/", &credentials).unwrap_err(), "Empty path");
        assert_eq!(
            locate(StorageType::S3, "s3:///x", &credentials).unwrap_err(),
            "Invalid AWS url or missing AWS configuration for account"
        );
    }

    #[test]
    fn google_needs_no_entry_for_the_bucket() {
        let list = vec![doc! {"bucket": "b", "credentials_json": "{}"}];
        let credentials = credentials(&doc! {"google": {"storage": {"credentials": list}}});
        let google = |url| located(StorageType::GoogleStorage, url, &credentials);
        assert_eq!(google("gs://b/x/y"), expected("", "b", Some(0), "x/y"));
        assert_eq!(google("gs://c/x%20"), expected("", "c", None, "x%20"));
        assert_eq!(locate(StorageType::GoogleStorage, "gs://b", &credentials).unwrap_err(), "Empty path");
        assert_eq!(
            locate(StorageType::GoogleStorage, "gs:///x", &credentials).unwrap_err(),
            "Invalid Google Storage url or missing Google Storage configuration for account"
        );
    }

    #[test]
    fn azure_needs_an_account() {
        let list = vec![
            doc! {"account_name": "acc", "account_key": "k"},
            doc! {"account_name": "acc", "account_key": "l", "container_name": "own"},
        ];
        let credentials = credentials(&doc! {"azure": {"storage": {"containers": list}}});
        let azure = |url| located(StorageType::Azure, url, &credentials);
        let host = "acc.blob.core.windows.net";
        assert_eq!(
            azure("azure://acc.blob.core.windows.net/c/x/y%20z?sig=1"),
            expected(host, "c", Some(0), "x/y z")
        );
        assert_eq!(azure("azure://acc.blob.core.windows.net/own/x"), expected(host, "own", Some(1), "x"));
        for url in ["azure://other.blob.core.windows.net/c/x", "azure://acc.blob.core.windows.net"] {
            assert_eq!(
                locate(StorageType::Azure, url, &credentials).unwrap_err(),
                "Invalid Azure url or missing Azure configuration for account"
            );
        }
        assert_eq!(
            locate(StorageType::Azure, "azure://acc/c/", &credentials).unwrap_err(),
            "No path found following container name"
        );
    }
}
