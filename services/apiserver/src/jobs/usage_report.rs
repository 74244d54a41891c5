//! Sends usage statistics of the companies that have opted in (spec 01 §8.2).

use std::{sync::Arc, time::Duration};

use clearml_config::settings::Statistics;
use clearml_documents::{Collection, Filter, Find};
use rand::RngExt;

use super::outbound;
use crate::{
    App,
    api::{ApiError, json::write_document},
    server,
};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a report for each of them. What fails is tried again a few times, and then left.
pub(super) async fn send(app: &Arc<App>, settings: &Statistics) -> Result<(), ApiError> {
    let opted_in = Find::new(Filter::eq("defaults.stats_option.enabled", true)).include(["_id"]);
    let companies = app.documents.find(Collection::Company, opted_in).await?;
    for company in companies.iter().filter_map(|company| company.get_str("_id").ok()) {
        let report = server::report(app, company).await?;
        let mut body = Vec::new();
        write_document(&mut body, &report).map_err(|error| ApiError::unexpected(format!("{error:?}")))?;
        send_one(settings, body).await;
    }
    Ok(())
}

async fn send_one(settings: &Statistics, body: Vec<u8>) {
    let Ok(client) = outbound::client(TIMEOUT) else { return };
    for _ in 0..=settings.max_retries {
        match outbound::send(client.post(&settings.url), body.clone()).await {
            Ok(_) => return,
            Err(error) => tracing::debug!(error = error.message(), "failed to send the usage statistics"),
        }
        let longest = settings.max_backoff_sec.duration().as_secs_f64();
        let pause = Duration::from_secs_f64(rand::rng().random_range(0.0..=longest));
        tokio::time::sleep(pause).await;
    }
}
