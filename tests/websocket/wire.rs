//! `websocket::Wire` below tungstenite: its own parser and its own streams are the oracle.

use std::io::Cursor;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncWrite};
use liveness::io::{KeepaliveStream, Wire as _};
use liveness::test_util::Sim;
use liveness::{KeepaliveConfig, Seq, websocket};
use proptest::prelude::*;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::protocol::{Role, WebSocket};

use crate::common::{self, Input, Script, noop, write_all};

type Stream = KeepaliveStream<Script, websocket::Wire, Sim>;

const CLIENT_HEAD: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
const SERVER_HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const SEED: u64 = 7;

fn wire(role: Role) -> websocket::Wire {
    match role {
        Role::Client => websocket::Wire::client().seed(SEED),
        Role::Server => websocket::Wire::server().seed(SEED),
    }
}

fn stream(wire: websocket::Wire) -> Stream {
    let config = KeepaliveConfig::off();
    KeepaliveStream::new(Script::default(), wire, config, Sim::new()).unwrap()
}

fn read_some(stream: &mut Stream, room: usize) -> Option<Vec<u8>> {
    let mut buf = vec![0; room];
    match noop(|cx| Pin::new(stream).poll_read(cx, &mut buf)) {
        Poll::Ready(count) => Some(buf[..count.unwrap()].to_vec()),
        Poll::Pending => None,
    }
}

fn read_all(stream: &mut Stream, room: usize) -> Vec<u8> {
    common::read_all(stream, room).unwrap()
}

fn write_some(stream: &mut Stream, bytes: &[u8]) -> usize {
    match noop(|cx| Pin::new(stream).poll_write(cx, bytes)) {
        Poll::Ready(taken) => taken.unwrap(),
        Poll::Pending => 0,
    }
}

/// The ping with this number as `wire` writes it, and what it carries.
fn ping_of(wire: &mut websocket::Wire, seq: u64) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = bytes::BytesMut::new();
    wire.ping(Seq::new(seq), &mut bytes);
    let frames = parse(&bytes).unwrap();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].0.opcode, OpCode::Control(Control::Ping));
    (bytes.to_vec(), frames[0].1.clone())
}

/// The frames in `bytes` as tungstenite reads them, unmasked; `None` if they do not end with a
/// frame.
fn parse(bytes: &[u8]) -> Option<Vec<(FrameHeader, Vec<u8>)>> {
    let mut cursor = Cursor::new(bytes);
    let mut frames = Vec::new();
    while (cursor.position() as usize) < bytes.len() {
        let (header, length) = FrameHeader::parse(&mut cursor).unwrap()?;
        let start = cursor.position() as usize;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let mut payload = bytes.get(start..end)?.to_vec();
        if let Some(mask) = header.mask {
            for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= mask;
            }
        }
        cursor.set_position(end as u64);
        frames.push((header, payload));
    }
    Some(frames)
}

