//! Writing down which files are to be deleted (spec 02 §12.1, §12.2).

use bson::{Bson, doc};
use clearml_documents::{Change, Collection, Filter, Update, Write};

use crate::{App, api::ApiResult};

/// Records per transaction.
const RECORDS_PER_WRITE: usize = 500;

/// Where a file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum StorageType {
    S3,
    Azure,
    GoogleStorage,
    FileServer,
}

impl StorageType {
    pub(super) const ALL: [Self; 4] = [Self::S3, Self::Azure, Self::GoogleStorage, Self::FileServer];

    /// The storage of this stored name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|storage| storage.as_str() == name)
    }

    /// As stored in `storage_type`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::GoogleStorage => "gs",
            Self::FileServer => "fileserver",
        }
    }

    /// The storage of a url by its first matching prefix; `None`: nobody knows how to delete it.
    pub(crate) fn of(url: &str, fileserver_prefixes: &[String]) -> Option<Self> {
        let schemes = [("s3://", Self::S3), ("azure://", Self::Azure), ("gs://", Self::GoogleStorage)];
        if let Some((_, storage)) = schemes.into_iter().find(|(scheme, _)| url.starts_with(scheme)) {
            return Some(storage);
        }
        fileserver_prefixes
            .iter()
            .any(|prefix| !prefix.is_empty() && url.starts_with(prefix.as_str()))
            .then_some(Self::FileServer)
    }
}

/// Schedules the deletion of files for a task or model. A file that is scheduled already starts over. Urls of
/// unknown storage are passed over.
pub(crate) async fn schedule(
    app: &App,
    company: &str,
    user: &str,
    owner: &str,
    urls: &[String],
) -> ApiResult<()> {
    let now = app.now();
    let prefixes = &app.settings.external_files.fileserver_prefixes;
    let mut writes = Vec::new();
    for url in urls {
        let Some(storage) = StorageType::of(url, prefixes) else { continue };
        let starts_over = doc! {
            "user": user,
            "task": owner,
            "created": now,
            "retry_count": 0_i64,
            "status": "created",
        };
        let only_when_new = doc! { "_id": app.new_id(), "storage_type": storage.as_str(), "type": "file" };
        let mut update: Update =
            starts_over.into_iter().map(|(path, value): (String, Bson)| Change::Set(path, value)).collect();
        update.extend(["last_failure_time", "last_failure_reason"].map(Change::unset));
        update.extend(only_when_new.into_iter().map(|(path, value)| Change::SetOnInsert(path, value)));
        writes.push(Write::Update {
            filter: Filter::eq("company", company).and(Filter::eq("url", url.as_str())),
            update,
            many: false,
            upsert: true,
        });
    }
    for chunk in writes.chunks(RECORDS_PER_WRITE) {
        app.documents.write(Collection::UrlToDelete, chunk.to_vec()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_known_by_the_prefix() {
        let prefixes = vec!["http://files:8081".to_owned(), String::new()];
        let storage = |url| StorageType::of(url, &prefixes);
        assert_eq!(storage("s3://bucket/a"), Some(StorageType::S3));
        assert_eq!(storage("azure://account/a"), Some(StorageType::Azure));
        assert_eq!(storage("gs://bucket/a"), Some(StorageType::GoogleStorage));
        assert_eq!(storage("http://files:8081/p/t/a"), Some(StorageType::FileServer));
        assert_eq!(storage("http://elsewhere/p/t/a"), None);
        assert_eq!(storage("/local/file"), None);
    }
}
