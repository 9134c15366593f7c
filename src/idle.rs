//! [`IdleDetector`]: nothing read, nothing written, or neither, for a while.
//!
//! The event sequence is that of Netty's `IdleStateHandler`, checked against 300 recordings of the
//! real one (`tests/systems/netty_idle.rs`). What differs is the form: no timer, no callback, no
//! clock.

use std::time::{Duration, Instant};

use crate::time::{Brief, Newest, SHORTEST, earlier, later};

/// How long each direction may be silent before an [`IdleEvent`] says so.
///
/// Each period is off when [`Duration::ZERO`], the default. A period shorter than 1 ms counts as
/// 1 ms, as in Netty.
///
/// The usual pairing, also Netty's: ask the peer for a sign of life when *I* have been quiet for
/// some time (`writer`), close when *it* has been quiet for twice as long (`reader`).
///
/// ```
/// use std::time::Duration;
/// use liveness::IdleConfig;
///
/// const CONFIG: IdleConfig =
///     IdleConfig::new().writer(Duration::from_secs(30)).reader(Duration::from_secs(60));
/// assert_eq!(CONFIG.reader, 2 * CONFIG.writer);
/// assert_eq!(CONFIG.all, Duration::ZERO); // off
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IdleConfig {
    /// The time without a read until [`IdleKind::Reader`] is reported. Zero, the default, is off.
    pub reader: Duration,
    /// The time without a write until [`IdleKind::Writer`] is reported. Zero, the default, is off.
    pub writer: Duration,
    /// The time without a read *and* without a write until [`IdleKind::All`] is reported. Zero, the
    /// default, is off.
    pub all: Duration,
}

impl IdleConfig {
    /// All three periods off.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            reader: Duration::ZERO,
            writer: Duration::ZERO,
            all: Duration::ZERO,
        }
    }

    /// Report [`IdleKind::Reader`] when nothing was read for `period`. Zero, the default, is off.
    #[must_use]
    pub const fn reader(mut self, period: Duration) -> Self {
        self.reader = period;
        self
    }

    /// Report [`IdleKind::Writer`] when nothing was written for `period`. Zero, the default, is
    /// off.
    #[must_use]
    pub const fn writer(mut self, period: Duration) -> Self {
        self.writer = period;
        self
    }

    /// Report [`IdleKind::All`] when nothing was read *and* nothing was written for `period`. Zero,
    /// the default, is off.
    #[must_use]
    pub const fn all(mut self, period: Duration) -> Self {
        self.all = period;
        self
    }

    /// The period of `kind`; `None` when it is off.
    fn period(&self, kind: IdleKind) -> Option<Duration> {
        let period = match kind {
            IdleKind::Reader => self.reader,
            IdleKind::Writer => self.writer,
            IdleKind::All => self.all,
        };
        (!period.is_zero()).then(|| period.max(SHORTEST))
    }

    /// The shortest period that is on.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        let periods = IdleKind::ALL.into_iter();
        periods.filter_map(|kind| self.period(kind)).min()
    }
}

/// Which direction has been silent.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::{IdleConfig, IdleDetector, IdleKind};
///
/// let (start, minute) = (Instant::now(), Duration::from_secs(60));
/// let config = IdleConfig::new().reader(minute).writer(minute).all(minute);
/// let mut detector = IdleDetector::new(config, start);
/// detector.on_write(start + minute / 2);
///
/// let mut silent = |now| detector.handle_timeout(now).map(|event| event.kind);
/// assert_eq!(silent(start + minute), Some(IdleKind::Reader));
/// assert_eq!(silent(start + minute), None);
/// assert_eq!(silent(start + minute * 3 / 2), Some(IdleKind::Writer));
/// assert_eq!(silent(start + minute * 3 / 2), Some(IdleKind::All));
/// assert_eq!(IdleKind::All.to_string(), "all idle");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "two directions and both of them: a closed sum"
)]
pub enum IdleKind {
    /// Nothing was read: the peer is silent.
    Reader,
    /// Nothing was written: *we* are silent, and the peer may think that we are gone.
    Writer,
    /// Neither was anything read nor written: the connection is unused.
    All,
}

