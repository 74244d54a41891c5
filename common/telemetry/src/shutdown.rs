//! Stopping in an orderly way.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells everything in the process when to stop. A stop may be announced before it begins: probes then say so,
/// while calls are still served, so that a balancer sends new ones elsewhere first.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    announced: CancellationToken,
    begun: CancellationToken,
}

impl Shutdown {
    /// A shutdown that SIGTERM or SIGINT announces, and that begins `delay` later. A second signal ends the
    /// process at once, with the code that shells expect.
    pub fn on_signals(delay: Duration) -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Self::default();
        let begun = shutdown.clone();
        tokio::spawn(async move {
            let name = next(&mut terminate, &mut interrupt).await;
            tracing::info!(signal = name, delay_sec = delay.as_secs_f64(), "stopping");
            begun.announce();
            tokio::select! {
                () = tokio::time::sleep(delay) => begun.begin(),
                name = next(&mut terminate, &mut interrupt) => exit(name),
            }
            exit(next(&mut terminate, &mut interrupt).await);
        });
        Ok(shutdown)
    }

    /// Announces it.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Begins.
    pub fn begin(&self) {
        self.announce();
        self.begun.cancel();
    }

    /// Whether it is announced, or has begun: no new work should come here.
    pub fn is_announced(&self) -> bool {
        self.announced.is_cancelled()
    }

    /// Waits until it begins.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }
}

fn exit(signal: &'static str) -> ! {
    tracing::warn!(signal, "stopping at once");
    std::process::exit(if signal == "SIGTERM" { 143 } else { 130 })
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
