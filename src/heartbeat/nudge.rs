//! [`Nudge`]: whether a receiver asked for another turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// The waker that a receiver is polled with: it passes wake-ups on, and notes them.
///
/// A receiver that has done its share of a poll, or has used up its runtime's budget, wakes itself
/// and is pending. That is not the same as having nothing to receive.
#[derive(Debug, Default)]
pub(super) struct Nudge {
    given: AtomicBool,
    task: AtomicWaker,
}

impl Nudge {
    /// Polls once, with a waker that notes a wake-up.
    pub(super) fn poll<T>(
        self: &Arc<Self>,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Polled<T> {
        self.task.register(cx.waker());
        self.given.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(self));
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(ready) => Polled::Ready(ready),
            Poll::Pending if self.given.load(Ordering::Acquire) => Polled::MoreToDo,
            Poll::Pending => Polled::Waiting,
        }
    }
}

/// What one poll came to.
pub(super) enum Polled<T> {
    Ready(T),
    /// Pending until something comes.
    Waiting,
    /// Pending, but it woke itself: there may be more at once.
    MoreToDo,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.given.store(true, Ordering::Release);
        self.task.wake();
    }
}
