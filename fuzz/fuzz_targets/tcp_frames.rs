//! Any bytes in any chunking through `TcpCodec`.
//!
//! The first byte of the input sets the limit, the second the size of the chunks; the rest is the
//! stream.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use liveness::DecodeError;
use liveness::tcp::{Frame, TcpCodec};

/// The header and the number of a ping.
const OVERHEAD: usize = 16;

fuzz_target!(|input: &[u8]| {
    let [limit, chunk, wire @ ..] = input else {
        return;
    };
    let limit = usize::from(*limit) * 4;
    let (frames, end) = feed(limit, wire, wire.len().max(1));
    assert_eq!(
        feed(limit, wire, usize::from(*chunk) + 1),
        (frames.clone(), end.clone())
    );
    assert_eq!(feed(limit, wire, 1), (frames.clone(), end.clone()));

    let codec = TcpCodec::new().limit(limit);
    let mut again = BytesMut::new();
    for frame in &frames {
        codec
            .encode(frame, &mut again)
            .expect("what was read is within the limit");
    }
    assert!(
        wire.starts_with(&again),
        "frames encode to the bytes they came from"
    );
    assert!(
        end.is_err() || wire.len() == again.len(),
        "nothing is skipped"
    );
});

fn feed(limit: usize, wire: &[u8], chunk: usize) -> (Vec<Frame<Bytes>>, Result<(), DecodeError>) {
    let mut codec = TcpCodec::new().limit(limit);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let end = 'stream: {
        for piece in wire.chunks(chunk) {
            buffer.extend_from_slice(piece);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => break 'stream Err(error),
                }
            }
            assert!(
                buffer.len() < OVERHEAD + limit,
                "less than one frame is held"
            );
        }
        loop {
            match codec.decode_eof(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break 'stream Ok(()),
                Err(error) => break 'stream Err(error),
            }
        }
    };
    if let Err(error) = &end {
        buffer.extend_from_slice(&[0xBE, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(
            codec.decode(&mut buffer).as_ref(),
            Err(error),
            "an error is final"
        );
        assert!(buffer.is_empty(), "what follows an error is dropped");
    }
    (frames, end)
}
