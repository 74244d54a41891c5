//! Values at a dotted path, with MongoDB's way through arrays.

use std::ops::ControlFlow;

use bson::{RawArray, RawBsonRef, RawDocument};

/// A dotted path, split once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// The empty text is the path of the value itself.
    pub(crate) fn new(dotted: &str) -> Self {
        if dotted.is_empty() {
            return Self(Vec::new());
        }
        Self(dotted.split('.').map(str::to_owned).collect())
    }

    /// Calls `visit` for each value that the path leads to inside `root`, `None` where it ends in a missing
    /// field, until it breaks. Arrays on the way stand for each of their documents (and for the element of
    /// that index); an array at the end is one value.
    pub(crate) fn visit<'a>(
        &self,
        root: RawBsonRef<'a>,
        visit: &mut dyn FnMut(Option<RawBsonRef<'a>>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        walk(root, &self.0, visit)
    }

    /// Whether any value at the path fulfils the condition.
    pub(crate) fn any<'a>(
        &self,
        root: RawBsonRef<'a>,
        mut condition: impl FnMut(Option<RawBsonRef<'a>>) -> bool,
    ) -> bool {
        self.visit(root, &mut |value| {
            if condition(value) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .is_break()
    }

    /// Whether any value at the path, or any element of an array there, fulfils the condition. An array is
    /// offered itself, too.
    pub(crate) fn any_unwound<'a>(
        &self,
        root: RawBsonRef<'a>,
        mut condition: impl FnMut(Option<RawBsonRef<'a>>) -> bool,
    ) -> bool {
        self.any(root, |value| {
            condition(value)
                || value
                    .and_then(RawBsonRef::as_array)
                    .is_some_and(|array| elements(array).any(|element| condition(Some(element))))
        })
    }

    /// The single value when no array is on the way, as an aggregation reads a field; `None` when missing.
    pub(crate) fn single<'a>(&self, root: &'a RawDocument) -> Option<RawBsonRef<'a>> {
        let mut value = RawBsonRef::Document(root);
        for segment in &self.0 {
            value = value.as_document()?.get(segment).ok().flatten()?;
        }
        Some(value)
    }
}

/// The elements of an array; a damaged rest is left out.
pub(crate) fn elements(array: &RawArray) -> impl Iterator<Item = RawBsonRef<'_>> {
    array.into_iter().map_while(Result::ok)
}

fn walk<'a>(
    value: RawBsonRef<'a>,
    segments: &[String],
    visit: &mut dyn FnMut(Option<RawBsonRef<'a>>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some((first, rest)) = segments.split_first() else { return visit(Some(value)) };
    match value {
        RawBsonRef::Document(document) => match document.get(first).ok().flatten() {
            Some(member) => walk(member, rest, visit),
            None => visit(None),
        },
        RawBsonRef::Array(array) => {
            if let Ok(index) = first.parse::<usize>()
                && let Some(element) = elements(array).nth(index)
            {
                walk(element, rest, visit)?;
            }
            for element in elements(array) {
                if element.as_document().is_some() {
                    walk(element, segments, visit)?;
                }
            }
            ControlFlow::Continue(())
        }
        _ => visit(None),
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, doc};

    use super::*;

    fn values(document: &bson::Document, path: &str) -> Vec<Option<String>> {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        let mut found = Vec::new();
        let _ = Path::new(path).visit(RawBsonRef::Document(&raw), &mut |value| {
            found.push(value.map(|value| bson::Bson::try_from(value).unwrap().to_string()));
            ControlFlow::Continue(())
        });
        found
    }

    #[test]
    fn arrays_on_the_way_stand_for_their_documents() {
        let document = doc! {"entries": [{"task": "a"}, 5, {"task": "b"}, {"other": 1}]};
        assert_eq!(
            values(&document, "entries.task"),
            [Some("\"a\"".to_owned()), Some("\"b\"".to_owned()), None]
        );
        assert_eq!(values(&document, "entries.1"), [Some("5".to_owned()), None, None, None]);
        assert_eq!(values(&document, "entries.task.x"), [None, None, None]);
        assert_eq!(values(&doc! {"a": []}, "a.b"), []);
        assert_eq!(values(&doc! {"a": 1}, "a.b"), [None]);
    }
}
