//! What it costs to follow MQTT: the borders of packets alone, and a socket that is kept alive
//! below a library.
//!
//! All rows are times, also where the aim is a rate: 5 GB/s is a packet of 16 KiB in 3277 ns, and
//! 0.95 x the bytes a second is 1.0526 x the time.

use std::hint::black_box;
use std::time::Duration;

use bytes::BytesMut;
use liveness::Tokio;
use liveness::io::KeepaliveStream;
use liveness::mqtt::{ClientConfig, Scanner, Wire};
use rumqttc::mqttbytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::harness::{Bar, Contest, in_task};

const SMALL: usize = 64;
const LARGE: usize = 16 * 1024;

/// How much is read or written at once.
const CHUNK: usize = 64 * 1024;
/// How much a packet of a network carries.
const SEGMENT: usize = 1460;

/// How many chunks a connection carries before it is measured.
const WARM: u64 = 256;

/// 0.95 x the bytes a second, as a time.
const BULK: Bar = Bar::Times(1.0526);

pub(crate) fn contests() -> Vec<Contest> {
    vec![
        scanned(
            "mqtt-scan-64",
            "a PUBLISH of 64 bytes, its end found",
            SMALL,
            15.0,
        ),
        scanned(
            "mqtt-scan-16k",
            "a PUBLISH of 16 KiB, its end found",
            LARGE,
            3277.0,
        ),
        bulk(),
        small_bulk(),
    ]
}

/// `rumqttc` has the length of a packet checked, and then the packet decoded.
fn scanned(name: &'static str, title: &'static str, len: usize, most: f64) -> Contest {
    Contest::new(name, title, "ns")
        .timed("rumqttc's check, a whole packet", move || check(len))
        .timed("rumqttc's read", move || read(len))
        .timed("Scanner, 64 KiB at once", move || scan(len, CHUNK))
        .bar(Bar::Is(most))
        .timed("Scanner, 1460 bytes at once", move || scan(len, SEGMENT))
        .bar(Bar::Is(most))
}

fn bulk() -> Contest {
    let title = "64 KiB over loopback TCP, in PUBLISH of 16 KiB";
    Contest::new("mqtt-bulk-16k", title, "ns")
        .timed("bare TcpStream", || write(LARGE, |io, _| io))
        .timed("KeepaliveStream", || write(LARGE, watched))
        .bar(BULK)
}

/// The price of a border, with as many of them as there can be: no bar, since whoever finds 2048
/// borders does more than who moves 64 KiB, and the library above does far more with each.
fn small_bulk() -> Contest {
    let title = "64 KiB over loopback TCP, in PUBLISH of 64 bytes";
    Contest::new("mqtt-bulk-64", title, "ns")
        .timed("bare TcpStream", || write(SMALL, |io, _| io))
        .timed("KeepaliveStream", || write(SMALL, watched))
}

/// A PUBLISH with QoS 0 that is `len` bytes long.
fn publish(len: usize) -> Vec<u8> {
    let header = if len < 130 { 2 } else { 4 };
    let body = len - header;
    let mut packet = match header {
        2 => vec![0x30, body as u8],
        _ => vec![
            0x30,
            body as u8 | 0x80,
            (body >> 7) as u8 | 0x80,
            (body >> 14) as u8,
        ],
    };
    packet.extend(b"\x00\x05topic");
    packet.resize(len, 7);
    packet
}

/// Scans packets that come so many bytes at once; the time is that of a packet.
fn scan(len: usize, step: usize) -> impl FnMut(u64) {
    let mut scanner = Scanner::from_client();
    let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c";
    scanner.scan(connect).expect("a CONNECT");
    // A whole number of packets, so that it can be scanned again and again.
    let stream = publish(len).repeat(64.max(CHUNK / len));
    let (mut at, mut end) = (0, 0);
    move |packets| {
        let mut found = 0;
        while found < packets {
            if at == end {
                (at, end) = match at == stream.len() {
                    true => (0, step),
                    false => (at, (at + step).min(stream.len())),
                };
            }
            let (consumed, packet) = scanner.scan(&stream[at..end]).expect("packets");
            at += consumed;
            found += u64::from(packet.is_some());
        }
    }
}

/// The length of a packet, by a library.
fn check(len: usize) -> impl FnMut(u64) {
    let packet = publish(len);
    move |packets| {
        for _ in 0..packets {
            let header = mqttbytes::check(black_box(&packet).iter(), 1 << 20);
            assert!(black_box(header).is_ok());
        }
    }
}

/// A packet, by a library, from a buffer that is filled again when it is empty.
fn read(len: usize) -> impl FnMut(u64) {
    let stream = publish(len).repeat(CHUNK / len);
    let mut buf = BytesMut::new();
    move |packets| {
        for _ in 0..packets {
            if buf.is_empty() {
                buf.extend_from_slice(&stream);
            }
            let packet = mqttbytes::v4::Packet::read(&mut buf, 1 << 20);
            assert!(black_box(packet).is_ok());
        }
    }
}

/// A socket that is kept alive, after its handshake.
fn watched(io: TcpStream, wire: Wire) -> KeepaliveStream<TcpStream, Wire, Tokio> {
    let config = ClientConfig::new().keepalive(60);
    KeepaliveStream::new(io, wire.connected(60), config, Tokio).expect("the default is valid")
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // As in `harness::runtime`.
    runtime.spawn(async { tokio::time::sleep(Duration::from_secs(3600)).await });
    runtime
}

/// Both ends of a connection over loopback, wrapped: the client's and the broker's.
async fn connect<S>(wrap: impl Fn(TcpStream, Wire) -> S) -> (S, S) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let near = TcpStream::connect(address).await.expect("it listens");
    let (far, _) = listener.accept().await.expect("one has connected");
    for io in [&near, &far] {
        io.set_nodelay(true).expect("it is connected");
    }
    let client = Wire::client(ClientConfig::new());
    (wrap(near, client), wrap(far, Wire::broker()))
}

/// Both ends are wrapped; one writes packets that are `len` bytes long, and a task of its own reads
/// at the other.
fn write<S>(len: usize, wrap: impl Fn(TcpStream, Wire) -> S) -> impl FnMut(u64)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let runtime = runtime();
    let (near, far) = runtime.block_on(connect(wrap));
    let ends = (near, far, publish(len).repeat(CHUNK / len), vec![0; CHUNK]);
    let mut write = in_task(
        runtime,
        ends,
        |(mut near, mut far, chunk, mut buf), times| async move {
            let reader = tokio::spawn(async move {
                for _ in 0..times {
                    far.read_exact(&mut buf).await.expect("open");
                    black_box(&buf);
                }
                (far, buf)
            });
            for _ in 0..times {
                near.write_all(black_box(&chunk)).await.expect("open");
            }
            let (far, buf) = reader.await.expect("it does not panic");
            (near, far, chunk, buf)
        },
    );
    // The kernel sizes its buffers by what a connection has carried.
    write(WARM);
    write
}
