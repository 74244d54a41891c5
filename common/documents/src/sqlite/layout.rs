//! How each collection lies in tables: what is taken out of a document so that SQL can see it.
//!
//! A document is a row in two tables: the small one holds its number in natural order, `_id` and one column
//! for each path below, so that filters, orders and counts over many documents read few pages; the other one
//! holds the document itself as BSON. Paths that hold arrays have a side table with one row per element, and
//! elements that most lists leave out have a column of their own: lists ask about them for each row. Texts that
//! people search with patterns have an index of their trigrams.
//! Everything but `seq`, `_id` and `doc` is derived and rebuilt when this file changes.

use std::sync::LazyLock;

use crate::{Collection, collection::CollectionSpec, path::Path};

/// The tables of one collection.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) collection: Collection,
    /// Name of the table; quoted where it is used.
    pub(super) table: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) sides: Vec<Side>,
    pub(super) indexes: Vec<SqlIndex>,
    /// Fields of the text index with their weights.
    pub(super) text: Vec<(Path, i32)>,
    /// Fields of the index of trigrams, with their names.
    pub(super) trigrams: Vec<(&'static str, Path)>,
}

/// A path whose value is kept in a column of its own.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) path: Path,
    /// Holds dates, as milliseconds. Other columns hold texts and numbers.
    pub(super) date: bool,
    /// Holds whether the array at the path contains this text, as 1 or 0. Such a column is called `path=text`.
    pub(super) flag: Option<&'static str>,
}

/// A path whose array elements are kept in a side table.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) path: Path,
    pub(super) table: String,
}

/// An index of the table.
#[derive(Debug)]
pub(super) struct SqlIndex {
    pub(super) name: String,
    /// Column names; a leading `-` means descending.
    pub(super) fields: &'static [&'static str],
    pub(super) unique: bool,
}

/// Columns that filters and groups use beside the indexed ones, and the indexes that the hot queries of the
/// embedded store need. They differ from MongoDB's: one company owns nearly everything here, so an index that
/// starts with the company would only mislead the planner.
struct Plan {
    columns: &'static [&'static str],
    indexes: &'static [&'static [&'static str]],
    /// Texts that patterns search.
    patterns: &'static [&'static str],
}

const fn plan(collection: Collection) -> Plan {
    match collection {
        Collection::Task => Plan {
            columns: &[
                "company",
                "user",
                "type",
                "completed",
                "status_changed",
                "last_change",
                "active_duration",
                "execution.queue",
                "last_iteration",
                "system_tags=archived",
                "system_tags=hidden",
                "system_tags=pipeline",
                "system_tags=dataset",
                "system_tags=reports",
            ],
            indexes: &[
                &["-last_update", "_id"],
                &["-created", "_id"],
                &["-started", "_id"],
                &["name", "_id"],
                &["project", "-last_update", "_id"],
                &["status", "-last_update"],
                &["parent"],
                // All that the statistics of projects read. What lists ask for by equality comes late, so that
                // they keep to the index in their order.
                &["project", "completed", "started", "status", "system_tags=archived", "company"],
            ],
            patterns: &[
                "name",
                "_id",
                "comment",
                "report",
                "tags",
                "system_tags",
                "models.input.model",
                "models.output.model",
            ],
        },
        Collection::Project => Plan {
            columns: &[
                "company",
                "user",
                "created",
                "system_tags=archived",
                "system_tags=hidden",
                "system_tags=pipeline",
                "system_tags=dataset",
            ],
            indexes: &[&["parent"], &["basename"], &["-last_update", "_id"]],
            patterns: &["name", "basename", "_id", "description"],
        },
        Collection::Model => Plan {
            columns: &["company", "user", "framework", "last_change", "system_tags=archived"],
            indexes: &[
                &["-last_update", "_id"],
                &["-created", "_id"],
                &["name", "_id"],
                &["project", "-last_update", "_id"],
                &["task"],
                &["parent"],
                &["uri"],
            ],
            patterns: &["name", "_id", "comment", "tags", "system_tags", "framework", "uri"],
        },
        Collection::UrlToDelete => Plan {
            columns: &["user", "storage_type", "last_failure_time"],
            indexes: &[&["company", "user", "task"], &["task"], &["status", "retry_count", "storage_type"]],
            patterns: &[],
        },
        Collection::Versions => Plan { columns: &[], indexes: &[&["-created", "-num"]], patterns: &[] },
        Collection::AuthUser => Plan { columns: &["company", "role"], indexes: &[], patterns: &[] },
        Collection::User => Plan { columns: &["company"], indexes: &[], patterns: &[] },
        Collection::TaskTrash
        | Collection::Queue
        | Collection::Company
        | Collection::Settings
        | Collection::StorageSettings
        | Collection::PendingRemoval => Plan { columns: &[], indexes: &[], patterns: &[] },
    }
}

