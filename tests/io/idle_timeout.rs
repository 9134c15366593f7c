//! `IdleTimeout`: a socket that fails when it should, tells both halves, and never throws away what
//! has arrived.

use std::io::ErrorKind;
use std::time::Duration;

use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, future::join};
use liveness::io::IdleTimeout;
use liveness::test_util::{ByteEnd, Counts, Link, LinkConfig, Sim, World, bytes};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

type Socket = IdleTimeout<ByteEnd, Sim>;

fn socket(world: &World, after: Duration, config: LinkConfig) -> (Socket, ByteEnd, Link<u8>) {
    let (near, far, link) = bytes(&world.sim, config);
    (IdleTimeout::new(near, after, world.sim.clone()), far, link)
}

fn narrow() -> LinkConfig {
    LinkConfig::new().room(4)
}

#[test]
fn a_read_fails_when_nothing_has_moved() {
    let mut world = World::new();
    let (mut socket, mut far, _) = socket(&world, 10 * SECOND, LinkConfig::new());
    let sim = world.sim.clone();
    world.run(async {
        sim.sleep(7 * SECOND).await;
        far.write_all(b"ab").await.unwrap();
        socket.read_exact(&mut [0; 2]).await.unwrap();
        sim.sleep(3 * SECOND).await;
        let error = socket.read(&mut [0; 2]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "no byte read or written for 10s");
        assert_eq!(sim.elapsed(), 17 * SECOND);
        // And so does everything that comes after it.
        for _ in 0..3 {
            assert_eq!(
                socket.read(&mut [0; 2]).await.unwrap_err().kind(),
                ErrorKind::TimedOut
            );
            assert_eq!(
                socket.write(&[0; 2]).await.unwrap_err().kind(),
                ErrorKind::TimedOut
            );
            assert_eq!(
                socket.flush().await.unwrap_err().kind(),
                ErrorKind::TimedOut
            );
        }
        assert_eq!(sim.timers_alive(), 0, "there is nothing left to wait for");
        // It can still be closed: the peer learns of it.
        socket.close().await.unwrap();
        assert_eq!(far.read(&mut [0; 2]).await.unwrap(), 0);
    });
}

#[test]
fn both_directions_count() {
    let mut world = World::new();
    let (socket, mut far, _) = socket(&world, 10 * SECOND, LinkConfig::new());
    let (mut reader, mut writer) = socket.split();
    let sim = world.sim.clone();
    let upload = async {
        for _ in 0..10 {
            sim.sleep(9 * SECOND).await;
            writer.write_all(&[1]).await.unwrap();
            far.read_exact(&mut [0]).await.unwrap();
        }
    };
    let (error, ()) = world.run(join(reader.read(&mut [0]), upload));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(sim.elapsed(), 100 * SECOND);
}

fn halves(socket: Socket) -> (ReadHalf<Socket>, WriteHalf<Socket>) {
    socket.split()
}

#[test]
fn both_halves_on_two_tasks_are_told() {
    let mut world = World::new();
    let (socket, _far, _) = socket(&world, 10 * SECOND, narrow());
    let (mut reader, mut writer) = halves(socket);
    let sim = world.sim.clone();
    let (sim_r, sim_w) = (sim.clone(), sim.clone());
    let reading =
        world.task(async move { (reader.read(&mut [0]).await.unwrap_err(), sim_r.elapsed()) });
    let writing = world.task(async move {
        sim_w.sleep(3 * SECOND).await;
        (
            writer.write_all(&[0; 9]).await.unwrap_err(),
            sim_w.elapsed(),
        )
    });
    let (read, write) = world.run(join(reading, writing));
    for (error, at) in [read, write] {
        assert_eq!((error.kind(), at), (ErrorKind::TimedOut, 13 * SECOND));
    }
}

#[test]
fn what_has_arrived_can_be_read_also_after_the_verdict() {
    let mut world = World::new();
    let (socket, mut far, _) = socket(&world, 10 * SECOND, narrow());
    let (mut reader, mut writer) = halves(socket);
    let sim = world.sim.clone();
    world.run(async {
        far.write_all(b"last").await.unwrap();
        // Nobody reads, and the writer finds no room.
        let error = writer.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(
            (error.kind(), sim.elapsed()),
            (ErrorKind::TimedOut, 10 * SECOND)
        );
        let mut buf = [0; 4];
        reader.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"last");
        assert_eq!(
            reader.read(&mut buf).await.unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    });
}

