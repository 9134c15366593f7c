//! What real clients and servers send, and a strict reader might refuse.

use std::time::Duration;

use bytes::BytesMut;
use liveness::mqtt::{
    BrokerConfig, BrokerKeepalive, ClientConfig, ClientKeepalive, ConnAck, Connect, MqttError,
    Packet, Scanner, Version, Will,
};

use super::{Clock, connect, encoded, scan_all};

/// The five fields of a CONNECT at their longest: every version, both halves.
#[test]
fn the_longest_connect_is_read() {
    let clock = Clock::start();
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut longest = Connect::new(version, "i".repeat(65_535));
        longest.keep_alive = 60;
        let topic = "t".repeat(65_535);
        longest.will = Some(Will::new(topic, vec![b'w'; 65_535]));
        longest.username = Some("u".repeat(65_535));
        longest.password = Some(vec![b'p'; 65_535].into());
        let bytes = encoded(&longest);
        assert!(bytes.len() >= 327_699, "{}", bytes.len());

        let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
        let from = watch.on_receive(&bytes, clock.s(0)).unwrap();
        assert!(from.packet == Some(Packet::Connect(Box::new(longest))));

        let mut client = ClientKeepalive::new(ClientConfig::new(), 0, clock.s(0)).unwrap();
        for chunk in bytes.chunks(1000) {
            client.on_send(chunk, clock.s(0)).unwrap();
        }
        assert_eq!(client.keep_alive(), Some(60));
    }
}

/// A client may send what its broker's limits would refuse: its own packets are no danger to it.
#[test]
fn the_limits_of_a_client_are_for_the_broker() {
    let clock = Clock::start();
    let mut hello = Connect::new(Version::V5, "c");
    (hello.keep_alive, hello.username) = (60, Some("u".repeat(1000)));
    let limits = liveness::mqtt::Limits::new().packet(100).kept(100);
    let config = ClientConfig::new().limits(limits);
    let mut client = ClientKeepalive::new(config, 0, clock.s(0)).unwrap();
    client.on_send(&encoded(&hello), clock.s(0)).unwrap();
    let reason = [&[0x20, 0xc8, 0x01, 0x00, 0x00, 0xc4, 0x01][..], &[0; 193]].concat();
    let error = client.on_receive(&reason, clock.s(0)).unwrap_err();
    assert!(
        matches!(error, MqttError::TooLarge { limit: 100, .. }),
        "{error}"
    );
}

/// Mosquitto's `try_private`: the top bit of the level says that the client is a bridge.
#[test]
fn a_bridge_is_a_client() {
    for (bytes, version) in [
        (
            &b"\x10\x0f\x00\x06MQIsdp\x83\x02\x00\x3c\x00\x01b"[..],
            Version::V3_1,
        ),
        (
            b"\x10\x0d\x00\x04MQTT\x84\x02\x00\x3c\x00\x01b",
            Version::V3_1_1,
        ),
    ] {
        let (found, error) = scan_all(&mut Scanner::from_client(), [bytes]);
        assert_eq!(error, None);
        let Some((_, Packet::Connect(bridge))) = found.into_iter().next() else {
            panic!()
        };
        assert!(bridge.is_bridge);
        assert_eq!((bridge.version, bridge.keep_alive), (version, 60));
        assert_eq!(encoded(&bridge), bytes, "and is written as one");
    }
    // Version 5 has options for it, and no such bit.
    let mut bridge = Connect::new(Version::V5, "b");
    bridge.is_bridge = true;
    let plain = Connect::new(Version::V5, "b");
    assert_eq!(encoded(&bridge), encoded(&plain));
}

/// A server that does not speak version 5 answers in the format of 3.1.1, as 3.1.1 demands: aedes,
/// nats and amqtt do. It is a refusal, and no verdict follows.
#[test]
fn a_server_without_version_5_refuses() {
    let clock = Clock::start();
    for code in 1..=5 {
        let mut client = ClientKeepalive::new(ClientConfig::new(), 0, clock.s(0)).unwrap();
        let hello = connect(Version::V5, "c", 60);
        client.on_send(&hello, clock.s(0)).unwrap();
        let from = client
            .on_receive(&[0x20, 0x02, 0x00, code], clock.s(1))
            .unwrap();
        let Some(Packet::ConnAck(ack)) = from.packet else {
            panic!()
        };
        assert_eq!(*ack, ConnAck::new(code));
        assert_eq!(client.handle_timeout(clock.s(1000)), None);
        assert!(!client.may_ping());
    }
    // It is a refusal only: an acceptance of version 5 has properties.
    let mut scanner = Scanner::from_server();
    scanner.set_version(Version::V5);
    assert!(scanner.scan(&[0x20, 0x02, 0x00, 0x00]).is_err());
    // And no packet of version 5 is written so.
    let mut out = BytesMut::new();
    assert!(ConnAck::new(1).encode(Version::V5, &mut out).is_err());
}

/// Table 2-6 of version 5 gives DISCONNECT the reason 0x8C, table 3-13 does not. And a sender is
/// not judged by its reason.
#[test]
fn reasons_of_the_other_side_pass() {
    for reason in [0x8c, 0x8e, 0x04] {
        for mut scanner in [Scanner::from_client(), Scanner::from_server()] {
            let opening = match scanner.clone().scan(&[0x20]) {
                Ok(_) => b"\x20\x03\x00\x00\x00".to_vec(),
                Err(_) => connect(Version::V5, "c", 60).to_vec(),
            };
            let all = [opening, vec![0xe0, 0x01, reason]].concat();
            let (found, error) = scan_all(&mut scanner, [&all[..]]);
            assert_eq!((found.len(), error), (2, None), "{reason:#x}");
        }
    }
}

/// Authentication data without a method is a fault of CONNECT; for CONNACK no statement forbids it.
#[test]
fn a_connack_with_authentication_data_alone() {
    let mut scanner = Scanner::from_server();
    let ack = [0x20, 0x07, 0x00, 0x00, 0x04, 0x16, 0x00, 0x01, b'x'];
    let (found, error) = scan_all(&mut scanner, [&ack[..]]);
    assert_eq!((found.len(), error), (1, None));
}

/// The name of another protocol: 3.1.1 closes without a word. A level of tomorrow is told that it
/// is unknown here.
#[test]
fn another_name_is_not_answered_and_another_level_is() {
    let clock = Clock::start();
    for (hello, refusal) in [
        (&b"\x10\x0d\x00\x04MQXX\x04\x02\x00\x3c\x00\x01c"[..], None),
        (
            b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01c",
            Some(&[0x20, 0x02, 0x00, 0x01][..]),
        ),
    ] {
        let mut watch = BrokerKeepalive::new(BrokerConfig::new(), clock.s(0)).unwrap();
        let error = watch.on_receive(hello, clock.s(0)).unwrap_err();
        assert_eq!(error.reason(), 0x84);
        assert_eq!(watch.refusal(&error).as_deref(), refusal);
        assert_eq!(watch.silent_for(clock.s(1)), Duration::from_secs(1));
    }
}
