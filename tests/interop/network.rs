//! Links that are really dead: two hosts in network namespaces, and packets that are dropped.
//!
//! Needs root, `ip` and `nft`. TCP itself says nothing about any of these for minutes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::peer::{KERNEL, Peer, run};

/// Two hosts with a cable between them; removed when dropped.
pub(crate) struct Hosts {
    names: [String; 2],
    addresses: [String; 2],
}

impl Hosts {
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::SeqCst);
        let id = format!("{}-{nth}", std::process::id());
        let names = [format!("lv-{id}-a"), format!("lv-{id}-b")];
        let addresses = [format!("10.231.{nth}.1"), format!("10.231.{nth}.2")];
        let hosts = Self { names, addresses };
        for name in &hosts.names {
            run("ip", &["netns", "add", name]).await;
            run("ip", &["-n", name, "link", "set", "lo", "up"]).await;
        }
        let [a, b] = &hosts.names;
        let veth = ["link", "add", "lv0", "netns", a, "type", "veth"];
        run(
            "ip",
            &[&veth[..], &["peer", "name", "lv0", "netns", b]].concat(),
        )
        .await;
        for (name, address) in hosts.names.iter().zip(&hosts.addresses) {
            let net = format!("{address}/24");
            run("ip", &["-n", name, "address", "add", &net, "dev", "lv0"]).await;
            run("ip", &["-n", name, "link", "set", "lv0", "up"]).await;
        }
        hosts
    }

    pub(crate) fn name(&self, host: usize) -> &str {
        &self.names[host]
    }

    pub(crate) fn address(&self, host: usize) -> &str {
        &self.addresses[host]
    }

    pub(crate) fn start(&self, host: usize, role: &str, address: &str) -> Peer {
        Peer::start(&["ip", "netns", "exec", &self.names[host]], role, address)
    }

    /// Drops what comes in (`"input"`) or goes out (`"output"`) at a host.
    pub(crate) async fn drop_packets(&self, host: usize, hook: &str) {
        let chain = format!("{{ type filter hook {hook} priority 0 ; policy drop ; }}");
        let exec = ["netns", "exec", self.names[host].as_str(), "nft", "add"];
        let table = [&exec[..], &["table", "inet", hook]].concat();
        run("ip", &table).await;
        run(
            "ip",
            &[&exec[..], &["chain", "inet", hook, "dead", &chain]].concat(),
        )
        .await;
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = std::process::Command::new("ip")
                .args(["netns", "del", name])
                .status();
        }
    }
}

#[tokio::test]
#[ignore = "needs root, iproute2 and nftables"]
async fn a_link_that_drops_everything_is_dead_on_both_sides() {
    let hosts = Hosts::new().await;
    let mut listener = hosts.start(1, "listen", &format!("{}:7000", hosts.addresses[1]));
    let address = listener.report("listening").await;
    let mut connector = hosts.start(0, "connect", &address);
    listener.report("alive 1").await;
    connector.report("alive 1").await;
    hosts.drop_packets(1, "input").await;
    hosts.drop_packets(1, "output").await;
    for peer in [&mut listener, &mut connector] {
        let verdict = peer.report("dead").await;
        assert!(
            verdict.contains("no reply to 1 ping within 2s"),
            "{verdict}"
        );
    }
}

#[tokio::test]
#[ignore = "needs root, iproute2 and nftables"]
async fn a_link_that_drops_one_way_is_dead_where_nothing_arrives() {
    let hosts = Hosts::new().await;
    let mut deaf = hosts.start(1, "listen", &format!("{}:7000", hosts.addresses[1]));
    let address = deaf.report("listening").await;
    let mut heard = hosts.start(0, "connect", &address);
    deaf.report("alive 1").await;
    heard.report("alive 1").await;
    hosts.drop_packets(1, "input").await;
    let verdict = deaf.report("dead").await;
    assert!(
        verdict.contains("no reply to 1 ping within 2s"),
        "{verdict}"
    );
    // The other side hears pings until then, and its answers go nowhere. It ends too: by the FIN
    // that still gets through, or by a verdict of its own.
    let seen = heard.reports_for(Duration::from_secs(8)).await;
    let last = seen.last().map(String::as_str).unwrap_or_default();
    assert!(!last.starts_with("alive"), "still alive: {seen:?}");
}

#[tokio::test]
#[ignore = "needs root, iproute2 and nftables"]
async fn the_kernels_own_keepalive_keeps_its_bound() {
    let hosts = Hosts::new().await;
    let mut holder = hosts.start(1, "listen-raw", &format!("{}:7000", hosts.addresses[1]));
    let address = holder.report("listening").await;
    let mut waiter = hosts.start(0, "connect-kernel", &address);
    waiter.report("waiting").await;
    hosts.drop_packets(1, "input").await;
    let verdict = waiter.report("kernel").await;
    let (millis, kind) = verdict.split_once(' ').unwrap();
    assert_eq!(kind, "TimedOut");
    let took = Duration::from_millis(millis.parse().unwrap());
    // One probe may have been answered before the link was cut: a second more than the bound, and
    // the kernel's own timers are some tenths late.
    let bound = KERNEL.detection_bound();
    assert!(took >= Duration::from_secs(3), "{took:?}");
    assert!(
        took <= bound + Duration::from_secs(3),
        "{took:?} for a bound of {bound:?}"
    );
}
