//! The client's half: when it asks, what it takes for life, when it gives up.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use liveness::Jitter;
use liveness::mqtt::{
    ClientConfig, ClientKeepalive, ConnAck, Disconnect, PINGREQ, PINGRESP, Packet, Version, reason,
};
use liveness::{Cause, KeepaliveEvent, PingWhen, Proof};
use proptest::prelude::*;

use super::{Clock, connect};

const PUBLISH: &[u8] = b"\x30\x04\x00\x01tx";

/// A client that connected at the start, and was accepted.
fn connected(
    config: ClientConfig,
    version: Version,
    keep_alive: u16,
    clock: Clock,
) -> ClientKeepalive {
    connected_with(config, version, keep_alive, &ConnAck::new(0), clock)
}

fn connected_with(
    config: ClientConfig,
    version: Version,
    keep_alive: u16,
    ack: &ConnAck,
    clock: Clock,
) -> ClientKeepalive {
    let mut client = ClientKeepalive::new(config, 0, clock.s(0)).unwrap();
    accept(&mut client, version, keep_alive, ack, clock);
    client
}

fn accept(
    client: &mut ClientKeepalive,
    version: Version,
    keep_alive: u16,
    ack: &ConnAck,
    clock: Clock,
) {
    client
        .on_send(&connect(version, "c", keep_alive), clock.s(0))
        .unwrap();
    let mut out = BytesMut::new();
    ack.encode(version, &mut out).unwrap();
    receive(client, &out, clock.s(0));
}

fn plain(keep_alive: u16, clock: Clock) -> ClientKeepalive {
    connected(ClientConfig::new(), Version::V3_1_1, keep_alive, clock)
}

fn receive(client: &mut ClientKeepalive, mut bytes: &[u8], now: Instant) {
    while !bytes.is_empty() {
        let from = client.on_receive(bytes, now).unwrap();
        bytes = &bytes[from.consumed..];
    }
}

/// Runs the timers up to `until`, and gives back the times of the pings, which are sent at once.
/// Stops at a verdict.
fn run(
    client: &mut ClientKeepalive,
    until: Instant,
    mut on_ping: impl FnMut(&mut ClientKeepalive, Instant),
) -> Option<(Instant, Cause)> {
    while let Some(due) = client.poll_timeout().filter(|due| *due <= until) {
        match client.handle_timeout(due) {
            Some(KeepaliveEvent::Ping(seq)) => {
                assert!(client.may_ping());
                client.on_ping_sent(seq, due);
                on_ping(client, due);
            }
            Some(KeepaliveEvent::Dead(dead)) => return Some((due, dead.cause)),
            Some(KeepaliveEvent::Look) => panic!("nobody said that input is unread"),
            None => {}
        }
    }
    None
}

/// libmosquitto's test: a keep alive of 2 s, a PINGREQ, its answer, and the next.
#[test]
fn an_idle_client_asks_again_and_again() {
    let clock = Clock::start();
    let mut client = plain(2, clock);
    let mut pings = Vec::new();
    let dead = run(&mut client, clock.s(10), |client, now| {
        pings.push(now);
        receive(client, &PINGRESP, now);
    });
    assert_eq!(dead, None);
    assert_eq!(pings, [1800, 3600, 5400, 7200, 9000].map(|ms| clock.ms(ms)));
}

/// The server says 2 s where the client asked for 60.
#[test]
fn the_servers_keep_alive_counts() {
    let clock = Clock::start();
    let mut ack = ConnAck::new(0);
    ack.server_keep_alive = Some(2);
    let client = connected_with(ClientConfig::new(), Version::V5, 60, &ack, clock);
    assert_eq!(client.keep_alive(), Some(2));
    assert_eq!(client.poll_timeout(), Some(clock.ms(1800)));
}

