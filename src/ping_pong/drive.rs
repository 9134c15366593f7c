//! [`PingPong::drive`]: a stream that is kept alive by a task of its own.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::channel::mpsc;
use futures::stream::FusedStream;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use pin_project::pin_project;

use super::{Error, PingPong, Protocol};
use crate::driver::Handle;
use crate::keepalive::Dead;
use crate::rt::{BUDGET, Runtime};

/// The sending end of a [driven](PingPong::drive) stream. Clones send into the same stream; when
/// the last one is dropped, the stream is closed after what was sent.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// # use futures::StreamExt;
/// # use liveness::test_util::{LinkConfig, World, messages};
/// # use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
/// #         match number {
/// #             0 => Inbound::Ping { reply: Some(1) },
/// #             1 => Inbound::Pong(Answers::Oldest),
/// #             data => Inbound::Data(data),
/// #         }
/// #     }
/// # }
/// # let mut world = World::new();
/// # let (near, peer, _link) = messages(&world.sim, LinkConfig::new());
/// # let stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
/// let (sender, _receiver, driving) = stream.drive(16);
/// world.spawn(driving);
/// let clone = sender.clone();
/// world.run(async {
///     sender.send(42).await.unwrap();
///     clone.send(43).await.unwrap();
///     drop((sender, clone)); // the last ones, so the stream is closed
///     let received: Vec<u32> = peer.map(Result::unwrap).collect().await;
///     assert_eq!(received, [42, 43]);
/// });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
pub struct Sender<M> {
    queue: mpsc::Sender<M>,
    handle: Handle,
}

/// The receiving end of a [driven](PingPong::drive) stream: a `Stream` of what the driven one
/// yields.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// # use futures::{SinkExt, StreamExt};
/// # use liveness::test_util::{LinkConfig, World, messages};
/// # use liveness::{Answers, Cause, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
/// use liveness::Error;
///
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
/// #         match number {
/// #             0 => Inbound::Ping { reply: Some(1) },
/// #             1 => Inbound::Pong(Answers::Oldest),
/// #             data => Inbound::Data(data),
/// #         }
/// #     }
/// # }
/// # let mut world = World::new();
/// # let (near, mut peer, _link) = messages(&world.sim, LinkConfig::new());
/// # let stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
/// let (_sender, mut receiver, driving) = stream.drive(16);
/// world.spawn(driving);
/// world.run(async {
///     peer.send(42).await.unwrap();
///     assert_eq!(receiver.next().await.unwrap().unwrap(), 42);
///
///     // The peer falls silent: the verdict comes once, and then the end.
///     let error = receiver.next().await.unwrap().unwrap_err();
///     assert!(matches!(error, Error::Dead(dead) if dead.cause == Cause::NoReply));
///     assert!(receiver.next().await.is_none());
/// });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
pub struct Receiver<M, E> {
    queue: mpsc::Receiver<Result<M, Error<E>>>,
}

/// A message that a driven stream does not take any more.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// # use futures::StreamExt;
/// # use liveness::test_util::{LinkConfig, World, messages};
/// # use liveness::{Answers, Cause, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
/// use liveness::drive::SendError;
///
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
/// #         match number {
/// #             0 => Inbound::Ping { reply: Some(1) },
/// #             1 => Inbound::Pong(Answers::Oldest),
/// #             data => Inbound::Data(data),
/// #         }
/// #     }
/// # }
/// # let mut world = World::new();
/// # let (near, _peer, _link) = messages(&world.sim, LinkConfig::new());
/// # let stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
/// let (sender, mut receiver, driving) = stream.drive(16);
/// world.spawn(driving);
/// world.run(async {
///     // The peer says nothing, until the verdict has ended the stream.
///     while receiver.next().await.is_some() {}
///     let error = sender.send(42).await.unwrap_err();
///     assert!(matches!(error, SendError::Dead(dead) if dead.cause == Cause::NoReply));
/// });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The verdict was passed.
    #[error("peer dead: {0}")]
    Dead(#[source] Dead),
    /// The stream has ended otherwise, or nobody drives it any more. The [`Receiver`] tells why.
    #[error("the stream has ended")]
    Ended,
}

