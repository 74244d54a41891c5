//! Fetching what references refer to: one query per reference and chunk (spec 03 §1.12).

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::Pin,
};

use bson::{Bson, Document};
use clearml_documents::{Filter, Find};
use futures::future::try_join_all;

use super::{
    Entity, Field, Kind,
    answer::{Joined, References, render},
    entity::find_field,
    projection::{Selection, Tree},
    visibility::Visibility,
};
use crate::{App, api::ApiResult};

/// Greatest number of ids in one query.
const CHUNK: usize = 500;

/// A reference that the selection asks more of than the id.
struct Join {
    path: String,
    target: &'static Entity,
    selection: Selection,
}

/// Fetches what the selection asks of the references of these documents.
pub(crate) async fn fetch_joined(
    app: &App,
    entity: &'static Entity,
    selection: &Selection,
    visibility: &Visibility,
    stored: &[Document],
) -> ApiResult<Joined> {
    let mut joins = Vec::new();
    if let Some(tree) = &selection.include {
        collect_joins(entity.fields, tree, "", &mut joins);
    }
    let fetched = joins.into_iter().map(|join| async move {
        let documents = fetch_join(app, &join, visibility, stored).await?;
        Ok::<_, crate::api::ApiError>((join.path, documents))
    });
    Ok(try_join_all(fetched).await?.into_iter().collect())
}

fn collect_joins(fields: &'static [Field], tree: &Tree, prefix: &str, joins: &mut Vec<Join>) {
    for (name, node) in &tree.children {
        let Some(field) = find_field(fields, name) else { continue };
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match &field.kind {
            Kind::Reference(target) => {
                if let Some(selection) = joined_selection(target, node) {
                    joins.push(Join { path, target, selection });
                }
            }
            Kind::Embedded(inner) | Kind::EmbeddedList(inner) => collect_joins(inner, node, &path, joins),
            _ => {}
        }
    }
}

/// What of the referred document is asked for; `None`: nothing beyond its id.
fn joined_selection(target: &Entity, node: &Tree) -> Option<Selection> {
    let mut include = Tree { children: node.children.clone(), ..Tree::default() };
    if node.everything_below {
        for field in target.fields {
            include.children.entry(field.name.to_owned()).or_default().whole = true;
        }
    }
    let asks_more = include.children.keys().any(|name| name != "id" && name != "_id");
    asks_more.then_some(Selection { include: Some(include), exclude: Tree::default(), id: true })
}

type BoxedJoin<'a> = Pin<Box<dyn Future<Output = ApiResult<HashMap<String, Document>>> + Send + 'a>>;

fn fetch_join<'a>(
    app: &'a App,
    join: &'a Join,
    visibility: &'a Visibility,
    stored: &'a [Document],
) -> BoxedJoin<'a> {
    Box::pin(async move {
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        let parts: Vec<&str> = join.path.split('.').collect();
        for document in stored {
            collect_ids(document, &parts, &mut |id| {
                if seen.insert(id.to_owned()) {
                    ids.push(id.to_owned());
                }
            });
        }
        let projection = join.selection.stored(join.target);
        let mut documents = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let filter = Filter::ids(chunk.iter().map(String::as_str)).and(visibility.of(join.target));
            let find = Find { projection: projection.clone(), ..Find::new(filter) };
            documents.extend(app.documents.find(join.target.collection, find).await?);
        }
        let joined = fetch_joined(app, join.target, &join.selection, visibility, &documents).await?;
        let rendered = documents.iter().filter_map(|document| {
            let id = document.get_str("_id").ok()?.to_owned();
            Some((id, render(join.target, document, &join.selection, References::Objects(&joined))))
        });
        Ok(rendered.collect())
    })
}

/// Calls `found` for each non-empty text at the path, through lists.
fn collect_ids<'a>(document: &'a Document, path: &[&str], found: &mut impl FnMut(&'a str)) {
    let Some((name, rest)) = path.split_first() else { return };
    match document.get(name) {
        Some(Bson::String(id)) if rest.is_empty() && !id.is_empty() => found(id),
        Some(Bson::Document(inner)) => collect_ids(inner, rest, found),
        Some(Bson::Array(items)) => {
            for item in items.iter().filter_map(Bson::as_document) {
                collect_ids(item, rest, found);
            }
        }
        _ => {}
    }
}
