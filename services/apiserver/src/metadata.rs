//! Metadata of models and queues: a map of named values (spec 04 §0.2).

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    api::{ApiResult, ApiVersion},
    query::{escape_key, unescape_key},
};

/// Up to this version clients get an empty list instead of the map.
const LIST_UNTIL: ApiVersion = ApiVersion::new(2, 16);

/// One named value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct MetadataItem {
    pub(crate) key: String,
    #[serde(rename = "type")]
    pub(crate) value_type: String,
    pub(crate) value: String,
}

impl From<MetadataItem> for Bson {
    fn from(item: MetadataItem) -> Self {
        doc! { "key": item.key, "type": item.value_type, "value": item.value }.into()
    }
}

/// The stored map of items given under names. Errors: 400/12 for an empty name.
pub(crate) fn stored_map(items: impl IntoIterator<Item = (String, MetadataItem)>) -> ApiResult<Document> {
    items.into_iter().map(|(name, item)| Ok((escape_key(&name)?, item.into()))).collect()
}

/// Sets the items, or with `replace` makes them the whole map. Errors: 400/12 for an empty key.
pub(crate) fn add_or_update(items: Vec<MetadataItem>, replace: bool) -> ApiResult<Update> {
    let map = stored_map(items.into_iter().map(|item| (item.key.clone(), item)))?;
    if replace {
        return Ok(vec![Change::set("metadata", map)]);
    }
    Ok(map.into_iter().map(|(key, item)| Change::Set(format!("metadata.{key}"), item)).collect())
}

/// Removes the items with these keys. Errors: 400/12 for an empty key.
pub(crate) fn delete(keys: &[String]) -> ApiResult<Update> {
    keys.iter().map(|key| Ok(Change::unset(format!("metadata.{}", escape_key(key)?)))).collect()
}

/// Brings the `metadata` of an answered document, if it is there, into its form.
pub(crate) fn answer_metadata(document: &mut Document, version: ApiVersion) {
    let Ok(map) = document.get_document("metadata") else { return };
    let answered: Bson = if version <= LIST_UNTIL {
        Bson::Array(Vec::new())
    } else {
        map.iter().map(|(key, item)| (unescape_key(key), item.clone())).collect::<Document>().into()
    };
    document.insert("metadata", answered);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str) -> MetadataItem {
        MetadataItem { key: key.to_owned(), value_type: "str".to_owned(), value: "v".to_owned() }
    }

    #[test]
    fn keys_are_escaped_in_storage_only() {
        let mut queue = doc! { "metadata": stored_map([("a.b".to_owned(), item("a.b"))]).unwrap() };
        assert_eq!(queue, doc! { "metadata": {"a%2Eb": {"key": "a.b", "type": "str", "value": "v"}} });
        answer_metadata(&mut queue, ApiVersion::new(2, 17));
        assert_eq!(queue, doc! { "metadata": {"a.b": {"key": "a.b", "type": "str", "value": "v"}} });
        answer_metadata(&mut queue, ApiVersion::new(2, 16));
        assert_eq!(queue, doc! { "metadata": [] });
        let mut without = doc! {};
        answer_metadata(&mut without, ApiVersion::new(2, 16));
        assert_eq!(without, doc! {});
    }

    #[test]
    fn updates_set_one_by_one_or_replace() {
        let updates = add_or_update(vec![item("x"), item("y.z")], false).unwrap();
        assert_eq!(updates.len(), 2);
        assert!(matches!(&updates[1], Change::Set(path, _) if path == "metadata.y%2Ez"));
        let replaced = add_or_update(vec![item("x"), item("y")], true).unwrap();
        assert!(matches!(&replaced[..], [Change::Set(path, _)] if path == "metadata"));
        assert_eq!(delete(&["a.b".to_owned()]).unwrap(), [Change::unset("metadata.a%2Eb")]);
        assert!(delete(&[" ".to_owned()]).is_err());
    }
}
