//! [`IdleTimeout`]: a socket that fails when nothing has moved for too long.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::io::{AsyncRead, AsyncWrite};
use pin_project::pin_project;

use super::forward::{Around, Operation, counted, forward};
use crate::driver::{BothTasks, Dating, Driver, EitherWay, Half, Quiet, Seen};
use crate::idle::IdleConfig;
use crate::rt::Runtime;
use crate::time::Brief;

/// A socket whose reads and writes fail with [`io::ErrorKind::TimedOut`] once no byte has moved in
/// either direction for a while: for a socket that is handed to other people's code.
///
/// The verdict comes only to somebody who is waiting: a read or write that is under way when the
/// time is over fails, on whichever task, and every write after it. Input is drained first: as long
/// as the socket has bytes, reads succeed, also after the verdict; and it can still be closed. Both
/// directions count, so a long download is not idle because nothing is written.
///
/// The error is never early. While somebody waits it comes at most a sixteenth of the period late
/// on a connection that has just been busy (see [`track`](super::track)), and exactly on a quiet
/// one.
///
/// To act on silence instead of failing, use [`track`](super::track).
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::Tokio;
/// use liveness::io::IdleTimeout;
/// use tokio::io::AsyncReadExt;
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// # let (socket, _peer) = tokio::io::duplex(64);
/// let mut socket = IdleTimeout::new(socket, Duration::from_secs(30), Tokio);
/// let error = socket.read_u8().await.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
/// assert!(error.to_string().starts_with("no byte read or written for 30"));
/// # });
/// ```
#[pin_project]
#[derive(Debug)]
pub struct IdleTimeout<S, R: Runtime> {
    #[pin]
    io: S,
    guard: Guard<R>,
}

#[derive(Debug)]
struct Guard<R: Runtime> {
    driver: Driver<Quiet, EitherWay, R>,
    tasks: BothTasks,
    idle_for: Option<Duration>,
}

impl<S, R: Runtime> IdleTimeout<S, R> {
    /// Fails reads and writes of `io` after `after` without a byte; at least 1 ms, zero is off.
    pub fn new(io: S, after: Duration, rt: R) -> Self {
        let (now, config) = (rt.now(), IdleConfig::new().all(after));
        let guard = Guard {
            driver: Driver::new(
                Quiet::new(config, now),
                EitherWay(Dating::new(config.shortest(), now)),
                rt,
                now,
            ),
            tasks: BothTasks::new(),
            idle_for: None,
        };
        Self { io, guard }
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

    /// The socket back, without its timeout.
    pub fn into_inner(self) -> S {
        self.io
    }
}

/// The half that an operation belongs to.
const fn half_of(operation: Operation) -> Half {
    match operation {
        Operation::Read => Half::Read,
        Operation::Write | Operation::Flush | Operation::Close => Half::Write,
    }
}

impl<R: Runtime> Guard<R> {
    #[inline]
    fn note(&mut self) {
        if let Some(now) = self.driver.note_moved() {
            self.note_dated(now);
        }
    }

    #[cold]
    fn note_dated(&mut self, now: Instant) {
        self.driver.machine.on_moved(now);
        // Credit may be used up. The next tick may come before the deadline that the waiting task
        // has set its timer to, so that task has to set it anew.
        let driver = &mut self.driver;
        self.tasks.poll_for_both(|cx| driver.arm(cx));
    }

    /// Nothing moved in this operation: ready once it has been so for too long.
    #[inline]
    fn poll_idle(&mut self, kind: Operation, cx: &mut Context<'_>) -> Poll<Duration> {
        if self.driver.is_asleep() && self.tasks.knows(half_of(kind), cx.waker()) {
            return Poll::Pending;
        }
        self.poll_judge(kind, cx)
    }

    #[cold]
    fn poll_judge(&mut self, kind: Operation, cx: &Context<'_>) -> Poll<Duration> {
        if let Some(idle_for) = self.idle_for {
            return Poll::Ready(idle_for);
        }
        let (half, driver) = (half_of(kind), &mut self.driver);
        let event = ready!(
            self.tasks
                .poll(half, cx, |cx| { driver.poll_due(Seen::Drained, cx) })
        );
        self.idle_for = Some(event.idle_for);
        self.driver.disarm();
        self.tasks.wake(half.other());
        Poll::Ready(event.idle_for)
    }
}

fn timed_out(idle_for: Duration) -> io::Error {
    let text = format!("no byte read or written for {}", Brief(idle_for));
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// The operation goes first, and the time is looked at only if it waits.
impl<S, R: Runtime> Around for IdleTimeout<S, R> {
    type Socket = S;

    #[inline]
    fn around<T>(
        self: Pin<&mut Self>,
        operation: Operation,
        cx: &mut Context<'_>,
        run: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> (Poll<io::Result<T>>, usize),
    ) -> Poll<io::Result<T>> {
        let this = self.project();
        if let (Some(idle_for), Operation::Write | Operation::Flush) =
            (this.guard.idle_for, operation)
        {
            return Poll::Ready(Err(timed_out(idle_for)));
        }
        let (result, moved) = run(this.io, cx);
        if result.is_pending() {
            let idle = this.guard.poll_idle(operation, cx);
            return idle.map(|idle_for| Err(timed_out(idle_for)));
        }
        if moved > 0 {
            this.guard.note();
        }
        result
    }
}

forward!(IdleTimeout);
