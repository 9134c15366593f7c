//! Heartbeats as datagrams: one each, no answer; feature `udp`.
//!
//! Datagrams get lost, doubled and reordered, and anybody can send one. None of that is an error
//! here: [`watch`](super::watch) sorts the beats, and [`UdpReceiver`] leaves out what is no
//! heartbeat. A beat is not authenticated; where strangers can reach the socket, put something that
//! is below it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Payload};
use crate::rt::BUDGET;

/// The largest datagram, unless set: 1200 bytes pass every path that QUIC passes (RFC 9000,
/// section 14), so they arrive in one piece.
pub const DEFAULT_LIMIT: usize = 1200;

/// A datagram socket: `tokio::net::UdpSocket` (feature `tokio`), `smol::Async<std::net::UdpSocket>`
/// (feature `smol`), or one of your own.
///
/// For the sending side it is connected. One socket can be shared by one sender and one receiver:
/// put it into an [`Arc`].
///
/// # Implementing
/// As with every poll: `Pending` is returned only after the waker of `cx` was noted, one for each
/// of the two directions.
///
/// ```
/// use std::collections::VecDeque;
/// use std::io;
/// use std::sync::{Arc, Mutex};
/// use std::task::{Context, Poll};
/// use liveness::heartbeat::udp::{Datagrams, UdpReceiver, UdpSender};
/// # use liveness::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Seq, heartbeat::Origin};
///
/// /// What is sent comes back.
/// struct Echo(Mutex<VecDeque<Vec<u8>>>);
///
/// impl Datagrams for Echo {
///     fn poll_send(&self, _cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
///         self.0.lock().unwrap().push_back(datagram.to_vec());
///         Poll::Ready(Ok(datagram.len()))
///     }
///
///     fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
///         let Some(datagram) = self.0.lock().unwrap().pop_front() else {
///             cx.waker().wake_by_ref(); // a simple way: ask again
///             return Poll::Pending;
///         };
///         let size = datagram.len().min(buffer.len());
///         buffer[..size].copy_from_slice(&datagram[..size]);
///         Poll::Ready(Ok(size))
///     }
/// }
///
/// # futures::executor::block_on(async {
/// # let beat = Heartbeat {
/// #     origin: Origin::default(), incarnation: 1, seq: Seq::new(7), interval: None,
/// #     payload: 42_u64,
/// # };
/// let echo = Arc::new(Echo(Mutex::default()));
/// UdpSender::new(Arc::clone(&echo)).send(beat.clone()).await?;
/// assert_eq!(UdpReceiver::new(echo).recv().await?, beat);
/// # Ok::<(), io::Error>(()) }).unwrap();
/// ```
pub trait Datagrams: Send + Sync {
    /// Sends one datagram to the peer.
    ///
    /// # Errors
    /// The socket's own.
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>>;

    /// Receives one datagram; what does not fit into `buffer` is cut off.
    ///
    /// # Errors
    /// The socket's own.
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;
}

impl<D: Datagrams + ?Sized> Datagrams for Arc<D> {
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_send(cx, datagram)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_recv(cx, buffer)
    }
}

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl Datagrams for tokio::net::UdpSocket {
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_send(self, cx, datagram)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = tokio::io::ReadBuf::new(buffer);
        ready!(Self::poll_recv(self, cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
impl Datagrams for smol::Async<std::net::UdpSocket> {
    fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.get_ref().send(datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_writable(cx))?;
                }
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.get_ref().recv(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_readable(cx))?;
                }
                received => return Poll::Ready(received),
            }
        }
    }
}

/// Sends each beat as one datagram. Sent is done: there is no answer.
///
/// A socket reports the fate of one datagram when the next one is sent, and does not send that one.
/// So a beat that meets an error is sent once more.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a beat that does not fit into a datagram, else the socket's,
/// if it comes twice. A network that is away for a moment is one of those, so loops over datagrams
/// usually set [`Schedule::max_failures(0)`](super::Schedule::max_failures). That nobody listens is
/// no error.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::Tokio;
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::udp::{UdpReceiver, UdpSender};
/// use liveness::heartbeat::{Identity, Origin, Schedule, WatchEvent, beat, watch};
/// use tokio::net::UdpSocket;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let here = UdpSocket::bind("127.0.0.1:0").await?;
/// let there = UdpSocket::bind("127.0.0.1:0").await?;
/// here.connect(there.local_addr()?).await?;
///
/// // Datagrams get lost, and a peer that is down may come back: never give up.
/// let schedule = Schedule::new(Duration::from_millis(5)).max_failures(0);
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// tokio::spawn(beat(UdpSender::new(here), schedule, Tokio, &identity, || 42_u64)?);
///
/// let receiver = UdpReceiver::<_, u64>::new(there);
/// let mut events = watch(receiver, FixedTimeout::new(Duration::from_secs(5)), Tokio);
/// assert!(matches!(events.next().await, Some(WatchEvent::Alive)));
/// let Some(WatchEvent::Beat(beat)) = events.next().await else { panic!("no beat") };
/// assert_eq!(beat.payload, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct UdpSender<D, P> {
    socket: D,
    limit: usize,
    buffer: BytesMut,
    payload: PhantomData<fn(P)>,
}

