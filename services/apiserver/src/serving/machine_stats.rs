//! What a container reports of its machine (spec 04 §4.3).

use std::collections::BTreeMap;

use bson::Bson;
use clearml_events::ServingSample;
use serde::{Deserialize, Serialize};

use crate::api::Object;

/// The figures that are kept; all else in a report is passed over.
const METRICS: [&str; 14] = [
    "cpu_usage",
    "gpu_usage",
    "memory_used",
    "memory_free",
    "gpu_memory_free",
    "gpu_memory_used",
    "network_tx",
    "network_rx",
    "disk_free_home",
    "disk_free_temp",
    "disk_read",
    "disk_write",
    "cpu_temperature",
    "gpu_temperature",
];

/// Most numbers of one list.
const MAX_LIST: usize = 1_000;

/// Figures of a machine by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct MachineStats(BTreeMap<String, Figure>);

/// A number, or one for each processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Figure {
    Number(f64),
    List(Vec<f64>),
    /// What other writers may have recorded.
    Other(serde_json::Value),
}

impl Figure {
    fn read(value: &Bson) -> Option<Self> {
        match value {
            Bson::Array(items) => {
                Some(Self::List(items.iter().filter_map(number).take(MAX_LIST).collect::<Vec<_>>()))
            }
            single => number(single).map(Self::Number),
        }
    }
}

impl MachineStats {
    /// Reads the figures of a report.
    pub(super) fn read(Object(reported): &Object) -> Self {
        let figures = METRICS.iter().filter_map(|name| {
            let figure = Figure::read(reported.get(*name)?)?;
            Some(((*name).to_owned(), figure))
        });
        Self(figures.collect())
    }

    /// Length of a list.
    pub(super) fn count(&self, name: &str) -> usize {
        self.list(name).map_or(0, <[f64]>::len)
    }

    /// Adds the figures to a sample.
    pub(super) fn fill(&self, sample: &mut ServingSample) {
        let count = |name| Some(self.count(name)).filter(|count| *count > 0).map(|count| count as f64);
        sample.cpu_usage = self.average("cpu_usage");
        sample.cpu_num = count("cpu_usage");
        sample.gpu_usage = self.average("gpu_usage");
        sample.gpu_num = count("gpu_usage");
        sample.memory_free = self.average("memory_free");
        sample.memory_used = self.average("memory_used");
        sample.memory_total = Some(total(sample.memory_free, sample.memory_used));
        sample.gpu_memory_free = self.average("gpu_memory_free");
        sample.gpu_memory_used = self.average("gpu_memory_used");
        sample.gpu_memory_total = Some(total(sample.gpu_memory_free, sample.gpu_memory_used));
        sample.disk_free_home = self.average("disk_free_home");
        sample.network_rx = self.average("network_rx");
        sample.network_tx = self.average("network_tx");
    }

    fn list(&self, name: &str) -> Option<&[f64]> {
        match self.0.get(name)? {
            Figure::List(values) => Some(values),
            Figure::Number(value) => Some(std::slice::from_ref(value)),
            Figure::Other(_) => None,
        }
    }

    /// The mean of a list, a number as it is.
    fn average(&self, name: &str) -> Option<f64> {
        let values = self.list(name).filter(|values| !values.is_empty())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }
}

fn total(free: Option<f64>, used: Option<f64>) -> f64 {
    let sum = free.unwrap_or_default() + used.unwrap_or_default();
    (sum * 1000.0).round_ties_even() / 1000.0
}

fn number(value: &Bson) -> Option<f64> {
    let number = match value {
        Bson::Int32(number) => f64::from(*number),
        Bson::Int64(number) => *number as f64,
        Bson::Double(number) => *number,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn sample(reported: bson::Document) -> ServingSample {
        let mut sample = ServingSample::default();
        MachineStats::read(&Object(reported)).fill(&mut sample);
        sample
    }

    #[test]
    fn lists_are_averaged_and_counted() {
        let sample = sample(doc! {
            "cpu_usage": [10, 20.0], "gpu_usage": [], "memory_free": 1000.0004, "memory_used": 24,
            "gpu_memory_used": [100, 300], "network_rx": 0.5, "unknown": "x",
        });
        assert_eq!((sample.cpu_usage, sample.cpu_num), (Some(15.0), Some(2.0)));
        assert_eq!((sample.gpu_usage, sample.gpu_num), (None, None));
        assert_eq!(sample.memory_total, Some(1024.0));
        assert_eq!((sample.gpu_memory_free, sample.gpu_memory_total), (None, Some(200.0)));
        assert_eq!((sample.network_rx, sample.network_tx), (Some(0.5), None));
    }

    #[test]
    fn records_of_other_writers_are_read() {
        let stats: MachineStats =
            serde_json::from_str(r#"{"cpu_usage": [1, 2, 3], "memory_free": 5, "odd": {"a": null}}"#)
                .unwrap();
        assert_eq!((stats.count("cpu_usage"), stats.average("memory_free")), (3, Some(5.0)));
        assert_eq!(stats.count("odd"), 0);
    }
}
