//! `services.storage_credentials` and the environment: what holds for companies that have stored nothing.

use bson::{Bson, Document, doc};
use clearml_config::Environment;

use super::credentials::{Aws, Azure, AzureContainer, Credentials, Google, filled};

/// Credentials of the installation.
#[derive(Clone)]
pub struct StorageSettings {
    credentials: Credentials,
    /// `AWS_*`, `AZURE_*`, `GOOGLE_*` variables, for credentials that the providers' own chains find.
    pub(crate) environment: Vec<(String, String)>,
}

impl std::fmt::Debug for StorageSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StorageSettings").finish_non_exhaustive()
    }
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self::new(&Document::new(), &Environment::default())
    }
}

impl StorageSettings {
    /// Those of the configuration's `services.storage_credentials`, completed from the environment.
    pub fn new(configured: &Document, environment: &Environment) -> Self {
        let is_ours = |name: &str| {
            ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix))
                || name == "STORAGE_EMULATOR_HOST"
        };
        let variables = environment.iter().filter(|(name, _)| is_ours(name));
        Self {
            credentials: Credentials {
                aws: aws(section(configured, "aws", "s3"), environment),
                google: google(section(configured, "google", "storage"), environment),
                azure: azure(section(configured, "azure", "storage"), environment),
            },
            environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    /// The configured credentials.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

fn section<'d>(configured: &'d Document, provider: &str, store: &str) -> Option<&'d Document> {
    configured.get_document(provider).and_then(|provider| provider.get_document(store)).ok()
}

fn aws(section: Option<&Document>, environment: &Environment) -> Aws {
    let mut section = section.cloned().unwrap_or_default();
    if !section.contains_key("credentials") {
        // A MinIO server on this machine with the keys that it starts with.
        let local = doc! {
            "host": "localhost:9000",
            "key": "minioadmin",
            "secret": "minioadmin",
            "multipart": false,
            "secure": false,
        };
        section.insert("credentials", vec![Bson::Document(local)]);
    }
    let mut aws = Aws::read(&section, "credentials");
    let variables = [
        (&mut aws.key, "AWS_ACCESS_KEY_ID"),
        (&mut aws.secret, "AWS_SECRET_ACCESS_KEY"),
        (&mut aws.token, "AWS_SESSION_TOKEN"),
        (&mut aws.region, "AWS_DEFAULT_REGION"),
    ];
    for (setting, variable) in variables {
        if filled(setting.as_ref()).is_none() {
            *setting = Some(environment.get(variable).unwrap_or_default().to_owned());
        }
    }
    aws
}

fn google(section: Option<&Document>, environment: &Environment) -> Google {
    let mut google = section.map(|section| Google::read(section, "credentials")).unwrap_or_default();
    if google.credentials_json.is_none() {
        let variable = environment.first(["GOOGLE_APPLICATION_CREDENTIALS"]);
        google.credentials_json = variable.map(|(_, path)| path.to_owned());
    }
    for text in google.credential_texts() {
        let is_file = text.as_deref().is_some_and(|text| !text.trim_start().starts_with('{'));
        if let Some(path) = text.take_if(|_| is_file).filter(|path| !path.is_empty()) {
            match std::fs::read_to_string(&path) {
                Ok(json) => *text = Some(json),
                Err(error) => {
                    tracing::warn!(path, %error, "failed to read the credentials of Google Storage");
                }
            }
        }
    }
    google
}

fn azure(section: Option<&Document>, environment: &Environment) -> Azure {
    let configured = section.and_then(|section| section.get_array("containers").ok());
    let configured = configured.into_iter().flatten().filter_map(Bson::as_document);
    let mut containers: Vec<_> = configured.map(AzureContainer::read_configured).collect();
    if let (Some((_, account)), Some((_, key))) =
        (environment.first(["AZURE_STORAGE_ACCOUNT"]), environment.first(["AZURE_STORAGE_KEY"]))
    {
        containers.push(AzureContainer {
            account_name: account.to_owned(),
            account_key: key.to_owned(),
            ..AzureContainer::default()
        });
    }
    Azure { containers }
}
