//! `mqtt::Wire` under `KeepaliveStream`: what passes, what is put in and taken out, and when.
//!
//! The view that it is compared with is a splitter of whole buffers, written here.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use futures::io::AsyncWrite;
use liveness::io::KeepaliveStream;
use liveness::mqtt::{
    ClientConfig, ConnAck, Connect, Disconnect, PINGREQ, PINGRESP, Version, Wire, reason,
};
use liveness::test_util::Sim;
use liveness::{Cause, Dead, KeepaliveConfig};
use proptest::prelude::*;

use crate::common::{self, Input, Script, noop, read_some, write_all};

type Stream = KeepaliveStream<Script, Wire, Sim>;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn stream(wire: Wire, sim: &Sim) -> Stream {
    KeepaliveStream::new(Script::default(), wire, KeepaliveConfig::off(), sim.clone()).unwrap()
}

fn read_all(stream: &mut Stream, room: usize) -> Vec<u8> {
    common::read_all(stream, room).unwrap()
}

/// What a read that waits is told once there is a verdict; a verdict takes a turn of the executor.
fn failure(stream: &mut Stream) -> Option<std::io::Error> {
    (0..3).find_map(|_| match read_some(stream, 100) {
        Poll::Ready(read) => read.err(),
        Poll::Pending => None,
    })
}

fn write_some(stream: &mut Stream, bytes: &[u8]) -> usize {
    match noop(|cx| Pin::new(stream).poll_write(cx, bytes)) {
        Poll::Ready(taken) => taken.unwrap(),
        Poll::Pending => 0,
    }
}

fn connect(version: Version, keep_alive: u16) -> BytesMut {
    let mut connect = Connect::new(version, "meter 7");
    connect.keep_alive = keep_alive;
    let mut out = BytesMut::new();
    connect.encode(&mut out).unwrap();
    out
}

fn connack(version: Version, code: u8, server_keep_alive: Option<u16>) -> BytesMut {
    let mut ack = ConnAck::new(code);
    ack.server_keep_alive = server_keep_alive;
    let mut out = BytesMut::new();
    ack.encode(version, &mut out).unwrap();
    out
}

fn disconnect(version: Version, reason: u8) -> BytesMut {
    let mut out = BytesMut::new();
    Disconnect::new(reason).encode(version, &mut out).unwrap();
    out
}

/// The packets in `bytes`; `None` if they do not end with one.
fn split(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let last = bytes[1..]
            .iter()
            .take(4)
            .position(|byte| byte & 0x80 == 0)?;
        let length = &bytes[1..][..=last];
        let body = length
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        let size = 2 + last + body;
        packets.push(bytes.get(..size)?.to_vec());
        bytes = &bytes[size..];
    }
    Some(packets)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut packet, mut left) = (vec![first], body.len());
    loop {
        let more = if left > 0x7f { 0x80 } else { 0 };
        packet.push((left & 0x7f) as u8 | more);
        left >>= 7;
        if left == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

/// Packets with these first bytes, of all sizes that matter for the header.
fn packets(firsts: &'static [u8]) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let size = prop_oneof![6 => 0_usize..20, 2 => 126_usize..130, 1 => 16_382_usize..16_388];
    let one = (proptest::sample::select(firsts), size, any::<u8>());
    let one = one.prop_map(|(first, size, seed)| {
        // Bodies are full of what looks like pings.
        let body: Vec<u8> = (0..size)
            .map(|at| [0xc0, 0x00, 0xd0, 0x00, seed][at % 5])
            .collect();
        let is_ping = matches!(first, 0xc0 | 0xd0);
        packet(first, if is_ping { &[] } else { &body })
    });
    proptest::collection::vec(one, 0..12)
}

/// What a client sends, and what a server sends, behind the handshake.
const BY_CLIENT: &[u8] = &[0x30, 0x3b, 0x40, 0x50, 0x62, 0x82, 0xa2, 0xc0, 0xf0];
const BY_SERVER: &[u8] = &[0x30, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xf0];

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![
        Just(Version::V3_1),
        Just(Version::V3_1_1),
        Just(Version::V5)
    ]
}

