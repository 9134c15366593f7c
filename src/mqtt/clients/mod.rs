//! [`Clients`]: who takes over whom, and which will is due when.
//!
//! A broker's register of its connections by client identifier. It stores and routes nothing else:
//! subscriptions, messages and sessions without a connection are the broker's own.

mod action;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::packet::rule;
use super::{Connect, Disconnect, MqttError, PacketType, Version, Will, reason};
use crate::time::{Newest, later, reached};

pub use action::{Action, Actions, Admitted};

/// When the will of a connection that is taken over is published at once.
///
/// ```
/// use liveness::mqtt::{Action, Clients, MqttError, TakeOverWill};
/// # use liveness::mqtt::{Connect, Version, Will};
///
/// // Whether a will is published when its client comes back over a second connection.
/// let publishes = |rule, clean_start| {
///     # let now = std::time::Instant::now();
///     let mut clients = Clients::new().take_over_will(rule);
///     # let mut connect = Connect::new(Version::V5, "meter 7");
///     # connect.session_expiry = 3600;
///     # connect.will = Some(Will::new("meters/7", "gone"));
///     // `connect` has a will without delay, and a session that outlives its connection.
///     clients.on_connect("socket 1", &connect, now)?;
///     connect.clean_start = clean_start;
///     let mut actions = clients.on_connect("socket 2", &connect, now)?.actions;
///     Ok::<_, MqttError>(actions.any(|action| matches!(action, Action::Publish { .. })))
/// };
/// assert!(publishes(TakeOverWill::ConnectionCloses, false)?);
/// assert!(!publishes(TakeOverWill::SessionEnds, false)?);
/// assert!(publishes(TakeOverWill::SessionEnds, true)?);
/// # Ok::<(), MqttError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(clippy::exhaustive_enums, reason = "the rule or the habit: closed")]
pub enum TakeOverWill {
    /// When it has no delay, or the take-over ends its session: section 3.1.4 of MQTT 5 and
    /// [MQTT-3.1.2-8] of 3.1.1, where a will has no delay. A delayed will of a session that goes on
    /// is dropped ([MQTT-3.1.3-9] of MQTT 5).
    #[default]
    ConnectionCloses,
    /// Only when the take-over ends its session, as in Mosquitto's tests for all versions. The will
    /// of a session that goes on is dropped.
    SessionEnds,
}

/// A client that is connected, or whose will is pending.
#[derive(Debug, Clone)]
struct Client<C> {
    /// Empty for a client without an identifier, which cannot be taken over.
    id: Arc<str>,
    connection: Option<C>,
    version: Version,
    /// In seconds; `u32::MAX` is for ever.
    session_expiry: u32,
    /// Whether the CONNECT had a session expiry above zero.
    may_extend: bool,
    will: Option<Box<Will>>,
    /// When the pending will is due.
    due: Option<Instant>,
}

/// A slot's number.
type Slot = usize;

/// Take-over and wills of a broker's clients.
///
/// `C` is the broker's name of a connection: any key that is not used again while the register
/// knows it. Report each accepted CONNECT, each DISCONNECT from a client, and each end of a
/// connection, for whatever reason. Carry out the actions in their order.
///
/// * **Take-over**: a second connection with the same client identifier displaces the first. That
///   one gets a DISCONNECT 0x8E if it speaks version 5, and is closed ([MQTT-3.1.4-3] of MQTT 5,
///   [MQTT-3.1.4-2] of 3.1.1).
/// * **Wills** are published on every end but a DISCONNECT with reason 0: when the connection is
///   lost, when it expires, after a protocol error, on a take-over ([`TakeOverWill`]), after
///   DISCONNECT 0x04.
/// * **Delayed** wills wait for the smaller of Will Delay and Session Expiry ([MQTT-3.1.2-8] of
///   MQTT 5). If the client is back before that with Clean Start 0, no will is published
///   ([MQTT-3.1.3-9] of MQTT 5). If it is back with Clean Start 1, the old session has ended and
///   the will is published at once.
///
/// It keeps one entry for a client that is connected or whose will is pending, and none for others.
/// Each operation costs a few hash lookups, and for a delayed will a step in an ordered tree.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::mqtt::{Action, Clients, Connect, Disconnect, Version, Will, reason};
///
/// let start = Instant::now();
/// let mut clients = Clients::new();
/// let mut connect = Connect::new(Version::V5, "meter 7");
/// connect.clean_start = false;
/// connect.session_expiry = 3600;
/// let mut will = Will::new("meters/7", "gone");
/// will.delay = 10;
/// connect.will = Some(will);
/// clients.on_connect("socket 1", &connect, start)?;
///
/// // A second connection takes over.
/// let admitted = clients.on_connect("socket 2", &connect, start)?;
/// assert!(admitted.continues);
/// let actions: Vec<_> = admitted.actions.collect();
/// let bytes = vec![0xe0, 0x01, reason::SESSION_TAKEN_OVER].into();
/// let send = Action::Send { connection: "socket 1", bytes };
/// assert_eq!(actions, [send, Action::Close { connection: "socket 1" }]);
/// assert_eq!(clients.connection_of("meter 7"), Some(&"socket 2"));
///
/// // The connection breaks: nothing is published for ten seconds.
/// assert_eq!(clients.on_close(&"socket 2", start).count(), 0);
/// let due = clients.poll_timeout().unwrap();
/// assert_eq!(due, start + Duration::from_secs(10));
/// let action = clients.handle_timeout(due);
/// assert!(matches!(action, Some(Action::Publish { will, .. }) if will.topic == "meters/7"));
///
/// // A normal end has no will.
/// clients.on_connect("socket 3", &connect, due)?;
/// let bye = Disconnect::new(reason::NORMAL);
/// assert_eq!(clients.on_disconnect(&"socket 3", &bye, due)?.count(), 0);
/// assert_eq!((clients.connected(), clients.pending_wills()), (0, 0));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Clients<C> {
    clients: Vec<Option<Client<C>>>,
    free: Vec<Slot>,
    by_id: HashMap<Arc<str>, Slot>,
    by_connection: HashMap<C, Slot>,
    pending: BTreeSet<(Instant, Slot)>,
    newest: Option<Newest>,
    take_over_will: TakeOverWill,
}

