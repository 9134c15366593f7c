//! A naive monitor, a map and a full scan, beside the real one; the fuzz target `monitor` plays it
//! too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use liveness::Monitor;
use liveness::detector::{Nanos, Rule, Sample, Status};
use liveness::monitor::{PeerKey, Transition};

/// What happens to both.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Insert,
    /// So many at once, which takes the tree to a second level.
    Crowd(u8),
    /// With a state of its own, that of a peer met so many nanoseconds after the base.
    InsertWith(u16),
    /// A beat of the peer that was inserted so many before the last one; it promises the next
    /// within so many milliseconds, or nothing for zero.
    Beat(u16, u8),
    Remove(u16),
    /// So many calls, a beat of such a peer, then calls until `None`.
    Handle(u8, u16),
    /// Time goes on for so many milliseconds.
    Wait(u16),
    /// Exactly to the next deadline, as told by `poll_timeout`.
    ToDeadline,
    /// A clock that runs back, so many milliseconds.
    Back(u16),
}

struct Peer<S> {
    value: usize,
    state: S,
    status: Status,
    due: Nanos,
    forgiven: bool,
}

/// Both of them, kept equal.
pub(crate) struct Pair<R: Rule> {
    rule: R,
    base: Instant,
    now: Nanos,
    monitor: Monitor<usize, R>,
    model: BTreeMap<PeerKey, Peer<R::State>>,
    /// Every key that was ever given.
    keys: Vec<PeerKey>,
    given: BTreeSet<PeerKey>,
    forgive: bool,
    pub(crate) fallen: usize,
}

impl<R: Rule + Clone> Pair<R> {
    pub(crate) fn new(rule: R, base: Instant, forgive: bool) -> Self {
        Self {
            monitor: Monitor::new(rule.clone(), base).forgive_stall(forgive),
            rule,
            base,
            now: Nanos::ZERO,
            model: BTreeMap::new(),
            keys: Vec::new(),
            given: BTreeSet::new(),
            forgive,
            fallen: 0,
        }
    }

    fn at(&self, nanos: Nanos) -> Instant {
        nanos.instant(self.base).expect("in range")
    }

    fn pass(&mut self, millis: u16) {
        let span = Duration::from_millis(millis.into());
        self.now = self.now.after(Nanos::of(span));
    }

    fn key(&self, back: u16) -> Option<PeerKey> {
        let back = usize::from(back) % self.keys.len().max(1);
        self.keys.iter().rev().nth(back).copied()
    }

    pub(crate) fn play(&mut self, op: Op, state: &dyn Fn(u16) -> R::State) {
        match op {
            Op::Insert => {
                let (state, due) = self.rule.meet(self.now);
                let key = self.monitor.insert(self.keys.len(), self.at(self.now));
                self.hold(key, state, due);
            }
            Op::Crowd(peers) => (0..peers).for_each(|_| self.play(Op::Insert, state)),
            Op::InsertWith(which) => {
                let mut state = state(which);
                let now = self.at(self.now);
                let value = self.keys.len();
                let key = self.monitor.insert_with(value, state.clone(), now);
                let due = self.rule.forgive(&mut state, self.now);
                self.hold(key, state, due);
            }
            Op::Beat(back, promised) => self.beat(back, promised),
            Op::Remove(back) => {
                if let Some(key) = self.key(back) {
                    let removed = self.monitor.remove(key).ok();
                    assert_eq!(removed, self.model.remove(&key).map(|peer| peer.value));
                }
            }
            Op::Handle(calls, back) => self.handle(calls, back),
            Op::Wait(millis) => self.pass(millis),
            Op::ToDeadline => self.go_to_deadline(),
            Op::Back(millis) => {
                let span = Duration::from_millis(millis.into());
                let now = self.at(self.now);
                let past = now.checked_sub(span).unwrap_or(now);
                if let (Some(key), true) = (self.key(0), self.is_judged()) {
                    // An older now counts as the newest: as if it came now.
                    assert_eq!(self.monitor.handle_timeout(past), None);
                    assert_eq!(self.monitor.status(key).ok(), self.status(key));
                }
            }
        }
    }

    fn hold(&mut self, key: PeerKey, state: R::State, due: Nanos) {
        assert!(self.given.insert(key), "a key comes once");
        let value = self.keys.len();
        self.keys.push(key);
        let peer = Peer {
            value,
            state,
            status: Status::Alive,
            due,
            forgiven: false,
        };
        self.model.insert(key, peer);
    }

    fn beat(&mut self, back: u16, promised: u8) {
        let Some(key) = self.key(back) else { return };
        let sample = match promised {
            0 => Sample::new(),
            millis => Sample::new().promised(Duration::from_millis(millis.into())),
        };
        let was = self.monitor.on_heartbeat(key, sample, self.at(self.now));
        assert_eq!(was.ok(), self.status(key));
        if self.forgives(key) {
            let peer = self.model.get_mut(&key).expect("it is held");
            self.rule.forgive(&mut peer.state, self.now);
        }
        if let Some(peer) = self.model.get_mut(&key) {
            peer.due = self.rule.on_heartbeat(&mut peer.state, sample, self.now);
            (peer.status, peer.forgiven) = (Status::Alive, false);
        }
    }

