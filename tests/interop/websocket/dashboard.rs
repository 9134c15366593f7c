//! The dashboard in a real browser: heartbeats counted, the page frozen, the verdict, the return.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;
use liveness::websocket::Frames;
use liveness::{KeepaliveConfig, PingPong, PingWhen, Tokio};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;
use tokio_tungstenite::accept_async;

use super::browser::Browser;
use super::{Program, tools};

/// The dashboard's own promise, and what a busy machine may add to it.
const BOUND: Duration = Duration::from_millis(1000 + 2 * 2000 + 1000 / 16);
const SLACK: Duration = Duration::from_millis(1500);

/// The example, as `cargo` builds it beside this test.
async fn dashboard() -> (Program, String) {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--all-features",
            "--example",
            "axum_dashboard",
        ])
        .status();
    assert!(built.await.unwrap().success());
    let exe = std::env::current_exe().unwrap();
    let example = exe
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/axum_dashboard");
    let mut server = Program::start(Command::new(example).arg("127.0.0.1:0"));
    let address = server.says("open http://").await;
    (server, address)
}

/// What the server knows of its connections now.
async fn connections(address: &str) -> Vec<Value> {
    let mut socket = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut lines = socket.lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(picture) = line.strip_prefix("data: ") {
            let mut picture: Value = serde_json::from_str(picture).unwrap();
            return serde_json::from_value(picture["connections"].take()).unwrap();
        }
    }
    panic!("the server tells nothing");
}

/// Waits until the connections are as wanted, and tells how long it took.
async fn until(
    address: &str,
    limit: Duration,
    what: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Duration {
    let start = Instant::now();
    loop {
        let seen = connections(address).await;
        if wanted(&seen) {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < limit,
            "not {what} within {limit:?}: {seen:#?}"
        );
    }
}

fn all(state: &'static str, samples: u64) -> impl Fn(&[Value]) -> bool {
    move |seen| {
        let fits = |life: &Value| {
            let alive = life["state"] == "alive" || life["state"] == "asked";
            let fits = if state == "alive" {
                alive
            } else {
                life["state"] == state
            };
            fits && life["samples"].as_u64() >= Some(samples)
        };
        !seen.is_empty() && seen.iter().all(fits)
    }
}

/// A second server, which asks with ping frames: how often the page's browser has answered them.
async fn frames_server() -> (String, watch::Receiver<u64>) {
    let config = KeepaliveConfig::new()
        .interval(Duration::from_millis(200))
        .ping_when(PingWhen::Always)
        .reply_timeout(Duration::from_millis(2000));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (answers, seen) = watch::channel(0);
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let ws = accept_async(socket).await.unwrap();
        let mut ws = PingPong::new(ws, Frames::new(), config, Tokio).unwrap();
        loop {
            match tokio::time::timeout(Duration::from_millis(50), ws.next()).await {
                Err(_) => drop(answers.send(ws.rtt().samples())),
                Ok(Some(Ok(_))) => {}
                Ok(end) => panic!("{end:?}"),
            }
        }
    });
    (url, seen)
}

