//! A peer in a process of its own: this very test program, started again with a role to play.
//!
//! A role is told what to do by its environment and reports a line for everything that happens.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use liveness::tcp::{Frames, KernelKeepalive, TcpCodec};
use liveness::{Error, KeepaliveConfig, PingPong, Tokio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::codec::Framed;

use crate::uplink;

/// What every connection here is kept alive by. Generous, so that a slow machine is no dead peer.
pub(crate) const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(1000))
    .reply_timeout(Duration::from_millis(2000))
    .max_unanswered(1);

/// The kernel's own keepalive, where a test asks for it: 1 s + 3 * 1 s.
pub(crate) const KERNEL: KernelKeepalive = KernelKeepalive::new()
    .idle(Duration::from_secs(1))
    .interval(Duration::from_secs(1))
    .retries(3)
    .user_timeout(Duration::ZERO);

const ROLE: &str = "LIVENESS_ROLE";
const ADDRESS: &str = "LIVENESS_ADDRESS";
/// Marks the lines that a role reports, among those of the test runner.
const REPORT: &str = "REPORT ";

/// A running peer.
pub(crate) struct Peer {
    child: Child,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts a role, by way of `wrapper` (a program and its arguments) if there is one.
    pub(crate) fn start(wrapper: &[&str], role: &str, address: &str) -> Self {
        let exe = std::env::current_exe().unwrap();
        let mut words = wrapper.iter().map(ToString::to_string).collect::<Vec<_>>();
        words.push(exe.to_str().unwrap().to_owned());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--exact", "peer::play", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .env(ADDRESS, address)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let reports = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, reports }
    }

    /// The next report that begins with `word`, or a panic that says what came instead.
    pub(crate) async fn report(&mut self, word: &str) -> String {
        self.report_within(word, Duration::from_secs(30)).await
    }

    /// The same, for a report that takes its time.
    pub(crate) async fn report_within(&mut self, word: &str, time: Duration) -> String {
        let mut seen = Vec::new();
        let found = tokio::time::timeout(time, async {
            while let Some(line) = self.reports.next_line().await.unwrap() {
                let Some((_, report)) = line.split_once(REPORT) else {
                    continue;
                };
                if let Some(rest) = report.strip_prefix(word) {
                    return Some(rest.trim().to_owned());
                }
                seen.push(report.to_owned());
            }
            None
        });
        match found.await {
            Ok(Some(rest)) => rest,
            Ok(None) => panic!("the peer ended without {word:?}; it said {seen:?}"),
            Err(_) => panic!("no {word:?} within {time:?}; it said {seen:?}"),
        }
    }

    /// Every report until the peer ends or `time` is over.
    pub(crate) async fn reports_for(&mut self, time: Duration) -> Vec<String> {
        let mut seen = Vec::new();
        let _ = tokio::time::timeout(time, async {
            while let Some(line) = self.reports.next_line().await.unwrap() {
                seen.extend(line.split_once(REPORT).map(|(_, report)| report.to_owned()));
            }
        })
        .await;
        seen
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the peer runs");
        run("sh", &["-c", &format!("kill -{name} {pid}")]).await;
    }
}

/// Runs a program to its end, which must be a good one.
pub(crate) async fn run(program: &str, args: &[&str]) {
    let done = Command::new(program).args(args).output().await;
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {args:?}: {stderr}");
}

pub(crate) fn report(text: &str) {
    println!("{REPORT}{text}");
}

/// Not a test of its own: where a started peer begins.
#[tokio::test]
#[ignore = "the other end of the tests beside it; does nothing when it is run alone"]
async fn play() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let address = std::env::var(ADDRESS)
        .unwrap()
        .parse::<SocketAddr>()
        .unwrap();
    let (role, how) = role.split_once(' ').unwrap_or((&role, ""));
    match role {
        "listen" => keep_alive(accept(address).await).await,
        "connect" => keep_alive(connect(address).await).await,
        "listen-raw" => hold(accept(address).await).await,
        "connect-kernel" => kernel(connect(address).await).await,
        "take" => uplink::take(accept(address).await).await,
        "upload" => uplink::upload(connect(address).await, how).await,
        "clock" => tokio::select! {
            () = keep_alive(connect(address).await) => {}
            () = watch_wall_clock() => {}
        },
        other => panic!("no role {other:?}"),
    }
}

async fn accept(address: SocketAddr) -> TcpStream {
    let listener = TcpListener::bind(address).await.unwrap();
    report(&format!("listening {}", listener.local_addr().unwrap()));
    listener.accept().await.unwrap().0
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Keeps the connection alive and reports every fourth of a second how many round trips it has had.
async fn keep_alive(socket: TcpStream) {
    let framed = Framed::new(socket, TcpCodec::new());
    let mut stream = PingPong::new(framed, Frames::new(), CONFIG, Tokio).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            item = stream.next() => match item {
                Some(Ok(_)) => {}
                Some(Err(Error::Dead(dead))) => {
                    report(&format!("dead {} {dead}", dead.silent_for.as_millis()));
                    return;
                }
                Some(Err(error)) => return report(&format!("error {error}")),
                None => return report("eof"),
            },
            _ = tick.tick() => {
                let slowest = stream.rtt().latest().unwrap_or_default().as_millis();
                report(&format!("alive {} {slowest}", stream.rtt().samples()));
            }
        }
    }
}

/// Holds a socket and does nothing with it.
async fn hold(socket: TcpStream) {
    report("holding");
    std::future::pending::<()>().await;
    drop(socket);
}

/// Waits for what the kernel alone says about a connection on which nothing is sent.
async fn kernel(mut socket: TcpStream) {
    KERNEL.apply(&socket).unwrap();
    report("waiting");
    let start = std::time::Instant::now();
    let read = socket.read(&mut [0; 16]).await;
    let took = start.elapsed().as_millis();
    match read {
        Ok(n) => report(&format!("read {n} {took}")),
        Err(error) => report(&format!("kernel {took} {:?}", error.kind())),
    }
}

/// Reports when the wall clock has run backwards.
async fn watch_wall_clock() {
    let mut before = SystemTime::now();
    loop {
        // The wall clock of a real process is what this is about.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = SystemTime::now();
        if let Err(back) = now.duration_since(before) {
            report(&format!("back {}", back.duration().as_secs()));
        }
        before = now;
    }
}
