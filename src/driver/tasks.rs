//! [`BothTasks`]: one waker for the two tasks that hold the two halves of a connection.
//!
//! When a stream is split, its reader and its writer sit on two tasks, but what lies beneath keeps
//! one waker a direction. Reading may have to write (an answer to a ping), so each direction can be
//! waiting for either: both are woken, and the one that has nothing to do goes back to sleep.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::Mutex;

/// Which half polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Read,
    Write,
}

impl Half {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }
}

/// Polls on behalf of both halves.
#[derive(Debug)]
pub(crate) struct BothTasks {
    tasks: Arc<Tasks>,
    waker: Waker,
    /// What `tasks` holds, to see without a lock that it is still the right one.
    known: [Option<Waker>; 2],
}

/// Wakers are kept when they are used, so one that is known never has to be put in again.
#[derive(Debug, Default)]
struct Tasks([Mutex<Option<Waker>>; 2]);

impl Tasks {
    fn wake_half(&self, half: Half) {
        let slot = self.0[half as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waker = slot.clone();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn set(&self, half: Half, waker: Waker) {
        let mut slot = self.0[half as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = slot.replace(waker);
        // Dropped outside the lock: it may be the last of its task.
        drop(slot);
        drop(before);
    }
}

impl BothTasks {
    pub(crate) fn new() -> Self {
        let tasks = Arc::new(Tasks::default());
        let waker = Waker::from(Arc::clone(&tasks));
        Self {
            tasks,
            waker,
            known: [None, None],
        }
    }

    /// Runs `poll` with a waker that wakes both halves; `cx` is the task of `half`.
    #[inline]
    pub(crate) fn poll<T>(
        &mut self,
        half: Half,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if !self.knows(half, cx.waker()) {
            self.learn(half, cx.waker());
        }
        poll(&mut Context::from_waker(&self.waker))
    }

    /// Runs `poll` for whoever has polled last, from outside of both.
    pub(crate) fn poll_for_both<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        poll(&mut Context::from_waker(&self.waker))
    }

    /// Whether `waker` is the task of `half`, as of its last poll.
    #[inline]
    pub(crate) fn knows(&self, half: Half, waker: &Waker) -> bool {
        self.known[half as usize]
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
    }

    #[cold]
    fn learn(&mut self, half: Half, waker: &Waker) {
        self.known[half as usize] = Some(waker.clone());
        self.tasks.set(half, waker.clone());
    }

    /// Wakes the task of one half.
    pub(crate) fn wake(&self, half: Half) {
        self.tasks.wake_half(half);
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_half(Half::Read);
        self.wake_half(Half::Write);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_polls_last_both_are_woken() {
        let (reader, writer) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (reads, writes) = (Waker::from(reader.clone()), Waker::from(writer.clone()));
        let mut both = BothTasks::new();
        let mut beneath = None;
        for (half, waker) in [(Half::Read, &reads), (Half::Write, &writes)] {
            let polled = both.poll(half, &Context::from_waker(waker), |cx| {
                beneath = Some(cx.waker().clone());
                Poll::<()>::Pending
            });
            assert!(polled.is_pending());
        }
        beneath.unwrap().wake();
        assert_eq!(
            (
                reader.0.load(Ordering::SeqCst),
                writer.0.load(Ordering::SeqCst)
            ),
            (1, 1)
        );
        both.wake(Half::Write);
        assert_eq!(
            (
                reader.0.load(Ordering::SeqCst),
                writer.0.load(Ordering::SeqCst)
            ),
            (1, 2)
        );
    }
}
