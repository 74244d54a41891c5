//! Random documents, filters and changes, and the order that they should come in: for tests of the stores
//! against the matcher and the updates.

use std::cmp::Ordering;

use bson::{Bson, DateTime, Document, RawBson, doc};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use crate::{
    Change, Filter, Order, apply,
    value::{Collation, compare},
};

/// Columns, dates, side tables, paths through documents and arrays, paths that no one declared.
pub(crate) const PATHS: &[&str] = &[
    "_id",
    "name",
    "comment",
    "project",
    "company",
    "active_duration",
    "last_update",
    "created",
    "execution.queue",
    "tags",
    "system_tags",
    "models.input.model",
    "runtime.x",
    "runtime.odd 'key\"%2E",
    "free",
    "list",
];

/// Texts with letters that patterns equate, if case does not matter, though upper and lower case say otherwise.
const ODD_LETTERS: &[&str] =
    &["\u{17f}un \u{212a}ey", "SUN KEY", "Stra\u{1e9e}e", "stra\u{df}e", "\u{3c3}\u{3c2}\u{3a3}x"];

/// Patterns with and without three literal characters in a row, and some that match the texts above.
const PATTERNS: &[&str] = &[
    "^a",
    "b$",
    "",
    "^a9$",
    "1",
    "^10",
    "run 1",
    "Run (9|10)",
    "adam|archived",
    "n \\d+ of",
    "^Run 1",
    "^run",
    "(?i)ADAM$",
    "of (?=ad)",
    "a{2}",
    "chiv.*",
    "sun k",
    "stra.e",
    "stra\u{df}e",
    "\u{3c3}{3}",
];

/// The source of chance, and whether texts have odd letters: stand-ins of stores may not know these.
pub(crate) struct Dice(pub(crate) SmallRng, bool);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed), false)
    }

    /// With odd letters in texts.
    pub(crate) fn with_odd_letters(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed), true)
    }

    pub(crate) fn path(&mut self) -> String {
        (*PATHS.choose(&mut self.0).unwrap()).to_owned()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    pub(crate) fn text(&mut self) -> String {
        if self.1 && self.chance(0.15) {
            return (*ODD_LETTERS.choose(&mut self.0).unwrap()).to_owned();
        }
        let texts = [
            "a",
            "b",
            "A",
            "a10",
            "a9",
            "",
            "ab",
            "10",
            "9",
            // First letters that are not ASCII are left out: the model has them after all others, MongoDB in the alphabet.
            "z\u{0}é",
            "Run 10 of adam",
            "run 9 of ADAM",
            "archived",
            "hidden",
        ];
        (*texts.choose(&mut self.0).unwrap()).to_owned()
    }

    /// Any kind of value: also kinds that a column can't hold.
    pub(crate) fn value(&mut self) -> Bson {
        match self.0.random_range(0..14) {
            0 => Bson::Null,
            1 => Bson::Int32(self.0.random_range(-2..3)),
            2 => Bson::Int64(self.0.random_range(-2..3)),
            3 => Bson::Double(f64::from(self.0.random_range(-4..5)) / 2.0),
            4 => Bson::Boolean(self.chance(0.5)),
            5 => self.date(),
            6 if self.chance(0.3) => {
                Bson::Double(*[f64::NAN, f64::INFINITY, f64::NEG_INFINITY].choose(&mut self.0).unwrap())
            }
            7 if self.chance(0.5) => {
                Bson::Array((0..self.0.random_range(0..3)).map(|_| self.value()).collect())
            }
            8 if self.chance(0.5) => Bson::Document(doc! {"x": self.text()}),
            _ => Bson::String(self.text()),
        }
    }

    pub(crate) fn date(&mut self) -> Bson {
        Bson::DateTime(DateTime::from_millis(self.0.random_range(-3..4) * 500))
    }

    /// `regular`: as the API writes it, so that the columns stay trusted.
    pub(crate) fn document(&mut self, id: &str, regular: bool) -> Document {
        let mut document = doc! {"_id": id};
        let texts = |dice: &mut Self| -> Vec<String> {
            (0..dice.0.random_range(0..3)).map(|_| dice.text()).collect()
        };
        for field in ["name", "comment", "project", "company"] {
            if self.chance(0.8) {
                let value = if self.chance(0.1) { Bson::Null } else { self.text().into() };
                document.insert(field, value);
            }
        }
        for field in ["last_update", "created"] {
            if self.chance(0.8) {
                let date = self.date();
                document.insert(field, date);
            }
        }
        if self.chance(0.5) {
            document.insert("active_duration", self.0.random_range(-2..3));
        }
        if self.chance(0.5) {
            document.insert("execution", doc! {"queue": self.text()});
        }
        for field in ["tags", "system_tags"] {
            if self.chance(0.7) {
                document.insert(field, texts(self));
            }
        }
        if self.chance(0.5) {
            let items: Vec<_> =
                texts(self).into_iter().map(|model| doc! {"model": model, "name": "n"}).collect();
            document.insert("models", doc! {"input": items});
        }
        if self.chance(0.5) {
            document.insert("runtime", doc! {"x": self.value(), "odd 'key\"%2E": self.value()});
        }
        if self.chance(0.5) {
            document.insert("free", self.value());
        }
        if self.chance(0.4) {
            document.insert("list", Bson::Array((0..3).map(|_| self.value()).collect()));
        }
        if !regular {
            for _ in 0..2 {
                let path = (*PATHS[1..].choose(&mut self.0).unwrap()).to_owned();
                let change = Change::Set(path, self.value());
                let mut changed = document.clone();
                if apply(&mut changed, &[change], false).is_ok() {
                    document = changed;
                }
            }
        }
        document
    }

    pub(crate) fn filter(&mut self, depth: usize) -> Filter {
        let path = self.path();
        let kinds = if depth == 0 { 14 } else { 17 };
        match self.0.random_range(0..kinds) {
            0 | 1 => Filter::Equal(path, self.value()),
            2 => Filter::NotEqual(path, self.value()),
            3 => Filter::Greater(path, self.value()),
            4 => Filter::GreaterOrEqual(path, self.value()),
            5 => Filter::Less(path, self.value()),
            6 => Filter::LessOrEqual(path, self.value()),
            7 => Filter::In(path, self.values()),
            8 => Filter::NotIn(path, self.values()),
            9 => Filter::ContainsAll(path, self.values()),
            10 => Filter::Exists(path, self.chance(0.5)),
            11 => self.regex(path),
            // As a search bar asks.
            12 => {
                let regex = self.regex(path);
                let Filter::Regex { pattern, case_insensitive, .. } = &regex else { return regex };
                let paths = ["name", "_id", "system_tags", "models.input.model"];
                let others = paths.map(|path| Filter::Regex {
                    path: path.to_owned(),
                    pattern: pattern.clone(),
                    case_insensitive: *case_insensitive,
                });
                Filter::Or(std::iter::once(regex.clone()).chain(others).collect())
            }
            13 if self.chance(0.5) => Filter::Size(path, self.0.random_range(0..3)),
            13 => {
                let inner =
                    Filter::Equal((*["", "model", "x"].choose(&mut self.0).unwrap()).into(), self.value());
                let array = (*["tags", "models.input", "list"].choose(&mut self.0).unwrap()).to_owned();
                Filter::ElementMatches(array, Box::new(inner))
            }
            14 => Filter::And((0..self.0.random_range(0..4)).map(|_| self.filter(depth - 1)).collect()),
            15 => Filter::Or((0..self.0.random_range(0..4)).map(|_| self.filter(depth - 1)).collect()),
            _ => self.filter(depth - 1).negate(),
        }
    }

    /// A word that texts may contain.
    pub(crate) fn word(&mut self) -> &'static str {
        ["adam", "archived", "hidden", "10", "a9"].choose(&mut self.0).unwrap()
    }

    fn regex(&mut self, path: String) -> Filter {
        let pattern = (*PATTERNS.choose(&mut self.0).unwrap()).to_owned();
        Filter::Regex { path, pattern, case_insensitive: self.chance(0.4) }
    }

    pub(crate) fn values(&mut self) -> Vec<Bson> {
        let most = if self.chance(0.2) { 20 } else { 4 };
        (0..self.0.random_range(0..most)).map(|_| self.value()).collect()
    }

    pub(crate) fn change(&mut self) -> Change {
        let path = (*PATHS[1..].choose(&mut self.0).unwrap()).to_owned();
        match self.0.random_range(0..9) {
            0 => Change::Set(path, self.value()),
            1 => Change::Unset(path),
            2 => Change::Set("last_update".into(), self.date()),
            3 => Change::Set("name".into(), self.text().into()),
            4 => Change::Push("tags".into(), self.text().into()),
            5 => Change::AddToSet("tags".into(), vec![self.text().into(), self.text().into()]),
            6 => Change::PullAll("tags".into(), vec![self.text().into()]),
            7 => Change::Pull("models.input".into(), Filter::eq("model", self.text())),
            _ => Change::PopFirst("list".into()),
        }
    }
}

