//! [`Peer`]: what is held about one peer, and since when.

use std::fmt;
use std::time::{Duration, Instant};

use super::{FailureDetector, Life, Order};
use crate::message::Heartbeat;
use crate::seq::Seq;
use crate::time::{Newest, earlier, later, reached};

/// What is held about a peer.
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
/// let rule = FixedTimeout::new(5 * second, start).suspect_after(3 * second);
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
#[derive(Debug, Clone)]
pub struct Peer<D> {
    detector: D,
    life: Life,
    status: Status,
    newest: Newest,
    /// When the last fresh beat came, or the peer was met.
    last_at: Instant,
    interval: Option<Duration>,
    forgive_stall: bool,
    /// By how much the deadlines of this silence were moved, if they were.
    forgiven: Option<Duration>,
}

/// What one beat changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Its place among the beats of the peer. A stale one changed nothing.
    pub order: Order,
    /// The status before it.
    pub was: Status,
    /// The silence before it.
    pub silence: Silence,
}

impl<D: FailureDetector> Peer<D> {
    /// A peer that is met at `now` and has not beaten yet.
    #[must_use]
    pub const fn new(detector: D, now: Instant) -> Self {
        Self {
            detector,
            life: Life::new(),
            status: Status::Alive,
            newest: Newest::new(now),
            last_at: now,
            interval: None,
            forgive_stall: true,
            forgiven: None,
        }
    }

    /// Whether a silence that this side's own stall may explain gets one clean window. Default yes.
    ///
    /// With it, a peer that falls silent during such a stall is found within the stall and twice
    /// the detector's limit.
    #[must_use]
    pub fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// A beat of this peer came at `now`.
    pub fn on_heartbeat<P>(&mut self, beat: &Heartbeat<P>, now: Instant) -> Heard {
        let now = self.newest.advance(now);
        let (was, silence) = (self.status, self.silence(now));
        let order = self.life.on_beat(beat.incarnation, beat.seq);
        if order != Order::Stale {
            if matches!(order, Order::NewLife { .. }) {
                self.detector.reset(now);
            }
            self.detector.on_heartbeat(beat.seq, now);
            self.status = Status::Alive;
            self.forgiven = None;
            (self.last_at, self.interval) = (now, beat.interval);
        }
        Heard {
            order,
            was,
            silence,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.status {
            Status::Alive => earlier(self.suspect_at(), self.dead_at()),
            Status::Suspect => self.dead_at(),
            Status::Dead => None,
        }
    }

    /// Moves time to `now` and returns the status that the peer falls to, if it does; call it until
    /// it returns `None`.
    ///
    /// A peer whose two deadlines have both passed is dead at once.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Status> {
        let now = self.newest.advance(now);
        // Forgiving moves the deadline, so there may be a second look, not a third.
        loop {
            let due = self.poll_timeout().filter(|due| now >= *due)?;
            if !self.forgives(due, now) {
                break;
            }
            self.forgiven = Some(now.saturating_duration_since(self.last_at));
        }
        self.status = match reached(self.dead_at(), now) {
            true => Status::Dead,
            false => Status::Suspect,
        };
        Some(self.status)
    }

    /// Whether our own stall may explain that `due` is seen as late as `now`.
    fn forgives(&self, due: Instant, now: Instant) -> bool {
        let limit = due.saturating_duration_since(self.last_at);
        let late = now.saturating_duration_since(due);
        self.forgive_stall && self.forgiven.is_none() && late > limit / 4
    }

    fn suspect_at(&self) -> Option<Instant> {
        later(
            self.detector.suspect_at()?,
            self.forgiven.unwrap_or_default(),
        )
    }

    fn dead_at(&self) -> Option<Instant> {
        later(self.detector.dead_at()?, self.forgiven.unwrap_or_default())
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
        }
    }

    /// The detector, to ask for its suspicion.
    #[must_use]
    pub const fn detector(&self) -> &D {
        &self.detector
    }

    /// The detector, to change it. The peer goes by its new deadlines from the next call on.
    pub const fn detector_mut(&mut self) -> &mut D {
        &mut self.detector
    }
}

/// A silence of a peer, in numbers.
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
