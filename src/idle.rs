//! [`IdleDetector`]: nothing read, nothing written, or neither, for a while.
//!
//! The event sequence is that of Netty's `IdleStateHandler`, checked against 300 recordings of the
//! real one (`tests/systems/netty_idle.rs`). What differs is the form: no timer, no callback, no clock.

use std::time::{Duration, Instant};

use crate::time::{Brief, SHORTEST, earlier, later};

/// How long each direction may be silent before an [`IdleEvent`] says so.
///
/// Each period is off when [`Duration::ZERO`], which is the default; a shorter one than 1 ms counts
/// as 1 ms, as in Netty.
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
/// # assert_ne!(CONFIG, IdleConfig::new());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdleConfig {
    periods: [Duration; 3],
}

impl IdleConfig {
    /// All three periods off.
    ///
    /// ```
    /// # use liveness::IdleConfig;
    /// assert_eq!(IdleConfig::new(), IdleConfig::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            periods: [Duration::ZERO; 3],
        }
    }

    /// Report [`IdleKind::Reader`] when nothing was read for `period`. Zero, the default, is off.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = liveness::IdleConfig::new().reader(Duration::from_secs(60));
    /// # assert!(format!("{config:?}").contains("60s"));
    /// ```
    #[must_use]
    pub const fn reader(self, period: Duration) -> Self {
        self.with(IdleKind::Reader, period)
    }

    /// Report [`IdleKind::Writer`] when nothing was written for `period`. Zero, the default, is off.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = liveness::IdleConfig::new().writer(Duration::from_secs(30));
    /// # assert!(format!("{config:?}").contains("30s"));
    /// ```
    #[must_use]
    pub const fn writer(self, period: Duration) -> Self {
        self.with(IdleKind::Writer, period)
    }

    /// Report [`IdleKind::All`] when nothing was read *and* nothing was written for `period`. Zero,
    /// the default, is off.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = liveness::IdleConfig::new().all(Duration::from_secs(120));
    /// # assert!(format!("{config:?}").contains("120s"));
    /// ```
    #[must_use]
    pub const fn all(self, period: Duration) -> Self {
        self.with(IdleKind::All, period)
    }

    const fn with(mut self, kind: IdleKind, period: Duration) -> Self {
        let floored = !period.is_zero() && crate::time::shorter(period, SHORTEST);
        self.periods[kind as usize] = if floored { SHORTEST } else { period };
        self
    }

    const fn period(&self, kind: IdleKind) -> Duration {
        self.periods[kind as usize]
    }

    /// The shortest period that is on.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.periods
            .into_iter()
            .filter(|period| !period.is_zero())
            .min()
    }
}

/// Which direction has been silent.
///
/// ```
/// # use liveness::IdleKind;
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
    /// The time since the last activity of that kind, or since a reset or resume that came after it.
    /// At least its period.
    pub idle_for: Duration,
    /// Which event of this kind in a row this is, since activity was last seen: 1 for the first.
    pub streak: u32,
}

impl IdleEvent {
    /// Whether this is the first event of this kind since activity was last seen.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().all(s), start);
    /// assert!(detector.handle_timeout(start + s).unwrap().is_first());
    /// assert!(!detector.handle_timeout(start + 2 * s).unwrap().is_first());
    /// ```
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
/// Spurious, early and late calls are harmless; a `now` that is older than one seen before counts as
/// that newest one.
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
    newest: Instant,
    read_at: Instant,
    written_at: Instant,
    /// Where a kind's current period begins if no activity came after it: its start or its last event.
    armed_at: [Instant; 3],
    streaks: [u32; 3],
    reader_paused: bool,
}

impl IdleDetector {
    /// A detector whose first periods begin at `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// let off = IdleDetector::new(IdleConfig::new(), Instant::now());
    /// assert_eq!(off.poll_timeout(), None);
    /// ```
    #[must_use]
    pub const fn new(config: IdleConfig, now: Instant) -> Self {
        Self {
            config,
            newest: now,
            read_at: now,
            written_at: now,
            armed_at: [now; 3],
            streaks: [0; 3],
            reader_paused: false,
        }
    }

