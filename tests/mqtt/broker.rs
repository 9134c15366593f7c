//! The broker's half: when a client is dead, and when it is not.

use std::time::Duration;

use bytes::BytesMut;
use liveness::mqtt::{
    BrokerConfig, BrokerKeepalive, ConnAck, Connect, Disconnect, Expired, KeepAlivePolicy,
    MqttError, PINGREQ, PINGRESP, Packet, PartialPacket, Scanner, Version, reason,
};
use liveness::{Cause, ConfigError, Dead};
use proptest::prelude::*;

use super::{Clock, connect, encoded};

const NANO: Duration = Duration::from_nanos(1);

/// A watch over a client that connected at the start and was accepted.
fn accepted(
    config: BrokerConfig,
    version: Version,
    keep_alive: u16,
    clock: Clock,
) -> BrokerKeepalive {
    let mut watch = BrokerKeepalive::new(config, clock.s(0)).unwrap();
    watch
        .on_receive(&connect(version, "c", keep_alive), clock.s(0))
        .unwrap();
    let mut ack = ConnAck::new(0);
    ack.server_keep_alive = watch.server_keep_alive();
    assert_eq!(watch.on_connack(&ack, clock.s(0)), 0);
    watch
}

fn plain(keep_alive: u16, clock: Clock) -> BrokerKeepalive {
    accepted(BrokerConfig::new(), Version::V3_1_1, keep_alive, clock)
}

/// Brokers in the field round 1.5 K down to K, or up by seconds.
#[test]
fn one_and_a_half_is_exact_for_every_keep_alive() {
    let clock = Clock::start();
    for keep_alive in 1..=u16::MAX {
        let mut watch = plain(keep_alive, clock);
        let limit = clock.ms(u64::from(keep_alive) * 1500);
        assert_eq!(watch.poll_timeout(), Some(limit + NANO), "{keep_alive} s");
        assert_eq!(
            watch.handle_timeout(limit),
            None,
            "{keep_alive} s: alive at 1.5 times"
        );
        let expired = watch.handle_timeout(limit + NANO);
        assert!(
            matches!(expired, Some(Expired::Silent { .. })),
            "{keep_alive} s: {expired:?}"
        );
        assert_eq!(watch.poll_timeout(), None);
        assert_eq!(
            watch.handle_timeout(limit + limit.duration_since(clock.s(0))),
            None
        );
    }
}

/// Mosquitto's own numbers: a keep alive of 60 s, last heard at 1000 s: there at 1090, gone at
/// 1091.
#[test]
fn mosquittos_single_client() {
    let clock = Clock::start();
    let mut watch = plain(60, clock);
    watch.on_receive(&PINGREQ, clock.s(1000)).unwrap();
    assert_eq!(watch.handle_timeout(clock.s(1090)), None);
    assert!(watch.handle_timeout(clock.s(1091)).is_some());
}

/// And its update: heard again at 1090 s, it lives for another 90.
#[test]
fn mosquittos_single_client_update() {
    let clock = Clock::start();
    let mut watch = plain(60, clock);
    watch.on_receive(&PINGREQ, clock.s(1000)).unwrap();
    watch.on_receive(&PINGREQ, clock.s(1090)).unwrap();
    assert_eq!(watch.handle_timeout(clock.s(1180)), None);
    assert!(watch.handle_timeout(clock.s(1181)).is_some());
}

/// The longest there is: 65535 s allow 27 h 18 min 22.5 s.
#[test]
fn the_longest_keep_alive() {
    let clock = Clock::start();
    let mut watch = plain(u16::MAX, clock);
    assert_eq!(watch.handle_timeout(clock.ms(98_302_500)), None);
    assert_eq!(
        watch
            .handle_timeout(clock.ms(98_302_501))
            .unwrap()
            .to_string(),
        "no packet within 98302.5s, 1.5 times the keep alive of 65535 s; silent for 98302.501s",
    );
}

#[test]
fn keep_alive_0_never_expires() {
    let clock = Clock::start();
    let mut watch = plain(0, clock);
    assert_eq!((watch.keep_alive(), watch.poll_timeout()), (None, None));
    assert_eq!(watch.handle_timeout(clock.s(1_000_000)), None);
}

