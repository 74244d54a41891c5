//! Log lines on the standard error stream.

use clearml_config::settings::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Logging can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is none.
    #[error("telemetry.log.level: {filter:?} is no log level or filter ({reason})")]
    Filter { filter: String, reason: ParseError },
    /// Somebody has set up logging in this process before.
    #[error("{0}")]
    Repeated(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging. The variable `RUST_LOG` wins over the configured level.
pub fn init_logging(settings: &Log) -> Result<(), LogError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(variable) if !variable.is_empty() => variable,
        _ => settings.level.clone(),
    };
    let parsed = EnvFilter::try_new(&filter).map_err(|reason| LogError::Filter { filter, reason })?;
    let registry = tracing_subscriber::registry().with(parsed);
    match settings.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
            registry.with(layer).try_init()?;
        }
        LogFormat::Json => {
            let layer = fmt::layer().with_writer(std::io::stderr).json().flatten_event(true);
            registry.with(layer).try_init()?;
        }
    }
    Ok(())
}
