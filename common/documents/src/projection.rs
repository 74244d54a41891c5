//! Reads only the wanted fields out of raw BSON.

use std::collections::HashMap;

use bson::{Bson, Document, RawBsonRef, RawDocument};

use crate::{Projection, StoreError, StoreResult, path::elements};

/// A [`Projection`] made ready to read many documents.
#[derive(Debug)]
pub(crate) enum Projector {
    All,
    Include(Tree),
    Exclude(Tree),
}

/// Paths as a tree; a leaf stands for everything below it.
#[derive(Debug, Default)]
pub(crate) struct Tree(HashMap<String, Tree>);

impl Tree {
    fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut root = Self::default();
        for path in paths {
            root.add(path);
        }
        root
    }

    fn add(&mut self, path: &str) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match (self.0.get_mut(first), rest) {
            // A listed ancestor covers what is below it.
            (Some(known), Some(rest)) if !known.is_leaf() => known.add(rest),
            (Some(_), Some(_)) => {}
            (_, None) => {
                self.0.insert(first.to_owned(), Self::default());
            }
            (None, Some(rest)) => {
                let mut below = Self::default();
                below.add(rest);
                self.0.insert(first.to_owned(), below);
            }
        }
    }

    fn is_leaf(&self) -> bool {
        self.0.is_empty()
    }
}

impl Projector {
    pub(crate) fn new(projection: &Projection) -> Self {
        match projection {
            Projection::All => Self::All,
            Projection::Include(paths) => {
                Self::Include(Tree::new(paths.iter().map(String::as_str).chain(["_id"])))
            }
            Projection::Exclude(paths) => {
                Self::Exclude(Tree::new(paths.iter().map(String::as_str).filter(|path| *path != "_id")))
            }
        }
    }

    /// Whether nothing but `_id` is wanted.
    pub(crate) fn is_id_only(&self) -> bool {
        matches!(self, Self::Include(tree) if tree.0.len() == 1)
    }

    pub(crate) fn read(&self, document: &RawDocument) -> StoreResult<Document> {
        match self {
            Self::All => Document::try_from(document).map_err(damaged),
            Self::Include(tree) => include(document, tree),
            Self::Exclude(tree) => exclude(document, tree),
        }
    }
}

/// What a stored value that can't be read is called.
pub(crate) fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Backend(format!("a stored document is damaged: {error}"))
}

fn owned(value: RawBsonRef<'_>) -> StoreResult<Bson> {
    Bson::try_from(value).map_err(damaged)
}

fn include(document: &RawDocument, tree: &Tree) -> StoreResult<Document> {
    let mut wanted = Document::new();
    let mut left = tree.0.len();
    for member in document {
        if left == 0 {
            break;
        }
        let (name, value) = member.map_err(damaged)?;
        let Some(below) = tree.0.get(name.as_str()) else { continue };
        left -= 1;
        if below.is_leaf() {
            wanted.insert(name.as_str(), owned(value)?);
        } else if let Some(value) = include_below(value, below)? {
            wanted.insert(name.as_str(), value);
        }
    }
    Ok(wanted)
}

/// Scalars have nothing below them: they are left out, as MongoDB does.
fn include_below(value: RawBsonRef<'_>, tree: &Tree) -> StoreResult<Option<Bson>> {
    match value {
        RawBsonRef::Document(document) => Ok(Some(Bson::Document(include(document, tree)?))),
        RawBsonRef::Array(array) => {
            let kept: StoreResult<Vec<_>> =
                elements(array).filter_map(|element| include_below(element, tree).transpose()).collect();
            Ok(Some(Bson::Array(kept?)))
        }
        _ => Ok(None),
    }
}

fn exclude(document: &RawDocument, tree: &Tree) -> StoreResult<Document> {
    let mut kept = Document::new();
    for member in document {
        let (name, value) = member.map_err(damaged)?;
        match tree.0.get(name.as_str()) {
            None => {
                kept.insert(name.as_str(), owned(value)?);
            }
            Some(below) if below.is_leaf() => {}
            Some(below) => {
                kept.insert(name.as_str(), exclude_below(value, below)?);
            }
        }
    }
    Ok(kept)
}

fn exclude_below(value: RawBsonRef<'_>, tree: &Tree) -> StoreResult<Bson> {
    match value {
        RawBsonRef::Document(document) => Ok(Bson::Document(exclude(document, tree)?)),
        RawBsonRef::Array(array) => Ok(Bson::Array(
            elements(array).map(|element| exclude_below(element, tree)).collect::<StoreResult<_>>()?,
        )),
        other => owned(other),
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, doc};

    use super::*;

    fn project(projection: &Projection) -> Document {
        let document = doc! {"_id": "1", "a": 1, "b": {"c": 1, "d": {"e": 1}}, "l": [{"x": 1, "y": 2}, 5]};
        Projector::new(projection).read(&RawDocumentBuf::try_from(&document).unwrap()).unwrap()
    }

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn included_paths_come_with_the_id() {
        assert_eq!(project(&Projection::Include(paths(&["a"]))), doc! {"_id": "1", "a": 1});
        assert_eq!(project(&Projection::Include(vec![])), doc! {"_id": "1"});
        assert_eq!(
            project(&Projection::Include(paths(&["b.d", "b.d.e", "l.x", "a.z"]))),
            doc! {"_id": "1", "b": {"d": {"e": 1}}, "l": [{"x": 1}]}
        );
        assert_eq!(
            project(&Projection::Include(paths(&["b.d.e", "b"]))),
            doc! {"_id": "1", "b": {"c": 1, "d": {"e": 1}}}
        );
    }

    #[test]
    fn excluded_paths_are_left_out() {
        assert_eq!(
            project(&Projection::Exclude(paths(&["_id", "a", "b.d.e", "l.x"]))),
            doc! {"_id": "1", "b": {"c": 1, "d": {}}, "l": [{"y": 2}, 5]}
        );
    }
}