/// Every packet counts: PINGREQ among them, which one broker forgot, and QoS 0 messages.
#[test]
fn any_whole_packet_is_life() {
    let clock = Clock::start();
    let packets: [&[u8]; 8] = [
        &PINGREQ,
        b"\x30\x04\x00\x01tx",
        b"\x40\x02\x00\x01",
        b"\x50\x02\x00\x01",
        b"\x62\x02\x00\x01",
        b"\x70\x02\x00\x01",
        b"\x82\x06\x00\x01\x00\x01t\x00",
        b"\xa2\x05\x00\x01\x00\x01t",
    ];
    let config = BrokerConfig::new().partial_packet(PartialPacket::Ignored);
    for packet in packets {
        let mut watch = accepted(config, Version::V3_1_1, 2, clock);
        for second in 1..100 {
            let now = clock.s(second * 2);
            assert_eq!(watch.handle_timeout(now), None, "{packet:02x?} at {second}");
            watch.on_receive(packet, now).unwrap();
        }
    }
}

/// What goes *to* the client says nothing about it: a client that is delivered a hundred messages
/// and sends nothing is dropped, as Mosquitto drops it.
#[test]
fn deliveries_do_not_keep_a_silent_client() {
    let clock = Clock::start();
    let mut watch = plain(2, clock);
    for tenth in 1..30 {
        // A CONNACK that passes late changes nothing either.
        assert_eq!(watch.on_connack(&ConnAck::new(0), clock.ms(tenth * 100)), 0);
    }
    assert!(watch.handle_timeout(clock.ms(3001)).is_some());
}

#[test]
fn every_pingreq_gets_its_answer() {
    let clock = Clock::start();
    let mut watch = plain(2, clock);
    let fifty = PINGREQ.repeat(50);
    let (mut rest, mut answers) = (&fifty[..], 0);
    while !rest.is_empty() {
        let from = watch.on_receive(rest, clock.s(1)).unwrap();
        assert_eq!(from.reply, Some(PINGRESP));
        answers += 1;
        rest = &rest[from.consumed..];
    }
    assert_eq!(answers, 50);
    let from = watch.on_receive(b"\x30\x04\x00\x01tx", clock.s(1)).unwrap();
    assert_eq!(from.reply, None);
}

/// For testing a client's own watch: nobody answers.
#[test]
fn answers_can_be_switched_off() {
    let clock = Clock::start();
    let config = BrokerConfig::new().answer_pings(false);
    let mut watch = accepted(config, Version::V5, 2, clock);
    let from = watch.on_receive(&PINGREQ, clock.s(1)).unwrap();
    assert_eq!((from.packet, from.reply), (Some(Packet::PingReq), None));
}

/// A message of several megabytes over a slow link: the client is busy, not dead.
#[test]
fn a_slow_large_packet_is_not_silence() {
    let clock = Clock::start();
    let mut watch = plain(1, clock);
    watch
        .on_receive(b"\x30\xff\xff\x7f\x00\x01t", clock.s(0))
        .unwrap();
    for second in 1..100 {
        assert_eq!(watch.handle_timeout(clock.s(second)), None, "at {second} s");
        assert_eq!(
            watch
                .on_receive(&[b'x'; 1000], clock.s(second))
                .unwrap()
                .packet,
            None
        );
    }
    // It stops in the middle: that is silence.
    assert_eq!(watch.handle_timeout(clock.ms(100_500)), None);
    assert!(watch.handle_timeout(clock.ms(100_501)).is_some());
}

/// As the specification has it to the letter, and Mosquitto for the last thousand bytes.
#[test]
fn or_only_whole_packets_count() {
    let clock = Clock::start();
    let config = BrokerConfig::new().partial_packet(PartialPacket::Ignored);
    let mut watch = accepted(config, Version::V3_1_1, 2, clock);
    for half in 1..6 {
        watch
            .on_receive(
                if half == 1 { &[0x30, 0x7f] } else { b"x" },
                clock.ms(half * 500),
            )
            .unwrap();
    }
    assert_eq!(watch.handle_timeout(clock.s(3)), None);
    assert!(watch.handle_timeout(clock.s(3) + NANO).is_some());
}

