//! Waiting for stores that start at the same time as this program, or that are away for a moment.

use std::{fmt::Display, time::Duration};

use clearml_config::Settings;
use tokio::time::Instant;

use crate::PAUSE;

/// How long a start waits for a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self(settings.stores.start_timeout_sec.duration())
    }

    /// The number of further tries.
    pub(crate) fn retries(self) -> u32 {
        u32::try_from(self.0.as_millis() / PAUSE.as_millis()).unwrap_or(u32::MAX)
    }

    /// Tries again and again, until it works, time is over, or it fails in a way that waiting does not mend.
    pub(crate) async fn wait<T, E: Display>(
        self,
        store: &str,
        mut attempt: impl AsyncFnMut() -> Result<T, E>,
        may_pass: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let until = Instant::now() + self.0;
        let mut has_failed = false;
        loop {
            let error = match attempt().await {
                Ok(value) => {
                    if has_failed {
                        tracing::info!(store, "the store answers");
                    }
                    return Ok(value);
                }
                Err(error) => error,
            };
            if !may_pass(&error) || Instant::now() + PAUSE > until {
                return Err(error);
            }
            if !has_failed {
                tracing::warn!(store, %error, patience_sec = self.0.as_secs(), "waiting for a store");
            }
            has_failed = true;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_what_passes_and_not_for_ever() {
        let patience = Patience(Duration::from_secs(20));
        let mut tries = 0;
        let attempt = async || {
            tries += 1;
            if tries < 4 { Err("away") } else { Ok(tries) }
        };
        assert_eq!(patience.wait("a store", attempt, |_| true).await, Ok(4));

        let mut tries = 0;
        let attempt = async || {
            tries += 1;
            Err::<(), _>("away")
        };
        assert_eq!(patience.wait("a store", attempt, |_| true).await, Err("away"));
        assert_eq!(tries, 11);

        let attempt = async || Err::<(), _>("wrong password");
        let began = Instant::now();
        assert_eq!(patience.wait("a store", attempt, |_| false).await, Err("wrong password"));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
