//! Only one replica at a time sets the databases up.

use std::time::Duration;

use clearml_config::Settings;
use clearml_state::StateError;
use md5::{Digest, Md5};

use super::StartupError;
use crate::App;

const POLL: Duration = Duration::from_millis(100);

pub(super) struct SetupLock {
    key: String,
    holder: String,
    lifetime: Duration,
}

/// Waits for the lock, at most twice its lifetime.
pub(super) async fn acquire(app: &App, settings: &Settings) -> Result<SetupLock, StartupError> {
    let lifetime = settings.apiserver.db_init_timout.duration();
    let mut uris = [&settings.hosts.mongo.backend.host, &settings.hosts.mongo.auth.host].map(String::as_str);
    uris.sort_unstable();
    let digest = Md5::digest(uris.join(";"));
    let key =
        format!("dist_lock_db_init_{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let holder = app.new_id();
    let patience = lifetime * 2;
    let acquired = tokio::time::timeout(patience, async {
        while !app.state.set_if_absent(&key, &holder, lifetime).await? {
            tokio::time::sleep(POLL).await;
        }
        Ok::<(), StartupError>(())
    });
    acquired.await.map_err(|_| StartupError::Locked)??;
    Ok(SetupLock { key, holder, lifetime })
}

impl SetupLock {
    /// Does the work, and holds the lock however long it takes.
    pub(super) async fn hold<T>(&self, app: &App, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                () = tokio::time::sleep(self.lifetime / 3) => self.prolong(app).await,
            }
        }
    }

    async fn prolong(&self, app: &App) {
        let prolonged = async {
            if app.state.get(&self.key).await?.as_ref() == Some(&self.holder) {
                app.state.expire(&self.key, self.lifetime).await?;
            }
            Ok::<_, StateError>(())
        };
        if let Err(error) = prolonged.await {
            tracing::warn!(%error, "failed to hold the lock of the set-up");
        }
    }

    /// Lets the next one in.
    pub(super) async fn release(self, app: &App) -> Result<(), StartupError> {
        app.state.delete_if_equal(&self.key, &self.holder).await?;
        Ok(())
    }
}
