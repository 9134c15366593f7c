//! [`Peer`]: what is held about one peer, and since when.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Detector, FailureDetector, Life, Order, Rule, Sample};
use crate::grace::was_away_for;
use crate::message::Heartbeat;
use crate::seq::Seq;
use crate::time::{Newest, reached};

/// What is held about a peer.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{FixedTimeout, Peer, Status};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let rule = FixedTimeout::new(5 * second).suspect_after(3 * second);
/// let mut peer = Peer::new(rule, start);
/// assert_eq!(peer.status(), Status::Alive); // it has its time to begin
///
/// let mut log = Vec::new();
/// while let Some(at) = peer.poll_timeout() {
///     let Some(status) = peer.handle_timeout(at) else { break };
///     log.push(format!("{status} after {:?}", at - start));
/// }
/// assert_eq!(log, ["suspect after 3s", "dead after 5s"]);
/// assert_eq!(peer.status(), Status::Dead);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "what any detector can say: a closed sum"
)]
pub enum Status {
    /// It beats in time.
    Alive,
    /// It has been silent for suspiciously long.
    Suspect,
    /// It has been silent for too long.
    Dead,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
        })
    }
}

/// One peer's standing: the order of its beats, its restarts, its [`Status`], and the grace for our
/// own stalls. Sans-I/O.
///
/// Report each beat with [`on_heartbeat`](Self::on_heartbeat), ask
/// [`poll_timeout`](Self::poll_timeout) when to come back, and call
/// [`handle_timeout`](Self::handle_timeout) then, until it returns `None`. Take in what has arrived
/// before you call it. Spurious, early and late calls are harmless; an older `now` counts as the
/// newest seen.
///
/// * **Restarts.** A greater incarnation starts the numbers and the detector anew.
/// * **Own stalls are forgiven.** A deadline that is seen late by more than a quarter of its length
///   (this process was stopped, or did not call) is followed by one clean window instead of a
///   verdict, once a silence: see [`forgive_stall`](Self::forgive_stall).
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{FixedTimeout, Order, Peer, Status};
/// use liveness::heartbeat::Origin;
/// use liveness::{Heartbeat, Seq};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let rule = FixedTimeout::new(5 * second).suspect_after(3 * second);
/// let mut peer = Peer::new(rule, start);
/// let beat = |incarnation, seq| Heartbeat {
///     origin: Origin::default(),
///     incarnation,
///     seq: Seq::new(seq),
///     interval: Some(second),
///     payload: (),
/// };
/// assert_eq!(peer.on_heartbeat(&beat(1, 0), start).order, Order::First);
///
/// // Silence: suspected after three seconds, dead after five.
/// assert_eq!(peer.poll_timeout(), Some(start + 3 * second));
/// assert_eq!(peer.handle_timeout(start + 3 * second), Some(Status::Suspect));
/// assert_eq!(peer.handle_timeout(start + 3 * second), None);
/// assert_eq!(peer.handle_timeout(start + 5 * second), Some(Status::Dead));
///
/// // It was restarted.
/// let heard = peer.on_heartbeat(&beat(2, 0), start + 9 * second);
/// assert_eq!((heard.was, heard.order), (Status::Dead, Order::NewLife { from: 1 }));
/// assert_eq!(heard.silence.to_string(), "silent for 9s, last beat #0");
/// assert_eq!(peer.status(), Status::Alive);
/// ```
pub struct Peer<R: Rule> {
    detector: Detector<R>,
    life: Life,
    status: Status,
    newest: Newest,
    /// When the last fresh beat came, or the peer was met.
    last_at: Instant,
    interval: Option<Duration>,
    /// How many stale beats came since then.
    stale: u64,
    /// Where the present window began: at the last beat, when it was forgiven, at a change of rule.
    window_at: Instant,
    /// When the verdict was passed.
    dead_since: Instant,
    forgive_stall: bool,
    /// Whether this silence was forgiven.
    forgiven: bool,
    /// Zero is off.
    accept_older_life: Duration,
}