/// 0 from the server is off, and not "nothing said"; absent is the client's own.
#[test]
fn a_servers_keep_alive_of_0_is_off() {
    let clock = Clock::start();
    let mut ack = ConnAck::new(0);
    ack.server_keep_alive = Some(0);
    let mut client = connected_with(ClientConfig::new(), Version::V5, 60, &ack, clock);
    assert_eq!((client.keep_alive(), client.poll_timeout()), (None, None));
    assert_eq!(client.handle_timeout(clock.s(1_000_000)), None);

    let client = connected_with(
        ClientConfig::new(),
        Version::V5,
        60,
        &ConnAck::new(0),
        clock,
    );
    assert_eq!(client.keep_alive(), Some(60));
    // And a client that asked for none is given some.
    ack.server_keep_alive = Some(10);
    let client = connected_with(ClientConfig::new(), Version::V5, 0, &ack, clock);
    assert_eq!(client.poll_timeout(), Some(clock.s(9)));
}

#[test]
fn keep_alive_0_neither_asks_nor_judges() {
    let clock = Clock::start();
    let mut client = plain(0, clock);
    assert_eq!(client.poll_timeout(), None);
    assert_eq!(client.handle_timeout(clock.s(1_000_000)), None);
}

/// The gap between the end of one packet and the start of the next never exceeds the keep alive,
/// whatever is received: receiving does not postpone the promise.
#[test]
fn receiving_does_not_stop_the_pings() {
    let clock = Clock::start();
    for keep_alive in [1_u16, 2, 60, 600] {
        let mut client = plain(keep_alive, clock);
        let (mut last, mut gaps) = (clock.s(0), 0);
        for tenth in 1..=200_u64 {
            let now = clock.ms(tenth * u64::from(keep_alive) * 100);
            let dead = run(&mut client, now, |client, at| {
                assert!(at.duration_since(last) <= Duration::from_secs(u64::from(keep_alive)));
                (last, gaps) = (at, gaps + 1);
                receive(client, &PINGRESP, at);
            });
            assert_eq!(dead, None);
            receive(&mut client, PUBLISH, now);
        }
        assert_eq!(gaps, 22, "20 keep alives, asked nine tenths apart");
    }
}

/// Steady publishing at QoS 0 does not hide a dead broker: the question comes all the same, and the
/// verdict stands at 1.4 keep alives.
#[test]
fn publishing_does_not_hide_a_dead_broker() {
    let clock = Clock::start();
    let mut client = plain(10, clock);
    let mut verdict = None;
    let mut pings = 0;
    for half in 1..60_u64 {
        let now = clock.ms(half * 500);
        verdict = verdict.or_else(|| run(&mut client, now, |_, _| pings += 1));
        client.on_send(PUBLISH, now).unwrap();
    }
    assert_eq!(pings, 1);
    assert_eq!(verdict, Some((clock.s(14), Cause::NoReply)));
    assert_eq!(
        ClientConfig::new()
            .detection_bound(10)
            .map(|bound| bound.quiet),
        Some(Duration::from_secs(14))
    );
}

/// The specification's minimum: it is blind while the client publishes, and says so.
#[test]
fn send_idle_is_blind_while_publishing() {
    let clock = Clock::start();
    let config = ClientConfig::new().ping_when(PingWhen::SendIdle);
    assert_eq!(config.detection_bound(10).map(|bound| bound.quiet), None);
    let mut client = connected(config, Version::V3_1_1, 10, clock);
    for half in 1..1000_u64 {
        let now = clock.ms(half * 500);
        assert_eq!(run(&mut client, now, |_, _| panic!("asked")), None);
        client.on_send(PUBLISH, now).unwrap();
    }
}

