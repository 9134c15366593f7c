//! Every error of the crate hands on what it holds: `source()` is never cut, and a verdict is found
//! in whatever can hold one.
#![cfg(all(feature = "tcp", feature = "mqtt"))]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do; any instant will do as a start"
)]

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use liveness::flood::{FloodGuard, FloodLimit, Flooded};
use liveness::heartbeat::framed::FramedError;
use liveness::heartbeat::{BeatError, Failure, Identity, Origin, Schedule, beat, memory};
use liveness::mqtt::{BrokerConfig, BrokerKeepalive, Expired, MqttError, Scanner};
use liveness::tcp::{ApplyError, Frame, FrameError, TcpCodec, TooLarge};
use liveness::{
    ConfigError, Dead, DecodeError, Error, Keepalive, KeepaliveConfig, KeepaliveEvent, Payload,
};

const SECOND: Duration = Duration::from_secs(1);

type Boxed = Box<dyn StdError + Send + Sync>;

fn dead() -> Dead {
    let start = Instant::now();
    let config = KeepaliveConfig::off().silence(9 * SECOND);
    let mut keepalive = Keepalive::new(config, 0, start).unwrap();
    match keepalive.handle_timeout(start + 9 * SECOND) {
        Some(KeepaliveEvent::Dead(dead)) => dead,
        other => panic!("{other:?}"),
    }
}

fn flooded() -> Flooded {
    let now = Instant::now();
    let mut guard = FloodGuard::new(FloodLimit::new(1, SECOND));
    guard.on_ping(now).unwrap();
    guard.on_ping(now).unwrap_err()
}

fn expired() -> Expired {
    let start = Instant::now();
    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start).unwrap();
    let due = watch.poll_timeout().unwrap();
    watch.handle_timeout(due).unwrap()
}

fn io_error(error: impl Into<Boxed>) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, error)
}

/// The texts of an error and of its sources.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

/// A loop of beats that ended because of `error`.
fn beat_error<E: StdError + Clone + Send + 'static>(error: E) -> BeatError<E> {
    struct Fails<E>(E);

    #[liveness::heartbeat::async_trait]
    impl<E: Clone + Send> liveness::HeartbeatSender for Fails<E> {
        type Payload = ();
        type Ack = ();
        type Error = E;

        async fn send(&mut self, _beat: liveness::Heartbeat<()>) -> Result<(), E> {
            Err(self.0.clone())
        }
    }

    let schedule = Schedule::new(SECOND).max_failures(1);
    let identity = Identity::new(Origin::default(), 1);
    let beating = beat(
        Fails(error),
        schedule,
        Still(Instant::now()),
        &identity,
        || (),
    )
    .unwrap();
    futures::executor::block_on(beating).unwrap_err()
}

/// A clock that stands still: the first beat leaves at once, and no second one does.
#[derive(Clone)]
struct Still(Instant);

struct Never;

impl liveness::Runtime for Still {
    type Timer = Never;

    fn now(&self) -> Instant {
        self.0
    }

    fn timer(&self, _at: Instant) -> Never {
        Never
    }
}

impl liveness::rt::Timer for Never {
    fn reset(self: std::pin::Pin<&mut Self>, _at: Instant) {}