/// One byte now and then must not hold a slot; a steady thousand a second may go on.
#[test]
fn a_dribbler_is_too_slow() {
    let clock = Clock::start();
    let config = BrokerConfig::new().partial_packet(PartialPacket::AtLeast(100));
    let mut dribbler = accepted(config, Version::V3_1_1, 2, clock);
    let mut steady = dribbler.clone();
    for watch in [&mut dribbler, &mut steady] {
        watch.on_receive(b"\x30\xff\xff\x7f", clock.s(0)).unwrap();
    }
    for second in 1..=3 {
        assert_eq!(dribbler.handle_timeout(clock.s(second)), None);
        dribbler.on_receive(b"x", clock.s(second)).unwrap();
    }
    // Three seconds of credit, and a hundredth of a second for each of the seven bytes.
    assert_eq!(dribbler.poll_timeout(), Some(clock.ms(3070)));
    let expired = dribbler.handle_timeout(clock.ms(3080)).unwrap();
    assert_eq!(
        expired.to_string(),
        "7 bytes of a packet within 3.08s, slower than 100 bytes a second",
    );
    // The same as a verdict, wrapped or not: the real limit, and the time that the packet took.
    let dead = Dead::find(&std::io::Error::other(expired)).unwrap();
    assert_eq!(dead, expired.dead());
    assert_eq!(
        (dead.cause, dead.cause.to_string()),
        (Cause::TooSlow, "too slow".to_owned())
    );
    assert_eq!(
        dead.to_string(),
        "a packet not whole after 3.08s instead of within 3.07s, no round trip measured",
    );
    for second in 1..1000 {
        assert_eq!(
            steady.handle_timeout(clock.s(second)),
            None,
            "at {second} s"
        );
        steady.on_receive(&[b'x'; 100], clock.s(second)).unwrap();
    }
}

/// Without keep alive a half packet is the only thing that can expire.
#[test]
fn a_dribbler_without_keep_alive() {
    let clock = Clock::start();
    let config = BrokerConfig::new().partial_packet(PartialPacket::AtLeast(100));
    let mut watch = accepted(config, Version::V3_1_1, 0, clock);
    assert_eq!(watch.poll_timeout(), None);
    watch.on_receive(&[0x30], clock.s(5)).unwrap();
    assert_eq!(watch.poll_timeout(), Some(clock.ms(15_010)));
    watch.on_receive(&[0x00], clock.s(6)).unwrap();
    assert_eq!(watch.poll_timeout(), None, "a whole packet ends it");
}

#[test]
fn never_sends_connect() {
    let clock = Clock::start();
    let config = BrokerConfig::new().connect_timeout(Duration::from_secs(5));
    let mut silent = BrokerKeepalive::new(config, clock.s(0)).unwrap();
    assert_eq!(silent.poll_timeout(), Some(clock.s(5)));
    assert_eq!(silent.handle_timeout(clock.ms(4999)), None);
    let expired = silent.handle_timeout(clock.s(5)).unwrap();
    assert_eq!(expired.to_string(), "no CONNECT within 5s");
    let dead = expired.dead();
    assert_eq!((dead.cause, dead.silent_for), (Cause::Silent, dead.limit));
    assert_eq!(silent.handle_timeout(clock.s(10)), None, "once");

    // Bytes of a CONNECT do not extend the time for it.
    let mut slow = BrokerKeepalive::new(config, clock.s(0)).unwrap();
    for (n, byte) in connect(Version::V5, "c", 60).iter().take(5).enumerate() {
        slow.on_receive(&[*byte], clock.s(n as u64)).unwrap();
    }
    assert_eq!(slow.poll_timeout(), Some(clock.s(5)));
    // It did say something: not silent, too slow.
    let Some(Expired::NoConnect { dead }) = slow.handle_timeout(clock.s(5)) else {
        panic!()
    };
    assert_eq!(dead.cause, Cause::TooSlow);

    let off = BrokerConfig::new().connect_timeout(Duration::ZERO);
    assert_eq!(
        BrokerKeepalive::new(off, clock.s(0))
            .unwrap()
            .poll_timeout(),
        None
    );
    let silly = BrokerConfig::new().connect_timeout(Duration::from_micros(1));
    assert!(matches!(
        BrokerKeepalive::new(silly, clock.s(0)),
        Err(ConfigError::TooShort {
            name: "connect_timeout",
            ..
        }),
    ));
}