#[test]
fn a_late_reader_finds_its_bytes_and_no_error() {
    let mut world = World::new();
    let (mut socket, mut far, _) = socket(&world, 10 * SECOND, LinkConfig::new());
    let sim = world.sim.clone();
    world.run(async {
        assert!(socket.read(&mut [0; 4]).now_or_never().is_none());
        far.write_all(b"here").await.unwrap();
        sim.advance(3600 * SECOND);
        assert_eq!(socket.read(&mut [0; 4]).await.unwrap(), 4);
        // That was a sign of life: a full period from here.
        let at = sim.elapsed();
        assert!(socket.read(&mut [0; 4]).await.is_err());
        assert_eq!(sim.elapsed() - at, 10 * SECOND);
    });
}

#[test]
fn an_end_of_file_is_no_timeout() {
    let mut world = World::new();
    let (mut socket, far, link) = socket(&world, 10 * SECOND, LinkConfig::new());
    let sim = world.sim.clone();
    world.run(async {
        drop(far);
        assert_eq!(socket.read(&mut [0; 4]).await.unwrap(), 0);
        sim.sleep(60 * SECOND).await;
        assert_eq!(socket.read(&mut [0; 4]).await.unwrap(), 0);
        link.reset();
        assert_eq!(
            socket.read(&mut [0; 4]).await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
    });
}

#[test]
fn zero_is_off_and_asks_nothing() {
    let mut world = World::new();
    let (mut socket, mut far, _) = socket(&world, Duration::ZERO, LinkConfig::new());
    let before = world.sim.counts();
    world.run(async {
        for _ in 0..1000 {
            socket.write_all(b"x").await.unwrap();
            far.read_exact(&mut [0]).await.unwrap();
        }
    });
    assert!(socket.read(&mut [0]).now_or_never().is_none());
    world.run_for(100_000 * SECOND);
    assert!(socket.read(&mut [0]).now_or_never().is_none());
    assert_eq!(world.sim.counts().since(before), Counts::default());
}

#[test]
fn a_busy_socket_asks_for_hardly_anything() {
    let mut world = World::new();
    let (socket, mut far, _) = socket(&world, 16 * SECOND, LinkConfig::new());
    let (mut reader, mut writer) = halves(socket);
    let sim = world.sim.clone();
    world.spawn(async move {
        let _ = reader.read(&mut [0]).await;
    });
    world.settle();
    let before = sim.counts();
    world.run(async {
        for _ in 0..1000 {
            for _ in 0..100 {
                writer.write_all(b"x").await.unwrap();
                far.read_exact(&mut [0]).await.unwrap();
            }
            sim.sleep(Duration::from_millis(5)).await;
        }
    });
    // 16 dated operations, then five seconds with a tick each.
    let counts = sim.counts().since(before);
    assert!(counts.clock_reads <= 16 + 2 + 3 * 6, "{counts:?}");
    assert!(counts.timers_reset <= 2 + 6, "{counts:?}");
}

#[test]
fn a_burst_of_writes_beside_a_waiting_reader_is_dated_in_time() {
    let mut world = World::new();
    let (socket, _far, _) = socket(&world, 16 * SECOND, LinkConfig::new());
    let (mut reader, mut writer) = halves(socket);
    let sim = world.sim.clone();
    let burst = async {
        for _ in 0..40 {
            sim.sleep(SECOND / 16).await;
            writer.write_all(&[1]).await.unwrap();
        }
        sim.elapsed()
    };
    // On a task of its own: in the same one it would be polled with every write.
    let reading = {
        let sim = sim.clone();
        world.task(async move {
            assert!(reader.read(&mut [0]).await.is_err());
            sim.elapsed()
        })
    };
    let (last, at) = world.run(join(burst, reading));
    assert!(
        at >= last + 16 * SECOND && at <= last + 17 * SECOND,
        "{at:?} after {last:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A reader waits on one task while the other one writes as it likes, and the peer answers
    /// sometimes: the error comes in time after the last byte, and not before.
    #[test]
    fn never_early_and_a_sixteenth_late_at_most(
        period in 2..3000u64,
        ops in prop::collection::vec(
            (prop_oneof![40 => 0..100u64, 4 => 0..20_000u64, 1 => 0..1_000_000u64], any::<bool>()),
            0..400,
        ),
    ) {
        let mut world = World::new();
        let after = Duration::from_millis(period);
        let (socket, mut far, _) = socket(&world, after, LinkConfig::new());
        let (mut reader, mut writer) = halves(socket);
        let sim = world.sim.clone();
        let traffic = async {
            let mut last = Duration::ZERO;
            for (pause, incoming) in ops {
                // One nanosecond each, so that no two things fall together by chance.
                let pause = Duration::from_nanos(pause * 1000 + 1);
                if pause >= after {
                    break;
                }
                sim.sleep(pause).await;
                if incoming {
                    far.write_all(&[1]).await.unwrap();
                } else {
                    writer.write_all(&[2]).await.unwrap();
                }
                last = sim.elapsed();
            }
            last
        };
        let reading = {
            let sim = sim.clone();
            world.task(async move {
                loop {
                    if let Err(error) = reader.read(&mut [0; 16]).await {
                        return (error, sim.elapsed());
                    }
                }
            })
        };
        let (last, (error, at)) = world.run(join(traffic, reading));
        prop_assert_eq!(error.kind(), ErrorKind::TimedOut);
        let tick = (after / 16).max(Duration::from_millis(1));
        prop_assert!(at >= last + after, "early: at {:?}, last {:?}", at, last);
        prop_assert!(at <= last + after + tick, "late: at {:?}, last {:?}", at, last);
    }
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use std::io;
    use std::mem::MaybeUninit;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
    use liveness::test_util::simulate;

    use super::*;

    #[test]
    fn split_halves_on_two_tasks() {
        let mut world = World::new();
        let (near, _far) = duplex(4);
        let socket = IdleTimeout::new(near, 10 * SECOND, world.sim.clone());
        let (mut reader, mut writer) = ::tokio::io::split(socket);
        let reading = world.task(async move { reader.read_u8().await.unwrap_err().kind() });
        let writing =
            world.task(async move { writer.write_all(&[0; 9]).await.unwrap_err().kind() });
        assert_eq!(world.run(reading), ErrorKind::TimedOut);
        assert_eq!(world.run(writing), ErrorKind::TimedOut);
    }

    #[test]
    fn shutdown_works_after_the_verdict() {
        simulate(async |sim| {
            let (near, mut far) = duplex(4);
            let mut socket = IdleTimeout::new(near, SECOND, sim);
            assert!(AsyncReadExt::read_u8(&mut socket).await.is_err());
            socket.shutdown().await.unwrap();
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
        });
    }

    /// Fills part of a buffer, and takes vectored writes.
    struct Vectored;

    impl AsyncRead for Vectored {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            buf.put_slice(b"news");
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Vectored {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(1))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bufs.len()))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn everything_is_forwarded() {
        let mut socket = IdleTimeout::new(Vectored, SECOND, Sim::new());
        let mut cx = Context::from_waker(Waker::noop());
        let mut memory = [MaybeUninit::uninit(); 16];
        let mut buf = ReadBuf::uninit(&mut memory);
        buf.put_slice(b"old ");
        assert!(
            Pin::new(&mut socket)
                .poll_read(&mut cx, &mut buf)
                .is_ready()
        );
        assert_eq!(
            (buf.filled(), buf.initialized().len()),
            (&b"old news"[..], 8)
        );
        assert!(socket.is_write_vectored());
        let bufs = [
            io::IoSlice::new(&[1]),
            io::IoSlice::new(&[2]),
            io::IoSlice::new(&[3]),
        ];
        let written = Pin::new(&mut socket).poll_write_vectored(&mut cx, &bufs);
        assert!(matches!(written, Poll::Ready(Ok(3))));
    }
}

#[cfg(feature = "smol")]
#[test]
fn on_a_real_smol_socket() {
    use liveness::Smol;
    use smol::net::{TcpListener, TcpStream};

    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (_far, _) = listener.accept().await.unwrap();
        // A real wait: smol has no simulated clock.
        let mut socket = IdleTimeout::new(near, Duration::from_millis(20), Smol);
        let error = socket.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}
