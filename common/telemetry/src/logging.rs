//! Log lines on the standard error stream.

use clearml_config::settings::{Log, LogFormat};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
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

/// Lines that wait to be written. Whoever reads the stream too slowly loses lines; no call waits for it.
const BUFFERED_LINES: usize = 32_000;

/// Writes the last lines when it is dropped: keep it until the end of `main`.
#[must_use]
pub struct LogGuard(#[expect(dead_code, reason = "held for its drop")] WorkerGuard);

/// Starts logging. The variable `RUST_LOG` wins over the configured level.
pub fn init_logging(settings: &Log) -> Result<LogGuard, LogError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(variable) if !variable.is_empty() => variable,
        _ => settings.level.clone(),
    };
    let parsed = EnvFilter::try_new(&filter).map_err(|reason| LogError::Filter { filter, reason })?;
    let (stream, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(BUFFERED_LINES)
        .thread_name("log-writer")
        .finish(std::io::stderr());
    let registry = tracing_subscriber::registry().with(parsed);
    match settings.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let layer = fmt::layer().with_writer(stream).with_ansi(colours).with_target(false);
            registry.with(layer).try_init()?;
        }
        LogFormat::Json => {
            let layer = fmt::layer().with_writer(stream).json().flatten_event(true);
            registry.with(layer).try_init()?;
        }
    }
    Ok(LogGuard(guard))
}
