//! How far a transfer has come: a bar for people, lines for logs.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use clearml_transfer::{Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where nobody watches.
const PAUSE: Duration = Duration::from_secs(10);
/// Steps of the bar.
const STEPS: u64 = 1000;

/// Shows progress on the standard error.
pub(super) enum Display {
    Bar(ProgressBar),
    Lines(Mutex<Option<(Stage, Instant)>>),
}

impl Display {
    /// A bar on a terminal, else lines.
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines(Mutex::new(None));
        }
        let bar = ProgressBar::new(STEPS);
        if let Ok(style) = ProgressStyle::with_template("{prefix:10} {bar:40} {percent:>3} % {msg}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    pub(super) fn show(&self, progress: Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_prefix(progress.stage.to_string());
                bar.set_message(progress.done.to_string());
                bar.set_position((progress.share.unwrap_or(0.0) * STEPS as f64) as u64);
            }
            Self::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                let is_due =
                    last.is_none_or(|(stage, shown)| stage != progress.stage || shown.elapsed() >= PAUSE);
                if is_due {
                    *last = Some((progress.stage, Instant::now()));
                    // Who has closed it does not want to know.
                    let _ = writeln!(std::io::stderr(), "{}", line(progress));
                }
            }
        }
    }

    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(progress: Progress) -> String {
    let Progress { stage, done, share } = progress;
    match share {
        Some(share) => format!("{stage}: {done} ({:.0} %)", share * 100.0),
        None => format!("{stage}: {done}"),
    }
}
