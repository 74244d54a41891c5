//! The days that usages are asked for (spec 09 §4.3).

use bson::{DateTime, Document};
use chrono::{FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};

use crate::api::{ApiError, ApiResult};

const DAY: i64 = 24 * 60 * 60;

/// Most days of an answer: a protection against ranges that no chart can show.
const MAX_DAYS: i64 = 3_660;

/// Whole days in one time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    /// Midnight before the first day, seconds since the epoch.
    first_day: i64,
    days: i64,
}

/// From when to when a task ran, seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: i64,
    to: i64,
}

impl Period {
    /// From the day of one date to that of another, in the time zone of the first.
    ///
    /// # Errors
    /// 400/12 for dates that can't be read or compared, in the wrong order, or too far apart.
    pub(super) fn parse(from: &str, to: &str) -> ApiResult<Self> {
        let (from, to) = (Given::parse("from_date", from)?, Given::parse("to_date", to)?);
        if from.offset.is_some() != to.offset.is_some() {
            return Err(ApiError::validation("from_date and to_date must both have a time zone, or neither"));
        }
        let zone = from.offset.unwrap_or_else(utc);
        if from.seconds() > to.seconds() {
            return Err(ApiError::validation("from_date cannot be later than to_date"));
        }
        let offset = i64::from(zone.local_minus_utc());
        let day_of = |seconds: i64| (seconds + offset).div_euclid(DAY);
        let (first, last) = (day_of(from.seconds()), day_of(to.seconds()));
        let days = last - first + 1;
        if days > MAX_DAYS {
            return Err(ApiError::validation(format!("the range is longer than {MAX_DAYS} days")));
        }
        Ok(Self { first_day: first * DAY - offset, days })
    }

    /// The first moment.
    pub(super) fn start(&self) -> DateTime {
        DateTime::from_millis(self.first_day * 1000)
    }

    /// The last moment.
    pub(super) fn end(&self) -> DateTime {
        DateTime::from_millis((self.first_day + self.days * DAY) * 1000 - 1)
    }

    /// Midnights before all days, seconds since the epoch.
    pub(super) fn days(&self) -> Vec<f64> {
        (0..self.days).map(|day| (self.first_day + day * DAY) as f64).collect()
    }

    /// When a task ran within the period; `None` if it did not.
    pub(super) fn span_of(&self, task: &Document, now: DateTime) -> Option<Span> {
        let started = task.get_datetime("started").ok()?;
        let ended = if task.get_str("status").is_ok_and(|status| status == "in_progress") {
            now
        } else {
            *task.get_datetime("completed").or_else(|_| task.get_datetime("status_changed")).ok()?
        };
        let seconds = |date: DateTime| date.timestamp_millis().div_euclid(1000);
        let span = Span { from: seconds(*started.max(&self.start())), to: seconds(ended.min(self.end())) };
        (span.from <= span.to).then_some(span)
    }

    /// Number of each day in a span, with the seconds of it.
    pub(super) fn days_of(&self, span: Span) -> impl Iterator<Item = (usize, i64)> {
        let first_day = self.first_day;
        let day_of = move |seconds: i64| (seconds - first_day).div_euclid(DAY);
        (day_of(span.from).max(0)..=day_of(span.to)).map(move |day| {
            let midnight = first_day + day * DAY;
            let seconds = (span.to - midnight).min(DAY) - (span.from - midnight).max(0);
            (day as usize, seconds)
        })
    }
}

/// A date of a request.
struct Given {
    local: NaiveDateTime,
    /// What it says of its time zone; nothing means UTC.
    offset: Option<FixedOffset>,
}

impl Given {
    fn parse(field: &str, text: &str) -> ApiResult<Self> {
        let trimmed = text.trim();
        let without_zone = trimmed.strip_suffix('Z').unwrap_or(trimmed);
        if let Ok(date) = chrono::DateTime::parse_from_rfc3339(without_zone) {
            return Ok(Self { local: date.naive_local(), offset: Some(*date.offset()) });
        }
        let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(without_zone, format).ok())
            .or_else(|| {
                let date = NaiveDate::parse_from_str(without_zone, "%Y-%m-%d").ok()?;
                Some(date.and_time(NaiveTime::MIN))
            })
            .ok_or_else(|| ApiError::validation("Invalid isoformat string").with(field, text))?;
        Ok(Self { local, offset: None })
    }

    /// Seconds since the epoch.
    fn seconds(&self) -> i64 {
        let zone = self.offset.unwrap_or_else(utc);
        zone.from_local_datetime(&self.local)
            .single()
            .map_or_else(|| self.local.and_utc().timestamp(), |date| date.timestamp())
    }
}

fn utc() -> FixedOffset {
    use chrono::Offset as _;
    chrono::Utc.fix()
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn date(text: &str) -> DateTime {
        DateTime::parse_rfc3339_str(text).unwrap()
    }

    #[test]
    fn days_are_those_of_the_first_dates_zone() {
        let period = Period::parse("2025-07-01T23:30:00+03:00", "2025-07-02T22:00:00+00:00").unwrap();
        assert_eq!(period.start(), date("2025-06-30T21:00:00Z"));
        assert_eq!(period.end(), date("2025-07-03T20:59:59.999Z"));
        assert_eq!(period.days().len(), 3);
        let day = Period::parse("2025-07-01T10:00:00.000Z", "2025-07-01").err();
        assert_eq!(day.unwrap().message(), "Validation error (from_date cannot be later than to_date)");
        assert_eq!(Period::parse("2025-07-01", "2025-07-01T10:00:00.000Z").unwrap().days().len(), 1);
    }

    #[test]
    fn odd_dates_are_refused() {
        for (from, to) in [
            ("yesterday", "2025-07-01"),
            ("2025-07-01T00:00:00+03:00", "2025-07-02T00:00:00Z"),
            ("0001-01-01", "9999-01-01"),
            ("2025-07-01", ""),
        ] {
            let error = Period::parse(from, to).unwrap_err();
            assert_eq!((error.code.status, error.code.subcode), (400, 12), "{from} {to}");
        }
    }

    #[test]
    fn tasks_are_cut_to_days() {
        let period = Period::parse("2025-07-01", "2025-07-03").unwrap();
        let now = date("2025-07-02T00:00:10Z");
        let days =
            |task: &Document| period.span_of(task, now).map(|span| period.days_of(span).collect::<Vec<_>>());

        let running = doc! {"status": "in_progress", "started": date("2025-06-30T10:00:00Z")};
        assert_eq!(days(&running), Some(vec![(0, DAY), (1, 10)]));
        let done = doc! {
            "status": "completed", "started": date("2025-07-02T23:59:30.500Z"), "completed": date("2025-07-03T00:01:00Z"),
        };
        assert_eq!(days(&done), Some(vec![(1, 30), (2, 60)]));
        let never_ended = doc! {
            "status": "stopped", "started": date("2025-07-03T12:00:00Z"), "status_changed": date("2025-08-01T00:00:00Z"),
        };
        assert_eq!(days(&never_ended), Some(vec![(2, DAY / 2 - 1)]));
        let backwards = doc! {
            "status": "completed", "started": date("2025-07-02T12:00:00Z"), "completed": date("2025-07-02T11:00:00Z"),
        };
        assert_eq!(days(&backwards), None);
    }
}