/// What one beat changed.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{FixedTimeout, Order, Peer, Status};
/// use liveness::heartbeat::{Identity, Origin};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// let mut peer = Peer::new(FixedTimeout::new(5 * second), start);
/// let first = identity.heartbeat(Some(second), ());
/// peer.on_heartbeat(&first, start);
/// peer.handle_timeout(start + 5 * second);
///
/// // The network doubled it: that brings nobody back.
/// let heard = peer.on_heartbeat(&first, start + 6 * second);
/// assert_eq!((heard.order, peer.status()), (Order::Stale, Status::Dead));
///
/// let heard = peer.on_heartbeat(&identity.heartbeat(Some(second), ()), start + 8 * second);
/// assert_eq!((heard.was, peer.status()), (Status::Dead, Status::Alive));
/// assert_eq!((heard.silence.silent_for, heard.silence.stale), (8 * second, 1));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Its place among the beats of the peer. A stale one changed nothing.
    pub order: Order,
    /// The status before it.
    pub was: Status,
    /// The silence up to it. A fresh beat ends it; a stale one does not.
    pub silence: Silence,
}

impl<R: Rule> Peer<R> {
    /// A peer that is met at `now`, has not beaten yet, and is judged by `rule`.
    #[must_use]
    pub fn new(rule: R, now: Instant) -> Self {
        let mut detector = Detector::new(rule);
        detector.meet(now);
        Self {
            detector,
            life: Life::new(),
            status: Status::Alive,
            newest: Newest::new(now),
            last_at: now,
            interval: None,
            stale: 0,
            window_at: now,
            dead_since: now,
            forgive_stall: true,
            forgiven: false,
            accept_older_life: Duration::ZERO,
        }
    }

    /// Whether a silence that this side's own stall may explain gets one clean window. Default yes.
    ///
    /// With it, a peer that falls silent during such a stall is found within the stall and twice
    /// the limit of its rule.
    #[must_use]
    pub fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// Takes beats of an older life for a restart, once the peer has been dead for `after`. Zero,
    /// the default, is off: they are stale for ever.
    ///
    /// For peers whose incarnation may run back: a device without a clock that keeps the time, a
    /// lost counter, or one forged beat with the greatest number of all. Such a peer would stay
    /// dead until it has caught up. The price: a beat that the network held back for longer than
    /// `after` brings a dead peer back for one window.
    #[must_use]
    pub fn accept_older_life(mut self, after: Duration) -> Self {
        self.accept_older_life = after;
        self
    }

    /// A beat of this peer came at `now`.
    pub fn on_heartbeat<P>(&mut self, beat: &Heartbeat<P>, now: Instant) -> Heard {
        let now = self.newest.advance(now);
        let (was, mut silence) = (self.status, self.silence(now));
        let order = self.order(beat.incarnation, beat.seq, now);
        if order == Order::Stale {
            self.stale = self.stale.saturating_add(1);
            silence.stale = self.stale;
            return Heard {
                order,
                was,
                silence,
            };
        }
        if self
            .poll_timeout()
            .is_some_and(|due| self.forgives(due, now))
        {
            // The gap before this beat is ours, and no sample of the peer's.
            self.detector.forgive(now);
        }
        let mut sample = Sample::new();
        match order {
            Order::NewLife { .. } => self.detector.meet(now),
            Order::Next { lost } => sample.lost = lost,
            Order::First | Order::Stale => {}
        }
        sample.promised = beat.interval;
        self.detector.on_heartbeat(sample, now);
        self.status = Status::Alive;
        (self.last_at, self.window_at, self.forgiven) = (now, now, false);
        (self.interval, self.stale) = (beat.interval, 0);
        Heard {
            order,
            was,
            silence,
        }
    }

    fn order(&mut self, incarnation: u64, seq: Seq, now: Instant) -> Order {
        let newest = self.life.incarnation().zip(self.life.seq());
        let order = self.life.on_beat(incarnation, seq);
        match newest {
            // A double of the last beat is no sign of another life.
            Some(newest) if order == Order::Stale && (incarnation, seq) < newest => {
                if !self.accepts_older_life(now) {
                    return order;
                }
                self.life = Life::new();
                self.life.on_beat(incarnation, seq);
                Order::NewLife { from: newest.0 }
            }
            _ => order,
        }
    }

