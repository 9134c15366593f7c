//! Our client half under a raw socket, against Mosquitto.

use std::time::Duration;

use liveness::io::KeepaliveStream;
use liveness::mqtt::{ClientConfig, PINGREQ, Packet, Scanner, Version, Wire};
use liveness::{Cause, Dead, KeepaliveConfig, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{Mosquitto, SLACK, connect, next, send_connect};

type Kept = KeepaliveStream<TcpStream, Wire, Tokio>;

/// A connection with a keep alive of `seconds`, accepted.
async fn client(
    mosquitto: &Mosquitto,
    version: Version,
    id: &str,
    seconds: u16,
) -> (Kept, Scanner) {
    let wire = Wire::client(ClientConfig::new());
    let socket = mosquitto.connect().await;
    let mut socket = KeepaliveStream::new(socket, wire, KeepaliveConfig::off(), Tokio).unwrap();
    send_connect(&mut socket, &connect(version, id, seconds)).await;
    let mut scanner = Scanner::from_server();
    scanner.set_version(version);
    let Some(Packet::ConnAck(ack)) = next(&mut socket, &mut scanner).await else {
        panic!("no CONNACK");
    };
    assert_eq!(ack.code, 0);
    (socket, scanner)
}

/// Reads until something comes or `time` is over; `None` is silence.
async fn quiet(socket: &mut Kept, time: Duration) -> Option<std::io::Result<usize>> {
    timeout(time, socket.read(&mut [0; 100])).await.ok()
}

/// Longer than Mosquitto ever takes to notice: it looks every 6 s.
#[tokio::test]
#[ignore = "needs mosquitto, for seconds of real time"]
async fn an_idle_connection_is_held() {
    let mosquitto = Mosquitto::start("").await;
    let hold = async |version, id| {
        let (mut socket, mut scanner) = client(&mosquitto, version, id, 1).await;
        let seen = quiet(&mut socket, Duration::from_secs(12)).await;
        assert!(seen.is_none(), "{version}: {seen:?}");
        let trips = socket.rtt().samples();
        assert!((8..=20).contains(&trips), "{version}: {trips} round trips");
        assert_eq!(socket.dead(), None);
        // The answer to a PINGREQ of the user's own is the user's.
        socket.write_all(&PINGREQ).await.unwrap();
        let answer = timeout(SLACK, next(&mut socket, &mut scanner))
            .await
            .unwrap();
        assert_eq!(answer, Some(Packet::PingResp));
    };
    tokio::join!(
        hold(Version::V3_1, "a"),
        hold(Version::V3_1_1, "b"),
        hold(Version::V5, "c")
    );
}

#[tokio::test]
#[ignore = "needs mosquitto"]
async fn the_broker_dictates_the_keep_alive() {
    let mosquitto = Mosquitto::start("max_keepalive 10").await;
    for (asked, in_force) in [(60, 10), (0, 10), (65535, 10), (10, 10), (5, 5)] {
        let (socket, _) = client(&mosquitto, Version::V5, "meter", asked).await;
        assert_eq!(socket.wire().keep_alive(), Some(in_force), "{asked}");
        assert_eq!(socket.config(), ClientConfig::new().keepalive(in_force));
    }
}

/// What our wrapper saves its user from.
#[tokio::test]
#[ignore = "needs mosquitto and mosquitto_sub, for seconds of real time"]
async fn a_silent_client_is_dropped_and_its_will_arrives() {
    let mosquitto = Mosquitto::start("").await;
    let mut subscriber = mosquitto.subscriber().await;
    let mut socket = mosquitto.connect().await;
    let start = Instant::now();
    send_connect(&mut socket, &connect(Version::V5, "silent", 1)).await;
    let (mut held, _) = client(&mosquitto, Version::V5, "held", 1).await;
    tokio::select! {
        payload = subscriber.says("wills/silent ") => assert_eq!(payload, "gone"),
        ended = quiet(&mut held, Duration::from_secs(60)) => panic!("the client that is held: {ended:?}"),
    }
    assert!(start.elapsed() >= Duration::from_millis(1500));
    let said = subscriber.said();
    assert!(
        !said.iter().any(|line| line.contains("wills/held")),
        "{said:?}"
    );
}

#[tokio::test]
#[ignore = "stops mosquitto, for seconds of real time"]
async fn a_stopped_broker_is_dead_and_a_short_stop_is_no_verdict() {
    let mosquitto = Mosquitto::start("").await;
    let (mut socket, _) = client(&mosquitto, Version::V5, "meter", 3).await;
    let bound = socket.detection_bound().map(|bound| bound.quiet).unwrap();
    for _ in 0..2 {
        mosquitto.program.signal("STOP").await;
        let seen = quiet(&mut socket, Duration::from_millis(900)).await;
        assert!(seen.is_none(), "{seen:?}");
        mosquitto.program.signal("CONT").await;
        let seen = quiet(&mut socket, Duration::from_millis(2500)).await;
        assert!(seen.is_none(), "{seen:?}");
    }
    assert!(socket.rtt().samples() >= 2);

    mosquitto.program.signal("STOP").await;
    let start = Instant::now();
    let error = quiet(&mut socket, Duration::from_secs(60)).await;
    let error = error.expect("within a minute").expect_err("a verdict");
    let elapsed = start.elapsed();
    let dead = Dead::find(&error).expect("a verdict");
    assert_eq!(dead.cause, Cause::NoReply);
    assert!(dead.silent_for >= dead.limit, "{dead}");
    assert!(
        elapsed < bound + SLACK,
        "{elapsed:?}, the bound is {bound:?}"
    );

    // Its kernel still accepts connections; a CONNACK never comes, and that has a limit, too.
    let config = ClientConfig::new().connect_timeout(Duration::from_secs(1));
    let socket = timeout(SLACK, mosquitto.connect()).await.unwrap();
    let off = KeepaliveConfig::off();
    let mut socket = KeepaliveStream::new(socket, Wire::client(config), off, Tokio).unwrap();
    send_connect(&mut socket, &connect(Version::V5, "late", 0)).await;
    let error = quiet(&mut socket, Duration::from_secs(60)).await;
    let error = error.expect("within a minute").expect_err("a verdict");
    assert_eq!(
        Dead::find(&error).map(|dead| dead.cause),
        Some(Cause::Silent)
    );
    mosquitto.program.signal("CONT").await;
}
