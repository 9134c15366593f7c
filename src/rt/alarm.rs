//! [`Alarm`]: the one place that drives a timer.
//!
//! Four traps are settled here so that nobody else meets them: a runtime's budget may answer
//! `Pending` for a timer that has elapsed (so the clock is asked first); a timer may fire a little
//! early (so it is set again for the rest); a busy connection must not touch its timer (so one that
//! is set early enough is left alone); a timer that has fired must not be polled again.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use super::{Runtime, Timer};
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// How often a timer may fire early in one poll before the executor gets its turn.
const EARLY_FIRES: u32 = 4;

/// Waits for deadlines that keep moving, at the price of one flag while nothing is due.
///
/// Between its timer and the task stands a bell of its own: while the bell has not rung and the
/// timer is set to the deadline or earlier, a poll reads neither the clock nor the timer. So it may
/// be polled on every read of a busy stream.
///
/// ```
/// use std::time::Duration;
/// use liveness::Tokio;
/// use liveness::rt::{Alarm, Runtime};
///
/// # let mut rt = tokio::runtime::Builder::new_current_thread();
/// # rt.enable_time().start_paused(true).build().unwrap().block_on(async {
/// let mut alarm = Alarm::new(Tokio);
/// let due = Tokio.now() + Duration::from_secs(5);
/// let now = std::future::poll_fn(|cx| alarm.poll_at(Some(due), cx)).await;
/// assert!(now >= due);
/// # });
/// ```
pub struct Alarm<R: Runtime> {
    rt: R,
    timer: Option<Pin<Box<R::Timer>>>,
    /// What the timer is set to; `None` when it has to be set anew.
    set_to: Option<Instant>,
    bell: Arc<Bell>,
    /// The waker the bell holds, to see cheaply that it is still the right one.
    listener: Option<Waker>,
}

impl<R: Runtime> Alarm<R> {
    /// An alarm on the clock of `rt`. Its timer is made by the first poll that needs one.
    #[must_use]
    pub fn new(rt: R) -> Self {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(false),
            task: Mutex::new(None),
        });
        Self {
            rt,
            timer: None,
            set_to: None,
            bell,
            listener: None,
        }
    }

    /// The runtime it goes by.
    #[must_use]
    pub const fn runtime(&self) -> &R {
        &self.rt
    }

    /// Ready with the time once the clock has reached `deadline`; never for `None`.
    ///
    /// Cancel safe. The deadline may be another one at each call; the task of the last call is
    /// woken for it. A deadline that lies a little ahead of an earlier one costs nothing.
    pub fn poll_at(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.listen(cx.waker());
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        if self.covers(deadline) {
            return Poll::Pending;
        }
        for _ in 0..EARLY_FIRES {
            let now = self.rt.now();
            if now >= deadline {
                return Poll::Ready(now);
            }
            if self.poll_timer(deadline).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ready once the timer itself has expired at `deadline`, which the clock has reached.
    ///
    /// A runtime whose task has used up its budget says `Pending` to input that is there, and to a
    /// timer that has expired; so while this is pending, input that was pending proves nothing. It
    /// costs one tick of the timer at most. The timer is set to the deadline and not to the
    /// present: a runtime that rounds up would never come to that.
    pub(crate) fn poll_budget(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.listen(cx.waker());
        self.poll_timer(deadline)
    }

    /// Whether the bell has rung since the last poll: a deadline may have come.
    #[inline]
    pub(crate) fn has_rung(&self) -> bool {
        self.bell.rung.load(Ordering::Acquire)
    }

    /// The bell itself, to be rung from elsewhere: the task is woken and its next poll asks the
    /// clock again.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Whether the timer will ring no later than `deadline`, without another poll.
    #[inline]
    pub(crate) fn covers(&self, deadline: Instant) -> bool {
        self.set_to.is_some_and(|set_to| set_to <= deadline)
    }

    /// Gives the timer back: nothing is waited for any more.
    pub(crate) fn disarm(&mut self) {
        (self.timer, self.set_to) = (None, None);
    }

    /// Sees to it that the bell wakes the task behind `waker`. What is looked at afterwards cannot
    /// be missed: it was there before the look, or its ring wakes this task.
    #[inline]
    pub(crate) fn listen(&mut self, waker: &Waker) {
        let heard = |listener: &Waker| listener.will_wake(waker);
        if self.has_rung() || !self.listener.as_ref().is_some_and(heard) {
            self.listen_anew(waker);
        }
    }

    fn listen_anew(&mut self, waker: &Waker) {
        let rung = self.bell.rung.swap(false, Ordering::SeqCst);
        let known = self.listener.as_ref();
        if !known.is_some_and(|known| known.will_wake(waker)) {
            self.bell.set_task(Some(waker.clone()));
            self.listener = Some(waker.clone());
        }
        // A ring up to here may have woken an earlier task, or none. The flag stays up for the next
        // poll; for this one it is enough not to trust the timer.
        if rung || self.has_rung() {
            self.set_to = None;
        }
    }

    fn poll_timer(&mut self, deadline: Instant) -> Poll<()> {
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(deadline);
                timer
            }
            None => self.timer.insert(Box::pin(self.rt.timer(deadline))),
        };
        let waker = Waker::from(Arc::clone(&self.bell));
        let fired = timer
            .as_mut()
            .poll_expired(&mut Context::from_waker(&waker));
        self.set_to = fired.is_pending().then_some(deadline);
        fired
    }
}

/// Whoever still holds the bell need not hold the task as well.
impl<R: Runtime> Drop for Alarm<R> {
    fn drop(&mut self) {
        self.bell.set_task(None);
    }
}

// The timer is boxed and nothing else is ever pinned.
impl<R: Runtime> Unpin for Alarm<R> {}

impl<R: Runtime> fmt::Debug for Alarm<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm")
            .field("set_to", &self.set_to)
            .finish_non_exhaustive()
    }
}

/// What a timer wakes instead of the task: it remembers that it rang.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: AtomicBool,
    /// Kept when it is woken, so a task that is known never has to be put in again. Not an
    /// `AtomicWaker`: that drops a waker which comes while another is woken, and tells nobody.
    task: Mutex<Option<Waker>>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.rung.swap(true, Ordering::SeqCst);
        // Woken outside the lock, dropped outside of it too: both run foreign code.
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    fn set_task(&self, task: Option<Waker>) {
        let before = std::mem::replace(&mut *self.task(), task);
        drop(before);
    }

    /// The task; a panic under the lock leaves it whole.
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