/// Any packet from the broker is an answer to the question whether it lives: a PINGRESP behind
/// thousands of messages, or half of a large one, is no death.
#[test]
fn any_byte_is_life() {
    let clock = Clock::start();
    let mut client = plain(10, clock);
    // The head of a message of 2 MB, then a thousand bytes a second.
    receive(&mut client, b"\x30\xff\xff\x7f", clock.s(1));
    for second in 2..200 {
        assert_eq!(
            run(&mut client, clock.s(second), |_, _| {}),
            None,
            "at {second} s"
        );
        receive(&mut client, &[b'x'; 1000], clock.s(second));
    }
}

/// Paho and gmqtt stay for ever with a broker that sends data and never a PINGRESP. So does the
/// default here, since data is life; `PongOnly` does not.
#[test]
fn pong_only_finds_a_broker_that_sends_and_does_not_listen() {
    let clock = Clock::start();
    let config = ClientConfig::new().proof(Proof::PongOnly);
    let mut strict = connected(config, Version::V3_1_1, 10, clock);
    let mut default = plain(10, clock);
    let mut verdict = None;
    for second in 1..60 {
        let now = clock.s(second);
        verdict = verdict.or_else(|| run(&mut strict, now, |_, _| {}));
        assert_eq!(run(&mut default, now, |_, _| {}), None);
        for client in [&mut strict, &mut default] {
            receive(client, PUBLISH, now);
        }
    }
    assert_eq!(verdict, Some((clock.s(14), Cause::NoReply)));
}

/// PINGRESP itself always counts.
#[test]
fn a_pingresp_is_life_in_every_configuration() {
    let clock = Clock::start();
    for config in [
        ClientConfig::new(),
        ClientConfig::new().proof(Proof::PongOnly),
        ClientConfig::new().ping_when(PingWhen::SendIdle),
        ClientConfig::new().ping_when(PingWhen::Always),
    ] {
        let mut client = connected(config, Version::V3_1_1, 10, clock);
        let dead = run(&mut client, clock.s(10_000), |client, now| {
            receive(client, &PINGRESP, now + Duration::from_millis(4999));
        });
        assert_eq!(dead, None, "{config:?}");
    }
}

/// A reply timeout of its own, shorter than the keep alive: no waiting for two periods, and it
/// counts for long keep alives too.
#[test]
fn the_reply_timeout_is_separate() {
    let clock = Clock::start();
    let config = ClientConfig::new().reply_timeout(Duration::from_secs(3));
    let mut client = connected(config, Version::V3_1_1, 600, clock);
    let verdict = run(&mut client, clock.s(10_000), |_, _| {});
    assert_eq!(verdict, Some((clock.s(543), Cause::NoReply)));
    assert_eq!(
        config.detection_bound(600).map(|bound| bound.quiet),
        Some(Duration::from_secs(543))
    );
    // Zero is off: it asks, and never concludes from a missing answer.
    assert_eq!(
        config
            .reply_timeout(Duration::ZERO)
            .detection_bound(600)
            .map(|bound| bound.quiet),
        None
    );
    // The default: half the keep alive, at least a second.
    for (keep_alive, bound) in [(1, 1900), (2, 2800), (60, 84_000)] {
        let bound = Some(Duration::from_millis(bound));
        assert_eq!(
            ClientConfig::new()
                .detection_bound(keep_alive)
                .map(|bound| bound.quiet),
            bound
        );
    }
}

/// No PINGREQ goes out while one is open, so the promise to the broker bounds the wait.
#[test]
fn a_reply_timeout_is_cut_to_the_keep_alive() {
    let clock = Clock::start();
    let config = ClientConfig::new().reply_timeout(Duration::from_secs(30));
    let mut client = connected(config, Version::V3_1_1, 10, clock);
    let verdict = run(&mut client, clock.s(100), |_, _| {});
    assert_eq!(verdict, Some((clock.s(19), Cause::NoReply)));
    assert_eq!(
        config.detection_bound(10).map(|bound| bound.quiet),
        Some(Duration::from_secs(19))
    );
}

