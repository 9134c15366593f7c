//! [`Monitor`]: many peers, one deadline.
//!
//! A [`Peer`](crate::detector::Peer) or a [`watch`](crate::heartbeat::watch()) is for one peer. For
//! a thousand or a million, a timer each costs more than the beats themselves. A monitor holds them
//! all under one [`Rule`] and has one timeout: when to call next.
//!
//! * **A beat is about one store.** It writes the peer's deadline into a flat array and touches
//!   nothing else. Above the array lie levels of lower bounds, 64 numbers each, which are set right
//!   when the smallest falls due.
//! * **Exact.** Nothing ticks and nothing is rounded. A deadline is reported when it comes, or at
//!   the first call after it.
//! * **Small.** Twelve bytes a peer and an eighth, the value and the rule's state apart.
//! * **In steps.** [`handle_timeout`](Monitor::handle_timeout) reports one peer a call. So the
//!   caller sets how much is done in a turn, also when a million die at one instant.
//!
//! Order and restarts of beats are the caller's: put them in order with
//! [`Life`](crate::detector::Life) where a transport doubles or delays them.

mod deadline_tree;
mod key;
mod word;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Instant;

use crate::detector::{Rule, Sample, Status};
use crate::grace::was_away;
use crate::time::Nanos;

use deadline_tree::DeadlineTree;
pub use key::{PeerKey, StaleKey};
use word::Word;

/// Says which of many peers are alive, by one rule and with one timeout. Sans-I/O.
///
/// `T` is what the caller holds of a peer: its name, its address, an index of its own. Report each
/// beat with [`on_heartbeat`](Self::on_heartbeat), ask [`poll_timeout`](Self::poll_timeout) when to
/// come back, and call [`handle_timeout`](Self::handle_timeout) then, until it returns `None`. Take
/// in what has arrived before you call it. Spurious, early and late calls are harmless; an older
/// `now` counts as the newest seen.
///
/// * **Own stalls are forgiven.** A peer whose deadline is seen late by more than a quarter of its
///   limit gets one clean window instead of a verdict, once a silence: see
///   [`forgive_stall`](Self::forgive_stall).
/// * **The dead stay** until they are [removed](Self::remove); a beat brings them back.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::Monitor;
/// use liveness::detector::{FixedTimeout, Sample, Status};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let rule = FixedTimeout::new(30 * second).suspect_after(15 * second);
/// let mut monitor = Monitor::new(rule, start);
/// let pump = monitor.insert("pump", start);
/// let valve = monitor.insert("valve", start);
///
/// // Only the pump beats.
/// monitor.on_heartbeat(pump, Sample::new(), start + 14 * second)?;
/// let due = monitor.poll_timeout().unwrap();
/// assert_eq!(due, start + 15 * second);
/// let fallen = monitor.handle_timeout(due).unwrap();
/// assert_eq!((fallen.key, fallen.to), (valve, Status::Suspect));
/// assert_eq!(monitor.handle_timeout(due), None);
///
/// // Fifteen seconds later both of them have fallen.
/// let (mut dead, later) = (Vec::new(), start + 30 * second);
/// while let Some(fallen) = monitor.handle_timeout(later) {
///     if fallen.to == Status::Dead {
///         dead.push(monitor.remove(fallen.key)?);
///     }
/// }
/// assert_eq!(dead, ["valve"]);
/// assert_eq!(monitor.status(pump), Ok(Status::Suspect));
/// assert!(monitor.status(valve).is_err());
///
/// // The pump is heard again.
/// let was = monitor.on_heartbeat(pump, Sample::new(), later)?;
/// assert_eq!(was, Status::Suspect);
/// assert_eq!(monitor.counts().alive, 1);
/// # Ok::<(), liveness::monitor::StaleKey>(())
/// ```
pub struct Monitor<T, R: Rule> {
    rule: R,
    /// Every point in time is counted from here.
    base: Instant,
    newest: Nanos,
    /// For a peer that is alive when it is suspected; for a suspect when it is dead; else never.
    deadlines: DeadlineTree,
    words: Vec<Word>,
    /// A vacant place keeps the state of its last peer until it is given again.
    states: Vec<R::State>,
    values: Vec<Option<T>>,
    /// The vacant places, and perhaps some beyond the last one, which are gone. The lowest is given
    /// first, so that the arrays can become shorter.
    vacant: BinaryHeap<Reverse<u32>>,
    /// The generation of a place that is new at the end: above all that were there.
    first_generation: NonZeroU32,
    counts: Counts,
    forgive_stall: bool,
}