#[tokio::test]
#[ignore = "needs chromium, and a minute of real time"]
async fn a_frozen_page_is_found_dead_and_comes_back() {
    let pictures: PathBuf = tools().join("pictures");
    let (server, address) = dashboard().await;
    let mut browser = Browser::open(&format!("http://{address}/")).await;
    browser.look((1280, 860), false).await;

    let limit = Duration::from_secs(30);
    browser
        .eval("document.getElementById('open').click()")
        .await;
    until(&address, limit, "two links with 6 beats", |seen| {
        seen.len() == 2 && all("alive", 6)(seen)
    })
    .await;
    browser.picture(&pictures.join("1-alive-light.png")).await;

    // The button: pings arrive, and the script answers none of them.
    browser
        .eval("document.querySelectorAll('.freeze')[1].click()")
        .await;
    let took = until(&address, BOUND + SLACK, "dead after a freeze", |seen| {
        seen.iter().any(|life| life["state"] == "dead")
    })
    .await;
    assert!(
        took >= Duration::from_millis(1500),
        "dead after {took:?} only"
    );
    println!("frozen by its button: dead after {took:?}, promised {BOUND:?}");
    let dead = connections(&address).await;
    let dead = dead.iter().find(|life| life["state"] == "dead").unwrap();
    assert!(
        dead["why"]
            .as_str()
            .unwrap()
            .starts_with("no reply to 2 pings within 2s each"),
        "{dead}"
    );
    tokio::time::sleep(Duration::from_millis(500)).await; // for the page to draw it
    browser.picture(&pictures.join("2-dead-light.png")).await;
    browser.look((1280, 860), true).await;
    browser.picture(&pictures.join("3-dead-dark.png")).await;
    let told = browser
        .eval("document.getElementById('log').innerText")
        .await;
    assert!(
        told.as_str()
            .unwrap()
            .contains("no reply to 2 pings within 2s each"),
        "{told}"
    );

    browser
        .eval("document.querySelectorAll('.freeze')[1].click()")
        .await;
    let back =
        |seen: &[Value]| seen.iter().any(|life| life["connection"] == 2) && all("alive", 1)(seen);
    let took = until(&address, limit, "back after a thaw", back).await;
    println!("thawed: back after {took:?}");

    tokio::time::sleep(Duration::from_secs(6)).await; // for the chart to go on after the gap
    browser.look((1280, 860), false).await;
    browser.picture(&pictures.join("4-back-light.png")).await;

    // The whole script hangs. Its browser goes on answering ping frames: they say nothing of it.
    let (url, mut answers) = frames_server().await;
    browser
        .eval(&format!("window.frames_link = new WebSocket('{url}')"))
        .await;
    answers.wait_for(|&answered| answered >= 5).await.unwrap();
    browser
        .eval("document.getElementById('block').click()")
        .await;
    let took = until(
        &address,
        BOUND + SLACK,
        "dead while blocked",
        all("dead", 0),
    )
    .await;
    let answered = *answers.borrow();
    tokio::time::sleep(Duration::from_millis(1500)).await; // blocked for another while
    let later = *answers.borrow();
    println!(
        "script blocked: dead after {took:?}; {} ping frames answered since",
        later - answered
    );
    assert!(
        later >= answered + 4,
        "{answered} ping frames answered, then {later}"
    );
    let still = connections(&address).await;
    assert!(
        all("dead", 0)(&still),
        "the page is no longer blocked: {still:#?}"
    );

    let took = until(&address, limit, "back by itself", all("alive", 3)).await;
    println!("script runs again: all back with three beats after {took:?}");
    browser.look((390, 844), true).await;
    tokio::time::sleep(Duration::from_millis(500)).await; // for the page to draw it
    browser.picture(&pictures.join("5-phone-dark.png")).await;
    browser.look((390, 844), false).await;
    browser.picture(&pictures.join("6-phone-light.png")).await;

    // No sideways scrolling on a phone.
    let width = browser.eval("document.documentElement.scrollWidth").await;
    assert_eq!(width, 390);

    // The other way round: the page finds a server dead that only hangs, tries again and again, one
    // attempt at a time, ever more rarely, and is back when the server is.
    browser.eval(COUNT_ATTEMPTS).await;
    server.signal("STOP").await;
    let dead = "document.getElementById('log').innerText.includes('the server is dead')";
    browser.wait_for(dead, Duration::from_secs(6) + SLACK).await;
    browser
        .picture(&pictures.join("7-server-dead-phone-light.png"))
        .await;
    browser
        .wait_for("Math.min(...attempts.values()) >= 3", limit)
        .await;
    server.signal("CONT").await;
    let took = until(&address, limit, "back", all("alive", 3)).await;
    println!("server went on: all back with three beats after {took:?}");
    let most = browser.eval("mostAtOnce").await;
    assert_eq!(most, 1, "attempts at once");
    println!("pictures in {}", pictures.display());
}

/// Notes how often each link is tried, and how many sockets it had at once at most.
const COUNT_ATTEMPTS: &str = "
    window.attempts = new Map();
    window.mostAtOnce = 0;
    const sockets = [];
    window.WebSocket = class extends WebSocket {
      constructor(url) {
        super(url);
        sockets.push(this);
        attempts.set(url, (attempts.get(url) ?? 0) + 1);
        const live = sockets.filter((socket) => socket.url === this.url && socket.readyState <= 1);
        mostAtOnce = Math.max(mostAtOnce, live.length);
      }
    };";