/// A broker that is stopped and goes on in time: no verdict.
#[test]
fn a_broker_that_is_back_in_time_is_alive() {
    let clock = Clock::start();
    let mut client = plain(4, clock);
    let mut asked = None;
    assert_eq!(
        run(&mut client, clock.ms(5599), |_, now| asked = Some(now)),
        None
    );
    assert_eq!(asked, Some(clock.ms(3600)));
    receive(&mut client, &PINGRESP, clock.ms(5599));
    assert_eq!(client.dead(), None);
    assert_eq!(run(&mut client, clock.ms(7000), |_, _| {}), None);
}

/// A broker's kernel takes connections while the broker is stopped.
#[test]
fn a_connack_that_never_comes() {
    let clock = Clock::start();
    let config = ClientConfig::new().connect_timeout(Duration::from_secs(3));
    let mut client = ClientKeepalive::new(config, 0, clock.s(0)).unwrap();
    assert_eq!(
        client.poll_timeout(),
        None,
        "nothing is owed before CONNECT"
    );
    // However long it was open before.
    client
        .on_send(&connect(Version::V3_1_1, "c", 0), clock.s(100))
        .unwrap();
    assert!(!client.may_ping());
    let verdict = run(&mut client, clock.s(1000), |_, _| {});
    assert_eq!(verdict, Some((clock.s(103), Cause::Silent)));
    assert!(client.dead().is_some());
}

/// A take-over is not a dead broker, nor is a refusal: the reason is in the packet.
#[test]
fn an_ended_connection_gets_no_verdict() {
    let clock = Clock::start();
    let mut client = connected(ClientConfig::new(), Version::V5, 2, clock);
    // A ping is open when the DISCONNECT comes.
    run(&mut client, clock.ms(1900), |_, _| {});
    let from = client.on_receive(&[0xe0, 0x01, 0x8e], clock.s(2)).unwrap();
    let Some(Packet::Disconnect(bye)) = from.packet else {
        panic!()
    };
    assert_eq!(bye.reason, reason::SESSION_TAKEN_OVER);
    assert_eq!(
        (client.poll_timeout(), client.handle_timeout(clock.s(100))),
        (None, None)
    );
    assert!(!client.may_ping());

    let refused = connected_with(
        ClientConfig::new(),
        Version::V5,
        2,
        &ConnAck::new(0x87),
        clock,
    );
    assert_eq!(refused.poll_timeout(), None);

    let mut client = plain(2, clock);
    let mut bye = BytesMut::new();
    Disconnect::default()
        .encode(Version::V3_1_1, &mut bye)
        .unwrap();
    client.on_send(&bye, clock.s(1)).unwrap();
    client.probe_now(clock.s(1));
    assert_eq!(
        (client.poll_timeout(), client.handle_timeout(clock.s(100))),
        (None, None)
    );
    assert!(!client.may_ping());
}

/// The user's own PINGREQs (rumqttc sends them whatever happens) and ours: answers come in order,
/// and each goes to who asked.
#[test]
fn the_users_own_pings_do_not_mix_with_ours() {
    let clock = Clock::start();
    let mut client = plain(10, clock);
    client.on_send(&PINGREQ, clock.s(8)).unwrap();
    client.probe_now(clock.s(8));
    let Some(KeepaliveEvent::Ping(seq)) = client.handle_timeout(clock.s(8)) else {
        panic!()
    };
    client.on_ping_sent(seq, clock.s(8));
    client.on_send(&PINGREQ, clock.s(8)).unwrap();

    let answers: Vec<_> = (0..4)
        .map(|_| {
            let from = client.on_receive(&PINGRESP, clock.s(9)).unwrap();
            (from.is_ours, from.rtt)
        })
        .collect();
    let second = Some(Duration::from_secs(1));
    assert_eq!(
        answers,
        [(false, None), (true, second), (false, None), (false, None)]
    );
    // An answer in two pieces is known from its first byte.
    client.probe_now(clock.s(9));
    let Some(KeepaliveEvent::Ping(seq)) = client.handle_timeout(clock.s(9)) else {
        panic!()
    };
    client.on_ping_sent(seq, clock.s(9));
    assert!(client.on_receive(&[0xd0], clock.s(9)).unwrap().is_ours);
    assert!(client.on_receive(&[0x00], clock.s(9)).unwrap().is_ours);
    assert!(!client.on_receive(&[0xd0], clock.s(9)).unwrap().is_ours);
}