/// How many peers of a [`Monitor`] have which status.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::Monitor;
/// use liveness::detector::FixedTimeout;
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let rule = FixedTimeout::new(30 * second).suspect_after(15 * second);
/// let mut monitor = Monitor::new(rule, start).forgive_stall(false);
/// for seconds in [0, 1, 12, 20] {
///     monitor.insert(seconds, start + seconds * second);
/// }
///
/// // None of them beats. After half a minute one is dead, two are suspect.
/// while monitor.handle_timeout(start + 30 * second).is_some() {}
/// let counts = monitor.counts();
/// assert_eq!((counts.alive, counts.suspect, counts.dead), (1, 2, 1));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Those that beat in time.
    pub alive: usize,
    /// Those that have been silent for suspiciously long.
    pub suspect: usize,
    /// Those that have been silent for too long.
    pub dead: usize,
}

impl Counts {
    fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Alive => &mut self.alive,
            Status::Suspect => &mut self.suspect,
            Status::Dead => &mut self.dead,
        }
    }

    fn change(&mut self, from: Status, to: Status) {
        *self.of(from) -= 1;
        *self.of(to) += 1;
    }
}

/// A peer has fallen to a lower status.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::Monitor;
/// use liveness::detector::{FixedTimeout, Status};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let rule = FixedTimeout::new(30 * second).suspect_after(15 * second);
/// let mut monitor = Monitor::new(rule, start);
/// let pump = monitor.insert("pump", start);
///
/// // The call comes a second late, and learns when it fell due.
/// let fallen = monitor.handle_timeout(start + 16 * second).unwrap();
/// assert_eq!((fallen.key, fallen.at), (pump, start + 15 * second));
/// assert_eq!((fallen.from, fallen.to), (Status::Alive, Status::Suspect));
/// let fallen = monitor.handle_timeout(start + 31 * second).unwrap();
/// assert_eq!((fallen.from, fallen.to), (Status::Suspect, Status::Dead));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The peer.
    pub key: PeerKey,
    /// Its status before.
    pub from: Status,
    /// Its status now.
    pub to: Status,
    /// When that fell due, to the nanosecond: at the call that reports it, or before.
    pub at: Instant,
}

impl<T, R: Rule> Monitor<T, R> {
    /// A monitor without peers that judges by `rule`. Times before `now` count as `now`.
    #[must_use]
    pub fn new(rule: R, now: Instant) -> Self {
        Self {
            rule,
            base: now,
            newest: Nanos::ZERO,
            deadlines: DeadlineTree::new(),
            words: Vec::new(),
            states: Vec::new(),
            values: Vec::new(),
            vacant: BinaryHeap::new(),
            first_generation: NonZeroU32::MIN,
            counts: Counts::default(),
            forgive_stall: true,
        }
    }

    /// Whether a silence that this side's own stall may explain gets one clean window. Default yes.
    ///
    /// With it, a peer that falls silent during such a stall is found within the stall and twice
    /// the limit of its rule. A caller who comes seldom, later than a quarter of the limit, is
    /// given the same: each silence lasts one window longer.
    #[must_use]
    pub fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// Holds one more peer, which is met at `now` and has not beaten yet.
    ///
    /// # Panics
    /// When it holds 4,294,967,295 peers, as a `Vec` that cannot grow.
    pub fn insert(&mut self, value: T, now: Instant) -> PeerKey {
        let now = self.advance(now);
        let (state, suspect_at) = self.rule.meet(now);
        self.place(value, state, suspect_at, now)
    }