/// A second CONNECT, and one packet before the first, end the watch and are answered as each
/// version can.
#[test]
fn protocol_errors_are_answered_and_end_the_watch() {
    let clock = Clock::start();
    let mut watch = accepted(BrokerConfig::new(), Version::V5, 60, clock);
    let error = watch
        .on_receive(&connect(Version::V5, "c", 60), clock.s(1))
        .unwrap_err();
    assert_eq!(watch.refusal(&error).unwrap()[..], [0xe0, 0x01, 0x82]);
    assert_eq!(watch.poll_timeout(), None);
    assert_eq!(watch.on_receive(&PINGREQ, clock.s(2)), Err(error));

    let mut watch = accepted(BrokerConfig::new(), Version::V3_1_1, 60, clock);
    let error = watch
        .on_receive(&connect(Version::V3_1_1, "c", 60), clock.s(1))
        .unwrap_err();
    assert_eq!(watch.refusal(&error), None, "closed without a word");

    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
    let error = watch.on_receive(&PINGREQ, clock.s(1)).unwrap_err();
    assert_eq!(watch.refusal(&error), None, "no version to answer in");

    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
    let level_6 = b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x3c\x00\x00";
    let error = watch.on_receive(level_6, clock.s(1)).unwrap_err();
    assert_eq!(watch.refusal(&error).unwrap()[..], [0x20, 0x02, 0x00, 0x01]);

    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
    let reserved = b"\x10\x0e\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x01c";
    let error = watch.on_receive(reserved, clock.s(1)).unwrap_err();
    assert_eq!(
        watch.refusal(&error).unwrap()[..],
        [0x20, 0x03, 0x00, 0x81, 0x00]
    );
}

/// A CONNECT that the policy refuses ends the stream like a malformed one.
#[test]
fn a_refused_keep_alive_is_final() {
    let clock = Clock::start();
    let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::AtMost(60));
    let mut watch = BrokerKeepalive::new(config, clock.s(0)).unwrap();
    let error = watch
        .on_receive(&connect(Version::V3_1_1, "c", 61), clock.s(0))
        .unwrap_err();
    assert_eq!(watch.on_receive(&PINGREQ, clock.s(1)), Err(error));
    assert_eq!(watch.on_connack(&ConnAck::new(0), clock.s(1)), 0);
}

/// The first packet from a server is CONNACK. Each PINGREQ before it has its answer behind it.
#[test]
fn pings_before_the_connack_are_answered_behind_it() {
    let clock = Clock::start();
    for (answers, owed) in [(true, 3), (false, 0)] {
        let config = BrokerConfig::new().answer_pings(answers);
        let mut watch = BrokerKeepalive::new(config, clock.s(0)).unwrap();
        let hello = connect(Version::V3_1_1, "c", 60);
        watch.on_receive(&hello, clock.s(0)).unwrap();
        for _ in 0..3 {
            let from = watch.on_receive(&PINGREQ, clock.s(0)).unwrap();
            assert_eq!((from.packet, from.reply), (Some(Packet::PingReq), None));
        }
        let mut refused = watch.clone();
        assert_eq!(refused.on_connack(&ConnAck::new(5), clock.s(1)), 0);
        assert_eq!(watch.on_connack(&ConnAck::new(0), clock.s(1)), owed);
        let from = watch.on_receive(&PINGREQ, clock.s(1)).unwrap();
        assert_eq!(from.reply.is_some(), answers);
    }
}

