//! Sums of usage by group and day (spec 09 §4.3).

use std::collections::{BTreeMap, HashMap};

use bson::{Bson, Document, doc};

use super::{Period, UsageField, Weights};

/// What the tasks of a group used.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    /// Seconds, and seconds by weight, of each day.
    days: BTreeMap<usize, Day>,
    cpu_is_artificial: bool,
    gpu_is_artificial: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Day {
    seconds: i64,
    cpu: f64,
    gpu: f64,
}

impl Usage {
    /// Adds what a task used on one day.
    pub(super) fn add(&mut self, day: usize, seconds: i64, weights: Weights) {
        let day = self.days.entry(day).or_default();
        day.seconds = day.seconds.saturating_add(seconds);
        day.cpu += seconds as f64 * weights.cpu;
        day.gpu += seconds as f64 * weights.gpu;
    }
}

/// Usage by group; tasks that belong to none have a group of their own.
#[derive(Debug, Default)]
pub(super) struct Totals(BTreeMap<Option<String>, Usage>);

impl Totals {
    /// The usage of a group, to which a task with these weights is added.
    pub(super) fn group(&mut self, group: Option<String>, weights: Weights) -> &mut Usage {
        let usage = self.0.entry(group).or_default();
        usage.cpu_is_artificial |= weights.cpu_is_default;
        usage.gpu_is_artificial |= weights.gpu_is_default;
        usage
    }

    /// Ids of the groups.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(Option::as_deref)
    }

    /// `{total: [...], series: [...]}`.
    pub(super) fn answer(
        &self,
        period: &Period,
        fields: &[UsageField],
        names: &HashMap<String, String>,
    ) -> Document {
        let dates = period.days();
        let (mut total, mut series) = (Vec::new(), Vec::new());
        for (group, usage) in &self.0 {
            let name = group.as_ref().map(|id| names.get(id).unwrap_or(id).as_str());
            let header = doc! {"name": name, "id": group.as_deref()};
            let mut sums = header.clone();
            let mut days = header;
            days.insert("dates", dates.as_slice());
            for field in fields {
                let (name, sum, values) = usage.field(*field, dates.len());
                sums.insert(name, sum);
                days.insert(name, values);
            }
            for answer in [&mut sums, &mut days] {
                usage.mark_artificial(answer, fields);
            }
            total.push(Bson::from(sums));
            series.push(Bson::from(days));
        }
        doc! {"total": total, "series": series}
    }
}

impl Usage {
    /// Name, sum and values by day of one field.
    fn field(&self, field: UsageField, days: usize) -> (&'static str, Bson, Vec<Bson>) {
        let by_day = |value: &dyn Fn(&Day) -> Bson, nothing: Bson| {
            let mut values = vec![nothing; days];
            for (day, usage) in &self.days {
                if let Some(slot) = values.get_mut(*day) {
                    *slot = value(usage);
                }
            }
            values
        };
        let days = self.days.values();
        match field {
            UsageField::Duration => (
                "duration",
                days.map(|day| day.seconds).sum::<i64>().into(),
                by_day(&|day| day.seconds.into(), Bson::Int64(0)),
            ),
            UsageField::CpuUsage => (
                "cpu_usage",
                days.map(|day| day.cpu).sum::<f64>().into(),
                by_day(&|day| day.cpu.into(), Bson::Int64(0)),
            ),
            UsageField::GpuUsage => (
                "gpu_usage",
                days.map(|day| day.gpu).sum::<f64>().into(),
                by_day(&|day| day.gpu.into(), Bson::Int64(0)),
            ),
        }
    }

    /// Says which of the fields rest on default weights; under the published name too, which is another.
    fn mark_artificial(&self, answer: &mut Document, fields: &[UsageField]) {
        if self.cpu_is_artificial && fields.contains(&UsageField::CpuUsage) {
            answer.insert("cpu_artificial_weights", true);
            answer.insert("cpu_usage_artifical_weights", true);
        }
        if self.gpu_is_artificial && fields.contains(&UsageField::GpuUsage) {
            answer.insert("gpu_artificial_weights", true);
            answer.insert("gpu_usage_artifical_weights", true);
        }
    }
}