impl<C: Clone + Eq + Hash> Default for Clients<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clone + Eq + Hash> Clients<C> {
    /// A register without clients.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clients: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            by_connection: HashMap::new(),
            pending: BTreeSet::new(),
            newest: None,
            take_over_will: TakeOverWill::default(),
        }
    }

    /// Sets when the will of a connection that is taken over is published. Default
    /// [`TakeOverWill::ConnectionCloses`].
    #[must_use]
    pub fn take_over_will(mut self, rule: TakeOverWill) -> Self {
        self.take_over_will = rule;
        self
    }

    /// A CONNECT was accepted over `connection` at `now`.
    ///
    /// A client without an identifier gets one from the broker: put it into `connect` first.
    /// Clients with an empty identifier do not displace each other.
    ///
    /// # Errors
    /// [`MqttError::Broken`] when this connection has sent a CONNECT before ([MQTT-3.1.0-2] of both
    /// versions). Nothing changes then. Close the connection, and report the end.
    pub fn on_connect(
        &mut self,
        connection: C,
        connect: &Connect,
        now: Instant,
    ) -> Result<Admitted<C>, MqttError> {
        let now = self.advance(now);
        if self.by_connection.contains_key(&connection) {
            return Err(MqttError::Broken {
                packet: PacketType::Connect,
                rule: &rule::SECOND_CONNECT,
                at: 0,
                version: Some(connect.version),
            });
        }
        let earlier = self.by_id.get(connect.client_id.as_str()).copied();
        let earlier = earlier.and_then(|slot| self.remove(slot));
        let mut admitted = Admitted {
            continues: false,
            actions: Actions::none(),
        };
        if let Some(earlier) = earlier {
            self.displace(earlier, connect, now, &mut admitted);
        }
        self.insert(connection, connect);
        Ok(admitted)
    }

    /// `connection` sent a DISCONNECT at `now`. With reason 0 its will is discarded
    /// ([MQTT-3.1.2-10] of MQTT 5, [MQTT-3.14.4-3] of 3.1.1), with any other it is published, now
    /// or after its delay. Close the connection; the end need not be reported.
    ///
    /// # Errors
    /// [`MqttError::Broken`] for a session expiry above zero where the CONNECT had none: a protocol
    /// error. Nothing changes then. Answer with reason 0x82, close, and report the end: the will is
    /// published as after any protocol error.
    pub fn on_disconnect(
        &mut self,
        connection: &C,
        disconnect: &Disconnect,
        now: Instant,
    ) -> Result<Actions<C>, MqttError> {
        self.advance(now);
        let slot = self.by_connection.get(connection).copied();
        let Some(client) = slot.and_then(|slot| self.client_mut(slot)) else {
            return Ok(Actions::none());
        };
        match disconnect.session_expiry {
            Some(1..) if !client.may_extend => {
                return Err(MqttError::Broken {
                    packet: PacketType::Disconnect,
                    rule: &rule::EXPIRY_FROM_ZERO,
                    at: 0,
                    version: Some(client.version),
                });
            }
            Some(seconds) => client.session_expiry = seconds,
            None => {}
        }
        if disconnect.reason == reason::NORMAL {
            client.will = None;
        }
        Ok(self.on_close(connection, now))
    }

    /// `connection` ended at `now` without DISCONNECT: it was lost, it expired, or it was closed
    /// for an error. An unknown one is ignored, so every end may be reported.
    pub fn on_close(&mut self, connection: &C, now: Instant) -> Actions<C> {
        let now = self.advance(now);
        let mut actions = Actions::none();
        let Some(slot) = self.by_connection.remove(connection) else {
            return actions;
        };
        let Some(client) = self.client_mut(slot) else {
            return actions;
        };
        client.connection = None;
        let delay = match &client.will {
            None => None,
            Some(will) => Some(will.delay.min(client.session_expiry)),
        };
        match delay {
            Some(seconds @ 1..) => {
                // Too far away to be represented is never.
                if let Some(due) = later(now, Duration::from_secs(u64::from(seconds))) {
                    client.due = Some(due);
                    self.pending.insert((due, slot));
                }
            }
            _ => {
                let client = self.remove(slot);
                actions.publish = client.and_then(Client::into_will);
            }
        }
        actions
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next: when the first delayed will is
    /// due. `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.pending.first().map(|&(due, _)| due)
    }

    /// Time has moved to `now`. It returns the next will that is due. Call it until it returns
    /// `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Action<C>> {
        let now = self.advance(now);
        let &(due, slot) = self.pending.first()?;
        if due > now {
            return None;
        }
        self.remove(slot).and_then(Client::into_will)
    }

    /// How many clients are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.by_connection.len()
    }

    /// How many wills wait for their delay.
    #[must_use]
    pub fn pending_wills(&self) -> usize {
        self.pending.len()
    }

    /// The connection of a client, while it has one.
    #[must_use]
    pub fn connection_of(&self, client_id: &str) -> Option<&C> {
        let &slot = self.by_id.get(client_id)?;
        self.clients.get(slot)?.as_ref()?.connection.as_ref()
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.newest.get_or_insert(Newest::new(now)).advance(now)
    }

    fn client_mut(&mut self, slot: Slot) -> Option<&mut Client<C>> {
        self.clients.get_mut(slot)?.as_mut()
    }

    /// The consequences for a removed client, whose identifier comes with `connect`.
    fn displace(
        &self,
        earlier: Client<C>,
        connect: &Connect,
        now: Instant,
        admitted: &mut Admitted<C>,
    ) {
        let is_connected = earlier.connection.is_some();
        // A session without expiry ends with its connection, which is now.
        let ends = connect.clean_start
            || is_connected && earlier.session_expiry == 0
            || earlier.has_ended(now);
        admitted.continues = !ends;
        let actions = &mut admitted.actions;
        if let Some(connection) = earlier.connection.clone() {
            let mut bytes = BytesMut::new();
            let bye = Disconnect::new(reason::SESSION_TAKEN_OVER);
            // Before version 5 there is no such packet.
            if bye.encode(earlier.version, &mut bytes).is_ok() {
                actions.send = Some(Action::Send {
                    connection: connection.clone(),
                    bytes: bytes.freeze(),
                });
            }
            actions.close = Some(Action::Close { connection });
        }
        let has_no_delay = earlier.will.as_ref().is_some_and(|will| will.delay == 0);
        let closes = self.take_over_will == TakeOverWill::ConnectionCloses;
        let overdue = reached(earlier.due, now);
        if ends || overdue || is_connected && has_no_delay && closes {
            actions.publish = earlier.into_will();
        }
    }

    fn insert(&mut self, connection: C, connect: &Connect) {
        let id: Arc<str> = connect.client_id.as_str().into();
        let slot = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        if !id.is_empty() {
            self.by_id.insert(Arc::clone(&id), slot);
        }
        self.by_connection.insert(connection.clone(), slot);
        if let Some(place) = self.clients.get_mut(slot) {
            *place = Some(Client {
                id,
                connection: Some(connection),
                version: connect.version,
                session_expiry: connect.session_expiry,
                may_extend: connect.session_expiry > 0,
                will: connect.will.clone().map(Box::new),
                due: None,
            });
        }
    }

    /// Forgets a client, wherever it is noted.
    fn remove(&mut self, slot: Slot) -> Option<Client<C>> {
        let client = self.clients.get_mut(slot)?.take()?;
        self.free.push(slot);
        if !client.id.is_empty() {
            self.by_id.remove(&client.id);
        }
        if let Some(connection) = &client.connection {
            self.by_connection.remove(connection);
        }
        if let Some(due) = client.due {
            self.pending.remove(&(due, slot));
        }
        Some(client)
    }
}

impl<C> Client<C> {
    /// Whether the session of a client with a pending will has expired by `now`.
    fn has_ended(&self, now: Instant) -> bool {
        let (Some(due), Some(will)) = (self.due, &self.will) else {
            return false;
        };
        // The will is due at the session's end or before it.
        let after = self.session_expiry.saturating_sub(will.delay);
        self.session_expiry < u32::MAX
            && reached(later(due, Duration::from_secs(u64::from(after))), now)
    }

    fn into_will(self) -> Option<Action<C>> {
        let client_id = self.id;
        self.will.map(|will| Action::Publish { client_id, will })
    }
}
