//! Attempts to connect that failed, for people who look at the engine's output.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hasher},
    time::{Duration, Instant},
};

use rust_websocket_proto::{Quoted, shown_url};

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
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "connecting to {} failed: {}.", Quoted(&self.url), self.sentence)
    }
}

/// Which texts were printed in the last minute.
#[derive(Debug, Default)]
pub struct LatelyPrinted(VecDeque<(Instant, u64)>);

impl LatelyPrinted {
    /// Nothing so far.
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Whether to print `text` now.
    pub fn is_due(&mut self, text: &str, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        let text = hasher.finish();
        while self.0.pop_front_if(|(at, _)| now.saturating_duration_since(*at) >= REPEAT_AFTER).is_some() {}
        if self.0.len() >= REMEMBERED || self.0.iter().any(|(_, known)| *known == text) {
            return false;
        }
        self.0.push_back((now, text));
        true
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
        assert!(printed.is_due("a", start));
        assert!(!printed.is_due("a", start + Duration::from_secs(59)));
        assert!(printed.is_due("b", start + Duration::from_secs(59)));
        assert!(printed.is_due("a", start + Duration::from_secs(60)));
        let flood =
            (0..1000).filter(|n| printed.is_due(&n.to_string(), start + Duration::from_secs(61))).count();
        assert_eq!(flood, REMEMBERED - 2);
        assert!(printed.is_due("c", start + Duration::from_secs(200)));
    }
}
