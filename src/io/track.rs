//! [`track`]: idle events of a socket that somebody else goes on using.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::io::{AsyncRead, AsyncWrite};
use futures::stream::FusedStream;
use pin_project::pin_project;

use super::forward::{Around, Operation, counted, forward};
use crate::driver::{Activity, Direction, Driver, Notes, Quiet, Seen, Watched, record};
use crate::idle::{IdleConfig, IdleEvent};
use crate::rt::{Alarm, Runtime};

/// Splits the watching from the using: the same socket, and a stream of its idle events.
///
/// The socket side counts bytes and nothing else. The stream side owns the timer; poll it in a
/// `select!` beside the socket or from another task. What counts is bytes: an end of file, a read
/// or write of zero bytes and a flush are no activity, and a large write is never idle while the
/// socket takes some of it.
///
/// Events are never early. On a quiet connection they are exact; on one that has just been busy
/// they come at most a sixteenth of the shortest period late, since its reads and writes do not ask
/// the clock one by one. A shortest period under 16 ms is resolved to 1 ms.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::{IdleConfig, IdleKind, Tokio};
/// use liveness::io::track;
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// # let (socket, _peer) = tokio::io::duplex(64);
/// let config = IdleConfig::new().reader(Duration::from_secs(60));
/// let (socket, mut idle) = track(socket, config, Tokio);
/// // Use `socket` as before; nothing is read from it here.
/// let event = idle.next().await.unwrap();
/// assert_eq!(event.kind, IdleKind::Reader);
/// drop(socket);
/// assert_eq!(idle.next().await, None);
/// # });
/// ```
pub fn track<S, R: Runtime>(io: S, config: IdleConfig, rt: R) -> (Tracked<S, R>, IdleEvents<R>) {
    let alarm = Alarm::new(rt.clone());
    let now = rt.now();
    let (notes, watch) = record(alarm.bell(), rt, config.shortest().is_some());
    let (quiet, watched) = (
        Quiet::new(config, now),
        Watched::new(watch, config.shortest()),
    );
    let events = IdleEvents {
        driver: Driver::with_alarm(quiet, watched, alarm, now),
        ended: false,
    };
    (Tracked { io, notes }, events)
}

/// A socket whose bytes are counted; made by [`track`], or [`new`](Self::new) where nobody wants
/// its idle events.
///
/// Forwards everything, in futures-io and (feature `tokio`) tokio-io alike: reads into the caller's
/// buffer untouched, vectored reads and writes, flush, shutdown. Reading and writing is as cancel
/// safe as the socket itself.
///
/// ```
/// use liveness::{IdleConfig, Tokio};
/// use liveness::io::{Tracked, track};
///
/// let io = futures::io::Cursor::new(b"hi".to_vec());
/// let (socket, _events) = track(io, IdleConfig::new(), Tokio);
/// let socket: Tracked<_, _> = socket;
/// assert_eq!(socket.into_inner().into_inner(), b"hi");
/// ```
#[pin_project]
#[derive(Debug)]
pub struct Tracked<S, R> {
    #[pin]
    io: S,
    notes: Notes<R>,
}

impl<S, R: Runtime> Tracked<S, R> {
    /// Counts the bytes of `io`, for [`activity`](Self::activity) alone: there are no idle events,
    /// and no read or write asks a clock.
    pub fn new(io: S, rt: R) -> Self {
        let notes = Notes::unwatched(rt);
        Self { io, notes }
    }

    /// The byte counts, for a message layer above: see
    /// [`PingPong::with_activity`](crate::PingPong::with_activity).
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.notes.activity()
    }

    /// The socket itself.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.io
    }

    /// The socket itself; what is read or written through it is not counted.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// The socket itself, pinned.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut S> {
        self.project().io
    }

    /// The socket back; the event stream ends.
    pub fn into_inner(self) -> S {
        self.io
    }
}

/// The operation goes first; its bytes are counted, and a read that waits is noted.
impl<S, R: Runtime> Around for Tracked<S, R> {
    type Socket = S;

    #[inline]
    fn around<T>(
        self: Pin<&mut Self>,
        operation: Operation,
        cx: &mut Context<'_>,
        run: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> (Poll<io::Result<T>>, usize),
    ) -> Poll<io::Result<T>> {
        let this = self.project();
        let (result, moved) = run(this.io, cx);
        match operation {
            Operation::Read => {
                this.notes.note(Direction::Read, moved);
                this.notes.note_waiting(result.is_pending());
            }
            Operation::Write => this.notes.note(Direction::Written, moved),
            Operation::Flush | Operation::Close => {}
        }
        result
    }
}

forward!(Tracked);

/// The idle events of a [`Tracked`] socket; made by [`track`].
///
/// A [`Stream`] that yields events for as long as the silence lasts, and ends when the socket is
/// dropped. Cancel safe: a dropped `next()` loses nothing. It works from any task; while nobody
/// polls it, events wait, and those of one kind become one.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::{IdleConfig, Tokio};
/// use liveness::io::track;
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// # let (socket, _peer) = tokio::io::duplex(64);
/// let (_socket, mut idle) = track(socket, IdleConfig::new().all(Duration::from_secs(5)), Tokio);
/// assert!(idle.next().await.unwrap().is_first());
/// assert_eq!(idle.next().await.unwrap().streak, 2);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct IdleEvents<R: Runtime> {
    driver: Driver<Quiet, Watched, R>,
    ended: bool,
}

impl<R: Runtime> IdleEvents<R> {
    /// Whether reader idleness is held while nobody waits for input. Default no.
    ///
    /// With `true`, a peer whose bytes nobody asks for is not called silent: back-pressure is not
    /// death. Full periods run from the moment a read has to wait. A read that was begun and
    /// cancelled counts as waiting until the next one completes. Say so before the socket is used:
    /// a read that waits already is not seen.
    pub fn hold_while_unread(self, hold: bool) -> Self {
        self.driver.notes.watch.set_hold(hold);
        self
    }

    /// The longest that reader idleness is [held](Self::hold_while_unread); from then on its period
    /// runs again, until somebody waits for input. Default 15 min; zero for any time.
    pub fn hold_at_most(mut self, limit: Duration) -> Self {
        self.driver.machine.set_hold_limit(limit);
        self
    }

    /// Changes the periods of a running connection: see
    /// [`IdleDetector::set_config`](crate::IdleDetector::set_config).
    pub fn set_config(&mut self, config: IdleConfig) {
        let now = self.driver.now();
        self.driver.machine.set_config(config, now);
        self.driver.notes.set_period(config.shortest(), now);
        self.driver.rearm();
    }

    /// The bell may have rung because the moving side has used up its credit while nobody was
    /// waiting to tick, or because somebody waits for input again.
    fn answer(&mut self) {
        let unwatched = self.driver.notes.is_unwatched();
        let released = self.driver.machine.is_held() && self.driver.notes.watch.is_awaited();
        if !unwatched && !released {
            return;
        }
        let now = self.driver.now();
        if released {
            self.driver.machine.release(now);
        }
    }
}

impl<R: Runtime> Stream for IdleEvents<R> {
    type Item = IdleEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<IdleEvent>> {
        let this = self.get_mut();
        // First of all, so that whatever comes after the looks below rings for this task.
        this.driver.listen(cx.waker());
        if this.ended || this.driver.notes.watch.is_closed() {
            this.ended = true;
            this.driver.disarm();
            return Poll::Ready(None);
        }
        this.answer();
        this.driver.poll_due(Seen::Drained, cx).map(Some)
    }
}

impl<R: Runtime> FusedStream for IdleEvents<R> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