/// A broker that takes its time to authenticate does not charge it to the client, which has to
/// wait.
#[test]
fn the_brokers_own_slowness_is_not_the_clients() {
    let clock = Clock::start();
    let config = BrokerConfig::new().forgive_stall(false);
    for seconds in [1, 2, 100] {
        let mut watch = BrokerKeepalive::new(config, clock.s(0)).unwrap();
        watch
            .on_receive(&connect(Version::V5, "c", 1), clock.s(0))
            .unwrap();
        assert_eq!(watch.poll_timeout(), None);
        assert_eq!(watch.handle_timeout(clock.s(seconds)), None);
        assert_eq!(watch.on_connack(&ConnAck::new(0), clock.s(seconds)), 0);
        let limit = clock.ms(seconds * 1000 + 1500);
        assert_eq!(watch.handle_timeout(limit), None);
        let expired = watch.handle_timeout(limit + NANO).unwrap();
        assert_eq!(expired.dead().limit, Duration::from_millis(1500));
    }
}

/// The default counts bytes, the specification packets: the price is a client that never ends one.
#[test]
fn a_byte_now_and_then_holds_a_connection_by_default_only() {
    let clock = Clock::start();
    let day = |policy| {
        let config = BrokerConfig::new()
            .partial_packet(policy)
            .forgive_stall(false);
        let mut watch = accepted(config, Version::V3_1_1, 1, clock);
        let huge = b"\x30\xff\xff\xff\x7f".iter().chain(std::iter::repeat(&0));
        let ticks = (0_u64..24 * 3600 * 10 / 14).zip(huge);
        for (tick, byte) in ticks {
            let now = clock.ms(tick * 1400);
            if watch.handle_timeout(now).is_some() {
                return tick;
            }
            watch.on_receive(&[*byte], now).unwrap();
        }
        u64::MAX
    };
    assert_eq!(day(PartialPacket::Counts), u64::MAX);
    assert_eq!(day(PartialPacket::Ignored), 2);
    assert_eq!(day(PartialPacket::AtLeast(10)), 2);
}

/// The courtesy of version 5, after a CONNACK only.
#[test]
fn the_farewell() {
    let clock = Clock::start();
    for (version, bytes) in [
        (Version::V5, Some(&[0xe0, 0x01, 0x8d][..])),
        (Version::V3_1_1, None),
        (Version::V3_1, None),
    ] {
        let mut watch = accepted(BrokerConfig::new(), version, 1, clock);
        assert!(watch.handle_timeout(clock.ms(1501)).is_some());
        assert_eq!(
            watch.farewell(reason::KEEP_ALIVE_TIMEOUT).as_deref(),
            bytes,
            "{version}"
        );
    }
    let mut waiting = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
    waiting
        .on_receive(&connect(Version::V5, "c", 1), clock.s(0))
        .unwrap();
    assert_eq!(waiting.farewell(reason::SHUTTING_DOWN), None);
}

/// Mosquitto's `max_keepalive`: 5 is told, 3 is refused with return code 2.
#[test]
fn at_most() {
    let clock = Clock::start();
    let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::AtMost(60));
    for (asked, told, in_force) in [
        (61, Some(60), 60),
        (60, None, 60),
        (1, None, 1),
        (0, Some(60), 60),
    ] {
        let mut watch = accepted(config, Version::V5, asked, clock);
        assert_eq!(
            (watch.server_keep_alive(), watch.keep_alive()),
            (told, Some(in_force))
        );
        let limit = clock.ms(u64::from(in_force) * 1500);
        assert_eq!(watch.handle_timeout(limit), None);
        assert!(watch.handle_timeout(limit + NANO).is_some());
    }
    for version in [Version::V3_1, Version::V3_1_1] {
        for (asked, fine) in [(61, false), (60, true), (1, true), (0, false)] {
            let mut watch = BrokerKeepalive::new(config, clock.s(0)).unwrap();
            let result = watch.on_receive(&connect(version, "c", asked), clock.s(0));
            if fine {
                assert_eq!(
                    (watch.server_keep_alive(), watch.keep_alive()),
                    (None, Some(asked))
                );
                continue;
            }
            let error = result.unwrap_err();
            assert_eq!(error, MqttError::KeepAlive { asked, most: 60 });
            assert_eq!(watch.refusal(&error).unwrap()[..], [0x20, 0x02, 0x00, 0x02]);
            assert_eq!(watch.poll_timeout(), None);
        }
    }
    let error = MqttError::KeepAlive {
        asked: 101,
        most: 100,
    };
    assert_eq!(
        error.to_string(),
        "CONNECT: a keep alive of 101 s where at most 100 s are allowed (0 is no limit)",
    );
}

