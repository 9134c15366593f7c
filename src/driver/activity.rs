//! The activity record of one connection, shared by the side that moves bytes and the side that
//! watches.
//!
//! The side that moves bytes only counts them: a plain store a call, no lock, no timer, and, past a
//! small credit, no clock (see [`dating`](super::dating)). The side that watches finds out, when
//! its timer fires, whether anything moved and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dating::CREDIT;
use crate::rt::{Bell, Runtime};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

/// Set in place of a date by an operation that did not ask the clock.
const UNDATED: u64 = u64::MAX;

/// One direction of a connection.
#[derive(Debug, Default)]
struct Lane {
    bytes: AtomicU64,
    /// Nanoseconds from the record's start to the last operation, or [`UNDATED`].
    at: AtomicU64,
}

/// What both sides see.
#[derive(Debug)]
pub(crate) struct Record {
    start: Instant,
    read: Lane,
    written: Lane,
    /// Times at which a read began to wait; only while `hold` is set.
    waits: Lane,
    credit: AtomicU32,
    closed: AtomicBool,
    /// Reader idleness is to be held while nobody waits for input.
    hold: AtomicBool,
    /// Somebody waits for input.
    waiting: AtomicBool,
    /// The watching side holds, and wants to hear when somebody waits.
    held: AtomicBool,
}

/// The direction of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Written,
    Wait,
}

/// The moving side's end of a record; dropping it closes the record.
#[derive(Debug)]
pub(crate) struct Notes<R> {
    record: Arc<Record>,
    /// None where nobody watches.
    bell: Option<Arc<Bell>>,
    rt: R,
}

/// The watching side's end of a record.
#[derive(Debug)]
pub(crate) struct Watch {
    record: Arc<Record>,
    read: u64,
    written: u64,
    waits: u64,
}

/// What has moved since the last look, with the dates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moved {
    pub(crate) read: Option<Instant>,
    pub(crate) written: Option<Instant>,
    /// A read began to wait.
    pub(crate) waited: Option<Instant>,
    /// Nobody waits for input, and it was asked to hold reader idleness then.
    pub(crate) unread: bool,
}

/// How many bytes have passed through a [`Tracked`](crate::io::Tracked) socket, readable from
/// anywhere.
///
/// Cheap to clone and to read. A message layer above the socket uses it to see that a large message
/// is on its way: [`PingPong::with_activity`](crate::PingPong::with_activity).
/// [`PingPong::framed`](crate::PingPong::framed) does so by itself.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use liveness::{IdleConfig, Tokio};
/// use liveness::io::track;
/// use tokio::io::AsyncWriteExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (mut socket, _events) = track(tokio::io::sink(), IdleConfig::new(), Tokio);
/// let activity = socket.activity();
/// socket.write_all(b"hello").await?;
/// assert_eq!(activity.bytes_written(), 5);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Activity {
    record: Arc<Record>,
}

impl Activity {
    /// How many bytes were read from the socket so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.record.read.bytes.load(Ordering::Acquire)
    }

    /// How many bytes the socket has accepted so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.record.written.bytes.load(Ordering::Acquire)
    }
}

impl Record {
    /// A record that begins at `start`. `timed`: whether anybody wants dates.
    fn new(start: Instant, timed: bool) -> Self {
        Self {
            start,
            read: Lane::default(),
            written: Lane::default(),
            waits: Lane::default(),
            credit: AtomicU32::new(if timed { CREDIT } else { 0 }),
            closed: AtomicBool::new(false),
            hold: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            held: AtomicBool::new(false),
        }
    }
}

/// A record that begins now, with both its ends. `timed`: whether anybody wants dates.
pub(crate) fn record<R: Runtime>(bell: Arc<Bell>, rt: R, timed: bool) -> (Notes<R>, Watch) {
    let record = Arc::new(Record::new(rt.now(), timed));
    let watch = Watch {
        record: Arc::clone(&record),
        read: 0,
        written: 0,
        waits: 0,
    };
    let bell = Some(bell);
    (Notes { record, bell, rt }, watch)
}

impl<R: Runtime> Notes<R> {
    /// Notes that nobody watches: they count, and date nothing.
    pub(crate) fn unwatched(rt: R) -> Self {
        let record = Arc::new(Record::new(rt.now(), false));
        Self {
            record,
            bell: None,
            rt,
        }
    }

