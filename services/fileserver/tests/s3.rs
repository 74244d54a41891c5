//! The file server on S3, told by `CLEARML_S3_ENDPOINT` and the usual variables.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod http;

mod backend {
    use std::{
        env::var,
        sync::{Arc, Once},
    };

    use clearml_files::{
        FileError, FilePath, FileStore, ObjectFiles,
        object::{ObjectAccess, Provider, S3Access, S3Keys, Transport, UploadSettings},
    };

    const FOLDER: &str = "fileserver-tests";

    /// An empty place for files, for as long as the guard lives.
    pub(crate) async fn open() -> Option<(Arc<dyn FileStore>, Guard)> {
        static SKIPPED: Once = Once::new();
        let Ok(endpoint) = var("CLEARML_S3_ENDPOINT") else {
            SKIPPED.call_once(|| eprintln!("skipped: CLEARML_S3_ENDPOINT is not set"));
            return None;
        };
        let keys = S3Keys {
            key: var("AWS_ACCESS_KEY_ID").unwrap(),
            secret: var("AWS_SECRET_ACCESS_KEY").unwrap(),
            token: None,
        };
        let s3 = S3Access {
            endpoint: Some(endpoint),
            region: var("AWS_REGION").ok(),
            keys: Some(keys),
            ..S3Access::default()
        };
        let access = ObjectAccess {
            provider: Provider::S3(s3),
            bucket: var("CLEARML_S3_BUCKET").unwrap(),
            transport: Transport { allow_http: true, ..Transport::default() },
            environment: Vec::new(),
        };
        let name = format!("{:x}", rand::random::<u64>());
        let prefix = format!("{FOLDER}/{name}");
        let files = ObjectFiles::open(&access, &prefix, UploadSettings::default()).await.unwrap();
        Some((Arc::new(files), Guard { access, name }))
    }

    /// Removes what a test left.
    pub(crate) struct Guard {
        access: ObjectAccess,
        name: String,
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            let (access, name) = (self.access.clone(), FilePath::parse(&self.name).unwrap());
            let remove = async move {
                let files = ObjectFiles::open(&access, FOLDER, UploadSettings::default()).await.unwrap();
                let outcome = files.delete_folder(&name).await;
                assert!(matches!(outcome, Ok(()) | Err(FileError::NotFound)), "{outcome:?}");
            };
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            std::thread::spawn(move || runtime().block_on(remove)).join().unwrap();
        }
    }
}
