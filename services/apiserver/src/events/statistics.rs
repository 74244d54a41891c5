//! What a batch of events leaves on its task or model: latest, extreme and mean values of every scalar, the
//! last iteration, the times of its metrics (spec 02 §10, 05 §3.6).

use std::collections::HashSet;

use bson::{Bson, DateTime, Document};
use clearml_documents::{Change, Update};
use clearml_events::Number;
use indexmap::IndexMap;

use crate::{query::md5_hex, tasks::touch};

/// Fields of the task or model that [`BatchStatistics::task_update`] and
/// [`BatchStatistics::model_update`] read.
pub(crate) const STATISTICS_FIELDS: [&str; 3] = ["status", "started", "unique_metrics"];

/// The type of events that carry scalars.
const SCALAR: &str = "training_stats_scalar";

/// One accepted event, as far as statistics look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed<'a> {
    pub(crate) event_type: &'a str,
    /// Empty if the event has none; the same for `variant`.
    pub(crate) metric: &'a str,
    pub(crate) variant: &'a str,
    /// `None` if absent or null.
    pub(crate) iteration: Option<i64>,
    /// In milliseconds.
    pub(crate) timestamp: i64,
    /// Looked at for scalars only.
    pub(crate) value: Option<Number>,
    pub(crate) x_axis_label: Option<&'a str>,
    /// False for metrics of the setting `services.events.ignore_iteration.metrics`.
    pub(crate) counts_iteration: bool,
}

/// The statistics of one batch for one task or model.
#[derive(Debug, Default)]
pub(crate) struct BatchStatistics {
    /// metric -> variant -> scalar, in order of first appearance.
    scalars: IndexMap<String, IndexMap<String, Scalar>>,
    /// metric -> event type -> greatest timestamp.
    metrics: IndexMap<String, IndexMap<String, i64>>,
    last_iteration: Option<i64>,
}

/// A value with the iteration it was reported for (0 if for none).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    /// Of the kind in which it was sent.
    value: Number,
    iteration: i64,
}

#[derive(Debug)]
struct Scalar {
    count: i64,
    total: f64,
    latest: Point,
    latest_timestamp: i64,
    x_axis_label: Option<String>,
    first: Point,
    min: Point,
    max: Point,
}

impl BatchStatistics {
    /// Takes an accepted event into account; events come in the order of the batch.
    pub(crate) fn add(&mut self, event: Observed<'_>) {
        if let Some(iteration) = event.iteration
            && event.counts_iteration
        {
            self.last_iteration = Some(iteration.max(self.last_iteration.unwrap_or(0)));
        }

        let types = entry(&mut self.metrics, event.metric);
        match types.get_mut(event.event_type) {
            Some(latest) => *latest = event.timestamp.max(*latest),
            None => {
                types.insert(event.event_type.to_owned(), event.timestamp);
            }
        }

        if event.event_type == SCALAR
            && let Some(value) = event.value
        {
            let variants = entry(&mut self.scalars, event.metric);
            match variants.get_mut(event.variant) {
                Some(scalar) => scalar.add(event, value),
                None => {
                    variants.insert(event.variant.to_owned(), Scalar::new(event, value));
                }
            }
        }
    }

    /// The changes of a task that was read with [`STATISTICS_FIELDS`]. At most `max_last_metrics` scalars
    /// (0: any number) are kept on it.
    pub(crate) fn task_update(
        &self,
        task: &Document,
        max_last_metrics: usize,
        now: DateTime,
        user: &str,
    ) -> Update {
        let mut update = self.common_update(task, max_last_metrics, now, user);
        update.extend(touch::active_duration(now, task));
        for (metric, types) in &self.metrics {
            let path = format!("metric_stats.{}", md5_hex(metric));
            update.push(Change::set(format!("{path}.metric"), metric.as_str()));
            for (event_type, latest) in types {
                let path = format!("{path}.event_stats_by_type.{event_type}.last_update");
                update.push(Change::set(path, *latest));
            }
        }
        update
    }

