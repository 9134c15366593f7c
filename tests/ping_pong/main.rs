//! `PingPong` on simulated time, against peers that talk, chatter, stop, do not read, or flood.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod activity;
mod drive;
mod ends;
mod faults;
mod halves;
mod input;
mod laws;
mod pressure;
mod schedules;
mod upload;
mod verdict;
mod wired;

use std::time::Duration;

use liveness::test_util::{Link, LinkConfig, MessageEnd, Side, Sim, World, messages};
use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Data(u64),
    Ping(u64),
    Pong(u64),
}
use Message::{Data, Ping, Pong};

/// Answers pings, and numbers its own.
#[derive(Debug, Default)]
struct Beats;

impl Protocol for Beats {
    type Message = Message;

    fn ping(&mut self, seq: Seq) -> Message {
        Ping(seq.value())
    }

    fn classify(&mut self, message: Message) -> Inbound<Message> {
        match message {
            Data(_) => Inbound::Data(message),
            Ping(n) => Inbound::Ping {
                reply: Some(Pong(n)),
            },
            Pong(n) => Inbound::Pong(Answers::Ping(Seq::new(n))),
        }
    }
}

type Kept = PingPong<MessageEnd<Message>, Beats, Sim>;

fn kept(world: &World, config: KeepaliveConfig) -> (Kept, MessageEnd<Message>, Link<Message>) {
    kept_over(world, config, LinkConfig::new())
}

fn kept_over(
    world: &World,
    config: KeepaliveConfig,
    link: LinkConfig,
) -> (Kept, MessageEnd<Message>, Link<Message>) {
    let (near, far, link) = messages(&world.sim, link);
    let kept = PingPong::new(near, Beats, config, world.sim.clone()).unwrap();
    (kept, far, link)
}
