//! The TCP frames: golden bytes, any chunking, any garbage, and the two traits that carry them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use liveness::tcp::{Frame, Frames, TcpCodec};
use liveness::{Answers, DecodeError, Inbound, Payload, Protocol, Seq};
use proptest::prelude::*;

const HEADER: usize = 8;
const NUMBER: usize = 8;

type Wire = Frame<Bytes>;
type Outcome<P> = (Vec<Frame<P>>, Result<(), DecodeError>);

fn data(bytes: impl Into<Bytes>) -> Wire {
    Frame::Data(bytes.into())
}

fn ping(seq: u64, payload: impl Into<Bytes>) -> Wire {
    let (seq, payload) = (Seq::new(seq), payload.into());
    Frame::Ping { seq, payload }
}

fn pong(seq: u64, payload: impl Into<Bytes>) -> Wire {
    let (seq, payload) = (Seq::new(seq), payload.into());
    Frame::Pong { seq, payload }
}

fn encoded<P: Payload>(frames: &[Frame<P>]) -> BytesMut {
    let mut wire = BytesMut::new();
    for frame in frames {
        TcpCodec::new().encode(frame, &mut wire).unwrap();
    }
    wire
}

/// Feeds `bytes` in chunks of the sizes given (over and over), then ends the stream. Checks what
/// must hold at every step: the buffer is bounded, and an error is the last word.
fn feed<P: Payload>(limit: usize, bytes: &[u8], sizes: &[usize]) -> Outcome<P> {
    let mut codec = TcpCodec::<P>::new().limit(limit);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut rest = bytes;
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_poisoned(&mut codec, &error);
                    assert!(buffer.is_empty(), "what follows an error is dropped");
                    return (frames, Err(error));
                }
            }
        }
        assert!(
            buffer.len() < HEADER + NUMBER + limit,
            "{} bytes held",
            buffer.len()
        );
    }
    loop {
        match codec.decode_eof(&mut buffer) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => {
                assert_poisoned(&mut codec, &error);
                return (frames, Err(error));
            }
        }
    }
}

fn assert_poisoned<P: Payload>(codec: &mut TcpCodec<P>, error: &DecodeError) {
    let mut good = encoded(&[data("good")]);
    for _ in 0..3 {
        assert_eq!(codec.decode(&mut good).err().as_ref(), Some(error));
        assert_eq!(codec.decode_eof(&mut good).err().as_ref(), Some(error));
        assert!(good.is_empty(), "input after an error is not kept");
        good.put_slice(b"more");
    }
}

fn any_frame() -> impl Strategy<Value = Wire> {
    let body = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        body().prop_map(data),
        (any::<u64>(), body()).prop_map(|(seq, body)| ping(seq, body)),
        (any::<u64>(), body()).prop_map(|(seq, body)| pong(seq, body)),
    ]
}

/// Valid frames, some bytes of them changed, something cut off or put in: reaches deeper than
/// noise.
fn any_damaged_stream() -> impl Strategy<Value = Vec<u8>> {
    let frames = proptest::collection::vec(any_frame(), 0..5);
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let tail = proptest::collection::vec(any::<u8>(), 0..20);
    (frames, changes, tail).prop_map(|(frames, changes, tail)| {
        let mut wire = encoded(&frames).to_vec();
        wire.extend(tail);
        for (at, byte) in changes {
            if !wire.is_empty() {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
        }
        wire
    })
}

fn chunk_sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..40_usize, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_encoded_comes_back_in_any_chunking(
        frames in proptest::collection::vec(any_frame(), 0..8),
        sizes in chunk_sizes(),
    ) {
        let wire = encoded(&frames);
        prop_assert_eq!(feed(300, &wire, &sizes), (frames, Ok(())));
    }

    #[test]
    fn chunking_changes_neither_frames_nor_error(
        wire in any_damaged_stream(),
        sizes in chunk_sizes(),
        limit in 0..400_usize,
    ) {
        let whole = feed::<Bytes>(limit, &wire, &[wire.len()]);
        prop_assert_eq!(&feed::<Bytes>(limit, &wire, &sizes), &whole);
        prop_assert_eq!(&feed::<Bytes>(limit, &wire, &[1]), &whole);
    }

    #[test]
    fn what_is_decoded_encodes_to_the_same_bytes(wire in any_damaged_stream()) {
        let (frames, _) = feed::<Bytes>(400, &wire, &[wire.len()]);
        let again = encoded(&frames);
        prop_assert!(wire.starts_with(&again));
    }

    #[test]
    fn noise_gives_frames_or_one_error(
        wire in proptest::collection::vec(any::<u8>(), 0..400),
        sizes in chunk_sizes(),
    ) {
        let (frames, end) = feed::<u64>(16, &wire, &sizes);
        prop_assert!(end.is_err() || encoded(&frames)[..] == wire[..]);
    }
}

