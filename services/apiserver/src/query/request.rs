//! One call of a list endpoint, from request to answered page.

use bson::{Bson, Document};
use clearml_documents::{Collection, Filter, Find, Projection};

use super::{
    Entity,
    answer::{Joined, References, render},
    conditions::request_filter,
    joins::fetch_joined,
    lookup::{as_list, is_truthy},
    order::{Ordering, has_collated_parameter, ordering},
    paging::{Scroll, Slice, page},
    paths::rewrite_paths,
    projection::Selection,
    tags::split_legacy_tags,
    visibility::{Visibility, not_hidden},
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
};

/// Greatest number of documents that are read to be counted.
const FEW: u64 = 100;

/// A list request that is being prepared; [`Query::fetch`] reads a page, [`Query::count`] counts.
#[must_use]
pub(crate) struct Query<'a> {
    app: &'a App,
    call: &'a Call,
    entity: &'static Entity,
    /// The request's parameters.
    request: Document,
    /// References become objects, and can be joined by the projection (`get_all_ex`).
    join: bool,
    visibility: Visibility,
    restriction: Filter,
}

/// Documents as the API answers them, and the position of a scroll.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) items: Vec<Document>,
    /// Only when the request scrolls.
    pub(crate) scroll_id: Option<String>,
}

impl Page {
    /// `{<name>: [items], scroll_id?}`.
    pub(crate) fn reply(self, name: &str) -> Reply {
        let mut data = Document::new();
        data.insert(name, self.items.into_iter().map(Bson::Document).collect::<Vec<_>>());
        if let Some(scroll_id) = self.scroll_id {
            data.insert("scroll_id", scroll_id);
        }
        Reply::Data(data)
    }
}

impl<'a> Query<'a> {
    /// References are answered as plain ids (`get_all`); own and public documents.
    pub(crate) fn plain(app: &'a App, call: &'a Call, entity: &'static Entity, request: Document) -> Self {
        Self {
            app,
            call,
            entity,
            request,
            join: false,
            visibility: Visibility::own_and_public(call),
            restriction: Filter::Everything,
        }
    }

    /// References are answered as objects, and joined if the projection names fields of them (`get_all_ex`,
    /// `get_by_id_ex`). Own documents, and public ones unless the request says `allow_public: false`.
    pub(crate) fn joined(app: &'a App, call: &'a Call, entity: &'static Entity, request: Document) -> Self {
        let public = request.get("allow_public").is_none_or(|value| is_truthy(Some(value)));
        let visibility = Visibility::own_and_public(call).allow_public(public);
        Self { join: true, visibility, ..Self::plain(app, call, entity, request) }
    }

    /// Changes who is seen.
    pub(crate) fn visible(self, visibility: Visibility) -> Self {
        Self { visibility, ..self }
    }

    /// Only documents that fulfil this as well.
    pub(crate) fn restrict(self, filter: Filter) -> Self {
        Self { restriction: self.restriction.and(filter), ..self }
    }

    /// Brings the request of an older client, and its paths into maps, into today's spelling
    /// (spec 03 §1.13).
    ///
    /// # Errors
    /// 400/12 for a path into a map with too few or too many parts.
    pub(crate) fn prepare(mut self) -> ApiResult<Self> {
        split_legacy_tags(&mut self.request, self.entity, self.call.version);
        let rules = &self.entity.paths;
        if !rules.replacements.is_empty() || !rules.escaped_prefixes.is_empty() {
            self.request = rewrite_paths(self.request, rules)?;
        }
        Ok(self)
    }

    /// Leaves hidden documents out, unless the request has `search_hidden` or `id`.
    pub(crate) fn hide_hidden(self) -> Self {
        if is_truthy(self.request.get("search_hidden")) || is_truthy(self.request.get("id")) {
            return self;
        }
        self.restrict(not_hidden())
    }

    /// Extends the request's `project` by all projects below, if it says `include_subprojects`.
    pub(crate) async fn expand_subprojects(mut self) -> ApiResult<Self> {
        if is_truthy(self.request.get("include_subprojects"))
            && let Some(project) = self.request.get("project").filter(|project| is_truthy(Some(project)))
        {
            let projects = with_subprojects(self.app, as_list(project)).await?;
            self.request.insert("project", projects);
        }
        Ok(self)
    }

    /// The whole condition: the request's parameters, what the caller may see, and restrictions.
    ///
    /// # Errors
    /// The 400s of spec 03 §1.3 to §1.9.
    pub(crate) fn filter(&self) -> ApiResult<Filter> {
        Ok(self
            .visibility
            .of(self.entity)
            .and(self.restriction.clone())
            .and(request_filter(self.entity, &self.request)?))
    }

    /// Number of documents that fulfil the query, or `limit` if there are more; text search, order and paging
    /// do not matter.
    pub(crate) async fn count(&self, limit: Option<u64>) -> ApiResult<u64> {
        let (collection, filter) = (self.entity.collection, self.filter()?);
        let numeric_collation = has_collated_parameter(self.entity, &self.request);
        match limit {
            // So few are found faster than all are counted.
            Some(limit) if limit <= FEW => {
                let find = Find { numeric_collation, ..Find::new(filter).include(["_id"]).limit(limit) };
                Ok(self.app.documents.find(collection, find).await?.len() as u64)
            }
            _ => {
                let count = self.app.documents.count(collection, filter, numeric_collation).await?;
                Ok(limit.map_or(count, |limit| count.min(limit)))
            }
        }
    }

