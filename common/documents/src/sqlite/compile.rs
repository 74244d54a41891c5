//! Filters and orders in SQL.
//!
//! Conditions on columns and side tables become SQL that indexes can answer. Whatever else a filter says
//! becomes a call of `matches`, which asks the [`Matcher`] about the document: so the SQL is always exact,
//! and skip, limit and count can be left to SQLite.

use bson::Bson;
use rusqlite::types::Value;

use super::{
    layout::{Column, Layout, Side, quoted},
    prospect::Prospect,
    reader::{Reader, Statement},
    row::scalar_of,
    search::same_pattern,
    session::{Session, Slot},
};
use crate::{Filter, Matcher, StoreResult};

/// Lists longer than this are bound as one JSON array, so that the statement stays the same.
const SHORT_LIST: usize = 6;

/// More conditions than this in one list would make too deep an expression: they go to the matcher.
const MANY_CONDITIONS: usize = 200;

/// A condition in SQL.
#[derive(Debug)]
pub(super) struct Condition {
    /// An expression; `NULL` counts as false.
    pub(super) sql: String,
    /// An index finds its few rows.
    pub(super) selective: bool,
    /// Needs the document itself: to be evaluated last.
    pub(super) reads_document: bool,
}

impl Condition {
    pub(super) fn of_columns(sql: String) -> Self {
        Self { sql, selective: false, reads_document: false }
    }

    pub(super) fn constant(answer: bool) -> Self {
        Self::of_columns(if answer { "1".to_owned() } else { "0".to_owned() })
    }
}

/// Compiles the parts of one statement, gathering its parameters and slots.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    pub(super) layout: &'static Layout,
    irregular: u64,
    pub(super) numeric_collation: bool,
    pub(super) session: &'a Session,
    /// What is known of the query that the conditions are for.
    pub(super) prospect: Prospect,
    /// Conditions are asked about each row: a list of all documents that fulfil one is not wanted.
    pub(super) row_by_row: bool,
    params: Vec<Value>,
    slots: Vec<Slot>,
}

