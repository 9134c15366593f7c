//! The packets that this crate makes and reads: golden bytes, and round trips of every encoder.

use bytes::{Bytes, BytesMut};
use liveness::mqtt::{
    ConnAck, Connect, Disconnect, MqttError, PINGREQ, PINGRESP, Packet, Scanner, Version, Will,
};
use proptest::prelude::*;

use super::{
    any_bytes, any_connect, any_text, any_topic, any_version, any_will, connect, scan_all,
};

/// A server's packet behind a CONNACK.
fn from_server(version: Version, bytes: &[u8]) -> Result<Packet, MqttError> {
    let mut scanner = Scanner::from_server();
    scanner.set_version(version);
    let mut out = BytesMut::new();
    ConnAck::new(0).encode(version, &mut out).unwrap();
    scanner.scan(&out).unwrap();
    let (consumed, packet) = scanner.scan(bytes)?;
    assert_eq!(consumed, bytes.len());
    Ok(packet.unwrap())
}

fn from_client(version: Version, bytes: &[u8]) -> Result<Packet, MqttError> {
    let mut scanner = Scanner::from_client();
    scanner.scan(&connect(version, "c", 0)).unwrap();
    let (consumed, packet) = scanner.scan(bytes)?;
    assert_eq!(consumed, bytes.len());
    Ok(packet.unwrap())
}

#[test]
fn pings_are_two_bytes() {
    assert_eq!(PINGREQ, [0xc0, 0x00]);
    assert_eq!(PINGRESP, [0xd0, 0x00]);
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        assert_eq!(from_client(version, &PINGREQ), Ok(Packet::PingReq));
        assert_eq!(from_server(version, &PINGRESP), Ok(Packet::PingResp));
    }
}

/// What Mosquitto 2.0.11 with `max_keepalive 10` sent.
#[test]
fn mosquittos_connack_with_server_keep_alive() {
    let bytes = [
        0x20, 0x0c, 0x00, 0x00, 0x09, 0x22, 0x00, 0x0a, 0x13, 0x00, 0x0a, 0x21, 0x00, 0x14,
    ];
    let (_, packet) = Scanner::from_server().scan(&bytes).unwrap();
    let mut expected = ConnAck::new(0);
    expected.server_keep_alive = Some(10);
    assert_eq!(packet, Some(Packet::ConnAck(Box::new(expected))));
}

/// What ejabberd 23.01 sent to a client that was silent.
#[test]
fn ejabberds_disconnect_for_silence() {
    let bytes = b"\xe0\x14\x8d\x12\x1f\x00\x0fIdle connection";
    let mut expected = Disconnect::new(0x8d);
    expected.reason_string = Some("Idle connection".to_owned());
    let packet = from_server(Version::V5, bytes);
    assert_eq!(packet, Ok(Packet::Disconnect(Box::new(expected.clone()))));

    let mut out = BytesMut::new();
    expected.encode(Version::V5, &mut out).unwrap();
    assert_eq!(&out[..], bytes);
}

#[test]
fn the_disconnects_a_server_sends() {
    for reason in [0x8d, 0x8e, 0x04] {
        let mut out = BytesMut::new();
        Disconnect::new(reason)
            .encode(Version::V5, &mut out)
            .unwrap();
        assert_eq!(&out[..], [0xe0, 0x01, reason]);
    }
    let mut out = BytesMut::new();
    Disconnect::default().encode(Version::V5, &mut out).unwrap();
    assert_eq!(&out[..], [0xe0, 0x00]);
}

#[test]
fn connect_of_3_1_and_3_1_1_byte_for_byte() {
    let mut hello = Connect::new(Version::V3_1, "c");
    hello.keep_alive = 60;
    hello.will = Some(Will::new("w", "x"));
    hello.username = Some("u".to_owned());
    hello.password = Some(Bytes::from_static(b"p"));
    let mut out = BytesMut::new();
    hello.encode(&mut out).unwrap();
    assert_eq!(
        &out[..],
        b"\x10\x1b\x00\x06MQIsdp\x03\xc6\x00\x3c\x00\x01c\x00\x01w\x00\x01x\x00\x01u\x00\x01p",
    );
    hello.version = Version::V3_1_1;
    out.clear();
    hello.encode(&mut out).unwrap();
    assert_eq!(
        &out[..],
        b"\x10\x19\x00\x04MQTT\x04\xc6\x00\x3c\x00\x01c\x00\x01w\x00\x01x\x00\x01u\x00\x01p",
    );
}