/// What drives a stream; from [`PingPong::drive`]. Poll it, in a task or a `select!`.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// # use futures::StreamExt;
/// # use liveness::test_util::{LinkConfig, World, messages};
/// # use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
/// #         match number {
/// #             0 => Inbound::Ping { reply: Some(1) },
/// #             1 => Inbound::Pong(Answers::Oldest),
/// #             data => Inbound::Data(data),
/// #         }
/// #     }
/// # }
/// # let mut world = World::new();
/// # let (near, peer, _link) = messages(&world.sim, LinkConfig::new());
/// # let stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
/// let (sender, receiver, driving) = stream.drive(16);
/// world.run(async {
///     sender.send(42).await.unwrap(); // queued: nobody drives the stream yet
///     drop((sender, receiver));
///     driving.await; // sends what was queued, and is ready when both ends are gone
///     let received: Vec<u32> = peer.map(Result::unwrap).collect().await;
///     assert_eq!(received, [42]);
/// });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[pin_project]
#[must_use = "nothing is sent, received or judged unless this is polled"]
pub struct Drive<T, P: Protocol, R: Runtime, E> {
    #[pin]
    stream: PingPong<T, P, R>,
    /// What the user sends.
    outgoing: mpsc::Receiver<P::Message>,
    /// What the user receives.
    incoming: mpsc::Sender<Result<P::Message, Error<E>>>,
    /// A message that the stream has no place for yet.
    waiting: Option<P::Message>,
    /// The sending side is not closed.
    sends: bool,
    /// The receiving side has not ended.
    receives: bool,
    /// There is no room for what comes in.
    paused: bool,
    /// The stream's last error, for which there was no room.
    last: Option<Error<E>>,
}

impl<T, P, R, M, E> PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    /// Splits the using from the driving: two ends for the user, and a future that keeps the
    /// heartbeats going meanwhile. Nothing is spawned; give the future to a task.
    ///
    /// A stream that is polled by the loop that handles its messages is judged by that loop: while
    /// a handler works or a send is blocked nobody answers the peer's pings, and nobody hears its
    /// answers. Driven by a task of its own, the [bound](Self::detection_bound) holds while the
    /// future is polled and the receiver has room. When `capacity` messages wait to be received,
    /// reading stops and judging pauses, for [`pause_limit`](crate::KeepaliveConfig::pause_limit())
    /// at the most; pings that were promised go on. Up to `capacity` messages wait to be sent, and
    /// a blocked one blocks no reading.
    ///
    /// The future is ready when the stream has ended, or both ends are gone. A dropped [`Receiver`]
    /// discards what comes in. Take a [`handle`](Self::handle) before, to see round trips and the
    /// verdict.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use std::time::Duration;
    /// use futures::{SinkExt, StreamExt};
    /// use liveness::test_util::{LinkConfig, World, messages};
    /// use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
    ///
    /// # struct Numbers;
    /// # impl Protocol for Numbers {
    /// #     type Message = u32;
    /// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
    /// #     fn classify(&mut self, number: u32) -> Inbound<u32> {
    /// #         match number {
    /// #             0 => Inbound::Ping { reply: Some(1) },
    /// #             1 => Inbound::Pong(Answers::Oldest),
    /// #             data => Inbound::Data(data),
    /// #         }
    /// #     }
    /// # }
    /// const CONFIG: KeepaliveConfig = KeepaliveConfig::within(Duration::from_secs(2));
    /// let mut world = World::new();
    /// let sim = world.sim.clone();
    /// let (near, far, _link) = messages(&sim, LinkConfig::new());
    ///
    /// let stream = PingPong::new(near, Numbers, CONFIG, sim.clone())?;
    /// let (sender, mut receiver, driving) = stream.drive(16);
    /// world.spawn(driving); // tokio::spawn(driving) on a network
    /// let mut peer = PingPong::new(far, Numbers, CONFIG, sim.clone())?;
    /// world.spawn(async move {
    ///     peer.send(42).await.unwrap();
    ///     while let Some(Ok(_)) = peer.next().await {}
    /// });
    ///
    /// world.run(async {
    ///     // A handler that takes five times the bound: the peer is asked and heard meanwhile.
    ///     assert_eq!(receiver.next().await.unwrap().unwrap(), 42);
    ///     sim.sleep(Duration::from_secs(10)).await;
    ///     sender.send(43).await.unwrap();
    /// });
    /// # }
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[allow(clippy::type_complexity, reason = "two ends and what drives them")]
    pub fn drive(mut self, capacity: usize) -> (Sender<M>, Receiver<M, E>, Drive<T, P, R, E>) {
        let handle = self.handle();
        let (to_drive, outgoing) = mpsc::channel(capacity);
        let (incoming, to_user) = mpsc::channel(capacity);
        let sender = Sender {
            queue: to_drive,
            handle,
        };
        let drive = Drive {
            stream: self,
            outgoing,
            incoming,
            waiting: None,
            sends: true,
            receives: true,
            paused: false,
            last: None,
        };
        (sender, Receiver { queue: to_user }, drive)
    }
}

