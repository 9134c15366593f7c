//! Two halves on two tasks, on real threads: no wake-up is lost and nothing is out of order.
#![cfg(feature = "tokio")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::{Sink, SinkExt, Stream, StreamExt};
use liveness::{PingWhen, Tokio};

use super::*;

/// A pair of channels as a transport: the strictest sink there is.
struct Channel(mpsc::Sender<Message>, mpsc::Receiver<Message>);

impl Stream for Channel {
    type Item = io::Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1.poll_next_unpin(cx).map(|item| item.map(Ok))
    }
}

impl Sink<Message> for Channel {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx).map_err(io::Error::other)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Message) -> io::Result<()> {
        self.0.start_send(item).map_err(io::Error::other)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush_unpin(cx).map_err(io::Error::other)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close_unpin(cx).map_err(io::Error::other)
    }
}

/// Both sides send as fast as they can through room for a message or two, ping each other every few
/// milliseconds, and read on another task. In real time, since what is tested is real threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn full_both_ways_and_nothing_hangs() {
    const MESSAGES: u64 = 50_000;
    for room in [0, 1] {
        let (a, b) = (mpsc::channel(room), mpsc::channel(room));
        let config = KeepaliveConfig::new()
            .max_unanswered(1)
            .interval(Duration::from_millis(3))
            .ping_when(PingWhen::Always)
            .reply_timeout(10 * SECOND)
            .write_stall(10 * SECOND);
        let kept = |channel| PingPong::new(channel, Beats, config, Tokio).unwrap();
        let mut tasks = Vec::new();
        for side in [kept(Channel(a.0, b.1)), kept(Channel(b.0, a.1))] {
            let (mut sink, mut stream) = side.split::<Message>();
            tasks.push(tokio::spawn(async move {
                for n in 0..MESSAGES {
                    match n % 5 {
                        0 => sink.feed(Data(n)).await.unwrap(),
                        _ => sink.send(Data(n)).await.unwrap(),
                    }
                }
                sink.flush().await.unwrap();
                // The other side may still want its pings answered.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }));
            tasks.push(tokio::spawn(async move {
                for n in 0..MESSAGES {
                    assert_eq!(stream.next().await.unwrap().unwrap(), Data(n));
                }
                // Goes on answering for as long as the other side sends.
                let rest = tokio::time::timeout(Duration::from_millis(500), stream.next()).await;
                assert!(!matches!(rest, Ok(Some(Ok(_)))), "one message too many");
            }));
        }
        let all = futures::future::try_join_all(tasks);
        let done = tokio::time::timeout(60 * SECOND, all).await;
        done.expect("somebody waits for ever").unwrap();
    }
}

/// The halves move from task to task between polls.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn halves_that_move_keep_their_wake_ups() {
    let (a, b) = (mpsc::channel(0), mpsc::channel(0));
    let config = KeepaliveConfig::new()
        .max_unanswered(1)
        .interval(Duration::from_millis(2));
    let kept = move |channel| PingPong::new(channel, Beats, config, Tokio).unwrap();
    let (mut sink, mut stream) = kept(Channel(a.0, b.1)).split::<Message>();
    let echo = tokio::spawn(async move {
        let mut echo = kept(Channel(b.0, a.1));
        while let Some(Ok(message)) = echo.next().await {
            if echo.send(message).await.is_err() {
                return;
            }
        }
    });
    for n in 0..2000 {
        let sending = tokio::spawn(async move {
            sink.send(Data(n)).await.unwrap();
            sink
        });
        let reading = tokio::spawn(async move {
            let item = stream.next().await;
            (item, stream)
        });
        let both = tokio::time::timeout(20 * SECOND, futures::future::join(sending, reading)).await;
        let (sent, read) = both.expect("somebody waits for ever");
        sink = sent.unwrap();
        let (item, back) = read.unwrap();
        stream = back;
        assert_eq!(item.unwrap().unwrap(), Data(n));
    }
    drop((sink, stream));
    echo.await.unwrap();
}
