//! The file server on a local directory.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod http;

mod backend {
    use std::sync::Arc;

    use clearml_files::{FileStore, LocalFiles};

    /// An empty place for files, for as long as the guard lives.
    #[expect(clippy::unused_async, reason = "other stores wait")]
    pub(crate) async fn open() -> Option<(Arc<dyn FileStore>, tempfile::TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        Some((Arc::new(LocalFiles::open(folder.path()).unwrap()), folder))
    }
}
