//! Latencies and how they are printed.

use std::time::Duration;

use clearml_driver::Server;

/// A set of measured times.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The time that `share` of the measurements do not exceed, in milliseconds.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.0.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    /// `p50 1.2 ms, p99 3.4 ms (n = 100)`.
    pub(crate) fn summary(&mut self) -> String {
        let (p50, p99) = (self.percentile(0.5), self.percentile(0.99));
        format!("p50 {p50:.1} ms, p99 {p99:.1} ms (n = {})", self.0.len())
    }
}

/// `memory 40 MB (peak 50 MB), CPU 1.2 s`: of the server, since its start.
pub(crate) fn usage(server: &Server) -> anyhow::Result<String> {
    let (now, peak) = server.memory()?;
    let cpu = server.cpu_time()?.as_secs_f64();
    Ok(format!("memory {now:.0} MB (peak {peak:.0} MB), CPU {cpu:.1} s"))
}
