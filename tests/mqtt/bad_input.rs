//! What peers must not send: one error each, which names the rule in the version that is spoken.

use std::fmt::Write as _;

use bytes::BytesMut;
use liveness::mqtt::Version::{V3_1, V3_1_1, V5};
use liveness::mqtt::{ConnAck, Limits, MqttError, PacketType, Scanner, Version};

use super::{connect, scan_all};

/// Where the bytes stand.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// A first packet from a client.
    First,
    /// Behind a CONNECT.
    Later(Version),
    /// A first packet from a server, to a client of this version.
    ServerFirst(Option<Version>),
    /// Behind a CONNACK.
    ServerLater(Version),
}
use Place::{First, Later, ServerFirst, ServerLater};

/// The error of these bytes in this place.
fn refusal(place: Place, bytes: &[u8]) -> MqttError {
    let mut scanner = match place {
        First | Later(_) => Scanner::from_client(),
        ServerFirst(_) | ServerLater(_) => Scanner::from_server(),
    };
    match place {
        First | ServerFirst(None) => {}
        Later(version) => {
            scanner.scan(&connect(version, "c", 60)).unwrap();
        }
        ServerFirst(Some(version)) => scanner.set_version(version),
        ServerLater(version) => {
            scanner.set_version(version);
            let mut ack = BytesMut::new();
            ConnAck::new(0).encode(version, &mut ack).unwrap();
            scanner.scan(&ack).unwrap();
        }
    }
    let error = scan_all(&mut scanner, [bytes]).1;
    error.unwrap_or_else(|| panic!("{place:?}: {bytes:02x?} was taken"))
}

/// Rows of a place and bytes => the reason code and the text of their error.
macro_rules! refused {
    ($($place:expr, $bytes:expr => $reason:expr, $text:expr;)*) => {
        $(says(refusal($place, $bytes), $text, $reason);)*
    };
}

#[track_caller]
fn says(error: MqttError, text: &str, reason: u8) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.reason(), reason, "{text}");
}

/// A CONNECT of these fields behind the fixed header.
fn hello(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x10, body.len() as u8];
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn remaining_length_of_five_bytes() {
    refused! {
        First, &[0x10, 0x80, 0x80, 0x80, 0x80, 0x01] => 0x81,
            "CONNECT: a variable byte integer of more than four bytes, at byte 1 \
             (section 2.2.3 of MQTT 3.1.1, section 1.5.5 of MQTT 5)";
        Later(V3_1_1), &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01] => 0x81,
            "PUBLISH: a variable byte integer of more than four bytes, at byte 1 \
             (MQTT 3.1.1 section 2.2.3)";
    }
    // The fourth byte decides; the fifth need not come.
    let mut scanner = Scanner::from_client();
    assert_eq!(scanner.scan(&[0x10, 0xff, 0xff, 0xff]), Ok((4, None)));
    assert!(scanner.scan(&[0xff]).is_err());
}

#[test]
fn a_length_that_is_not_the_shortest() {
    refused! {
        Later(V5), &[0xc0, 0x80, 0x00] => 0x81,
            "PINGREQ: a variable byte integer with more bytes than it needs, at byte 1 \
             (MQTT 5 [MQTT-1.5.5-1])";
        Later(V5), &[0x30, 0x80, 0x80, 0x00] => 0x81,
            "PUBLISH: a variable byte integer with more bytes than it needs, at byte 1 \
             (MQTT 5 [MQTT-1.5.5-1])";
        Later(V5), &[0x30, 0x80, 0x00] => 0x81,
            "PUBLISH: a variable byte integer with more bytes than it needs, at byte 1 \
             (MQTT 5 [MQTT-1.5.5-1])";
        First, b"\x10\x8e\x00\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01c" => 0x81,
            "CONNECT: a variable byte integer with more bytes than it needs, at byte 1 \
             (MQTT 5 [MQTT-1.5.5-1])";
    }
    // 3.1.1 does not forbid it.
    let mut scanner = Scanner::from_client();
    let (found, error) = scan_all(
        &mut scanner,
        [&b"\x10\x8d\x00\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c\xc0\x80\x00"[..]],
    );
    assert_eq!((found.len(), error), (2, None));
}

