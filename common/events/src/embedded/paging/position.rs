//! Where a page begins, and its text form.

use crate::{EventError, EventResult, KeyPosition, Order};

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    /// Behind all events with this key.
    Key(i64),
    /// Behind this event.
    Exact {
        key: i64,
        seq: i64,
    },
    /// Amid the events that lack the key.
    Unkeyed(Unkeyed),
}

/// A place amid the events that lack the key: first come logs, then all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unkeyed {
    Logs { timestamp: i64, seq: i64 },
    Others { seq: i64 },
}

impl Start {
    /// First key and the sequence number behind which to begin; `None` if all events with keys are done.
    pub(super) fn keyed(&self, order: Order) -> Option<(i64, i64)> {
        match *self {
            Self::Beginning if order == Order::Ascending => Some((i64::MIN, i64::MIN)),
            Self::Beginning => Some((i64::MAX, i64::MIN)),
            Self::Key(key) => Some((key, i64::MAX)),
            Self::Exact { key, seq } => Some((key, seq)),
            Self::Unkeyed(_) => None,
        }
    }

    /// Where to begin amid the events that lack the key.
    pub(super) fn unkeyed(&self) -> Unkeyed {
        match *self {
            Self::Unkeyed(place) => place,
            _ => Unkeyed::Logs { timestamp: i64::MIN, seq: i64::MIN },
        }
    }

    pub(super) fn from_key_position(position: Option<&KeyPosition>) -> EventResult<Self> {
        match position {
            None => Ok(Self::Beginning),
            Some(KeyPosition::Key(key)) => Ok(Self::Key(*key)),
            Some(KeyPosition::Unkeyed(text)) => Self::from_text(text),
        }
    }

    /// The position for the caller of the key iterator, whose pages contain all events of a key.
    pub(super) fn into_key_position(self) -> KeyPosition {
        match self {
            Self::Key(key) | Self::Exact { key, .. } => KeyPosition::Key(key),
            Self::Beginning | Self::Unkeyed(_) => KeyPosition::Unkeyed(self.to_text()),
        }
    }

    pub(super) fn to_text(self) -> String {
        match self {
            Self::Beginning => "beginning".to_owned(),
            Self::Key(key) => format!("key:{key}"),
            Self::Exact { key, seq } => format!("exact:{key}:{seq}"),
            Self::Unkeyed(Unkeyed::Logs { timestamp, seq }) => format!("logs:{timestamp}:{seq}"),
            Self::Unkeyed(Unkeyed::Others { seq }) => format!("others:{seq}"),
        }
    }

    pub(super) fn from_text(text: &str) -> EventResult<Self> {
        let number = |part: &str| part.parse::<i64>().map_err(|_| EventError::InvalidPosition);
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["beginning"] => Ok(Self::Beginning),
            ["key", key] => Ok(Self::Key(number(key)?)),
            ["exact", key, seq] => Ok(Self::Exact { key: number(key)?, seq: number(seq)? }),
            ["logs", timestamp, seq] => {
                Ok(Self::Unkeyed(Unkeyed::Logs { timestamp: number(timestamp)?, seq: number(seq)? }))
            }
            ["others", seq] => Ok(Self::Unkeyed(Unkeyed::Others { seq: number(seq)? })),
            _ => Err(EventError::InvalidPosition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_reversible() {
        let places = [
            Start::Beginning,
            Start::Key(-5),
            Start::Exact { key: i64::MIN, seq: 7 },
            Start::Unkeyed(Unkeyed::Logs { timestamp: 1, seq: 2 }),
            Start::Unkeyed(Unkeyed::Others { seq: 3 }),
        ];
        for place in places {
            assert_eq!(Start::from_text(&place.to_text()).unwrap(), place);
        }
        for text in ["", "exact:1", "key:x", "FFFF"] {
            assert!(matches!(Start::from_text(text), Err(EventError::InvalidPosition)), "{text}");
        }
    }
}
