//! How often lines are printed: so many of each cause a second, for the whole process, with how many were left out. What a
//! line says can be brought about by others, as often as they like.

use std::{
    hash::{DefaultHasher, Hasher},
    time::{Duration, Instant},
};

const PERIOD: Duration = Duration::from_secs(1);

/// Causes of one period that are told apart; what else is said within it is one more.
const MAX_CAUSES: usize = 64;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineCause(u64);

impl LineCause {
    /// Of everything that is said beyond [`MAX_CAUSES`].
    const OTHERS: Self = Self(0);

    /// The sentence without what differs from peer to peer: its numbers, and everything from the first parenthesis to the last, which
    /// may be the other side's words, with parentheses of their own.
    pub fn of_sentence(text: &str) -> Self {
        let (before, rest) = text.split_once('(').unwrap_or((text, ""));
        let behind = rest.rsplit_once(')').map_or("", |(_, behind)| behind);
        let mut hasher = DefaultHasher::new();
        for character in before.chars().chain(behind.chars()).filter(|character| !character.is_ascii_digit())
        {
            hasher.write_u32(character.into());
        }
        Self(hasher.finish().max(1))
    }

    /// This text, whatever is in it.
    pub fn of_text(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        Self(hasher.finish().max(1))
    }
}

/// A cause that something was printed of lately.
#[derive(Debug)]
struct Spell {
    cause: LineCause,
    /// When its period began.
    since: Instant,
    /// Lines printed in it.
    printed: usize,
    left_out: usize,
    /// The last text that was left out.
    text: String,
}

/// Which lines are printed.
#[derive(Debug)]
pub struct LineLimit {
    spells: Vec<Spell>,
    /// Lines of one cause within a period.
    most: usize,
}

impl LineLimit {
    /// Prints `most` lines of each cause a second. Nothing was printed so far.
    pub const fn new(most: usize) -> Self {
        Self { spells: Vec::new(), most }
    }

    /// `text` was to be printed, `times` times: what to print now, if anything.
    pub fn offer(&mut self, cause: LineCause, text: String, times: usize, now: Instant) -> Option<String> {
        self.spells.retain(|spell| spell.left_out > 0 || !is_over(spell, now));
        let known = self.spells.iter().position(|spell| spell.cause == cause);
        let is_room = self.spells.len() < MAX_CAUSES || cause == LineCause::OTHERS;
        match known.and_then(|index| self.spells.get_mut(index)) {
            Some(spell) if is_over(spell, now) => {
                let left_out = std::mem::take(&mut spell.left_out) + times - 1;
                (spell.since, spell.printed) = (now, 1);
                Some(with_count(&text, left_out))
            }
            Some(spell) if spell.printed < self.most => {
                spell.printed += 1;
                Some(with_count(&text, times - 1))
            }
            Some(spell) => {
                spell.left_out += times;
                spell.text = text;
                None
            }
            None if is_room => {
                self.spells.push(Spell { cause, since: now, printed: 1, left_out: 0, text: String::new() });
                Some(with_count(&text, times - 1))
            }
            None => self.offer(LineCause::OTHERS, text, times, now),
        }
    }

    /// What was left out and nothing of its cause has followed: to be printed now.
    pub fn due(&mut self, now: Instant) -> Vec<String> {
        let due = self.spells.iter_mut().filter(|spell| spell.left_out > 0 && is_over(spell, now));
        due.map(|spell| {
            (spell.since, spell.printed) = (now, 1);
            let text = std::mem::take(&mut spell.text);
            with_count(&text, std::mem::take(&mut spell.left_out) - 1)
        })
        .collect()
    }

    /// Something was left out that [`due`](Self::due) will have.
    pub fn is_waiting(&self) -> bool {
        self.spells.iter().any(|spell| spell.left_out > 0)
    }
}

fn is_over(spell: &Spell, now: Instant) -> bool {
    now.saturating_duration_since(spell.since) >= PERIOD
}