    /// Holds one more peer, with a state that is already there: a rule of its own
    /// ([`PerPeer::state`](crate::detector::PerPeer::state)), or what another monitor knew of it.
    /// Its first window begins at `now`; [`Rule::forgive`] gives its length.
    ///
    /// # Panics
    /// When it holds 4,294,967,295 peers, as a `Vec` that cannot grow.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use liveness::Monitor;
    /// use liveness::detector::{FixedTimeout, Nanos, PerPeer};
    ///
    /// let (start, second) = (Instant::now(), Duration::from_secs(1));
    /// let mut monitor = Monitor::new(PerPeer::new(FixedTimeout::new(60 * second)), start);
    /// monitor.insert("far", start);
    /// let own = PerPeer::state(FixedTimeout::new(2 * second), Nanos::ZERO);
    /// let near = monitor.insert_with("near", own, start);
    /// assert_eq!(monitor.poll_timeout(), Some(start + 2 * second));
    /// assert_eq!(monitor.handle_timeout(start + 2 * second).unwrap().key, near);
    /// ```
    pub fn insert_with(&mut self, value: T, mut state: R::State, now: Instant) -> PeerKey {
        let now = self.advance(now);
        let suspect_at = self.rule.forgive(&mut state, now);
        self.place(value, state, suspect_at, now)
    }

    fn place(&mut self, value: T, state: R::State, suspect_at: Nanos, now: Nanos) -> PeerKey {
        let suspect_at = suspect_at.max(now.plus(1));
        self.counts.alive += 1;
        if let Some((index, generation)) = self.take_vacant() {
            let at = index as usize;
            self.words[at] = Word::alive(generation);
            self.states[at] = state;
            self.values[at] = Some(value);
            self.deadlines.set(at, suspect_at);
            return PeerKey::new(index, generation);
        }
        let len = self.words.len();
        assert!(len < u32::MAX as usize, "a monitor holds no more peers");
        self.words.push(Word::alive(self.first_generation));
        self.states.push(state);
        self.values.push(Some(value));
        self.deadlines.push(suspect_at);
        PeerKey::new(len as u32, self.first_generation)
    }

    /// The lowest vacant place, and the generation of its next peer.
    fn take_vacant(&mut self) -> Option<(u32, NonZeroU32)> {
        let Reverse(index) = self.vacant.pop()?;
        match self.words.get(index as usize) {
            Some(word) => Some((index, word.generation()?)),
            // The lowest is gone, so all are.
            None => {
                self.vacant.clear();
                None
            }
        }
    }

    /// A beat of this peer came at `now`. What its status was until then: after a beat it is
    /// [`Alive`](Status::Alive), so any other is a recovery.
    ///
    /// # Errors
    /// [`StaleKey`] when the peer was removed.
    #[inline]
    pub fn on_heartbeat(
        &mut self,
        key: PeerKey,
        sample: Sample,
        now: Instant,
    ) -> Result<Status, StaleKey> {
        let now = self.advance(now);
        let at = key.index();
        let is_quiet = self.words.get(at) == Some(&key.quiet_word());
        if !is_quiet || self.deadlines.get(at) <= now {
            return self.on_notable_heartbeat(key, sample, now);
        }
        let next = self.rule.on_heartbeat(&mut self.states[at], sample, now);
        self.deadlines.set(at, next.max(now.plus(1)));
        Ok(Status::Alive)
    }

    /// A beat that ends a suspicion, a death or a silence that was forgiven, or comes after a
    /// deadline that was not handled.
    #[cold]
    fn on_notable_heartbeat(
        &mut self,
        key: PeerKey,
        sample: Sample,
        now: Nanos,
    ) -> Result<Status, StaleKey> {
        let (at, word, was) = self.find(key)?;
        let due = self.deadlines.get(at);
        if due <= now && self.forgives(at, word, due, now) {
            // The gap before this beat is ours, and no sample of the peer's.
            self.rule.forgive(&mut self.states[at], now);
        }
        let next = self.rule.on_heartbeat(&mut self.states[at], sample, now);
        self.deadlines.set(at, next.max(now.plus(1)));
        self.words[at] = key.quiet_word();
        self.counts.change(was, Status::Alive);
        Ok(was)
    }

    /// Lets a peer go, whatever its status, and gives back what was held of it.
    ///
    /// # Errors
    /// [`StaleKey`] when it was removed before.
    pub fn remove(&mut self, key: PeerKey) -> Result<T, StaleKey> {
        let (at, word, status) = self.find(key)?;
        let value = self.values[at].take().ok_or(StaleKey { key })?;
        *self.counts.of(status) -= 1;
        self.deadlines.set(at, Nanos::MAX);
        self.words[at] = match word.next() {
            Some(next) => {
                self.vacant.push(Reverse(at as u32));
                next
            }
            None => Word::retired(),
        };
        if at + 1 == self.words.len() {
            self.shorten();
        }
        Ok(value)
    }