impl IdleKind {
    const ALL: [Self; 3] = [Self::Reader, Self::Writer, Self::All];
}

impl std::fmt::Display for IdleKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader idle",
            Self::Writer => "writer idle",
            Self::All => "all idle",
        })
    }
}

/// One full period of silence has passed.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{IdleConfig, IdleDetector, IdleKind};
///
/// let start = Instant::now();
/// let mut detector = IdleDetector::new(IdleConfig::new().reader(Duration::from_secs(60)), start);
/// let event = detector.handle_timeout(start + Duration::from_secs(61)).unwrap();
/// assert_eq!((event.kind, event.idle_for), (IdleKind::Reader, Duration::from_secs(61)));
/// assert!(event.is_first());
/// assert_eq!(event.to_string(), "reader idle for 61s (1st in a row)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IdleEvent {
    /// Which of the three detectors fired.
    pub kind: IdleKind,
    /// The time since the last activity of that kind, or since a reset or resume that came after
    /// it. At least its period.
    pub idle_for: Duration,
    /// Which event of this kind in a row this is, since activity was last seen: 1 for the first.
    pub streak: u32,
}

impl IdleEvent {
    /// The first event of `kind`, for a test of your own. The fields can be assigned.
    #[must_use]
    pub const fn new(kind: IdleKind, idle_for: Duration) -> Self {
        Self {
            kind,
            idle_for,
            streak: 1,
        }
    }

    /// Whether this is the first event of this kind since activity was last seen.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.streak == 1
    }
}

impl std::fmt::Display for IdleEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let suffix = match (self.streak % 10, self.streak % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        write!(
            f,
            "{} for {} ({}{suffix} in a row)",
            self.kind,
            Brief(self.idle_for),
            self.streak
        )
    }
}

/// Watches one connection for silence, and is told the time.
///
/// Report what happens with the `on_*` methods, ask [`poll_timeout`](Self::poll_timeout) when to
/// come back, and call [`handle_timeout`](Self::handle_timeout) then, until it returns `None`.
/// Spurious, early and late calls are harmless; a `now` that is older than one seen before counts
/// as that newest one.
///
/// * An event comes after each full period without activity, never earlier. The first after
///   activity is marked ([`IdleEvent::is_first`]).
/// * The next period runs from the `now` of the call that returned the event: a late call gives one
///   event and never a burst.
///
/// Bytes are activity, calls are not: report a read or a write when at least one byte went through.
/// A large write that the socket takes piece by piece is then never idle while it makes progress.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{IdleConfig, IdleDetector, IdleKind};
///
/// let start = Instant::now();
/// let second = Duration::from_secs(1);
/// let mut detector = IdleDetector::new(IdleConfig::new().reader(60 * second), start);
///
/// detector.on_read(start + 10 * second);
/// let due = start + 70 * second;
/// assert_eq!(detector.poll_timeout(), Some(due));
/// assert_eq!(detector.handle_timeout(start + 60 * second), None);
///
/// let event = detector.handle_timeout(due).unwrap();
/// assert_eq!((event.kind, event.idle_for), (IdleKind::Reader, 60 * second));
/// ```
#[derive(Debug, Clone)]
pub struct IdleDetector {
    config: IdleConfig,
    newest: Newest,
    read_at: Instant,
    written_at: Instant,
    /// Where a kind's current period begins if no activity came after it: its start or its last
    /// event.
    armed_at: [Instant; 3],
    streaks: [u32; 3],
    reader_paused: bool,
}

impl IdleDetector {
    /// A detector whose first periods begin at `now`.
    #[must_use]
    pub const fn new(config: IdleConfig, now: Instant) -> Self {
        Self {
            config,
            newest: Newest::new(now),
            read_at: now,
            written_at: now,
            armed_at: [now; 3],
            streaks: [0; 3],
            reader_paused: false,
        }
    }