fn with_count(text: &str, left_out: usize) -> String {
    match left_out {
        0 => text.to_owned(),
        count => format!("{text} ({count} more of this kind in the last second)"),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    fn offer(limit: &mut LineLimit, text: &str, now: Instant) -> Option<String> {
        limit.offer(LineCause::of_sentence(text), text.to_owned(), 1, now)
    }

    #[test]
    fn a_cause_has_one_line_a_second_with_a_count() {
        let (mut limit, start) = (LineLimit::new(1), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(offer(&mut limit, "Peer 1: full.", at(0)).as_deref(), Some("Peer 1: full."));
        for peer in 2..100 {
            assert_eq!(offer(&mut limit, &format!("Peer {peer}: full."), at(peer)), None);
        }
        assert_eq!(limit.due(at(999)), [""; 0]);
        assert_eq!(limit.due(at(1000)), ["Peer 99: full. (97 more of this kind in the last second)"]);
        assert!(!limit.is_waiting());
        assert_eq!(offer(&mut limit, "Peer 1: full.", at(1500)), None);
        let next = offer(&mut limit, "Peer 2: full.", at(2000));
        assert_eq!(next.as_deref(), Some("Peer 2: full. (1 more of this kind in the last second)"));
        assert_eq!(offer(&mut limit, "Peer 3: full.", at(9000)).as_deref(), Some("Peer 3: full."));
    }

    #[test]
    fn more_than_one_a_second_where_that_is_wanted() {
        let (mut limit, start) = (LineLimit::new(3), Instant::now());
        let printed =
            |now, limit: &mut LineLimit| (0..10).filter(|_| offer(limit, "x", now).is_some()).count();
        assert_eq!((printed(start, &mut limit), printed(start + PERIOD, &mut limit)), (3, 3));
        assert_eq!(limit.due(start + 2 * PERIOD), ["x (6 more of this kind in the last second)"]);
    }

    #[test]
    fn every_line_is_printed_or_counted() {
        let (mut limit, start) = (LineLimit::new(1), Instant::now());
        let mut lines = Vec::new();
        for milli in 0..5500 {
            let now = start + Duration::from_millis(milli);
            lines.extend(offer(&mut limit, &format!("Peer {milli}: full."), now));
        }
        lines.extend(limit.due(start + Duration::from_secs(7)));
        let counted: usize = lines.iter().map(|line| 1 + count_in(line)).sum();
        assert_eq!((lines.len(), counted), (7, 5500), "{lines:?}");
    }

    fn count_in(line: &str) -> usize {
        let count = line.split_once(" (").and_then(|(_, rest)| rest.split(' ').next());
        count.map_or(0, |count| count.parse().unwrap())
    }

    #[test]
    fn causes_are_told_apart_up_to_a_number() {
        let (mut limit, now) = (LineLimit::new(1), Instant::now());
        let texts = |number: usize| "x".repeat(number + 1);
        let printed = (0..1000).filter(|number| offer(&mut limit, &texts(*number), now).is_some()).count();
        assert_eq!(printed, MAX_CAUSES + 1);
        assert_eq!(limit.spells.len(), MAX_CAUSES + 1);
        let later = now + PERIOD;
        assert_eq!(limit.due(later).len(), 1);
        assert!(offer(&mut limit, "another", later + PERIOD).is_some());
        assert_eq!(limit.spells.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn the_other_side_s_words_and_numbers_make_no_cause() {
        let cause = LineCause::of_sentence;
        assert_eq!(cause("Peer 7: not open (it said: 'a')."), cause("Peer 12: not open (it said: 'b (c)')."));
        for words in [")", "))abc", "(", ") ("] {
            let said = format!("Peer 9: not open (it said: '{words}').");
            assert_eq!(cause("Peer 7: not open (it said: 'a')."), cause(&said), "{said}");
        }
        assert_ne!(cause("close_timeout must be above 0."), cause("handshake_timeout must be above 0."));
    }
}
