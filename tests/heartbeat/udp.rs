//! Heartbeats as datagrams: over links that lose, double and reorder them, on simulated time; and
//! over real sockets on loopback.
#![cfg(feature = "udp")]

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use liveness::detector::FixedTimeout;
use liveness::heartbeat::udp::{Datagrams, UdpReceiver, UdpSender};
use liveness::heartbeat::{Origin, Schedule, WatchEvent, beat, watch};
use liveness::test_util::simulate;
use liveness::{Heartbeat, HeartbeatReceiver, HeartbeatSender, Seq};
use proptest::prelude::*;

use crate::me;

const SECOND: Duration = Duration::from_secs(1);

fn numbered<P>(seq: u64, payload: P) -> Heartbeat<P> {
    Heartbeat {
        origin: Origin::new("n1").unwrap(),
        incarnation: 1,
        seq: Seq::new(seq),
        interval: Some(SECOND),
        payload,
    }
}

/// What a bad link does with one datagram.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    Doubled,
    /// Overtaken by the next.
    Late,
    /// Preceded by a datagram of a stranger.
    Noise,
}

/// A link that treats each datagram as told, and well when nothing is told any more.
#[derive(Clone, Default)]
struct BadLink(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    fates: VecDeque<Fate>,
    arrived: VecDeque<Vec<u8>>,
    late: Option<Vec<u8>>,
    receiver: Option<Waker>,
    /// Reports that come before the next datagram.
    reports: VecDeque<io::ErrorKind>,
    broken: bool,
    /// So many datagrams are not sent, and something is reported instead.
    refused: u32,
}