#[test]
fn reserved_flag_bits() {
    refused! {
        Later(V5), &[0xc1, 0x00] => 0x81,
            "PINGREQ: the reserved flag bits are not as listed, at byte 0 (MQTT 5 [MQTT-2.1.3-1])";
        Later(V3_1_1), &[0xc1, 0x00] => 0x81,
            "PINGREQ: the reserved flag bits are not as listed, at byte 0 \
             (MQTT 3.1.1 [MQTT-2.2.2-2])";
        ServerLater(V3_1_1), &[0xd8, 0x00] => 0x81,
            "PINGRESP: the reserved flag bits are not as listed, at byte 0 \
             (MQTT 3.1.1 [MQTT-2.2.2-2])";
    }
    for right in [0x62, 0x82, 0xa2] {
        for flags in (0..16).filter(|flags| right & 0x0f != *flags) {
            let error = refusal(Later(V5), &[right & 0xf0 | flags, 0x02]);
            assert!(error.to_string().contains("[MQTT-2.1.3-1]"), "{error}");
        }
    }
    refused! {
        First, b"\x11\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c" => 0x81,
            "CONNECT: the reserved flag bits are not as listed, at byte 0 \
             (MQTT 3.1.1 [MQTT-2.2.2-2])";
    }
    // 3.1 reserves none, and repeats SUBSCRIBE with DUP set.
    let mut scanner = Scanner::from_client();
    let old = b"\x18\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01c\x8a\x06\x00\x01\x00\x01t\x00";
    assert_eq!(scan_all(&mut scanner, [&old[..]]).1, None);
}

#[test]
fn qos_3() {
    refused! {
        Later(V3_1_1), &[0x36, 0x03] => 0x81,
            "PUBLISH: both QoS bits are set, at byte 0 (MQTT 3.1.1 [MQTT-3.3.1-4])";
    }
    for flags in [0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x8, 0xa, 0xb, 0xc, 0xd] {
        let mut scanner = Scanner::from_client();
        scanner.scan(&connect(V5, "c", 60)).unwrap();
        assert!(scanner.scan(&[0x30 | flags, 0x03]).is_ok());
    }
}

#[test]
fn packet_type_0() {
    refused! {
        First, &[0x00] => 0x81,
            "packet of type 0: packet type 0 is reserved, at byte 0 \
             (section 2.2.1 of MQTT 3.1.1, section 2.1.2 of MQTT 5)";
    }
}

#[test]
fn a_ping_with_a_body() {
    refused! {
        Later(V5), &[0xc0, 0x01, 0x00] => 0x81,
            "PINGREQ: the remaining length is not 0, at byte 1 (MQTT 5 sections 3.12.1 and 3.13.1)";
        ServerLater(V3_1_1), &[0xd0, 0x01, 0x00] => 0x81,
            "PINGRESP: the remaining length is not 0, at byte 1 \
             (MQTT 3.1.1 sections 3.12.1 and 3.13.1)";
    }
}

