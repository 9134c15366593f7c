//! [`PingPong`]: heartbeats, round trips and a verdict on any stream of messages.

mod end;
mod error;
mod outbox;
mod protocol;
mod sending;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::FusedStream;
use futures::{Sink, Stream};
use pin_project::pin_project;

pub use error::Error;
pub use protocol::{Inbound, Protocol};

use crate::driver::{Driver, Half};
use crate::error::ConfigError;
use crate::flood::{FloodGuard, FloodLimit};
use crate::io::Activity;
use crate::keepalive::{Dead, Input, KeepaliveConfig, KeepaliveEvent};
use crate::rt::{BUDGET, Runtime};
use crate::rtt::Rtt;
use end::End;
use outbox::Outbox;

/// A stream and sink of messages that is kept alive, or says when and why it is dead.
///
/// Wraps anything that is `Stream<Item = Result<M, E>> + Sink<M, Error = E>`: a framed socket, a
/// WebSocket, a pair of channels in one struct. It yields data only; pings are sent, answered and timed on the side.
/// When the peer is dead the stream yields `Err(`[`Error::Dead`]`)` once and then ends; sending fails
/// with the same verdict.
///
/// * **Poll the stream.** That is what drives it: with nobody reading, nothing is answered and no
///   silence is judged. A send that has to wait finds a write stall by itself.
/// * **Input first.** Whatever has arrived is taken in before silence is judged, and before it is
///   told that a heartbeat could not be sent.
/// * **Bounded.** At most one ping and one answer are queued. Pings of the peer are counted against
///   a [limit](Self::flood_limit); beyond it the stream ends with [`Error::Flooded`]. After 32
///   heartbeats in a row the executor gets its turn.
/// * **Two halves.** `futures::StreamExt::split` works, with the halves on two tasks. Both get the
///   verdict.
/// * **Cancel safe.** Dropping a `next()` loses nothing; dropping a `send()` does what the transport
///   does, and is not held against the peer.
/// * **After a close** the peer can go on talking. Nothing is asked or answered any more, so what
///   is judged is plain silence, by the same [bound](Self::detection_bound). A transport that
///   refuses a heartbeat counts as closing: the refused ping was not asked.
///
/// A message layer shows whole messages only, so one that takes longer to arrive than the limits
/// allow looks like silence. [`with_activity`](Self::with_activity) lets bytes count.
///
/// ```
/// use std::time::Duration;
/// use futures::{SinkExt, StreamExt, channel::mpsc};
/// use liveness::{Answers, Error, Inbound, KeepaliveConfig, PingPong, Protocol, Seq, Tokio};
///
/// /// Numbers, of which 0 is a ping and 1 its answer.
/// struct Numbers;
/// impl Protocol for Numbers {
///     type Message = u32;
///     fn ping(&mut self, _seq: Seq) -> u32 { 0 }
///     fn classify(&mut self, number: u32) -> Inbound<u32> {
///         match number {
///             0 => Inbound::Ping { reply: Some(1) },
///             1 => Inbound::Pong(Answers::Oldest),
///             data => Inbound::Data(data),
///         }
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// # struct Pair(mpsc::Sender<u32>, mpsc::Receiver<u32>);
/// # impl futures::Stream for Pair {
/// #     type Item = Result<u32, mpsc::SendError>;
/// #     fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
/// #         self.1.poll_next_unpin(cx).map(|item| item.map(Ok))
/// #     }
/// # }
/// # impl futures::Sink<u32> for Pair {
/// #     type Error = mpsc::SendError;
/// #     fn poll_ready(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { self.0.poll_ready(cx) }
/// #     fn start_send(mut self: std::pin::Pin<&mut Self>, item: u32) -> Result<(), Self::Error> { self.0.start_send(item) }
/// #     fn poll_flush(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { self.0.poll_flush_unpin(cx) }
/// #     fn poll_close(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { self.0.poll_close_unpin(cx) }
/// # }
/// # let ((to_peer, mut at_peer), (mut from_peer, from)) = (mpsc::channel(8), mpsc::channel(8));
/// # let transport = Pair(to_peer, from);
/// let mut stream = PingPong::new(transport, Numbers, KeepaliveConfig::new(), Tokio)?;
///
/// from_peer.send(42).await.unwrap();
/// assert_eq!(stream.next().await.unwrap().unwrap(), 42);
///
/// // The peer falls silent, is asked, and does not answer.
/// let verdict = stream.next().await.unwrap().unwrap_err();
/// assert_eq!(at_peer.next().await, Some(0));
/// assert!(verdict.to_string().starts_with("peer dead: no reply to 1 ping within 10s"));
/// assert!(stream.next().await.is_none());
/// # Ok::<(), liveness::ConfigError>(()) }).unwrap();
/// ```
#[pin_project]
pub struct PingPong<T, P: Protocol, R: Runtime> {
    #[pin]
    transport: T,
    protocol: P,
    driver: Driver<R>,
    flood: FloodGuard,
    outbox: Outbox<P::Message>,
    end: End,
}

