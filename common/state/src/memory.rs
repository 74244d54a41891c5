//! State in this process's memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{SharedState, StateError, StateResult, glob, sorted_set::SortedSet};

/// At most this many expired keys are freed by one call, so that no call pays for thousands. A call adds at
/// most one key that expires, so the freeing always outruns the growth.
const FREED_PER_CALL: usize = 256;

/// The state of a server that runs alone: kept in memory, gone when the process ends.
///
/// An expired key is invisible at once; its memory is freed by the calls that follow.
#[derive(Debug, Default)]
pub struct MemoryState {
    store: Mutex<Store>,
}

#[derive(Debug, Default)]
struct Store {
    /// Ordered by key, so that a glob with a fixed beginning reads only the keys that share it.
    entries: BTreeMap<Arc<str>, Entry>,
    /// The keys that expire, first one first.
    expiries: BTreeSet<(Instant, Arc<str>)>,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    expires_at: Option<Instant>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    SortedSet(SortedSet),
    List(Vec<String>),
}

impl MemoryState {
    /// Number of keys in memory, expired ones that are not freed yet included.
    pub fn stored_keys(&self) -> usize {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).entries.len()
    }

    /// The store with some expired keys freed, and the present moment.
    fn open(&self) -> (MutexGuard<'_, Store>, Instant) {
        let now = Instant::now();
        // No operation panics half-way through a change: the content is sound even if a holder panicked.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.free_expired(now, FREED_PER_CALL);
        (store, now)
    }
}

impl Store {
    fn free_expired(&mut self, now: Instant, at_most: usize) {
        for _ in 0..at_most {
            let Some((expires_at, _)) = self.expiries.first() else { return };
            if *expires_at > now {
                return;
            }
            if let Some((_, key)) = self.expiries.pop_first() {
                self.entries.remove(&key);
            }
        }
    }

