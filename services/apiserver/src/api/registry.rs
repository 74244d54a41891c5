//! All endpoints, by name and version.

use std::collections::HashMap;

use super::{ApiError, ApiVersion, Endpoint, codes};

/// The endpoints of a server.
#[derive(Default)]
pub struct Registry {
    /// Implementations of each name, newest first.
    endpoints: HashMap<&'static str, Vec<Endpoint>>,
}

impl Registry {
    /// A registry of these endpoints. Of two with the same name and version the later counts.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let mut registry = Self::default();
        for endpoint in endpoints {
            let implementations = registry.endpoints.entry(endpoint.name).or_default();
            implementations.retain(|other| other.since != endpoint.since);
            implementations.push(endpoint);
            implementations.sort_by_key(|implementation| std::cmp::Reverse(implementation.since));
        }
        registry
    }

    /// The newest implementation that is not newer than `version`; 404/0 if there is none.
    pub fn find(&self, name: &str, version: ApiVersion) -> Result<&Endpoint, ApiError> {
        self.endpoints
            .get(name)
            .and_then(|implementations| implementations.iter().find(|endpoint| endpoint.since <= version))
            .ok_or_else(|| {
                ApiError::new(codes::UNKNOWN_ENDPOINT)
                    .text(format!("Unable to find endpoint for name {name} and version {version}"))
            })
    }

    /// All endpoints with their implementations, newest first; names in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[Endpoint])> {
        self.endpoints.iter().map(|(name, implementations)| (*name, implementations.as_slice()))
    }
}
