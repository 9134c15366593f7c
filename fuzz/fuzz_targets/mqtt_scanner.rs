//! Any bytes in any chunking through `mqtt::Scanner`, as a client's and as a server's; what it
//! decodes is written and read again.
//!
//! The first byte of the input picks the side and the version, the second the size of the chunks;
//! the rest is the stream.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use liveness::mqtt::{MqttError, Packet, Scanner, Version};

fuzz_target!(|input: &[u8]| {
    let [kind, chunk, wire @ ..] = input else {
        return;
    };
    let whole = feed(scanner(*kind), wire, wire.len().max(1));
    assert_eq!(feed(scanner(*kind), wire, usize::from(*chunk) + 1), whole);
    assert_eq!(feed(scanner(*kind), wire, 1), whole);
    let (packets, version, _) = whole;
    for (_, packet) in &packets {
        written_and_read(packet, version);
    }
});

fn scanner(kind: u8) -> Scanner {
    let mut scanner = match kind & 1 {
        0 => Scanner::from_client(),
        _ => Scanner::from_server(),
    };
    match kind >> 1 & 3 {
        0 => {}
        1 => scanner.set_version(Version::V3_1),
        2 => scanner.set_version(Version::V3_1_1),
        _ => scanner.set_version(Version::V5),
    }
    scanner
}

type Found = (Vec<(usize, Packet)>, Option<Version>, Result<(), MqttError>);

/// Each packet with its end in the stream, and how the stream ended.
fn feed(mut scanner: Scanner, wire: &[u8], chunk: usize) -> Found {
    let (mut packets, mut at) = (Vec::new(), 0);
    for piece in wire.chunks(chunk) {
        let mut rest = piece;
        while !rest.is_empty() {
            match scanner.scan(rest) {
                Ok((consumed, packet)) => {
                    assert!((1..=rest.len()).contains(&consumed), "progress");
                    assert_eq!(packet.is_some(), scanner.is_at_border());
                    at += consumed;
                    rest = &rest[consumed..];
                    packets.extend(packet.map(|packet| (at, packet)));
                }
                Err(error) => {
                    assert_eq!(scanner.scan(&[0xc0]), Err(error), "an error is final");
                    assert!(!scanner.is_at_border());
                    return (packets, scanner.version(), Err(error));
                }
            }
        }
    }
    assert_eq!(scanner.end().is_ok(), scanner.is_at_border());
    (packets, scanner.version(), scanner.end())
}

/// What was decoded says the same when it is encoded and decoded again.
fn written_and_read(packet: &Packet, version: Option<Version>) {
    let version = version.unwrap_or(Version::V3_1_1);
    let mut bytes = BytesMut::new();
    let (encoded, mut scanner) = match packet {
        Packet::Connect(connect) => (connect.encode(&mut bytes), Scanner::from_client()),
        Packet::ConnAck(ack) => (ack.encode(version, &mut bytes), Scanner::from_server()),
        _ => return,
    };
    if encoded.is_err() {
        return;
    }
    if matches!(packet, Packet::ConnAck(_)) {
        scanner.set_version(version);
    }
    let again = scanner.scan(&bytes);
    assert_eq!(again, Ok((bytes.len(), Some(packet.clone()))));
}
