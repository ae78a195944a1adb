//! Attempts to connect that failed, for people who look at the engine's output.

use std::{
    fmt,
    time::{Duration, Instant},
};

use rust_websocket_proto::{Quoted, shown_url};

use crate::LineCause;

/// The same text is not printed again for so long: scripts try again in a loop.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Texts remembered for that.
const REMEMBERED: usize = 64;

/// A client's connection that never came about, and was not closed by the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Where it went, without credentials and query.
    url: String,
    /// Why it failed.
    sentence: String,
}

impl FailedAttempt {
    pub(crate) fn new(url: &str, sentence: String) -> Self {
        Self { url: shown_url(url), sentence }
    }

    /// What a warning of it by that class is about: whatever a server makes attempts to reach it fail with.
    pub fn cause(&self, class: &str) -> LineCause {
        LineCause::of_text(&format!("{class} {}", self.url))
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "connecting to {} failed: {}.", Quoted(&self.url), self.sentence)
    }
}

/// Which texts were printed in the last minute.
#[derive(Debug, Default)]
pub struct LatelyPrinted(Vec<Printed>);

#[derive(Debug)]
struct Printed {
    text: LineCause,
    at: Instant,
    left_out: usize,
}

impl LatelyPrinted {
    /// Nothing so far.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What to print now for `text`, if anything: itself, with how often it was left out before.
    pub fn offer(&mut self, text: &str, now: Instant) -> Option<String> {
        let is_over = |printed: &Printed| now.saturating_duration_since(printed.at) >= REPEAT_AFTER;
        let cause = LineCause::of_text(text);
        let mut left_out = 0;
        if let Some(printed) = self.0.iter_mut().find(|printed| printed.text == cause) {
            if !is_over(printed) {
                printed.left_out += 1;
                return None;
            }
            left_out = printed.left_out;
        }
        self.0.retain(|printed| !is_over(printed));
        if self.0.len() >= REMEMBERED {
            return None;
        }
        self.0.push(Printed { text: cause, at: now, left_out: 0 });
        Some(match left_out {
            0 => text.to_owned(),
            count => format!("{text} ({count} more of this kind since it was printed)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn f33_the_same_text_comes_once_a_minute() {
        let start = Instant::now();
        let mut printed = LatelyPrinted::new();
        let mut offer = |text: &str, second| printed.offer(text, start + Duration::from_secs(second));
        assert_eq!(offer("a", 0).as_deref(), Some("a"));
        assert_eq!((offer("a", 30), offer("a", 59)), (None, None));
        assert_eq!(offer("b", 59).as_deref(), Some("b"));
        assert_eq!(offer("a", 60).as_deref(), Some("a (2 more of this kind since it was printed)"));
        let flood = (0..1000).filter(|n| offer(&n.to_string(), 61).is_some()).count();
        assert_eq!(flood, REMEMBERED - 2);
        assert!(offer("c", 200).is_some());
    }
}
