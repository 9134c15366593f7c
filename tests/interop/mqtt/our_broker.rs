//! Real clients of our broker half.

use std::time::Duration;

use liveness::mqtt::{BrokerConfig, Expired, KeepAlivePolicy, Packet, Scanner, Version};
use rumqttc::{AsyncClient, MqttOptions};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::broker::{Broker, Event};
use super::{Program, SLACK, connect, mosquitto_sub, next, send_connect, tools};

pub(super) fn paho(arguments: &[&str]) -> Program {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/mqtt/peer.py");
    Program::start(
        Command::new(tools().join("python/bin/python"))
            .arg(script)
            .args(arguments),
    )
}

fn name(id: &str) -> String {
    id.to_owned()
}

#[tokio::test]
#[ignore = "needs paho-mqtt, for seconds of real time"]
async fn paho_is_idle_for_six_keep_alives() {
    let mut broker = Broker::start(BrokerConfig::new()).await;
    let port = broker.port.to_string();
    let mut old = paho(&[&port, "4", "1", "three"]);
    let mut new = paho(&[&port, "5", "1", "five"]);
    old.says("CONNECTED False 0").await;
    new.says("CONNECTED False 0").await;
    let seen = broker.events_for(Duration::from_secs(6)).await;
    for id in ["three", "five"] {
        let pings = seen
            .iter()
            .filter(|event| **event == Event::Pinged(name(id)))
            .count();
        assert!((3..=7).contains(&pings), "{pings} pings of {id}: {seen:?}");
    }
    let quiet = |event: &Event| matches!(event, Event::Pinged(_) | Event::Connected(_));
    assert!(seen.iter().all(quiet), "{seen:?}");
}

/// Its pace is the one that the CONNACK says.
#[tokio::test]
#[ignore = "needs paho-mqtt, for seconds of real time"]
async fn paho_obeys_server_keep_alive() {
    let config = BrokerConfig::new().keep_alive(KeepAlivePolicy::AtMost(1));
    let mut broker = Broker::start(config).await;
    let mut client = paho(&[&broker.port.to_string(), "5", "60", "meter"]);
    client.says("CONNECTED False 0").await;
    let seen = broker.events_for(Duration::from_secs(4)).await;
    let pings = seen
        .iter()
        .filter(|event| **event == Event::Pinged(name("meter")))
        .count();
    assert!((2..=5).contains(&pings), "{seen:?}");
    assert!(
        !seen.iter().any(|event| matches!(event, Event::Expired(..))),
        "{seen:?}"
    );
}

#[tokio::test]
#[ignore = "stops paho-mqtt, for seconds of real time"]
async fn a_stopped_client_is_dropped_and_its_will_published() {
    for (version, id) in [("4", "three"), ("5", "five")] {
        let mut broker = Broker::start(BrokerConfig::new()).await;
        let mut client = paho(&[&broker.port.to_string(), version, "1", id]);
        client.says("CONNECTED").await;
        let (_, event) = broker.next().await;
        assert_eq!(event, Event::Connected(name(id)));
        client.signal("STOP").await;
        let (at, event) = broker.next().await;
        let Event::Expired(
            _,
            Expired::Silent {
                keep_alive, dead, ..
            },
        ) = event
        else {
            panic!("{event:?}");
        };
        assert_eq!(keep_alive, 1);
        let silent_for = dead.silent_for;
        let limit = Duration::from_millis(1500);
        assert!(
            silent_for > limit && silent_for < limit + SLACK,
            "{silent_for:?}"
        );
        let (published, event) = broker.next().await;
        assert_eq!(event, Event::Will(name(id)));
        assert!(published >= at);
        client.signal("CONT").await;
        // 0x8D for version 5; before it, it is just closed.
        let said = client.says("DISCONNECTED").await;
        assert!(version == "4" || said == "141", "{said}");
    }
}

/// A will with a delay is not published when the client is back in time, and is when it is not.
#[tokio::test]
#[ignore = "kills paho-mqtt, for seconds of real time"]
async fn a_client_that_returns_in_time_has_no_will() {
    let mut broker = Broker::start(BrokerConfig::new()).await;
    let port = broker.port.to_string();
    let arguments = [port.as_str(), "5", "5", "meter", "4"];
    for session_present in ["False", "True"] {
        let mut client = paho(&arguments);
        client.says(&format!("CONNECTED {session_present} 0")).await;
        assert_eq!(broker.next().await.1, Event::Connected(name("meter")));
        client.signal("KILL").await;
        let (lost, event) = broker.next().await;
        assert_eq!(event, Event::Closed(name("meter")));
        if session_present == "True" {
            let (published, event) = broker.next().await;
            assert_eq!(event, Event::Will(name("meter")));
            assert!(published - lost >= Duration::from_secs(4));
        }
    }
}

