//! API versions: `major.minor`, compared number by number.

use bson::Bson;

/// A version of the API, as in `/v2.31/tasks.get_all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    pub major: u32,
    pub minor: u32,
}

impl ApiVersion {
    /// The newest version this server speaks; what a call without a version gets.
    pub const CURRENT: Self = Self::new(2, 34);

    /// Requests below this version get versions as JSON numbers in their envelope.
    const FIRST_AS_TEXT: Self = Self::new(2, 1);

    /// `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// This version as the envelope of a request for `requested` shows it.
    pub(crate) fn in_envelope_of(self, requested: Self) -> Bson {
        let text = self.to_string();
        match text.parse() {
            Ok(number) if requested < Self::FIRST_AS_TEXT => Bson::Double(number),
            _ => Bson::String(text),
        }
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}