    fn poll_expired(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

/// Each error that can hold another, holding a verdict.
fn holders(dead: Dead) -> Vec<(&'static str, Boxed)> {
    vec![
        ("Dead", dead.into()),
        ("Error::Dead", Error::<io::Error>::Dead(dead).into()),
        ("Error::Transport", Error::Transport(dead).into()),
        (
            "Error::Transport of io",
            Error::Transport(io_error(dead)).into(),
        ),
        ("Failure::Transport", Failure::Transport(dead).into()),
        (
            "Failure::Transport of io",
            Failure::Transport(io_error(dead)).into(),
        ),
        ("BeatError", beat_error(dead).into()),
        (
            "FramedError::Transport",
            FramedError::Transport(dead).into(),
        ),
        (
            "FramedError of FrameError",
            FramedError::Transport(FrameError::Io(io_error(dead))).into(),
        ),
        (
            "Failure of FramedError",
            Failure::Transport(FramedError::Transport(io_error(dead))).into(),
        ),
        (
            "BeatError of FramedError",
            beat_error(FramedError::Transport(dead)).into(),
        ),
        ("FrameError::Io", FrameError::Io(io_error(dead)).into()),
        (
            "io::Error of FrameError",
            io::Error::from(FrameError::Io(io_error(dead))).into(),
        ),
        ("ApplyError::Io", ApplyError::Io(io_error(dead)).into()),
        (
            "io::Error of ApplyError",
            io::Error::from(ApplyError::Io(io_error(dead))).into(),
        ),
    ]
}

#[test]
fn a_verdict_is_found_in_every_error_that_can_hold_one() {
    let dead = dead();
    for (name, error) in holders(dead) {
        assert_eq!(Dead::find(&*error), Some(dead), "{name}");
        // Boxed in an `io::Error`, once and twice, as layers of transports do it.
        let once = io_error(error);
        assert_eq!(Dead::find(&once), Some(dead), "io::Error of {name}");
        let twice = io_error(once);
        assert_eq!(
            Dead::find(&twice),
            Some(dead),
            "io::Error of io::Error of {name}"
        );
        // And back in one of ours.
        let ours = Error::Transport(twice);
        assert_eq!(
            Dead::find(&ours),
            Some(dead),
            "Error of io::Error of {name}"
        );
    }
    let expired = expired();
    assert_eq!(Dead::find(&expired), Some(expired.dead()), "Expired");
}

/// Each error that has no verdict in it, and what stands in its chain.
#[test]
fn no_source_is_cut_and_none_is_made_up() {
    let config = ConfigError::NothingMayGoUnanswered;
    let decode = DecodeError::length("u64 payload", 8, 3);
    let utf8 = String::decode(Bytes::from_static(b"a\xff")).unwrap_err();
    let mqtt: MqttError = Scanner::from_client().scan(&[0xc0, 0x00]).unwrap_err();
    let mut wire = bytes::BytesMut::new();
    let too_large: TooLarge = TcpCodec::<()>::new()
        .limit(4)
        .encode(&Frame::Data(Bytes::from_static(b"hello")), &mut wire)
        .unwrap_err();
    let broken = || io::Error::other("broken");
    let timed_out: Failure<memory::Closed> = Failure::TimedOut { after: SECOND };
    let errors: Vec<(Boxed, usize)> = vec![
        (config.into(), 1),
        (Origin::new(&"x".repeat(256)).unwrap_err().into(), 1),
        (decode.clone().into(), 1),
        (utf8.into(), 2),
        (flooded().into(), 1),
        (mqtt.into(), 1),
        (too_large.into(), 1),
        (memory::Closed.into(), 1),
        (timed_out.into(), 1),
        (Error::<io::Error>::Flooded(flooded()).into(), 2),
        (Error::Transport(broken()).into(), 2),
        (Failure::Transport(memory::Closed).into(), 2),
        (beat_error(memory::Closed).into(), 3),
        (FramedError::<io::Error>::Closed.into(), 1),
        (FramedError::<io::Error>::Unexpected("data").into(), 1),
        (
            FramedError::Transport(FrameError::from(decode.clone())).into(),
            3,
        ),
        (FrameError::from(broken()).into(), 2),
        (FrameError::from(decode).into(), 2),
        (FrameError::from(too_large).into(), 2),
        (ApplyError::from(config).into(), 2),
        (ApplyError::from(broken()).into(), 2),
    ];
    for (error, levels) in errors {
        assert_eq!(Dead::find(&*error), None, "{error}");
        let chain = chain(&*error);
        assert_eq!(chain.len(), levels, "{chain:?}");
        // Each level says what the next one does: a log that prints only the first loses nothing.
        for pair in chain.windows(2) {
            let utf8 = pair[0].contains("not UTF-8");
            assert!(utf8 || pair[0].contains(&pair[1]), "{chain:?}");
        }
    }
}
