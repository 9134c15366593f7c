//! Any bytes of both directions through `mqtt::Wire`, as `KeepaliveStream` uses it: it follows all
//! of them, takes out nothing but answers to its own pings, and chunking changes nothing.
//!
//! The first byte of the input picks the side, the second the size of the chunks. Then come
//! records: a byte that says the direction and the length, and so many bytes.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use liveness::io::{Incoming, Wire as _};
use liveness::mqtt::{ClientConfig, PINGREQ, PINGRESP, Wire};
use liveness::{Answers, KeepaliveConfig, Seq};

fuzz_target!(|input: &[u8]| {
    let [kind, chunk, records @ ..] = input else {
        return;
    };
    let wire = match kind & 1 {
        0 => Wire::client(ClientConfig::new()),
        _ => Wire::broker(),
    };
    let wire = match kind & 2 {
        0 => wire,
        _ => wire.connected(60),
    };
    let whole = run(wire.clone(), records, usize::MAX);
    assert_eq!(run(wire.clone(), records, usize::from(*chunk) + 1), whole);
    assert_eq!(run(wire, records, 1), whole);
});

/// What the user reads, how many pings went out and how many answers were taken out, and the keep
/// alive in the end.
fn run(mut wire: Wire, mut records: &[u8], chunk: usize) -> (Vec<u8>, u64, u64, Option<u16>) {
    let (mut read, mut held, mut asked, mut answered) = (Vec::new(), Vec::new(), 0, 0);
    while let [head, rest @ ..] = records {
        let (bytes, rest) = rest.split_at(usize::from(head & 0x7f).min(rest.len()));
        records = rest;
        for piece in bytes.chunks(chunk.min(bytes.len().max(1))) {
            if head & 0x80 == 0 {
                let mut rest = piece;
                while !rest.is_empty() {
                    let followed = wire.outgoing(rest);
                    assert!((1..=rest.len()).contains(&followed), "progress");
                    rest = &rest[followed..];
                }
            } else {
                held.extend_from_slice(piece);
                answered += sort(&mut wire, &mut held, &mut read);
            }
        }
        // Between records only, where all chunkings are at the same place.
        if wire.may_ping() && asked < 70 {
            let mut ping = BytesMut::new();
            wire.ping(Seq::new(asked), &mut ping);
            assert_eq!(ping[..], PINGREQ);
            asked += 1;
        }
        let _ = wire.reconfigure(&KeepaliveConfig::off());
    }
    read.extend_from_slice(&held);
    assert!(answered <= asked);
    (read, asked, answered, wire.keep_alive())
}

/// As the stream does it: what is undecided stays.
fn sort(wire: &mut Wire, held: &mut Vec<u8>, read: &mut Vec<u8>) -> u64 {
    let mut answered = 0;
    while !held.is_empty() {
        match wire.incoming(held) {
            Incoming::Pass(count) => {
                assert!((1..=held.len()).contains(&count), "progress");
                read.extend(held.drain(..count));
            }
            Incoming::Pong {
                len,
                answers: Answers::Oldest,
            } => {
                assert_eq!(held.drain(..len).collect::<Vec<_>>(), PINGRESP);
                answered += 1;
            }
            Incoming::More => {
                assert_eq!(held.len(), 1, "the first byte of an answer and no more");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    answered
}
