//! Sampling of a million points.

use std::{path::Path, time::Instant};

use clearml_driver::Server;
use serde_json::json;

use crate::{
    events::{new_task, scalars},
    measure::{Times, usage},
};

/// Points per call while loading.
const BATCH: usize = 20_000;

pub(crate) async fn run(binary: &Path, points: usize) -> anyhow::Result<()> {
    for series in [1, 10, 100] {
        let server = Server::start(binary).await?;
        let api = server.login().await?;
        let task = new_task(&api, "histogram").await?;
        let loading = Instant::now();
        for start in (0..points).step_by(BATCH) {
            let body = scalars(&task, start / series, BATCH.min(points - start), series);
            api.post("events.add_batch", "application/json-lines", body).await?;
        }
        let loaded = loading.elapsed();
        for key in ["iter", "timestamp", "iso_time"] {
            let mut times = Times::default();
            for _ in 0..20 {
                let request = json!({"task": task, "key": key});
                let started = Instant::now();
                let answer = api.call("events.scalar_metrics_iter_histogram", &request).await?;
                times.add(started.elapsed());
                anyhow::ensure!(answer["loss"].as_object().is_some_and(|variants| variants.len() == series));
            }
            println!(
                "histogram over {points} points in {series} series by {key}: {}, {} (loaded in {:.1} s)",
                times.summary(),
                usage(&server)?,
                loaded.as_secs_f64(),
            );
        }
    }
    Ok(())
}