impl<M> Sender<M> {
    /// Sends a message: ready when the stream has a place for it in its queue.
    ///
    /// Cancel safe: a dropped future has sent nothing.
    ///
    /// # Errors
    /// [`SendError`] when the stream has ended; the message is lost then.
    pub async fn send(&self, message: M) -> Result<(), SendError> {
        let sent = self.queue.clone().send(message).await;
        sent.map_err(|_| self.ended())
    }

    /// What the stream knows of its peer.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    fn ended(&self) -> SendError {
        self.handle.dead().map_or(SendError::Ended, SendError::Dead)
    }
}

impl<M> Sink<M> for Sender<M> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let ready = ready!(self.queue.poll_ready(cx));
        Poll::Ready(ready.map_err(|_| self.ended()))
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), SendError> {
        let sent = self.queue.start_send(message);
        sent.map_err(|_| self.ended())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let flushed = ready!(self.queue.poll_flush_unpin(cx));
        Poll::Ready(flushed.map_err(|_| self.ended()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let closed = ready!(self.queue.poll_close_unpin(cx));
        Poll::Ready(closed.map_err(|_| self.ended()))
    }
}

impl<M, E> Stream for Receiver<M, E> {
    type Item = Result<M, Error<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queue.poll_next_unpin(cx)
    }
}

impl<M, E> FusedStream for Receiver<M, E> {
    fn is_terminated(&self) -> bool {
        self.queue.is_terminated()
    }
}

impl<T, P, R, M, E> Future for Drive<T, P, R, E>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..BUDGET {
            let sent = self.as_mut().poll_send(cx).is_ready();
            let received = self.as_mut().poll_receive(cx).is_ready();
            if !self.receives && (!self.sends || self.stream.dead().is_some()) {
                return Poll::Ready(());
            }
            if !sent && !received {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T, P, R, M, E> Drive<T, P, R, E>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    /// Hands one message of the user's to the stream: ready when that did something.
    fn poll_send(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        if !*this.sends {
            return Poll::Pending;
        }
        if this.waiting.is_none() {
            match this.outgoing.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => *this.waiting = Some(message),
                Poll::Ready(None) => {
                    // A failure is told by the receiving side.
                    let closed = ready!(this.stream.poll_close(cx));
                    *this.sends = false;
                    // Who reads nothing more and has closed waits for nothing.
                    *this.receives &= closed.is_ok() && !this.incoming.is_closed();
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    let flushed = this.stream.poll_flush(cx);
                    return self.as_mut().after_write(flushed);
                }
            }
        }
        let ready = this.stream.as_mut().poll_ready(cx);
        if let Poll::Ready(Ok(())) = ready {
            if let Some(message) = this.waiting.take() {
                let sent = this.stream.start_send(message);
                if sent.is_ok() {
                    return Poll::Ready(());
                }
                return self.as_mut().after_write(Poll::Ready(sent));
            }
        }
        self.as_mut().after_write(ready)
    }

    /// A sending side that has failed takes nothing any more; why, the receiving side tells.
    fn after_write(self: Pin<&mut Self>, written: Poll<Result<(), Error<E>>>) -> Poll<()> {
        if let Poll::Ready(Err(_)) = written {
            let this = self.project();
            *this.sends = false;
            this.waiting.take();
            this.outgoing.close();
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Passes one message of the peer's on: ready when that did something.
    fn poll_receive(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        if !*this.receives {
            return Poll::Pending;
        }
        if this.last.is_some() {
            let _ = ready!(this.incoming.poll_ready(cx));
            if let Some(error) = this.last.take() {
                let _ = this.incoming.try_send(Err(error));
            }
            return Poll::Ready(());
        }
        // Nobody receives any more, or there is room.
        let room = this.incoming.poll_ready(cx);
        if *this.paused == room.is_ready() {
            *this.paused = room.is_pending();
            this.stream.as_mut().set_paused(room.is_pending());
        }
        if room.is_pending() {
            *this.last = Some(ready!(this.stream.poll_paused(cx)));
            return Poll::Ready(());
        }
        match ready!(this.stream.poll_next(cx)) {
            Some(item) => {
                // If nobody receives it, it is discarded.
                let _ = this.incoming.try_send(item);
            }
            None => {
                *this.receives = false;
                this.incoming.close_channel();
            }
        }
        Poll::Ready(())
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            handle: self.handle.clone(),
        }
    }
}

impl<M> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

impl<M, E> fmt::Debug for Receiver<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T: fmt::Debug, P: Protocol, R: Runtime, E> fmt::Debug for Drive<T, P, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive")
            .field("stream", &self.stream)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}
