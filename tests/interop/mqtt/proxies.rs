//! Between a real client and a real broker: `rumqttc` under our wrapper, and the example
//! `mqtt_guard`.

use std::path::PathBuf;
use std::time::Duration;

use liveness::io::KeepaliveStream;
use liveness::mqtt::{ClientConfig, Version, Wire};
use liveness::{KeepaliveConfig, Tokio};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, Outgoing, QoS};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::{Mosquitto, Program, free_port, our_broker, send_connect};

/// `rumqttc` opens its sockets itself, so the wrapper is around the socket of a proxy. It pings by
/// itself, whatever passes: as many answers come as it asked for, and ours are in between.
#[tokio::test]
#[ignore = "needs mosquitto, for seconds of real time"]
async fn rumqttc_and_our_pings_do_not_disturb_each_other() {
    let mosquitto = Mosquitto::start("").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = mosquitto.connect().await;
    let proxy = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let wire = Wire::client(ClientConfig::new());
        let mut upstream =
            KeepaliveStream::new(upstream, wire, KeepaliveConfig::off(), Tokio).unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut upstream)
            .await
            .unwrap();
        upstream.rtt().samples()
    });

    let mut options = MqttOptions::new("meter", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(1));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("echo", QoS::AtLeastOnce).await.unwrap();
    let (mut asked, mut answered, mut echoed) = (0, 0, 0);
    let _ = timeout(Duration::from_secs(8), async {
        loop {
            match events.poll().await.unwrap() {
                Event::Outgoing(Outgoing::PingReq) => asked += 1,
                Event::Incoming(Incoming::PingResp) => answered += 1,
                Event::Incoming(Incoming::SubAck(_)) => {
                    for payload in ["one", "two"] {
                        let sent = client.publish("echo", QoS::ExactlyOnce, false, payload);
                        sent.await.unwrap();
                    }
                }
                Event::Incoming(Incoming::Publish(_)) => echoed += 1,
                _ => {}
            }
        }
    })
    .await;
    drop((client, events));
    let ours = proxy.await.unwrap();
    assert_eq!(echoed, 2);
    assert!((5..=8).contains(&asked), "{asked} pings of rumqttc");
    assert!(
        (asked - 1..=asked).contains(&answered),
        "{answered} answers to {asked}"
    );
    assert!(ours >= 3, "{ours} round trips of ours");
}

fn guard(broker: u16, listen: u16) -> Program {
    let tests = std::env::current_exe().unwrap();
    let directory: PathBuf = tests.ancestors().nth(2).unwrap().join("examples");
    Program::start(
        Command::new(directory.join("mqtt_guard"))
            .arg(format!("127.0.0.1:{listen}"))
            .arg(format!("127.0.0.1:{broker}"))
            .args(["--for", "8", "--every", "0.5"]),
    )
}

/// A client that is alive stays, one that is stopped is closed at 1.5 keep alives, and Mosquitto,
/// which would have taken up to six seconds more, publishes its will.
#[tokio::test]
#[ignore = "needs mosquitto and paho-mqtt, for seconds of real time"]
async fn the_guard_in_front_of_mosquitto() {
    let mosquitto = Mosquitto::start("").await;
    let mut subscriber = mosquitto.subscriber().await;
    let port = free_port();
    let mut guard = guard(mosquitto.port, port);
    guard.says("guarding").await;
    let mut lively = our_broker::paho(&[&port.to_string(), "5", "1", "lively"]);
    lively.says("CONNECTED").await;
    let mut silent = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let start = Instant::now();
    send_connect(&mut silent, &super::connect(Version::V5, "silent", 1)).await;
    let said = guard.says("silent: EXPIRED: no packet within 1.5s").await;
    assert!(said.contains("keep alive of 1 s"), "{said}");
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert_eq!(subscriber.says("wills/silent ").await, "gone");
    // Longer than any limit of the client that lives.
    sleep(Duration::from_secs(3)).await;
    let seen = [lively.said(), subscriber.said(), guard.said()].concat();
    let ended = |line: &String| line.contains("DISCONNECTED") || line.contains("wills/lively");
    assert!(!seen.iter().any(ended), "{seen:#?}");
    let row = seen.iter().rfind(|line| line.starts_with("lively "));
    let row = row.unwrap_or_else(|| panic!("no row: {seen:#?}"));
    assert!(row.contains("MQTT 5") && row.contains("1 s"), "{row}");
    assert!(guard.end(Duration::from_secs(20)).await.success());
}

/// Mosquitto's bridge says what it is by the level of its CONNECT, and gets none of its own
/// messages back. A proxy that refused that would make it a plain client, and each message would
/// come twice.
#[tokio::test]
#[ignore = "needs mosquitto, for seconds of real time"]
async fn a_bridge_through_the_guard() {
    let far = Mosquitto::start("").await;
    let mut subscriber = far.subscriber().await;
    let port = free_port();
    let mut guard = guard(far.port, port);
    guard.says("guarding").await;
    let bridge = format!("connection far\naddress 127.0.0.1:{port}\ntopic # both 0");
    let mut near = Mosquitto::start(&bridge).await;
    near.program
        .says("Received CONNACK on connection local")
        .await;
    let mut subscriber_near = near.subscriber().await;
    let mut socket = near.connect().await;
    send_connect(&mut socket, &super::connect(Version::V3_1_1, "meter", 60)).await;
    socket.write_all(b"\x30\x08\x00\x04testhi").await.unwrap();
    assert_eq!(subscriber.says("test ").await, "hi");
    let _ = subscriber_near.says("test ").await;
    sleep(Duration::from_secs(1)).await;
    let copies = |said: Vec<String>| said.iter().filter(|line| line.starts_with("test ")).count();
    assert_eq!(
        (copies(subscriber.said()), copies(subscriber_near.said())),
        (0, 0),
        "once each"
    );
}
