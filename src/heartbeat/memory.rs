//! Heartbeats within one process: a bounded channel in which the newest beats win.
//!
//! For tests, and for watching a part of one's own program: a worker beats, a supervisor watches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::task::AtomicWaker;

use super::{Heartbeat, HeartbeatReceiver, HeartbeatSender};

/// A sender and a receiver of heartbeats, with room for `capacity` beats between them (at least 1).
///
/// Sending never waits. When there is no room the *oldest* beat makes way: of heartbeats only the
/// newest matters, and [`Receiver::dropped`] counts the others. When one side is dropped the other
/// finds [`Closed`], the receiver after the beats that are still there. So the end or panic of a
/// worker is known at once, as [`Lost`](super::WatchEvent::Lost) of its [`watch`](super::watch()).
/// Take that for a death too; the detector is for a worker that hangs.
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::{memory, Origin};
/// use liveness::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Seq};
///
/// # futures::executor::block_on(async {
/// let (mut sender, mut receiver) = memory::channel(2);
/// for n in 0..3 {
///     let beat = Heartbeat {
///         origin: Origin::default(),
///         incarnation: 0,
///         seq: Seq::new(n),
///         interval: Some(Duration::from_secs(1)),
///         payload: (),
///     };
///     sender.send(beat).await?;
/// }
/// drop(sender);
/// assert_eq!(receiver.recv().await?.seq, Seq::new(1));
/// assert_eq!(receiver.recv().await?.seq, Seq::new(2));
/// assert_eq!(receiver.recv().await, Err(memory::Closed));
/// assert_eq!(receiver.dropped(), 1);
/// # Ok::<(), memory::Closed>(()) }).unwrap();
/// ```
#[must_use]
pub fn channel<P>(capacity: usize) -> (Sender<P>, Receiver<P>) {
    let shared = Arc::new(Shared {
        beats: Mutex::new(Queue {
            waiting: VecDeque::new(),
            capacity: capacity.max(1),
            dropped: 0,
            closed: false,
        }),
        receiver: AtomicWaker::new(),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// The other side of the channel is gone.
///
/// ```
/// use liveness::heartbeat::memory::Closed;
/// assert_eq!(Closed.to_string(), "the other side of the heartbeat channel is gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side of the heartbeat channel is gone")]
#[allow(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct Closed;

/// The sending side; made by [`channel`].
///
/// ```
/// use liveness::HeartbeatSender;
/// use liveness::heartbeat::{Identity, Origin, memory};
///
/// # futures::executor::block_on(async {
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// let (mut sender, receiver) = memory::channel(1);
/// for load in [10, 20, 30] {
///     sender.send(identity.heartbeat(None, load)).await?; // never waits for the receiver
/// }
/// assert_eq!(receiver.dropped(), 2);
/// drop(receiver);
/// assert_eq!(sender.send(identity.heartbeat(None, 40)).await, Err(memory::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Sender<P>(Arc<Shared<P>>);

/// The receiving side; made by [`channel`].
///
/// ```
/// use liveness::heartbeat::{Identity, Origin, memory};
/// use liveness::{HeartbeatReceiver, HeartbeatSender};
///
/// # futures::executor::block_on(async {
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// let (mut sender, mut receiver) = memory::channel(1);
/// sender.send(identity.heartbeat(None, "starting")).await?;
/// sender.send(identity.heartbeat(None, "ready")).await?;
/// drop(sender); // the worker ended
/// assert_eq!(receiver.recv().await?.payload, "ready");
/// assert_eq!(receiver.recv().await, Err(memory::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Receiver<P>(Arc<Shared<P>>);

#[derive(Debug)]
struct Shared<P> {
    beats: Mutex<Queue<P>>,
    receiver: AtomicWaker,
}

#[derive(Debug)]
struct Queue<P> {
    waiting: VecDeque<Heartbeat<P>>,
    capacity: usize,
    dropped: u64,
    closed: bool,
}

impl<P> Queue<P> {
    /// Takes a beat in; returns the one that made way for it.
    fn push(&mut self, beat: Heartbeat<P>) -> Result<Option<Heartbeat<P>>, Closed> {
        if self.closed {
            return Err(Closed);
        }
        let oldest = if self.waiting.len() < self.capacity {
            None
        } else {
            self.dropped = self.dropped.saturating_add(1);
            self.waiting.pop_front()
        };
        self.waiting.push_back(beat);
        Ok(oldest)
    }
}

impl<P> Shared<P> {
    /// The beats; nothing that is done under the lock can leave them half changed.
    fn lock(&self) -> MutexGuard<'_, Queue<P>> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Receiver<P> {
    /// How many beats made way for newer ones.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Heartbeat<P>, Closed>> {
        // Registered before looking: a beat that comes in between wakes.
        self.0.receiver.register(cx.waker());
        let mut beats = self.0.lock();
        match beats.waiting.pop_front() {
            Some(beat) => Poll::Ready(Ok(beat)),
            None if beats.closed => Poll::Ready(Err(Closed)),
            None => Poll::Pending,
        }
    }
}

#[async_trait]
impl<P: Send> HeartbeatSender for Sender<P> {
    type Payload = P;
    type Ack = ();
    type Error = Closed;

    async fn send(&mut self, beat: Heartbeat<P>) -> Result<(), Closed> {
        // Whatever makes way is dropped after the lock: its payload is the user's.
        let _oldest = self.0.lock().push(beat)?;
        self.0.receiver.wake();
        Ok(())
    }
}

#[async_trait]
impl<P: Send> HeartbeatReceiver for Receiver<P> {
    type Payload = P;
    type Error = Closed;

    async fn recv(&mut self) -> Result<Heartbeat<P>, Closed> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }
}

impl<P> Drop for Sender<P> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.receiver.wake();
    }
}

impl<P> Drop for Receiver<P> {
    fn drop(&mut self) {
        let left = {
            let mut beats = self.0.lock();
            beats.closed = true;
            std::mem::take(&mut beats.waiting)
        };
        // The payloads are the user's: their drops run outside the lock.
        drop(left);
        self.0.receiver.take();
    }
}