fn encode(opcode: OpCode, is_final: bool, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let header = FrameHeader {
        is_final,
        opcode,
        mask,
        ..FrameHeader::default()
    };
    let frame = Frame::from_payload(header, Bytes::copy_from_slice(payload));
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

fn pong(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    encode(OpCode::Control(Control::Pong), true, payload, mask)
}

/// A message in fragments, with control frames between them, as a list of whole frames.
fn message() -> impl Strategy<Value = Vec<(OpCode, bool, Vec<u8>)>> {
    let size = prop_oneof![6 => 0_usize..20, 2 => 120_usize..130, 1 => 65_530_usize..65_540];
    let bytes = size.prop_map(|size| (0..size).map(|at| at as u8).collect::<Vec<_>>());
    let control = (
        any::<bool>(),
        proptest::collection::vec(any::<u8>(), 0..125),
    );
    let part = (bytes, proptest::collection::vec(control, 0..3));
    proptest::collection::vec(part, 1..4).prop_map(|parts| {
        let (mut frames, last) = (Vec::new(), parts.len() - 1);
        for (nth, (payload, controls)) in parts.into_iter().enumerate() {
            let data = if nth == 0 {
                Data::Binary
            } else {
                Data::Continue
            };
            frames.push((OpCode::Data(data), nth == last, payload));
            for (is_ping, payload) in controls {
                let control = if is_ping {
                    Control::Ping
                } else {
                    Control::Pong
                };
                frames.push((OpCode::Control(control), true, payload));
            }
        }
        frames
    })
}

fn frames(
    messages: &[Vec<(OpCode, bool, Vec<u8>)>],
    mask: Option<[u8; 4]>,
) -> impl Iterator<Item = Vec<u8>> {
    let frames = messages.iter().flatten();
    frames.map(move |(opcode, is_final, payload)| encode(*opcode, *is_final, payload, mask))
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// The mask of what `role` sends.
fn mask_of(role: Role) -> Option<[u8; 4]> {
    (role == Role::Client).then_some([1, 0x80, 0xff, 0x5a])
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What goes out parses, carries a ping for each time one was wanted and a border came, and is
    /// the user's own when they are taken away.
    #[test]
    fn pings_stand_between_frames(
        role in role(),
        messages in proptest::collection::vec(message(), 1..4),
        chunks in proptest::collection::vec((1_usize..70, any::<bool>()), 1..80),
        takes in proptest::collection::vec(0_usize..2000, 0..60),
    ) {
        let users = frames(&messages, mask_of(role)).collect::<Vec<_>>().concat();
        let mut stream = stream(wire(role).upgraded());
        stream.get_mut().takes = takes.into();
        let (mut rest, mut chunks) = (&users[..], chunks.into_iter().cycle());
        let mut wanted = 0;
        while !rest.is_empty() {
            let (size, probe) = chunks.next().unwrap();
            if probe && wanted < 40 {
                stream.probe_now();
                read_some(&mut stream, 10);
                read_some(&mut stream, 10);
                wanted += 1;
            }
            // Now and then all that is left at once.
            let size = if size > 60 { rest.len() } else { size.min(rest.len()) };
            rest = &rest[write_some(&mut stream, &rest[..size])..];
        }
        read_all(&mut stream, 100);
        let parsed = parse(&stream.get_ref().written).expect("whole frames");
        let mut ours = wire(role);
        let (mut sent, mut pings) = (parsed.into_iter(), 0);
        let expected = parse(&users).unwrap();
        for expected in &expected {
            let found = sent.by_ref().find(|(header, payload)| {
                if *payload != ping_of(&mut ours.clone(), pings).1 {
                    return true;
                }
                assert_eq!(header.mask.is_some(), role == Role::Client);
                assert_eq!(header.opcode, OpCode::Control(Control::Ping));
                ping_of(&mut ours, pings);
                pings += 1;
                false
            });
            prop_assert_eq!(found.as_ref(), Some(expected));
        }
        pings += sent.count() as u64;
        prop_assert!(pings <= wanted);
        prop_assert!(pings > 0 || wanted == 0);

        // And the whole of it is what tungstenite takes without complaint.
        let script = Cursor::new(stream.get_ref().written.clone());
        let mut socket = WebSocket::from_raw_socket(ReadOnly(script), other(role), None);
        for message in &messages {
            let whole: Vec<u8> = message
                .iter()
                .filter(|frame| matches!(frame.0, OpCode::Data(_)))
                .flat_map(|frame| frame.2.clone())
                .collect();
            let read = std::iter::repeat_with(|| socket.read().unwrap()).find(|m| m.is_binary());
            prop_assert_eq!(read.unwrap().into_data(), whole);
        }
    }

    /// The pongs that answer our pings are taken out of what comes in, and nothing else is: not
    /// those that only look alike.
    #[test]
    fn answers_are_taken_out(
        role in role(),
        messages in proptest::collection::vec(message(), 1..3),
        places in proptest::collection::vec(proptest::option::of(0_u64..9), 1..40),
        chunks in proptest::collection::vec(0_usize..300, 1..80),
        room in prop_oneof![1_usize..40, Just(5000)],
    ) {
        let asked = 3;
        let mut stream = stream(wire(role).upgraded());
        for _ in 0..asked {
            stream.probe_now();
            read_all(&mut stream, 10);
        }
        let mut ours = wire(role);
        let payloads: Vec<_> = (0..9).map(|seq| ping_of(&mut ours, seq).1).collect();
        let mask = mask_of(other(role));
        let (mut all, mut users, mut answered) = (Vec::new(), Vec::new(), 0);
        let mut places = places.into_iter().cycle();
        for frame in frames(&messages, mask) {
            if let Some(seq) = places.next().unwrap() {
                let pong = pong(&payloads[seq as usize], mask);
                all.extend_from_slice(&pong);
                if seq >= asked {
                    users.extend(pong); // no such ping was sent
                } else {
                    answered += 1;
                }
            }
            all.extend_from_slice(&frame);
            users.extend(frame);
        }
        let mut foreign = payloads[0].clone();
        foreign[11] ^= 1;
        let wrong_side = if mask.is_some() { None } else { Some([0; 4]) };
        for pong in [
            pong(&foreign, mask),
            pong(&payloads[0][..19], mask),
            pong(&[&payloads[0][..], b"x"].concat(), mask),
            pong(&payloads[0], wrong_side),
        ] {
            all.extend_from_slice(&pong);
            users.extend(pong);
        }
        let (mut rest, mut chunks) = (&all[..], chunks.into_iter().cycle());
        while !rest.is_empty() {
            let (chunk, left) = rest.split_at(chunks.next().unwrap().clamp(1, rest.len()));
            stream.get_mut().input.extend([Input::Bytes(chunk.to_vec()), Input::Nothing]);
            rest = left;
        }
        stream.get_mut().input.push_back(Input::End);
        let mut got = Vec::new();
        while stream.get_ref().input.len() > 1 {
            got.extend(read_some(&mut stream, room).unwrap_or_default());
        }
        got.extend(read_all(&mut stream, room));
        prop_assert_eq!(got, users);
        prop_assert!(answered == 0 || stream.rtt().samples() > 0);
    }

    /// Bytes that mean nothing pass in both directions, and nothing panics.
    #[test]
    fn garbage_passes_untouched(
        role in role(),
        upgraded in any::<bool>(),
        outgoing in proptest::collection::vec(garbage(), 0..30),
        incoming in proptest::collection::vec(garbage(), 0..30),
        room in 1_usize..50,
    ) {
        let wire_of = |role| if upgraded { wire(role).upgraded() } else { wire(role) };
        let mut stream = stream(wire_of(role));
        for bytes in &outgoing {
            write_all(&mut stream, bytes);
            stream.probe_now();
            read_all(&mut stream, room);
        }
        for bytes in incoming.iter().filter(|bytes| !bytes.is_empty()) {
            stream.get_mut().push(bytes);
        }
        stream.get_mut().input.push_back(Input::End);
        prop_assert_eq!(read_all(&mut stream, room), incoming.concat());
        let mut written = stream.get_ref().written.clone();
        let mut ours = wire(role);
        for seq in 0..outgoing.len() as u64 {
            let (ping, _) = ping_of(&mut ours, seq);
            if let Some(at) = written.windows(ping.len()).position(|bytes| bytes == ping) {
                written.drain(at..at + ping.len());
            }
        }
        prop_assert_eq!(written, outgoing.concat());
    }

    /// No ping before both heads have passed, and none ever where the answer is not 101.
    #[test]
    fn the_upgrade_comes_first(role in role(), step in 1_usize..60, refused in any::<bool>()) {
        let mut stream = stream(wire(role));
        let answer: &[u8] = if refused { b"HTTP/1.1 403 No\r\n\r\n" } else { SERVER_HEAD };
        let (ours, theirs) = match role {
            Role::Client => (CLIENT_HEAD, answer),
            Role::Server => (answer, CLIENT_HEAD),
        };
        stream.probe_now();
        if role == Role::Server {
            theirs.chunks(step).for_each(|chunk| stream.get_mut().push(chunk));
            prop_assert_eq!(read_all(&mut stream, 100), theirs);
        }
        ours.chunks(step).for_each(|chunk| write_all(&mut stream, chunk));
        if role == Role::Client {
            read_all(&mut stream, 100);
            prop_assert_eq!(&stream.get_ref().written, ours);
            theirs.chunks(step).for_each(|chunk| stream.get_mut().push(chunk));
            prop_assert_eq!(read_all(&mut stream, 100), theirs);
        }
        read_all(&mut stream, 100);
        let after = stream.get_ref().written[ours.len()..].to_vec();
        let expected = if refused { Vec::new() } else { ping_of(&mut wire(role), 0).0 };
        prop_assert_eq!(after, expected);
    }
}

/// Bytes of which some look like frames.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let telling = prop_oneof![
        Just(0x88),
        Just(0x89),
        Just(0x8a),
        Just(0x0a),
        Just(0x81),
        Just(0x7e),
        Just(0xff),
        Just(0x7f),
        Just(0x14),
        Just(0x94),
        Just(0),
        Just(b'\n'),
        Just(b'H'),
    ];
    proptest::collection::vec(prop_oneof![3 => telling, 1 => any::<u8>()], 0..40)
}