/// A client's stream behind the handshake.
fn accepted(version: Version, keep_alive: u16, sim: &Sim) -> Stream {
    let mut stream = stream(Wire::client(ClientConfig::new()), sim);
    write_all(&mut stream, &connect(version, keep_alive));
    stream.get_mut().push(&connack(version, 0, None));
    assert_eq!(read_all(&mut stream, 100), connack(version, 0, None));
    stream.get_mut().written.clear();
    stream
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// PINGREQs stand between packets, and the rest is the user's own; none before the CONNACK,
    /// none behind a DISCONNECT.
    #[test]
    fn pings_stand_between_packets(
        version in version(),
        keep_alive in 1_u16..,
        users in packets(BY_CLIENT),
        bye in any::<bool>(),
        chunks in proptest::collection::vec((1_usize..70, any::<bool>()), 1..80),
        takes in proptest::collection::vec(0_usize..2000, 0..60),
        step in 1_usize..40,
    ) {
        let mut stream = stream(Wire::client(ClientConfig::new()), &Sim::new());
        let hello = connect(version, keep_alive);
        stream.probe_now();
        for chunk in hello.chunks(step) {
            write_all(&mut stream, chunk);
            read_all(&mut stream, 100);
        }
        stream.probe_now();
        read_all(&mut stream, 100);
        prop_assert_eq!(&stream.get_ref().written, &hello);
        prop_assert_eq!(stream.wire().keep_alive(), Some(keep_alive));
        let ack = connack(version, 0, None);
        ack.chunks(step).for_each(|chunk| stream.get_mut().push(chunk));
        prop_assert_eq!(read_all(&mut stream, 100), ack);

        let mut users = users;
        if bye {
            users.push(disconnect(version, reason::NORMAL).to_vec());
        }
        let all = users.concat();
        stream.get_mut().takes = takes.into();
        let (mut rest, mut chunks) = (&all[..], chunks.into_iter().cycle());
        let mut wanted = 2;
        while !rest.is_empty() {
            let (size, probe) = chunks.next().unwrap();
            if probe && wanted < 40 {
                stream.probe_now();
                read_all(&mut stream, 10);
                wanted += 1;
            }
            let size = if size > 60 { rest.len() } else { size.min(rest.len()) };
            rest = &rest[write_some(&mut stream, &rest[..size])..];
        }
        stream.probe_now();
        read_all(&mut stream, 100);
        let written = stream.get_ref().written[hello.len()..].to_vec();
        let sent = split(&written).expect("whole packets");
        let (mut sent, mut ours) = (sent.into_iter(), 0);
        for expected in &users {
            let found = sent.by_ref().find(|packet| {
                let is_extra = packet != expected;
                if is_extra {
                    assert_eq!(packet, &PINGREQ, "put in");
                    ours += 1;
                }
                !is_extra
            });
            prop_assert_eq!(found.as_ref(), Some(expected));
        }
        for packet in sent {
            prop_assert_eq!(&packet[..], PINGREQ);
            prop_assert!(!bye, "a PINGREQ behind DISCONNECT");
            ours += 1;
        }
        prop_assert!(ours <= wanted + 1);
        prop_assert!(ours > 0 || bye);
    }

    /// The answers to our PINGREQs are taken out of what comes in, those to the user's pass.
    #[test]
    fn answers_are_taken_out(
        version in version(),
        askers in proptest::collection::vec(any::<bool>(), 0..40),
        theirs in packets(BY_SERVER),
        places in proptest::collection::vec(0_usize..3, 1..20),
        chunks in proptest::collection::vec(1_usize..300, 1..80),
        room in prop_oneof![1_usize..40, Just(5000)],
    ) {
        let mut stream = accepted(version, 60, &Sim::new());
        for &is_ours in &askers {
            let before = stream.get_ref().written.len();
            if is_ours {
                stream.probe_now();
                read_all(&mut stream, 10);
            } else {
                write_all(&mut stream, &PINGREQ);
            }
            prop_assert_eq!(&stream.get_ref().written[before..], PINGREQ);
        }
        let (mut all, mut expected) = (Vec::new(), Vec::new());
        let mut answers = askers.iter();
        let answer = |is_ours: &bool, all: &mut Vec<u8>, expected: &mut Vec<u8>| {
            all.extend(PINGRESP);
            if !is_ours {
                expected.extend(PINGRESP);
            }
        };
        for (packet, count) in theirs.iter().zip(places.iter().cycle()) {
            for is_ours in answers.by_ref().take(*count) {
                answer(is_ours, &mut all, &mut expected);
            }
            all.extend_from_slice(packet);
            expected.extend_from_slice(packet);
        }
        answers.for_each(|is_ours| answer(is_ours, &mut all, &mut expected));
        // One more than there were questions.
        all.extend(PINGRESP);
        expected.extend(PINGRESP);

        let (mut rest, mut chunks) = (&all[..], chunks.into_iter().cycle());
        while !rest.is_empty() {
            let (chunk, left) = rest.split_at(chunks.next().unwrap().min(rest.len()));
            stream.get_mut().input.extend([Input::Bytes(chunk.to_vec()), Input::Nothing]);
            rest = left;
        }
        stream.get_mut().input.push_back(Input::End);
        let mut got = Vec::new();
        while stream.get_ref().input.len() > 1 {
            if let Poll::Ready(bytes) = read_some(&mut stream, room) {
                got.extend(bytes.unwrap());
            }
        }
        got.extend(read_all(&mut stream, room));
        prop_assert_eq!(got, expected);
        // Of several open pings none is timed: a PINGRESP has no number.
        let ours = askers.iter().filter(|ours| **ours).count();
        prop_assert!(ours != 1 || stream.rtt().samples() == 1);
        prop_assert!(ours > 0 || stream.rtt().samples() == 0);
    }

    /// Bytes that mean nothing pass in both directions, in every state, and nothing panics.
    #[test]
    fn garbage_passes_untouched(
        is_client in any::<bool>(),
        is_connected in any::<bool>(),
        outgoing in proptest::collection::vec(garbage(), 0..30),
        incoming in proptest::collection::vec(garbage(), 0..30),
        room in 1_usize..50,
    ) {
        let mut wire = if is_client { Wire::client(ClientConfig::new()) } else { Wire::broker() };
        if is_connected {
            wire = wire.connected(60);
        }
        let mut stream = stream(wire, &Sim::new());
        for bytes in &outgoing {
            write_all(&mut stream, bytes);
        }
        prop_assert_eq!(&stream.get_ref().written, &outgoing.concat());
        for bytes in incoming.iter().filter(|bytes| !bytes.is_empty()) {
            stream.get_mut().push(bytes);
        }
        stream.get_mut().input.push_back(Input::End);
        prop_assert_eq!(read_all(&mut stream, room), incoming.concat());
        stream.probe_now();
        read_all(&mut stream, room);
        if !(is_client && is_connected) {
            prop_assert_eq!(&stream.get_ref().written, &outgoing.concat());
        }
    }

    /// A broker's side puts nothing in and takes nothing out.
    #[test]
    fn a_brokers_bytes_are_its_own(
        version in version(),
        theirs in packets(BY_CLIENT),
        ours in packets(BY_SERVER),
        step in 1_usize..300,
    ) {
        let mut stream = stream(Wire::broker(), &Sim::new());
        let incoming = [connect(version, 7).to_vec(), theirs.concat()].concat();
        let outgoing = [connack(version, 0, None).to_vec(), ours.concat(), PINGRESP.to_vec()].concat();
        incoming.chunks(step).for_each(|chunk| stream.get_mut().push(chunk));
        prop_assert_eq!(read_all(&mut stream, 100), incoming);
        for chunk in outgoing.chunks(step) {
            write_all(&mut stream, chunk);
            stream.probe_now();
            read_all(&mut stream, 10);
        }
        prop_assert_eq!(&stream.get_ref().written, &outgoing);
        prop_assert_eq!(stream.wire().keep_alive(), Some(7));
    }
}