#[tokio::test]
#[ignore = "needs paho-mqtt"]
async fn a_client_that_is_taken_over_is_told_so() {
    let mut broker = Broker::start(BrokerConfig::new()).await;
    let port = broker.port.to_string();
    let arguments = [port.as_str(), "5", "5", "meter"];
    let mut old = paho(&arguments);
    old.says("CONNECTED False 0").await;
    let mut new = paho(&arguments);
    new.says("CONNECTED True 0").await;
    assert_eq!(old.says("DISCONNECTED").await, "142");
    let seen = broker.events_for(Duration::from_secs(1)).await;
    let expected = [
        Event::Connected(name("meter")),
        // The will has no delay, so it is published when the connection closes.
        Event::Will(name("meter")),
        Event::Connected(name("meter")),
        Event::TakenOver(name("meter")),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
#[ignore = "needs mosquitto_pub and mosquitto_sub, for seconds of real time"]
async fn mosquittos_clients() {
    let mut broker = Broker::start(BrokerConfig::new()).await;
    let port = broker.port.to_string();
    // It takes no keep alive below 5 s.
    let will = ["--will-topic", "wills/meter", "--will-payload", "gone"];
    let mut client = Program::start(
        mosquitto_sub()
            .args(["-p", &port, "-k", "5", "-i", "meter", "-t", "x", "-d"])
            .args(will),
    );
    client.says("received SUBACK").await;
    let sent = Command::new("mosquitto_pub")
        .args(["-p", &port, "-i", "pub", "-t", "x", "-m", "hello"])
        .status();
    assert!(sent.await.unwrap().success());
    let seen = broker.events_for(Duration::from_secs(12)).await;
    let expected = [
        Event::Connected(name("meter")),
        Event::Connected(name("pub")),
        Event::Disconnected(name("pub")),
        Event::Pinged(name("meter")),
        Event::Pinged(name("meter")),
    ];
    assert_eq!(seen, expected);
    client.signal("STOP").await;
    let (_, event) = broker.next().await;
    let Event::Expired(_, expired) = event else {
        panic!("{event:?}");
    };
    let silent_for = expired.dead().silent_for;
    let limit = Duration::from_millis(7500);
    assert!(
        silent_for > limit && silent_for < limit + SLACK,
        "{silent_for:?}"
    );
    assert_eq!(broker.next().await.1, Event::Will(name("meter")));
    client.signal("CONT").await;
}

#[tokio::test]
#[ignore = "for seconds of real time"]
async fn rumqttc_is_idle_for_five_keep_alives() {
    let mut broker = Broker::start(BrokerConfig::new()).await;
    let mut options = MqttOptions::new("meter", "127.0.0.1", broker.port);
    options.set_keep_alive(Duration::from_secs(1));
    let (_client, mut events) = AsyncClient::new(options, 10);
    let polling = tokio::spawn(async move {
        loop {
            events.poll().await.unwrap();
        }
    });
    let seen = broker.events_for(Duration::from_secs(5)).await;
    assert_eq!(seen.first(), Some(&Event::Connected(name("meter"))));
    let pings = seen
        .iter()
        .filter(|event| matches!(event, Event::Pinged(_)))
        .count();
    assert_eq!(pings, seen.len() - 1, "{seen:?}");
    assert!((3..=6).contains(&pings), "{pings} pings");
    assert!(!polling.is_finished());
    polling.abort();
}

/// The limit on a real clock: not before 1.5 keep alives, and 0x8D for those who understand it.
#[tokio::test]
#[ignore = "for seconds of real time"]
async fn a_silent_client_is_closed_after_one_and_a_half_keep_alives() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let broker = Broker::start(BrokerConfig::new()).await;
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port))
            .await
            .unwrap();
        let mut scanner = Scanner::from_server();
        scanner.set_version(version);
        let start = tokio::time::Instant::now();
        send_connect(&mut socket, &connect(version, "meter", 1)).await;
        let Some(Packet::ConnAck(_)) = next(&mut socket, &mut scanner).await else {
            panic!("no CONNACK");
        };
        let farewell = next(&mut socket, &mut scanner).await;
        let elapsed = start.elapsed();
        match farewell {
            Some(Packet::Disconnect(disconnect)) if version == Version::V5 => {
                assert_eq!(disconnect.reason, 0x8d);
            }
            None if version < Version::V5 => {}
            other => panic!("{other:?}"),
        }
        let limit = Duration::from_millis(1500);
        assert!(elapsed > limit && elapsed < limit + SLACK, "{elapsed:?}");
    }
}