#[test]
fn connect_of_5_byte_for_byte() {
    let mut hello = Connect::new(Version::V5, "c");
    hello.keep_alive = 60;
    hello.session_expiry = 3600;
    let mut will = Will::new("w", "x");
    (will.qos, will.retain, will.delay) = (1, true, 5);
    hello.will = Some(will);
    let mut out = BytesMut::new();
    hello.encode(&mut out).unwrap();
    assert_eq!(
        &out[..],
        b"\x10\x1f\x00\x04MQTT\x05\x2e\x00\x3c\x05\x11\x00\x00\x0e\x10\x00\x01c\
          \x05\x18\x00\x00\x00\x05\x00\x01w\x00\x01x",
    );
}

/// The remaining length takes precedence over the user name flag in 3.1, and only there.
#[test]
fn in_3_1_announced_credentials_may_be_missing() {
    let bytes = b"\x10\x0f\x00\x06MQIsdp\x03\xc2\x00\x3c\x00\x01c";
    let (_, packet) = Scanner::from_client().scan(bytes).unwrap();
    let Some(Packet::Connect(hello)) = packet else {
        panic!("{packet:?}");
    };
    assert_eq!((hello.username, hello.password), (None, None));
}

#[test]
fn a_will_is_published_with_its_properties() {
    let mut will = Will::new("gone/7", "bye");
    will.retain = true;
    will.properties = Bytes::from_static(&[0x01, 0x01]);
    let mut out = BytesMut::new();
    will.publish(Version::V5, &mut out).unwrap();
    assert_eq!(&out[..], b"\x31\x0e\x00\x06gone/7\x02\x01\x01bye");
    out.clear();
    will.publish(Version::V3_1_1, &mut out).unwrap();
    assert_eq!(&out[..], b"\x31\x0b\x00\x06gone/7bye");
}