/// More of the user's PINGREQs than anyone leaves unanswered: nothing of the user's is ever taken.
#[test]
fn countless_open_pings_take_nothing_from_the_user() {
    let clock = Clock::start();
    let mut client = plain(10, clock);
    client.on_send(&PINGREQ.repeat(1000), clock.s(1)).unwrap();
    client.probe_now(clock.s(1));
    let Some(KeepaliveEvent::Ping(seq)) = client.handle_timeout(clock.s(1)) else {
        panic!()
    };
    client.on_ping_sent(seq, clock.s(1));
    for _ in 0..1001 {
        assert!(!client.on_receive(&PINGRESP, clock.s(2)).unwrap().is_ours);
    }
}

/// Borders are unknown after bytes that no client sends: no ping then, but the watch goes on.
#[test]
fn bad_bytes_of_our_own_stop_the_pings_only() {
    let clock = Clock::start();
    let mut client = plain(10, clock);
    assert!(client.on_send(&[0x00], clock.s(1)).is_err());
    assert!(!client.may_ping());
    receive(&mut client, PUBLISH, clock.s(2));
    assert_eq!(client.poll_timeout(), Some(clock.s(10)));
}

/// Many clients that connect in one second do not ask in one second.
#[test]
fn jitter_only_shortens() {
    let clock = Clock::start();
    let due = |seed| {
        let config = ClientConfig::new().jitter(Jitter::percent(20));
        let mut client = ClientKeepalive::new(config, seed, clock.s(0)).unwrap();
        accept(&mut client, Version::V3_1_1, 10, &ConnAck::new(0), clock);
        client.poll_timeout().unwrap()
    };
    let all: Vec<Instant> = (0..100).map(due).collect();
    assert!(
        all.iter()
            .all(|at| (clock.ms(7200)..=clock.s(9)).contains(at))
    );
    assert!(all.iter().collect::<std::collections::BTreeSet<_>>().len() > 90);
}

proptest! {
    /// The promise holds, and no living broker is declared dead, whatever passes when: a broker
    /// answers within its reply timeout, and the client sends and receives as it likes.
    #[test]
    fn the_gap_never_exceeds_the_keep_alive(
        keep_alive in 1..30_u16,
        steps in prop::collection::vec((any::<bool>(), 0..20_000_u64), 1..80),
        reply_after in 0..900_u64,
    ) {
        let clock = Clock::start();
        let mut client = plain(keep_alive, clock);
        let limit = Duration::from_secs(u64::from(keep_alive));
        let (mut now, mut sent, mut replied) = (0, clock.s(0), clock.s(0));
        let reply_after = Duration::from_millis(reply_after);
        for (sends, wait) in steps {
            now += wait;
            let mut longest = Duration::ZERO;
            let dead = run(&mut client, clock.ms(now), |client, at| {
                longest = longest.max(at.duration_since(sent));
                (sent, replied) = (at, at + reply_after);
                receive(client, &PINGRESP, replied);
            });
            prop_assert_eq!(dead, None);
            // A late answer moved the clock on.
            let at = clock.ms(now).max(replied);
            now = at.duration_since(clock.s(0)).as_millis() as u64;
            prop_assert!(longest <= limit, "{longest:?}");
            if sends {
                prop_assert!(at.duration_since(sent) <= limit);
                client.on_send(PUBLISH, at).unwrap();
                sent = at;
            } else {
                receive(&mut client, PUBLISH, at);
            }
        }
    }
}