/// Bytes of which some look like packets.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let telling = proptest::sample::select(
        &[
            0x10, 0x20, 0x30, 0xc0, 0xd0, 0xe0, 0xf0, 0x00, 0x01, 0x80, 0xff, b'M', b'Q', 4, 5,
        ][..],
    );
    let bytes = proptest::collection::vec(prop_oneof![3 => telling, 1 => any::<u8>()], 0..40);
    let handshake = (version(), 0_usize..14).prop_map(|(version, cut)| {
        let hello = connect(version, 60);
        hello[..hello.len().min(cut)].to_vec()
    });
    prop_oneof![6 => bytes, 1 => handshake]
}

/// What the handshake says is what the stream runs on.
#[test]
fn the_handshake_configures_the_stream() {
    let config = ClientConfig::new().reply_timeout(3 * S);
    let cases = [
        // asked, by the server, in force
        (60, None, 60),
        (60, Some(10), 10),
        (0, Some(10), 10),
        (60, Some(0), 0),
        (0, None, 0),
        (65535, None, 65535),
    ];
    for (asked, given, in_force) in cases {
        let mut client = stream(Wire::client(config), &Sim::new());
        write_all(&mut client, &connect(Version::V5, asked));
        assert_eq!(
            client.config().detection_bound().map(|bound| bound.quiet),
            Some(10 * S),
            "until the CONNACK"
        );
        client.get_mut().push(&connack(Version::V5, 0, given));
        read_all(&mut client, 100);
        assert_eq!(
            client.config(),
            config.keepalive(in_force),
            "{asked} {given:?}"
        );

        let mut broker = stream(Wire::broker(), &Sim::new());
        broker.get_mut().push(&connect(Version::V5, asked));
        read_all(&mut broker, 100);
        let bound = broker.config().detection_bound().map(|bound| bound.quiet);
        assert_eq!(bound, None, "until the CONNACK it is the library's turn");
        write_all(&mut broker, &connack(Version::V5, 0, given));
        let bound = broker.config().detection_bound().map(|bound| bound.quiet);
        assert_eq!(
            bound,
            KeepaliveConfig::mqtt_broker(in_force)
                .detection_bound()
                .map(|bound| bound.quiet)
        );
    }
}

