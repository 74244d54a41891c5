//! Names of projects: paths of segments (spec 03 §2.1).

use crate::api::{ApiError, ApiResult, codes};

/// Greatest number of segments.
const MAX_DEPTH: usize = 10;
/// Fewest characters of a full name.
const MIN_LENGTH: usize = 3;

/// A clean full name: segments joined by `/`, none of them empty or surrounded by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProjectName {
    segments: Vec<String>,
}

impl ProjectName {
    /// Cleans a name as given.
    ///
    /// # Errors
    /// 400/407 when no segment is left.
    pub(super) fn parse(given: &str) -> ApiResult<Self> {
        Self::parse_location(given)
            .ok_or_else(|| ApiError::new(codes::INVALID_PROJECT_NAME).with("name", given))
    }

    /// Cleans the name of a place for projects; `None` is the root.
    pub(super) fn parse_location(given: &str) -> Option<Self> {
        let segments = segments(given);
        (!segments.is_empty()).then_some(Self { segments })
    }

    /// The name in full.
    pub(super) fn full(&self) -> String {
        self.segments.join("/")
    }

    /// The last segment.
    pub(super) fn basename(&self) -> &str {
        self.segments.last().map_or("", String::as_str)
    }

    /// All but the last segment; `None` is the root.
    pub(super) fn location(&self) -> Option<Self> {
        let (_, location) = self.segments.split_last()?;
        (!location.is_empty()).then(|| Self { segments: location.to_vec() })
    }

    /// The names of all ancestors from the top, and this one at last.
    pub(super) fn with_ancestors(&self) -> Vec<Self> {
        (1..=self.segments.len()).map(|depth| Self { segments: self.segments[..depth].to_vec() }).collect()
    }

    /// Number of segments.
    pub(super) fn depth(&self) -> usize {
        self.segments.len()
    }

    /// Checks what every stored name fulfils.
    ///
    /// # Errors
    /// 400/800 for a name that is too short.
    pub(super) fn check_length(&self) -> ApiResult<()> {
        if self.full().chars().count() < MIN_LENGTH {
            return Err(ApiError::new(codes::DATA_VALIDATION_ERROR).with("name", "String value is too short"));
        }
        Ok(())
    }
}

/// A full name without empty segments and surrounding space.
///
/// # Errors
/// 400/407 when no segment is left.
pub(crate) fn clean_name(given: &str) -> ApiResult<String> {
    Ok(ProjectName::parse(given)?.full())
}

/// The non-empty segments of a name, trimmed.
fn segments(name: &str) -> Vec<String> {
    name.split('/').map(str::trim).filter(|segment| !segment.is_empty()).map(ToOwned::to_owned).collect()
}

/// Number of segments of a name.
pub(super) fn depth(name: &str) -> usize {
    segments(name).len()
}

/// Checks that a project may lie at this depth.
///
/// # Errors
/// 400/409 beyond 10 segments.
pub(super) fn check_depth(depth: usize) -> ApiResult<()> {
    if depth > MAX_DEPTH {
        return Err(ApiError::new(codes::PROJECT_PATH_EXCEEDS_MAX).with("max_depth", MAX_DEPTH as i64));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_names() {
        for (given, clean) in [("a/b", "a/b"), (" a / b ", "a/b"), ("/a//b/", "a/b"), ("a b", "a b")] {
            assert_eq!(ProjectName::parse(given).unwrap().full(), clean);
        }
        for nothing in ["", "/", " / ", "//"] {
            let error = ProjectName::parse(nothing).unwrap_err();
            assert_eq!(error.message(), format!("Invalid project name: name={nothing}"));
            assert!(ProjectName::parse_location(nothing).is_none());
        }
    }

    #[test]
    fn knows_its_parts() {
        let name = ProjectName::parse("top/middle/last").unwrap();
        assert_eq!(name.basename(), "last");
        assert_eq!(name.location().unwrap().full(), "top/middle");
        assert_eq!(name.depth(), 3);
        let ancestors: Vec<String> = name.with_ancestors().iter().map(ProjectName::full).collect();
        assert_eq!(ancestors, ["top", "top/middle", "top/middle/last"]);
        assert!(ProjectName::parse("top").unwrap().location().is_none());
    }

    #[test]
    fn limits_depth_and_length() {
        assert!(check_depth(10).is_ok());
        assert_eq!(check_depth(11).unwrap_err().code, codes::PROJECT_PATH_EXCEEDS_MAX);
        assert!(ProjectName::parse("abc").unwrap().check_length().is_ok());
        assert_eq!(
            ProjectName::parse("ab").unwrap().check_length().unwrap_err().message(),
            "Data validation error: name=String value is too short"
        );
    }
}
