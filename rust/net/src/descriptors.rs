//! The process's limit of open files, and how close to it servers go.
//!
//! The kernel gives out the lowest free number. So a number says that at least as many descriptors are in use, without counting
//! them, and a server that takes none from the last ones leaves those to the game, whoever fills the others.
#![cfg_attr(unix, allow(unsafe_code, reason = "the limit is a call of the system"))]

/// Descriptors that servers leave: an eighth of all, within these bounds, and never more than a quarter.
const LEAST_MARGIN: u64 = 16;
const MOST_MARGIN: u64 = 64;

/// Why no connection is to be accepted for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scarce {
    /// At least so many are in use.
    pub(crate) used: u64,
    /// How many there may be.
    pub(crate) limit: u64,
}

/// Whether the descriptor `next`, which an accepted connection would get, is one of those that are left to the game. `None` where the
/// system knows no such numbers.
pub(crate) fn is_scarce(next: Option<u64>) -> Option<Scarce> {
    let (next, limit) = (next?, limit()?);
    (next >= limit.saturating_sub(margin(limit))).then_some(Scarce { used: next, limit })
}

fn margin(limit: u64) -> u64 {
    (limit / 8).clamp(LEAST_MARGIN, MOST_MARGIN).min(limit / 4)
}

/// How many files this process may have open; `None`: as many as it likes.
#[cfg(unix)]
fn limit() -> Option<u64> {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to the one structure that it is given.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) } == 0;
    #[allow(clippy::useless_conversion, reason = "the type is another on some systems")]
    (is_known && limits.rlim_cur != libc::RLIM_INFINITY).then(|| u64::from(limits.rlim_cur))
}

/// Handles of Windows have no such limit.
#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_left_to_the_game_whatever_the_limit() {
        for (limit, kept) in
            [(0, 0), (16, 4), (64, 16), (128, 16), (256, 32), (1024, 64), (20_000, 64), (u64::MAX, 64)]
        {
            assert_eq!(margin(limit), kept, "of {limit}");
        }
    }
}
