//! [`PingPong`]: heartbeats, round trips and a verdict on any stream of messages.

mod carrier;
mod drive;
mod error;
mod outbox;
mod protocol;
mod receiving;
mod sending;

use std::fmt;
use std::pin::Pin;

use futures::{Sink, Stream};
use pin_project::pin_project;

pub use drive::{Drive, Receiver, SendError, Sender};
pub use error::Error;
pub use protocol::{Inbound, Protocol};

use crate::driver::{Activity, Handle, Pinger};
use crate::error::ConfigError;
use crate::flood::{FloodLimit, Flooded};
use crate::io::{Framing, Tracked};
use crate::keepalive::{Bound, Dead, KeepaliveConfig};
use crate::rt::Runtime;
use crate::rtt::Rtt;
use carrier::Messages;
use outbox::Outbox;

/// A stream and sink of messages that is kept alive, or says when and why it is dead.
///
/// Wraps anything that is `Stream<Item = Result<M, E>> + Sink<M, Error = E>`: a framed socket, a
/// WebSocket, a pair of channels in one struct. It yields data only; pings are sent, answered and
/// timed on the side. When the peer is dead the stream yields `Err(`[`Error::Dead`]`)` once and
/// then ends; sending fails with the same verdict. The first `Err` of the transport ends the stream
/// too, after it was yielded.
///
/// * **Poll the stream.** That is what drives it: with nobody reading, nothing is answered and no
///   silence is judged. A send that has to wait finds a write stall by itself.
/// * **Give it the bytes.** A message layer shows whole messages only. One that takes longer to
///   arrive than the limits allow looks like silence, and one that takes longer to leave looks like
///   a [write stall](KeepaliveConfig::write_stall()). [`framed`](Self::framed) and
///   [`with_activity`](Self::with_activity) let bytes count.
/// * **Input first.** What has arrived is taken in before silence is judged, and before it is told
///   that a heartbeat could not be sent.
/// * **Bounded.** At most one ping and one answer are queued. Pings of the peer are counted against
///   a [limit](Self::flood_limit); beyond it the stream ends with [`Error::Flooded`]. After 32
///   heartbeats in a row the executor gets its turn.
/// * **Two halves.** `futures::StreamExt::split` works, with the halves on two tasks. Both get the
///   verdict.
/// * **Cancel safe.** Dropping a `next()` loses nothing; dropping a `send()` does what the
///   transport does, and is not held against the peer.
/// * **After a close** the peer can go on talking. Nothing is asked or answered any more, so plain
///   silence is judged, by the same [bound](Self::detection_bound). A transport that refuses a
///   heartbeat counts as closing: the refused ping was not asked.
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use std::time::Duration;
/// use futures::{SinkExt, StreamExt};
/// use liveness::test_util::{LinkConfig, World, messages};
/// use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
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
/// let mut world = World::new(); // simulated time
/// let (transport, mut peer, _link) = messages(&world.sim, LinkConfig::new());
/// let mut stream = PingPong::new(transport, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
///
/// world.run(async {
///     peer.send(42).await.unwrap();
///     assert_eq!(stream.next().await.unwrap().unwrap(), 42);
///
///     // The peer falls silent, is asked twice, and does not answer.
///     let verdict = stream.next().await.unwrap().unwrap_err();
///     assert_eq!(peer.next().await.unwrap().unwrap(), 0);
///     assert_eq!(
///         verdict.to_string(),
///         "peer dead: no reply to 2 pings within 10s each; silent for 40s, \
///          no round trip measured",
///     );
///     assert!(stream.next().await.is_none());
/// });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[pin_project]
pub struct PingPong<T, P: Protocol, R: Runtime> {
    #[pin]
    transport: T,
    protocol: P,
    pinger: Pinger<R, Flooded>,
    outbox: Outbox<P::Message>,
}

impl<T, P, R, M, E> PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    /// Keeps `transport` alive by `config`, speaking `protocol`, on the clock of `rt`. The peer
    /// counts as alive now.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn new(
        transport: T,
        protocol: P,
        config: KeepaliveConfig,
        rt: R,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            transport,
            protocol,
            pinger: Pinger::new(config, rt)?,
            outbox: Outbox::new(),
        })
    }

    /// Frames `socket` with `codec` and keeps it alive, its bytes [counted](Self::with_activity):
    /// a message that takes minutes to arrive is no silence, and one that takes minutes to leave is
    /// no write stall.
    ///
    /// What frames it is up to the runtime: see [`Framing`].
    ///
    /// ```
    /// # #[cfg(all(feature = "tokio", feature = "tcp"))] {
    /// use liveness::io::Tracked;
    /// use liveness::tcp::{Frames, TcpCodec};
    /// use liveness::{ConfigError, KeepaliveConfig, PingPong, Tokio};
    /// use tokio::net::TcpStream;
    /// use tokio_util::codec::Framed;
    ///
    /// /// The whole type, for a field of a struct.
    /// type Connection = PingPong<Framed<Tracked<TcpStream, Tokio>, TcpCodec>, Frames, Tokio>;
    ///
    /// fn keep_alive(socket: TcpStream) -> Result<Connection, ConfigError> {
    ///     PingPong::framed(socket, TcpCodec::new(), Frames::new(), KeepaliveConfig::new(), Tokio)
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work.
    pub fn framed<S, C>(
        socket: S,
        codec: C,
        protocol: P,
        config: KeepaliveConfig,
        rt: R,
    ) -> Result<Self, ConfigError>
    where
        R: Framing<S, C, Framed = T>,
    {
        let socket = Tracked::new(socket, rt.clone());
        let activity = socket.activity();
        let framed = rt.framed(socket, codec);
        let stream = Self::new(framed, protocol, config, rt)?;
        Ok(stream.with_activity(activity))
    }
}