#[test]
fn exactly() {
    let clock = Clock::start();
    let dictate = |seconds| BrokerConfig::new().keep_alive(KeepAlivePolicy::Exactly(seconds));
    for asked in [0, 1, 20, 65535] {
        let watch = accepted(dictate(20), Version::V5, asked, clock);
        assert_eq!(
            (watch.server_keep_alive(), watch.keep_alive()),
            (Some(20), Some(20))
        );
    }
    // 0 is off, and is said so.
    let watch = accepted(dictate(0), Version::V5, 20, clock);
    assert_eq!(
        (watch.server_keep_alive(), watch.keep_alive()),
        (Some(0), None)
    );
    assert_eq!(watch.poll_timeout(), None);
    // Older clients keep their own, which must not be longer.
    let watch = accepted(dictate(20), Version::V3_1_1, 10, clock);
    assert_eq!(
        (watch.server_keep_alive(), watch.keep_alive()),
        (None, Some(10))
    );
    let mut watch = BrokerKeepalive::new(dictate(20), clock.s(0)).unwrap();
    assert!(
        watch
            .on_receive(&connect(Version::V3_1_1, "c", 21), clock.s(0))
            .is_err()
    );
}

/// A proxy: the broker behind it dictates, in the CONNACK that passes.
#[test]
fn the_keep_alive_of_a_server_behind_us_counts() {
    let clock = Clock::start();
    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
    watch
        .on_receive(&connect(Version::V5, "c", 60), clock.s(0))
        .unwrap();
    let bytes = [0x20, 0x06, 0x00, 0x00, 0x03, 0x13, 0x00, 0x0a];
    let (_, packet) = Scanner::from_server().scan(&bytes).unwrap();
    let Some(Packet::ConnAck(ack)) = packet else {
        panic!()
    };
    assert_eq!(watch.on_connack(&ack, clock.s(0)), 0);
    assert_eq!(watch.keep_alive(), Some(10));
    assert_eq!(watch.poll_timeout(), Some(clock.s(15) + NANO));
}

#[test]
fn a_refused_client_is_not_watched() {
    let clock = Clock::start();
    let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
    watch
        .on_receive(&connect(Version::V5, "c", 60), clock.s(0))
        .unwrap();
    assert_eq!(watch.on_connack(&ConnAck::new(0x87), clock.s(0)), 0);
    assert_eq!(watch.poll_timeout(), None);
}

#[test]
fn a_client_that_said_goodbye_does_not_expire() {
    let clock = Clock::start();
    let mut watch = plain(1, clock);
    let mut bye = BytesMut::new();
    Disconnect::default()
        .encode(Version::V3_1_1, &mut bye)
        .unwrap();
    let from = watch.on_receive(&bye, clock.s(1)).unwrap();
    assert!(matches!(from.packet, Some(Packet::Disconnect(_))));
    assert_eq!(watch.handle_timeout(clock.s(100)), None);
}

/// This side was suspended: the client's packets may lie unread. It gets one clean window, and no
/// more.
#[test]
fn our_own_stall_is_forgiven_once() {
    let clock = Clock::start();
    let mut watch = plain(2, clock);
    assert_eq!(watch.handle_timeout(clock.s(100)), None, "forgiven");
    assert_eq!(watch.poll_timeout(), Some(clock.s(103) + NANO));
    let mut strict = watch.clone();
    assert!(
        strict.handle_timeout(clock.s(200)).is_some(),
        "once per silence"
    );
    watch.on_receive(&PINGREQ, clock.s(102)).unwrap();
    assert_eq!(
        watch.handle_timeout(clock.s(200)),
        None,
        "and again after life"
    );

    let config = BrokerConfig::new().forgive_stall(false);
    let mut watch = accepted(config, Version::V3_1_1, 2, clock);
    assert!(watch.handle_timeout(clock.s(100)).is_some());
}