    /// Drops the vacant places at the end, and gives memory back when three quarters are unused.
    fn shorten(&mut self) {
        let mut len = self.words.len();
        while let Some(last) = self.words[..len].last() {
            // A retired place stays, so that it is not given anew.
            let (None, Some(next)) = (last.status(), last.generation()) else {
                break;
            };
            self.first_generation = self.first_generation.max(next);
            len -= 1;
        }
        self.words.truncate(len);
        self.states.truncate(len);
        self.values.truncate(len);
        self.deadlines.truncate(len);
        if self.words.capacity() > 4 * len.max(16) {
            let capacity = 2 * len;
            self.words.shrink_to(capacity);
            self.states.shrink_to(capacity);
            self.values.shrink_to(capacity);
            self.deadlines.shrink_to(capacity);
            self.vacant.retain(|Reverse(at)| (*at as usize) < len);
            self.vacant.shrink_to(capacity);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never. No status
    /// changes before. It may be too early: then that call finds nothing, and the next time is
    /// later.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.bound().instant(self.base)
    }

    /// Moves time to `now` and returns one peer that falls to a lower status, if there is one; call
    /// it until it returns `None`, at once or in steps of a size of your choice.
    ///
    /// A peer whose two deadlines have both passed is dead at once. Those that are due come in no
    /// order. A call looks at each group of 64 deadlines once at most and takes only those whose
    /// bound is due: at worst, with a million peers that all have beaten since their bounds were
    /// set, 16,000 groups.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Transition> {
        let now = self.advance(now);
        while let Some(at) = self.deadlines.next_due(now) {
            let due = self.deadlines.get(at);
            let word = self.words[at];
            let (Some(from), Some(generation)) = (word.status(), word.generation()) else {
                self.deadlines.set(at, Nanos::MAX);
                continue;
            };
            if self.forgives(at, word, due, now) {
                let next = self.window(at, from, now);
                self.deadlines.set(at, next.max(now.plus(1)));
                self.words[at] = word.forgiven();
                continue;
            }
            let dead_at = match from {
                Status::Alive => self.rule.dead_at(&self.states[at], due).max(due),
                Status::Suspect | Status::Dead => due,
            };
            let (to, fell_at, next) = match dead_at <= now {
                true => (Status::Dead, dead_at, Nanos::MAX),
                false => (Status::Suspect, due, dead_at),
            };
            self.deadlines.set(at, next);
            self.words[at] = word.with(to);
            self.counts.change(from, to);
            return Some(Transition {
                key: PeerKey::new(at as u32, generation),
                from,
                to,
                at: fell_at.instant(self.base).unwrap_or(self.base),
            });
        }
        None
    }

    /// Forgives the silence up to `now`. The end of the window, for a peer of this status.
    fn window(&mut self, at: usize, status: Status, now: Nanos) -> Nanos {
        let state = &mut self.states[at];
        let suspect_at = self.rule.forgive(state, now);
        match status {
            Status::Alive => suspect_at,
            Status::Suspect | Status::Dead => self.rule.dead_at(state, suspect_at),
        }
    }

    /// Whether our own stall may explain that `due` is seen as late as `now`. The limit is the
    /// length of a clean window.
    fn forgives(&self, at: usize, word: Word, due: Nanos, now: Nanos) -> bool {
        let late = now.nanos_since(due);
        if late == 0 || !self.forgive_stall || word.is_forgiven() {
            return false;
        }
        let mut state = self.states[at].clone();
        let mut end = self.rule.forgive(&mut state, due);
        if word.status() != Some(Status::Alive) {
            end = self.rule.dead_at(&state, end);
        }
        was_away(late, end.nanos_since(due))
    }

    /// The status of a peer.
    ///
    /// # Errors
    /// [`StaleKey`] when the peer was removed.
    pub fn status(&self, key: PeerKey) -> Result<Status, StaleKey> {
        let (_, _, status) = self.find(key)?;
        Ok(status)
    }