    /// `bytes` went through. Zero is no activity.
    #[inline]
    pub(crate) fn note(&self, direction: Direction, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let record = &*self.record;
        let lane = record.lane(direction);
        // There is one moving side, and it has the socket to itself: load and store will do.
        let total = lane
            .bytes
            .load(Ordering::Relaxed)
            .wrapping_add(bytes as u64);
        let credit = record.credit.load(Ordering::Relaxed);
        if credit == 0 {
            lane.at.store(UNDATED, Ordering::Relaxed);
            lane.bytes.store(total, Ordering::Release);
        } else {
            self.note_dated(lane, total, credit - 1);
        }
    }

    #[cold]
    fn note_dated(&self, lane: &Lane, total: u64, credit: u32) {
        let since = self.rt.now().saturating_duration_since(self.record.start);
        let at = u64::try_from(since.as_nanos()).unwrap_or(UNDATED);
        lane.at.store(at, Ordering::Relaxed);
        lane.bytes.store(total, Ordering::Release);
        self.record.credit.store(credit, Ordering::Relaxed);
        if credit == 0 {
            self.ring();
        }
    }

    /// A read has to wait, or no longer has to.
    #[inline]
    pub(crate) fn note_waiting(&self, waiting: bool) {
        if self.record.hold.load(Ordering::Relaxed) {
            self.set_waiting(waiting);
        }
    }

    fn set_waiting(&self, waiting: bool) {
        let record = &*self.record;
        if record.waiting.load(Ordering::Relaxed) == waiting {
            return;
        }
        if waiting {
            self.note(Direction::Wait, 1);
        }
        record.waiting.store(waiting, Ordering::Relaxed);
        // Against the one in `is_awaited`: at least one of the two sees what the other has stored.
        fence(Ordering::SeqCst);
        if waiting && record.held.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    pub(crate) fn activity(&self) -> Activity {
        Activity {
            record: Arc::clone(&self.record),
        }
    }
}

impl<R> Notes<R> {
    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }
}

impl<R> Drop for Notes<R> {
    fn drop(&mut self) {
        self.record.closed.store(true, Ordering::SeqCst);
        self.ring();
    }
}

impl Record {
    #[inline]
    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Read => &self.read,
            Direction::Written => &self.written,
            Direction::Wait => &self.waits,
        }
    }

    fn date(&self, lane: &Lane, now: Instant) -> Instant {
        match lane.at.load(Ordering::Relaxed) {
            UNDATED => now,
            at => self
                .start
                .checked_add(Duration::from_nanos(at))
                .map_or(now, |at| at.min(now)),
        }
    }
}

impl Watch {
    /// What has moved since the last look; what carries no date is dated `now`.
    pub(crate) fn look(&mut self, now: Instant) -> Moved {
        let record = &*self.record;
        let moved = |lane: &Lane, seen: &mut u64| {
            let count = lane.bytes.load(Ordering::Acquire);
            (std::mem::replace(seen, count) != count).then(|| record.date(lane, now))
        };
        Moved {
            read: moved(&record.read, &mut self.read),
            written: moved(&record.written, &mut self.written),
            waited: moved(&record.waits, &mut self.waits),
            unread: false,
        }
    }

    /// Whether the moving side has stopped asking the clock.
    pub(crate) fn is_undated(&self) -> bool {
        self.record.credit.load(Ordering::Relaxed) == 0
    }

    /// Lets the moving side ask the clock again, for a while.
    pub(crate) fn refill(&self) {
        self.record.credit.store(CREDIT, Ordering::Relaxed);
    }

    /// Whether the socket is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.record.closed.load(Ordering::SeqCst)
    }

    /// Asks the moving side to tell whether somebody waits for input.
    pub(crate) fn set_hold(&self, hold: bool) {
        self.record.hold.store(hold, Ordering::SeqCst);
    }

    /// Whether somebody waits for input; if not, the bell rings when somebody does.
    pub(crate) fn is_awaited(&self) -> bool {
        let record = &*self.record;
        if !record.hold.load(Ordering::Relaxed) {
            return true;
        }
        record.held.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let waiting = record.waiting.load(Ordering::Relaxed);
        record.held.store(!waiting, Ordering::Relaxed);
        waiting
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Nobody looks any more: no clock is to be asked, no bell to be rung.
        self.record.credit.store(0, Ordering::Relaxed);
        self.record.hold.store(false, Ordering::SeqCst);
    }
}