impl<T, P: Protocol, R: Runtime> PingPong<T, P, R> {
    /// Keeps `transport` alive by `config`, speaking `protocol`, on the clock of `rt`. The peer
    /// counts as alive now.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    ///
    /// ```
    /// # use liveness::{ConfigError, KeepaliveConfig, PingPong, Protocol, Runtime};
    /// fn keep<T, P: Protocol, R: Runtime>(stream: T, protocol: P, rt: R) -> Result<PingPong<T, P, R>, ConfigError> {
    ///     PingPong::new(stream, protocol, KeepaliveConfig::new(), rt)
    /// }
    /// ```
    pub fn new(
        transport: T,
        protocol: P,
        config: KeepaliveConfig,
        rt: R,
    ) -> Result<Self, ConfigError> {
        let driver = Driver::new(config, rt)?;
        let (flood, outbox) = (FloodGuard::new(FloodLimit::DEFAULT), Outbox::new());
        Ok(Self {
            transport,
            protocol,
            driver,
            flood,
            outbox,
            end: End::Open,
        })
    }

    /// Counts the bytes below the message layer as life and as progress: `activity` comes from
    /// [`Tracked::activity`](crate::io::Tracked::activity) of the socket that carries the messages.
    ///
    /// A message that takes minutes to arrive is then no silence, and one that takes minutes to
    /// leave is no write stall.
    ///
    /// ```
    /// # #[cfg(all(feature = "tcp", feature = "tokio"))] {
    /// use liveness::{IdleConfig, KeepaliveConfig, PingPong, Tokio, io::track};
    /// use liveness::tcp::{Frames, TcpCodec};
    /// use tokio_util::codec::Framed;
    ///
    /// # fn example(socket: tokio::io::DuplexStream) -> Result<(), liveness::ConfigError> {
    /// let (socket, _idle) = track(socket, IdleConfig::new(), Tokio);
    /// let activity = socket.activity();
    /// let framed = Framed::new(socket, TcpCodec::<()>::new());
    /// let stream = PingPong::new(framed, Frames::new(), KeepaliveConfig::new(), Tokio)?
    ///     .with_activity(activity);
    /// # fn is_stream(_: &impl futures::Stream) {}
    /// # is_stream(&stream);
    /// # drop(stream); Ok(()) }
    /// # }
    /// ```
    #[must_use]
    pub fn with_activity(mut self, activity: Activity) -> Self {
        self.driver.watch(activity);
        self
    }

    /// How many pings the peer may send before the stream ends with [`Error::Flooded`]. Default
    /// [`FloodLimit::DEFAULT`]; [`FloodLimit::OFF`] takes any number.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime, flood::FloodLimit};
    /// # fn example<T, P: Protocol, R: Runtime>(stream: PingPong<T, P, R>) {
    /// let stream = stream.flood_limit(FloodLimit::new(5, std::time::Duration::from_secs(60)));
    /// # }
    /// ```
    #[must_use]
    pub fn flood_limit(mut self, limit: FloodLimit) -> Self {
        self.flood = FloodGuard::new(limit);
        self
    }

    /// Asks the peer now, without waiting for the interval: see [`Keepalive::probe_now`](crate::Keepalive::probe_now). The
    /// stream has to be polled for it to be sent.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn on_network_change<T, P: Protocol, R: Runtime>(stream: &mut PingPong<T, P, R>) {
    ///     stream.probe_now();
    /// }
    /// ```
    pub fn probe_now(&mut self) {
        self.driver.probe_now();
    }

    /// Changes the configuration of the running stream: see [`Keepalive::set_config`](crate::Keepalive::set_config).
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; nothing changes then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{ConfigError, KeepaliveConfig, PingPong, Protocol, Runtime};
    /// fn relax<T, P: Protocol, R: Runtime>(stream: &mut PingPong<T, P, R>) -> Result<(), ConfigError> {
    ///     stream.set_config(KeepaliveConfig::new().interval(Duration::from_secs(300)))
    /// }
    /// ```
    pub fn set_config(&mut self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        self.driver.set_config(config)
    }

    /// The configuration in force.
    ///
    /// ```
    /// # use liveness::{KeepaliveConfig, PingPong, Protocol, Runtime};
    /// fn config<T, P: Protocol, R: Runtime>(stream: &PingPong<T, P, R>) -> KeepaliveConfig {
    ///     *stream.config()
    /// }
    /// ```
    #[must_use]
    pub const fn config(&self) -> &KeepaliveConfig {
        self.driver.keepalive.config()
    }