    fn accepts_older_life(&self, now: Instant) -> bool {
        let dead_for = now.saturating_duration_since(self.dead_since);
        let after = self.accept_older_life;
        self.status == Status::Dead && !after.is_zero() && dead_for >= after
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.status {
            Status::Alive => self.detector.suspect_at(),
            Status::Suspect => self.detector.dead_at(),
            Status::Dead => None,
        }
    }

    /// Moves time to `now` and returns the status that the peer falls to, if it does; call it until
    /// it returns `None`.
    ///
    /// A peer whose two deadlines have both passed is dead at once.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Status> {
        let now = self.newest.advance(now);
        let due = self.poll_timeout().filter(|due| now >= *due)?;
        if self.forgives(due, now) {
            self.detector.forgive(now);
            (self.window_at, self.forgiven) = (now, true);
            return None;
        }
        if reached(self.detector.dead_at(), now) {
            (self.status, self.dead_since) = (Status::Dead, now);
        } else {
            self.status = Status::Suspect;
        }
        Some(self.status)
    }

    /// Whether our own stall may explain that `due` is seen as late as `now`.
    fn forgives(&self, due: Instant, now: Instant) -> bool {
        let limit = due.saturating_duration_since(self.window_at);
        let late = now.saturating_duration_since(due);
        self.forgive_stall && !self.forgiven && was_away_for(late, limit)
    }

    /// Another rule from `now` on. What the old one knew of the peer is forgotten: a peer that is
    /// not dead gets the window of one that was just met.
    pub fn set_rule(&mut self, rule: R, now: Instant) {
        let now = self.newest.advance(now);
        self.detector.set_rule(rule, now);
        self.window_at = now;
    }

    /// What is held about the peer.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// When the last fresh beat came; before the first one, when the peer was met.
    #[must_use]
    pub const fn last_at(&self) -> Instant {
        self.last_at
    }

    /// The silence of the peer until `now`.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Silence {
        Silence {
            silent_for: now.saturating_duration_since(self.last_at),
            last_seq: self.life.seq(),
            incarnation: self.life.incarnation(),
            interval: self.interval,
            stale: self.stale,
        }
    }

    /// The detector: its deadlines, its suspicion, its rule.
    #[must_use]
    pub const fn detector(&self) -> &Detector<R> {
        &self.detector
    }
}

impl<R: Rule + fmt::Debug> fmt::Debug for Peer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("status", &self.status)
            .field("last_at", &self.last_at)
            .field("life", &self.life)
            .field("detector", &self.detector)
            .finish_non_exhaustive()
    }
}

impl<R: Rule + Clone> Clone for Peer<R> {
    fn clone(&self) -> Self {
        Self {
            detector: self.detector.clone(),
            ..*self
        }
    }
}

/// A silence of a peer, in numbers.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{FixedTimeout, Peer};
/// use liveness::heartbeat::{Identity, Origin};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// let mut peer = Peer::new(FixedTimeout::new(30 * second), start);
/// assert_eq!(peer.silence(start + second).to_string(), "silent for 1s, no beat yet");
///
/// peer.on_heartbeat(&identity.heartbeat(Some(2 * second), ()), start + second);
/// let silence = peer.silence(start + 9 * second);
/// assert_eq!(silence.to_string(), "silent for 8s, last beat #0");
/// // It promised one every two seconds.
/// assert_eq!(silence.interval.map(|promised| silence.silent_for >= 4 * promised), Some(true));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Silence {
    /// The time since the last fresh beat, or since the peer was met if there was none.
    pub silent_for: Duration,
    /// The number of that beat.
    pub last_seq: Option<Seq>,
    /// Its incarnation.
    pub incarnation: Option<u64>,
    /// The interval that it promised.
    pub interval: Option<Duration>,
    /// How many stale beats came in this silence: late, doubled, or of an earlier life.
    pub stale: u64,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "silent for {:?}", self.silent_for)?;
        match self.last_seq {
            Some(seq) => write!(f, ", last beat {seq}"),
            None => f.write_str(", no beat yet"),
        }
    }
}
