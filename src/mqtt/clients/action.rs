//! [`Action`], [`Actions`] and [`Admitted`]: what a broker is to do.

use std::sync::Arc;

use bytes::Bytes;

use crate::mqtt::Will;

/// A thing for the broker to do. Several are in their order.
///
/// ```
/// use liveness::mqtt::{Action, Clients, Connect, Version, Will};
///
/// # let now = std::time::Instant::now();
/// let mut clients = Clients::new();
/// let mut connect = Connect::new(Version::V3_1_1, "meter 7");
/// connect.will = Some(Will::new("meters/7", "gone"));
/// clients.on_connect("socket 1", &connect, now)?;
///
/// let actions = clients.on_connect("socket 2", &connect, now)?.actions;
/// let to_do = actions.map(|action| match action {
///     Action::Send { connection, bytes } => format!("{connection}: send {bytes:?}"),
///     Action::Close { connection } => format!("{connection}: close"),
///     Action::Publish { client_id, will } => format!("{client_id}: publish {}", will.topic),
/// });
/// // Before version 5 a server closes without a word.
/// assert_eq!(to_do.collect::<Vec<_>>(), ["socket 1: close", "meter 7: publish meters/7"]);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "send, close, publish: a closed sum that every broker must match in full"
)]
pub enum Action<C> {
    /// Send these bytes over this connection.
    Send {
        /// The connection.
        connection: C,
        /// One whole packet.
        bytes: Bytes,
    },
    /// Close this connection. It is forgotten already: its end need not be reported, and a report
    /// is ignored.
    Close {
        /// The connection.
        connection: C,
    },
    /// Publish this will.
    Publish {
        /// The identifier of the client.
        client_id: Arc<str>,
        /// The will.
        will: Box<Will>,
    },
}

/// The actions that follow from one call: an iterator of at most three.
///
/// ```
/// use liveness::mqtt::{Action, Clients, Connect, Version, Will};
///
/// # let now = std::time::Instant::now();
/// let mut clients = Clients::new();
/// let mut connect = Connect::new(Version::V5, "meter 7");
/// connect.will = Some(Will::new("meters/7", "gone"));
/// clients.on_connect("socket 1", &connect, now)?;
///
/// // A take-over has all three: the last word, the end, the will.
/// let mut actions = clients.on_connect("socket 2", &connect, now)?.actions;
/// assert!(matches!(actions.next(), Some(Action::Send { connection: "socket 1", .. })));
/// assert!(matches!(actions.next(), Some(Action::Close { connection: "socket 1" })));
/// assert!(matches!(actions.next(), Some(Action::Publish { .. })));
/// assert_eq!(actions.next(), None);
///
/// // The end of the first connection was dealt with: its report has no more consequences.
/// assert_eq!(clients.on_close(&"socket 1", now).next(), None);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "actions do nothing until they are carried out"]
pub struct Actions<C> {
    pub(super) send: Option<Action<C>>,
    pub(super) close: Option<Action<C>>,
    pub(super) publish: Option<Action<C>>,
}

impl<C> Actions<C> {
    pub(super) const fn none() -> Self {
        Self {
            send: None,
            close: None,
            publish: None,
        }
    }
}

impl<C> Iterator for Actions<C> {
    type Item = Action<C>;

    fn next(&mut self) -> Option<Action<C>> {
        let send = self.send.take();
        send.or_else(|| self.close.take())
            .or_else(|| self.publish.take())
    }
}

/// The answer of [`Clients::on_connect`](super::Clients::on_connect).
///
/// ```
/// use liveness::mqtt::{Clients, Connect, Version};
///
/// # let now = std::time::Instant::now();
/// let mut clients = Clients::new();
/// let mut connect = Connect::new(Version::V5, "meter 7");
/// connect.session_expiry = 3600;
/// clients.on_connect("socket 1", &connect, now)?;
///
/// // The client is back and goes on; then it is back and starts anew.
/// connect.clean_start = false;
/// assert!(clients.on_connect("socket 2", &connect, now)?.continues);
/// connect.clean_start = true;
/// let admitted = clients.on_connect("socket 3", &connect, now)?;
/// assert!(!admitted.continues);
/// assert_eq!(admitted.actions.count(), 2); // DISCONNECT and close `socket 2`
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Admitted<C> {
    /// Whether the session goes on of a connection that was taken over, or whose will was pending.
    /// The CONNACK then says Session Present.
    ///
    /// `false` says nothing about a session without a connection and without a pending will: only
    /// the broker knows those.
    pub continues: bool,
    /// What to do before the CONNACK.
    pub actions: Actions<C>,
}
