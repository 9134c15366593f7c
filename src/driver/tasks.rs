//! [`BothTasks`]: one waker for the two tasks that hold the two halves of a connection.
//!
//! When a stream is split, its reader and its writer sit on two tasks, but what lies beneath keeps
//! one waker a direction. Reading may have to write (an answer to a ping), so each direction can be
//! waiting for either: both are woken, and the one that has nothing to do goes back to sleep.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{AtomicBool, Mutex, Ordering};

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
    /// What a transport that is full wakes; made by the first refusal.
    room: Option<Arc<Room>>,
}

/// Wakers are kept when they are used, so one that is known never has to be put in again.
#[derive(Debug, Default)]
struct Tasks([Mutex<Option<Waker>>; 2]);

/// Wakes both tasks, and remembers that it did: the transport would take something.
#[derive(Debug)]
struct Room {
    tasks: Arc<Tasks>,
    made: AtomicBool,
}

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

    /// The waker that was there is dropped outside of the lock: dropping it may run a task's own
    /// code.
    fn set(&self, half: Half, waker: Option<Waker>) {
        let mut slot = self.0[half as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *slot, waker);
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
            room: None,
        }
    }

    /// Runs `poll` with a waker that wakes both halves; `cx` is the task of `half`.
    #[inline]
    pub(crate) fn poll<T>(
        &mut self,
        half: Half,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        self.learn(half, cx.waker());
        poll(&mut Context::from_waker(&self.waker))
    }

    /// The same for an operation of the sending side that was refused, whose wake-up tells that
    /// there is [room](Self::has_room).
    pub(crate) fn poll_for_room<T>(
        &mut self,
        half: Half,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.learn(half, cx.waker());
        let room = self.room.get_or_insert_with(|| {
            Arc::new(Room {
                tasks: Arc::clone(&self.tasks),
                made: AtomicBool::new(false),
            })
        });
        room.made.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(room));
        poll(&mut Context::from_waker(&waker))
    }

    /// Whether the transport has said since the last refusal that it would take something.
    pub(crate) fn has_room(&self) -> bool {
        let made = |room: &Arc<Room>| room.made.load(Ordering::SeqCst);
        self.room.as_ref().is_some_and(made)
    }

    /// Whether `waker` is the task of `half`, as of its last poll.
    #[inline]
    pub(crate) fn knows(&self, half: Half, waker: &Waker) -> bool {
        self.known[half as usize]
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
    }

    #[inline]
    fn learn(&mut self, half: Half, waker: &Waker) {
        if !self.knows(half, waker) {
            self.learn_anew(half, waker);
        }
    }

    #[cold]
    fn learn_anew(&mut self, half: Half, waker: &Waker) {
        self.known[half as usize] = Some(waker.clone());
        self.tasks.set(half, Some(waker.clone()));
    }

    /// The task of `half` does not wait any more: it is not to be woken, nor kept in memory.
    pub(crate) fn forget(&mut self, half: Half) {
        if self.known[half as usize].take().is_some() {
            self.tasks.set(half, None);
        }
    }

    /// Runs `poll` for whichever task has polled last, from outside of both.
    pub(crate) fn poll_for_both<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        poll(&mut Context::from_waker(&self.waker))
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

impl Wake for Room {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.made.store(true, Ordering::SeqCst);
        self.tasks.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counts(tasks: [&Arc<Count>; 2]) -> [u32; 2] {
        tasks.map(|task| task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn whoever_polls_last_both_are_woken() {
        let (reader, writer) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (reads, writes) = (Waker::from(reader.clone()), Waker::from(writer.clone()));
        let mut both = BothTasks::new();
        let mut beneath = None;
        for (half, waker) in [(Half::Read, &reads), (Half::Write, &writes)] {
            both.poll(half, &Context::from_waker(waker), |cx| {
                beneath = Some(cx.waker().clone());
            });
        }
        beneath.unwrap().wake();
        assert_eq!(counts([&reader, &writer]), [1, 1]);
        both.wake(Half::Write);
        assert_eq!(counts([&reader, &writer]), [1, 2]);
    }

    #[test]
    fn a_half_that_waits_no_longer_is_not_woken() {
        let (reader, writer) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (reads, writes) = (Waker::from(reader.clone()), Waker::from(writer.clone()));
        let mut both = BothTasks::new();
        both.poll(Half::Read, &Context::from_waker(&reads), |_| ());
        let mut beneath = None;
        both.poll(Half::Write, &Context::from_waker(&writes), |cx| {
            beneath = Some(cx.waker().clone());
        });
        let held = Arc::strong_count(&writer);
        both.forget(Half::Write);
        beneath.unwrap().wake();
        assert_eq!(counts([&reader, &writer]), [1, 0]);
        assert!(Arc::strong_count(&writer) < held, "the task is let go");
    }

    #[test]
    fn room_is_told_by_the_waker_of_a_refused_write_alone() {
        let waker = Waker::noop();
        let cx = Context::from_waker(waker);
        let mut both = BothTasks::new();
        let (mut reading, mut writing) = (None, None);
        both.poll(Half::Read, &cx, |cx| reading = Some(cx.waker().clone()));
        assert!(!both.has_room());
        let refused = both.poll_for_room(Half::Write, &cx, |cx| {
            writing = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        assert!(refused.is_pending());
        reading.unwrap().wake();
        assert!(!both.has_room());
        writing.unwrap().wake();
        assert!(both.has_room());
        let _ = both.poll_for_room(Half::Write, &cx, |_| Poll::<()>::Pending);
        assert!(!both.has_room(), "refused again");
    }
}