    /// The changes of a model that was read with [`STATISTICS_FIELDS`].
    pub(crate) fn model_update(
        &self,
        model: &Document,
        max_last_metrics: usize,
        now: DateTime,
        user: &str,
    ) -> Update {
        self.common_update(model, max_last_metrics, now, user)
    }

    fn common_update(&self, stored: &Document, limit: usize, now: DateTime, user: &str) -> Update {
        let mut update = touch::last_update(now, user);
        if let Some(iteration) = self.last_iteration {
            update.push(Change::Max("last_iteration".to_owned(), Bson::Int64(iteration)));
        }
        let mut names = Vec::new();
        for (metric, variant, scalar, name) in self.within_limit(stored, limit) {
            let path = format!("last_metrics.{}.{}", md5_hex(metric), md5_hex(variant));
            update.extend(scalar.changes(&path, metric, variant));
            names.push(Bson::String(name));
        }
        if !names.is_empty() {
            update.push(Change::AddToSet("unique_metrics".to_owned(), names));
        }
        update
    }

    /// The scalars that may be kept: those that are known already, and new ones while there is room.
    fn within_limit<'a>(
        &'a self,
        stored: &'a Document,
        limit: usize,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a Scalar, String)> {
        let known = stored.get_array("unique_metrics").map(Vec::as_slice).unwrap_or_default();
        let mut names: HashSet<String> = known.iter().filter_map(Bson::as_str).map(str::to_owned).collect();
        self.scalars
            .iter()
            .flat_map(|(metric, variants)| {
                variants.iter().map(move |(variant, scalar)| (metric.as_str(), variant.as_str(), scalar))
            })
            .filter_map(move |(metric, variant, scalar)| {
                let name = format!("{metric}/{variant}");
                if limit > 0 && names.len() >= limit && !names.contains(&name) {
                    return None;
                }
                names.insert(name.clone());
                Some((metric, variant, scalar, name))
            })
    }
}

impl Scalar {
    fn new(event: Observed<'_>, value: Number) -> Self {
        let point = Point { value, iteration: event.iteration.unwrap_or(0) };
        Self {
            count: 1,
            total: value.as_f64(),
            latest: point,
            latest_timestamp: event.timestamp,
            x_axis_label: event.x_axis_label.map(str::to_owned),
            first: point,
            min: point,
            max: point,
        }
    }

    fn add(&mut self, event: Observed<'_>, value: Number) {
        let point = Point { value, iteration: event.iteration.unwrap_or(0) };
        self.count += 1;
        let number = value.as_f64();
        self.total += number;
        if (point.iteration, event.timestamp) >= (self.latest.iteration, self.latest_timestamp) {
            self.latest = point;
            self.latest_timestamp = event.timestamp;
            if let Some(label) = event.x_axis_label {
                self.x_axis_label = Some(label.to_owned());
            }
        }
        if point.iteration < self.first.iteration {
            self.first = point;
        }
        if number < self.min.value.as_f64() {
            self.min = point;
        }
        if number > self.max.value.as_f64() {
            self.max = point;
        }
    }

    /// The changes of the stored entry at `path`; the conditional ones read it as it was before.
    fn changes(&self, path: &str, metric: &str, variant: &str) -> Update {
        let member = |name: &str| format!("{path}.{name}");
        let along = |name: &str, point: Point| vec![(member(name), Bson::Int64(point.iteration))];
        let mut update = vec![
            Change::set(member("metric"), metric),
            Change::set(member("variant"), variant),
            Change::set(member("value"), self.latest.value),
        ];
        if let Some(label) = &self.x_axis_label {
            update.push(Change::set(member("x_axis_label"), label.as_str()));
        }
        update.extend([
            Change::SetIfLess {
                path: member("min_value"),
                value: self.min.value.into(),
                along: along("min_value_iteration", self.min),
            },
            Change::SetIfGreater {
                path: member("max_value"),
                value: self.max.value.into(),
                along: along("max_value_iteration", self.max),
            },
            Change::SetIfMissing {
                path: member("first_value"),
                value: self.first.value.as_f64().into(),
                along: along("first_value_iteration", self.first),
            },
            Change::RunningMean {
                mean: member("mean_value"),
                count: member("count"),
                total: self.total,
                n: self.count,
            },
        ]);
        update
    }
}