    /// At least one byte was read at `now`.
    #[inline]
    pub fn on_read(&mut self, now: Instant) {
        self.read_at = self.advance(now);
        self.streaks[IdleKind::Reader as usize] = 0;
        self.streaks[IdleKind::All as usize] = 0;
    }

    /// At least one byte was accepted by the socket at `now`.
    #[inline]
    pub fn on_write(&mut self, now: Instant) {
        self.written_at = self.advance(now);
        self.streaks[IdleKind::Writer as usize] = 0;
        self.streaks[IdleKind::All as usize] = 0;
    }

    /// Holds [`IdleKind::Reader`] and [`IdleKind::All`] until
    /// [`resume_reader`](Self::resume_reader): for a long read that is under way, or while nobody
    /// wants to read (back-pressure is not death).
    ///
    /// Pausing is not activity. To rebuild Netty's `reading` span, pause when the first message of
    /// a batch was read; at the end of the batch call [`on_read`](Self::on_read) and resume.
    pub fn pause_reader(&mut self) {
        self.reader_paused = true;
    }

    /// Ends a [pause](Self::pause_reader): full reader and all periods run from `now`.
    pub fn resume_reader(&mut self, now: Instant) {
        let now = self.advance(now);
        if std::mem::take(&mut self.reader_paused) {
            self.read_at = now;
        }
    }

    /// Starts the reader's and the all period anew without calling it activity: an event that
    /// follows continues the streak. Netty's `resetReadTimeout`.
    pub fn reset_read(&mut self, now: Instant) {
        self.read_at = self.advance(now);
    }

    /// Starts the writer's and the all period anew without calling it activity: an event that
    /// follows continues the streak. Netty's `resetWriteTimeout`.
    pub fn reset_write(&mut self, now: Instant) {
        self.written_at = self.advance(now);
    }

    /// Changes the periods of a running detector.
    ///
    /// A period that was on keeps the silence it has seen, so a shorter one may be due at once; one
    /// that was off begins at `now`.
    pub fn set_config(&mut self, config: IdleConfig, now: Instant) {
        let now = self.advance(now);
        for kind in IdleKind::ALL {
            if self.config.period(kind).is_none() {
                self.armed_at[kind as usize] = now;
                self.streaks[kind as usize] = 0;
            }
        }
        self.config = config;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    ///
    /// Changes with every call of another method. Activity only moves it later, so a timer that is
    /// already set may stay as it is: when it fires, ask again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        IdleKind::ALL
            .into_iter()
            .fold(None, |due, kind| earlier(due, self.deadline(kind)))
    }

    /// Moves time to `now` and returns at most one event; call it until it returns `None`.
    ///
    /// Events that are due at the same call come in the order of their deadlines, those with the
    /// same deadline as reader, writer, all.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<IdleEvent> {
        let now = self.advance(now);
        let (_, kind) = IdleKind::ALL
            .into_iter()
            .filter_map(|kind| Some((self.deadline(kind)?, kind)))
            .filter(|(deadline, _)| *deadline <= now)
            .min()?;
        self.armed_at[kind as usize] = now;
        let streak = &mut self.streaks[kind as usize];
        *streak = streak.saturating_add(1);
        let streak = *streak;
        let idle_for = now.saturating_duration_since(self.active_at(kind));
        Some(IdleEvent {
            kind,
            idle_for,
            streak,
        })
    }

    fn deadline(&self, kind: IdleKind) -> Option<Instant> {
        let period = self.config.period(kind)?;
        let held = self.reader_paused && kind != IdleKind::Writer;
        if held {
            return None;
        }
        later(
            self.active_at(kind).max(self.armed_at[kind as usize]),
            period,
        )
    }

    fn active_at(&self, kind: IdleKind) -> Instant {
        match kind {
            IdleKind::Reader => self.read_at,
            IdleKind::Writer => self.written_at,
            IdleKind::All => self.read_at.max(self.written_at),
        }
    }

    #[inline]
    fn advance(&mut self, now: Instant) -> Instant {
        self.newest.advance(now)
    }
}
