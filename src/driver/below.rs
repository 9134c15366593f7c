//! [`Below`]: what can be seen of the socket below a stream of messages or bytes.

use std::fmt;

use super::Activity;

/// How many bytes stand in the socket's send queue, as somebody else knows.
type AskQueue = dyn Fn() -> Option<u64> + Send + Sync;

/// The bytes below a message layer, and the word of the kernel.
#[derive(Default)]
pub(crate) struct Below {
    counted: Option<Counted>,
    queue: Option<Box<AskQueue>>,
}

#[derive(Debug)]
struct Counted {
    activity: Activity,
    read: u64,
    written: u64,
}

/// What has moved below since the last look.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MovedBelow {
    pub(crate) received: bool,
    pub(crate) sent: u64,
}

impl Below {
    pub(crate) fn count(&mut self, activity: Activity) {
        let (read, written) = (activity.bytes_read(), activity.bytes_written());
        self.counted = Some(Counted {
            activity,
            read,
            written,
        });
    }

    pub(crate) fn set_queue(&mut self, ask: Box<AskQueue>) {
        self.queue = Some(ask);
    }

    /// What has moved since the last look: two loads and two comparisons.
    #[inline]
    pub(crate) fn look(&mut self) -> MovedBelow {
        let Some(below) = &mut self.counted else {
            return MovedBelow::default();
        };
        let (read, written) = (below.activity.bytes_read(), below.activity.bytes_written());
        let received = read != below.read;
        let sent = written.wrapping_sub(below.written);
        (below.read, below.written) = (read, written);
        MovedBelow { received, sent }
    }

    pub(crate) const fn knows_queue(&self) -> bool {
        self.queue.is_some()
    }

    /// How many bytes stand in the send queue.
    pub(crate) fn queue(&self) -> Option<u64> {
        self.queue.as_ref().and_then(|ask| ask())
    }
}

impl fmt::Debug for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Below")
            .field("counted", &self.counted)
            .finish_non_exhaustive()
    }
}