fn entry<'a, V: Default>(map: &'a mut IndexMap<String, V>, key: &str) -> &'a mut V {
    // Two look-ups, but no new string for the many events of a known metric.
    if !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    &mut map[key]
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    const PATH: &str = "last_metrics.81513effdf5790b79549208838404407.61b3a8faa9c1091806675c230a9abe64";

    fn scalar(variant: &str, iteration: i64, value: f64) -> Observed<'_> {
        Observed {
            event_type: SCALAR,
            metric: "loss",
            variant,
            iteration: Some(iteration),
            timestamp: 1000,
            value: Some(Number::Float(value)),
            x_axis_label: None,
            counts_iteration: true,
        }
    }

    fn batch(events: &[Observed<'_>]) -> BatchStatistics {
        let mut statistics = BatchStatistics::default();
        for event in events {
            statistics.add(*event);
        }
        statistics
    }

    fn update(events: &[Observed<'_>], task: &Document, limit: usize) -> Update {
        batch(events).task_update(task, limit, DateTime::from_millis(5000), "user")
    }

    #[test]
    fn the_worked_example_of_the_specification() {
        let first =
            update(&[scalar("train", 0, 0.5), scalar("train", 1, 0.3), scalar("train", 2, 0.9)], &doc! {}, 0);
        for change in [
            Change::Max("last_iteration".to_owned(), 2_i64.into()),
            Change::set(format!("{PATH}.value"), 0.9),
            Change::SetIfLess {
                path: format!("{PATH}.min_value"),
                value: 0.3.into(),
                along: vec![(format!("{PATH}.min_value_iteration"), 1_i64.into())],
            },
            Change::SetIfGreater {
                path: format!("{PATH}.max_value"),
                value: 0.9.into(),
                along: vec![(format!("{PATH}.max_value_iteration"), 2_i64.into())],
            },
            Change::SetIfMissing {
                path: format!("{PATH}.first_value"),
                value: 0.5.into(),
                along: vec![(format!("{PATH}.first_value_iteration"), 0_i64.into())],
            },
            Change::AddToSet("unique_metrics".to_owned(), vec!["loss/train".into()]),
        ] {
            assert!(first.contains(&change), "{change:?} is not in {first:#?}");
        }
        let mean = first.iter().find_map(|change| match change {
            Change::RunningMean { total, n, .. } => Some((*total, *n)),
            _ => None,
        });
        assert_eq!(mean, Some((0.5 + 0.3 + 0.9, 3)));

        let second = update(&[scalar("train", 3, 0.2), scalar("train", 1, 0.7)], &doc! {}, 0);
        assert!(second.contains(&Change::set(format!("{PATH}.value"), 0.2)), "the latest iteration wins");
    }

    #[test]
    fn ties_go_to_the_later_value_and_the_earlier_extreme() {
        let mut late = scalar("train", 1, 7.0);
        late.x_axis_label = Some("epoch");
        let changes = update(&[scalar("train", 1, 7.0), scalar("train", 1, 3.0), late], &doc! {}, 0);
        assert!(changes.contains(&Change::set(format!("{PATH}.value"), 7.0)));
        assert!(changes.contains(&Change::set(format!("{PATH}.x_axis_label"), "epoch")));
        let first = changes.iter().find_map(|change| match change {
            Change::SetIfMissing { value, .. } => value.as_f64(),
            _ => None,
        });
        assert_eq!(first, Some(7.0));
    }

    #[test]
    fn single_values_and_monitors_do_not_raise_the_last_iteration() {
        let mut monitor = scalar("cpu", 900, 1.0);
        monitor.counts_iteration = false;
        let changes = update(&[scalar("total", i64::from(i32::MIN), 1.0), monitor], &doc! {}, 0);
        assert!(changes.contains(&Change::Max("last_iteration".to_owned(), 0_i64.into())));
    }

    #[test]
    fn a_full_task_takes_no_new_scalars() {
        let task = doc! {"unique_metrics": ["loss/a", "loss/b"]};
        let changes = update(&[scalar("new", 1, 1.0), scalar("a", 1, 1.0)], &task, 2);
        let names: Vec<&Change> =
            changes.iter().filter(|change| matches!(change, Change::AddToSet(..))).collect();
        assert_eq!(names, [&Change::AddToSet("unique_metrics".to_owned(), vec!["loss/a".into()])]);

        let fresh = update(&[scalar("a", 1, 1.0), scalar("b", 1, 1.0), scalar("c", 1, 1.0)], &doc! {}, 2);
        assert!(fresh.contains(&Change::AddToSet(
            "unique_metrics".to_owned(),
            vec!["loss/a".into(), "loss/b".into()]
        )));
    }

    #[test]
    fn running_tasks_get_their_active_duration_and_metric_times() {
        let task = doc! {"status": "in_progress", "started": DateTime::from_millis(1000)};
        let mut image = scalar("train", 1, 1.0);
        image.event_type = "training_debug_image";
        image.timestamp = 3000;
        let mut older = image;
        older.timestamp = 2000;
        let changes = update(&[image, older], &task, 0);
        let stats = "metric_stats.81513effdf5790b79549208838404407";
        assert!(changes.contains(&Change::set("active_duration", 4_i64)));
        assert!(changes.contains(&Change::set(format!("{stats}.metric"), "loss")));
        assert!(changes.contains(&Change::set(
            format!("{stats}.event_stats_by_type.training_debug_image.last_update"),
            3000_i64
        )));
        assert!(!changes.iter().any(|change| matches!(change, Change::AddToSet(..))));
    }

    /// Applied to a stored task, the worked example gives what the specification says.
    #[tokio::test]
    async fn stored_statistics_add_up_over_batches() {
        use clearml_documents::{Collection, DocumentStore, DocumentStoreExt, Filter, Find, SqliteStore};

        let directory = tempfile::tempdir().unwrap();
        let documents = SqliteStore::open(directory.path()).unwrap();
        documents.insert(Collection::Task, doc! {"_id": "t"}).await.unwrap();
        for events in [
            vec![scalar("train", 0, 0.5), scalar("train", 1, 0.3), scalar("train", 2, 0.9)],
            vec![scalar("train", 3, 0.2), scalar("train", 1, 0.7)],
        ] {
            let found = documents.find(Collection::Task, Find::new(Filter::id("t"))).await.unwrap();
            let update = update(&events, &found[0], 2000);
            documents.update_one(Collection::Task, Filter::id("t"), update).await.unwrap();
        }
        let find = Find::new(Filter::id("t"));
        let task = documents.find_one(Collection::Task, find).await.unwrap().unwrap();
        assert_eq!(task.get_i64("last_iteration").unwrap(), 3);
        assert_eq!(task.get_array("unique_metrics").unwrap().len(), 1);
        let entry = PATH.split('.').fold(&task, |within, key| within.get_document(key).unwrap());
        assert_eq!(
            entry,
            &doc! {
                "metric": "loss", "variant": "train", "value": 0.2,
                "min_value": 0.2, "min_value_iteration": 3_i64,
                "max_value": 0.9, "max_value_iteration": 2_i64,
                "first_value": 0.5, "first_value_iteration": 0_i64,
                "mean_value": 0.52, "count": 5_i64,
            }
        );
    }
}