impl Datagrams for BadLink {
    fn poll_send(&self, _cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock().unwrap();
        if inner.refused > 0 {
            inner.refused -= 1;
            return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        let held = inner.late.take();
        let datagram = datagram.to_vec();
        let size = datagram.len();
        match inner.fates.pop_front().unwrap_or(Fate::Arrives) {
            Fate::Arrives => inner.arrived.push_back(datagram),
            Fate::Lost => {}
            Fate::Doubled => inner.arrived.extend([datagram.clone(), datagram]),
            Fate::Late => inner.late = Some(datagram),
            Fate::Noise => inner.arrived.extend([b"hello?".to_vec(), datagram]),
        }
        inner.arrived.extend(held);
        inner.receiver.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(size))
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock().unwrap();
        if inner.broken {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        if let Some(kind) = inner.reports.pop_front() {
            return Poll::Ready(Err(kind.into()));
        }
        let Some(datagram) = inner.arrived.pop_front() else {
            inner.receiver = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let size = datagram.len().min(buffer.len());
        buffer[..size].copy_from_slice(&datagram[..size]);
        Poll::Ready(Ok(size))
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Doubled),
        1 => Just(Fate::Late),
        1 => Just(Fate::Noise),
    ];
    prop::collection::vec(fate, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the link does: beats come out once and in order, a peer is dead only after a real
    /// silence, and it is alive in the end.
    #[test]
    fn a_bad_link_is_normal(fates in fates()) {
        let beats = fates.len() as u64 + 10;
        let (seqs, times, verdicts) = simulate(async |sim| {
            let link = BadLink::default();
            link.0.lock().unwrap().fates = fates.iter().copied().collect();
            let mut number = 0_u64;
            let beating = beat(
                UdpSender::new(link.clone()),
                Schedule::new(SECOND).max_failures(0),
                sim.clone(),
                &me(),
                move || { number += 1; number },
            ).unwrap();
            let rule = FixedTimeout::new(SECOND * 7 / 2);
            let mut events = watch(UdpReceiver::<_, u64>::new(link), rule, sim.clone());
            let (mut seqs, mut times, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
            let watching = async {
                loop {
                    match events.next().await.unwrap() {
                        WatchEvent::Beat(beat) => {
                            seqs.push(beat.seq.value());
                            times.push(sim.elapsed());
                        }
                        event => verdicts.push(event),
                    }
                }
            };
            tokio::select! {
                ended = beating => panic!("{ended:?}"),
                () = watching => {}
                () = sim.sleep(beats as u32 * SECOND - SECOND / 2) => {}
            }
            (seqs, times, verdicts)
        });
        prop_assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", seqs);
        prop_assert_eq!(seqs.last(), Some(&(beats - 1)));
        let limit = SECOND * 7 / 2;
        let silences = times.windows(2).filter(|pair| pair[1] - pair[0] > limit).count()
            + usize::from(times[0] > limit);
        let deaths = verdicts.iter().filter(|event| matches!(event, WatchEvent::Dead(_))).count();
        prop_assert_eq!(deaths, silences, "{:?}", times);
        if fates.iter().all(|fate| matches!(fate, Fate::Arrives | Fate::Doubled | Fate::Noise)) {
            prop_assert!(matches!(verdicts[..], [WatchEvent::Alive]), "{:?}", verdicts);
        }
    }
}

#[test]
fn what_is_no_heartbeat_is_counted_and_left_out() {
    simulate(async |_| {
        let link = BadLink::default();
        let mut sender = UdpSender::new(link.clone());
        let mut receiver = UdpReceiver::<_, String>::new(link.clone());
        {
            let mut inner = link.0.lock().unwrap();
            inner.arrived.extend((0..100).map(|n| vec![0xBE; n]));
        }
        sender.send(numbered(7, "ok".to_owned())).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), numbered(7, "ok".to_owned()));
        assert_eq!(receiver.skipped(), 100);
        assert_eq!(receiver.errors(), 0);
    });
}

/// What a rejecting firewall sends, and a path that has become narrow: reports about datagrams of
/// ours, which say nothing about the peer's.
#[test]
fn a_report_of_the_network_does_not_end_the_receiver() {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    simulate(async |_| {
        let link = BadLink::default();
        let mut sender = UdpSender::new(link.clone());
        let mut receiver = UdpReceiver::<_, u64>::new(link.clone());
        let kinds = [
            ConnectionRefused,
            HostUnreachable,
            NetworkUnreachable,
            ConnectionReset,
        ];
        for (n, kind) in (0..).zip(kinds.into_iter().chain([io::ErrorKind::Other; 20])) {
            link.0.lock().unwrap().reports.push_back(kind);
            sender.send(numbered(n, n)).await.unwrap();
            assert_eq!(receiver.recv().await.unwrap().seq, Seq::new(n), "{kind}");
        }
        assert_eq!(receiver.errors(), 24);
    });
}

/// As Linux does it: each report takes the place of the next datagram.
#[test]
fn a_report_does_not_cost_a_beat() {
    simulate(async |_| {
        let link = BadLink::default();
        let mut sender = UdpSender::new(link.clone());
        for n in 0..5 {
            link.0.lock().unwrap().refused = 1;
            sender.send(numbered(n, n)).await.unwrap();
        }
        assert_eq!(link.0.lock().unwrap().arrived.len(), 5);
        // Twice in a row is no report.
        link.0.lock().unwrap().refused = 2;
        let error = sender.send(numbered(5, 5_u64)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_socket_that_has_failed_does_end_the_receiver() {
    simulate(async |_| {
        let link = BadLink::default();
        let mut receiver = UdpReceiver::<_, u64>::new(link.clone());
        link.0.lock().unwrap().broken = true;
        for _ in 0..3 {
            let error = receiver.recv().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        }
    });
}

#[test]
fn the_limit_is_exact_on_both_sides() {
    simulate(async |_| {
        // 26 bytes of header, 2 of origin: 1172 of payload fill 1200.
        let fits = |bytes: usize| numbered(0, "x".repeat(bytes));
        let link = BadLink::default();
        let mut sender = UdpSender::new(link.clone());
        let mut receiver = UdpReceiver::<_, String>::new(link.clone());
        sender.send(fits(1172)).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), fits(1172));
        let error = sender.send(fits(1173)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "heartbeat of 1201 bytes, the limit of a datagram is 1200"
        );
        // A sender with another limit: the receiver does not take the first part for the whole.
        let mut sender = UdpSender::new(link).limit(2000);
        sender.send(fits(1173)).await.unwrap();
        sender.send(fits(1500)).await.unwrap();
        sender.send(fits(1)).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), fits(1));
        assert_eq!(receiver.skipped(), 2);
    });
}

/// Real sockets; no time is waited for, so none is simulated.
#[cfg(feature = "tokio")]
#[tokio::test]
async fn over_sockets_of_tokio() {
    let near = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    // Both ways over one pair of sockets.
    let (near, far) = (Arc::new(near), Arc::new(far));
    let mut there = UdpSender::new(Arc::clone(&near));
    let mut back = UdpSender::new(Arc::clone(&far));
    let mut at_near = UdpReceiver::<_, u64>::new(near);
    let mut at_far = UdpReceiver::<_, u64>::new(far);
    for n in 0..10 {
        there.send(numbered(n, n)).await.unwrap();
        assert_eq!(at_far.recv().await.unwrap(), numbered(n, n));
        back.send(numbered(n, n + 1)).await.unwrap();
        assert_eq!(at_near.recv().await.unwrap(), numbered(n, n + 1));
    }
}

/// The peer's socket is gone: sending reports it now and then, receiving goes on.
#[cfg(feature = "tokio")]
#[tokio::test]
async fn nobody_there_is_no_end() {
    let near = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = far.local_addr().unwrap();
    near.connect(address).await.unwrap();
    let near = Arc::new(near);
    let mut sender = UdpSender::new(Arc::clone(&near));
    let mut receiver = UdpReceiver::<_, u64>::new(Arc::clone(&near));
    drop(far);
    for n in 0..4 {
        // Some of these are refused, as Linux reports the one before; others go out.
        let _reported_or_not = sender.send(numbered(n, 0_u64)).await;
    }
    let far = tokio::net::UdpSocket::bind(address).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    UdpSender::new(far).send(numbered(9, 9_u64)).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap(), numbered(9, 9));
}

#[cfg(feature = "smol")]
#[test]
fn over_sockets_of_smol() {
    use std::net::UdpSocket;
    let near = smol::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let far = smol::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    near.get_ref()
        .connect(far.get_ref().local_addr().unwrap())
        .unwrap();
    let mut sender = UdpSender::new(near);
    let mut receiver = UdpReceiver::<_, u64>::new(far);
    smol::block_on(async {
        for n in 0..10 {
            // The receiver waits first.
            let (received, sent) = futures::join!(receiver.recv(), sender.send(numbered(n, n)));
            sent.unwrap();
            assert_eq!(received.unwrap(), numbered(n, n));
        }
    });
}
