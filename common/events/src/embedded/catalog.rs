//! Tasks and series: what there is, and by which number rows refer to it.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};

use crate::{Event, EventType, MetricFilter, Source};

/// Series that the writer remembers.
const MAX_CACHED_SERIES: usize = 50_000;

impl EventType {
    /// Number of the type in tables.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Scalar => 0,
            Self::Vector => 1,
            Self::Image => 2,
            Self::Plot => 3,
            Self::Log => 4,
        }
    }

    fn from_code(code: i64) -> rusqlite::Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.code() == code);
        known.ok_or(rusqlite::Error::IntegralValueOutOfRange(2, code))
    }

    /// Whether events of this type are rows of `records`.
    pub(super) const fn is_record(self) -> bool {
        matches!(self, Self::Vector | Self::Image | Self::Plot)
    }
}

/// One type, metric and variant of a task.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) id: i64,
    /// Number of the task.
    pub(super) task_id: i64,
    pub(super) task: Arc<str>,
    pub(super) event_type: EventType,
    pub(super) metric: String,
    pub(super) variant: String,
    /// `key` of a scalar.
    pub(super) key: Option<String>,
    /// A scalar without iteration; its row has iteration 0.
    pub(super) iterless: bool,
}

/// The series of a task by type, metric and variant ascending.
pub(super) fn find_series(
    connection: &Connection,
    source: &Source,
    event_type: Option<EventType>,
    metrics: &MetricFilter,
) -> rusqlite::Result<Vec<Series>> {
    let mut sql = "SELECT s.id, s.task, s.type, s.metric, s.variant, s.key, s.iterless \
                   FROM tasks t CROSS JOIN series s ON s.task = t.id WHERE t.company = ?1 AND t.task = ?2"
        .to_owned();
    let mut values = vec![Value::Text(source.company.clone()), Value::Text(source.task.clone())];
    if let Some(event_type) = event_type {
        sql.push_str(" AND s.type = ?3");
        values.push(Value::Integer(event_type.code()));
        let mut entries = metrics.entries();
        if let (Some((metric, _)), None) = (entries.next(), entries.next()) {
            sql.push_str(" AND s.metric = ?4");
            values.push(Value::Text(metric.to_owned()));
        }
    }
    sql.push_str(" ORDER BY s.type, s.metric, s.variant, s.id");

    let task: Arc<str> = source.task.as_str().into();
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut series = Vec::new();
    while let Some(row) = rows.next()? {
        let (metric, variant): (String, String) = (row.get(3)?, row.get(4)?);
        if !metrics.matches(&metric, &variant) {
            continue;
        }
        series.push(Series {
            id: row.get(0)?,
            task_id: row.get(1)?,
            task: Arc::clone(&task),
            event_type: EventType::from_code(row.get(2)?)?,
            metric,
            variant,
            key: row.get(5)?,
            iterless: row.get(6)?,
        });
    }
    Ok(series)
}

/// Number of a task, if it has events.
pub(super) fn find_task(connection: &Connection, company: &str, task: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM tasks WHERE company = ?1 AND task = ?2")?
        .query_row([company, task], |row| row.get(0))
        .optional()
}

/// Where rows of an event go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeriesId {
    pub(super) id: i64,
    pub(super) task_id: i64,
}

/// The writer's memory of series.
#[derive(Default)]
pub(super) struct SeriesCache {
    known: HashMap<Box<[u8]>, SeriesId>,
    /// The bytes of the key that is being looked for.
    wanted: Vec<u8>,
}

impl SeriesCache {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// The series of an event, which is stored if it is new.
    pub(super) fn id(
        &mut self,
        connection: &Connection,
        company: &str,
        event: &Event,
    ) -> rusqlite::Result<SeriesId> {
        let scalar = event.event_type == EventType::Scalar;
        let iterless = scalar && event.iter.is_none();
        let key = event.key.as_deref().filter(|_| scalar);

        self.wanted.clear();
        self.wanted.push(event.event_type.code() as u8);
        self.wanted.push(u8::from(iterless) | u8::from(key.is_some()) << 1);
        for text in [company, &event.task, &event.metric, &event.variant, key.unwrap_or_default()] {
            self.wanted.extend_from_slice(&text.len().to_le_bytes());
            self.wanted.extend_from_slice(text.as_bytes());
        }
        if let Some(id) = self.known.get(self.wanted.as_slice()) {
            return Ok(*id);
        }

        let task_id = match find_task(connection, company, &event.task)? {
            Some(id) => id,
            None => connection
                .prepare_cached("INSERT INTO tasks (company, task) VALUES (?1, ?2)")?
                .insert([company, &event.task])?,
        };
        let found = connection
            .prepare_cached(
                "SELECT id FROM series WHERE task = ?1 AND type = ?2 AND metric = ?3 AND variant = ?4 \
                 AND key IS ?5 AND iterless = ?6",
            )?
            .query_row(
                params![task_id, event.event_type.code(), event.metric, event.variant, key, iterless],
                |row| row.get(0),
            )
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => connection
                .prepare_cached(
                    "INSERT INTO series (task, type, metric, variant, key, iterless) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .insert(params![
                    task_id,
                    event.event_type.code(),
                    event.metric,
                    event.variant,
                    key,
                    iterless
                ])?,
        };
        if self.known.len() >= MAX_CACHED_SERIES {
            self.known.clear();
        }
        let id = SeriesId { id, task_id };
        self.known.insert(self.wanted.as_slice().into(), id);
        Ok(id)
    }
}
