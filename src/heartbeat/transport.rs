//! [`HeartbeatSender`] and [`HeartbeatReceiver`]: what makes transports of heartbeats pluggable.

use std::pin::Pin;

use async_trait::async_trait;

use super::Heartbeat;

/// What a boxed method of the two traits returns.
type Sending<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Sends heartbeats to one peer, over any transport.
///
/// The ack is the transport's own: nothing over one that only sends, an answer with its round trip
/// where the peer answers.
///
/// # Implementing
/// Write `#[async_trait]` above the `impl`; it is exported as
/// [`heartbeat::async_trait`](super::async_trait).
///
/// `send` may be dropped before it is done, since [`beat`](super::beat) gives each beat a time
/// limit. The beat may be lost then, and the sender stays usable: the next `send` starts afresh.
///
/// ```
/// use std::io::{Error, Write};
/// use liveness::Seq;
/// use liveness::heartbeat::{Heartbeat, HeartbeatSender, Origin, async_trait};
///
/// /// Beats into a log: another program tails it.
/// struct Log<W>(W);
///
/// #[async_trait]
/// impl<W: Write + Send> HeartbeatSender for Log<W> {
///     type Payload = String;
///     type Ack = ();
///     type Error = Error;
///
///     async fn send(&mut self, beat: Heartbeat<String>) -> Result<(), Error> {
///         writeln!(self.0, "{} {} {}", beat.origin, beat.seq, beat.payload)
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let mut log = Vec::new();
/// // Any transport behind one type, chosen at run time:
/// let mut sender: Box<dyn HeartbeatSender<Payload = String, Ack = (), Error = Error> + '_> =
///     Box::new(Log(&mut log));
/// let beat = Heartbeat {
///     origin: Origin::new("worker-1").unwrap(),
///     incarnation: 1,
///     seq: Seq::new(7),
///     interval: None,
///     payload: "all well".to_owned(),
/// };
/// sender.send(beat).await?;
/// drop(sender);
/// assert_eq!(log, b"worker-1 #7 all well\n");
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait HeartbeatSender: Send {
    /// What a beat carries.
    type Payload: Send;
    /// What a beat that got through gives back.
    type Ack: Send;
    /// Why a beat did not get through.
    type Error: Send;

    /// Sends one beat and waits until this transport takes it as done.
    ///
    /// # Cancel safety
    /// Dropping the future may lose this beat and nothing else.
    ///
    /// # Errors
    /// The transport's own.
    async fn send(&mut self, beat: Heartbeat<Self::Payload>) -> Result<Self::Ack, Self::Error>;
}

/// Receives the heartbeats of one peer, over any transport.
///
/// # Implementing
/// A receiver passes on what comes, in the order in which it comes: late, doubled and stale beats
/// are sorted out by [`watch`](super::watch). The end of the transport is an error like any other,
/// with a name of its own such as `Closed`; after an error that is final every further call gives
/// one too.
///
/// ```
/// use futures::channel::mpsc;
/// use futures::StreamExt;
/// use liveness::heartbeat::{Heartbeat, HeartbeatReceiver, Origin, async_trait};
/// use liveness::Seq;
///
/// /// Lines of a log: the name of the peer and the number of the beat.
/// struct Lines(mpsc::UnboundedReceiver<String>);
///
/// #[derive(Debug)]
/// struct Closed;
///
/// #[async_trait]
/// impl HeartbeatReceiver for Lines {
///     type Payload = ();
///     type Error = Closed;
///
///     async fn recv(&mut self) -> Result<Heartbeat<()>, Closed> {
///         loop {
///             let line = self.0.next().await.ok_or(Closed)?;
///             // Anybody can write a line: one that is no heartbeat is no error.
///             let Some((name, number)) = line.split_once(' ') else { continue };
///             if let (Ok(origin), Ok(seq)) = (Origin::new(name), number.parse::<Seq>()) {
///                 let (incarnation, interval) = (1, None);
///                 return Ok(Heartbeat { origin, incarnation, seq, interval, payload: () });
///             }
///         }
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let (lines, log) = mpsc::unbounded();
/// for line in ["hello?", "worker-1 7"] {
///     lines.unbounded_send(line.to_owned()).unwrap();
/// }
/// drop(lines);
/// let mut receiver = Lines(log);
/// assert_eq!(receiver.recv().await.unwrap().seq, Seq::new(7));
/// assert!(receiver.recv().await.is_err());
/// # });
/// ```
#[async_trait]
pub trait HeartbeatReceiver: Send {
    /// What a beat carries.
    type Payload: Send;
    /// Why no further beat comes.
    type Error: Send;

    /// The next beat.
    ///
    /// # Cancel safety
    /// Dropping the future loses no beat: it can be one branch of a `select!`.
    ///
    /// # Errors
    /// The transport's own; its end is one of them.
    async fn recv(&mut self) -> Result<Heartbeat<Self::Payload>, Self::Error>;
}

// Written out, so that passing on costs no second box.
macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        impl<T: HeartbeatSender + ?Sized> HeartbeatSender for $pointer {
            type Payload = T::Payload;
            type Ack = T::Ack;
            type Error = T::Error;

            fn send<'s, 'f>(
                &'s mut self,
                beat: Heartbeat<T::Payload>,
            ) -> Sending<'f, Result<T::Ack, T::Error>>
            where
                's: 'f,
                Self: 'f,
            {
                (**self).send(beat)
            }
        }

        impl<T: HeartbeatReceiver + ?Sized> HeartbeatReceiver for $pointer {
            type Payload = T::Payload;
            type Error = T::Error;

            fn recv<'s, 'f>(&'s mut self) -> Sending<'f, Result<Heartbeat<T::Payload>, T::Error>>
            where
                's: 'f,
                Self: 'f,
            {
                (**self).recv()
            }
        }
    )*};
}

pass_on!(Box<T>, &mut T);
