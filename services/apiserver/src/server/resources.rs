//! How busy this machine is: processor and memory, sampled from time to time.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use bson::{Document, doc};

const KIB_PER_GIB: f64 = (1 << 20) as f64;

/// Smallest, greatest and mean value since the last report.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    minimum: f64,
    maximum: f64,
    sum: f64,
    count: u32,
}

impl Spread {
    fn add(&mut self, value: f64) {
        if self.count == 0 {
            (self.minimum, self.maximum) = (value, value);
        }
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
        self.sum += value;
        self.count += 1;
    }

    fn document(self) -> Document {
        let mean = if self.count == 0 { 0.0 } else { self.sum / f64::from(self.count) };
        doc! {"min": self.minimum, "max": self.maximum, "avg": mean}
    }
}

/// What was seen since the last report.
#[derive(Debug)]
struct Window {
    since: Instant,
    processor_percent: Spread,
    memory_used: Spread,
    memory_free: Spread,
}

impl Window {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            processor_percent: Spread::default(),
            memory_used: Spread::default(),
            memory_free: Spread::default(),
        }
    }
}

/// Samples this machine. Where Linux' `/proc` is missing, its figures are zero.
#[derive(Debug)]
pub(crate) struct ResourceMonitor {
    window: Mutex<Window>,
    /// Busy and total processor time at the last sample.
    processor: Mutex<(u64, u64)>,
}

impl Default for ResourceMonitor {
    fn default() -> Self {
        Self { window: Mutex::new(Window::new()), processor: Mutex::new((0, 0)) }
    }
}

impl ResourceMonitor {
    /// Takes one sample. Reads files: call it where blocking is allowed.
    pub(crate) fn sample(&self) {
        let processor = std::fs::read_to_string("/proc/stat").ok().and_then(|text| processor_times(&text));
        let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_gib(&text));
        let percent = processor.map(|now| {
            let mut last = self.processor.lock().unwrap_or_else(PoisonError::into_inner);
            let (busy, total) = (now.0.saturating_sub(last.0), now.1.saturating_sub(last.1));
            *last = now;
            if total == 0 { 0.0 } else { busy as f64 * 100.0 / total as f64 }
        });
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(percent) = percent {
            window.processor_percent.add(percent);
        }
        if let Some((used, free)) = memory {
            window.memory_used.add(used);
            window.memory_free.add(free);
        }
    }

    /// The figures since the last report, and begins anew.
    pub(crate) fn take_report(&self) -> Document {
        self.sample();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = std::mem::replace(&mut *window, Window::new());
        doc! {
            "interval_sec": seen.since.elapsed().as_secs() as i64,
            "num_cores": std::thread::available_parallelism().map_or(1, |cores| cores.get() as i64),
            "cpu_usage": seen.processor_percent.document(),
            "mem_used_gb": seen.memory_used.document(),
            "mem_free_gb": seen.memory_free.document(),
        }
    }
}

/// Busy and total time of all processors, from `/proc/stat`.
fn processor_times(stat: &str) -> Option<(u64, u64)> {
    let times: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|time| time.parse().ok())
        .collect();
    let total: u64 = times.iter().sum();
    let idle = times.get(3)? + times.get(4)?;
    Some((total - idle, total))
}

/// Used and available memory, from `/proc/meminfo`.
fn memory_gib(meminfo: &str) -> Option<(f64, f64)> {
    let kib = |name: &str| -> Option<f64> {
        let line = meminfo.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let (total, available) = (kib("MemTotal:")?, kib("MemAvailable:")?);
    Some(((total - available) / KIB_PER_GIB, available / KIB_PER_GIB))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        assert_eq!(processor_times("cpu  10 0 5 80 5 0 0 0 0 0\ncpu0 1 1 1 1\n"), Some((15, 100)));
        assert_eq!(processor_times("garbage"), None);
        let meminfo = "MemTotal:       4194304 kB\nMemFree: 1 kB\nMemAvailable:   1048576 kB\n";
        assert_eq!(memory_gib(meminfo), Some((3.0, 1.0)));
    }

    #[test]
    fn a_spread_knows_its_ends_and_mean() {
        let mut spread = Spread::default();
        for value in [3.0, 1.0, 2.0] {
            spread.add(value);
        }
        assert_eq!(spread.document(), doc! {"min": 1.0, "max": 3.0, "avg": 2.0});
        assert_eq!(Spread::default().document(), doc! {"min": 0.0, "max": 0.0, "avg": 0.0});
    }
}