#[test]
fn the_wire_format_is_what_the_docs_say() {
    let golden: [(Wire, &[u8]); 6] = [
        (data(""), &[0xBE, 1, 1, 0, 0, 0, 0, 0]),
        (data("hi"), &[0xBE, 1, 1, 0, 0, 0, 0, 2, b'h', b'i']),
        (
            ping(0x0102_0304_0506_0708, ""),
            &[0xBE, 1, 2, 0, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
        ),
        (
            ping(7, "load"),
            b"\xBE\x01\x02\x00\x00\x00\x00\x0C\x00\x00\x00\x00\x00\x00\x00\x07load",
        ),
        (
            pong(u64::MAX, ""),
            b"\xBE\x01\x03\x00\x00\x00\x00\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        ),
        (
            pong(7, "x"),
            b"\xBE\x01\x03\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x07x",
        ),
    ];
    for (frame, bytes) in golden {
        assert_eq!(encoded(std::slice::from_ref(&frame))[..], *bytes);
        assert_eq!(feed(16, bytes, &[bytes.len()]), (vec![frame], Ok(())));
    }
    // The length is four bytes, the highest first.
    let large = encoded(&[data(vec![0; 0x01_02_03])]);
    assert_eq!(large[..HEADER], [0xBE, 1, 1, 0, 0, 1, 2, 3]);
}

#[test]
fn every_single_split_gives_the_same_frames() {
    let frames = [
        data("hello"),
        ping(3, ""),
        pong(9, "busy"),
        data(""),
        data("bye"),
    ];
    let wire = encoded(&frames);
    for at in 1..wire.len() {
        let (got, end) = feed::<Bytes>(64, &wire, &[at, wire.len()]);
        assert_eq!(
            (got.as_slice(), end),
            (&frames[..], Ok(())),
            "split at {at}"
        );
    }
}

#[test]
fn each_header_byte_is_refused_as_soon_as_it_is_there() {
    let good = [0xBE, 1, 1, 0, 0, 0, 0, 0];
    let fields: [(&str, &[u8]); 4] = [
        ("magic", &[0xBE]),
        ("version", &[1]),
        ("kind", &[1, 2, 3]),
        ("flags", &[0]),
    ];
    for (at, (field, allowed)) in fields.into_iter().enumerate() {
        for byte in 0..=u8::MAX {
            let mut bytes = good;
            bytes[at] = byte;
            let mut buffer = BytesMut::from(&bytes[..=at]);
            let outcome = TcpCodec::<Bytes>::new().decode(&mut buffer);
            if allowed.contains(&byte) {
                assert_eq!(outcome, Ok(None), "byte {at} = {byte}");
                continue;
            }
            let error = outcome.unwrap_err().to_string();
            let expected =
                format!("tcp frame {field}: value {byte:#04x} at byte {at} is not defined");
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn a_ping_has_room_for_its_number() {
    for kind in [2, 3] {
        for length in 0..8 {
            let mut buffer = BytesMut::from(&[0xBE, 1, kind, 0, 0, 0, 0, length][..]);
            let error = TcpCodec::<Bytes>::new().decode(&mut buffer).unwrap_err();
            let expected = DecodeError::length("number of a ping", 8, length.into());
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn too_large_is_refused_at_the_header() {
    for (kind, what, number) in [
        (1, "data", 0),
        (2, "payload of a ping", 8),
        (3, "payload of a pong", 8),
    ] {
        for (body, fits) in [(0, true), (100, true), (101, false), (0xFFFF_FFF0, false)] {
            let mut buffer = BytesMut::with_capacity(HEADER);
            buffer.put_slice(&[0xBE, 1, kind, 0]);
            buffer.put_u32(body + number);
            let mut codec = TcpCodec::<Bytes>::new().limit(100);
            let outcome = codec.decode(&mut buffer);
            assert!(
                buffer.capacity() <= HEADER + NUMBER + 100,
                "{}",
                buffer.capacity()
            );
            if fits {
                assert!(outcome.is_ok(), "{what} of {body}");
                continue;
            }
            let (size, limit) = (body.into(), 100);
            let error = DecodeError::TooLarge { what, size, limit };
            assert_eq!(outcome, Err(error));
        }
    }
}

#[test]
fn memory_follows_what_has_come_not_what_was_announced() {
    let limit = TcpCodec::<Bytes>::MAX_LIMIT;
    let mut codec = TcpCodec::<Bytes>::new().limit(limit);
    let mut buffer = BytesMut::new();
    buffer.put_slice(&[0xBE, 1, 1, 0]);
    buffer.put_u32(limit as u32);
    assert_eq!(codec.decode(&mut buffer), Ok(None));
    assert!(buffer.capacity() <= 17 * 1024, "{}", buffer.capacity());
    for _ in 0..100 {
        buffer.put_bytes(b'x', 4096);
        assert_eq!(codec.decode(&mut buffer), Ok(None));
        // Twice what is there by the codec, and twice that by the growth of a vector.
        let most = (4 * buffer.len()).max(64 * 1024);
        assert!(buffer.capacity() <= most, "{} of {most}", buffer.capacity());
    }
}

#[test]
fn no_more_is_reserved_than_the_frame_needs() {
    let mut codec = TcpCodec::<Bytes>::new();
    let mut buffer = BytesMut::with_capacity(HEADER);
    buffer.put_slice(&[0xBE, 1, 1, 0, 0, 0, 0x10, 0]);
    assert_eq!(codec.decode(&mut buffer), Ok(None));
    assert_eq!(buffer.capacity(), HEADER + 0x1000);
}

#[test]
fn a_stream_that_ends_inside_a_frame_says_how_much_is_missing() {
    let wire = encoded(&[ping(1, "load")]);
    for cut in 1..wire.len() {
        let expected = if cut < HEADER { HEADER } else { wire.len() };
        let error = DecodeError::Truncated {
            what: "tcp frame",
            expected: expected as u64,
            found: cut as u64,
        };
        let outcome = feed::<Bytes>(64, &wire[..cut], &[cut]);
        assert_eq!(outcome, (vec![], Err(error)), "cut at {cut}");
    }
    assert_eq!(feed::<Bytes>(64, &[], &[1]), (vec![], Ok(())));
}

#[test]
fn frames_before_the_damage_are_delivered() {
    let mut wire = encoded(&[data("one"), ping(1, "")]);
    wire.put_slice(b"\r\n");
    let (frames, end) = feed::<Bytes>(64, &wire, &[wire.len()]);
    assert_eq!(frames, [data("one"), ping(1, "")]);
    assert!(end.is_err());
}

#[test]
fn a_frame_beyond_the_limit_is_not_sent_at_all() {
    let codec = TcpCodec::<Bytes>::new().limit(4);
    let mut wire = BytesMut::from("before");
    for frame in [data("12345"), ping(1, "12345"), pong(1, "12345")] {
        let error = codec.encode(&frame, &mut wire).unwrap_err();
        assert_eq!((error.size, error.limit), (5, 4));
        assert_eq!(wire, "before");
    }
    for frame in [data("1234"), ping(1, "1234"), pong(1, "1234")] {
        codec.encode(&frame, &mut wire).unwrap();
    }
    assert_eq!(
        TcpCodec::<Bytes>::new()
            .limit(usize::MAX)
            .encode(&data("x"), &mut wire),
        Ok(())
    );
}

/// A payload that misbehaves: it wipes the buffer it was given.
struct Rude;

impl Payload for Rude {
    fn encode(&self, buf: &mut BytesMut) {
        buf.clear();
        buf.put_u8(1);
    }

    fn decode(mut bytes: Bytes) -> Result<Self, DecodeError> {
        match bytes.try_get_u8() {
            Ok(1) if bytes.is_empty() => Ok(Self),
            _ => Err(DecodeError::Payload("rude".into())),
        }
    }
}

#[test]
fn a_payload_reaches_nothing_but_itself() {
    let mut wire = encoded(&[data("before")]);
    let (seq, payload) = (Seq::new(2), Rude);
    let codec = TcpCodec::new();
    codec
        .encode(&Frame::Ping { seq, payload }, &mut wire)
        .unwrap();
    let (frames, end) = feed::<Rude>(64, &wire, &[wire.len()]);
    assert!(matches!(frames[..], [Frame::Data(_), Frame::Ping { .. }]));
    assert_eq!(end, Ok(()));
    // What its type refuses is an error of the stream.
    let wire = encoded(&[ping(2, "no")]);
    let (_, end) = feed::<Rude>(64, &wire, &[1]);
    assert_eq!(end, Err(DecodeError::Payload("rude".into())));
}

#[test]
fn frames_answer_with_the_payload_of_their_own_side() {
    let (tell, told) = std::sync::mpsc::channel();
    let mut mine = 100;
    let mut frames = Frames::with_payload(move |_| {
        mine += 1;
        mine
    })
    .observe(move |frame| tell.send(frame).unwrap());
    let ping = |seq, payload: u64| Frame::Ping {
        seq: Seq::new(seq),
        payload,
    };
    let pong = |seq, payload: u64| Frame::Pong {
        seq: Seq::new(seq),
        payload,
    };

    assert_eq!(frames.ping(Seq::new(5)), ping(5, 101));
    let reply = Some(pong(9, 102));
    assert_eq!(frames.classify(ping(9, 7)), Inbound::Ping { reply });
    let answer = frames.classify(pong(5, 8));
    assert_eq!(answer, Inbound::Pong(Answers::Ping(Seq::new(5))));
    let hello = Frame::Data(Bytes::from_static(b"hello"));
    assert_eq!(frames.classify(hello.clone()), Inbound::Data(hello));
    drop(frames);
    assert_eq!(told.iter().collect::<Vec<_>>(), [ping(9, 7), pong(5, 8)]);
}

/// What one of the `Framed` types made of `wire` is what the codec by itself makes of it.
#[cfg(any(feature = "tokio", feature = "smol"))]
fn assert_agrees(wire: &[u8], framed: (Vec<Wire>, Option<liveness::tcp::FrameError>)) {
    let (frames, end) = feed::<Bytes>(TcpCodec::<Bytes>::DEFAULT_LIMIT, wire, &[wire.len()]);
    assert_eq!(framed.0, frames);
    let error = framed.1.map(|error| error.to_string());
    assert_eq!(error, end.err().map(|error| error.to_string()));
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;
    use futures::{SinkExt, StreamExt};
    use liveness::tcp::FrameError;
    use tokio::io::AsyncWriteExt;
    use tokio_util::codec::Framed;

    async fn read_all(wire: &[u8]) -> (Vec<Wire>, Option<FrameError>) {
        // Two bytes at a time through the pipe.
        let (mut near, far) = tokio::io::duplex(2);
        let mut framed = Framed::new(far, TcpCodec::<Bytes>::new());
        let write = async {
            // The reader leaves at the first error.
            let _ = near.write_all(wire).await;
            drop(near);
        };
        let read = async {
            let mut frames = Vec::new();
            while let Some(item) = framed.next().await {
                match item {
                    Ok(frame) => frames.push(frame),
                    Err(error) => {
                        assert!(framed.next().await.is_none(), "an error ends the stream");
                        drop(framed);
                        return (frames, Some(error));
                    }
                }
            }
            (frames, None)
        };
        futures::join!(write, read).1
    }

    #[tokio::test]
    async fn framed_carries_frames_both_ways() {
        let (near, far) = tokio::io::duplex(64);
        let mut near = Framed::new(near, TcpCodec::<Bytes>::new().limit(8));
        let mut far = Framed::new(far, TcpCodec::<Bytes>::new());
        for frame in [data("hello"), ping(1, "load"), pong(2, "")] {
            near.send(frame.clone()).await.unwrap();
            assert_eq!(far.next().await.unwrap().unwrap(), frame);
        }
        // Too large here: nothing is sent, and the stream goes on.
        let error = near.send(data("123456789")).await.unwrap_err();
        assert!(matches!(error, FrameError::TooLarge(_)), "{error}");
        near.send(data("ok")).await.unwrap();
        assert_eq!(far.next().await.unwrap().unwrap(), data("ok"));
        // Too large there: the stream ends with the reason, and only once.
        far.send(data("123456789")).await.unwrap();
        let error = near.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "data: 9 bytes announced, the limit is 8");
        assert!(near.next().await.is_none());
    }

    proptest! {
        #[test]
        fn framed_agrees_with_the_codec(wire in any_damaged_stream()) {
            let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_agrees(&wire, rt.block_on(read_all(&wire)));
        }
    }
}

#[cfg(feature = "smol")]
mod on_futures_io {
    use super::*;
    use asynchronous_codec::{Framed, FramedRead};
    use futures::io::Cursor;
    use futures::{SinkExt, StreamExt};
    use liveness::tcp::FrameError;

    async fn read_all(wire: &[u8]) -> (Vec<Wire>, Option<FrameError>) {
        let mut framed = FramedRead::new(wire, TcpCodec::<Bytes>::new());
        let mut frames = Vec::new();
        while let Some(item) = framed.next().await {
            match item {
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, Some(error)),
            }
        }
        (frames, None)
    }

    #[test]
    fn framed_carries_frames_both_ways() {
        futures::executor::block_on(async {
            let frames = [data("hello"), ping(1, "load"), pong(2, "")];
            let mut framed = Framed::new(Cursor::new(Vec::new()), TcpCodec::<Bytes>::new());
            for frame in frames.clone() {
                framed.send(frame).await.unwrap();
            }
            let wire = framed.into_inner().into_inner();
            assert_eq!(wire[..], encoded(&frames)[..]);
            let (got, error) = read_all(&wire).await;
            assert_eq!(got, frames);
            assert!(error.is_none());
        });
    }

    #[test]
    fn an_error_is_repeated_and_nothing_is_kept() {
        futures::executor::block_on(async {
            let mut wire = encoded(&[data("one")]).to_vec();
            wire.extend([0; 20_000]);
            let mut framed = FramedRead::new(&wire[..], TcpCodec::<Bytes>::new());
            assert_eq!(framed.next().await.unwrap().unwrap(), data("one"));
            for _ in 0..5 {
                let error = framed.next().await.unwrap().unwrap_err();
                assert!(matches!(error, FrameError::Decode(_)), "{error}");
                assert!(framed.read_buffer().is_empty());
            }
        });
    }

    proptest! {
        #[test]
        fn framed_agrees_with_the_codec(wire in any_damaged_stream()) {
            assert_agrees(&wire, futures::executor::block_on(read_all(&wire)));
        }
    }
}
