//! [`BothTasks`]: one waker for the two tasks that hold the two halves of a connection.
//!
//! When a stream is split, its reader and its writer sit on two tasks, but what lies beneath keeps
//! one waker a direction. Reading may have to write (an answer to a ping), so each direction can be
//! waiting for either: both are woken, and the one that has nothing to do goes back to sleep.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

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
}

#[derive(Debug, Default)]
struct Tasks {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Tasks {
    fn of(&self, half: Half) -> &AtomicWaker {
        match half {
            Half::Read => &self.reader,
            Half::Write => &self.writer,
        }
    }
}

impl BothTasks {
    pub(crate) fn new() -> Self {
        let tasks = Arc::new(Tasks::default());
        let waker = Waker::from(Arc::clone(&tasks));
        Self { tasks, waker }
    }

    /// Runs `poll` with a waker that wakes both halves; `cx` is the task of `half`.
    ///
    /// A poll that is ready at once, as most are, costs no registration.
    pub(crate) fn poll<T>(
        &self,
        half: Half,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut both = Context::from_waker(&self.waker);
        if let Poll::Ready(ready) = poll(&mut both) {
            return Poll::Ready(ready);
        }
        // Whatever became ready before this task was registered is seen by the second poll.
        self.tasks.of(half).register(cx.waker());
        poll(&mut both)
    }

    /// Wakes the task of one half.
    pub(crate) fn wake(&self, half: Half) {
        self.tasks.of(half).wake();
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}
