//! What every service needs to run: logs, metrics, probes, a listener that drains, orderly shutdown.

mod health;
mod healthcheck;
mod logging;
mod metrics;
mod process;
mod program;
mod serve;
mod shutdown;

pub use health::{Health, health_routes, with_probes};
pub use healthcheck::{HealthcheckError, HealthcheckOptions};
pub use logging::{LogError, LogGuard, init_logging};
pub use metrics::{Metrics, MetricsError, serve_metrics};
pub use program::run_program;
pub use serve::{Listening, bind, serve};
pub use shutdown::Shutdown;
