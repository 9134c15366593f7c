//! A slow uplink: megabytes of our own stand before a ping, in this host and in a router, and that
//! is no death. A cut is, in time.
//!
//! Needs root, `ip`, `tc` and `nft`. The real numbers are a default configuration on 1 Mbit/s for
//! 90 s. Here all limits are a fifth of that and the link is five times as fast, so that the same
//! bytes stand before a ping for the same part of every limit. `LIVENESS_UPLINK_SCALE=1` makes it
//! the real numbers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::{join, join3, join5};
use futures::{SinkExt, StreamExt};
use liveness::io::Tracked;
use liveness::keepalive::ReplyTimeout;
use liveness::tcp::{Frame, Frames, SendQueue, TcpCodec};
use liveness::{Error, KeepaliveConfig, PingPong, Tokio};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use crate::network::Hosts;
use crate::peer::{Peer, report, run};

const MEGABYTES_5: usize = 5_000_000;
/// Bigger than what arrives in a reply timeout; the default limit of a frame is smaller.
const LARGEST: usize = 8 << 20;

type Connection = PingPong<Framed<Tracked<TcpStream, Tokio>, TcpCodec>, Frames, Tokio>;

fn scale() -> u32 {
    let scale = std::env::var("LIVENESS_UPLINK_SCALE");
    scale.map_or(5, |scale| scale.parse().expect("a number"))
}

/// The default, all limits shorter by the scale.
fn config() -> KeepaliveConfig {
    let usual = KeepaliveConfig::new();
    let ReplyTimeout::Fixed(reply) = usual.reply_timeout else {
        panic!("the default is fixed");
    };
    usual
        .interval(usual.interval / scale())
        .reply_timeout(reply / scale())
        .upload_wait(usual.upload_wait / scale())
        .write_stall(usual.write_stall / scale())
}

// What the peers do, each in a process of its own.

fn keep_alive(socket: TcpStream) -> Connection {
    let codec = TcpCodec::new().limit(LARGEST);
    PingPong::framed(socket, codec, Frames::new(), config(), Tokio).unwrap()
}

/// Reads what comes, and reports each second how many bytes it were, and each message of a megabyte
/// or more.
pub(crate) async fn take(socket: TcpStream) {
    let mut stream = keep_alive(socket);
    let mut bytes = 0;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            item = stream.next() => match item {
                Some(Ok(Frame::Data(data))) => {
                    bytes += data.len();
                    if data.len() > 1_000_000 {
                        report(&format!("message {}", data.len()));
                    }
                }
                Some(Ok(_)) => {}
                other => return report(&format!("ended {other:?}")),
            },
            _ = tick.tick() => report(&format!("took {bytes}")),
        }
    }
}

/// Uploads for ever, or so many bytes, and reports each second how many.
async fn upload_by(stream: Connection, most: u64, size: usize) {
    let (mut sink, mut stream) = stream.split();
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    // The task keeps the sink for as long as the stream is polled.
    tokio::spawn(async move {
        while count.load(Ordering::SeqCst) < most {
            let message = Frame::Data(vec![b'.'; size].into());
            if sink.send(message).await.is_err() {
                break;
            }
            count.fetch_add(size as u64, Ordering::SeqCst);
        }
        report("uploaded");
        std::future::pending::<()>().await;
        drop(sink);
    });
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            item = stream.next() => match item {
                Some(Ok(_)) => {}
                Some(Err(Error::Dead(dead))) => return report(&format!("dead {dead}")),
                other => return report(&format!("ended {other:?}")),
            },
            _ = tick.tick() => report(&format!("alive {}", sent.load(Ordering::SeqCst))),
        }
    }
}

/// Uploads in the way that `how` names: for ever from a buffer of the kernel's size, or of 4 MiB
/// asked and given twice; the latter with the kernel asked, for ever or only as much as the buffer
/// takes at once; a little and nothing more; one message that takes long.
pub(crate) async fn upload(socket: TcpStream, how: &str) {
    // What follows is about the kernel's own limit, if any, and the buffer alone.
    let plain = SendQueue::new().unsent(0);
    match how {
        "as-it-is" => upload_by(keep_alive(socket), u64::MAX, 65_536).await,
        "large-buffer" => {
            let held = plain.buffer(4 << 20).apply(&socket).unwrap();
            report(&format!("held {}", held.unwrap()));
            upload_by(keep_alive(socket), u64::MAX, 65_536).await;
        }
        "asked-kernel" | "asked-burst" => {
            let most = if how == "asked-kernel" {
                u64::MAX
            } else {
                6_000_000
            };
            let held = plain.buffer(4 << 20).apply(&socket).unwrap();
            let address = socket.local_addr().unwrap();
            let mut stream = keep_alive(socket);
            stream.set_send_buffer(held.unwrap());
            let stream = stream.with_send_queue(move || queue_of(address));
            upload_by(stream, most, 65_536).await;
        }
        "then-quiet" => upload_by(keep_alive(socket), 2_000_000, 65_536).await,
        "one-message" => upload_by(keep_alive(socket), 1, MEGABYTES_5).await,
        other => panic!("no way to upload {other:?}"),
    }
}

