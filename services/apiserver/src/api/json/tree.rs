//! What a text is read into: a tree that borrows from it, BSON, or nothing.

use std::borrow::Cow;

use bson::{Bson, Document};

use super::Json;

/// What a text is read into.
pub(super) trait Tree<'a>: Sized {
    type Items: Default;
    type Members: Default;

    /// Of a value that is neither list nor object.
    fn leaf(value: Json<'a>) -> Self;
    fn push(items: &mut Self::Items, value: Self);
    fn list(items: Self::Items) -> Self;
    fn insert(members: &mut Self::Members, key: Cow<'a, str>, value: Self);
    fn object(members: Self::Members) -> Self;
}

impl<'a> Tree<'a> for Json<'a> {
    type Items = Vec<Self>;
    type Members = Vec<(Cow<'a, str>, Self)>;

    fn leaf(value: Self) -> Self {
        value
    }

    fn push(items: &mut Vec<Self>, value: Self) {
        items.push(value);
    }

    fn list(items: Vec<Self>) -> Self {
        Self::List(items)
    }

    fn insert(members: &mut Self::Members, key: Cow<'a, str>, value: Self) {
        members.push((key, value));
    }

    fn object(members: Self::Members) -> Self {
        Self::Object(members)
    }
}

impl<'a> Tree<'a> for Bson {
    type Items = Vec<Self>;
    type Members = Document;

    fn leaf(value: Json<'a>) -> Self {
        value.into()
    }

    fn push(items: &mut Vec<Self>, value: Self) {
        items.push(value);
    }

    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn insert(members: &mut Document, key: Cow<'a, str>, value: Self) {
        members.insert(key.into_owned(), value);
    }

    fn object(members: Document) -> Self {
        Self::Document(members)
    }
}

/// Only checked, not kept.
impl<'a> Tree<'a> for () {
    type Items = ();
    type Members = ();

    fn leaf(_: Json<'a>) {}
    fn push((): &mut (), (): ()) {}
    fn list((): ()) {}
    fn insert((): &mut (), _: Cow<'a, str>, (): ()) {}
    fn object((): ()) {}
}