    /// The round trips measured so far.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn show<T, P: Protocol, R: Runtime>(stream: &PingPong<T, P, R>) -> Option<Duration> {
    ///     stream.rtt().smoothed()
    /// }
    /// ```
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        self.driver.keepalive.rtt()
    }

    /// The verdict, once it was passed.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn is_dead<T, P: Protocol, R: Runtime>(stream: &PingPong<T, P, R>) -> bool {
    ///     stream.dead().is_some()
    /// }
    /// ```
    #[must_use]
    pub const fn dead(&self) -> Option<Dead> {
        self.driver.keepalive.dead()
    }

    /// The longest time from the peer's last byte to the verdict: the configuration's
    /// [bound](KeepaliveConfig::detection_bound) and the sixteenth of its shortest period (interval, silence or write stall) by which a
    /// busy stream's last byte may be dated late. It holds while the stream is polled: what came in
    /// just before nobody polled for a while may be dated at the next poll.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{KeepaliveConfig, PingPong, Protocol, Tokio};
    /// # fn example<T, P: Protocol>(transport: T, protocol: P) -> Result<(), liveness::ConfigError> {
    /// let stream = PingPong::new(transport, protocol, KeepaliveConfig::new(), Tokio)?;
    /// assert_eq!(stream.detection_bound(), Some(Duration::from_millis(30_000 + 20_000 / 16)));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn detection_bound(&self) -> Option<Duration> {
        self.driver.detection_bound()
    }

    /// The protocol.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn protocol<T, P: Protocol, R: Runtime>(stream: &PingPong<T, P, R>) -> &P {
    ///     stream.protocol()
    /// }
    /// ```
    #[must_use]
    pub const fn protocol(&self) -> &P {
        &self.protocol
    }

    /// The protocol, to change what its pings carry.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn protocol<T, P: Protocol, R: Runtime>(stream: &mut PingPong<T, P, R>) -> &mut P {
    ///     stream.protocol_mut()
    /// }
    /// ```
    pub const fn protocol_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// The transport.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn transport<T, P: Protocol, R: Runtime>(stream: &PingPong<T, P, R>) -> &T {
    ///     stream.get_ref()
    /// }
    /// ```
    #[must_use]
    pub const fn get_ref(&self) -> &T {
        &self.transport
    }

    /// The transport; what passes through it directly is not seen here.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn transport<T, P: Protocol, R: Runtime>(stream: &mut PingPong<T, P, R>) -> &mut T {
    ///     stream.get_mut()
    /// }
    /// ```
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// The transport back, for a farewell of your own after a verdict; queued heartbeats are lost.
    ///
    /// ```
    /// # use liveness::{PingPong, Protocol, Runtime};
    /// fn transport<T, P: Protocol, R: Runtime>(stream: PingPong<T, P, R>) -> T {
    ///     stream.into_inner()
    /// }
    /// ```
    pub fn into_inner(self) -> T {
        self.transport
    }
}

