//! What heartbeats add to a stream of messages.

use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::{Sink, SinkExt, Stream, StreamExt};
use liveness::{Answers, Error, Inbound, KeepaliveConfig, PingPong, Protocol, Seq, Tokio};
use tokio::io::DuplexStream;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec};

use crate::harness::{Bar, Contest, in_task, runtime};

/// How often the handwritten loop asks, and how long it waits: as in [`KeepaliveConfig::new`].
pub(crate) const INTERVAL: Duration = Duration::from_secs(20);
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The first byte says what a message is; then comes what it carries.
const DATA: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;
const MESSAGE: &[u8] = &[DATA; 64];

pub(crate) fn contests() -> Vec<Contest> {
    vec![framed()]
}

fn framed() -> Contest {
    Contest::new(
        "framed",
        "a 64-byte message there and back between two tasks, length-prefixed, in memory",
        "ns",
    )
    .timed("bare", || echo(|framed| framed))
    .timed("a wrapper that does nothing", || {
        echo(|framed| Forward(framed, Tagged))
    })
    .timed("PingPong", || echo(kept))
    .bar(Bar::Times(1.05))
    .timed("PingPong::framed, its bytes counted", || {
        echo(|framed| {
            let (io, codec) = (framed.into_inner(), Codec(LengthDelimitedCodec::new()));
            let config = KeepaliveConfig::new();
            PingPong::framed(io, codec, Tagged, config, Tokio).expect("the default is valid")
        })
    })
    .timed("select! with an interval, by hand", echo_by_hand)
}

/// A socket that carries messages.
pub(crate) type Messages = Framed<DuplexStream, Codec>;

pub(crate) fn messages(io: DuplexStream) -> Messages {
    Framed::new(io, Codec(LengthDelimitedCodec::new()))
}

/// The same, kept alive.
pub(crate) type Kept = PingPong<Messages, Tagged, Tokio>;

pub(crate) fn kept(framed: Messages) -> Kept {
    PingPong::new(framed, Tagged, KeepaliveConfig::new(), Tokio).expect("the default is valid")
}

/// Both ends are wrapped; a task of its own sends back what it gets.
fn echo<S, E>(wrap: impl Fn(Messages) -> S) -> impl FnMut(u64)
where
    S: Stream<Item = Result<Bytes, E>> + Sink<Bytes, Error = E> + Unpin + Send + 'static,
    E: std::fmt::Debug + Send,
{
    let runtime = runtime();
    let (near, mut far) = runtime.block_on(async {
        let (near, far) = tokio::io::duplex(1024);
        (wrap(messages(near)), wrap(messages(far)))
    });
    runtime.spawn(async move {
        while let Some(Ok(message)) = far.next().await {
            far.send(message).await.expect("in memory");
        }
    });
    in_task(runtime, near, |mut near, trips| async move {
        for _ in 0..trips {
            let message = black_box(Bytes::from_static(MESSAGE));
            near.send(message).await.expect("in memory");
            let answer = near.next().await.expect("open").expect("in memory");
            black_box(answer);
        }
        near
    })
}

/// [`echo`] as people write it when they have no library, at both ends.
fn echo_by_hand() -> impl FnMut(u64) {
    let runtime = runtime();
    let (near, mut far) = runtime.block_on(async {
        let (near, far) = tokio::io::duplex(1024);
        (ByHand::new(messages(near)), ByHand::new(messages(far)))
    });
    runtime.spawn(async move {
        while let Some(message) = far.next().await {
            far.framed.send(message).await.expect("in memory");
        }
    });
    in_task(runtime, near, |mut near, trips| async move {
        for _ in 0..trips {
            let message = black_box(Bytes::from_static(MESSAGE));
            near.framed.send(message).await.expect("in memory");
            black_box(near.next().await.expect("alive"));
        }
        near
    })
}

/// The usual loop: an interval, and the time of the last message from the clock.
pub(crate) struct ByHand {
    framed: Messages,
    interval: tokio::time::Interval,
    seen: Instant,
}

impl ByHand {
    pub(crate) fn new(framed: Messages) -> Self {
        let mut interval = interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            framed,
            interval,
            seen: Instant::now(),
        }
    }

    /// The next message that is no heartbeat; `None` when the peer is gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                message = self.framed.next() => {
                    let message = message?.ok()?;
                    self.seen = Instant::now();
                    match message.first() {
                        Some(&PING) => self.framed.send(tagged(PONG, &message)).await.ok()?,
                        Some(&PONG) => {}
                        _ => return Some(message),
                    }
                }
                _ = self.interval.tick() => {
                    if self.seen.elapsed() > LIMIT {
                        return None;
                    }
                    self.framed.send(Bytes::from_static(&[PING])).await.ok()?;
                }
            }
        }
    }
}

/// Says ping and pong in the first byte.
#[derive(Debug)]
pub(crate) struct Tagged;

impl Protocol for Tagged {
    type Message = Bytes;

    fn ping(&mut self, seq: Seq) -> Bytes {
        tagged(
            PING,
            &[&[PING], seq.value().to_be_bytes().as_slice()].concat(),
        )
    }

    fn classify(&mut self, message: Bytes) -> Inbound<Bytes> {
        match message.first() {
            Some(&PING) => Inbound::Ping {
                reply: Some(tagged(PONG, &message)),
            },
            Some(&PONG) => {
                let seq = message.get(1..9).and_then(|seq| seq.try_into().ok());
                let ping = |seq| Answers::Ping(Seq::new(u64::from_be_bytes(seq)));
                Inbound::Pong(seq.map_or(Answers::Nothing, ping))
            }
            _ => Inbound::Data(message),
        }
    }
}

/// `message` with another first byte.
fn tagged(tag: u8, message: &[u8]) -> Bytes {
    let mut message = message.to_vec();
    if let Some(first) = message.first_mut() {
        *first = tag;
    }
    message.into()
}

/// `tokio_util`'s length prefix, with one type of message in both directions.
#[derive(Debug)]
pub(crate) struct Codec(LengthDelimitedCodec);

impl Decoder for Codec {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<Bytes>> {
        Ok(self.0.decode(src)?.map(BytesMut::freeze))
    }
}

impl Encoder<Bytes> for Codec {
    type Error = io::Error;

    fn encode(&mut self, message: Bytes, dst: &mut BytesMut) -> io::Result<()> {
        self.0.encode(message, dst)
    }
}

/// The least that any wrapper of messages costs: calls, moves, and a look at what a message is.
struct Forward(Messages, Tagged);

impl Stream for Forward {
    type Item = Result<Bytes, Error<io::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.0.poll_next_unpin(cx);
        polled.map(|item| match item?.map(|message| self.1.classify(message)) {
            Ok(Inbound::Data(data)) => Some(Ok(data)),
            Ok(_) => None,
            Err(error) => Some(Err(Error::Transport(error))),
        })
    }
}

impl Sink<Bytes> for Forward {
    type Error = Error<io::Error>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready_unpin(cx).map_err(Error::Transport)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> Result<(), Self::Error> {
        self.0.start_send_unpin(message).map_err(Error::Transport)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_flush_unpin(cx).map_err(Error::Transport)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_close_unpin(cx).map_err(Error::Transport)
    }
}
