//! A parsed file before its substitutions are known.

use indexmap::IndexMap;

use crate::value::{Kind, Origin};

/// The fields of an object. Each holds all its assignments in order, since a later one may refer to an
/// earlier one.
pub(super) type Fields = IndexMap<String, Vec<Node>>;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) origin: Origin,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    /// Null, boolean, number or text.
    Scalar(Kind),
    List(Vec<Node>),
    Object(Fields),
    Substitution(Substitution),
    /// Values written side by side.
    Concatenation(Vec<Node>),
    /// The element of a `+=`.
    Append(Box<Node>),
}

#[derive(Debug)]
pub(super) struct Substitution {
    pub(super) path: Vec<String>,
    pub(super) optional: bool,
    /// Where the file was included: the path is looked up below it first.
    pub(super) scope: Vec<String>,
}

impl Node {
    /// Adds an assignment to a dotted key.
    pub(super) fn assign(fields: &mut Fields, path: &[String], node: Node) {
        let Some((first, rest)) = path.split_first() else { return };
        let layers = fields.entry(first.clone()).or_default();
        if rest.is_empty() {
            layers.push(node);
            return;
        }
        let origin = node.origin.clone();
        let mut inner = Fields::new();
        Self::assign(&mut inner, rest, node);
        layers.push(Node { kind: NodeKind::Object(inner), origin });
    }
}