/// A keep alive of 0 asks nothing, for a day.
#[test]
fn off_is_off() {
    let sim = Sim::new();
    let mut stream = accepted(Version::V3_1_1, 0, &sim);
    for _ in 0..24 {
        sim.advance(3600 * S);
        assert!(failure(&mut stream).is_none());
    }
    assert!(stream.get_ref().written.is_empty());
}

/// Never more than the keep alive between two packets out, whatever comes in and goes out; and a
/// broker that says nothing is dead within the bound.
#[test]
fn the_promise_is_kept_and_the_broker_is_checked() {
    let sim = Sim::new();
    let mut stream = accepted(Version::V5, 10, &sim);
    let (mut quiet, mut sent, mut pings) = (Duration::ZERO, 0, 0);
    for tick in 0..20_000 {
        sim.advance(10 * MS);
        quiet += 10 * MS;
        if tick % 70 == 0 {
            stream.get_mut().push(&packet(0x30, b"\x00\x01amessage"));
        }
        // Now and then the user sends something, not always whole.
        if tick % 1500 == 0 {
            write_all(&mut stream, &packet(0x30, b"\x00\x01amessage"));
        }
        read_all(&mut stream, 100);
        let written = &stream.get_ref().written;
        if written.len() > sent {
            let new = &written[sent..];
            if new.ends_with(&PINGREQ) {
                pings += 1;
                stream.get_mut().push(&PINGRESP);
            }
            (sent, quiet) = (stream.get_ref().written.len(), Duration::ZERO);
        }
        assert!(quiet <= 9010 * MS, "silent for {quiet:?} at {tick}");
    }
    assert!((13..30).contains(&pings), "{pings} pings in 200 s");

    let (bound, mut silent) = (
        stream.detection_bound().map(|bound| bound.quiet).unwrap(),
        Duration::ZERO,
    );
    assert!(bound <= Duration::from_millis(14_600), "{bound:?}");
    let dead = loop {
        sim.advance(10 * MS);
        silent += 10 * MS;
        if let Some(error) = failure(&mut stream) {
            break Dead::find(&error).expect("a verdict");
        }
        assert!(silent <= bound, "no verdict after {silent:?}");
    };
    assert_eq!(dead.cause, Cause::NoReply);
    assert!(silent >= 5 * S, "{silent:?}");
}