    /// Reads the requested page, ordered, projected and joined.
    ///
    /// # Errors
    /// The 400s of spec 03 part 1; 500/1 when a store fails.
    pub(crate) async fn fetch(&self) -> ApiResult<Page> {
        let mut filter = self.filter()?;
        if let Some(Bson::String(words)) =
            self.request.get("search_text").filter(|text| is_truthy(Some(text)))
        {
            filter = filter.and(Filter::Text(words.clone()));
        }
        let ordering = ordering(self.entity, &self.request)?;
        let selection = if self.join {
            Selection::joined(self.entity, &self.request)?
        } else {
            Selection::plain(self.entity, &self.request)?
        };
        let (scroll, slice) = if Scroll::is_requested(&self.request) {
            let (scroll, slice) = Scroll::open(self.app, &self.request).await?;
            (Some(scroll), slice)
        } else {
            (None, page(&self.request)?)
        };
        let projection = selection.stored(self.entity);
        let stored =
            find_ordered(self.app, self.entity.collection, filter, &ordering, slice, projection).await?;
        let joined = if self.join {
            fetch_joined(self.app, self.entity, &selection, &self.visibility, &stored).await?
        } else {
            Joined::new()
        };
        let references = if self.join { References::Objects(&joined) } else { References::Ids };
        let items =
            stored.iter().map(|document| render(self.entity, document, &selection, references)).collect();
        let scroll_id = match scroll {
            Some(scroll) => Some(scroll.advance(self.app, stored.len()).await?),
            None => None,
        };
        Ok(Page { items, scroll_id })
    }
}

/// A slice of the results in order, documents with an empty first field last.
async fn find_ordered(
    app: &App,
    collection: Collection,
    filter: Filter,
    ordering: &Ordering,
    slice: Slice,
    projection: Projection,
) -> ApiResult<Vec<Document>> {
    let find = |filter: Filter, skip: u64, limit: Option<u64>| Find {
        filter,
        sort: ordering.sort.clone(),
        skip,
        limit,
        projection: projection.clone(),
        numeric_collation: ordering.numeric_collation,
    };
    let Some(empties) = &ordering.empties_last else {
        return Ok(app.documents.find(collection, find(filter, slice.skip, slice.limit)).await?);
    };
    let non_empty = filter.clone().and(empties.non_empty.clone());
    let mut documents =
        app.documents.find(collection, find(non_empty.clone(), slice.skip, slice.limit)).await?;
    let found = documents.len() as u64;
    let missing = slice.limit.map(|limit| limit.saturating_sub(found));
    if missing == Some(0) {
        return Ok(documents);
    }
    let skip_empty = if found > 0 || slice.skip == 0 {
        0
    } else {
        let before = app.documents.count(collection, non_empty, ordering.numeric_collation).await?;
        slice.skip.saturating_sub(before)
    };
    let empty = filter.and(empties.empty.clone());
    documents.extend(app.documents.find(collection, find(empty, skip_empty, missing)).await?);
    Ok(documents)
}

/// These projects and all below them, at any depth; values that are no ids are kept as they are.
pub(crate) async fn with_subprojects(app: &App, projects: Vec<Bson>) -> ApiResult<Vec<Bson>> {
    let ids: Vec<&str> = projects.iter().filter_map(Bson::as_str).collect();
    if ids.is_empty() {
        return Ok(projects);
    }
    let find = Find::new(Filter::is_in("path", ids)).include(["_id"]);
    let descendants = app.documents.find(Collection::Project, find).await?;
    let mut expanded = projects;
    let known: std::collections::HashSet<String> =
        expanded.iter().filter_map(Bson::as_str).map(ToOwned::to_owned).collect();
    for descendant in descendants {
        if let Ok(id) = descendant.get_str("_id")
            && !known.contains(id)
        {
            expanded.push(Bson::from(id));
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::{
        query::testing::{CountedApp, call},
        tasks::schema::TASK,
    };

    /// A page with joins of joins takes one reading per reference, however long it is.
    #[tokio::test]
    async fn joins_do_not_ask_per_document() {
        let counted = CountedApp::start();
        let project =
            |n: i32| doc! { "_id": format!("p{n}"), "name": format!("project {n}"), "user": format!("u{n}") };
        counted.store(Collection::Project, (0..50).map(project)).await;
        counted.store(Collection::User, (0..50).map(|n| doc! { "_id": format!("u{n}"), "name": "N" })).await;
        let task = |n: i32| {
            doc! {
                "_id": format!("t{n}"), "name": "task", "project": format!("p{}", n % 50), "parent": "t0",
                "user": format!("u{}", n % 50),
            }
        };
        counted.store(Collection::Task, (0..400).map(task)).await;

        let fields = vec!["project.user.name", "parent.project.name", "user.name", "execution.queue.name"];
        let request = doc! { "only_fields": fields, "order_by": ["-last_update"] };
        let caller = call();
        let page = Query::joined(&counted.app, &caller, &TASK, request).fetch().await.unwrap();
        assert_eq!(page.items.len(), 400);
        assert_eq!(
            page.items[7]
                .get_document("project")
                .unwrap()
                .get_document("user")
                .unwrap()
                .get_str("name")
                .unwrap(),
            "N"
        );
        // Tasks; project, its user; parent, its project; user. No task is in a queue.
        assert_eq!(counted.store.take_readings(), 6);
    }
}
