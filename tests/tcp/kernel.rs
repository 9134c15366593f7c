//! The kernel's keepalive on real loopback sockets: the options read back, the limits are the
//! kernel's own, and on Linux the promised bounds against a peer that has fallen silent.

#![allow(
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking; what is measured here is the kernel's own time"
)]

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use liveness::ConfigError;
use liveness::tcp::{ApplyError, KernelKeepalive};
use socket2::SockRef;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A client and the server's end of it.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

fn refused(keepalive: KernelKeepalive) -> ConfigError {
    let (client, _server) = connection();
    match keepalive.apply(&client) {
        Err(ApplyError::Config(error)) => {
            let on = SockRef::from(&client).keepalive().unwrap();
            assert!(!on, "nothing is set when a value is refused");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_option_reads_back() {
    let (client, server) = connection();
    let keepalive = KernelKeepalive::new()
        .idle(secs(11))
        .interval(secs(7))
        .retries(4);
    keepalive.apply(&client).unwrap();
    let socket = SockRef::from(&client);
    assert!(socket.keepalive().unwrap());
    #[cfg(unix)]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), secs(11));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), secs(7));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
    }
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(secs(11 + 4 * 7)));
    assert!(!SockRef::from(&server).keepalive().unwrap());

    // Applied again, the last one counts, and nothing of the first is left.
    KernelKeepalive::system_default().apply(&client).unwrap();
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), secs(7200));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), secs(75));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 9);
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    }
}

#[tokio::test]
async fn tokio_sockets_take_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::net::TcpStream::connect(address).await.unwrap();
    KernelKeepalive::new().apply(&client).unwrap();
    assert!(SockRef::from(&client).keepalive().unwrap());
}

#[cfg(feature = "smol")]
#[test]
fn smol_sockets_take_it() {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = smol::net::TcpStream::connect(address).await.unwrap();
        KernelKeepalive::new().apply(&client).unwrap();
        assert!(SockRef::from(&client).keepalive().unwrap());
    });
}

#[test]
fn what_cannot_work_is_refused_with_its_numbers() {
    let new = KernelKeepalive::new;
    let cases = [
        (
            new().idle(Duration::ZERO),
            "idle (0ns) is outside 1s..=32767s",
        ),
        (
            new().idle(Duration::from_millis(999)),
            "idle (999ms) is outside 1s..=32767s",
        ),
        (
            new().idle(secs(32_768)),
            "idle (32768s) is outside 1s..=32767s",
        ),
        (
            new().idle(Duration::from_millis(1500)),
            "idle (1.5s) is not a multiple of 1s",
        ),
        (
            new().interval(Duration::ZERO),
            "interval (0ns) is outside 1s..=32767s",
        ),
        (
            new().interval(secs(32_768)),
            "interval (32768s) is outside 1s..=32767s",
        ),
        (
            new().interval(Duration::MAX),
            "interval (18446744073709551615.999999999s) is outside 1s..=32767s",
        ),
        (new().retries(0), "retries (0) is outside 1..=127"),
        (new().retries(128), "retries (128) is outside 1..=127"),
        #[cfg(target_os = "linux")]
        (
            new().user_timeout(Duration::from_nanos(1)),
            "user_timeout (1ns) is outside 1ms..=2147483.647s",
        ),
        #[cfg(target_os = "linux")]
        (
            new().user_timeout(Duration::from_millis(1 << 31)),
            "user_timeout (2147483.648s) is outside 1ms..=2147483.647s",
        ),
        #[cfg(target_os = "linux")]
        (
            new().user_timeout(Duration::from_micros(1500)),
            "user_timeout (1.5ms) is not a multiple of 1ms",
        ),
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia")))]
        (
            new().user_timeout(secs(1)),
            "user_timeout cannot be set on this platform",
        ),
    ];
    for (keepalive, text) in cases {
        assert_eq!(refused(keepalive).to_string(), text);
    }
    let error = io::Error::from(ApplyError::from(refused(new().retries(0))));
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "retries (0) is outside 1..=127");
}

#[test]
fn what_is_not_tcp_is_an_error_of_the_system() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = KernelKeepalive::new().apply(&socket).unwrap_err();
    assert!(matches!(error, ApplyError::Io(_)), "{error}");
}