/// A library that pings by itself, like `rumqttc`, is not disturbed and does not disturb.
#[test]
fn a_library_that_pings_by_itself() {
    let sim = Sim::new();
    let mut stream = accepted(Version::V3_1_1, 10, &sim);
    let mut answered = 0;
    for second in 1..=100 {
        sim.advance(S);
        if second % 10 == 0 {
            write_all(&mut stream, &PINGREQ);
        }
        read_all(&mut stream, 100);
        let asked = stream.get_ref().written.len() / PINGREQ.len();
        for _ in answered..asked {
            stream.get_mut().push(&PINGRESP);
        }
        answered = asked;
        let passed = read_all(&mut stream, 100);
        let expected: &[u8] = if second % 10 == 0 { &PINGRESP } else { &[] };
        assert_eq!(passed, expected, "second {second}");
    }
    assert!(
        stream
            .get_ref()
            .written
            .chunks(2)
            .all(|packet| packet == PINGREQ)
    );
    assert!(stream.rtt().samples() >= 9, "ours were answered too");
}

/// After a DISCONNECT in either direction, or a refusal, nobody is asked; the peer has its bound to
/// end the connection.
#[test]
fn nothing_is_asked_after_the_end() {
    for case in 0..3 {
        let sim = Sim::new();
        let mut stream = if case == 2 {
            let mut stream = stream(Wire::client(ClientConfig::new()), &sim);
            write_all(&mut stream, &connect(Version::V5, 10));
            stream.get_mut().push(&connack(Version::V5, 0x87, None));
            stream
        } else {
            accepted(Version::V5, 10, &sim)
        };
        match case {
            0 => write_all(&mut stream, &disconnect(Version::V5, reason::NORMAL)),
            1 => stream
                .get_mut()
                .push(&disconnect(Version::V5, reason::SESSION_TAKEN_OVER)),
            _ => {}
        }
        read_all(&mut stream, 100);
        let written = stream.get_ref().written.clone();
        stream.probe_now();
        sim.advance(Duration::from_millis(9500));
        assert!(failure(&mut stream).is_none(), "case {case}");
        let error = (0..20).find_map(|_| {
            sim.advance(S / 2);
            failure(&mut stream)
        });
        let dead = Dead::find(&error.expect("it does not hang")).expect("a verdict");
        assert_eq!(dead.cause, Cause::Silent, "case {case}");
        assert_eq!(stream.get_ref().written, written, "case {case}");
    }
}

/// 1.5 keep alives and not a moment less, for every version and the ends of the range.
#[test]
fn a_silent_client_is_dead_after_one_and_a_half_keep_alives() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        for keep_alive in [1, 2, 3, 60, 65535] {
            let sim = Sim::new();
            let mut stream = stream(Wire::broker(), &sim);
            stream.get_mut().push(&connect(version, keep_alive));
            read_all(&mut stream, 100);
            write_all(&mut stream, &connack(version, 0, None));
            let limit = Duration::from_millis(u64::from(keep_alive) * 1500);
            let step = limit / 64;
            let wait = |stream: &mut Stream, steps: u32| {
                (0..steps).find_map(|_| {
                    sim.advance(step);
                    failure(stream)
                })
            };
            for _ in 0..5 {
                assert!(wait(&mut stream, 60).is_none(), "{version} {keep_alive}");
                // Half a packet is a sign of life; what goes out is none.
                stream.get_mut().push(&[0x30]);
                assert_eq!(read_all(&mut stream, 100), [0x30]);
                assert!(wait(&mut stream, 60).is_none(), "{version} {keep_alive}");
                stream.get_mut().push(&[0x00]);
                assert_eq!(read_all(&mut stream, 100), [0x00]);
                write_all(&mut stream, &packet(0x30, b"\x00\x01a"));
            }
            assert!(wait(&mut stream, 32).is_none(), "{version} {keep_alive}");
            write_all(&mut stream, &packet(0x30, b"\x00\x01a"));
            assert!(wait(&mut stream, 32).is_none(), "{version} {keep_alive}");
            let error = wait(&mut stream, 5).expect("at most a sixteenth late");
            let dead = Dead::find(&error).expect("a verdict");
            assert_eq!((dead.cause, dead.limit), (Cause::Silent, limit));
            assert!(dead.silent_for >= limit, "{dead}");
        }
    }
}

