//! Processes that stop and go on: the peer's, and our own.

use std::time::Duration;

use crate::peer::{CONFIG, Peer};

/// A peer that listens and one that has connected to it, with round trips on both sides.
async fn pair(wrapper: &[&str], role: &str) -> (Peer, Peer) {
    let mut listener = Peer::start(&[], "listen", "127.0.0.1:0");
    let address = listener.report("listening").await;
    let mut connector = Peer::start(wrapper, role, &address);
    listener.report("alive 1").await;
    connector.report("alive 1").await;
    (listener, connector)
}

/// The silence in a report of a verdict.
fn silence(report: &str) -> Duration {
    let millis = report
        .split(' ')
        .next()
        .and_then(|millis| millis.parse().ok());
    Duration::from_millis(millis.unwrap_or_else(|| panic!("no number in {report:?}")))
}

#[tokio::test]
#[ignore = "stops and continues real processes, for seconds of real time"]
async fn a_peer_that_is_stopped_for_longer_than_the_bound_is_dead() {
    let (mut ours, peer) = pair(&[], "connect").await;
    peer.signal("STOP").await;
    // Its kernel goes on answering: no FIN, no RST, and every byte is acknowledged.
    let verdict = ours.report("dead").await;
    assert!(
        verdict.contains("no reply to 1 ping within 2s"),
        "{verdict}"
    );
    // Never early; how late depends on the machine, so no upper limit is asserted here.
    assert!(silence(&verdict) >= Duration::from_secs(2), "{verdict}");
    peer.signal("KILL").await;
}

#[tokio::test]
#[ignore = "stops and continues real processes, for seconds of real time"]
async fn a_peer_that_is_stopped_for_less_than_the_bound_lives() {
    let (mut ours, mut peer) = pair(&[], "connect").await;
    for _ in 0..2 {
        peer.signal("STOP").await;
        // What is tested is a pause of a real process, shorter than the reply timeout.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        peer.signal("CONT").await;
        let seen = ours.reports_for(Duration::from_millis(1500)).await;
        assert!(
            seen.iter().all(|report| report.starts_with("alive")),
            "{seen:?}"
        );
    }
    let seen = peer.reports_for(Duration::from_millis(500)).await;
    assert!(
        !seen.is_empty() && seen.iter().all(|report| report.starts_with("alive")),
        "{seen:?}"
    );
}

#[tokio::test]
#[ignore = "stops and continues real processes, for seconds of real time"]
async fn our_own_pause_is_not_the_peers_death() {
    // The listener stays awake and has its own verdict about the one that is stopped, so it only
    // holds on for as long as the pause is within its bound.
    let bound = CONFIG.detection_bound().map(|bound| bound.quiet).unwrap();
    let mut awake = Peer::start(&[], "listen-raw", "127.0.0.1:0");
    let address = awake.report("listening").await;
    let mut mute = Peer::start(&[], "connect", &address);
    awake.report("holding").await;
    // A peer that never answers is dead after the bound when nobody sleeps ...
    let verdict = mute.report("dead").await;
    assert!(
        silence(&verdict) >= bound - Duration::from_millis(100),
        "{verdict}"
    );

    // ... and one that does answer is alive after a pause of ours that is three times as long as
    // its reply timeout, though by then every deadline has long passed.
    let (mut peer, mut ours) = pair(&[], "connect").await;
    ours.signal("STOP").await;
    let theirs = peer.report("dead").await;
    assert!(silence(&theirs) >= Duration::from_secs(2), "{theirs}");
    ours.signal("CONT").await;
    // The peer has hung up meanwhile: that is what we find, and not a verdict.
    let seen = ours.reports_for(Duration::from_secs(4)).await;
    let last = seen.last().map(String::as_str).unwrap_or_default();
    assert!(last == "eof" || last.starts_with("error"), "{seen:?}");
    assert!(
        !seen.iter().any(|report| report.starts_with("dead")),
        "{seen:?}"
    );
}

#[tokio::test]
#[ignore = "needs libfaketime (Debian: faketime)"]
async fn the_wall_clock_may_be_set_back() {
    let lib = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .iter()
        .map(|dir| format!("{dir}/faketime/libfaketime.so.1"))
        .find(|lib| std::path::Path::new(lib).exists())
        .expect("libfaketime is installed");
    let setting = std::env::temp_dir().join(format!("liveness-clock-{}", std::process::id()));
    std::fs::write(&setting, "+0").unwrap();
    let preload = format!("LD_PRELOAD={lib}");
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", setting.display());
    let wrapper = [
        "env",
        preload.as_str(),
        file.as_str(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_NO_CACHE=1",
    ];
    let (mut peer, mut ours) = pair(&wrapper, "clock").await;
    std::fs::write(&setting, "-3600").unwrap();
    let back = ours.report("back").await;
    assert!(back.parse::<u64>().unwrap() >= 3599, "set back by {back} s");
    // Three more seconds: pings go on at their pace, and nobody is dead.
    let (here, there) = (Duration::from_secs(3), Duration::from_millis(100));
    let seen = [ours.reports_for(here).await, peer.reports_for(there).await].concat();
    assert!(
        seen.iter().all(|report| report.starts_with("alive")),
        "{seen:?}"
    );
    let round_trips = |report: &String| report.split(' ').nth(1)?.parse::<u64>().ok();
    let counted = seen.iter().filter_map(round_trips).max().unwrap();
    assert!(
        (2..=8).contains(&counted),
        "{counted} round trips: {seen:?}"
    );
    let _ = std::fs::remove_file(&setting);
}
