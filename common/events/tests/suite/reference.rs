//! A naive store in memory: the answers that a real one is compared with.

use std::collections::{BTreeMap, BTreeSet};

use clearml_events::{
    Event, EventType, IterationEvents, KeyField, MetricFilter, Number, Order, SINGLE_VALUE_ITERATION,
    SampledSeries, WindowKind,
};

#[derive(Default)]
pub(crate) struct Reference {
    /// In the order of insertion.
    pub(crate) events: Vec<Event>,
}

impl Reference {
    pub(crate) fn append(&mut self, events: &[Event]) {
        for event in events {
            if event.event_type != EventType::Log {
                self.events.retain(|old| identity(old) != identity(event));
            }
            self.events.push(event.clone());
        }
    }

    fn of<'a>(
        &'a self,
        task: &'a str,
        event_type: Option<EventType>,
        filter: &'a MetricFilter,
    ) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| {
            event.task == task
                && event_type.is_none_or(|kind| kind == event.event_type)
                && filter.matches(&event.metric, &event.variant)
        })
    }

    /// All events that have the key, in the order of pages.
    pub(crate) fn ordered(
        &self,
        task: &str,
        event_type: Option<EventType>,
        filter: &MetricFilter,
        field: KeyField,
        order: Order,
    ) -> Vec<Event> {
        let mut events: Vec<_> =
            self.of(task, event_type, filter).filter(|event| key(event, field).is_some()).cloned().collect();
        match order {
            Order::Ascending => events.sort_by_key(|event| key(event, field)),
            Order::Descending => events.sort_by_key(|event| std::cmp::Reverse(key(event, field))),
        }
        events
    }

    pub(crate) fn histogram(
        &self,
        task: &str,
        filter: &MetricFilter,
        field: KeyField,
        samples: usize,
    ) -> Vec<SampledSeries> {
        let mut pairs: BTreeMap<(String, String), Vec<&Event>> = BTreeMap::new();
        for event in self.of(task, Some(EventType::Scalar), filter) {
            if event.iter.is_some_and(|iter| iter > SINGLE_VALUE_ITERATION) {
                pairs.entry((event.metric.clone(), event.variant.clone())).or_default().push(event);
            }
        }
        let mut sized = Vec::new();
        for (name, events) in pairs {
            let keys: Vec<i64> = events.iter().filter_map(|event| key(event, field)).collect();
            let (min, max) = (keys.iter().min().unwrap(), keys.iter().max().unwrap());
            let samples = samples as i64;
            let ceil = |a: i64, b: i64| (a + b - 1) / b;
            let (interval, size) = if (keys.len() as i64) < samples {
                (1, keys.len() as i64)
            } else {
                let interval = ceil(max - min + 1, samples).max(1);
                (interval, ceil(max - min + 1, interval))
            };
            sized.push((interval, size, name, events));
        }
        sized.sort_by_key(|(interval, ..)| *interval);

        let mut answer = Vec::new();
        let mut rest = sized.as_slice();
        while let Some((first, ..)) = rest.first() {
            let bound = first + first / 10;
            let mut end = 0;
            let mut sum = 0;
            while end < rest.len() {
                let (interval, size, ..) = &rest[end];
                if end > 0 && (*interval > bound || sum + size > 6000 || end >= 50) {
                    break;
                }
                sum += size;
                end += 1;
            }
            let interval = rest[end - 1].0;
            let mut group: Vec<_> = rest[..end].iter().map(|(_, _, name, events)| (name, events)).collect();
            group.sort_by_key(|(name, _)| *name);
            for ((metric, variant), events) in group {
                let mut buckets: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
                for event in events {
                    let start = key(event, field).unwrap().div_euclid(interval) * interval;
                    buckets.entry(start).or_default().extend(event.value.map(Number::rounded));
                }
                let average = |values: &Vec<f64>| {
                    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
                };
                answer.push(SampledSeries {
                    metric: metric.clone(),
                    variant: variant.clone(),
                    x: buckets.keys().copied().collect(),
                    y: buckets.values().map(average).collect(),
                });
            }
            rest = &rest[end..];
        }
        answer
    }

    pub(crate) fn window(
        &self,
        task: &str,
        kind: WindowKind,
        metrics: &[String],
        order: Order,
        beyond: Option<i64>,
        iters: usize,
    ) -> Vec<IterationEvents> {
        let event_type = if kind == WindowKind::Images { EventType::Image } else { EventType::Plot };
        let all = MetricFilter::all();
        let shown: Vec<&Event> = self
            .of(task, Some(event_type), &all)
            .filter(|event| metrics.contains(&event.metric))
            .filter(|event| kind == WindowKind::Plots || event.url.is_some())
            .collect();
        let mut iterations: Vec<i64> =
            shown.iter().filter_map(|event| event.iter).collect::<BTreeSet<_>>().into_iter().collect();
        match order {
            Order::Ascending => iterations.retain(|iter| beyond.is_none_or(|beyond| *iter > beyond)),
            Order::Descending => {
                iterations.retain(|iter| beyond.is_none_or(|beyond| *iter < beyond));
                iterations.reverse();
            }
        }
        iterations.truncate(iters);
        let of_iteration = |iter: i64| {
            let mut best: BTreeMap<(&str, &str), &Event> = BTreeMap::new();
            for event in shown.iter().filter(|event| event.iter == Some(iter)) {
                let chosen = best.entry((&event.metric, &event.variant)).or_insert(event);
                let better = match kind {
                    WindowKind::Images => event.url > chosen.url,
                    WindowKind::Plots => event.timestamp > chosen.timestamp,
                };
                if better {
                    *chosen = event;
                }
            }
            IterationEvents { iter, events: best.into_values().cloned().collect() }
        };
        iterations.into_iter().map(of_iteration).collect()
    }
}

/// Pages of the key iterator over events that all have the key.
pub(crate) fn key_pages_of(ordered: &[Event], field: KeyField, limit: usize) -> Vec<Vec<Event>> {
    let mut pages = Vec::new();
    let mut rest = ordered;
    while !rest.is_empty() {
        let mut end = limit.min(rest.len());
        while end < rest.len() && key(&rest[end], field) == key(&rest[end - 1], field) {
            end += 1;
        }
        pages.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    pages
}

type Identity<'a> = (EventType, &'a str, Option<i64>, &'a str, &'a str, Option<&'a str>);

fn identity(event: &Event) -> Identity<'_> {
    (event.event_type, &event.task, event.iter, &event.metric, &event.variant, event.key.as_deref())
}

pub(crate) fn key(event: &Event, field: KeyField) -> Option<i64> {
    match field {
        KeyField::Iter => event.iter,
        KeyField::Timestamp => Some(event.timestamp),
    }
}