#[test]
fn the_bound_is_arithmetic() {
    let bound = |idle, interval, retries| {
        KernelKeepalive::system_default()
            .idle(secs(idle))
            .interval(secs(interval))
            .retries(retries)
    };
    assert_eq!(bound(7200, 75, 9).detection_bound(), secs(7875));
    assert_eq!(bound(1, 1, 3).detection_bound(), secs(4));
    // The first probe time after the first probe that is not before the user timeout.
    for (limit, expected) in [
        (1, 13_000),
        (10_000, 13_000),
        (13_000, 13_000),
        (13_001, 16_000),
        (16_000, 16_000),
        (20_000, 22_000),
    ] {
        let limited = bound(10, 3, 9).user_timeout(Duration::from_millis(limit));
        assert_eq!(limited.detection_bound(), Duration::from_millis(expected));
    }
    // The default user timeout changes nothing, and is cut to what the option takes.
    let default = KernelKeepalive::new().idle(secs(10)).interval(secs(3));
    assert_eq!(default.retries(9).detection_bound(), secs(10 + 9 * 3));
    let longest = KernelKeepalive::new()
        .idle(secs(32_767))
        .interval(secs(32_767))
        .retries(127);
    let expected = if cfg!(target_os = "linux") {
        secs(32_767 * 66) // the first probe time beyond 2^31 ms
    } else {
        secs(32_767 * 128)
    };
    assert_eq!(longest.detection_bound(), expected);
    longest.apply(&connection().0).unwrap();
    // Values that are refused have no bound, but are no reason to panic.
    let wild = bound(u64::MAX, u64::MAX, u32::MAX);
    assert_eq!(wild.detection_bound(), Duration::MAX);
    let _ = wild.user_timeout(Duration::MAX).detection_bound();
    let _ = bound(0, 0, 0).user_timeout(secs(1)).detection_bound();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{Read, Write};
    use std::thread::JoinHandle;
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_limits_are_the_kernels_own() {
        let (client, _server) = connection();
        let most = KernelKeepalive::new()
            .idle(secs(32_767))
            .interval(secs(32_767))
            .retries(127);
        most.apply(&client).unwrap();
        let socket = SockRef::from(&client);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), secs(32_767));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 127);
        let longest = Duration::from_millis(i32::MAX as u64);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(longest));
        // One more, past our checks: the kernel says no.
        let params = socket2::TcpKeepalive::new;
        for beyond in [
            params().with_time(secs(32_768)),
            params().with_interval(secs(32_768)),
            params().with_retries(128),
            params().with_time(Duration::ZERO),
            params().with_interval(Duration::ZERO),
            params().with_retries(0),
        ] {
            let error = socket.set_tcp_keepalive(&beyond).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        let beyond = Some(Duration::from_millis(1 << 31));
        let error = socket.set_tcp_user_timeout(beyond).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    /// From here on the kernel drops every segment for `server` unanswered, as a dead host would.
    fn silence(server: &TcpStream) {
        // One instruction of a packet filter: return 0, "keep nothing".
        let drop_all = socket2::SockFilter::new(0x06, 0, 0, 0);
        SockRef::from(server).attach_filter(&[drop_all]).unwrap();
    }

    enum Peer {
        Silent,
        /// Silent from the moment that something is in flight to it.
        SilentWithDataInFlight,
        /// Its kernel answers, its program never reads.
        StoppedProgram,
        /// The same, and its receive buffer is full.
        StoppedProgramWindowClosed,
    }

    /// When and how a blocked read on the client ends; `None` when it does not within `patience`.
    ///
    /// Real seconds: the clock under test is the kernel's.
    fn watch(
        keepalive: KernelKeepalive,
        peer: Peer,
        patience: Duration,
    ) -> JoinHandle<Option<(Duration, io::ErrorKind)>> {
        std::thread::spawn(move || {
            let (mut client, server) = connection();
            client.set_read_timeout(Some(patience)).unwrap();
            keepalive.apply(&client).unwrap();
            match peer {
                Peer::Silent => silence(&server),
                Peer::SilentWithDataInFlight => {
                    silence(&server);
                    client.write_all(b"anyone?").unwrap();
                }
                Peer::StoppedProgram => {}
                Peer::StoppedProgramWindowClosed => {
                    client.set_nonblocking(true).unwrap();
                    while client.write(&[0; 65_536]).is_ok() {}
                    client.set_nonblocking(false).unwrap();
                }
            }
            let start = Instant::now();
            let error = client.read(&mut [0; 1]).unwrap_err();
            let silent = error.kind() == io::ErrorKind::WouldBlock;
            (!silent).then(|| (start.elapsed(), error.kind()))
        })
    }

    #[test]
    fn the_kernel_keeps_the_bound() {
        let keepalive = |idle, interval, retries| {
            KernelKeepalive::new()
                .idle(secs(idle))
                .interval(secs(interval))
                .retries(retries)
                .user_timeout(Duration::ZERO)
        };
        let patience = secs(10);
        // All at once, because each takes its seconds.
        let found = [
            keepalive(1, 1, 2),
            // The default: both say the same.
            KernelKeepalive::new()
                .idle(secs(1))
                .interval(secs(1))
                .retries(2),
            // With a user timeout the number of retries is not heeded ...
            keepalive(1, 1, 1).user_timeout(secs(3)),
            // ... and one that is over before the first probe waits for the second.
            keepalive(1, 2, 9).user_timeout(Duration::from_millis(1)),
        ]
        .map(|keepalive| (keepalive, watch(keepalive, Peer::Silent, patience)));
        let limit = keepalive(1, 1, 1).user_timeout(secs(2));
        let in_flight = watch(limit, Peer::SilentWithDataInFlight, patience);
        let unread = watch(limit, Peer::StoppedProgramWindowClosed, patience);
        let unlimited = keepalive(1, 1, 1);
        let retransmitting = watch(unlimited, Peer::SilentWithDataInFlight, secs(5));
        let stopped = watch(unlimited, Peer::StoppedProgram, secs(5));

        for (keepalive, watched) in found {
            let bound = keepalive.detection_bound();
            let (after, kind) = watched.join().unwrap().unwrap();
            println!("bound {bound:?}: {kind} after {after:?}");
            assert_eq!(kind, io::ErrorKind::TimedOut, "{keepalive:?}");
            assert!(
                after >= bound - Duration::from_millis(50),
                "{after:?} for {bound:?}"
            );
            assert!(after <= bound * 9 / 8 + secs(2), "{after:?} for {bound:?}");
        }
        for (what, watched) in [("in flight", in_flight), ("unread", unread)] {
            let (after, kind) = watched.join().unwrap().unwrap();
            println!("{what}: {kind} after {after:?}");
            assert_eq!(kind, io::ErrorKind::TimedOut, "{what}");
            assert!(after >= secs(1) && after <= secs(5), "{what}: {after:?}");
        }
        // Without a user timeout data in flight hides the death: no probe is sent.
        assert_eq!(retransmitting.join().unwrap(), None);
        // And a stopped program looks alive for ever: its kernel answers.
        assert_eq!(stopped.join().unwrap(), None);
    }
}