/// What a sort compares: the least element of arrays, or the greatest when descending.
fn sort_value(document: &Document, path: &str, order: Order, collation: Collation) -> RawBson {
    let mut found: Vec<RawBson> = Vec::new();
    let raw = bson::RawDocumentBuf::try_from(document).unwrap();
    let _ = crate::path::Path::new(path).visit(bson::RawBsonRef::Document(&raw), &mut |value| {
        match value {
            Some(bson::RawBsonRef::Array(array)) if array.is_empty() => found.push(RawBson::MinKey),
            Some(bson::RawBsonRef::Array(array)) => {
                found.extend(crate::path::elements(array).map(RawBson::from));
            }
            Some(value) => found.push(value.into()),
            None => found.push(RawBson::Null),
        }
        std::ops::ControlFlow::Continue(())
    });
    let by =
        |left: &RawBson, right: &RawBson| compare(left.as_raw_bson_ref(), right.as_raw_bson_ref(), collation);
    let best = match order {
        Order::Ascending => found.into_iter().min_by(by),
        Order::Descending => found.into_iter().max_by(by),
    };
    best.unwrap_or(RawBson::Null)
}

/// The documents in order.
pub(crate) fn sorted(
    mut documents: Vec<Document>,
    sorts: &[(String, Order)],
    collation: Collation,
) -> Vec<Document> {
    documents.sort_by(|left, right| {
        sorts.iter().fold(Ordering::Equal, |decided, (path, order)| {
            decided.then_with(|| {
                let [left, right] =
                    [left, right].map(|document| sort_value(document, path, *order, collation));
                let natural = compare(left.as_raw_bson_ref(), right.as_raw_bson_ref(), collation);
                if *order == Order::Descending { natural.reverse() } else { natural }
            })
        })
    });
    documents
}

/// For comparison: not-a-number is not equal to itself.
pub(crate) fn texts(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| format!("{document:?}")).collect()
}
