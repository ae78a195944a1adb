//! Turns for many, in an order that is fair where time does not do for all.

use std::collections::VecDeque;

/// Those who take turns, the one that has waited for longest first.
#[derive(Debug)]
pub struct Rotation<T>(VecDeque<T>);

impl<T> Default for Rotation<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Rotation<T> {
    /// Nobody.
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more, behind the others.
    pub fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    /// Those of `others`, behind the ones that are here.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Gives each a turn until all have had one, or `is_over` says so behind one of them; the others come first the next time. At
    /// least one has its turn, so that everybody's comes. Those of whom `work` answers false are dropped.
    pub fn turn(&mut self, mut work: impl FnMut(&mut T) -> bool, mut is_over: impl FnMut() -> bool) {
        for _ in 0..self.0.len() {
            let Some(mut item) = self.0.pop_front() else { return };
            if work(&mut item) {
                self.0.push_back(item);
            }
            if is_over() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who had a turn, in an order of turns that each have time for `most`.
    fn turns(rotation: &mut Rotation<u32>, most: usize) -> Vec<u32> {
        let (mut had, mut left) = (Vec::new(), most);
        rotation.turn(
            |item| {
                had.push(*item);
                true
            },
            || {
                left = left.saturating_sub(1);
                left == 0
            },
        );
        had
    }

    #[test]
    fn where_time_does_not_do_for_all_nobody_is_left_out() {
        let mut rotation = Rotation::new();
        (0..5).for_each(|item| rotation.push(item));
        assert_eq!(turns(&mut rotation, 2), [0, 1]);
        rotation.push(5);
        assert_eq!(turns(&mut rotation, 3), [2, 3, 4]);
        assert_eq!(turns(&mut rotation, 0), [0], "one in any case");
        assert_eq!(turns(&mut rotation, 9), [1, 5, 2, 3, 4, 0], "each once");
    }

    #[test]
    fn who_is_through_is_dropped() {
        let mut rotation = Rotation::new();
        (0..6).for_each(|item| rotation.push(item));
        rotation.turn(|item| *item % 2 == 1, || false);
        assert_eq!(turns(&mut rotation, 9), [1, 3, 5]);
        let mut late = Rotation::new();
        late.push(7);
        rotation.append(late);
        rotation.turn(|item| *item == 7, || false);
        assert_eq!(turns(&mut rotation, 9), [7]);
        rotation.turn(|_| false, || true);
        assert!(rotation.is_empty());
    }
}