/// What a path is to SQL.
pub(super) enum Place<'a> {
    Id,
    Column(&'a Column),
    Side(&'a Side),
    Inside,
}

/// What a value of a filter is to a column.
enum Operand {
    Value(Value),
    Null,
    /// No value of the column equals it.
    Never,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(reader: Reader<'a>, numeric_collation: bool) -> Self {
        Self {
            layout: reader.layout,
            irregular: reader.irregular,
            numeric_collation,
            session: reader.session,
            prospect: Prospect::default(),
            row_by_row: false,
            params: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// The statement with all that was bound.
    pub(super) fn statement(self, sql: String) -> Statement {
        Statement { sql, params: self.params, slots: self.slots }
    }

    /// Adds a parameter; its name in SQL.
    pub(super) fn bind(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("?{}", self.params.len())
    }

    pub(super) fn bind_slot(&mut self, slot: Slot) -> String {
        self.slots.push(slot);
        self.bind(Value::Integer(self.slots.len() as i64 - 1))
    }

    /// The condition that a document fulfils the filter.
    pub(super) fn condition(&mut self, filter: &Filter) -> StoreResult<Condition> {
        match filter {
            Filter::Everything => Ok(Condition::constant(true)),
            Filter::Nothing => Ok(Condition::constant(false)),
            Filter::And(all) => self.all(filter, all),
            Filter::Or(any) => self.any(filter, any),
            Filter::Not(inner) => Ok(negated(self.condition(inner)?)),
            Filter::Equal(path, value) => self.equal(filter, path, value),
            Filter::NotEqual(path, value) => self.not_in(filter, path, std::slice::from_ref(value)),
            Filter::Greater(path, value) => self.compare(filter, path, value, ">"),
            Filter::GreaterOrEqual(path, value) => self.compare(filter, path, value, ">="),
            Filter::Less(path, value) => self.compare(filter, path, value, "<"),
            Filter::LessOrEqual(path, value) => self.compare(filter, path, value, "<="),
            Filter::In(path, values) => self.one_of(filter, path, values),
            Filter::NotIn(path, values) => self.not_in(filter, path, values),
            Filter::ContainsAll(path, values) => self.contains_all(filter, path, values),
            Filter::Exists(path, present) => self.exists(filter, path, *present),
            Filter::Regex { pattern, case_insensitive, .. } => {
                self.regexes(std::slice::from_ref(filter), pattern, *case_insensitive)
            }
            Filter::ElementMatches(path, inner) => self.element_matches(filter, path, inner),
            Filter::Size(..) => self.ask_document(filter),
            Filter::Text(search) => self.text(search),
        }
    }

    /// The bare column that says whether a condition holds, when there is one.
    pub(super) fn flag_of(&self, filter: &Filter) -> Option<String> {
        let Filter::Equal(path, Bson::String(text)) = filter else { return None };
        self.layout.flag(path, text).map(|flag| quoted(flag.name))
    }

    /// The column of a path, when it has one that can be trusted.
    pub(super) fn trusted_column(&self, path: &str) -> Option<&'static Column> {
        let (position, column) = self.layout.column(path)?;
        (self.irregular & (1 << position) == 0).then_some(column)
    }

    pub(super) fn place(&self, path: &str) -> Place<'static> {
        if path == "_id" {
            return Place::Id;
        }
        if let Some(column) = self.trusted_column(path) {
            return Place::Column(column);
        }
        self.layout.side(path).map_or(Place::Inside, Place::Side)
    }

    /// Lets the matcher look at the document.
    pub(super) fn ask_document(&mut self, filter: &Filter) -> StoreResult<Condition> {
        let matcher = Matcher::new(filter, self.numeric_collation)?;
        let slot = self.bind_slot(Slot::Matcher(matcher));
        let document = self.layout.document_expression();
        Ok(Condition { sql: format!("matches({document}, {slot})"), selective: false, reads_document: true })
    }

    fn all(&mut self, filter: &Filter, all: &[Filter]) -> StoreResult<Condition> {
        if all.len() > MANY_CONDITIONS {
            return self.ask_document(filter);
        }
        let mut conditions: Vec<_> =
            all.iter().map(|filter| self.condition(filter)).collect::<StoreResult<_>>()?;
        conditions.sort_by_key(|condition| condition.reads_document);
        if conditions.is_empty() {
            return Ok(Condition::constant(true));
        }
        Ok(Condition {
            selective: conditions.iter().any(|condition| condition.selective),
            reads_document: conditions.iter().any(|condition| condition.reads_document),
            sql: joined(conditions, " AND "),
        })
    }

    fn any(&mut self, filter: &Filter, any: &[Filter]) -> StoreResult<Condition> {
        if any.len() > MANY_CONDITIONS {
            return self.ask_document(filter);
        }
        if let Some((pattern, case_insensitive)) = same_pattern(any) {
            return self.regexes(any, pattern, case_insensitive);
        }
        let mut conditions: Vec<_> =
            any.iter().map(|filter| self.condition(filter)).collect::<StoreResult<_>>()?;
        conditions.sort_by_key(|condition| condition.reads_document);
        if conditions.is_empty() {
            return Ok(Condition::constant(false));
        }
        Ok(Condition {
            selective: conditions.iter().all(|condition| condition.selective),
            reads_document: conditions.iter().any(|condition| condition.reads_document),
            sql: joined(conditions, " OR "),
        })
    }

    fn equal(&mut self, filter: &Filter, path: &str, value: &Bson) -> StoreResult<Condition> {
        match self.place(path) {
            Place::Id => Ok(self.column_equal("_id", operand(value, false))),
            Place::Column(column) => Ok(self.column_equal(column.name, operand(value, column.date))),
            Place::Side(side) => match scalar_of(value) {
                Some(value) => self.side_contains(side, vec![value]),
                None => self.ask_document(filter),
            },
            Place::Inside => self.ask_document(filter),
        }
    }

    fn column_equal(&mut self, column: &str, operand: Operand) -> Condition {
        let selective = self.layout.is_selective(column);
        let column = quoted(column);
        match operand {
            Operand::Value(value) => {
                let value = self.bind(value);
                Condition { selective, ..Condition::of_columns(format!("{column} = {value}")) }
            }
            Operand::Null => Condition::of_columns(format!("{column} IS NULL")),
            Operand::Never => Condition::constant(false),
        }
    }

    fn one_of(&mut self, filter: &Filter, path: &str, values: &[Bson]) -> StoreResult<Condition> {
        match self.place(path) {
            Place::Id => Ok(self.column_in("_id", false, values)),
            Place::Column(column) => Ok(self.column_in(column.name, column.date, values)),
            Place::Side(side) => match values.iter().map(scalar_of).collect::<Option<Vec<_>>>() {
                Some(values) => self.side_contains(side, values),
                None => self.ask_document(filter),
            },
            Place::Inside => self.ask_document(filter),
        }
    }

    fn column_in(&mut self, name: &str, date: bool, values: &[Bson]) -> Condition {
        let column = quoted(name);
        let mut wanted = Vec::with_capacity(values.len());
        let mut null = false;
        for value in values {
            match operand(value, date) {
                Operand::Value(value) => wanted.push(value),
                Operand::Null => null = true,
                Operand::Never => {}
            }
        }
        let list = self.list(wanted);
        let mut sql = format!("{column} IN {list}");
        if null {
            sql = format!("({sql} OR {column} IS NULL)");
        }
        Condition { selective: self.layout.is_selective(name) && !null, ..Condition::of_columns(sql) }
    }

    /// A parenthesised list of values.
    pub(super) fn list(&mut self, values: Vec<Value>) -> String {
        if values.len() <= SHORT_LIST || values.iter().any(|value| matches!(value, Value::Real(_))) {
            let names: Vec<_> = values.into_iter().map(|value| self.bind(value)).collect();
            return format!("({})", names.join(", "));
        }
        let json = values.into_iter().map(|value| match value {
            Value::Integer(number) => serde_json::Value::from(number),
            Value::Text(text) => serde_json::Value::from(text),
            Value::Null | Value::Real(_) | Value::Blob(_) => serde_json::Value::Null,
        });
        let array = self.bind(Value::Text(serde_json::Value::Array(json.collect()).to_string()));
        format!("(SELECT value FROM json_each({array}))")
    }

    /// Either the side table finds the documents, or, when it would find too many or each row is asked anyway, each
    /// document is looked up in it.
    fn side_contains(&mut self, side: &Side, values: Vec<Value>) -> StoreResult<Condition> {
        if !self.row_by_row && !self.has_many(side, &values)? {
            let list = self.list(values);
            let (side, table) = (&side.table, self.layout.quoted_table());
            let sql = format!("{table}.seq IN (SELECT seq FROM {side} WHERE value IN {list})");
            return Ok(Condition { selective: true, ..Condition::of_columns(sql) });
        }
        let (flags, others) = self.split_flags(side, values);
        let mut parts: Vec<_> = flags.into_iter().map(|flag| format!("{flag} = 1")).collect();
        if !others.is_empty() || parts.is_empty() {
            let list = self.list(others);
            let (side, table) = (&side.table, self.layout.quoted_table());
            parts.push(format!(
                "(SELECT 1 FROM {side} AS side WHERE side.value IN {list} AND side.seq = {table}.seq LIMIT 1) IS NOT NULL"
            ));
        }
        Ok(Condition::of_columns(format!("({})", parts.join(" OR "))))
    }

    /// Columns that say whether the values are contained, and the values that have none.
    fn split_flags(&self, side: &Side, values: Vec<Value>) -> (Vec<String>, Vec<Value>) {
        let mut flags = Vec::new();
        let mut others = Vec::new();
        for value in values {
            let flag = if let Value::Text(text) = &value { self.layout.flag(side.name, text) } else { None };
            match flag {
                Some(flag) => flags.push(quoted(flag.name)),
                None => others.push(value),
            }
        }
        (flags, others)
    }

    fn has_many(&mut self, side: &Side, values: &[Value]) -> StoreResult<bool> {
        if values.is_empty() || values.len() > SHORT_LIST {
            return Ok(false);
        }
        let places = vec!["?"; values.len()].join(", ");
        self.finds_many(&format!("{} WHERE value IN ({places})", side.table), values, 1)
    }

    /// For side tables a look into the index for each row: the documents that do *not* contain a value are
    /// the many, and a list of those that do may be long.
    fn not_in(&mut self, filter: &Filter, path: &str, values: &[Bson]) -> StoreResult<Condition> {
        if let Place::Side(side) = self.place(path)
            && let Some(values) = values.iter().map(scalar_of).collect::<Option<Vec<_>>>()
        {
            let (flags, others) = self.split_flags(side, values);
            let mut parts: Vec<_> = flags.into_iter().map(|flag| format!("{flag} = 0")).collect();
            if !others.is_empty() || parts.is_empty() {
                let list = self.list(others);
                let (side, table) = (&side.table, self.layout.quoted_table());
                parts.push(format!(
                    "NOT EXISTS (SELECT 1 FROM {side} AS side WHERE side.value IN {list} AND side.seq = {table}.seq)"
                ));
            }
            return Ok(Condition::of_columns(format!("({})", parts.join(" AND "))));
        }
        if let [Bson::Null] = values
            && let Place::Column(column) = self.place(path)
        {
            return Ok(Condition::of_columns(format!("{} IS NOT NULL", quoted(column.name))));
        }
        match filter {
            Filter::NotEqual(path, value) => {
                Ok(negated(self.equal(&Filter::eq(path, value.clone()), path, value)?))
            }
            _ => Ok(negated(self.one_of(&Filter::In(path.to_owned(), values.to_vec()), path, values)?)),
        }
    }

    fn contains_all(&mut self, filter: &Filter, path: &str, values: &[Bson]) -> StoreResult<Condition> {
        if values.is_empty() {
            return Ok(Condition::constant(false));
        }
        if values.len() > MANY_CONDITIONS || matches!(self.place(path), Place::Inside) {
            return self.ask_document(filter);
        }
        let each: Vec<_> = values.iter().map(|value| Filter::eq(path, value.clone())).collect();
        self.all(filter, &each)
    }

    fn compare(
        &mut self,
        filter: &Filter,
        path: &str,
        value: &Bson,
        operator: &str,
    ) -> StoreResult<Condition> {
        let (name, date) = match self.place(path) {
            Place::Id => ("_id", false),
            Place::Column(column) => (column.name, column.date),
            Place::Side(_) | Place::Inside => return self.ask_document(filter),
        };
        let column = quoted(name);
        match operand(value, date) {
            // Texts come after numbers: the bound of the type class keeps the other class out.
            Operand::Value(Value::Text(_)) if self.numeric_collation => self.ask_document(filter),
            Operand::Value(value) => {
                let class_bound = match (&value, operator) {
                    (Value::Text(_), "<" | "<=") => format!(" AND {column} >= ''"),
                    (Value::Integer(_) | Value::Real(_), ">" | ">=") if !date => {
                        format!(" AND {column} < ''")
                    }
                    _ => String::new(),
                };
                let value = self.bind(value);
                Ok(Condition::of_columns(format!("({column} {operator} {value}{class_bound})")))
            }
            Operand::Null if operator.ends_with('=') => {
                Ok(Condition::of_columns(format!("{column} IS NULL")))
            }
            Operand::Null | Operand::Never => Ok(Condition::constant(false)),
        }
    }

    /// A column does not tell null from missing: only then the document is asked.
    fn exists(&mut self, filter: &Filter, path: &str, present: bool) -> StoreResult<Condition> {
        match self.place(path) {
            Place::Id => Ok(Condition::constant(present)),
            Place::Column(column) => {
                let inside = self.ask_document(filter)?.sql;
                let column = quoted(column.name);
                Ok(Condition::of_columns(if present {
                    format!("({column} IS NOT NULL OR {inside})")
                } else {
                    format!("({column} IS NULL AND {inside})")
                }))
            }
            Place::Side(_) | Place::Inside => self.ask_document(filter),
        }
    }

    /// The document is asked, but equalities inside narrow the search where they have a side table.
    fn element_matches(&mut self, filter: &Filter, path: &str, inner: &Filter) -> StoreResult<Condition> {
        let parts = match inner {
            Filter::And(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut conditions = Vec::new();
        for part in parts {
            let Filter::Equal(below, value) = part else { continue };
            let whole = if below.is_empty() { path.to_owned() } else { format!("{path}.{below}") };
            if let Place::Side(side) = self.place(&whole)
                && let Some(value) = scalar_of(value)
            {
                conditions.push(self.side_contains(side, vec![value])?);
            }
        }
        let selective = !conditions.is_empty();
        conditions.push(self.ask_document(filter)?);
        Ok(Condition { selective, reads_document: true, sql: joined(conditions, " AND ") })
    }
}

fn operand(value: &Bson, date: bool) -> Operand {
    match value {
        Bson::Null | Bson::Undefined => Operand::Null,
        Bson::DateTime(value) if date => Operand::Value(Value::Integer(value.timestamp_millis())),
        value if !date => scalar_of(value).map_or(Operand::Never, Operand::Value),
        _ => Operand::Never,
    }
}

fn negated(condition: Condition) -> Condition {
    let Condition { sql, reads_document, .. } = condition;
    Condition { sql: format!("({sql}) IS NOT TRUE"), selective: false, reads_document }
}

pub(super) fn joined(conditions: Vec<Condition>, operator: &str) -> String {
    let parts: Vec<_> = conditions.into_iter().map(|condition| condition.sql).collect();
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(operator)) }
}