    fn entry(&self, key: &str, now: Instant) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.is_alive(now))
    }

    /// The entry of a key; an expired one is removed first.
    fn entry_mut(&mut self, key: &str, now: Instant) -> Option<&mut Entry> {
        if self.entries.get(key).is_some_and(|entry| !entry.is_alive(now)) {
            self.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn text(&self, key: &str, now: Instant) -> StateResult<Option<&String>> {
        match self.entry(key, now).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    fn sorted_set(&self, key: &str, now: Instant) -> StateResult<Option<&SortedSet>> {
        match self.entry(key, now).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::SortedSet(set)) => Ok(Some(set)),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    /// Changes a sorted set that exists, and drops it when the change has emptied it.
    fn change_sorted_set(
        &mut self,
        key: &str,
        now: Instant,
        change: impl FnOnce(&mut SortedSet) -> u64,
    ) -> StateResult<u64> {
        let Some(entry) = self.entry_mut(key, now) else { return Ok(0) };
        let Value::SortedSet(set) = &mut entry.value else { return Err(wrong_kind(key)) };
        let changed = change(set);
        if set.is_empty() {
            self.remove(key);
        }
        Ok(changed)
    }

    /// Stores a value in place of what the key holds. A lifetime of zero stores nothing.
    fn put(&mut self, key: &str, value: Value, expires_at: Option<Instant>, now: Instant) {
        self.remove(key);
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            return;
        }
        let key: Arc<str> = Arc::from(key);
        if let Some(expires_at) = expires_at {
            self.expiries.insert((expires_at, Arc::clone(&key)));
        }
        self.entries.insert(key, Entry { value, expires_at });
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some((key, entry)) = self.entries.remove_entry(key) else { return false };
        if let Some(expires_at) = entry.expires_at {
            self.expiries.remove(&(expires_at, key));
        }
        true
    }
}

impl Entry {
    fn is_alive(&self, now: Instant) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

fn wrong_kind(key: &str) -> StateError {
    StateError::WrongKind(key.to_owned())
}

/// When a lifetime that starts now ends; one beyond what the clock can tell never does.
fn moment_after(now: Instant, lifetime: Duration) -> Option<Instant> {
    now.checked_add(lifetime)
}

#[async_trait]
impl SharedState for MemoryState {
    async fn get(&self, key: &str) -> StateResult<Option<String>> {
        let (store, now) = self.open();
        Ok(store.text(key, now)?.cloned())
    }

    async fn get_many(&self, keys: &[String]) -> StateResult<Vec<Option<String>>> {
        let (store, now) = self.open();
        // As Redis' MGET: a key of another kind has no text value.
        Ok(keys.iter().map(|key| store.text(key, now).ok().flatten().cloned()).collect())
    }

    async fn set(&self, key: &str, value: &str, expires_in: Option<Duration>) -> StateResult<()> {
        let (mut store, now) = self.open();
        let expires_at = expires_in.and_then(|lifetime| moment_after(now, lifetime));
        store.put(key, Value::Text(value.to_owned()), expires_at, now);
        Ok(())
    }

    async fn set_if_absent(&self, key: &str, value: &str, expires_in: Duration) -> StateResult<bool> {
        let (mut store, now) = self.open();
        if store.entry(key, now).is_some() {
            return Ok(false);
        }
        store.put(key, Value::Text(value.to_owned()), moment_after(now, expires_in), now);
        Ok(true)
    }

    async fn delete_if_equal(&self, key: &str, value: &str) -> StateResult<bool> {
        let (mut store, now) = self.open();
        if store.text(key, now)?.is_none_or(|text| text != value) {
            return Ok(false);
        }
        Ok(store.remove(key))
    }

    async fn delete(&self, keys: &[String]) -> StateResult<u64> {
        let (mut store, now) = self.open();
        let mut deleted = 0;
        for key in keys {
            let existed = store.entry(key, now).is_some();
            store.remove(key);
            deleted += u64::from(existed);
        }
        Ok(deleted)
    }

    async fn keys(&self, glob: &str) -> StateResult<Vec<String>> {
        let (store, now) = self.open();
        let prefix = glob::literal_prefix(glob);
        let from: (Bound<&str>, Bound<&str>) = (Bound::Included(prefix), Bound::Unbounded);
        Ok(store
            .entries
            .range::<str, _>(from)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, entry)| entry.is_alive(now) && glob::matches(glob, key))
            .map(|(key, _)| key.to_string())
            .collect())
    }

    async fn sorted_add(&self, key: &str, member: &str, score: f64) -> StateResult<()> {
        if score.is_nan() {
            return Err(StateError::InvalidScore(key.to_owned()));
        }
        let (mut state, now) = self.open();
        if let Some(entry) = state.entry_mut(key, now) {
            let Value::SortedSet(set) = &mut entry.value else { return Err(wrong_kind(key)) };
            set.add(member, score);
            return Ok(());
        }
        let mut set = SortedSet::default();
        set.add(member, score);
        state.put(key, Value::SortedSet(set), None, now);
        Ok(())
    }

    async fn sorted_range(&self, key: &str, min: f64, max: f64) -> StateResult<Vec<String>> {
        let (store, now) = self.open();
        let Some(set) = store.sorted_set(key, now)? else { return Ok(Vec::new()) };
        Ok(set.range(min, max).map(ToString::to_string).collect())
    }

    async fn sorted_score(&self, key: &str, member: &str) -> StateResult<Option<f64>> {
        let (store, now) = self.open();
        Ok(store.sorted_set(key, now)?.and_then(|set| set.score(member)))
    }

    async fn sorted_remove(&self, key: &str, members: &[String]) -> StateResult<u64> {
        let (mut store, now) = self.open();
        store.change_sorted_set(key, now, |set| {
            members.iter().filter(|member| set.remove(member)).count() as u64
        })
    }

    async fn sorted_remove_range(&self, key: &str, min: f64, max: f64) -> StateResult<u64> {
        let (mut store, now) = self.open();
        store.change_sorted_set(key, now, |set| set.remove_range(min, max))
    }

    async fn list_append(&self, key: &str, values: &[String]) -> StateResult<()> {
        if values.is_empty() {
            return Ok(());
        }
        let (mut store, now) = self.open();
        if let Some(entry) = store.entry_mut(key, now) {
            let Value::List(list) = &mut entry.value else { return Err(wrong_kind(key)) };
            list.extend_from_slice(values);
            return Ok(());
        }
        store.put(key, Value::List(values.to_vec()), None, now);
        Ok(())
    }

    async fn list_all(&self, key: &str) -> StateResult<Vec<String>> {
        let (store, now) = self.open();
        match store.entry(key, now).map(|entry| &entry.value) {
            None => Ok(Vec::new()),
            Some(Value::List(list)) => Ok(list.clone()),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    async fn expire(&self, key: &str, expires_in: Duration) -> StateResult<bool> {
        let (mut store, now) = self.open();
        if store.entry(key, now).is_none() {
            return Ok(false);
        }
        let Some((name, entry)) = store.entries.remove_entry(key) else { return Ok(false) };
        if let Some(previous) = entry.expires_at {
            store.expiries.remove(&(previous, name));
        }
        store.put(key, entry.value, moment_after(now, expires_in), now);
        Ok(true)
    }

    async fn ping(&self) -> StateResult<()> {
        drop(self.open());
        Ok(())
    }
}