#[test]
fn a_password_is_not_shown() {
    let mut hello = Connect::new(Version::V5, "c");
    hello.password = Some(Bytes::from_static(b"hunter2"));
    let shown = format!("{hello:?}");
    assert!(shown.contains("password: Some(\"...\")"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let mut out = BytesMut::new();
    let long = "x".repeat(65_536);
    let mut hello = Connect::new(Version::V5, long.clone());
    assert_eq!(
        hello.encode(&mut out).unwrap_err().to_string(),
        "CONNECT: a field of 65536 bytes, the most is 65535",
    );
    hello.client_id = "c".to_owned();
    hello.will = Some(Will::new("w", "x"));
    if let Some(will) = &mut hello.will {
        will.qos = 7;
    }
    assert_eq!(
        hello.encode(&mut out).unwrap_err().to_string(),
        "CONNECT: a will with QoS 3, at byte 9 (MQTT 5 [MQTT-3.1.2-12])",
    );
    let mut ack = ConnAck::new(0);
    ack.reason_string = Some(long.clone());
    assert!(ack.encode(Version::V5, &mut out).is_err());
    let mut bye = Disconnect::new(0x8d);
    bye.reason_string = Some(long.clone());
    assert!(bye.encode(Version::V5, &mut out).is_err());
    assert!(Will::new(long, "x").publish(Version::V5, &mut out).is_err());
    assert!(out.is_empty());
}

fn any_connack() -> impl Strategy<Value = (Version, ConnAck)> {
    let v3 = (
        prop_oneof![Just(Version::V3_1), Just(Version::V3_1_1)],
        0..6_u8,
        any::<bool>(),
    )
        .prop_map(|(version, code, present)| {
            let mut ack = ConnAck::new(code);
            ack.session_present = present && code == 0 && version != Version::V3_1;
            (version, ack)
        });
    let code = prop_oneof![Just(0), 0x80..=0x8a_u8, Just(0x9f)];
    let text = || prop::option::of(any_text(20));
    let numbers = (any::<Option<u16>>(), any::<Option<u32>>());
    let v5 = (code, any::<bool>(), numbers, text(), text()).prop_map(
        |(code, present, (keep_alive, expiry), id, reason)| {
            let mut ack = ConnAck::new(code);
            ack.session_present = present && code == 0;
            ack.server_keep_alive = keep_alive;
            ack.session_expiry = expiry;
            ack.assigned_client_id = id;
            ack.reason_string = reason;
            (Version::V5, ack)
        },
    );
    prop_oneof![v3, v5]
}

proptest! {
    #[test]
    fn every_connect_comes_back(hello in any_connect()) {
        let mut out = BytesMut::new();
        hello.encode(&mut out).unwrap();
        let (found, error) = scan_all(&mut Scanner::from_client(), [&out[..]]);
        prop_assert_eq!(error, None);
        prop_assert_eq!(found, vec![(out.len(), Packet::Connect(Box::new(hello)))]);
    }

    #[test]
    fn every_connack_comes_back((version, ack) in any_connack(), told in any::<bool>()) {
        let mut out = BytesMut::new();
        ack.encode(version, &mut out).unwrap();
        let mut scanner = Scanner::from_server();
        // From the bytes alone, 3.1 looks like 3.1.1.
        if told {
            scanner.set_version(version);
        }
        let (found, error) = scan_all(&mut scanner, [&out[..]]);
        prop_assert_eq!(error, None);
        prop_assert_eq!(found, vec![(out.len(), Packet::ConnAck(Box::new(ack)))]);
        prop_assert_eq!(scanner.version() == Some(Version::V5), version == Version::V5);
    }

    #[test]
    fn every_disconnect_comes_back(
        reason in prop_oneof![Just(0_u8), Just(0x04), 0x80..=0x83_u8, 0x8d..=0x90_u8, 0x93..=0xa2_u8],
        expiry in any::<Option<u32>>(),
        text in prop::option::of(any_text(40)),
    ) {
        let mut bye = Disconnect::new(reason);
        bye.session_expiry = expiry;
        bye.reason_string = text;
        let mut out = BytesMut::new();
        bye.encode(Version::V5, &mut out).unwrap();
        prop_assert_eq!(from_client(Version::V5, &out), Ok(Packet::Disconnect(Box::new(bye.clone()))));
        let server = from_server(Version::V5, &out);
        prop_assert_eq!(server.is_ok(), expiry.is_none());
    }

    /// The independent decoder takes our PUBLISH, and reads what we put in.
    #[test]
    fn a_published_will_reads_right_elsewhere(
        version in any_version(),
        topic in any_topic(),
        payload in any_bytes(300),
        retain in any::<bool>(),
        properties in any_will(Version::V5),
    ) {
        let mut will = Will::new(topic.clone(), payload.clone());
        will.retain = retain;
        will.properties = properties.properties;
        let mut out = BytesMut::new();
        will.publish(version, &mut out).unwrap();
        if version == Version::V5 {
            use rumqttc::v5::mqttbytes::v5::Packet;
            let Ok(Packet::Publish(publish)) = Packet::read(&mut out, None) else { panic!() };
            prop_assert_eq!((&publish.topic[..], &publish.payload), (topic.as_bytes(), &payload));
            prop_assert_eq!(publish.retain, retain);
        } else {
            use rumqttc::mqttbytes::v4::Packet;
            let Ok(Packet::Publish(publish)) = Packet::read(&mut out, usize::MAX) else { panic!() };
            prop_assert_eq!((publish.topic, publish.payload), (topic, payload));
            prop_assert_eq!(publish.retain, retain);
        }
        prop_assert!(out.is_empty());
    }
}