/// A client that connects and says nothing, and a broker that accepts and says nothing.
#[test]
fn the_handshake_has_a_limit() {
    let sim = Sim::new();
    let limit = KeepaliveConfig::off().silence(10 * S);
    let script = Script::default();
    let mut broker = KeepaliveStream::new(script, Wire::broker(), limit, sim.clone()).unwrap();
    sim.advance(9 * S);
    assert!(failure(&mut broker).is_none());
    sim.advance(2 * S);
    assert!(failure(&mut broker).is_some());

    let sim = Sim::new();
    let mut client = stream(Wire::client(ClientConfig::new()), &sim);
    sim.advance(60 * S);
    assert!(failure(&mut client).is_none(), "no CONNECT, no promise");
    write_all(&mut client, &connect(Version::V3_1_1, 0));
    sim.advance(9 * S);
    assert!(failure(&mut client).is_none());
    sim.advance(2 * S);
    let error = failure(&mut client).expect("no CONNACK");
    assert_eq!(
        Dead::find(&error).map(|dead| dead.cause),
        Some(Cause::Silent)
    );
}

/// What is no MQTT is left alone, and judged by nobody.
#[test]
fn another_protocol_is_left_alone() {
    let sim = Sim::new();
    let mut stream = stream(Wire::client(ClientConfig::new()), &sim);
    write_all(&mut stream, &connect(Version::V3_1_1, 10));
    stream.get_mut().push(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(
        read_all(&mut stream, 100),
        b"HTTP/1.1 400 Bad Request\r\n\r\n"
    );
    let written = stream.get_ref().written.len();
    sim.advance(3600 * S);
    assert!(failure(&mut stream).is_none());
    assert_eq!(stream.get_ref().written.len(), written);
}

/// What is no MQTT is left alone by the broker's side, too: the limit for a client that says
/// nothing is not for one that says something else.
#[test]
fn another_protocol_is_left_alone_by_a_broker() {
    let sim = Sim::new();
    let limit = KeepaliveConfig::off().silence(10 * S);
    let script = Script::default();
    let mut stream = KeepaliveStream::new(script, Wire::broker(), limit, sim.clone()).unwrap();
    stream.get_mut().push(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(read_all(&mut stream, 100), b"GET / HTTP/1.1\r\n\r\n");
    sim.advance(3600 * S);
    assert!(failure(&mut stream).is_none());
}

/// A CONNECT of any size, a bridge's, and a CONNACK with more in front of the Server Keep Alive
/// than any buffer: nothing of them is kept, so nothing of them is too large.
#[test]
fn a_handshake_of_any_size_is_followed() {
    let mut large = Connect::new(Version::V3_1_1, "meter 7");
    large.keep_alive = 60;
    large.will = Some(liveness::mqtt::Will::new("gone", vec![0xd0; 65_535]));
    large.username = Some("u".repeat(65_535));
    let mut bridge = Connect::new(Version::V3_1_1, "bridge");
    (bridge.keep_alive, bridge.is_bridge) = (60, true);
    let mut old_bridge = Connect::new(Version::V3_1, "bridge");
    (old_bridge.keep_alive, old_bridge.is_bridge) = (60, true);
    let v3 = [large, bridge, old_bridge].map(|connect| {
        let mut bytes = BytesMut::new();
        connect.encode(&mut bytes).unwrap();
        (bytes.to_vec(), b"\x20\x02\x00\x00".to_vec(), 60)
    });
    // Version 5: 300 KB of user properties, then a Server Keep Alive of 10 s.
    let pair = [
        b"\x26\xff\xff".to_vec(),
        vec![b'k'; 65_535],
        b"\x00\x01v".to_vec(),
    ]
    .concat();
    let block = [pair.repeat(5), b"\x13\x00\x0a\x11\x00\x00\x00\x09".to_vec()].concat();
    let length = &packet(0, &block)[1..];
    let length = &length[..length.len() - block.len()];
    let ack = packet(0x20, &[b"\x00\x00", length, &block].concat());
    let v5 = (connect(Version::V5, 60).to_vec(), ack, 10);

    for (hello, ack, in_force) in v3.into_iter().chain([v5]) {
        for step in [1, 7, 1024, usize::MAX] {
            let sim = Sim::new();
            let mut client = stream(Wire::client(ClientConfig::new()), &sim);
            let limit = KeepaliveConfig::off().silence(10 * S);
            let script = Script::default();
            let mut broker =
                KeepaliveStream::new(script, Wire::broker(), limit, sim.clone()).unwrap();
            for chunk in hello.chunks(step.min(hello.len())) {
                write_all(&mut client, chunk);
                broker.get_mut().push(chunk);
            }
            assert!(client.get_ref().written == hello);
            assert!(read_all(&mut broker, 4096) == hello);
            for chunk in ack.chunks(step.min(ack.len())) {
                client.get_mut().push(chunk);
                write_all(&mut broker, chunk);
            }
            assert!(read_all(&mut client, 4096) == ack);
            assert_eq!(client.wire().keep_alive(), Some(in_force));
            assert_eq!(broker.wire().keep_alive(), Some(in_force));
            // The client asks in time, and the broker's side waits 1.5 times as long.
            sim.advance(Duration::from_millis(u64::from(in_force) * 901));
            read_all(&mut client, 100);
            assert!(client.get_ref().written.ends_with(&PINGREQ));
            assert!(failure(&mut broker).is_none(), "alive at 0.9");
            sim.advance(Duration::from_millis(u64::from(in_force) * 700));
            assert!(failure(&mut broker).is_some(), "dead at 1.6");
        }
    }
}

/// The answer of a server that does not speak version 5 is a refusal, in the format of 3.1.1.
#[test]
fn a_server_without_version_5_refuses() {
    let sim = Sim::new();
    let mut stream = stream(Wire::client(ClientConfig::new()), &sim);
    write_all(&mut stream, &connect(Version::V5, 10));
    stream.get_mut().push(b"\x20\x02\x00\x01");
    assert_eq!(read_all(&mut stream, 100), b"\x20\x02\x00\x01");
    let written = stream.get_ref().written.len();
    stream.probe_now();
    read_all(&mut stream, 100);
    assert_eq!(stream.get_ref().written.len(), written, "nothing is asked");
    assert_eq!(
        stream.config().detection_bound().map(|bound| bound.quiet),
        Some(10 * S),
        "it may close"
    );
}

/// The time that the library takes to accept is not the client's: the 1.5 keep alives begin with
/// the CONNACK, and the wait for a CONNACK with the CONNECT.
#[test]
fn each_wait_begins_with_its_packet() {
    for wait in [S, 1400 * MS, 100 * S] {
        let sim = Sim::new();
        let mut broker = stream(Wire::broker(), &sim);
        broker.get_mut().push(&connect(Version::V3_1_1, 1));
        read_all(&mut broker, 100);
        sim.advance(wait);
        assert!(failure(&mut broker).is_none());
        write_all(&mut broker, &connack(Version::V3_1_1, 0, None));
        sim.advance(1499 * MS);
        assert!(failure(&mut broker).is_none(), "after {wait:?}");
        sim.advance(100 * MS);
        assert!(failure(&mut broker).is_some(), "after {wait:?}");

        let sim = Sim::new();
        let mut client = stream(Wire::client(ClientConfig::new()), &sim);
        sim.advance(8 * S);
        write_all(&mut client, &connect(Version::V3_1_1, 60));
        sim.advance(9 * S);
        assert!(failure(&mut client).is_none());
        sim.advance(2 * S);
        assert!(failure(&mut client).is_some());
    }
}
