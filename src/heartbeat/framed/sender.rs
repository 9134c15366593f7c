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
/// Pings are numbered by the connection, so an ack is never taken for that of another beat, whatever
/// numbers the beats themselves have; pongs that answer an earlier ping are skipped. The next beat is
/// handed to the connection only after the one before has left, so a link that hangs and comes back
/// delivers one old beat and not a queue of them.
///
/// ```no_run
/// use std::time::Duration;
/// use liveness::Tokio;
/// use liveness::heartbeat::framed::FramedSender;
/// use liveness::heartbeat::{Schedule, beat};
/// use liveness::tcp::TcpCodec;
/// use tokio_util::codec::Framed;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = tokio::net::TcpStream::connect("10.0.0.7:7946").await?;
/// let sender = FramedSender::new(Framed::new(socket, TcpCodec::new()), Tokio);
/// let never = beat(sender, Schedule::new(Duration::from_secs(1)), Tokio, || "all well".to_owned())?
///     .on_ack(|ack| {
///         println!("{:?}", ack.rtt);
///         Some(ack.answer.interval) // the server sets the pace
///     })
///     .await?;
/// # match never {} }
/// ```
pub struct FramedSender<C, R> {
    connection: C,
    rt: R,
    /// The number of the next ping.
    next: Seq,
    /// A ping was handed over and may not have left yet.
    unflushed: bool,
}

/// What [`FramedSender`] gives back for a beat: the answer, and how long it took.
///
/// ```
/// use liveness::heartbeat::framed::Ack;
///
/// fn show(ack: &Ack<String>) {
///     println!("{} answers {:?} in {:?}", ack.answer.origin, ack.answer.payload, ack.rtt);
/// }
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
    ///
    /// ```
    /// # use liveness::heartbeat::framed::FramedSender;
    /// # use liveness::tcp::TcpCodec;
    /// # use tokio_util::codec::Framed;
    /// fn sender(socket: tokio::net::TcpStream) -> FramedSender<
    ///     Framed<tokio::net::TcpStream, TcpCodec<liveness::Heartbeat<u64>>>, liveness::Tokio,
    /// > {
    ///     FramedSender::new(Framed::new(socket, TcpCodec::new()), liveness::Tokio)
    /// }
    /// ```
    #[must_use]
    pub const fn new(connection: C, rt: R) -> Self {
        Self {
            connection,
            rt,
            next: Seq::new(0),
            unflushed: false,
        }
    }

    /// Gives the connection back.
    ///
    /// ```
    /// # use liveness::heartbeat::framed::FramedSender;
    /// fn stop<C, R>(sender: FramedSender<C, R>) -> C {
    ///     sender.into_inner()
    /// }
    /// ```
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
            let frame = match ready!(self.connection.poll_next_unpin(cx)) {
                None => Err(FramedError::Closed),
                Some(frame) => frame.map_err(FramedError::Transport),
            };
            match frame? {
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
