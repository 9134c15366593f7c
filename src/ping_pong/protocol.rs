//! [`Protocol`]: how a message type says ping and pong.

use crate::keepalive::Dead;
use crate::seq::{Answers, Seq};

/// Tells [`PingPong`](crate::PingPong) how a message type says ping and pong.
///
/// # Implementing
/// `ping` is called once per ping, with numbers that only grow; put the number into the message if
/// the protocol can carry one (`seq.value()`, since `Display` writes `#7`), so that round trips are
/// exact. `classify` sees every message that comes in; an answer to a ping of the peer goes into
/// [`Inbound::Ping`], or `None` where the layer below answers by itself.
///
/// ```
/// use liveness::{Answers, Inbound, Protocol, Seq};
///
/// /// Lines of text: `PING 7` is answered with `PONG 7`.
/// struct Lines;
///
/// impl Protocol for Lines {
///     type Message = String;
///
///     fn ping(&mut self, seq: Seq) -> String {
///         format!("PING {}", seq.value())
///     }
///
///     fn classify(&mut self, line: String) -> Inbound<String> {
///         if let Some(seq) = line.strip_prefix("PING ") {
///             return Inbound::Ping { reply: Some(format!("PONG {seq}")) };
///         }
///         match line.strip_prefix("PONG ") {
///             Some(seq) => Inbound::Pong(seq.parse().map_or(Answers::Nothing, Answers::Ping)),
///             None => Inbound::Data(line),
///         }
///     }
/// }
///
/// assert_eq!(Lines.classify("PONG 7".into()), Inbound::Pong(Answers::Ping(Seq::new(7))));
/// assert_eq!(Lines.classify("hello".into()), Inbound::Data("hello".into()));
/// ```
pub trait Protocol {
    /// What the stream yields and the sink takes.
    type Message;

    /// The ping with the number `seq`.
    fn ping(&mut self, seq: Seq) -> Self::Message;

    /// What a message that came in is.
    fn classify(&mut self, message: Self::Message) -> Inbound<Self::Message>;

    /// The last message to a peer that was found dead, which tells it why; `None`, the default,
    /// where the protocol has none.
    fn farewell(&mut self, dead: &Dead) -> Option<Self::Message> {
        let _ = dead;
        None
    }
}

/// What a message that came in is, by its [`Protocol`].
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// # use futures::{SinkExt, StreamExt};
/// # use liveness::test_util::{LinkConfig, World, messages};
/// # use liveness::{Answers, Inbound, KeepaliveConfig, PingPong, Protocol, Seq};
/// # struct Numbers;
/// # impl Protocol for Numbers {
/// #     type Message = u32;
/// #     fn ping(&mut self, _: Seq) -> u32 { 0 }
/// fn classify(&mut self, number: u32) -> Inbound<u32> {
///     match number {
///         0 => Inbound::Ping { reply: Some(1) },
///         1 => Inbound::Pong(Answers::Oldest),
///         data => Inbound::Data(data),
///     }
/// }
/// # }
/// # let mut world = World::new();
/// # let (near, mut peer, _link) = messages(&world.sim, LinkConfig::new());
/// # let mut stream = PingPong::new(near, Numbers, KeepaliveConfig::new(), world.sim.clone())?;
/// # world.run(async {
///
/// for number in [0, 1, 42] {
///     peer.send(number).await.unwrap();
/// }
/// assert_eq!(stream.next().await.unwrap().unwrap(), 42); // the user sees data only
/// assert_eq!(peer.next().await.unwrap().unwrap(), 1); // and the ping was answered
/// # });
/// # }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the user's, a question, an answer: a closed sum"
)]
pub enum Inbound<M> {
    /// For the user.
    Data(M),
    /// A ping of the peer. `reply` is sent back, if there is one.
    Ping {
        /// The answer, or `None` when the layer below has answered already or none is wanted.
        reply: Option<M>,
    },
    /// A pong, and the ping that it answers.
    Pong(Answers),
}
