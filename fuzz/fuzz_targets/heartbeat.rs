//! Any bytes as a heartbeat: an error, or a beat that is written as the very same bytes.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use liveness::{Heartbeat, Payload};

fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    same_bytes::<Heartbeat<Bytes>>(&bytes);
    same_bytes::<Heartbeat<u64>>(&bytes);
    same_bytes::<Heartbeat<String>>(&bytes);
    same_bytes::<Heartbeat<Heartbeat<()>>>(&bytes);
});

fn same_bytes<P: Payload>(bytes: &Bytes) {
    if let Ok(payload) = P::decode(bytes.clone()) {
        let mut again = BytesMut::new();
        payload.encode(&mut again);
        assert_eq!(again, bytes);
    }
}