impl<T, P, R, M, E> PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    /// Whether reading is all there is to do: nothing is over, due or to be sent.
    #[inline]
    fn is_calm(&self) -> bool {
        matches!(self.end, End::Open)
            && !self.outbox.is_waiting()
            && !self.outbox.owes_flush
            && !self.driver.is_due()
    }

    /// Takes in what the transport has yielded; `None` if that was a heartbeat.
    #[cold]
    fn take_in(
        mut self: Pin<&mut Self>,
        item: Option<Result<Inbound<M>, E>>,
    ) -> Option<Next<M, E>> {
        let this = self.as_mut().project();
        match item {
            Some(Ok(Inbound::Data(data))) => {
                this.driver.on_data();
                return Some(Some(Ok(data)));
            }
            Some(Ok(Inbound::Ping { reply })) => {
                let now = this.driver.on_ping();
                if let Err(flooded) = this.flood.on_ping(now) {
                    let error = Some(Error::Flooded(flooded));
                    return Some(self.finish(End::Flooded(flooded), error));
                }
                if this.driver.is_closing() {
                    // Nothing may be sent any more, and what is left to be read must not suffer.
                    return None;
                }
                // The layer below may have queued an answer of its own, which wants flushing too.
                this.outbox.owes_flush = true;
                // Only the newest ping need be answered (RFC 6455, 5.5.3).
                this.outbox.pong = reply.or(this.outbox.pong.take());
            }
            Some(Ok(Inbound::Pong(seq))) => this.driver.on_pong(seq),
            Some(Err(error)) => return Some(self.finish_dead(Err(error))),
            None => return Some(self.finish(End::Eof, None)),
        }
        None
    }

    /// Moves time: a ping that is due is queued and sent; a verdict is what this is ready with.
    fn poll_judge(
        mut self: Pin<&mut Self>,
        half: Half,
        input: Input,
        cx: &Context<'_>,
    ) -> Poll<Result<Dead, E>> {
        if half == Half::Read {
            let unblocked = self.as_mut().poll_unblock(cx);
            if let (Poll::Ready(Err(error)), false) = (unblocked, self.driver.is_closing()) {
                return Poll::Ready(Err(error));
            }
        }
        loop {
            let this = self.as_mut().project();
            match ready!(this.driver.poll_due(half, input, cx)) {
                KeepaliveEvent::Ping(seq) => {
                    this.outbox.ping = Some((seq, this.protocol.ping(seq)));
                }
                KeepaliveEvent::Dead(dead) => return Poll::Ready(Ok(dead)),
            }
            match self.as_mut().poll_flush_all(half, cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // What the user waits for may have been part of it.
                Poll::Ready(Ok(())) if half == Half::Write => cx.waker().wake_by_ref(),
                _ => {}
            }
        }
    }

    /// The stream's last item, if it has one; the other half learns of the end.
    fn finish(self: Pin<&mut Self>, end: End, item: Option<Error<E>>) -> Next<M, E> {
        let this = self.project();
        *this.end = end;
        this.driver.end(Half::Read);
        item.map(Err)
    }

    fn finish_dead(self: Pin<&mut Self>, dead: Result<Dead, E>) -> Next<M, E> {
        match dead {
            Ok(dead) => self.finish(End::Dead { dead, told: true }, Some(Error::Dead(dead))),
            Err(error) => self.finish(End::Eof, Some(Error::Transport(error))),
        }
    }

    /// Takes in heartbeats until there is something to yield, or nothing more to read; so many have
    /// been taken in before.
    #[cold]
    fn poll_absorbing(
        mut self: Pin<&mut Self>,
        absorbed: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Next<M, E>> {
        match self.end {
            End::Open => {}
            End::Dead { dead, told: false } => return Poll::Ready(self.finish_dead(Ok(dead))),
            End::Dead { .. } | End::Flooded(_) | End::Eof => return Poll::Ready(None),
        }
        // What cannot be written is told after what can be read: the peer may have said why.
        let mut failed = None;
        if self.driver.is_due() {
            // Data may keep coming for ever; what we owe the peer is due all the same.
            match self.as_mut().poll_judge(Half::Read, Input::Arriving, cx) {
                Poll::Ready(Err(error)) => failed = Some(error),
                Poll::Ready(dead) => return Poll::Ready(self.finish_dead(dead)),
                Poll::Pending => {}
            }
        }
        for _ in absorbed..BUDGET {
            if let Poll::Ready(Err(error)) = self.as_mut().poll_heartbeats(cx) {
                failed = Some(error);
            }
            let this = self.as_mut().project();
            match (this.transport.poll_next(cx), failed.take()) {
                (Poll::Ready(item), unsent) => {
                    failed = unsent;
                    let item = item.map(|item| item.map(|message| this.protocol.classify(message)));
                    if let Some(next) = self.as_mut().take_in(item) {
                        return Poll::Ready(next);
                    }
                }
                (Poll::Pending, Some(error)) => return Poll::Ready(self.finish_dead(Err(error))),
                (Poll::Pending, None) => return self.poll_drained(cx),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// There is nothing to read: the time for pings and verdicts.
    #[cold]
    fn poll_drained(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Next<M, E>> {
        let judged = self.as_mut().poll_judge(Half::Read, Input::Drained, cx);
        judged.map(|dead| self.finish_dead(dead))
    }
}

/// What a stream of messages yields.
type Next<M, E> = Option<Result<M, Error<E>>>;

impl<T, P, R, M, E> Stream for PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    type Item = Result<M, Error<E>>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Next<M, E>> {
        // The usual case, short enough to be part of the caller.
        let mut absorbed = 0;
        if self.is_calm() {
            let this = self.as_mut().project();
            match this.transport.poll_next(cx) {
                Poll::Ready(item) => {
                    let item = item.map(|item| item.map(|message| this.protocol.classify(message)));
                    if let Some(Ok(Inbound::Data(data))) = item {
                        this.driver.on_data();
                        return Poll::Ready(Some(Ok(data)));
                    }
                    if let Some(next) = self.as_mut().take_in(item) {
                        return Poll::Ready(next);
                    }
                    absorbed = 1;
                }
                Poll::Pending if this.driver.is_asleep(Half::Read, cx) => return Poll::Pending,
                Poll::Pending => return self.poll_drained(cx),
            }
        }
        self.poll_absorbing(absorbed, cx)
    }
}

impl<T, P, R, M, E> FusedStream for PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    fn is_terminated(&self) -> bool {
        !matches!(self.end, End::Open | End::Dead { told: false, .. })
    }
}

impl<T: fmt::Debug, P: Protocol, R: Runtime> fmt::Debug for PingPong<T, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingPong")
            .field("transport", &self.transport)
            .field("keepalive", &self.driver.keepalive)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
