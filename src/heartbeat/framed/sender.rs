//! [`FramedSender`]: beats as pings, with the pong as their ack.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};

use super::FramedError;
use crate::heartbeat::{Heartbeat, HeartbeatSender};
use crate::metrics;
use crate::rt::{BUDGET, Runtime};
use crate::seq::Seq;
use crate::tcp::Frame;

/// Sends each beat as a ping, and waits for its pong.
///
/// Pings are numbered by the connection, so an ack is never taken for that of another beat,
/// whatever numbers the beats themselves have; pongs that answer an earlier ping are skipped. The
/// next beat is handed to the connection only after the one before has left, so a link that hangs
/// and comes back delivers one old beat and not a queue of them.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::Tokio;
/// use liveness::heartbeat::framed::{FramedReceiver, FramedSender};
/// use liveness::heartbeat::{Identity, Origin, Schedule, WatchEvent, beat, watch};
/// # use liveness::{Runtime, detector::FixedTimeout};
/// use liveness::tcp::TcpCodec;
/// use tokio_util::codec::Framed;
///
/// # tokio::runtime::Builder::new_current_thread()
/// #     .enable_time().start_paused(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// let (near, far) = tokio::io::duplex(1024); // two ends of a socket
///
/// // The server sets the pace: whoever is busy shall tell more often.
/// let far = Framed::new(far, TcpCodec::new());
/// let receiver = FramedReceiver::answering(far, move |beat| {
///     let mut answer = beat.clone();
///     answer.interval = Some(if beat.payload > 90 { second } else { 10 * second });
///     answer
/// });
///
/// // The client keeps it.
/// let mut load = [30, 30, 95, 95].into_iter();
/// let sender = FramedSender::new(Framed::new(near, TcpCodec::new()), Tokio);
/// let load = move || load.next().unwrap_or(95_u64);
/// let (schedule, identity) = (Schedule::new(second), Identity::new(Origin::new("worker-1")?, 1));
/// let beating =
///     beat(sender, schedule, Tokio, &identity, load)?.on_ack(|ack| ack.answer.interval);
/// tokio::spawn(beating);
///
/// let start = Tokio.now();
/// let mut events = watch(receiver, FixedTimeout::new(30 * second), Tokio);
/// let mut beats = Vec::new();
/// while beats.len() < 5 {
///     if let WatchEvent::Beat(beat) = events.next().await.unwrap() {
///         beats.push(((Tokio.now() - start).as_secs(), beat.payload));
///     }
/// }
/// assert_eq!(beats, [(0, 30), (1, 30), (11, 95), (12, 95), (13, 95)]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct FramedSender<C, R> {
    connection: C,
    rt: R,
    /// The number of the next ping.
    next: Seq,
    /// A ping was handed over and may not have left yet.
    unflushed: bool,
    /// The stream has ended, and is not polled again.
    closed: bool,
}

/// What [`FramedSender`] gives back for a beat: the answer, and how long it took.
///
/// ```
/// use std::time::Duration;
/// use futures::future::join;
/// use liveness::heartbeat::framed::{FramedReceiver, FramedSender};
/// use liveness::heartbeat::{Identity, Origin};
/// use liveness::test_util::{LinkConfig, messages};
/// use liveness::{HeartbeatReceiver, HeartbeatSender};
///
/// # liveness::test_util::simulate(async |sim| {
/// let delay = Duration::from_millis(20);
/// let (near, far, _link) = messages(&sim, LinkConfig::new().delay(delay));
/// let (mut sender, mut receiver) = (FramedSender::new(near, sim), FramedReceiver::new(far));
/// let beat = Identity::new(Origin::new("worker-1")?, 1).heartbeat(None, 42_u64);
///
/// let (ack, _) = join(sender.send(beat.clone()), receiver.recv()).await;
/// let ack = ack?;
/// assert_eq!((ack.rtt, ack.answer), (2 * delay, beat));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ack<P> {
    /// From the moment the ping was flushed until the pong was read.
    pub rtt: Duration,
    /// What the receiver answered: the beat itself, unless it has an
    /// [answer of its own](super::FramedReceiver::answering).
    pub answer: Heartbeat<P>,
}

impl<C, R> FramedSender<C, R> {
    /// Sends over `connection`, and measures with the clock of `rt`.
    #[must_use]
    pub const fn new(connection: C, rt: R) -> Self {
        Self {
            connection,
            rt,
            next: Seq::new(0),
            unflushed: false,
            closed: false,
        }
    }

    /// Gives the connection back.
    pub fn into_inner(self) -> C {
        self.connection
    }
}

impl<C, R, P, E> FramedSender<C, R>
where
    C: Stream<Item = Result<Frame<Heartbeat<P>>, E>> + Sink<Frame<Heartbeat<P>>, Error = E> + Unpin,
    R: Runtime,
{
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if self.unflushed {
            ready!(self.connection.poll_flush_unpin(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Room for one ping, once the one before has left.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        ready!(self.poll_flush(cx))?;
        self.connection.poll_ready_unpin(cx)
    }

    /// The answer to the ping `seq`. It may come before our own flush is through.
    fn poll_answer(
        &mut self,
        seq: Seq,
        flushed_at: &mut Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Ack<P>, FramedError<E>>> {
        if flushed_at.is_none() {
            if let Poll::Ready(flushed) = self.poll_flush(cx) {
                flushed.map_err(FramedError::Transport)?;
                *flushed_at = Some(self.rt.now());
                metrics::ping_sent(seq);
            }
        }
        for _ in 0..BUDGET {
            let Some(frame) = ready!(self.connection.poll_next_unpin(cx)) else {
                self.closed = true;
                return Poll::Ready(Err(FramedError::Closed));
            };
            match frame.map_err(FramedError::Transport)? {
                Frame::Pong {
                    seq: answers,
                    payload: answer,
                } => {
                    if answers == seq {
                        let now = self.rt.now();
                        let sent_at = flushed_at.unwrap_or(now);
                        let rtt = now.saturating_duration_since(sent_at);
                        metrics::pong(rtt);
                        return Poll::Ready(Ok(Ack { rtt, answer }));
                    }
                }
                Frame::Ping { .. } => return Poll::Ready(Err(FramedError::Unexpected("ping"))),
                Frame::Data(_) => return Poll::Ready(Err(FramedError::Unexpected("data"))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl<C, R, P, E> HeartbeatSender for FramedSender<C, R>
where
    C: Stream<Item = Result<Frame<Heartbeat<P>>, E>>
        + Sink<Frame<Heartbeat<P>>, Error = E>
        + Send
        + Unpin,
    R: Runtime,
    P: Send + 'static,
    E: Send,
{
    type Payload = P;
    type Ack = Ack<P>;
    type Error = FramedError<E>;

    async fn send(&mut self, beat: Heartbeat<P>) -> Result<Ack<P>, FramedError<E>> {
        if self.closed {
            return Err(FramedError::Closed);
        }
        let transport = FramedError::Transport;
        poll_fn(|cx| self.poll_ready(cx)).await.map_err(transport)?;
        let seq = self.next;
        self.next = seq.next();
        let ping = Frame::Ping { seq, payload: beat };
        self.connection
            .start_send_unpin(ping)
            .map_err(FramedError::Transport)?;
        self.unflushed = true;
        let mut flushed_at = None;
        poll_fn(|cx| self.poll_answer(seq, &mut flushed_at, cx)).await
    }
}

impl<C: fmt::Debug, R> fmt::Debug for FramedSender<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramedSender")
            .field("connection", &self.connection)
            .field("next", &self.next)
            .field("unflushed", &self.unflushed)
            .finish_non_exhaustive()
    }
}
