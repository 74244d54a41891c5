//! What of a document is answered (spec 03 §1.11): the request's projection as a tree of fields.

use bson::{Bson, Document};
use clearml_documents::Projection;
use indexmap::IndexMap;

use super::{
    Entity, Field, Kind,
    entity::find_field,
    lookup::{as_list, is_truthy, lookup_error, resolve},
};
use crate::api::{ApiError, ApiResult, codes};

/// Longest chain of joins; real clients use up to three.
const MAX_JOIN_DEPTH: usize = 8;
/// Greatest number of dotted parts of a path: documents are not nested deeper.
const MAX_PARTS: usize = 100;

/// A set of paths, as a tree of their parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tree {
    /// The path that ends here was named itself.
    pub(crate) whole: bool,
    /// Named with a trailing `.*`: of a reference, all fields of what it refers to.
    pub(crate) everything_below: bool,
    pub(crate) children: IndexMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, path: &str, everything_below: bool) {
        let mut node = self;
        for part in path.split('.') {
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.whole = true;
        node.everything_below |= everything_below;
    }

    /// Named itself, or with nothing more precise.
    pub(crate) fn is_leaf(&self) -> bool {
        self.whole || self.children.is_empty()
    }
}

/// What of a document is answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// Only these; `None`: all fields.
    pub(crate) include: Option<Tree>,
    pub(crate) exclude: Tree,
    /// The id is answered.
    pub(crate) id: bool,
}

impl Selection {
    /// All fields but those that the entity answers on request only.
    pub(crate) fn standard(entity: &Entity) -> Self {
        Self { include: None, exclude: default_excluded(entity), id: true }
    }

    /// All fields.
    pub(crate) fn everything() -> Self {
        Self { include: None, exclude: Tree::default(), id: true }
    }

    /// The selection of a request that answers references as plain ids.
    ///
    /// # Errors
    /// 400/14 for unknown fields.
    pub(crate) fn plain(entity: &Entity, request: &Document) -> ApiResult<Self> {
        let names = requested_fields(request)?;
        let (mut include, mut exclude) = (Tree::default(), default_excluded(entity));
        let mut id_excluded = false;
        for name in &names {
            let excluded = name.strip_prefix('-');
            let path = excluded.unwrap_or(name);
            resolve(entity, path)?;
            match excluded {
                Some("id" | "_id") => id_excluded = true,
                Some(path) => exclude.insert(path, false),
                None => include.insert(if path == "_id" { "id" } else { path }, false),
            }
        }
        let include = (!include.children.is_empty()).then_some(include);
        let id = !id_excluded && include.as_ref().is_none_or(|tree| tree.children.contains_key("id"));
        let exclude = without_included(exclude, include.as_ref(), entity);
        Ok(Self { include, exclude, id })
    }

    /// The selection of a request that answers references as objects, with fields of them if named.
    ///
    /// # Errors
    /// 400/14 for unknown fields.
    pub(crate) fn joined(entity: &Entity, request: &Document) -> ApiResult<Self> {
        let names = requested_fields(request)?;
        let (mut include, mut exclude) = (Tree::default(), default_excluded(entity));
        let mut everything = false;
        for name in &names {
            let excluded = name.strip_prefix('-');
            let given = excluded.unwrap_or(name);
            let (path, everything_below) = match given.strip_suffix(".*") {
                Some(path) => (path, true),
                None => (given, false),
            };
            if path.is_empty() {
                return Err(not_defined(entity, Bson::from("-")));
            }
            if path == "*" && excluded.is_none() {
                everything = true;
                continue;
            }
            check_joined_path(entity, path, 0)?;
            match excluded {
                Some(path) => exclude.insert(path.strip_suffix(".*").unwrap_or(path), false),
                None => include.insert(path, everything_below),
            }
        }
        if everything {
            for field in entity.fields {
                // A named path below a reference still joins.
                let node = include.children.entry(field.name.to_owned()).or_default();
                node.whole = true;
            }
        }
        let include = (!include.children.is_empty()).then_some(include);
        let exclude = without_included(exclude, include.as_ref(), entity);
        Ok(Self { include, exclude, id: true })
    }

    /// The part of stored documents that the selection needs.
    pub(crate) fn stored(&self, entity: &Entity) -> Projection {
        let mut paths = Vec::new();
        if let Some(tree) = &self.include {
            paths.push("_id".to_owned());
            collect_included(entity.fields, tree, "", &mut paths);
            return Projection::Include(paths);
        }
        collect_excluded(entity.fields, &self.exclude, "", &mut paths);
        if paths.is_empty() { Projection::All } else { Projection::Exclude(paths) }
    }
}

