//! Finding the models that a call may change: those of the caller's company.

use bson::Document;
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};

use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

/// The company's model with this id.
pub(super) fn own(company: &str, id: &str) -> Filter {
    Filter::id(id).and(Filter::eq("company", company))
}

/// 400/201 of a model that is not the company's.
pub(super) fn unknown_model(company: &str, id: &str) -> ApiError {
    ApiError::new(codes::INVALID_MODEL_ID).with("company", company).with("id", id)
}

/// The company's model, with these fields. Errors: 400/201.
pub(super) async fn own_model(app: &App, call: &Call, id: &str, fields: &[&str]) -> ApiResult<Document> {
    let find = Find::new(own(call.company(), id)).include(fields.iter().copied());
    app.documents.find_one(Collection::Model, find).await?.ok_or_else(|| unknown_model(call.company(), id))
}