/// Receives datagrams as beats, of any origin; [`Watch::origin`](super::Watch::origin) picks one.
///
/// A datagram that is no heartbeat, or larger than the limit, is left out and counted. So are the
/// errors of the socket: they are reports about *other* datagrams (nobody listens, a firewall
/// refuses, one of ours was too large for the path) and say nothing about the peer's. Only a socket
/// that gives one error after the other, and nothing else, has failed. `recv` is cancel safe.
///
/// The page of [`UdpSender`] shows the two together.
///
/// ```
/// use liveness::heartbeat::udp::{UdpReceiver, UdpSender};
/// use liveness::heartbeat::{Identity, Origin};
/// use liveness::{HeartbeatReceiver, HeartbeatSender};
/// use tokio::net::UdpSocket;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let here = UdpSocket::bind("127.0.0.1:0").await?;
/// let there = UdpSocket::bind("127.0.0.1:0").await?;
/// here.connect(there.local_addr()?).await?;
/// here.send(b"GET / HTTP/1.1").await?; // somebody took the wrong port
/// let beat = Identity::new(Origin::new("worker-1")?, 1).heartbeat(None, 42_u64);
/// UdpSender::new(here).send(beat.clone()).await?;
///
/// let mut receiver = UdpReceiver::new(there);
/// assert_eq!(receiver.recv().await?, beat);
/// assert_eq!(receiver.skipped(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct UdpReceiver<D, P> {
    socket: D,
    /// One byte longer than the limit: a datagram that fills it is too large.
    buffer: Box<[u8]>,
    skipped: u64,
    errors: u64,
    payload: PhantomData<fn() -> P>,
}

impl<D, P> UdpSender<D, P> {
    /// Sends over `socket`, which is connected to the peer.
    #[must_use]
    pub fn new(socket: D) -> Self {
        Self {
            socket,
            limit: DEFAULT_LIMIT,
            buffer: BytesMut::new(),
            payload: PhantomData,
        }
    }

    /// The largest datagram in bytes. Default [1200](DEFAULT_LIMIT).
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl<D, P> UdpReceiver<D, P> {
    /// Receives from `socket`.
    #[must_use]
    pub fn new(socket: D) -> Self {
        Self {
            socket,
            buffer: buffer(DEFAULT_LIMIT),
            skipped: 0,
            errors: 0,
            payload: PhantomData,
        }
    }

    /// The largest datagram in bytes; a buffer of that size is kept. Default [1200](DEFAULT_LIMIT);
    /// no datagram is larger than 65 535.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.buffer = buffer(bytes);
        self
    }

    /// How many datagrams were left out because they were no heartbeats, or too large.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many errors of the socket were passed over.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.errors
    }
}

fn buffer(limit: usize) -> Box<[u8]> {
    vec![0; limit.min(usize::from(u16::MAX)) + 1].into_boxed_slice()
}

#[async_trait]
impl<D: Datagrams, P: Payload + Send> HeartbeatSender for UdpSender<D, P> {
    type Payload = P;
    type Ack = ();
    type Error = io::Error;

    async fn send(&mut self, beat: Heartbeat<P>) -> io::Result<()> {
        self.buffer.clear();
        beat.encode(&mut self.buffer);
        drop(beat);
        let (size, limit) = (self.buffer.len(), self.limit);
        if size > limit {
            let text = format!("heartbeat of {size} bytes, the limit of a datagram is {limit}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let send = async || poll_fn(|cx| self.socket.poll_send(cx, &self.buffer)).await;
        // An error may be a report about the datagram before, which came instead of sending this
        // one.
        if send().await.is_err() {
            send().await?;
        }
        Ok(())
    }
}

impl<D: Datagrams, P: Payload> UdpReceiver<D, P> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Heartbeat<P>>> {
        let mut in_a_row = 0;
        for _ in 0..BUDGET {
            match ready!(self.socket.poll_recv(cx, &mut self.buffer)) {
                Ok(size) => {
                    in_a_row = 0;
                    let datagram = self.buffer.get(..size).filter(|_| size < self.buffer.len());
                    let beat = datagram.map(|bytes| Payload::decode(Bytes::copy_from_slice(bytes)));
                    if let Some(Ok(beat)) = beat {
                        return Poll::Ready(Ok(beat));
                    }
                    self.skipped = self.skipped.saturating_add(1);
                }
                Err(error) => {
                    in_a_row += 1;
                    // So many with nothing between them are no reports: the socket has failed.
                    if in_a_row == BUDGET {
                        return Poll::Ready(Err(error));
                    }
                    self.errors = self.errors.saturating_add(1);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl<D: Datagrams, P: Payload + Send> HeartbeatReceiver for UdpReceiver<D, P> {
    type Payload = P;
    type Error = io::Error;

    async fn recv(&mut self) -> io::Result<Heartbeat<P>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }
}

impl<D: fmt::Debug, P> fmt::Debug for UdpSender<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSender")
            .field("socket", &self.socket)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<D: fmt::Debug, P> fmt::Debug for UdpReceiver<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpReceiver")
            .field("socket", &self.socket)
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}
