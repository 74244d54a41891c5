//! Weight of a process, from `/proc`.

use std::time::Duration;

use anyhow::Context;

/// Resident memory of a process in MB: now, and the peak so far.
pub fn memory(pid: u32) -> anyhow::Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let kilobytes = line.split_whitespace().nth(1).and_then(|value| value.parse::<f64>().ok());
        kilobytes.unwrap_or_default() / 1024.0
    };
    Ok((field("VmRSS"), field("VmHWM")))
}

/// Processor time that a process has used so far.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let statistics = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = statistics.rsplit_once(')').context("no name")?.1;
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|value| value.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux platform.
    Ok(Duration::from_millis(ticks * 10))
}
