//! Behind real proxies that use a connection to the server again and cut it after two silent
//! seconds: `websocket::Wire` below an HTTP server that knows nothing of heartbeats.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use futures::StreamExt;
use liveness::io::KeepaliveStream;
use liveness::websocket::Wire;
use liveness::{KeepaliveConfig, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::Message;

use super::tools;
use crate::program::Program;

/// Five pings before the proxy loses patience.
const BEATS: KeepaliveConfig = KeepaliveConfig::new().interval(Duration::from_millis(400));
const QUIET: KeepaliveConfig = KeepaliveConfig::off();

/// The patience of both proxies with a connection on which nothing moves.
const LIMIT: Duration = Duration::from_secs(2);

/// `axum`'s sockets, wrapped.
struct Kept {
    listener: TcpListener,
    config: KeepaliveConfig,
}

impl axum::serve::Listener for Kept {
    type Io = KeepaliveStream<TcpStream, Wire, Tokio>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (socket, peer) = self.listener.accept().await.unwrap();
        let kept = KeepaliveStream::new(socket, Wire::server(), self.config, Tokio);
        (kept.unwrap(), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A page and a WebSocket that says nothing; returns its port.
async fn server(config: KeepaliveConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let chat = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut ws| while ws.next().await.is_some() {})
    };
    let app = axum::Router::new()
        .route("/page", get(async || "hello"))
        .route("/chat", get(chat));
    tokio::spawn(axum::serve(Kept { listener, config }, app).into_future());
    port
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// A directory of its own for the configuration of a proxy.
fn directory(name: &str, port: u16) -> PathBuf {
    let directory = tools().join(format!("{name}-{port}"));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

async fn nginx(server: u16) -> (Program, u16) {
    let port = free_port().await;
    let directory = directory("nginx", port);
    let place = directory.display();
    let config = format!(
        "daemon off; pid {place}/pid; error_log stderr; worker_processes 1;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c;
            uwsgi_temp_path {place}/d; scgi_temp_path {place}/e;
            upstream server {{ server 127.0.0.1:{server}; keepalive 1; }}
            map $http_upgrade $keep_or_upgrade {{ default upgrade; '' ''; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://server;
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $keep_or_upgrade;
                    proxy_read_timeout 2s;
                    proxy_send_timeout 2s;
                }}
            }}
        }}"
    );
    std::fs::write(directory.join("nginx.conf"), config).unwrap();
    let mut nginx = Command::new("/usr/sbin/nginx");
    nginx.arg("-p").arg(&directory).args(["-e", "stderr"]);
    nginx.arg("-c").arg(directory.join("nginx.conf"));
    (Program::start(&mut nginx), port)
}

async fn haproxy(server: u16) -> (Program, u16) {
    let port = free_port().await;
    let directory = directory("haproxy", port);
    let config = format!(
        "defaults
            mode http
            http-reuse always
            timeout connect 2s
            timeout client 2s
            timeout server 2s
            timeout tunnel 2s
        frontend all
            bind 127.0.0.1:{port}
            default_backend servers
        backend servers
            server one 127.0.0.1:{server} pool-max-conn 1\n"
    );
    std::fs::write(directory.join("haproxy.cfg"), config).unwrap();
    let mut haproxy = Command::new("/usr/sbin/haproxy");
    haproxy
        .arg("-db")
        .arg("-f")
        .arg(directory.join("haproxy.cfg"));
    (Program::start(&mut haproxy), port)
}

async fn connect(port: u16) -> TcpStream {
    let attempts = async {
        loop {
            match TcpStream::connect(("127.0.0.1", port)).await {
                Ok(socket) => return socket,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let socket = timeout(Duration::from_secs(10), attempts).await;
    socket.expect("the proxy does not listen")
}

/// Fetches the page through the proxy, whose connection to the server stays open for the next
/// request.
async fn fetch_page(port: u16) {
    let mut socket = connect(port).await;
    let request = b"GET /page HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut page = String::new();
    let read = timeout(Duration::from_secs(10), socket.read_to_string(&mut page)).await;
    read.expect("no page").unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("hello"), "{page}");
}

async fn chat(port: u16) -> WebSocketStream<TcpStream> {
    let socket = connect(port).await;
    let (ws, _) = client_async("ws://server.test/chat", socket).await.unwrap();
    ws
}

/// How long the connection stays open, ten seconds at most; and how many pings came.
async fn lasts(mut ws: WebSocketStream<TcpStream>) -> (Duration, u32) {
    let (start, mut pings) = (Instant::now(), 0);
    let _ = timeout(5 * LIMIT, async {
        while let Some(Ok(message)) = ws.next().await {
            match message {
                Message::Ping(_) => pings += 1,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    (start.elapsed(), pings)
}

/// The proxy cuts a silent connection, and holds one with heartbeats; after a page on the same
/// connection to the server just as before one.
async fn holds_behind<F: Future<Output = (Program, u16)>>(proxy: impl Fn(u16) -> F) {
    let (_proxy, port) = proxy(server(QUIET).await).await;
    let (after, pings) = lasts(chat(port).await).await;
    assert!(after < 2 * LIMIT, "the proxy has no limit: {after:?}");
    assert_eq!(pings, 0);

    let (_proxy, port) = proxy(server(BEATS).await).await;
    let fresh = chat(port).await;
    fetch_page(port).await;
    let after_a_page = chat(port).await;
    for _ in 0..3 {
        fetch_page(port).await;
    }
    let after_many = chat(port).await;
    let all = futures::future::join_all([fresh, after_a_page, after_many].map(lasts)).await;
    for (what, (after, pings)) in ["fresh", "after a page", "after many"].iter().zip(all) {
        assert!(after >= 5 * LIMIT, "{what}: cut after {after:?}");
        assert!(pings >= 15, "{what}: {pings} pings");
    }
}

#[tokio::test]
#[ignore = "needs nginx, and seconds of real time"]
async fn nginx_holds_a_connection_with_heartbeats() {
    holds_behind(nginx).await;
}

#[tokio::test]
#[ignore = "needs HAProxy, and seconds of real time"]
async fn haproxy_holds_a_connection_with_heartbeats() {
    holds_behind(haproxy).await;
}
