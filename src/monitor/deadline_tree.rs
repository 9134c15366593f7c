//! [`DeadlineTree`]: the smallest of a million deadlines that keep moving later.
//!
//! A beat postpones a deadline, and nearly every deadline is postponed before it falls due. So the
//! deadlines lie in a flat array, and above it levels of lower bounds, one for 64 numbers of the
//! level below. To postpone is one store, which leaves the bounds above too low. That is harmless:
//! when the smallest bound falls due, the way down finds the bounds that are too low and sets them
//! right. A deadline that moves earlier lowers the bounds above it at once.
//!
//! So a number is never below its bound, expiry is exact to the nanosecond, and nothing ticks.

use crate::time::Nanos;

/// How many numbers share a bound. With 16 both beats and mass deaths were slower when measured.
const GROUP: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct DeadlineTree {
    leaves: Vec<Nanos>,
    /// The lowest level first. The last one has a single number, the bound of all.
    bounds: Vec<Vec<Nanos>>,
    /// The leaf that was found last: the search goes on in its group.
    cursor: usize,
}

impl DeadlineTree {
    pub(super) const fn new() -> Self {
        Self {
            leaves: Vec::new(),
            bounds: Vec::new(),
            cursor: 0,
        }
    }

    pub(super) fn get(&self, index: usize) -> Nanos {
        self.leaves.get(index).copied().unwrap_or(Nanos::MAX)
    }

    /// No deadline is earlier than this.
    pub(super) fn bound(&self) -> Nanos {
        let root = self.bounds.last().and_then(|level| level.first());
        root.copied().unwrap_or(Nanos::MAX)
    }

    /// One more deadline, at the index that was the length.
    pub(super) fn push(&mut self, deadline: Nanos) {
        let index = self.leaves.len();
        self.leaves.push(Nanos::MAX);
        let mut below = index + 1;
        for level in &mut self.bounds {
            below = below.div_ceil(GROUP);
            level.resize(below, Nanos::MAX);
        }
        if self.bounds.is_empty() || below > 1 {
            let bound = self.bound();
            self.bounds.push(vec![bound]);
        }
        self.set(index, deadline);
    }

    /// Moves a deadline.
    #[inline]
    pub(super) fn set(&mut self, index: usize, deadline: Nanos) {
        let Some(leaf) = self.leaves.get_mut(index) else {
            return;
        };
        let was = std::mem::replace(leaf, deadline);
        if deadline < was {
            self.lower(index, deadline);
        }
    }

    /// Walks up to the first bound that is low enough.
    fn lower(&mut self, mut index: usize, deadline: Nanos) {
        for level in &mut self.bounds {
            index /= GROUP;
            match level.get_mut(index) {
                Some(bound) if *bound > deadline => *bound = deadline,
                _ => return,
            }
        }
    }

    /// The index of a deadline that `now` has reached, in no order. It stays due until it is moved.
    ///
    /// Each group is looked at once at most, and then only if its bound is due.
    pub(super) fn next_due(&mut self, now: Nanos) -> Option<usize> {
        let end = self.leaves.len().min((self.cursor / GROUP + 1) * GROUP);
        let rest = self.leaves.get(self.cursor..end).unwrap_or_default();
        if let Some(ahead) = rest.iter().position(|leaf| *leaf <= now) {
            self.cursor += ahead;
            return Some(self.cursor);
        }
        if self.bound() > now {
            return None;
        }
        let (mut level, mut node) = (self.bounds.len() - 1, 0);
        // Here the bound of `node` is always due.
        loop {
            let below = match level {
                0 => &self.leaves,
                above => &self.bounds[above - 1],
            };
            let first = node * GROUP;
            let group = &below[first..below.len().min(first + GROUP)];
            match group.iter().position(|number| *number <= now) {
                Some(ahead) if level == 0 => {
                    self.cursor = first + ahead;
                    return Some(self.cursor);
                }
                Some(ahead) => (level, node) = (level - 1, first + ahead),
                None => {
                    let bound = group.iter().copied().min().unwrap_or(Nanos::MAX);
                    self.bounds[level][node] = bound;
                    if level + 1 == self.bounds.len() {
                        return None;
                    }
                    (level, node) = (level + 1, node / GROUP);
                }
            }
        }
    }

    /// Drops the deadlines from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.leaves.truncate(len);
        let mut below = self.leaves.len();
        let mut levels = 0;
        for level in &mut self.bounds {
            below = below.div_ceil(GROUP);
            level.truncate(below);
            levels += 1;
            if below <= 1 {
                break;
            }
        }
        self.bounds.truncate(if len == 0 { 0 } else { levels });
    }

    /// Gives memory back that is beyond `capacity` deadlines.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.leaves.shrink_to(capacity);
        let mut below = capacity;
        for level in &mut self.bounds {
            below = below.div_ceil(GROUP);
            level.shrink_to(below);
        }
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let bounds: usize = self.bounds.iter().map(Vec::capacity).sum();
        (self.leaves.capacity() + bounds) * size_of::<Nanos>()
            + self.bounds.capacity() * size_of::<Vec<Nanos>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number for each step, in no order.
    fn scramble(step: u64) -> u64 {
        let mixed = (step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 31).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }

    fn check_bounds(tree: &DeadlineTree) {
        let mut below = &tree.leaves;
        for level in &tree.bounds {
            assert_eq!(level.len(), below.len().div_ceil(GROUP));
            for (bound, group) in level.iter().zip(below.chunks(GROUP)) {
                assert!(group.iter().all(|number| bound <= number));
            }
            below = level;
        }
        assert!(below.len() <= 1 && (tree.bounds.is_empty() == tree.leaves.is_empty()));
    }

    #[test]
    fn it_finds_what_a_scan_finds() {
        let mut tree = DeadlineTree::new();
        let mut model: Vec<Nanos> = Vec::new();
        let mut peak = 0;
        for step in 0..60_000_u64 {
            let chance = scramble(step);
            let deadline = Nanos::new(step + chance % 9_000);
            match chance >> 60 {
                0..4 => {
                    tree.push(deadline);
                    model.push(deadline);
                }
                4 if chance & 0x7f00 == 0 => {
                    let len = model.len() - model.len().min((chance >> 32) as usize % 500);
                    tree.truncate(len);
                    model.truncate(len);
                }
                4..14 if !model.is_empty() => {
                    let index = (chance >> 20) as usize % model.len();
                    tree.set(index, deadline);
                    model[index] = deadline;
                }
                _ => {
                    let now = Nanos::new(step);
                    let mut found = Vec::new();
                    while let Some(index) = tree.next_due(now) {
                        assert!(tree.get(index) <= now);
                        found.push(index);
                        tree.set(index, Nanos::MAX);
                    }
                    found.sort_unstable();
                    let due = |(_, leaf): &(usize, &Nanos)| **leaf <= now;
                    let scanned: Vec<usize> = model
                        .iter()
                        .enumerate()
                        .filter(due)
                        .map(|(at, _)| at)
                        .collect();
                    assert_eq!(found, scanned);
                    scanned.into_iter().for_each(|at| model[at] = Nanos::MAX);
                    assert!(tree.bound() > now);
                }
            }
            peak = peak.max(model.len());
            if step % 64 == 0 {
                check_bounds(&tree);
            }
        }
        assert!(peak > 2 * GROUP * GROUP, "all levels were there: {peak}");
        for len in [4_097, 4_096, 65, 64, 1, 0] {
            tree.truncate(len);
            check_bounds(&tree);
        }
    }
}