fn default_excluded(entity: &Entity) -> Tree {
    let mut tree = Tree::default();
    for field in entity.default_excluded {
        tree.insert(field, false);
    }
    tree
}

/// Fields that are excluded by default are answered when they are named.
fn without_included(mut exclude: Tree, include: Option<&Tree>, entity: &Entity) -> Tree {
    if let Some(include) = include {
        for field in entity.default_excluded {
            if include.children.contains_key(*field) {
                exclude.children.shift_remove(*field);
            }
        }
    }
    exclude
}

/// `projection`, or else `only_fields`.
fn requested_fields(request: &Document) -> ApiResult<Vec<String>> {
    let Some(value) = ["projection", "only_fields"]
        .into_iter()
        .find_map(|key| request.get(key).filter(|value| is_truthy(Some(value))))
    else {
        return Ok(Vec::new());
    };
    as_list(value)
        .into_iter()
        .map(|name| match name {
            Bson::String(name) if name.split('.').nth(MAX_PARTS).is_some() => Err(lookup_error(&name)),
            Bson::String(name) => Ok(name),
            other => Err(ApiError::validation("field names expected in projection").with("value", other)),
        })
        .collect()
}

fn not_defined(entity: &Entity, field: Bson) -> ApiError {
    ApiError::new(codes::INVALID_FIELDS).with("fields", field).with("object", entity.name)
}

/// Checks a path that may lead through references.
fn check_joined_path(entity: &Entity, path: &str, depth: usize) -> ApiResult<()> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    if name == "id" || name == "_id" {
        return rest.map_or(Ok(()), |rest| Err(lookup_error(rest)));
    }
    let Some(field) = entity.field(name) else {
        return Err(not_defined(entity, Bson::Array(vec![Bson::from(name)])));
    };
    check_below(field, rest, depth)
}

fn check_below(field: &'static Field, rest: Option<&str>, depth: usize) -> ApiResult<()> {
    let Some(rest) = rest else { return Ok(()) };
    match &field.kind {
        Kind::Reference(target) => {
            if depth >= MAX_JOIN_DEPTH {
                return Err(lookup_error(rest));
            }
            check_joined_path(target, rest, depth + 1)
        }
        Kind::Embedded(fields) | Kind::EmbeddedList(fields) => {
            let (name, below) =
                rest.split_once('.').map_or((rest, None), |(name, below)| (name, Some(below)));
            let inner = find_field(fields, name).ok_or_else(|| lookup_error(name))?;
            check_below(inner, below, depth)
        }
        Kind::Map { depth: levels, fields } => {
            let mut parts = rest.splitn(levels + 1, '.').skip(*levels);
            let Some(leaf_path) = parts.next() else { return Ok(()) };
            let (name, below) =
                leaf_path.split_once('.').map_or((leaf_path, None), |(name, below)| (name, Some(below)));
            let inner = find_field(fields, name).ok_or_else(|| lookup_error(name))?;
            check_below(inner, below, depth)
        }
        Kind::Any => Ok(()),
        _ => Err(lookup_error(rest.split('.').next().unwrap_or(rest))),
    }
}

fn joined_with(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn collect_included(fields: &'static [Field], tree: &Tree, prefix: &str, paths: &mut Vec<String>) {
    for (name, node) in &tree.children {
        let path = joined_with(prefix, name);
        match find_field(fields, name).map(|field| &field.kind) {
            None => {}
            Some(Kind::Embedded(inner) | Kind::EmbeddedList(inner)) if !node.is_leaf() => {
                collect_included(inner, node, &path, paths);
            }
            Some(Kind::Map { .. } | Kind::Any) if !node.is_leaf() => collect_leaves(node, &path, paths),
            Some(_) => paths.push(path),
        }
    }
}

fn collect_leaves(tree: &Tree, prefix: &str, paths: &mut Vec<String>) {
    for (name, node) in &tree.children {
        let path = joined_with(prefix, name);
        if node.is_leaf() {
            paths.push(path);
        } else {
            collect_leaves(node, &path, paths);
        }
    }
}

fn collect_excluded(fields: &'static [Field], tree: &Tree, prefix: &str, paths: &mut Vec<String>) {
    for (name, node) in &tree.children {
        let path = joined_with(prefix, name);
        match find_field(fields, name).map(|field| &field.kind) {
            Some(Kind::Reference(_)) if !node.whole => {}
            Some(Kind::Embedded(inner) | Kind::EmbeddedList(inner)) if !node.is_leaf() => {
                collect_excluded(inner, node, &path, paths);
            }
            Some(Kind::Map { .. } | Kind::Any) if !node.is_leaf() => collect_leaves(node, &path, paths),
            Some(_) => paths.push(path),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