/// The whole state of a connection, without a will: in a broker, and in a proxy that reads the
/// other direction too.
#[test]
fn state_is_small() {
    let watch = size_of::<BrokerKeepalive>();
    let scanner = size_of::<Scanner>();
    assert!(scanner <= 96, "{scanner}");
    assert!(watch + scanner <= 256, "{watch} + {scanner}");
}

#[derive(Debug, Clone)]
enum Step {
    Packet(u64),
    Byte(u64),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4000_u64).prop_map(Step::Packet),
        (0..4000_u64).prop_map(Step::Byte),
        (0..4000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Never early, never late, whatever comes when: the naive model is the last sign of life.
    #[test]
    fn expires_at_one_and_a_half_and_never_before(
        keep_alive in 1..3_u16,
        policy in prop_oneof![Just(PartialPacket::Counts), Just(PartialPacket::Ignored)],
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let clock = Clock::start();
        let mut watch = accepted(BrokerConfig::new().partial_packet(policy), Version::V3_1_1, keep_alive, clock);
        let limit = Duration::from_millis(u64::from(keep_alive) * 1500);
        let (mut now, mut heard, mut open) = (0, 0, 0_usize);
        // A PUBLISH of 102 bytes, over and over.
        let publish = [&[0x30, 100][..], &[b'x'; 100]].concat();
        for step in steps {
            let (Step::Packet(wait) | Step::Byte(wait) | Step::Wait(wait)) = step;
            let due = clock.ms(heard) + limit + NANO;
            prop_assert_eq!(watch.poll_timeout(), Some(due));
            now += wait;
            if clock.ms(now) >= due {
                prop_assert_eq!(watch.handle_timeout(due - NANO), None, "early");
                let expired = watch.handle_timeout(due);
                let Some(Expired::Silent { keep_alive: seconds, dead }) = expired else {
                    return Err(TestCaseError::fail(format!("{expired:?}")));
                };
                prop_assert_eq!((seconds, dead.limit), (keep_alive, limit));
                prop_assert_eq!(dead.silent_for, limit + NANO);
                prop_assert_eq!(watch.handle_timeout(clock.ms(now + 1_000_000)), None, "twice");
                return Ok(());
            }
            prop_assert_eq!(watch.handle_timeout(clock.ms(now)), None);
            let size = match step {
                Step::Packet(_) => publish.len() - open,
                Step::Byte(_) => 1,
                Step::Wait(_) => continue,
            };
            let from = watch.on_receive(&publish[open..open + size], clock.ms(now)).unwrap();
            open = (open + size) % publish.len();
            prop_assert_eq!(from.packet.is_some(), open == 0);
            if open == 0 || policy == PartialPacket::Counts {
                heard = now;
            }
        }
    }
}

/// Clocks that go back, and calls that repeat, change nothing.
#[test]
fn an_older_now_counts_as_the_newest() {
    let clock = Clock::start();
    let mut watch = plain(2, clock);
    watch.on_receive(&PINGREQ, clock.s(10)).unwrap();
    assert_eq!(watch.handle_timeout(clock.s(1)), None);
    watch.on_receive(&PINGREQ, clock.s(1)).unwrap();
    assert_eq!(watch.poll_timeout(), Some(clock.s(13) + NANO));
    let mut hello = Connect::new(Version::V5, "c");
    hello.keep_alive = 9;
    let mut fresh = BrokerKeepalive::new(BrokerConfig::new(), clock.s(50)).unwrap();
    fresh.on_receive(&encoded(&hello), clock.s(0)).unwrap();
    assert_eq!(fresh.on_connack(&ConnAck::new(0), clock.s(1)), 0);
    assert_eq!(fresh.poll_timeout(), Some(clock.ms(63_500) + NANO));
}