    /// At least one byte was read at `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().reader(s), start);
    /// detector.on_read(start + s / 2);
    /// assert_eq!(detector.poll_timeout(), Some(start + s + s / 2));
    /// ```
    #[inline]
    pub fn on_read(&mut self, now: Instant) {
        self.read_at = self.advance(now);
        self.streaks[IdleKind::Reader as usize] = 0;
        self.streaks[IdleKind::All as usize] = 0;
    }

    /// At least one byte was accepted by the socket at `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().writer(s), start);
    /// detector.on_write(start + s / 2);
    /// assert_eq!(detector.poll_timeout(), Some(start + s + s / 2));
    /// ```
    #[inline]
    pub fn on_write(&mut self, now: Instant) {
        self.written_at = self.advance(now);
        self.streaks[IdleKind::Writer as usize] = 0;
        self.streaks[IdleKind::All as usize] = 0;
    }

    /// Holds [`IdleKind::Reader`] and [`IdleKind::All`] until [`resume_reader`](Self::resume_reader):
    /// for a long read that is under way, or while nobody wants to read (back-pressure is not death).
    ///
    /// Pausing is not activity. To rebuild Netty's `reading` span, pause when the first message of a
    /// batch was read; at the end of the batch call [`on_read`](Self::on_read) and resume.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().reader(s), start);
    /// detector.pause_reader();
    /// assert_eq!(detector.poll_timeout(), None);
    /// assert_eq!(detector.handle_timeout(start + 10 * s), None);
    /// ```
    pub fn pause_reader(&mut self) {
        self.reader_paused = true;
    }

    /// Ends a [pause](Self::pause_reader): full reader and all periods run from `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// # let mut detector = IdleDetector::new(IdleConfig::new().reader(s), start);
    /// detector.pause_reader();
    /// detector.resume_reader(start + 5 * s);
    /// assert_eq!(detector.poll_timeout(), Some(start + 6 * s));
    /// ```
    pub fn resume_reader(&mut self, now: Instant) {
        let now = self.advance(now);
        if std::mem::take(&mut self.reader_paused) {
            self.read_at = now;
        }
    }

    /// Starts the reader's and the all period anew without calling it activity: an event that
    /// follows continues the streak. Netty's `resetReadTimeout`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().reader(s), start);
    /// assert_eq!(detector.handle_timeout(start + s).unwrap().streak, 1);
    /// detector.reset_read(start + s + s / 2);
    /// assert_eq!(detector.handle_timeout(start + 2 * s), None);
    /// assert_eq!(detector.handle_timeout(start + 3 * s).unwrap().streak, 2);
    /// ```
    pub fn reset_read(&mut self, now: Instant) {
        self.read_at = self.advance(now);
    }

    /// Starts the writer's and the all period anew without calling it activity: an event that
    /// follows continues the streak. Netty's `resetWriteTimeout`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().writer(s), start);
    /// detector.reset_write(start + s / 2);
    /// assert_eq!(detector.poll_timeout(), Some(start + s + s / 2));
    /// ```
    pub fn reset_write(&mut self, now: Instant) {
        self.written_at = self.advance(now);
    }

    /// Changes the periods of a running detector.
    ///
    /// A period that was on keeps the silence it has seen, so a shorter one may be due at once; one
    /// that was off begins at `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().reader(60 * s), start);
    /// detector.set_config(IdleConfig::new().reader(30 * s).writer(10 * s), start + 25 * s);
    /// assert_eq!(detector.poll_timeout(), Some(start + 30 * s));
    /// ```
    pub fn set_config(&mut self, config: IdleConfig, now: Instant) {
        let now = self.advance(now);
        for kind in IdleKind::ALL {
            if self.config.period(kind).is_zero() {
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
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let detector = IdleDetector::new(IdleConfig::new().reader(2 * s).writer(s), start);
    /// assert_eq!(detector.poll_timeout(), Some(start + s));
    /// ```
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
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{IdleConfig, IdleDetector};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut detector = IdleDetector::new(IdleConfig::new().writer(s), start);
    /// // Ten seconds late: one event, not ten.
    /// assert!(detector.handle_timeout(start + 10 * s).is_some());
    /// assert_eq!(detector.handle_timeout(start + 10 * s), None);
    /// ```
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
        let period = self.config.period(kind);
        let held = self.reader_paused && kind != IdleKind::Writer;
        if period.is_zero() || held {
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
        if now > self.newest {
            self.newest = now;
        }
        self.newest
    }
}
