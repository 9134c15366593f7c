//! Borders and kinds: against an independent decoder, in every chunking, on garbage.

use bytes::{Bytes, BytesMut};
use liveness::mqtt::{Connect, Limits, Packet, PacketType, Scanner, UnderWay, Version};
use proptest::prelude::*;
use proptest::sample::Index;
use rumqttc::mqttbytes::{QoS, v4};
use rumqttc::v5::mqttbytes::{QoS as QoS5, v5};

use super::{any_bytes, any_connect, any_topic, connect, encoded, scan_all};

/// `bytes` cut at these places.
fn chunks<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

/// A CONNECT that the other implementation can read: it takes passwords for text, and wants both
/// credentials or none, and a client identifier.
fn readable_elsewhere(version: Version) -> impl Strategy<Value = Connect> {
    let right = move |c: &Connect| c.version == version && !c.client_id.is_empty();
    any_connect()
        .prop_filter("version", right)
        .prop_map(|mut hello| {
            hello.password = hello
                .username
                .as_ref()
                .map(|_| Bytes::from_static(b"secret"));
            hello
        })
}

const fn qos(n: u8) -> QoS {
    match n {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

const fn qos5(n: u8) -> QoS5 {
    match n {
        0 => QoS5::AtMostOnce,
        1 => QoS5::AtLeastOnce,
        _ => QoS5::ExactlyOnce,
    }
}

/// A packet that a client of 3.1.1 may send after CONNECT, written by the other implementation.
fn any_packet() -> impl Strategy<Value = v4::Packet> {
    let publish = (
        any_topic(),
        0..3_u8,
        any_bytes(5000),
        1..=u16::MAX,
        any::<bool>(),
    )
        .prop_map(|(topic, level, payload, id, retain)| {
            let mut publish = v4::Publish::from_bytes(topic, qos(level), payload);
            (publish.pkid, publish.retain) = (id, retain);
            v4::Packet::Publish(publish)
        });
    let subscribe = (any_topic(), 0..3_u8, 1..=u16::MAX).prop_map(|(topic, level, id)| {
        let mut subscribe = v4::Subscribe::new(topic, qos(level));
        subscribe.pkid = id;
        v4::Packet::Subscribe(subscribe)
    });
    let unsubscribe = (any_topic(), 1..=u16::MAX).prop_map(|(topic, id)| {
        let mut unsubscribe = v4::Unsubscribe::new(topic);
        unsubscribe.pkid = id;
        v4::Packet::Unsubscribe(unsubscribe)
    });
    prop_oneof![
        4 => publish,
        1 => subscribe,
        1 => unsubscribe,
        1 => Just(v4::Packet::PingReq),
        1 => (1..=u16::MAX).prop_map(|id| v4::Packet::PubAck(v4::PubAck::new(id))),
        1 => (1..=u16::MAX).prop_map(|id| v4::Packet::PubRec(v4::PubRec::new(id))),
        1 => (1..=u16::MAX).prop_map(|id| v4::Packet::PubRel(v4::PubRel::new(id))),
        1 => (1..=u16::MAX).prop_map(|id| v4::Packet::PubComp(v4::PubComp::new(id))),
    ]
}

const fn kind(packet: &v4::Packet) -> PacketType {
    match packet {
        v4::Packet::Connect(_) => PacketType::Connect,
        v4::Packet::ConnAck(_) => PacketType::ConnAck,
        v4::Packet::Publish(_) => PacketType::Publish,
        v4::Packet::PubAck(_) => PacketType::PubAck,
        v4::Packet::PubRec(_) => PacketType::PubRec,
        v4::Packet::PubRel(_) => PacketType::PubRel,
        v4::Packet::PubComp(_) => PacketType::PubComp,
        v4::Packet::Subscribe(_) => PacketType::Subscribe,
        v4::Packet::SubAck(_) => PacketType::SubAck,
        v4::Packet::Unsubscribe(_) => PacketType::Unsubscribe,
        v4::Packet::UnsubAck(_) => PacketType::UnsubAck,
        v4::Packet::PingReq => PacketType::PingReq,
        v4::Packet::PingResp => PacketType::PingResp,
        v4::Packet::Disconnect => PacketType::Disconnect,
    }
}

/// A packet that a client of version 5 may send after CONNECT, written by the other implementation.
fn any_packet5() -> impl Strategy<Value = (PacketType, v5::Packet)> {
    let users = || prop::collection::vec(("[a-z]{0,5}", "[a-z]{0,5}"), 0..3);
    let publish = (any_topic(), 0..3_u8, any_bytes(5000), 1..=u16::MAX, users()).prop_map(
        |(topic, level, payload, id, user_properties)| {
            let properties = v5::PublishProperties {
                user_properties,
                ..Default::default()
            };
            let mut publish = v5::Publish::new(topic, qos5(level), payload, Some(properties));
            publish.pkid = id;
            (PacketType::Publish, v5::Packet::Publish(publish))
        },
    );
    let subscribe = (any_topic(), 0..3_u8, 1..=u16::MAX).prop_map(|(topic, level, id)| {
        let mut subscribe = v5::Subscribe::new(v5::Filter::new(topic, qos5(level)), None);
        subscribe.pkid = id;
        (PacketType::Subscribe, v5::Packet::Subscribe(subscribe))
    });
    let acked = (1..=u16::MAX, users()).prop_map(|(id, user_properties)| {
        let properties = v5::PubAckProperties {
            reason_string: None,
            user_properties,
        };
        let ack = v5::PubAck::new(id, Some(properties));
        (PacketType::PubAck, v5::Packet::PubAck(ack))
    });
    prop_oneof![
        4 => publish,
        1 => subscribe,
        1 => acked,
        1 => Just((PacketType::PingReq, v5::Packet::PingReq(v5::PingReq))),
    ]
}

proptest! {
    /// Whatever their decoder reads packet by packet, our scanner finds, at the same borders and in
    /// any chunking.
    #[test]
    fn agrees_with_an_independent_decoder_on_3_1_1(
        hello in readable_elsewhere(Version::V3_1_1),
        packets in prop::collection::vec(any_packet(), 0..12),
        cuts in prop::collection::vec(any::<Index>(), 0..30),
    ) {
        let mut stream = BytesMut::from(&encoded(&hello)[..]);
        for packet in &packets {
            packet.write(&mut stream, usize::MAX).unwrap();
        }
        let mut theirs = Vec::new();
        let mut rest = stream.clone();
        while !rest.is_empty() {
            let packet = v4::Packet::read(&mut rest, usize::MAX).unwrap();
            theirs.push((stream.len() - rest.len(), kind(&packet)));
        }
        let (found, error) = scan_all(&mut Scanner::from_client(), chunks(&stream, &cuts));
        prop_assert_eq!(error, None);
        let ours: Vec<_> = found.iter().map(|(end, packet)| (*end, packet.packet_type())).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn agrees_with_an_independent_decoder_on_5(
        hello in readable_elsewhere(Version::V5),
        packets in prop::collection::vec(any_packet5(), 0..12),
        cuts in prop::collection::vec(any::<Index>(), 0..30),
    ) {
        let mut stream = BytesMut::from(&encoded(&hello)[..]);
        let mut theirs = vec![(stream.len(), PacketType::Connect)];
        for (kind, packet) in &packets {
            packet.write(&mut stream, None).unwrap();
            theirs.push((stream.len(), *kind));
        }
        let (found, error) = scan_all(&mut Scanner::from_client(), chunks(&stream, &cuts));
        prop_assert_eq!(error, None);
        let ours: Vec<_> = found.iter().map(|(end, packet)| (*end, packet.packet_type())).collect();
        prop_assert_eq!(ours, theirs);
    }

    /// Their CONNECT, read by both.
    #[test]
    fn reads_the_same_connect_of_3_1_1(hello in readable_elsewhere(Version::V3_1_1)) {
        let mut bytes = BytesMut::from(&encoded(&hello)[..]);
        let v4::Packet::Connect(theirs) = v4::Packet::read(&mut bytes, usize::MAX).unwrap() else {
            panic!("no CONNECT");
        };
        prop_assert_eq!(theirs.client_id, hello.client_id);
        prop_assert_eq!(theirs.keep_alive, hello.keep_alive);
        prop_assert_eq!(theirs.clean_session, hello.clean_start);
        let will = theirs.last_will.map(|w| (w.topic, w.message, w.qos as u8, w.retain));
        let ours = hello.will.map(|w| (w.topic, w.payload, w.qos, w.retain));
        prop_assert_eq!(will, ours);
    }

    #[test]
    fn reads_the_same_connect_of_5(hello in readable_elsewhere(Version::V5)) {
        let mut bytes = BytesMut::from(&encoded(&hello)[..]);
        let v5::Packet::Connect(theirs, will, _) = v5::Packet::read(&mut bytes, None).unwrap() else {
            panic!("no CONNECT");
        };
        prop_assert_eq!(theirs.client_id, hello.client_id);
        prop_assert_eq!(theirs.keep_alive, hello.keep_alive);
        prop_assert_eq!(theirs.clean_start, hello.clean_start);
        let expiry = theirs.properties.and_then(|p| p.session_expiry_interval).unwrap_or(0);
        prop_assert_eq!(expiry, hello.session_expiry);
        let will = will.map(|w| {
            let delay = w.properties.and_then(|p| p.delay_interval).unwrap_or(0);
            (w.topic, w.message, w.qos as u8, w.retain, delay)
        });
        let ours = hello.will.map(|w| (Bytes::from(w.topic), w.payload, w.qos, w.retain, w.delay));
        prop_assert_eq!(will, ours);
    }

    /// Garbage ends in packets or in one error: the same in every chunking, and no panic.
    #[test]
    fn garbage_gives_the_same_in_every_chunking(
        opened in any::<bool>(),
        from_client in any::<bool>(),
        version in super::any_version(),
        garbage in any_bytes(400),
        cuts in prop::collection::vec(any::<Index>(), 0..30),
    ) {
        let mut stream = BytesMut::new();
        if opened && from_client {
            stream.extend_from_slice(&connect(version, "c", 0));
        } else if opened {
            liveness::mqtt::ConnAck::new(0).encode(version, &mut stream).unwrap();
        }
        stream.extend_from_slice(&garbage);
        let scanner = || match from_client {
            true => Scanner::from_client(),
            false => Scanner::from_server(),
        };
        let mut whole = scanner();
        let expected = scan_all(&mut whole, [&stream[..]]);
        let mut pieces = scanner();
        prop_assert_eq!(&scan_all(&mut pieces, chunks(&stream, &cuts)), &expected);
        prop_assert_eq!(whole.under_way(), pieces.under_way());
        prop_assert_eq!(whole.end(), pieces.end());
        if let (_, Some(error)) = expected {
            prop_assert_eq!(pieces.scan(&[0xc0, 0x00]), Err(error), "errors stay");
            prop_assert!(!pieces.is_at_border());
        }
    }

    /// A valid CONNECT with one byte changed, or cut short by its own length: a packet or an error.
    #[test]
    fn a_damaged_connect_never_panics(
        hello in any_connect(),
        place in any::<Index>(),
        value in any::<u8>(),
    ) {
        let mut bytes = encoded(&hello).to_vec();
        let place = place.index(bytes.len());
        bytes[place] = value;
        let _ = scan_all(&mut Scanner::from_client(), [&bytes[..]]);
    }
}

/// A stream of one packet of each kind, with one, two, three and four bytes of remaining length.
fn sample() -> Vec<u8> {
    let mut stream = connect(Version::V5, "meter 7", 60).to_vec();
    for size in [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        let publish = v4::Publish::from_bytes("t", QoS::AtMostOnce, vec![b'x'; size].into());
        let mut out = BytesMut::new();
        publish.write(&mut out).unwrap();
        stream.extend_from_slice(&out);
    }
    stream.extend_from_slice(&[0xc0, 0x00, 0xf0, 0x00, 0xe0, 0x01, 0x04]);
    stream
}

#[test]
fn every_length_of_length() {
    let stream = sample();
    let (found, error) = scan_all(&mut Scanner::from_client(), [&stream[..]]);
    assert_eq!(error, None);
    let sizes: Vec<usize> = std::iter::once(found[0].0)
        .chain(found.windows(2).map(|pair| pair[1].0 - pair[0].0))
        .collect();
    // Two bytes of topic length, one of topic, then the payload.
    let publish = |payload: usize, length: usize| 1 + length + 3 + payload;
    assert_eq!(
        sizes[1..8],
        [
            publish(0, 1),
            publish(127, 2),
            publish(128, 2),
            publish(16_383, 3),
            publish(16_384, 3),
            publish(2_097_151, 4),
            publish(2_097_152, 4),
        ],
    );
    let kinds: Vec<PacketType> = found
        .iter()
        .map(|(_, packet)| packet.packet_type())
        .collect();
    assert_eq!(
        kinds[8..],
        [
            PacketType::PingReq,
            PacketType::Auth,
            PacketType::Disconnect
        ]
    );
}

#[test]
fn every_split_in_two_is_the_same_as_none() {
    let mut stream = connect(Version::V5, "meter 7", 60).to_vec();
    stream.extend_from_slice(b"\x30\x90\x01");
    stream.extend_from_slice(&[b'x'; 144]);
    stream.extend_from_slice(&[0xc0, 0x00, 0x62, 0x02, 0x00, 0x01, 0xe0, 0x00]);
    let expected = scan_all(&mut Scanner::from_client(), [&stream[..]]);
    assert_eq!(expected.0.len(), 5);
    for at in 0..=stream.len() {
        let (a, b) = stream.split_at(at);
        assert_eq!(
            scan_all(&mut Scanner::from_client(), [a, b]),
            expected,
            "cut at {at}"
        );
    }
    let single = scan_all(&mut Scanner::from_client(), stream.chunks(1));
    assert_eq!(single, expected, "byte by byte");
}

/// What a wrapper needs that takes PINGRESPs out and puts PINGREQs in.
#[test]
fn each_call_stays_within_one_packet() {
    let mut scanner = Scanner::from_server();
    scanner.scan(&[0x20, 0x02, 0x00, 0x00]).unwrap();
    assert!(scanner.is_at_border());
    assert_eq!(scanner.scan(&[0xd0]).unwrap(), (1, None));
    assert!(!scanner.is_at_border());
    let under_way = scanner.under_way().unwrap();
    assert_eq!(
        (under_way.packet_type, under_way.received),
        (PacketType::PingResp, 1)
    );
    assert_eq!(
        scanner.scan(&[0x00, 0x30, 0x02]).unwrap(),
        (1, Some(Packet::PingResp))
    );
    assert_eq!(scanner.scan(&[0x30, 0x02, 0x00]).unwrap(), (3, None));
    assert!(matches!(
        scanner.under_way(),
        Some(UnderWay {
            received: 3,
            size: Some(4),
            ..
        })
    ));
    assert_eq!(
        scanner.scan(&[0x00, 0xd0, 0x00]).unwrap(),
        (1, Some(Packet::Other(PacketType::Publish))),
    );
    assert_eq!(scanner.scan(&[]).unwrap(), (0, None));
}

#[test]
fn the_server_may_authenticate_before_connack() {
    let mut scanner = Scanner::from_server();
    let auth = Some(Packet::Other(PacketType::Auth));
    assert_eq!(scanner.scan(&[0xf0, 0x00]).unwrap(), (2, auth));
    assert_eq!(scanner.version(), Some(Version::V5));
    assert!(
        scanner
            .scan(&[0x20, 0x03, 0x00, 0x00, 0x00])
            .unwrap()
            .1
            .is_some()
    );
}

/// Limits are judged when the fixed header is complete, before anything behind it is looked at.
#[test]
fn limits_are_exact() {
    let hello = connect(Version::V3_1_1, "c", 0);
    let size = hello.len() as u32;
    for (limits, fits) in [
        (Limits::new().kept(size), true),
        (Limits::new().kept(size - 1), false),
        (Limits::new().packet(size), true),
        (Limits::new().packet(size - 1), false),
    ] {
        let mut scanner = Scanner::from_client().limits(limits);
        assert_eq!(scanner.scan(&hello[..2]).is_ok(), fits, "{limits:?}");
    }
    for (limit, fits) in [(10, true), (9, false)] {
        let mut opened = Scanner::from_client();
        opened.scan(&hello).unwrap();
        let mut scanner = opened.limits(Limits::new().packet(limit));
        assert_eq!(
            scanner.scan(b"\x30\x08\x00\x01tmore!").is_ok(),
            fits,
            "limit {limit}"
        );
    }
}