/// The bytes that were written and not acknowledged: what `TIOCOUTQ` says, without unsafe code.
fn queue_of(local: SocketAddr) -> Option<u64> {
    let SocketAddr::V4(local) = local else {
        return None;
    };
    let ip = u32::from_le_bytes(local.ip().octets());
    let local = format!("{ip:08X}:{:04X}", local.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").ok()?;
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(local.as_str()))?;
    let queues = line.split_whitespace().nth(4)?;
    u64::from_str_radix(queues.split(':').next()?, 16).ok()
}

// The links.

/// A router's queue: so deep that what stands in it takes longer than a reply timeout; or as it
/// should be.
#[derive(Debug, Clone, Copy)]
enum Router {
    Deep,
    Shallow,
}

/// Two hosts with an uplink of 1 Mbit/s from the first to the second, and a peer on each.
async fn uplink(router: Router, how: &str) -> (Hosts, Peer, Peer) {
    let hosts = Hosts::new().await;
    let rate = format!("{}mbit", scale());
    let latency = format!("{}ms", 200 / scale());
    let limit = match router {
        // 12 s at 1 Mbit/s.
        Router::Deep => ["limit", "1500000"],
        Router::Shallow => ["latency", latency.as_str()],
    };
    let shape = ["netns", "exec", hosts.name(0), "tc", "qdisc", "add"];
    let shape = [&shape[..], &["dev", "lv0", "root", "tbf", "rate", &rate]].concat();
    run("ip", &[&shape[..], &["burst", "16kb"], &limit].concat()).await;
    let mut taker = hosts.start(1, "take", &format!("{}:7000", hosts.address(1)));
    let address = taker.report("listening").await;
    let uploader = hosts.start(0, &format!("upload {how}"), &address);
    (hosts, taker, uploader)
}

/// Everything that both say in `time`, by the scale.
async fn watch(
    uploader: &mut Peer,
    taker: &mut Peer,
    time: Duration,
) -> (Vec<String>, Vec<String>) {
    let time = time / scale();
    join(uploader.reports_for(time), taker.reports_for(time)).await
}

/// Uploads for 90 s, and is alive all the time, as is the other side.
async fn lives(router: Router, how: &str) {
    let (_hosts, mut taker, mut uploader) = uplink(router, how).await;
    let time = Duration::from_secs(90);
    let (up, down) = watch(&mut uploader, &mut taker, time).await;
    println!(
        "{how}, {router:?} queue: {:?}, {:?}",
        up.last(),
        down.last()
    );
    let all = |said: &[String], word| said.iter().all(|said| said.starts_with(word));
    let kept = up
        .iter()
        .filter(|said| !said.starts_with("held") && *said != "uploaded");
    let kept = kept.cloned().collect::<Vec<_>>();
    assert!(
        all(&kept, "alive") && all(&down, "took"),
        "{how}: {up:?} {down:?}"
    );
    // More than half of what a link of 1 Mbit/s moves in that time.
    let taken = down.last().and_then(|said| said.strip_prefix("took "));
    let taken = taken.and_then(|taken| taken.parse::<u64>().ok());
    assert!(
        taken.is_some_and(|taken| taken > 6_000_000),
        "{how}: {down:?}"
    );
}

/// The link is cut while it uploads, or just after: dead within the bound.
async fn dies(how: &str) {
    let (hosts, mut taker, mut uploader) = uplink(Router::Deep, how).await;
    match how {
        "then-quiet" => drop(uploader.report("uploaded").await),
        _ => {
            let time = Duration::from_secs(30);
            let (up, down) = watch(&mut uploader, &mut taker, time).await;
            let lives = |said: &String| said.starts_with("alive") || said.starts_with("took");
            assert!(up.iter().chain(&down).all(lives), "{up:?} {down:?}");
        }
    }
    hosts.drop_packets(1, "input").await;
    hosts.drop_packets(1, "output").await;
    let cut = Instant::now();
    let bound = config().detection_bound().unwrap().uploading.unwrap();
    let verdict = uploader.report_within("dead", 2 * bound).await;
    let took = cut.elapsed();
    println!("{how}: {took:?} after the cut, for a bound of {bound:?}: {verdict}");
    // The machine may be slow for a moment.
    assert!(
        took <= bound + Duration::from_secs(2),
        "{took:?}: {verdict}"
    );
}

/// A message that takes longer to arrive than any limit of the receiver.
async fn arrives() {
    let (_hosts, mut taker, mut uploader) = uplink(Router::Shallow, "one-message").await;
    let start = Instant::now();
    let length = taker
        .report_within("message", Duration::from_secs(90))
        .await;
    println!("one-message: {:?}", start.elapsed());
    assert_eq!(length.parse(), Ok(MEGABYTES_5));
    let seen = uploader.reports_for(Duration::from_millis(100)).await;
    let lives = |said: &String| said.starts_with("alive") || said == "uploaded";
    assert!(seen.iter().all(lives), "{seen:?}");
}

#[tokio::test]
#[ignore = "needs root, iproute2 and nftables; real kernels and real seconds"]
async fn a_slow_uplink_is_no_death_and_a_cut_is_one() {
    // They wait, so they may wait at once.
    join5(
        lives(Router::Deep, "as-it-is"),
        lives(Router::Shallow, "large-buffer"),
        join3(
            lives(Router::Shallow, "asked-kernel"),
            lives(Router::Shallow, "asked-burst"),
            arrives(),
        ),
        dies("as-it-is"),
        dies("then-quiet"),
    )
    .await;
}
