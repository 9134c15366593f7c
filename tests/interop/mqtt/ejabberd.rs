//! ejabberd: the one broker of those tried that says with a reason why it closes (0x8D, 0x8E).

use std::time::Duration;

use liveness::io::KeepaliveStream;
use liveness::mqtt::{ClientConfig, Connect, Packet, Scanner, Version, Wire, reason};
use liveness::{KeepaliveConfig, Tokio};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::{Program, SLACK, free_port, next, send_connect, tools};

/// As one process of Erlang's, without its service, its port mapper, or a user's account.
struct Ejabberd {
    _program: Program,
    port: u16,
}

impl Ejabberd {
    async fn start() -> Self {
        let port = free_port();
        let home = tools().join(format!("ejabberd-{port}"));
        std::fs::create_dir_all(&home).unwrap();
        let config = format!(
            "hosts: [localhost]\n\
             auth_method: [anonymous]\n\
             anonymous_protocol: login_anon\n\
             allow_multiple_connections: true\n\
             listen:\n  - {{port: {port}, ip: \"127.0.0.1\", module: mod_mqtt}}\n\
             modules:\n  mod_mqtt: {{}}\n"
        );
        let file = home.join("ejabberd.yml");
        std::fs::write(&file, config).unwrap();
        let quoted = |name: &str| format!("{:?}", home.join(name));
        let program = Program::start(
            Command::new("erl")
                .current_dir(&home)
                .env("HOME", &home)
                .env("EJABBERD_CONFIG_PATH", &file)
                .env(
                    "ERL_LIBS",
                    "/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu",
                )
                .args(["-noinput", "-mnesia", "dir", &quoted("db")])
                .args(["-ejabberd", "log_path", &quoted("log")])
                .args(["-s", "ejabberd"]),
        );
        let up = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                // A real program needs real time to start.
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_secs(60), up)
            .await
            .expect("it starts");
        Self {
            _program: program,
            port,
        }
    }

    /// A connection with a keep alive of `seconds`, accepted.
    async fn client(&self, id: &str, seconds: u16, config: ClientConfig) -> (Kept, Scanner) {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let off = KeepaliveConfig::off();
        let mut socket = KeepaliveStream::new(socket, Wire::client(config), off, Tokio).unwrap();
        let mut connect = Connect::new(Version::V5, id);
        connect.keep_alive = seconds;
        connect.username = Some("meter@localhost".to_owned());
        connect.password = Some("any".into());
        send_connect(&mut socket, &connect).await;
        let mut scanner = Scanner::from_server();
        scanner.set_version(Version::V5);
        let Some(Packet::ConnAck(ack)) = next(&mut socket, &mut scanner).await else {
            panic!("no CONNACK");
        };
        assert_eq!((ack.code, ack.server_keep_alive), (0, Some(seconds)));
        (socket, scanner)
    }
}

type Kept = KeepaliveStream<TcpStream, Wire, Tokio>;

/// The reason in the DISCONNECT that comes next, with its text, and then the end of the stream.
async fn farewell(socket: &mut Kept, scanner: &mut Scanner) -> (u8, Option<String>) {
    let packet = timeout(Duration::from_secs(20), next(socket, scanner)).await;
    let Ok(Some(Packet::Disconnect(disconnect))) = packet else {
        panic!("{packet:?}");
    };
    let end = timeout(SLACK, next(socket, scanner)).await;
    assert_eq!(end, Ok(None));
    (disconnect.reason, disconnect.reason_string)
}

#[tokio::test]
#[ignore = "needs ejabberd, for seconds of real time"]
async fn it_says_why_it_closes() {
    let ejabberd = Ejabberd::start().await;
    let silent = async {
        // Nothing is asked, so nothing is sent.
        let config = ClientConfig::new().ping_when(liveness::PingWhen::Never);
        let start = Instant::now();
        let (mut socket, mut scanner) = ejabberd.client("silent", 1, config).await;
        let (reason, text) = farewell(&mut socket, &mut scanner).await;
        assert_eq!(reason, reason::KEEP_ALIVE_TIMEOUT);
        assert_eq!(text.as_deref(), Some("Idle connection"));
        assert!(start.elapsed() >= Duration::from_millis(1500));
        assert_eq!(socket.dead(), None);
    };
    let taken_over = async {
        let config = ClientConfig::new();
        let (mut old, mut scanner) = ejabberd.client("meter", 5, config).await;
        let (mut new, _) = ejabberd.client("meter", 1, config).await;
        let (reason, _) = farewell(&mut old, &mut scanner).await;
        assert_eq!(reason, reason::SESSION_TAKEN_OVER);
        // That is no dead broker; and the new connection is held.
        assert_eq!(old.dead(), None);
        let seen = timeout(Duration::from_secs(6), new.read(&mut [0; 100])).await;
        assert!(seen.is_err(), "{seen:?}");
        assert!(
            new.rtt().samples() >= 3,
            "{} round trips",
            new.rtt().samples()
        );
    };
    tokio::join!(silent, taken_over);
}
