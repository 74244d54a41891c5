//! Which projects' usage is summed up together (spec 09 §4.3).

use std::collections::{HashMap, HashSet};

use clearml_documents::{Collection, Filter, Find};

use super::text;
use crate::{App, api::ApiResult, projects, query::Visibility};

/// Projects with the one that stands for each.
#[derive(Debug, Default)]
pub(super) struct Groups {
    group_of: HashMap<String, String>,
    names: HashMap<String, String>,
}

impl Groups {
    /// Of one project: its children, each with all below it, and itself. Of several: these, each with all
    /// below it.
    pub(super) async fn load(app: &App, visibility: &Visibility, requested: &[String]) -> ApiResult<Self> {
        let ids = || requested.iter().map(String::as_str);
        let find = Find::new(Filter::ids(ids()).or(Filter::is_in("path", ids())).and(visibility.filter()))
            .include(["name", "path"]);
        let requested: HashSet<&str> = ids().collect();
        let mut groups = Self::default();
        for project in app.documents.find(Collection::Project, find).await? {
            let Some(id) = text(&project, "_id") else { continue };
            let mut path = projects::texts(&project, "path");
            path.push(id.clone());
            let group = group_of(&path, &requested).unwrap_or_else(|| id.clone());
            if let Some(name) = text(&project, "name") {
                groups.names.insert(id.clone(), name);
            }
            groups.group_of.insert(id, group);
        }
        Ok(groups)
    }

    /// Ids of all projects.
    pub(super) fn projects(&self) -> impl Iterator<Item = &str> {
        self.group_of.keys().map(String::as_str)
    }

    /// The group of a project.
    pub(super) fn of(&self, project: &str) -> Option<&str> {
        self.group_of.get(project).map(String::as_str)
    }

    /// Full names by id.
    pub(super) fn names(&self) -> HashMap<String, String> {
        self.names.clone()
    }
}

/// The group of the last project of a path.
fn group_of(path: &[String], requested: &HashSet<&str>) -> Option<String> {
    let top = path.iter().position(|id| requested.contains(id.as_str()))?;
    let group = if requested.len() == 1 { path.get(top + 1).or(path.get(top)) } else { path.get(top) };
    group.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &[&str], requested: &[&str]) -> Option<String> {
        let path: Vec<String> = path.iter().map(|id| (*id).to_owned()).collect();
        group_of(&path, &requested.iter().copied().collect())
    }

    #[test]
    fn children_of_one_project_are_groups() {
        assert_eq!(group(&["a"], &["a"]).as_deref(), Some("a"));
        assert_eq!(group(&["a", "b"], &["a"]).as_deref(), Some("b"));
        assert_eq!(group(&["x", "a", "b", "c"], &["a"]).as_deref(), Some("b"));
    }

    #[test]
    fn several_projects_are_groups_unless_one_is_in_another() {
        assert_eq!(group(&["a", "b", "c"], &["a", "d"]).as_deref(), Some("a"));
        assert_eq!(group(&["a", "b", "c"], &["a", "b"]).as_deref(), Some("a"));
        assert_eq!(group(&["d"], &["a", "d"]).as_deref(), Some("d"));
        assert_eq!(group(&["x"], &["a", "d"]), None);
    }
}
