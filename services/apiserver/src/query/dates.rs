//! Dates as people and clients write them.

use bson::DateTime;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Utc};

const DATE_FORMATS: [&str; 8] =
    ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%m/%d/%Y"];
const TIME_FORMATS: [&str; 4] = ["%H:%M:%S%.f", "%H:%M", "%H%M%S%.f", "%I:%M %p"];

/// Reads a date with an optional time and offset: ISO 8601 in its usual variants, with a space for the `T`,
/// and a few written forms. Without an offset it is UTC. `None` if it is none of these; plain numbers are
/// not dates.
pub(crate) fn parse_date(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if let Ok(date) =
        chrono::DateTime::parse_from_rfc3339(text).or_else(|_| chrono::DateTime::parse_from_rfc2822(text))
    {
        return Some(to_bson(date.with_timezone(&Utc)));
    }
    let (date, rest) = split_date(text)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Some(to_bson(date.and_time(NaiveTime::MIN).and_utc()));
    }
    let (time, offset_minutes) = split_offset(rest)?;
    let time = TIME_FORMATS.iter().find_map(|format| NaiveTime::parse_from_str(time.trim(), format).ok())?;
    let local = NaiveDateTime::new(date, time).and_utc();
    Some(to_bson(local.checked_sub_signed(chrono::Duration::minutes(offset_minutes))?))
}

fn to_bson(date: chrono::DateTime<Utc>) -> DateTime {
    DateTime::from_millis(date.timestamp_millis())
}

/// The date at the start, and what follows its `T` or space.
fn split_date(text: &str) -> Option<(NaiveDate, &str)> {
    for format in DATE_FORMATS {
        if let Ok((date, rest)) = NaiveDate::parse_and_remainder(text, format) {
            if rest.is_empty() && !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Some((date, rest));
            }
            // Eight digits alone are a date; any other plain number is not.
            if rest.is_empty() && text.len() == 8 {
                return Some((date, rest));
            }
            if let Some(time) = rest.strip_prefix(['T', 't', ' ']) {
                return Some((date, time));
            }
        }
    }
    None
}

/// A time, and the minutes that it is ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("UTC")) {
        return Some((time, 0));
    }
    let Some(sign_index) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, offset) = text.split_at(sign_index);
    let digits: String = offset.chars().skip(1).filter(|character| *character != ':').collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.parse::<i64>().ok()?, 0),
        4 => (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..)?.parse::<i64>().ok()?),
        _ => return None,
    };
    let ahead = hours * 60 + minutes;
    Some((time, if offset.starts_with('-') { -ahead } else { ahead }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<String> {
        parse_date(text).map(|date| date.try_to_rfc3339_string().unwrap())
    }

    #[test]
    fn reads_the_usual_forms() {
        for (text, expected) in [
            ("2024-01-02T03:04:05.123456+00:00", "2024-01-02T03:04:05.123Z"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02 03:04:05.1", "2024-01-02T03:04:05.1Z"),
            (" 2024-01-02 03:04 ", "2024-01-02T03:04:00Z"),
            ("2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
            ("2024-01-02 03:04:05 -0130", "2024-01-02T04:34:05Z"),
            ("2024-01-02", "2024-01-02T00:00:00Z"),
            ("20240102", "2024-01-02T00:00:00Z"),
            ("2024/01/02 10:00", "2024-01-02T10:00:00Z"),
            ("Jan 2, 2024", "2024-01-02T00:00:00Z"),
            ("Tue, 2 Jan 2024 03:04:05 +0000", "2024-01-02T03:04:05Z"),
        ] {
            assert_eq!(iso(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_and_words_are_no_dates() {
        for text in
            ["1704164645", "1704164645.5", "1704164645000", "yesterday", "", "2024-13-01", ">2024-01-01"]
        {
            assert_eq!(iso(text), None, "{text}");
        }
    }
}
