//! Usage statistics of workers, queues and serving containers.

pub(super) mod queues;
pub(super) mod raw;
pub(super) mod serving;
pub(super) mod workers;

use std::collections::HashMap;

use super::readers::Reader;

/// The most names of one listing (spec 04 §3.6).
const MAX_NAMES: usize = 10;

/// The names with most samples, then by name.
fn most_sampled(reader: &Reader, samples: &HashMap<i64, u64>) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut ranked = Vec::with_capacity(samples.len());
    for (id, count) in samples {
        let name = reader.name(*id)?.unwrap_or_default();
        ranked.push((std::cmp::Reverse(*count), name, *id));
    }
    ranked.sort();
    ranked.truncate(MAX_NAMES);
    Ok(ranked.into_iter().map(|(_, name, id)| (id, name)).collect())
}

/// Numbers of names; names that were never used are left out. `None` means all.
fn wanted(reader: &Reader, names: &[String]) -> rusqlite::Result<Option<Vec<i64>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        ids.extend(reader.name_id(name)?);
    }
    Ok(Some(ids))
}

/// A value as an index with 32-bit floats gives it back.
fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}