/// Cut by its own remaining length, at each place; and by the end of the stream.
#[test]
fn a_connect_cut_anywhere() {
    let mut whole = liveness::mqtt::Connect::new(V5, "meter 7");
    whole.session_expiry = 9;
    let mut will = liveness::mqtt::Will::new("gone", "bye");
    will.delay = 5;
    whole.will = Some(will);
    whole.username = Some("u".to_owned());
    whole.password = Some("p".into());
    let bytes = super::encoded(&whole);
    let body = &bytes[2..];
    for size in 0..body.len() {
        let error = refusal(First, &hello(&body[..size]));
        let text = error.to_string();
        let numbers = ["[MQTT-3.1.4-1]", "section 2.2.2.1"];
        assert!(numbers.iter().any(|n| text.contains(n)), "{size}: {text}");
        assert_eq!(error.reason(), 0x81, "{size}: {text}");

        let mut scanner = Scanner::from_client();
        assert_eq!(scanner.scan(&bytes[..2 + size]), Ok((2 + size, None)));
        assert_eq!(
            scanner.end(),
            Err(MqttError::Truncated {
                packet: PacketType::Connect,
                received: 2 + size as u32
            }),
        );
    }
    refused! {
        First, &hello(&body[..9]) => 0x81,
            "CONNECT: a field runs past the end of the packet, at byte 10 (MQTT 5 [MQTT-3.1.4-1])";
    }
    let mut longer = body.to_vec();
    longer.push(0);
    refused! {
        First, &hello(&longer) => 0x81,
            &format!(
                "CONNECT: bytes are left over after the last field, at byte {} \
                 (MQTT 5 [MQTT-3.1.4-1])",
                bytes.len()
            );
    }
}

#[test]
fn a_wrong_protocol_name() {
    for name in ["MQTU", "mqtt", "MQIsdq", "HTTP", ""] {
        let mut body = vec![0, name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[4, 2, 0, 60, 0, 1, b'c']);
        let error = refusal(First, &hello(&body));
        says(
            error,
            "CONNECT: the protocol name is neither \"MQTT\" nor \"MQIsdp\", at byte 2 \
             ([MQTT-3.1.2-1] of MQTT 3.1.1 and 5)",
            0x84,
        );
        assert_eq!(error.return_code(), None, "3.1.1 closes without a word");
    }
}

#[test]
fn a_wrong_protocol_level() {
    for (name, level) in [
        ("MQTT", 3),
        ("MQTT", 6),
        ("MQTT", 0x85),
        ("MQIsdp", 4),
        ("MQIsdp", 5),
    ] {
        let mut body = vec![0, name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[level, 2, 0, 60, 0, 1, b'c']);
        let mut text = String::from(
            "CONNECT: the protocol level is none of 3 (of \"MQIsdp\"), 4 and 5 (of \"MQTT\"), at byte ",
        );
        write!(
            text,
            "{} ([MQTT-3.1.2-2] of MQTT 3.1.1 and 5)",
            4 + name.len()
        )
        .unwrap();
        let error = refusal(First, &hello(&body));
        says(error, &text, 0x84);
        assert_eq!(error.return_code(), Some(1));
    }
}

#[test]
fn connect_flags_that_may_not_be() {
    let with = |level, flags, rest: &[u8]| {
        let mut body = b"\x00\x04MQTT".to_vec();
        body.extend_from_slice(&[level, flags, 0, 60]);
        body.extend_from_slice(rest);
        hello(&body)
    };
    refused! {
        First, &with(4, 0x03, b"\x00\x01c") => 0x81,
            "CONNECT: the reserved connect flag is set, at byte 9 (MQTT 3.1.1 [MQTT-3.1.2-3])";
        First, &with(5, 0x1e, b"\x00\x00\x01c\x00\x00\x01w\x00\x00") => 0x81,
            "CONNECT: a will with QoS 3, at byte 9 (MQTT 5 [MQTT-3.1.2-12])";
        First, &with(4, 0x1e, b"\x00\x01c\x00\x01w\x00\x00") => 0x81,
            "CONNECT: a will with QoS 3, at byte 9 (MQTT 3.1.1 [MQTT-3.1.2-14])";
        First, &with(5, 0x0a, b"\x00\x00\x01c") => 0x81,
            "CONNECT: will QoS without a will, at byte 9 (MQTT 5 [MQTT-3.1.2-11])";
        First, &with(4, 0x0a, b"\x00\x01c") => 0x81,
            "CONNECT: will QoS without a will, at byte 9 (MQTT 3.1.1 [MQTT-3.1.2-13])";
        First, &with(5, 0x22, b"\x00\x00\x01c") => 0x81,
            "CONNECT: will retain without a will, at byte 9 (MQTT 5 [MQTT-3.1.2-13])";
        First, &with(4, 0x22, b"\x00\x01c") => 0x81,
            "CONNECT: will retain without a will, at byte 9 (MQTT 3.1.1 [MQTT-3.1.2-15])";
        First, &with(4, 0x42, b"\x00\x01c\x00\x01p") => 0x81,
            "CONNECT: a password without a user name, at byte 9 (MQTT 3.1.1 [MQTT-3.1.2-22])";
    }
    // Version 5 lifted that one, and 3.1 has no reserved flag.
    let mut scanner = Scanner::from_client();
    let alone = b"\x10\x11\x00\x04MQTT\x05\x42\x00\x3c\x00\x00\x01c\x00\x01p";
    assert_eq!(scan_all(&mut scanner, [&alone[..]]).1, None);
    let mut scanner = Scanner::from_client();
    let old = b"\x10\x0f\x00\x06MQIsdp\x03\x03\x00\x3c\x00\x01c";
    assert_eq!(scan_all(&mut scanner, [&old[..]]).1, None);
}

