//! The bytes of a heartbeat: what is written is read back, and any other bytes are one clear error.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use liveness::heartbeat::Origin;
use liveness::{DecodeError, Heartbeat, Payload, Seq};
use proptest::prelude::*;

fn encoded<P: Payload>(payload: &P) -> Bytes {
    let mut bytes = BytesMut::new();
    payload.encode(&mut bytes);
    bytes.freeze()
}

fn beats() -> impl Strategy<Value = Heartbeat<Bytes>> {
    let origin = prop_oneof![
        Just(String::new()),
        "[a-z0-9:.-]{1,40}",
        "\\PC{0,60}",
        Just("x".repeat(255)),
    ];
    let payload = prop::collection::vec(any::<u8>(), 0..200);
    (origin, any::<u64>(), any::<u64>(), any::<u64>(), payload).prop_map(
        |(origin, incarnation, seq, interval, payload)| Heartbeat {
            origin: Origin::new(&origin).expect("at most 255 bytes"),
            incarnation,
            seq: Seq::new(seq),
            interval: (interval > 0).then_some(Duration::from_nanos(interval)),
            payload: payload.into(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read_back(beat in beats()) {
        prop_assert_eq!(Heartbeat::decode(encoded(&beat)), Ok(beat));
    }

    /// A heartbeat in a heartbeat, since a heartbeat is a payload.
    #[test]
    fn heartbeats_nest(outer in beats(), inner in beats()) {
        let nested = outer.map(|_| inner);
        prop_assert_eq!(Heartbeat::<Heartbeat<Bytes>>::decode(encoded(&nested)), Ok(nested));
    }

    /// No bytes panic, and those that mean something mean one thing: each beat has one spelling.
    #[test]
    fn decoding_is_total_and_canonical(
        beat in beats(),
        cut in 0_usize..300,
        flip in prop::option::of((0_usize..300, any::<u8>())),
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = encoded(&beat).to_vec();
        bytes.truncate(cut);
        bytes.extend(tail);
        if let Some((at, with)) = flip {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= with;
            }
        }
        let bytes = Bytes::from(bytes);
        if let Ok(beat) = Heartbeat::<Bytes>::decode(bytes.clone()) {
            prop_assert_eq!(encoded(&beat), bytes);
        }
    }

    #[test]
    fn noise_is_an_error_or_a_beat(
        version in prop_oneof![3 => Just(1), 1 => any::<u8>()],
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = Bytes::from([vec![version], rest].concat());
        match Heartbeat::<Bytes>::decode(bytes.clone()) {
            Ok(beat) => prop_assert_eq!(encoded(&beat), bytes),
            Err(DecodeError::Value { found, at, .. }) => {
                prop_assert_eq!((at, found), (0, u64::from(bytes[0])));
            }
            Err(DecodeError::Length { expected, found, .. }) => prop_assert!(found < expected),
            Err(DecodeError::Utf8 { error, .. }) => prop_assert!(error.valid_up_to() < 255),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// Every proper prefix of a beat whose payload has a fixed length is an error.
    #[test]
    fn a_cut_beat_is_an_error(beat in beats(), number: u64) {
        let whole = encoded(&beat.map(|_| number));
        for cut in 0..whole.len() {
            prop_assert!(Heartbeat::<u64>::decode(whole.slice(..cut)).is_err());
        }
    }
}

#[test]
fn the_payload_is_handed_on_without_a_copy() {
    let beat = Heartbeat {
        origin: Origin::new("n1").expect("short"),
        incarnation: 0,
        seq: Seq::default(),
        interval: None,
        payload: Bytes::from(vec![7; 1000]),
    };
    let bytes = encoded(&beat);
    let read = Heartbeat::<Bytes>::decode(bytes.clone()).expect("ours");
    assert_eq!(read.payload.as_ptr(), bytes[bytes.len() - 1000..].as_ptr());
}

#[test]
fn an_origin_has_a_limit_and_an_address_fits() {
    assert!(Origin::new(&"é".repeat(127)).is_ok());
    assert!(Origin::new(&"é".repeat(128)).is_err());
    let address: std::net::SocketAddr = "[fe80::1%3]:65535".parse().expect("an address");
    assert_eq!(Origin::from(address).to_string(), "[fe80::1%3]:65535");
}