    fn status(&self, key: PeerKey) -> Option<Status> {
        self.model.get(&key).map(|peer| peer.status)
    }

    fn is_judged(&self) -> bool {
        self.model.values().all(|peer| peer.due > self.now)
    }

    /// Late by more than a quarter of a clean window, for the first time in this silence.
    fn forgives(&self, key: PeerKey) -> bool {
        let Some(peer) = self.model.get(&key) else {
            return false;
        };
        if !self.forgive || peer.forgiven || peer.due > self.now {
            return false;
        }
        let mut state = peer.state.clone();
        let suspect_at = self.rule.forgive(&mut state, peer.due);
        let end = match peer.status {
            Status::Alive => suspect_at,
            _ => self.rule.dead_at(&state, suspect_at),
        };
        let window = end.span_since(peer.due).value();
        self.now.span_since(peer.due).value() > window / 4
    }

    /// What a peer comes to that is due.
    fn fall(&mut self, key: PeerKey) -> Option<(Status, Status, Nanos)> {
        let forgives = self.forgives(key);
        let peer = self.model.get_mut(&key).expect("it is held");
        let (from, due) = (peer.status, peer.due);
        if due > self.now {
            return None;
        }
        if forgives {
            let suspect_at = self.rule.forgive(&mut peer.state, self.now);
            peer.forgiven = true;
            peer.due = match from {
                Status::Alive => suspect_at,
                _ => self.rule.dead_at(&peer.state, suspect_at),
            };
            return None;
        }
        let dead_at = match from {
            Status::Alive => self.rule.dead_at(&peer.state, due),
            _ => due,
        };
        let (to, at) = match dead_at <= self.now {
            true => (Status::Dead, dead_at),
            false => (Status::Suspect, due),
        };
        peer.status = to;
        peer.due = if to == Status::Dead {
            Nanos::MAX
        } else {
            dead_at
        };
        Some((from, to, at))
    }

    fn handle_one(&mut self) -> bool {
        let Some(told) = self.monitor.handle_timeout(self.at(self.now)) else {
            return false;
        };
        let Transition {
            key, from, to, at, ..
        } = told;
        let expected = self.fall(key).expect("the model falls too");
        assert_eq!(
            (from, to, at),
            (expected.0, expected.1, self.at(expected.2))
        );
        self.fallen += 1;
        true
    }

    fn handle(&mut self, calls: u8, back: u16) {
        for _ in 0..calls {
            self.handle_one();
        }
        self.beat(back, 9);
        while self.handle_one() {}
        // Nobody else falls, and forgiveness is silent.
        let keys: Vec<PeerKey> = self.model.keys().copied().collect();
        for key in keys {
            assert_eq!(self.fall(key), None, "{key} was not told");
        }
        // Law 3, and again at the same time (law 4).
        let now = self.at(self.now);
        assert!(self.monitor.poll_timeout().is_none_or(|due| due > now));
        assert_eq!(self.monitor.handle_timeout(now), None);
        self.check();
    }

    /// Law 2: never later than the model's deadline, and after some calls that find nothing, there.
    fn go_to_deadline(&mut self) {
        self.handle(0, u16::MAX);
        let due = self.model.values().map(|peer| peer.due).min();
        let due = due.filter(|due| *due != Nanos::MAX);
        while let Some(next) = self.monitor.poll_timeout() {
            let next = Nanos::since(self.base, next);
            match due {
                Some(due) => assert!(next <= due, "later than the model"),
                // Bounds of peers that are gone or dead.
                None => assert!(next > self.now),
            }
            self.now = next;
            if Some(next) == due {
                assert!(self.handle_one(), "prompt");
                return;
            }
            assert!(!self.handle_one(), "early");
        }
        assert_eq!(due, None);
    }

    /// Everything that can be asked.
    pub(crate) fn check(&self) {
        let held: BTreeMap<_, _> = self
            .monitor
            .iter()
            .map(|(key, value, status)| (key, (*value, status)))
            .collect();
        let model = self.model.iter();
        let model: BTreeMap<_, _> = model.map(|(k, p)| (*k, (p.value, p.status))).collect();
        assert_eq!(held, model);
        let count = |status| model.values().filter(|(_, s)| *s == status).count();
        let counts = self.monitor.counts();
        assert_eq!(counts.alive, count(Status::Alive));
        assert_eq!(counts.suspect, count(Status::Suspect));
        assert_eq!(counts.dead, count(Status::Dead));
        assert_eq!(self.monitor.len(), model.len());
        let gone: BTreeSet<_> = self
            .keys
            .iter()
            .filter(|key| !model.contains_key(key))
            .collect();
        for key in gone {
            assert_eq!(self.monitor.status(*key).unwrap_err().key, *key);
            assert!(self.monitor.value(*key).is_err());
        }
    }
}
