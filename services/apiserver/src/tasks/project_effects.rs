//! What a change of tasks means for their projects: the time of the last update and the cached sets of tags
//! (spec 02 §5).

use bson::{Bson, Document};

use crate::{
    App,
    api::{ApiResult, Call},
    projects::{
        self,
        tag_cache::{self, TagField, Tagged},
    },
};

/// Which tag fields of tasks changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TagFields {
    pub(crate) tags: bool,
    pub(crate) system_tags: bool,
}

impl TagFields {
    pub(crate) const BOTH: Self = Self { tags: true, system_tags: true };

    /// Those that a request or a list of edited fields gives.
    pub(crate) fn given(fields: &Document) -> Self {
        let has = |name| fields.get(name).is_some_and(|value| *value != Bson::Null);
        Self { tags: has("tags"), system_tags: has("system_tags") }
    }

    const fn changed(self) -> &'static [TagField] {
        match (self.tags, self.system_tags) {
            (true, true) => &TagField::BOTH,
            (true, false) => &[TagField::Tags],
            (false, true) => &[TagField::SystemTags],
            (false, false) => &[],
        }
    }
}

/// A task with these tag fields was added to the project.
pub(crate) async fn added(app: &App, call: &Call, project: Option<&str>, tags: TagFields) -> ApiResult<()> {
    tags_changed(app, call, project, tags).await?;
    if let Some(project) = project {
        projects::touch(app, [project]).await?;
    }
    Ok(())
}

/// Tag fields of tasks in the project (`None`: in no project) changed.
pub(crate) async fn tags_changed(
    app: &App,
    call: &Call,
    project: Option<&str>,
    tags: TagFields,
) -> ApiResult<()> {
    match tags.changed() {
        [] => Ok(()),
        fields => tag_cache::reset(app, call.company(), Tagged::Tasks, fields, project).await,
    }
}

/// Tasks were moved between these projects (empty: no project), or changed in them in some other way: all of
/// them are touched, and their sets of tags forgotten.
pub(crate) async fn moved<'a>(
    app: &App,
    call: &Call,
    projects: impl IntoIterator<Item = &'a str>,
) -> ApiResult<()> {
    let projects: Vec<&str> = projects.into_iter().collect();
    tag_cache::reset(app, call.company(), Tagged::Tasks, &TagField::BOTH, &projects).await?;
    projects::touch(app, projects).await
}
