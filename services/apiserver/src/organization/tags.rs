//! `organization.get_tags` (spec 03 §3.1).

use std::{collections::BTreeSet, sync::Arc};

use bson::Document;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiResult, Call},
    projects::{
        TagsFilter,
        tag_cache::{self, TagField, Tagged},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TagsRequest {
    #[serde(default)]
    include_system: bool,
    filter: Option<TagsFilter>,
}

/// The tags of all own tasks and models.
pub(super) async fn get_tags(app: Arc<App>, call: Arc<Call>, request: TagsRequest) -> ApiResult {
    let filter = request.filter.map_or_else(|| Ok(Document::new()), |filter| filter.document())?;
    let mut answer = Document::new();
    for field in TagField::BOTH {
        if field == TagField::SystemTags && !request.include_system {
            continue;
        }
        let mut tags = BTreeSet::new();
        for tagged in Tagged::ALL {
            tags.extend(tag_cache::tags(&app, call.company(), tagged, field, None, Some(&filter)).await?);
        }
        answer.insert(field.name(), tags.into_iter().collect::<Vec<_>>());
    }
    Ok(answer.into())
}
