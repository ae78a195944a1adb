//! What keeps listeners from accepting, and when people are told of it.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{descriptors::Scarce, notices::NoticeCause};

/// Accepting that has gone well for so long is over with what kept it from that; at the limit it stops and goes on with each
/// connection that ends, which is one outage.
const OVER_AFTER: Duration = Duration::from_secs(10);

/// Why a listener accepts nobody for now.
#[derive(Debug)]
pub(crate) enum Outage {
    /// What is left of the file descriptors is the game's.
    Scarce(Scarce),
    /// There are none left.
    Exhausted(io::Error),
    /// Whatever else the system says.
    Other(io::Error),
}

/// The outages of all listeners: each is told once.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    descriptors: Spell,
    other: Spell,
    /// The system's error of the other one.
    code: Option<i32>,
}

impl Outages {
    /// The listener on `port` has tried and accepted nobody. What to say of it, if that is new.
    pub(crate) fn met(&mut self, port: u16, outage: &Outage, now: Instant) -> Option<(NoticeCause, String)> {
        let (cause, is_new) = match outage {
            Outage::Scarce(_) | Outage::Exhausted(_) => {
                (NoticeCause::DescriptorsScarce, self.descriptors.begins(now))
            }
            Outage::Other(error) => {
                let was_other =
                    std::mem::replace(&mut self.code, error.raw_os_error()) != error.raw_os_error();
                (NoticeCause::AcceptFailed, self.other.begins(now) || was_other)
            }
        };
        is_new.then(|| (cause, sentence(port, outage)))
    }
}

fn sentence(port: u16, outage: &Outage) -> String {
    let why = match outage {
        Outage::Scarce(Scarce { used, limit }) => {
            format!(
                "{used} of the {limit} files and sockets that this process may open are open, and the others are left to the game"
            )
        }
        Outage::Exhausted(error) => format!("there are no file descriptors left ({error})"),
        Outage::Other(error) => format!("the system refuses it ({error})"),
    };
    let remedy = match outage {
        Outage::Scarce(_) | Outage::Exhausted(_) => {
            "; a higher limit (ulimit -n), or max_clients, keeps servers from this"
        }
        Outage::Other(_) => "",
    };
    format!(
        "The server on port {port} accepts nobody for now: {why}. Clients wait until there is room{remedy}."
    )
}

/// One outage, from its first attempt to accept on.
#[derive(Debug, Default)]
struct Spell {
    last: Option<Instant>,
}

impl Spell {
    /// An attempt failed. True if that is a new one.
    fn begins(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= OVER_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_until_it_is_over() {
        let start = Instant::now();
        let mut outages = Outages::default();
        let mut told = |second, port, outage: Outage| {
            outages.met(port, &outage, start + Duration::from_secs(second)).map(|(_, text)| text)
        };
        let scarce = || Outage::Scarce(Scarce { used: 48, limit: 64 });
        let other = |code| Outage::Other(io::Error::from_raw_os_error(code));
        let first = told(0, 9080, scarce()).unwrap();
        assert!(first.contains("port 9080") && first.contains("48 of the 64"), "{first}");
        for second in 1..60 {
            assert_eq!(told(second, 9081, scarce()), None, "another listener, the same outage");
        }
        assert_eq!(told(60, 9081, Outage::Exhausted(io::ErrorKind::Other.into())), None);
        assert!(told(70, 9081, scarce()).is_some(), "a new one");
        assert!(told(70, 9081, other(1)).is_some());
        assert_eq!(told(71, 9081, other(1)), None);
        assert!(told(71, 9081, other(2)).is_some(), "for another reason");
    }
}