impl<T, P: Protocol, R: Runtime> PingPong<T, P, R> {
    /// Counts the bytes below the message layer as life and as progress: `activity` comes from
    /// [`Tracked::activity`](crate::io::Tracked::activity) of the socket that carries the messages.
    ///
    /// A message that takes minutes to arrive is then no silence, and one that takes minutes to
    /// leave is no write stall.
    #[must_use]
    pub fn with_activity(mut self, activity: Activity) -> Self {
        self.pinger.watch(activity);
        self
    }

    /// What the socket's send buffer holds at most, in bytes: see
    /// [`Keepalive::set_send_buffer`](crate::Keepalive::set_send_buffer). With feature `tcp`,
    /// `SendQueue::apply` returns it.
    pub fn set_send_buffer(&mut self, bytes: u64) {
        self.pinger.set_send_buffer(bytes);
    }

    /// `queue` says how many bytes stand in the socket's send queue, unsent or not acknowledged:
    /// the kernel's own word (`TIOCOUTQ` on Linux), or `None` where it cannot tell. A ping behind
    /// an upload is [out](crate::Keepalive#when-a-ping-is-out) as soon as they have left, and its
    /// answer is due from then on. Megabytes that a large buffer takes at once never fill the
    /// socket, so that nothing else can tell that they stand before a ping.
    ///
    /// It is asked when a ping is taken, and while that stands behind other bytes, about sixteen
    /// times an interval. It must not block.
    #[must_use]
    pub fn with_send_queue(
        mut self,
        queue: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.pinger.ask_queue(queue);
        self
    }

    /// How many pings the peer may send before the stream ends with [`Error::Flooded`]. Default
    /// [`FloodLimit::DEFAULT`]; [`FloodLimit::OFF`] takes any number.
    #[must_use]
    pub fn flood_limit(mut self, limit: FloodLimit) -> Self {
        self.pinger.limit_pings(limit);
        self
    }

    /// Asks the peer now, without waiting for the interval: see
    /// [`Keepalive::probe_now`](crate::Keepalive::probe_now). The stream has to be polled for it to
    /// be sent.
    pub fn probe_now(&mut self) {
        self.pinger.probe_now();
    }

    /// Changes the configuration of the running stream: see
    /// [`Keepalive::set_config`](crate::Keepalive::set_config).
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; nothing changes then.
    pub fn set_config(&mut self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        self.pinger.set_config(config)
    }

    /// The configuration in force.
    #[must_use]
    pub const fn config(&self) -> KeepaliveConfig {
        self.pinger.keepalive().config()
    }

    /// The round trips measured so far. A busy stream asks nothing and so measures nothing, unless
    /// the configuration says [`PingWhen::Always`](crate::PingWhen::Always).
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        self.pinger.keepalive().rtt()
    }

    /// The verdict, once it was passed.
    #[must_use]
    pub fn dead(&self) -> Option<Dead> {
        self.pinger.keepalive().dead()
    }

    /// What the stream knows of its peer, readable from anywhere: after a split, and when the
    /// stream belongs to other code. Its state is allocated by the first call.
    pub fn handle(&mut self) -> Handle {
        let beating = self.is_beating();
        self.pinger.handle(beating)
    }

    /// Whether pings can be sent: the stream is open in both directions.
    #[must_use]
    pub const fn is_beating(&self) -> bool {
        self.pinger.end.is_open() && !self.pinger.is_closing()
    }

    /// The longest time from the peer's last byte to the verdict: the configuration's
    /// [bound](KeepaliveConfig::detection_bound), and the sixteenth of its shortest period
    /// (interval, silence or write stall) by which a busy stream's last byte may be dated late. It
    /// holds while the stream is polled: what came in just before nobody polled for a while may be
    /// dated at the next poll.
    #[must_use]
    pub fn detection_bound(&self) -> Option<Bound> {
        self.pinger.detection_bound()
    }

    /// The protocol.
    #[must_use]
    pub const fn protocol(&self) -> &P {
        &self.protocol
    }

    /// The protocol, to change what its pings carry.
    pub const fn protocol_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// The transport.
    #[must_use]
    pub const fn get_ref(&self) -> &T {
        &self.transport
    }

    /// The transport; what passes through it directly is not seen here.
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// The transport back, for a farewell of your own after a verdict; queued heartbeats are lost.
    pub fn into_inner(self) -> T {
        self.transport
    }

    /// What carries heartbeats, and what sends them.
    fn parts(self: Pin<&mut Self>) -> (Messages<'_, T, P>, &mut Pinger<R, Flooded>) {
        let this = self.project();
        let messages = Messages {
            transport: this.transport,
            protocol: this.protocol,
            outbox: this.outbox,
        };
        (messages, this.pinger)
    }
}

impl<T: fmt::Debug, P: Protocol, R: Runtime> fmt::Debug for PingPong<T, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingPong")
            .field("transport", &self.transport)
            .field("keepalive", self.pinger.keepalive())
            .field("end", &self.pinger.end)
            .finish_non_exhaustive()
    }
}
