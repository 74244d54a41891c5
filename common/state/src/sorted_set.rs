//! Members ordered by score.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A set of texts, each with a score; equal scores are ordered by text.
#[derive(Debug, Default)]
pub(crate) struct SortedSet {
    scores: HashMap<Arc<str>, f64>,
    order: BTreeSet<(Score, Arc<str>)>,
}

/// A score that is a number, with the order of numbers.
#[derive(Debug, Clone, Copy)]
struct Score(f64);

impl SortedSet {
    /// Adds a member or changes its score, which must be a number.
    pub(crate) fn add(&mut self, member: &str, score: f64) {
        let member: Arc<str> = match self.scores.get_key_value(member) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(member),
        };
        if let Some(previous) = self.scores.insert(Arc::clone(&member), score) {
            self.order.remove(&(Score(previous), Arc::clone(&member)));
        }
        self.order.insert((Score(score), member));
    }

    pub(crate) fn score(&self, member: &str) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Members with a score in `min..=max`, by score.
    pub(crate) fn range(&self, min: f64, max: f64) -> impl Iterator<Item = &Arc<str>> {
        self.order
            .range((Score(min), Arc::from(""))..)
            .take_while(move |(score, _)| score.0 <= max)
            .map(|(_, member)| member)
    }

    /// Whether the member was there.
    pub(crate) fn remove(&mut self, member: &str) -> bool {
        let Some((member, score)) = self.scores.remove_entry(member) else { return false };
        self.order.remove(&(Score(score), member))
    }

    /// How many members were removed.
    pub(crate) fn remove_range(&mut self, min: f64, max: f64) -> u64 {
        let members: Vec<Arc<str>> = self.range(min, max).cloned().collect();
        members.iter().filter(|member| self.remove(member)).count() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zeros of both signs are one score.
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}
