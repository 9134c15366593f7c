//! [`HeartbeatSender`] and [`HeartbeatReceiver`]: what makes transports of heartbeats pluggable.

use std::pin::Pin;

use async_trait::async_trait;

use super::Heartbeat;

/// What a boxed method of the two traits returns.
type Sending<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Sends heartbeats to one peer, over whatever can.
///
/// The ack is the transport's own: nothing where sending is all there is, an answer with its round
/// trip where the peer answers.
///
/// # Implementing
/// Write `#[async_trait]` above the `impl`; it is exported as
/// [`heartbeat::async_trait`](super::async_trait).
///
/// `send` may be dropped before it is done, since [`beat`](super::beat) gives each beat a time limit.
/// The beat may be lost then, and the sender stays usable: the next `send` starts afresh.
///
/// ```
/// use std::io::{Error, Write};
/// use liveness::heartbeat::{Heartbeat, HeartbeatSender, async_trait};
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
/// // Any transport behind one type, chosen at run time:
/// let sender: Box<dyn HeartbeatSender<Payload = String, Ack = (), Error = Error>> =
///     Box::new(Log(std::io::stdout()));
/// # drop(sender);
/// ```
#[async_trait]
pub trait HeartbeatSender: Send {
    /// What a beat carries.
    type Payload: Send;
    /// What a beat that got through gives back.
    type Ack: Send;
    /// Why a beat did not get through.
    type Error: Send;

    /// Sends one beat and waits for whatever this transport takes as done.
    ///
    /// # Cancel safety
    /// Dropping the future may lose this beat and nothing else.
    ///
    /// # Errors
    /// The transport's own.
    ///
    /// ```
    /// # use liveness::{Heartbeat, HeartbeatSender};
    /// async fn twice<S>(sender: &mut S, beat: Heartbeat<S::Payload>) -> Result<S::Ack, S::Error>
    /// where
    ///     S: HeartbeatSender,
    ///     S::Payload: Clone,
    /// {
    ///     sender.send(beat.clone()).await?;
    ///     sender.send(beat).await // the receiver takes the double for one
    /// }
    /// ```
    async fn send(&mut self, beat: Heartbeat<Self::Payload>) -> Result<Self::Ack, Self::Error>;
}

/// Receives the heartbeats of one peer, over whatever can.
///
/// # Implementing
/// A receiver passes on what comes, in the order in which it comes: late, doubled and stale beats are
/// sorted out by [`watch`](super::watch). The end of the transport is an error like any other, with a
/// name of its own such as `Closed`; after an error that is final every further call gives one too.
///
/// ```
/// use std::io;
/// use liveness::heartbeat::{Heartbeat, HeartbeatReceiver, Payload, async_trait};
///
/// /// One datagram, one beat.
/// struct Socket(tokio::net::UdpSocket);
///
/// #[async_trait]
/// impl HeartbeatReceiver for Socket {
///     type Payload = String;
///     type Error = io::Error;
///
///     async fn recv(&mut self) -> io::Result<Heartbeat<String>> {
///         let mut buffer = [0; 512];
///         loop {
///             let size = self.0.recv(&mut buffer).await?;
///             // Anybody can send a datagram: one that is no heartbeat is no error.
///             if let Ok(beat) = Payload::decode(buffer[..size].to_vec().into()) {
///                 return Ok(beat);
///             }
///         }
///     }
/// }
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
    ///
    /// ```
    /// # use liveness::HeartbeatReceiver;
    /// async fn skip<R: HeartbeatReceiver>(receiver: &mut R, beats: usize) -> Result<(), R::Error> {
    ///     for _ in 0..beats {
    ///         receiver.recv().await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
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
