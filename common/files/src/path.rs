//! Safe paths (spec 06 §1.6).

/// The path of a file below the storage root: relative, normalised, never the root itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePath(String);

/// The text names nothing below the root: absolute, leading out of it, the root itself, with a NUL, or longer
/// than file systems take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unsafe path")]
pub struct InvalidPath;

/// Folder at the root for files that are still being written. No path leads into it.
pub(crate) const UPLOADS: &str = ".clearml-uploads";

/// Longest name of a file or folder in bytes: what nearly all file systems take.
const LONGEST_NAME: usize = 255;
/// Longest path in bytes: Linux takes 4096, with the root's.
const LONGEST_PATH: usize = 3072;

impl FilePath {
    /// Normalises as POSIX does (`a//b`, `a/./b`, `a/x/../b` are `a/b`, a trailing slash is dropped) and
    /// refuses what does not stay below the root.
    ///
    /// ```
    /// use clearml_files::FilePath;
    /// assert_eq!(FilePath::parse("a/x/../b/").unwrap().as_str(), "a/b");
    /// assert!(FilePath::parse("a/../..").is_err());
    /// assert!(FilePath::parse("a/..").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        if text.starts_with('/') || text.contains('\0') {
            return Err(InvalidPath);
        }
        let mut segments: Vec<&str> = Vec::new();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop().ok_or(InvalidPath)?;
                }
                name => segments.push(name),
            }
        }
        if segments.is_empty()
            || segments[0] == UPLOADS
            || segments.iter().any(|segment| segment.len() > LONGEST_NAME)
        {
            return Err(InvalidPath);
        }
        let path = segments.join("/");
        if path.len() > LONGEST_PATH {
            return Err(InvalidPath);
        }
        Ok(Self(path))
    }

    /// The normalised path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl std::fmt::Display for FilePath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_leaves_the_root_or_is_the_root() {
        for text in
            ["", "/", ".", "..", "../a", "a/../../b", "a/..", "/etc/passwd", "a\0b", ".clearml-uploads/x"]
        {
            assert_eq!(FilePath::parse(text), Err(InvalidPath), "{text:?}");
        }
    }

    #[test]
    fn refuses_what_no_file_system_takes() {
        assert!(FilePath::parse(&"n".repeat(255)).is_ok());
        assert!(FilePath::parse(&"n".repeat(256)).is_err());
        assert!(FilePath::parse(&format!("{}f", "d/".repeat(1500))).is_ok());
        assert!(FilePath::parse(&format!("{}f", "d/".repeat(1536))).is_err());
    }

    #[test]
    fn keeps_names_verbatim() {
        for text in ["a%20b", "é #?/ü\"x", "a\\b", "..a/b..", "a b/ c "] {
            assert_eq!(FilePath::parse(text).map(|path| path.0), Ok(text.to_owned()));
        }
        assert_eq!(FilePath::parse("a//./b/x/../c/").map(|path| path.0), Ok("a/b/c".to_owned()));
    }
}