    /// What is held of a peer.
    ///
    /// # Errors
    /// [`StaleKey`] when the peer was removed.
    pub fn value(&self, key: PeerKey) -> Result<&T, StaleKey> {
        let (at, ..) = self.find(key)?;
        self.values[at].as_ref().ok_or(StaleKey { key })
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// [`StaleKey`] when the peer was removed.
    pub fn value_mut(&mut self, key: PeerKey) -> Result<&mut T, StaleKey> {
        let (at, ..) = self.find(key)?;
        self.values[at].as_mut().ok_or(StaleKey { key })
    }

    /// All peers, in no order of meaning.
    pub fn iter(&self) -> impl Iterator<Item = (PeerKey, &T, Status)> {
        let places = self.words.iter().zip(&self.values).zip(0..);
        places.filter_map(|((word, value), index)| {
            let key = PeerKey::new(index, word.generation()?);
            Some((key, value.as_ref()?, word.status()?))
        })
    }

    /// How many peers have which status.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many peers are held, whatever their status.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.counts.alive + self.counts.suspect + self.counts.dead
    }

    /// Whether no peer is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> &R {
        &self.rule
    }

    /// The place of a peer, its word and its status.
    fn find(&self, key: PeerKey) -> Result<(usize, Word, Status), StaleKey> {
        let at = key.index();
        let word = self.words.get(at).copied();
        word.filter(|word| word.generation() == Some(key.generation()))
            .and_then(|word| Some((at, word, word.status()?)))
            .ok_or(StaleKey { key })
    }

    /// Moves on to `now`, as a number; never to [`Nanos::MAX`], which no deadline reaches.
    #[inline]
    fn advance(&mut self, now: Instant) -> Nanos {
        let now = Nanos::since(self.base, now).min(Nanos::new(u64::MAX - 1));
        self.newest = self.newest.max(now);
        self.newest
    }
}

impl<T, R: Rule + fmt::Debug> fmt::Debug for Monitor<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("rule", &self.rule)
            .field("counts", &self.counts)
            .field("poll_timeout", &self.poll_timeout())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::detector::FixedTimeout;

    /// Bytes on the heap, the values apart.
    fn bytes(monitor: &Monitor<(), FixedTimeout>) -> usize {
        monitor.words.capacity() * size_of::<Word>()
            + monitor.deadlines.bytes()
            + monitor.vacant.capacity() * size_of::<u32>()
    }

    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn fleet(peers: usize) -> (Monitor<(), FixedTimeout>, Vec<PeerKey>, Instant) {
        let start = Instant::now();
        let mut monitor = Monitor::new(FixedTimeout::new(Duration::from_secs(1)), start);
        let keys = (0..peers).map(|_| monitor.insert((), start)).collect();
        (monitor, keys, start)
    }

    /// Twelve bytes, an eighth for the bounds, and what a `Vec` has in reserve.
    #[test]
    fn a_peer_takes_thirteen_bytes() {
        let peers = 1 << 20;
        assert!(bytes(&fleet(peers).0) <= 13 * peers);
    }

    #[test]
    fn memory_goes_back() {
        let (mut monitor, keys, start) = fleet(100_000);
        for key in &keys {
            monitor.remove(*key).expect("it is held");
        }
        assert!(bytes(&monitor) < 1_000, "{}", bytes(&monitor));
        // A key of a place that was gone in between is no other peer's.
        for key in keys {
            assert_ne!(monitor.insert((), start), key);
            assert!(monitor.status(key).is_err());
        }
    }

    #[test]
    fn memory_is_flat_while_peers_come_and_go() {
        let (mut monitor, keys, start) = fleet(1_000);
        let mut held = std::collections::VecDeque::from(keys);
        let before = bytes(&monitor);
        for step in 0..200_000_u64 {
            // Between 500 and 1,000 are held.
            let leave = step / 500 % 2 == 0;
            match leave.then(|| held.pop_front()).flatten() {
                Some(key) => drop(monitor.remove(key)),
                None => held.push_back(monitor.insert((), start)),
            }
        }
        assert_eq!(monitor.len(), held.len());
        // The vacant places, at most one entry each.
        assert!(bytes(&monitor) <= before + 2 * 1_024 * size_of::<u32>());
    }
}
