//! Roles of users (spec 01 §3.4).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    Root,
    Admin,
    Superuser,
    User,
    Annotator,
    Guest,
}

impl Role {
    /// All roles, most powerful first.
    pub const ALL: [Self; 7] =
        [Self::System, Self::Root, Self::Admin, Self::Superuser, Self::User, Self::Annotator, Self::Guest];

    /// The name in tokens and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Root => "root",
            Self::Admin => "admin",
            Self::Superuser => "superuser",
            Self::User => "user",
            Self::Annotator => "annotator",
            Self::Guest => "guest",
        }
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// A role of the server itself, not of a company's member.
    pub const fn is_system_role(self) -> bool {
        matches!(self, Self::System | Self::Root)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
