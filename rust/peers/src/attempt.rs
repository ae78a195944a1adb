//! Attempts to connect that failed, for people who look at the engine's output.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hasher},
    time::{Duration, Instant},
};

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
        Self { url: without_secrets(url), sentence }
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "connecting to {} failed: {}.", self.url, self.sentence)
    }
}

/// What of a URL may be printed: neither user info, nor query, nor fragment.
pub(crate) fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{path}")
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
    fn f33_what_is_printed_of_a_url() {
        for (url, shown) in [
            ("ws://host:80/path?token=1#x", "ws://host:80/path"),
            ("wss://user:pass@host", "wss://host"),
            ("ws://a@b@host/p@th", "ws://host/p@th"),
            ("host/?q", "host/"),
            ("user:pass@[::1]:80", "[::1]:80"),
            ("WS://host?x=user@b", "WS://host"),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }

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