/// Reads what is there; takes what is written.
struct ReadOnly(Cursor<Vec<u8>>);

impl std::io::Read for ReadOnly {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl std::io::Write for ReadOnly {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Asks after these outgoing and incoming bytes, and says whether a ping was put in.
fn asks_after(role: Role, outgoing: &[u8], incoming: &[u8]) -> bool {
    let mut stream = stream(wire(role).upgraded());
    write_all(&mut stream, outgoing);
    if !incoming.is_empty() {
        stream.get_mut().push(incoming);
    }
    assert_eq!(read_all(&mut stream, 10_000), incoming);
    stream.probe_now();
    read_all(&mut stream, 10_000);
    let (users, ours) = stream.get_ref().written.split_at(outgoing.len());
    assert_eq!(users, outgoing);
    !ours.is_empty()
}

#[test]
fn malformed_frames_have_borders_too() {
    let long = |head: &[u8], size: usize| [head, &vec![0x88; size]].concat();
    let cases = [
        ("an empty stream", vec![]),
        (
            "a control frame above 125 bytes",
            long(&[0x89, 126, 1, 0], 256),
        ),
        ("a control frame in fragments", vec![0x09, 1, 7]),
        ("reserved opcodes", vec![0x83, 1, 7, 0x8f, 0]),
        ("reserved bits", vec![0xf1, 1, 7]),
        (
            "a length in more bytes than it needs",
            long(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 3], 3),
        ),
        ("a continuation of nothing", vec![0x80, 1, 7]),
        (
            "a mask on both sides",
            vec![0x82, 0x81, 0x88, 0x88, 0x88, 0x88, 7],
        ),
    ];
    for role in [Role::Client, Role::Server] {
        for (what, bytes) in &cases {
            assert!(asks_after(role, bytes, &[]), "outgoing: {what}");
            assert!(asks_after(role, &[], bytes), "incoming: {what}");
        }
    }
}

#[test]
fn a_frame_without_end_and_a_farewell_have_none() {
    let cases = [
        (
            "the longest length",
            vec![0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0],
        ),
        ("half a header", vec![0x82, 126, 0]),
        ("a body that goes on", vec![0x82, 9, 1, 2]),
        ("a close", vec![0x88, 0]),
        (
            "a close between fragments",
            vec![0x01, 1, b'a', 0x88, 2, 3, 232],
        ),
        ("frames after a close", vec![0x88, 0, 0x81, 0]),
    ];
    for role in [Role::Client, Role::Server] {
        for (what, bytes) in &cases {
            assert!(!asks_after(role, bytes, &[]), "outgoing: {what}");
        }
        for (what, bytes) in &cases[3..] {
            assert!(!asks_after(role, &[], bytes), "incoming: {what}");
        }
        // Half a frame that comes in is no reason not to ask.
        assert!(asks_after(role, &[], &cases[2].1));
    }
}

#[test]
fn an_upgrade_that_is_cut_off_passes_and_asks_nothing() {
    for cut in 0..SERVER_HEAD.len() {
        let mut stream = stream(wire(Role::Client));
        write_all(&mut stream, CLIENT_HEAD);
        stream.probe_now();
        if cut > 0 {
            stream.get_mut().push(&SERVER_HEAD[..cut]);
        }
        stream.get_mut().input.push_back(Input::End);
        assert_eq!(read_all(&mut stream, 10), &SERVER_HEAD[..cut]);
        assert_eq!(stream.get_ref().written, CLIENT_HEAD);
    }
}

/// Lets requests (`>`) and responses (`<`) pass, and says whether a ping is put in after them.
/// Nothing else ever stands among the bytes.
fn asks_after_http(role: Role, exchange: &[&str], step: usize) -> bool {
    let mut stream = stream(wire(role));
    let mut outgoing = Vec::new();
    for text in exchange {
        stream.probe_now();
        let (side, text) = text.split_at(1);
        if (side == ">") == (role == Role::Client) {
            for chunk in text.as_bytes().chunks(step) {
                write_all(&mut stream, chunk);
                read_all(&mut stream, 100);
            }
            outgoing.extend_from_slice(text.as_bytes());
        } else {
            for chunk in text.as_bytes().chunks(step) {
                stream.get_mut().push(chunk);
            }
            assert_eq!(read_all(&mut stream, 1000), text.as_bytes());
        }
        let written = &stream.get_ref().written;
        assert_eq!(written[..outgoing.len()], outgoing[..], "{text:?}");
    }
    read_all(&mut stream, 100);
    let after = &stream.get_ref().written[outgoing.len()..];
    assert!(after.is_empty() || after == ping_of(&mut wire(role), 0).0);
    !after.is_empty()
}

/// A connection to a proxy or a server is used again, and a response is only the end of one
/// request.
#[test]
fn an_upgrade_is_found_wherever_it_comes_on_a_connection() {
    let (ask, switch) = (
        ">GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        &format!("<{}", std::str::from_utf8(SERVER_HEAD).unwrap())[..],
    );
    let page = [
        ">GET /page HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "<hello",
    ];
    let refused = [
        ask,
        "<HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    ];
    let tunnel = [
        ">CONNECT peer.test:80 HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 200 Connection established\r\n\r\n",
    ];
    let upload = [
        ">POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        "<HTTP/1.1 100 Continue\r\n\r\n",
        ">data",
        "<HTTP/1.1 204 No Content\r\n\r\n",
    ];
    let hints = [
        ask,
        "<HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n",
        switch,
    ];
    let cases: [(&str, Vec<&str>); 8] = [
        ("at once", vec![ask, switch]),
        ("after a page", [&page[..], &[ask, switch]].concat()),
        ("after many", [page.repeat(9), vec![ask, switch]].concat()),
        ("after a refusal", [&refused[..], &[ask, switch]].concat()),
        ("in a tunnel", [&tunnel[..], &[ask, switch]].concat()),
        ("after an upload", [&upload[..], &[ask, switch]].concat()),
        ("after early hints", hints.to_vec()),
        (
            "after all of it",
            [&page[..], &refused, &tunnel, &upload, &hints].concat(),
        ),
    ];
    for role in [Role::Client, Role::Server] {
        for step in [1, 7, usize::MAX] {
            for (what, exchange) in &cases {
                assert!(asks_after_http(role, exchange, step), "{what}, {step}");
            }
            // And nothing is asked before it.
            assert!(!asks_after_http(role, &page, step));
            assert!(!asks_after_http(role, &refused, step));
        }
    }
}

/// A ping in a protocol that is not WebSocket is corruption.
#[test]
fn nothing_is_put_into_another_protocol() {
    let ask = ">POST /containers/a/attach HTTP/1.1\r\nUpgrade: tcp\r\n\r\n";
    let cases = [
        vec![
            ask,
            "<HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n",
            "<raw",
            ">raw",
        ],
        vec![ask, "<HTTP/1.1 101 UPGRADED\r\nUpgrade: websocket\r\n\r\n"],
        vec![">\x16\x03\x01", "<\x16\x03\x03\n\n", ">\x17\x03\x03"],
        vec![">PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "<\0\0\0\x04\0\0\0\0\0"],
    ];
    for role in [Role::Client, Role::Server] {
        for exchange in &cases {
            assert!(!asks_after_http(role, exchange, 3), "{exchange:?}");
            assert!(!asks_after_http(role, exchange, usize::MAX), "{exchange:?}");
        }
    }
}

#[test]
fn a_wire_says_whether_it_asks() {
    use liveness::io::Stage;
    let mut wire = wire(Role::Server);
    let mut stages = vec![wire.stage()];
    wire.incoming(CLIENT_HEAD);
    stages.push(wire.stage());
    let mut rest = SERVER_HEAD;
    while !rest.is_empty() {
        rest = &rest[wire.outgoing(rest)..];
    }
    stages.push(wire.stage());
    wire.incoming(&[0x88]);
    stages.push(wire.stage());
    assert_eq!(
        stages,
        [
            Stage::Handshake,
            Stage::Handshake,
            Stage::Open,
            Stage::Closing
        ]
    );

    let mut wire = websocket::Wire::server();
    wire.outgoing(b"HTTP/1.1 101 UPGRADED\r\n\r\n");
    assert_eq!(wire.stage(), Stage::Foreign);
}

#[test]
fn a_later_pong_answers_the_earlier_pings() {
    let sim = Sim::new();
    let config = KeepaliveConfig::new().max_unanswered(3);
    let wire = wire(Role::Client).upgraded();
    let mut stream = KeepaliveStream::new(Script::default(), wire, config, sim.clone()).unwrap();
    let s = Duration::from_secs(1);
    read_all(&mut stream, 100);
    for wait in [20 * s, 10 * s] {
        sim.advance(wait);
        read_all(&mut stream, 100);
    }
    let pings = parse(&stream.get_ref().written).unwrap();
    assert_eq!(pings.len(), 2);
    sim.advance(s);
    stream.get_mut().push(&pong(&pings[1].1, None));
    stream.get_mut().push(&pong(&pings[0].1, None));
    assert!(read_all(&mut stream, 100).is_empty());
    assert_eq!(
        (stream.rtt().samples(), stream.rtt().latest()),
        (1, Some(s))
    );
}

#[test]
fn after_a_close_the_peer_has_the_bound_to_say_something() {
    let sim = Sim::new();
    let config = KeepaliveConfig::websocket();
    let wire = wire(Role::Server).upgraded();
    let mut stream = KeepaliveStream::new(Script::default(), wire, config, sim.clone()).unwrap();
    let bound = config.detection_bound().map(|bound| bound.quiet).unwrap();
    read_all(&mut stream, 100);
    write_all(&mut stream, &[0x88, 0]);
    sim.advance(bound - Duration::from_millis(1));
    read_all(&mut stream, 100);
    assert_eq!(stream.get_ref().written, [0x88, 0]);
    assert_eq!(stream.dead(), None);
    sim.advance(Duration::from_millis(1));
    let mut buf = [0; 8];
    let mut read = || noop(|cx| Pin::new(&mut stream).poll_read(cx, &mut buf));
    assert!(read().is_pending());
    assert!(
        matches!(read(), Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut)
    );
}

#[test]
fn masks_and_nonces_differ() {
    let mut wire = websocket::Wire::client();
    let (first, second) = (ping_of(&mut wire, 0), ping_of(&mut wire, 0));
    assert_eq!(first.1, second.1);
    assert_ne!(first.0, second.0, "each ping has a mask of its own");
    assert_ne!(ping_of(&mut websocket::Wire::client(), 0).1, first.1);
    assert_ne!(ping_of(&mut websocket::Wire::client(), 0).1, first.1);
}
