//! What a worker reports of its machine (spec 04 §3.5).

use bson::Bson;
use clearml_events::WorkerSample;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::Object;

/// The figures that are kept; all else in a report is passed over.
pub(super) const METRICS: [&str; 15] = [
    "cpu_usage",
    "cpu_temperature",
    "gpu_usage",
    "gpu_temperature",
    "gpu_fraction",
    "gpu_memory_free",
    "gpu_memory_used",
    "memory_used",
    "memory_free",
    "network_tx",
    "network_rx",
    "disk_free_home",
    "disk_free_temp",
    "disk_read",
    "disk_write",
];

/// Most values of one report.
const MAX_VALUES: usize = 10_000;

fn is_metric(name: &str) -> bool {
    METRICS.contains(&name)
}

/// Figures of a machine: numbers, or lists with a number for each processor.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MachineStats(Object);

impl MachineStats {
    /// One sample per value. Numbers that are 0 say nothing, and nor do empty lists.
    pub(super) fn samples(&self, timestamp: i64, worker: &str, task: Option<&str>) -> Vec<WorkerSample> {
        let Object(reported) = &self.0;
        let sample = |metric: &str, variant: String, value: f64| WorkerSample {
            timestamp,
            worker: worker.to_owned(),
            task: task.map(str::to_owned),
            category: metric.split('_').next().unwrap_or_default().to_owned(),
            metric: metric.to_owned(),
            variant,
            value,
        };
        let mut samples = Vec::new();
        for (metric, value) in reported.iter().filter(|(metric, _)| is_metric(metric)) {
            if let Bson::Array(values) = value {
                let numbers =
                    values.iter().enumerate().filter_map(|(index, value)| Some((index, number(value)?)));
                samples.extend(numbers.map(|(index, value)| sample(metric, index.to_string(), value)));
            } else if let Some(value) = number(value).filter(|value| *value != 0.0) {
                samples.push(sample(metric, "total".to_owned(), value));
            }
        }
        samples.truncate(MAX_VALUES);
        samples
    }
}

fn number(value: &Bson) -> Option<f64> {
    let number = match value {
        Bson::Int32(number) => f64::from(*number),
        Bson::Int64(number) => *number as f64,
        Bson::Double(number) => *number,
        Bson::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn values_become_samples() {
        let stats = MachineStats(Object(doc! {
            "cpu_usage": [10.5, 0], "memory_used": 512, "memory_free": 0, "gpu_usage": [], "disk_read": Bson::Null,
            "unknown": 5, "gpu_temperature": 61.0,
        }));
        let samples = stats.samples(1000, "w", Some("t"));
        let values: Vec<_> = samples
            .iter()
            .map(|sample| {
                (sample.category.as_str(), sample.metric.as_str(), sample.variant.as_str(), sample.value)
            })
            .collect();
        assert_eq!(
            values,
            [
                ("cpu", "cpu_usage", "0", 10.5),
                ("cpu", "cpu_usage", "1", 0.0),
                ("memory", "memory_used", "total", 512.0),
                ("gpu", "gpu_temperature", "total", 61.0),
            ]
        );
        assert!(samples.iter().all(|sample| sample.task.as_deref() == Some("t") && sample.timestamp == 1000));
    }
}
