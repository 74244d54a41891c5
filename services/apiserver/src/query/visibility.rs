//! Which documents a caller may see (spec 03 §1.1).

use clearml_documents::Filter;

use super::Entity;
use crate::api::Call;

/// Which documents a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visibility {
    company: String,
    public: bool,
}

impl Visibility {
    /// Those of the caller's company, and public ones.
    pub(crate) fn own_and_public(call: &Call) -> Self {
        Self { company: call.company().to_owned(), public: true }
    }

    /// Those of the caller's company.
    pub(crate) fn own(call: &Call) -> Self {
        Self { company: call.company().to_owned(), public: false }
    }

    /// With or without public documents.
    pub(crate) fn allow_public(self, public: bool) -> Self {
        Self { public, ..self }
    }

    /// The condition on a collection whose documents carry their company.
    pub(crate) fn filter(&self) -> Filter {
        if self.public && !self.company.is_empty() {
            Filter::is_in("company", [self.company.as_str(), ""])
        } else {
            Filter::eq("company", self.company.as_str())
        }
    }

    /// The condition on an entity's collection; companies themselves carry none.
    pub(crate) fn of(&self, entity: &Entity) -> Filter {
        if entity.field("company").is_some() { self.filter() } else { Filter::Everything }
    }
}

/// Everything that is not hidden by its system tag.
pub(crate) fn not_hidden() -> Filter {
    Filter::ne("system_tags", "hidden")
}
