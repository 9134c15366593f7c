//! Any bytes in any chunking through `websocket::Wire`, in both directions.
//!
//! The first byte of the input says which side this is and whether the upgrade is over, the second
//! the size of the chunks, the third what share of the rest goes out; what is left comes in.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use liveness::io::{Incoming, Wire as _};
use liveness::websocket::Wire;
use liveness::{Answers, Seq};

/// The longest pong of ours, less its last byte.
const MOST_HELD: usize = 25;

fuzz_target!(|input: &[u8]| {
    let [kind, chunk, share, rest @ ..] = input else {
        return;
    };
    let (outgoing, incoming) = rest.split_at(rest.len() * usize::from(*share) / 255);
    let wire = if kind & 1 == 0 {
        Wire::client()
    } else {
        Wire::server()
    };
    let wire = if kind & 2 == 0 { wire } else { wire.upgraded() };
    let mut wire = wire.seed(7);
    wire.ping(Seq::new(3), &mut BytesMut::new());

    let chunk = usize::from(*chunk) + 1;
    let whole = through(wire.clone(), outgoing, incoming, usize::MAX);
    assert_eq!(through(wire.clone(), outgoing, incoming, chunk), whole);
    assert_eq!(through(wire.clone(), outgoing, incoming, 1), whole);

    if kind & 2 != 0 {
        let expected: Vec<_> = ends(outgoing).collect();
        assert_eq!(whole.borders, expected, "borders where the headers say so");
        // A pong of ours between two frames is taken out, and nothing else is.
        let pong = pong(kind & 1 == 0, wire.clone());
        let place = ends(incoming).next().unwrap_or(0);
        let (before, after) = incoming.split_at(place);
        let with = [before, &pong, after].concat();
        let seen = through(wire, outgoing, &with, chunk);
        assert_eq!((seen.passed, seen.pongs), (whole.passed, whole.pongs + 1));
    }
});

#[derive(Debug, PartialEq)]
struct Seen {
    /// Where pings may stand among the outgoing bytes.
    borders: Vec<usize>,
    /// What came in for the user.
    passed: Vec<u8>,
    pongs: usize,
}

fn through(mut wire: Wire, outgoing: &[u8], incoming: &[u8], chunk: usize) -> Seen {
    let mut seen = Seen {
        borders: Vec::new(),
        passed: Vec::new(),
        pongs: 0,
    };
    let mut at = 0;
    for mut piece in outgoing.chunks(chunk) {
        while !piece.is_empty() {
            let followed = wire.outgoing(piece);
            assert!((1..=piece.len()).contains(&followed));
            piece = &piece[followed..];
            at += followed;
            if wire.may_ping() {
                seen.borders.push(at);
            }
        }
    }
    let mut held = Vec::new();
    for piece in incoming.chunks(chunk) {
        held.extend_from_slice(piece);
        while !held.is_empty() {
            match wire.incoming(&held) {
                Incoming::Pass(len) => {
                    assert!((1..=held.len()).contains(&len));
                    seen.passed.extend(held.drain(..len));
                }
                Incoming::Pong { len, answers } => {
                    assert!(matches!(answers, Answers::Ping(seq) if seq <= Seq::new(3)));
                    held.drain(..len);
                    seen.pongs += 1;
                }
                Incoming::More => break,
                Incoming::Ping { .. } => unreachable!("the library answers"),
            }
        }
        assert!(held.len() <= MOST_HELD, "{} bytes held back", held.len());
    }
    seen.passed.extend(held);
    seen
}

/// Where the frames of `bytes` end, up to the first Close frame: read from whole headers.
fn ends(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = bytes.get(at..at + 2)?;
        let (first, second) = (header[0], header[1]);
        let extra = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = bytes.get(at + 2..at + 2 + extra)?;
        let length = match extra {
            0 => u64::from(second & 0x7f),
            _ => length
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let end = usize::try_from(length)
            .ok()?
            .checked_add(at + 2 + extra + mask)?;
        at = end;
        (end <= bytes.len() && first & 0xf != 8).then_some(end)
    })
}

/// The peer's answer to the last ping of `wire`.
fn pong(to_client: bool, mut wire: Wire) -> Vec<u8> {
    let mut ping = BytesMut::new();
    wire.ping(Seq::new(3), &mut ping);
    if !to_client {
        let mask = [1, 2, 3, 4];
        let payload = ping[2..]
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask);
        return [0x8a, 0x94]
            .into_iter()
            .chain(mask)
            .chain(payload)
            .collect();
    }
    let (mask, payload) = ping[2..].split_at(4);
    let payload = payload
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, mask)| byte ^ mask);
    [0x8a, 0x14].into_iter().chain(payload).collect()
}
