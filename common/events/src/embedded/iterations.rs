//! Iterations of series.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::{Connection, params};

use super::{
    catalog::{Series, find_series},
    readers::Reader,
};
use crate::{EventResult, EventType, IterationChoice, MetricFilter, Order, Source};

/// The greatest iterations of each task (spec 05 §4.7).
pub(super) fn last(
    reader: &Reader,
    sources: &[Source],
    event_type: Option<EventType>,
    metrics: &MetricFilter,
    iters: usize,
) -> EventResult<Vec<IterationChoice>> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| seen.insert(*source)) {
        let series = find_series(&reader.connection, source, event_type, metrics)?;
        let mut nearest = Nearest::new(Order::Descending, None, iters);
        for series in &series {
            nearest.look_at(&reader.connection, series, false)?;
        }
        found.extend(choice(source, None, nearest));
    }
    Ok(found)
}

/// The greatest iterations of each metric of each task (spec 05 §4.7).
pub(super) fn last_per_metric(
    reader: &Reader,
    sources: &[Source],
    event_type: Option<EventType>,
    metrics: &MetricFilter,
    iters: usize,
) -> EventResult<Vec<IterationChoice>> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| seen.insert(*source)) {
        let mut by_metric = BTreeMap::new();
        for series in find_series(&reader.connection, source, event_type, metrics)? {
            let nearest = by_metric
                .entry(series.metric.clone())
                .or_insert_with(|| Nearest::new(Order::Descending, None, iters));
            nearest.look_at(&reader.connection, &series, false)?;
        }
        found.extend(
            by_metric.into_iter().filter_map(|(metric, nearest)| choice(source, Some(metric), nearest)),
        );
    }
    Ok(found)
}

fn choice(source: &Source, metric: Option<String>, nearest: Nearest) -> Option<IterationChoice> {
    let iters = nearest.into_iterations();
    (!iters.is_empty()).then(|| IterationChoice { task: source.task.clone(), metric, iters })
}

/// Collects the first distinct iterations of many series in one direction.
pub(super) struct Nearest {
    order: Order,
    beyond: Option<i64>,
    limit: usize,
    found: BTreeSet<i64>,
}

impl Nearest {
    /// The first `limit` iterations strictly beyond `beyond`.
    pub(super) fn new(order: Order, beyond: Option<i64>, limit: usize) -> Self {
        Self { order, beyond, limit, found: BTreeSet::new() }
    }

    /// Takes in the iterations of a series; `with_url` only of rows that have a url.
    pub(super) fn look_at(
        &mut self,
        connection: &Connection,
        series: &Series,
        with_url: bool,
    ) -> rusqlite::Result<()> {
        if series.iterless || self.limit == 0 {
            return Ok(());
        }
        // Only iterations that are nearer than the farthest known one are of interest.
        let farthest = if self.found.len() < self.limit { None } else { self.farthest() };
        let (low, high) = match (self.order, self.beyond) {
            (Order::Ascending, Some(i64::MAX)) | (Order::Descending, Some(i64::MIN)) => return Ok(()),
            (Order::Ascending, beyond) => {
                (beyond.map_or(i64::MIN, |beyond| beyond + 1), farthest.unwrap_or(i64::MAX))
            }
            (Order::Descending, beyond) => {
                (farthest.unwrap_or(i64::MIN), beyond.map_or(i64::MAX, |beyond| beyond - 1))
            }
        };
        let table = match series.event_type {
            EventType::Scalar => "scalars",
            EventType::Log => "logs",
            _ => "records INDEXED BY records_by_iter",
        };
        let url = if with_url { " AND url IS NOT NULL" } else { "" };
        let direction = if self.order == Order::Ascending { "" } else { " DESC" };
        let sql = format!(
            "SELECT DISTINCT iter FROM {table} WHERE series = ?1 AND iter BETWEEN ?2 AND ?3{url} \
             AND iter IS NOT NULL ORDER BY iter{direction} LIMIT ?4"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![series.id, low, high, limit])?;
        while let Some(row) = rows.next()? {
            self.found.insert(row.get(0)?);
        }
        while self.found.len() > self.limit {
            match self.order {
                Order::Ascending => self.found.pop_last(),
                Order::Descending => self.found.pop_first(),
            };
        }
        Ok(())
    }

    /// The iterations in the order of the direction.
    pub(super) fn into_iterations(self) -> Vec<i64> {
        match self.order {
            Order::Ascending => self.found.into_iter().collect(),
            Order::Descending => self.found.into_iter().rev().collect(),
        }
    }

    fn farthest(&self) -> Option<i64> {
        match self.order {
            Order::Ascending => self.found.last().copied(),
            Order::Descending => self.found.first().copied(),
        }
    }
}
