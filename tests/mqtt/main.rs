//! MQTT without a socket: bytes and times in, decisions out. All time is simulated.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the start of the simulated time is any instant"
)]

mod bad_input;
mod broker;
mod client;
mod clients;
mod codec;
#[path = "../common/mod.rs"]
mod common;
mod peers;
mod scanner;
mod wire;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use liveness::mqtt::{Connect, MqttError, Packet, Scanner, Version, Will};
use proptest::prelude::*;

/// Simulated time: milliseconds and nanoseconds after a start.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn ms(self, millis: u64) -> Instant {
        self.0 + Duration::from_millis(millis)
    }

    fn s(self, seconds: u64) -> Instant {
        self.0 + Duration::from_secs(seconds)
    }
}

/// A CONNECT as bytes.
fn connect(version: Version, client_id: &str, keep_alive: u16) -> Bytes {
    let mut connect = Connect::new(version, client_id);
    connect.keep_alive = keep_alive;
    encoded(&connect)
}

fn encoded(connect: &Connect) -> Bytes {
    let mut out = BytesMut::new();
    connect.encode(&mut out).unwrap();
    out.freeze()
}

/// Everything a scanner finds in `chunks`: each packet with its end in the whole stream, then the
/// error, if one came.
fn scan_all<'a>(
    scanner: &mut Scanner,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<(usize, Packet)>, Option<MqttError>) {
    let (mut found, mut position) = (Vec::new(), 0);
    for chunk in chunks {
        let mut rest = chunk;
        while !rest.is_empty() {
            match scanner.scan(rest) {
                Ok((consumed, packet)) => {
                    assert!(consumed > 0, "no progress");
                    position += consumed;
                    rest = &rest[consumed..];
                    found.extend(packet.map(|packet| (position, packet)));
                }
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![
        Just(Version::V3_1),
        Just(Version::V3_1_1),
        Just(Version::V5)
    ]
}

/// Text that MQTT takes: no null character.
fn any_text(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>().prop_filter("null", |&c| c != '\0'), 0..most)
        .prop_map(|chars| chars.into_iter().collect())
}

fn any_topic() -> impl Strategy<Value = String> {
    "[a-z/ä$ ]{1,20}"
}

fn any_bytes(most: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

/// Will properties as they are on the wire, without a delay.
fn any_will_properties() -> impl Strategy<Value = Bytes> {
    let format = prop::option::of(0..2_u8).prop_map(|v| v.map(|v| vec![0x01, v]));
    let content = prop::option::of("[a-z]{0,9}").prop_map(|v| v.map(|v| text_property(0x03, &v)));
    let users = prop::collection::vec("[a-z]{0,3}", 0..3).prop_map(|all| {
        let pair =
            |v: &String| [text_property(0x26, v), text_property(0, v)[1..].to_vec()].concat();
        Some(all.iter().flat_map(pair).collect())
    });
    (format, content, users).prop_map(|(a, b, c)| {
        let all = [a, b, c].into_iter().flatten();
        Bytes::from(all.flatten().collect::<Vec<u8>>())
    })
}

fn text_property(id: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![id, 0, text.len() as u8];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn any_will(version: Version) -> impl Strategy<Value = Will> {
    let fields = (
        any_topic(),
        any_bytes(300),
        0..3_u8,
        any::<bool>(),
        any::<u32>(),
    );
    (fields, any_will_properties()).prop_map(move |(fields, properties)| {
        let (topic, payload, qos, retain, delay) = fields;
        let mut will = Will::new(topic, payload);
        (will.qos, will.retain) = (qos, retain);
        if version == Version::V5 {
            (will.delay, will.properties) = (delay, properties);
        }
        will
    })
}

/// A CONNECT that every server must be able to read.
fn any_connect() -> impl Strategy<Value = Connect> {
    any_version().prop_flat_map(|version| {
        let id = any_text(40).prop_map(move |id| match (version, id.is_empty()) {
            (Version::V3_1, true) => "c".to_owned(),
            _ => id,
        });
        let credentials = (
            prop::option::of(any_text(20)),
            prop::option::of(any_bytes(20)),
        );
        let will = prop::option::of(any_will(version));
        (
            id,
            any::<u16>(),
            any::<bool>(),
            any::<u32>(),
            will,
            credentials,
        )
            .prop_map(
                move |(id, keep_alive, clean_start, expiry, will, (username, password))| {
                    let mut connect = Connect::new(version, id);
                    connect.keep_alive = keep_alive;
                    connect.clean_start = clean_start || connect.client_id.is_empty();
                    connect.session_expiry = match (version, connect.clean_start) {
                        (Version::V5, _) => expiry,
                        (_, true) => 0,
                        (_, false) => u32::MAX,
                    };
                    connect.will = will;
                    connect.password = match (version, &username) {
                        // 3.1 cannot tell an absent field at the end from an empty one; 3.1.1
                        // forbids it.
                        (Version::V3_1 | Version::V3_1_1, None) => None,
                        _ => password,
                    };
                    connect.username = username;
                    connect
                },
            )
    })
}