#[test]
fn an_empty_client_identifier() {
    let error = refusal(First, b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00");
    says(
        error,
        "CONNECT: an empty client identifier without a clean session, at byte 12 \
         (MQTT 3.1.1 [MQTT-3.1.3-8])",
        0x85,
    );
    assert_eq!(error.return_code(), Some(2));
    let error = refusal(First, b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00");
    assert!(
        error
            .to_string()
            .ends_with("(MQTT 3.1, as [MQTT-3.1.3-8] of 3.1.1)"),
        "{error}"
    );
    // With a clean session, and in version 5, the server chooses one.
    for fine in [
        &b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"[..],
        b"\x10\x0d\x00\x04MQTT\x05\x00\x00\x3c\x00\x00\x00",
    ] {
        assert_eq!(scan_all(&mut Scanner::from_client(), [fine]).1, None);
    }
}

#[test]
fn text_that_is_none() {
    refused! {
        First, b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03c\xc3\x28" => 0x81,
            "CONNECT: text that is not UTF-8, at byte 15 (MQTT 3.1.1 [MQTT-1.5.3-1])";
        First, b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03\xed\xa0\x80" => 0x81,
            "CONNECT: text that is not UTF-8, at byte 15 (MQTT 5 [MQTT-1.5.4-1])";
        First, b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03a\x00b" => 0x81,
            "CONNECT: text with the null character, at byte 15 (MQTT 3.1.1 [MQTT-1.5.3-2])";
        First, b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03a\x00b" => 0x81,
            "CONNECT: text with the null character, at byte 16 (MQTT 5 [MQTT-1.5.4-2])";
    }
}

#[test]
fn will_topics_that_may_not_be() {
    refused! {
        First, b"\x10\x11\x00\x04MQTT\x04\x06\x00\x3c\x00\x01c\x00\x00\x00\x00" => 0x81,
            "CONNECT: an empty will topic, at byte 15 (MQTT 3.1.1 [MQTT-4.7.3-1])";
        First, b"\x10\x12\x00\x04MQTT\x04\x06\x00\x3c\x00\x01c\x00\x01+\x00\x00" => 0x81,
            "CONNECT: a will topic with a wildcard, at byte 15 (MQTT 3.1.1 [MQTT-4.7.1-1])";
        First, b"\x10\x14\x00\x04MQTT\x05\x06\x00\x3c\x00\x00\x01c\x00\x00\x01#\x00\x00" => 0x81,
            "CONNECT: a will topic with a wildcard, at byte 17 (MQTT 5 [MQTT-4.7.0-1])";
    }
}

#[test]
fn properties_of_the_wrong_length() {
    let with = |properties: &[u8], rest: &[u8]| {
        let mut body = b"\x00\x04MQTT\x05\x02\x00\x3c".to_vec();
        body.extend_from_slice(properties);
        body.extend_from_slice(rest);
        hello(&body)
    };
    refused! {
        // Session Expiry has four bytes, and the properties end after three.
        First, &with(&[0x04, 0x11, 0, 0, 0], b"\x00\x01c") => 0x81,
            "CONNECT: a property runs past the property length, at byte 14 \
             (MQTT 5 section 2.2.2.1)";
        // The properties are longer than the packet.
        First, &with(&[0x7f], b"\x00\x01c") => 0x81,
            "CONNECT: a field runs past the end of the packet, at byte 13 (MQTT 5 [MQTT-3.1.4-1])";
        // One byte too many: what follows is one byte off.
        First, &with(&[0x06, 0x11, 0, 0, 0, 9], b"\x00\x01c") => 0x81,
            "CONNECT: a property that this packet does not have, at byte 18 \
             (MQTT 5 section 2.2.2.2)";
        First, &with(&[0x80, 0x80, 0x80, 0x80, 0x01], b"\x00\x01c") => 0x81,
            "CONNECT: a variable byte integer of more than four bytes, at byte 12 \
             (MQTT 5 section 1.5.5)";
        First, &with(&[0x80, 0x00], b"\x00\x01c") => 0x81,
            "CONNECT: a variable byte integer with more bytes than it needs, at byte 12 \
             (MQTT 5 [MQTT-1.5.5-1])";
    }
}

#[test]
fn properties_that_may_not_be() {
    let with = |properties: &[u8]| {
        let mut body = b"\x00\x04MQTT\x05\x02\x00\x3c".to_vec();
        body.push(properties.len() as u8);
        body.extend_from_slice(properties);
        body.extend_from_slice(b"\x00\x01c");
        hello(&body)
    };
    refused! {
        First, &with(&[0x13, 0, 9]) => 0x81,
            "CONNECT: a property that this packet does not have, at byte 13 \
             (MQTT 5 section 2.2.2.2)";
        First, &with(&[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1]) => 0x82,
            "CONNECT: a property that comes twice, at byte 18 (MQTT 5 section 2.2.2.2)";
    }
    for value in [
        &[0x21, 0, 0][..],
        &[0x27, 0, 0, 0, 0],
        &[0x17, 2],
        &[0x19, 9],
    ] {
        says(
            refusal(First, &with(value)),
            "CONNECT: a property with a value that it may not have, at byte 14 \
             (MQTT 5 section 2.2.2.2)",
            0x82,
        );
    }
    refused! {
        First, &with(&[0x16, 0, 1, b'x']) => 0x82,
            "CONNECT: authentication data without a method, at byte 13 \
             (MQTT 5 section 3.1.2.11.10)";
        First, b"\x10\x18\x00\x04MQTT\x05\x06\x00\x3c\x00\x00\x01c\x04\x08\x00\x01#\x00\x01w\x00\x00"
            => 0x82,
            "CONNECT: a response topic with a wildcard, at byte 18 (MQTT 5 [MQTT-3.3.2-14])";
    }
    // A user property may come as often as it likes.
    let users = b"\x10\x18\x00\x04MQTT\x05\x02\x00\x3c\x0a\x26\x00\x00\x00\x00\x26\x00\x00\x00\x00\x00\x01c";
    assert_eq!(scan_all(&mut Scanner::from_client(), [&users[..]]).1, None);
}

#[test]
fn a_second_connect() {
    refused! {
        Later(V5), &connect(V5, "c", 60) => 0x82,
            "CONNECT: a second CONNECT on one connection, at byte 0 (MQTT 5 [MQTT-3.1.0-2])";
        Later(V3_1_1), &[0x10] => 0x82,
            "CONNECT: a second CONNECT on one connection, at byte 0 (MQTT 3.1.1 [MQTT-3.1.0-2])";
    }
}

#[test]
fn packets_before_connect() {
    for kind in [0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0] {
        let text = refusal(First, &[kind]).to_string();
        let wanted = ": the first packet is not CONNECT, at byte 0 \
                      ([MQTT-3.1.0-1] of MQTT 3.1.1 and 5)";
        assert!(text.ends_with(wanted), "{text}");
    }
}

#[test]
fn packets_that_the_other_side_sends() {
    for kind in [0x20, 0x90, 0xb0, 0xd0] {
        let text = refusal(Later(V3_1_1), &[kind]).to_string();
        let wanted = ": a packet that only a server sends, at byte 0 \
                      (MQTT 3.1.1 [MQTT-4.8.0-1], table 2.1)";
        assert!(text.ends_with(wanted), "{text}");
    }
    for kind in [0x10, 0x82, 0xa2, 0xc0] {
        let text = refusal(ServerLater(V5), &[kind]).to_string();
        let wanted = ": a packet that only a client sends, at byte 0 \
                      (MQTT 5 section 2.1.2, table 2-1)";
        assert!(text.ends_with(wanted), "{text}");
    }
    refused! {
        ServerLater(V3_1_1), &[0xe0] => 0x82,
            "DISCONNECT: no server sends DISCONNECT before MQTT 5, at byte 0 \
             (MQTT 3.1.1 section 3.14)";
    }
}

#[test]
fn an_auth_before_version_5() {
    for version in [V3_1, V3_1_1] {
        let error = refusal(Later(version), &[0xf0, 0x00]);
        assert!(
            error
                .to_string()
                .starts_with("AUTH: packet type 15 is reserved before MQTT 5, at byte 0"),
            "{error}",
        );
    }
    refused! {
        Later(V3_1_1), &[0xf0] => 0x81,
            "AUTH: packet type 15 is reserved before MQTT 5, at byte 0 (MQTT 3.1.1 section 2.2.1)";
    }
}

#[test]
fn a_packet_after_disconnect() {
    refused! {
        Later(V5), &[0xe0, 0x00, 0xc0, 0x00] => 0x82,
            "PINGREQ: a packet after DISCONNECT, at byte 0 (MQTT 5 [MQTT-3.14.4-1])";
        Later(V3_1_1), &[0xe0, 0x00, 0xc0, 0x00] => 0x82,
            "PINGREQ: a packet after DISCONNECT, at byte 0 (MQTT 3.1.1 [MQTT-3.14.4-2])";
    }
}

#[test]
fn a_packet_above_the_limit() {
    let small = Limits::new().packet(100).kept(50);
    let mut scanner = Scanner::from_client().limits(small);
    says(
        scan_all(&mut scanner, [&[0x10, 49][..]]).1.unwrap(),
        "CONNECT: 51 bytes announced, the limit is 50 (MQTT 5 reason code 0x95)",
        0x95,
    );
    let mut scanner = Scanner::from_client().limits(small);
    scanner.scan(&connect(V5, "c", 60)).unwrap();
    says(
        scan_all(&mut scanner, [&[0x30, 99][..]]).1.unwrap(),
        "PUBLISH: 101 bytes announced, the limit is 100 (MQTT 5 reason code 0x95)",
        0x95,
    );
    // The announcement is enough: a quarter of a gigabyte is refused at its fifth byte.
    let mut scanner = Scanner::from_client();
    let error = scan_all(&mut scanner, [&[0x10, 0xff, 0xff, 0xff, 0x7f][..]]).1;
    says(
        error.unwrap(),
        "CONNECT: 268435460 bytes announced, the limit is 393216 (MQTT 5 reason code 0x95)",
        0x95,
    );
}

#[test]
fn connacks_that_may_not_be() {
    refused! {
        ServerFirst(Some(V3_1_1)), &[0x20, 0x02, 0x02, 0x00] => 0x81,
            "CONNACK: the reserved acknowledge flags are not 0, at byte 2 \
             (MQTT 3.1.1 section 3.2.2.1)";
        ServerFirst(Some(V5)), &[0x20, 0x03, 0x80, 0x00, 0x00] => 0x81,
            "CONNACK: the reserved acknowledge flags are not 0, at byte 2 (MQTT 5 [MQTT-3.2.2-1])";
        ServerFirst(None), &[0x20, 0x02, 0x00, 0x06] => 0x82,
            "CONNACK: a code that CONNACK does not have, at byte 3 (MQTT 3.1.1 section 3.2.2.3)";
        ServerFirst(None), &[0x20, 0x03, 0x00, 0x01, 0x00] => 0x82,
            "CONNACK: a code that CONNACK does not have, at byte 3 (MQTT 5 [MQTT-3.2.2-8])";
        ServerFirst(None), &[0x20, 0x02, 0x01, 0x05] => 0x82,
            "CONNACK: a session is present though the connection is refused, at byte 2 \
             (MQTT 3.1.1 [MQTT-3.2.2-4])";
        ServerFirst(None), &[0x20, 0x03, 0x01, 0x87, 0x00] => 0x82,
            "CONNACK: a session is present though the connection is refused, at byte 2 \
             (MQTT 5 [MQTT-3.2.2-6])";
        ServerFirst(Some(V3_1_1)), &[0x20, 0x03, 0x00, 0x00, 0x00] => 0x81,
            "CONNACK: bytes are left over after the last field, at byte 4 \
             (MQTT 3.1.1 [MQTT-4.8.0-1])";
        ServerFirst(Some(V5)), &[0x20, 0x02, 0x00, 0x00] => 0x81,
            "CONNACK: a field runs past the end of the packet, at byte 4 (MQTT 5 [MQTT-4.13.1-1])";
        ServerFirst(None), &[0xd0, 0x00] => 0x82,
            "PINGRESP: the first packet is not CONNACK, at byte 0 \
             ([MQTT-3.2.0-1] of MQTT 3.1.1 and 5)";
        ServerLater(V5), &[0x20, 0x03, 0x00, 0x00, 0x00] => 0x82,
            "CONNACK: a second CONNACK on one connection, at byte 0 (MQTT 5 [MQTT-3.2.0-2])";
    }
}

#[test]
fn disconnects_that_may_not_be() {
    refused! {
        Later(V3_1_1), &[0xe0, 0x01, 0x00] => 0x81,
            "DISCONNECT: the remaining length is not 0, at byte 1 (MQTT 3.1.1 section 3.14.1)";
        Later(V5), &[0xe0, 0x01, 0x05] => 0x82,
            "DISCONNECT: a reason code that DISCONNECT does not have, at byte 2 \
             (MQTT 5 [MQTT-3.14.2-1])";
        ServerLater(V5), &[0xe0, 0x07, 0x8b, 0x05, 0x11, 0, 0, 0, 9] => 0x82,
            "DISCONNECT: a server's DISCONNECT with a session expiry, at byte 3 \
             (MQTT 5 [MQTT-3.14.2-2])";
        Later(V5), &[0xe0, 0x03, 0x00, 0x00, 0x00] => 0x81,
            "DISCONNECT: bytes are left over after the last field, at byte 4 \
             (MQTT 5 [MQTT-4.13.1-1])";
    }
}

/// A bad stream is one scanner's matter: the next connection starts clean.
#[test]
fn an_error_stays_and_stays_here() {
    let mut scanner = Scanner::from_client();
    let error = scanner.scan(&[0x00, 0x00]).unwrap_err();
    assert_eq!(scanner.scan(&connect(V5, "c", 60)), Err(error));
    assert_eq!(scanner.end(), Err(error));
    assert!(Scanner::from_client().scan(&connect(V5, "c", 60)).is_ok());
}
