//! Metrics for Prometheus.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use clearml_config::settings;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{Health, Shutdown, bind, health_routes, process, serve};

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Metrics can't be collected.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("failed to start collecting metrics: {0}")]
    Collect(#[from] BuildError),
    #[error("telemetry.metrics.listen.ip: {0:?} is no IP address")]
    Address(String),
    #[error("{0}")]
    Bind(#[from] std::io::Error),
}

/// Collects and serves metrics on a port of their own, with the probes beside them, if the settings ask for
/// it; until the shutdown begins.
pub async fn serve_metrics(
    settings: &settings::Metrics,
    health: Health,
    shutdown: &Shutdown,
) -> Result<(), MetricsError> {
    if !settings.enabled {
        return Ok(());
    }
    let ip = &settings.listen.ip;
    let ip: IpAddr = ip.parse().map_err(|_| MetricsError::Address(ip.clone()))?;
    let listening = bind(SocketAddr::new(ip, settings.listen.port), "metrics page").await?;
    let routes = Metrics::start()?.routes().merge(health_routes(health));
    tracing::info!(address = %listening.address, "metrics are served");
    tokio::spawn(serve(listening, routes, shutdown.clone(), Duration::from_secs(1)));
    Ok(())
}

/// What this process has counted since [`Metrics::start`]. Without a start nothing is counted and counting
/// costs nothing.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Starts to collect, once in a process.
    pub fn start() -> Result<Self, MetricsError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)?
            .install_recorder()?;
        Ok(Self { handle })
    }

    /// The page that Prometheus reads: `GET /metrics`.
    pub fn routes(&self) -> Router {
        Router::new().route("/metrics", get(page)).with_state(self.clone())
    }
}

async fn page(State(metrics): State<Metrics>) -> impl IntoResponse {
    let text = tokio::task::spawn_blocking(move || {
        process::record();
        metrics.handle.run_upkeep();
        metrics.handle.render()
    })
    .await
    .unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