static LAYOUTS: LazyLock<Vec<Layout>> =
    LazyLock::new(|| Collection::ALL.into_iter().map(Layout::new).collect());

impl Layout {
    /// The layout of a collection.
    pub(super) fn of(collection: Collection) -> &'static Self {
        &LAYOUTS[collection as usize]
    }

    fn new(collection: Collection) -> Self {
        let spec = collection.spec();
        let plan = plan(collection);
        let table = match collection {
            Collection::AuthUser => "auth_user",
            other => other.name(),
        };
        let unique = spec.indexes.iter().filter(|index| index.unique).map(|index| (index.fields, true));
        let more = plan.indexes.iter().map(|fields| (*fields, false));
        let indexes: Vec<_> = unique.chain(more).map(|index| SqlIndex::new(table, index)).collect();
        let sides: Vec<_> = spec.arrays.iter().map(|name| Side::new(table, name)).collect();
        let mut names: Vec<&'static str> = plan.columns.to_vec();
        names.extend(indexes.iter().flat_map(|index| index.fields).map(|field| column_name(field)));
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let known = name == "_id" || columns.iter().any(|column| column.name == name);
            if !known {
                columns.push(Column::new(spec, name));
            }
        }
        let text = spec.text.iter().map(|(path, weight)| (Path::new(path), *weight)).collect();
        let trigrams = plan.patterns.iter().map(|name| (*name, Path::new(name))).collect();
        Self { collection, table, columns, sides, indexes, text, trigrams }
    }

    /// Quoted name of the table.
    pub(super) fn quoted_table(&self) -> String {
        quoted(self.table)
    }

    /// Quoted name of the table of the documents themselves.
    pub(super) fn quoted_document_table(&self) -> String {
        quoted(&format!("{}:doc", self.table))
    }

    /// The document of the row at hand.
    pub(super) fn document_expression(&self) -> String {
        let (table, documents) = (self.quoted_table(), self.quoted_document_table());
        format!("(SELECT doc FROM {documents} WHERE seq = {table}.seq)")
    }

    /// Quoted name of the full-text table.
    pub(super) fn quoted_text_table(&self) -> String {
        quoted(&format!("{}:text", self.table))
    }

    /// Quoted name of the table of trigrams.
    pub(super) fn quoted_trigram_table(&self) -> String {
        quoted(&format!("{}:trigrams", self.table))
    }

    /// Name of the one column of the table of trigrams: the fields that are in it.
    pub(super) fn trigram_fields(&self) -> String {
        self.trigrams.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",")
    }

    /// Whether patterns on the path can be answered with trigrams.
    pub(super) fn has_trigrams(&self, path: &str) -> bool {
        self.trigrams.iter().any(|(name, _)| *name == path)
    }

    /// The column of a path.
    pub(super) fn column(&self, path: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.flag.is_none() && column.name == path)
    }

    /// The column that says whether the array at a path contains a text.
    pub(super) fn flag(&self, path: &str, text: &str) -> Option<&Column> {
        self.columns.iter().find(|column| {
            column.flag == Some(text) && column.name.strip_suffix(text) == Some(&format!("{path}="))
        })
    }

    pub(super) fn side(&self, path: &str) -> Option<&Side> {
        self.sides.iter().find(|side| side.name == path)
    }

    /// Whether an index starts with the column: an equality on it finds few rows.
    pub(super) fn is_selective(&self, column: &str) -> bool {
        column == "_id" || self.indexes.iter().any(|index| column_name(index.fields[0]) == column)
    }
}

impl Column {
    fn new(spec: &CollectionSpec, name: &'static str) -> Self {
        let (path, flag) = match name.split_once('=') {
            Some((path, text)) => (path, Some(text)),
            None => (name, None),
        };
        Self { name, path: Path::new(path), date: spec.dates.contains(&name), flag }
    }
}

impl Side {
    fn new(table: &str, name: &'static str) -> Self {
        Self { name, path: Path::new(name), table: quoted(&format!("{table}:{name}")) }
    }
}

impl SqlIndex {
    fn new(table: &str, (fields, unique): (&'static [&'static str], bool)) -> Self {
        let kind = if unique { "unique" } else { "index" };
        Self { name: format!("{kind}:{table}({})", fields.join(",")), fields, unique }
    }
}

/// The column of an index field.
pub(super) fn column_name(field: &'static str) -> &'static str {
    field.strip_prefix('-').unwrap_or(field)
}

/// An SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
