//! Calls to servers of others.

use std::time::Duration;

use crate::api::ApiError;

/// Greatest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// A client whose calls end within this time.
pub(super) fn client(timeout: Duration) -> Result<reqwest::Client, ApiError> {
    // Fails if the process has a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(timeout).build().map_err(|error| unexpected(&error))
}

/// Sends the request with a JSON body; the answer if it is a success.
pub(super) async fn send(request: reqwest::RequestBuilder, body: Vec<u8>) -> Result<Vec<u8>, ApiError> {
    let request = request.header("content-type", "application/json").body(body);
    let mut response = request
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| unexpected(&error))?;
    let mut answer = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unexpected(&error))? {
        if answer.len() + piece.len() > MAX_ANSWER {
            return Err(ApiError::unexpected("the answer is too long"));
        }
        answer.extend_from_slice(&piece);
    }
    Ok(answer)
}

fn unexpected(error: &reqwest::Error) -> ApiError {
    ApiError::unexpected(error.to_string())
}
