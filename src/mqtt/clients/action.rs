//! [`Action`], [`Actions`] and [`Admitted`]: what a broker is to do.

use std::sync::Arc;

use bytes::Bytes;

use crate::mqtt::Will;

/// A thing for the broker to do. Several are in their order.
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
