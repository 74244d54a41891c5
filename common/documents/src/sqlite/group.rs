//! Grouping: in SQL when all that it reads lies in columns, else document by document.

use std::{collections::HashMap, ops::ControlFlow};

use bson::{Bson, Document, RawBson, RawBsonRef, RawDocument};

use super::{
    compile::Compiler,
    error::sqlite_error,
    layout::{Column, quoted},
    reader::{Reader, Statement},
    row::bson_of,
};
use crate::{
    Accumulator, GroupBy, GroupKey, Matcher, StoreResult,
    path::Path,
    projection::damaged,
    value::{Collation, Number, compare, order_key},
};

impl Reader<'_> {
    pub(super) fn group(&self, group: &GroupBy) -> StoreResult<Vec<Document>> {
        match self.group_statement(group)? {
            Some((statement, outputs)) => self.group_in_sql(statement, &outputs),
            None => self.group_documents(group),
        }
    }

    /// The statement and how to read its columns; `None` when a field is not a column.
    pub(super) fn group_statement(&self, group: &GroupBy) -> StoreResult<Option<(Statement, Vec<Output>)>> {
        let mut compiler = self.compiler(false);
        let mut outputs = Vec::new();
        let mut expressions = Vec::new();
        compiler.row_by_row = true;
        for (name, key) in &group.keys {
            let Some((sql, kind)) = key_expression(&mut compiler, key)? else { return Ok(None) };
            expressions.push(sql);
            outputs.push(Output { name: name.clone(), kind });
        }
        let positions: Vec<_> = (1..=expressions.len()).map(|position| position.to_string()).collect();
        for (name, value) in &group.values {
            let Some((sql, kind)) = value_expression(&mut compiler, value)? else { return Ok(None) };
            expressions.push(sql);
            outputs.push(Output { name: name.clone(), kind });
        }
        if expressions.is_empty() {
            return Ok(None);
        }
        compiler.row_by_row = false;
        compiler.expect_filter(&group.filter);
        let condition = compiler.condition(&group.filter)?;
        let by =
            if positions.is_empty() { String::new() } else { format!(" GROUP BY {}", positions.join(", ")) };
        let sql = format!(
            "SELECT {} FROM {} WHERE {}{by} HAVING count(*) > 0",
            expressions.join(", "),
            self.layout.quoted_table(),
            condition.sql
        );
        Ok(Some((compiler.statement(sql), outputs)))
    }

    fn group_in_sql(&self, statement: Statement, outputs: &[Output]) -> StoreResult<Vec<Document>> {
        let mut groups = Vec::new();
        statement.for_each(self.session, |row| {
            let mut group = Document::new();
            for (position, output) in outputs.iter().enumerate() {
                let value = row.get_ref(position).map_err(sqlite_error)?;
                group.insert(output.name.clone(), output.kind.read(value));
            }
            groups.push(group);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(groups)
    }

    fn group_documents(&self, group: &GroupBy) -> StoreResult<Vec<Document>> {
        let keys: Vec<_> =
            group.keys.iter().map(|(_, key)| KeyReader::new(key)).collect::<StoreResult<_>>()?;
        let values: Vec<_> =
            group.values.iter().map(|(_, value)| ValueReader::new(value)).collect::<StoreResult<_>>()?;
        let mut groups: HashMap<Vec<u8>, (Vec<Bson>, Vec<State>)> = HashMap::new();
        self.scan(&group.filter, |document| {
            let mut id = Vec::new();
            for key in &keys {
                let key = order_key(key.read(document).as_raw_bson_ref(), Collation::Binary);
                id.extend_from_slice(&(key.len() as u32).to_be_bytes());
                id.extend_from_slice(&key);
            }
            if !groups.contains_key(&id) {
                let read = |key: &KeyReader| Bson::try_from(key.read(document)).map_err(damaged);
                let key_values = keys.iter().map(read).collect::<StoreResult<_>>()?;
                let states = values.iter().map(ValueReader::start).collect();
                groups.insert(id.clone(), (key_values, states));
            }
            if let Some((_, states)) = groups.get_mut(&id) {
                for (reader, state) in values.iter().zip(states) {
                    reader.add(document, state);
                }
            }
            Ok(())
        })?;
        groups
            .into_values()
            .map(|(key_values, states)| {
                let keys =
                    group.keys.iter().map(|(name, _)| name.clone()).zip(key_values.into_iter().map(Ok));
                let names = group.values.iter().map(|(name, _)| name.clone());
                let values = names.zip(states.into_iter().map(State::finish));
                keys.chain(values).map(|(name, value)| Ok((name, value?))).collect()
            })
            .collect()
    }
}

/// A column of the answer.
pub(super) struct Output {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Date,
    Boolean,
}

impl Kind {
    fn of(column: &Column) -> Self {
        if column.date { Self::Date } else { Self::Plain }
    }

    fn read(self, value: rusqlite::types::ValueRef<'_>) -> Bson {
        match self {
            Self::Plain => bson_of(value, false),
            Self::Date => bson_of(value, true),
            Self::Boolean => Bson::Boolean(value.as_i64().is_ok_and(|answer| answer != 0)),
        }
    }
}

fn key_expression(compiler: &mut Compiler<'_>, key: &GroupKey) -> StoreResult<Option<(String, Kind)>> {
    Ok(match key {
        GroupKey::Field(path) => {
            compiler.trusted_column(path).map(|column| (quoted(column.name), Kind::of(column)))
        }
        GroupKey::Matches(filter) => {
            let sql = match compiler.flag_of(filter) {
                Some(flag) => flag,
                None => format!("({}) IS TRUE", compiler.condition(filter)?.sql),
            };
            Some((sql, Kind::Boolean))
        }
    })
}

fn value_expression(compiler: &mut Compiler<'_>, value: &Accumulator) -> StoreResult<Option<(String, Kind)>> {
    Ok(match value {
        Accumulator::Count => Some(("count(*)".to_owned(), Kind::Plain)),
        Accumulator::CountIf(filter) => {
            let condition = compiler.condition(filter)?;
            Some((format!("count(*) FILTER (WHERE {})", condition.sql), Kind::Plain))
        }
        // Texts, which come after all numbers, are not summed.
        Accumulator::Sum(path) => compiler.trusted_column(path).filter(|column| !column.date).map(|column| {
            let name = quoted(column.name);
            (format!("ifnull(sum({name}) FILTER (WHERE {name} < ''), 0)"), Kind::Plain)
        }),
        Accumulator::SumSeconds { from, to } => {
            match (compiler.trusted_column(from), compiler.trusted_column(to)) {
                (Some(from), Some(to)) if from.date && to.date => {
                    let (from, to) = (quoted(from.name), quoted(to.name));
                    let sum = format!("ifnull(sum(({to} - {from}) / 1000) FILTER (WHERE {to} > {from}), 0)");
                    Some((sum, Kind::Plain))
                }
                _ => None,
            }
        }
        Accumulator::Max(path) => compiler
            .trusted_column(path)
            .map(|column| (format!("max({})", quoted(column.name)), Kind::of(column))),
        Accumulator::Min(path) => compiler
            .trusted_column(path)
            .map(|column| (format!("min({})", quoted(column.name)), Kind::of(column))),
    })
}

enum KeyReader {
    Field(Path),
    Matches(Matcher),
}

impl KeyReader {
    fn new(key: &GroupKey) -> StoreResult<Self> {
        Ok(match key {
            GroupKey::Field(path) => Self::Field(Path::new(path)),
            GroupKey::Matches(filter) => Self::Matches(Matcher::new(filter, false)?),
        })
    }

    fn read(&self, document: &RawDocument) -> RawBson {
        match self {
            Self::Field(path) => path.single(document).map_or(RawBson::Null, RawBson::from),
            Self::Matches(matcher) => RawBson::Boolean(matcher.matches_raw(document)),
        }
    }
}

enum ValueReader {
    Count,
    CountIf(Matcher),
    Sum(Path),
    SumSeconds { from: Path, to: Path },
    Extreme(Path, std::cmp::Ordering),
}

enum State {
    Integer(i64),
    Float(f64),
    Value(Option<RawBson>),
}

impl ValueReader {
    fn new(value: &Accumulator) -> StoreResult<Self> {
        Ok(match value {
            Accumulator::Count => Self::Count,
            Accumulator::CountIf(filter) => Self::CountIf(Matcher::new(filter, false)?),
            Accumulator::Sum(path) => Self::Sum(Path::new(path)),
            Accumulator::SumSeconds { from, to } => {
                Self::SumSeconds { from: Path::new(from), to: Path::new(to) }
            }
            Accumulator::Max(path) => Self::Extreme(Path::new(path), std::cmp::Ordering::Greater),
            Accumulator::Min(path) => Self::Extreme(Path::new(path), std::cmp::Ordering::Less),
        })
    }

    fn start(&self) -> State {
        match self {
            Self::Count | Self::CountIf(_) | Self::Sum(_) | Self::SumSeconds { .. } => State::Integer(0),
            Self::Extreme(..) => State::Value(None),
        }
    }

    fn add(&self, document: &RawDocument, state: &mut State) {
        match self {
            Self::Count => state.add(Number::Integer(1)),
            Self::CountIf(matcher) => state.add(Number::Integer(i64::from(matcher.matches_raw(document)))),
            Self::Sum(path) => {
                if let Some(number) = path.single(document).and_then(Number::of) {
                    state.add(number);
                }
            }
            Self::SumSeconds { from, to } => {
                let millis = |path: &Path| {
                    path.single(document)
                        .and_then(RawBsonRef::as_datetime)
                        .map(bson::DateTime::timestamp_millis)
                };
                if let (Some(from), Some(to)) = (millis(from), millis(to))
                    && to > from
                {
                    state.add(Number::Integer(to.saturating_sub(from) / 1000));
                }
            }
            Self::Extreme(path, wanted) => {
                let value = path.single(document).filter(|value| *value != RawBsonRef::Null);
                if let (Some(value), State::Value(best)) = (value, state) {
                    let better = best.as_ref().is_none_or(|best| {
                        compare(value, best.as_raw_bson_ref(), Collation::Binary) == *wanted
                    });
                    if better {
                        *best = Some(RawBson::from(value));
                    }
                }
            }
        }
    }
}

impl State {
    fn add(&mut self, number: Number) {
        let sum = match (&*self, number) {
            (Self::Integer(sum), Number::Integer(number)) => match sum.checked_add(number) {
                Some(sum) => Self::Integer(sum),
                None => Self::Float(*sum as f64 + number as f64),
            },
            (Self::Integer(sum), Number::Float(number)) => Self::Float(*sum as f64 + number),
            (Self::Float(sum), Number::Integer(number)) => Self::Float(sum + number as f64),
            (Self::Float(sum), Number::Float(number)) => Self::Float(sum + number),
            (Self::Value(_), _) => return,
        };
        *self = sum;
    }

    fn finish(self) -> StoreResult<Bson> {
        match self {
            Self::Integer(sum) => Ok(Bson::Int64(sum)),
            Self::Float(sum) => Ok(Bson::Double(sum)),
            Self::Value(None) => Ok(Bson::Null),
            Self::Value(Some(value)) => Bson::try_from(value).map_err(damaged),
        }
    }
}
