//! [`Sessions`]: who takes over whom, and which will is due when.
//!
//! A broker's register of its connections by client identifier. It stores and routes nothing else:
//! subscriptions, messages and sessions without a connection are the broker's own.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::packet::rule;
use super::{Connect, Disconnect, MqttError, PacketType, Version, Will, reason};
use crate::time::{later, reached};

/// When the will of a connection that is taken over is published at once.
///
/// ```
/// # use liveness::mqtt::{Sessions, TakeOverWill};
/// let sessions = Sessions::<u64>::new().take_over_will(TakeOverWill::SessionEnds);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(clippy::exhaustive_enums, reason = "the rule or the habit: closed")]
pub enum TakeOverWill {
    /// When it has no delay, or the take-over ends its session: section 3.1.4 of MQTT 5 and
    /// [MQTT-3.1.2-8] of 3.1.1, where a will has no delay. A delayed will of a session that goes on is
    /// dropped ([MQTT-3.1.3-9] of MQTT 5).
    #[default]
    ConnectionCloses,
    /// Only when the take-over ends its session, as Mosquitto's tests have it for all versions; of a
    /// session that goes on it is dropped.
    SessionEnds,
}

/// What to do, in this order.
///
/// ```
/// # use liveness::mqtt::Action;
/// fn act(action: Action<u64>) -> String {
///     match action {
///         Action::Send { connection, bytes } => format!("{connection}: {bytes:?}"),
///         Action::Close { connection } => format!("{connection}: close"),
///         Action::Publish { client_id, will } => format!("{client_id} is gone: {}", will.topic),
///     }
/// }
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
    /// Close this connection, which is forgotten already: its end need not be reported, and is ignored
    /// if it is.
    Close {
        /// The connection.
        connection: C,
    },
    /// Publish this will.
    Publish {
        /// Whose will it was.
        client_id: Arc<str>,
        /// The will.
        will: Box<Will>,
    },
}

/// The actions that one call led to: an iterator of at most three.
///
/// ```
/// # use std::time::Instant;
/// # use liveness::mqtt::{Connect, Sessions, Version};
/// # let now = Instant::now();
/// let mut sessions = Sessions::new();
/// let admitted = sessions.on_connect(1, &Connect::new(Version::V5, "meter 7"), now)?;
/// assert_eq!(admitted.actions.count(), 0);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "actions do nothing until they are carried out"]
pub struct Actions<C> {
    send: Option<Action<C>>,
    close: Option<Action<C>>,
    publish: Option<Action<C>>,
}

impl<C> Actions<C> {
    const fn none() -> Self {
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

/// What became of a CONNECT.
///
/// ```
/// # use std::time::Instant;
/// # use liveness::mqtt::{Connect, Sessions, Version};
/// # let now = Instant::now();
/// # let mut sessions = Sessions::new();
/// let admitted = sessions.on_connect(1, &Connect::new(Version::V5, "meter 7"), now)?;
/// assert!(!admitted.continues);
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Admitted<C> {
    /// Whether the session of the connection that was taken over, or whose will was pending, goes on
    /// in this one: the CONNACK then says Session Present. `false` says nothing about sessions without
    /// a connection and without a pending will, which only the broker knows.
    pub continues: bool,
    /// What to do, before the CONNACK.
    pub actions: Actions<C>,
}

/// A client that is connected, or whose will is pending.
#[derive(Debug, Clone)]
struct Client<C> {
    /// Empty for a client without an identifier, which nobody can take over.
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
/// `C` is how the broker names its connections: any key that is not used again while the register
/// knows it. Report each CONNECT that is accepted, each DISCONNECT from a client, and each connection
/// that ended, for whatever reason; carry out the actions in their order.
///
/// * **Take-over**: a second connection with the same client identifier displaces the first, which
///   gets a DISCONNECT 0x8E if it speaks version 5, and is closed ([MQTT-3.1.4-3] of MQTT 5,
///   [MQTT-3.1.4-2] of 3.1.1).
/// * **Wills** are published on every end but a DISCONNECT with reason 0: when the connection is lost,
///   when it expires, after a protocol error, on a take-over ([`TakeOverWill`]), after DISCONNECT 0x04.
/// * **Delayed** wills wait for the smaller of Will Delay and Session Expiry ([MQTT-3.1.2-8] of MQTT
///   5). A client that is back before that with Clean Start 0 gets no will published
///   ([MQTT-3.1.3-9] of MQTT 5); one that is back with Clean Start 1 has ended its old session, so the will is
///   published at once.
///
/// It keeps one entry for a client that is connected or whose will is pending, and none for others.
/// Each operation costs a few hash lookups, and for a delayed will a step in an ordered tree.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::mqtt::{Action, Connect, Sessions, Version, Will};
///
/// let start = Instant::now();
/// let mut sessions = Sessions::new();
/// let mut connect = Connect::new(Version::V5, "meter 7");
/// connect.session_expiry = 3600;
/// let mut will = Will::new("meters/7", "gone");
/// will.delay = 10;
/// connect.will = Some(will);
/// sessions.on_connect("socket 1", &connect, start)?;
///
/// // The connection breaks: nothing is published for ten seconds.
/// assert_eq!(sessions.on_close(&"socket 1", start).count(), 0);
/// let due = sessions.poll_timeout().unwrap();
/// assert_eq!(due, start + Duration::from_secs(10));
/// let action = sessions.handle_timeout(due);
/// assert!(matches!(action, Some(Action::Publish { will, .. }) if will.topic == "meters/7"));
/// # Ok::<(), liveness::mqtt::MqttError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sessions<C> {
    clients: Vec<Option<Client<C>>>,
    free: Vec<Slot>,
    by_id: HashMap<Arc<str>, Slot>,
    by_connection: HashMap<C, Slot>,
    pending: BTreeSet<(Instant, Slot)>,
    newest: Option<Instant>,
    take_over_will: TakeOverWill,
}

impl<C: Clone + Eq + Hash> Default for Sessions<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clone + Eq + Hash> Sessions<C> {
    /// A register without clients.
    ///
    /// ```
    /// # use liveness::mqtt::Sessions;
    /// assert_eq!(Sessions::<u64>::new().connected(), 0);
    /// ```
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

    /// When the will of a connection that is taken over is published at once. Default
    /// [`TakeOverWill::ConnectionCloses`].
    ///
    /// ```
    /// # use liveness::mqtt::{Sessions, TakeOverWill};
    /// let like_mosquitto = Sessions::<u64>::new().take_over_will(TakeOverWill::SessionEnds);
    /// ```
    #[must_use]
    pub fn take_over_will(mut self, rule: TakeOverWill) -> Self {
        self.take_over_will = rule;
        self
    }

    /// A CONNECT was accepted over `connection` at `now`.
    ///
    /// A client without an identifier gets one from the broker: put it into `connect` first. One that
    /// stays empty is nobody's, and two of those do not displace each other.
    ///
    /// # Errors
    /// [`MqttError::Broken`] when this connection has sent a CONNECT before ([MQTT-3.1.0-2] of both
    /// versions). Nothing changes then; close it, and report that.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{Action, Connect, Sessions, Version};
    /// # let now = Instant::now();
    /// let mut sessions = Sessions::new();
    /// let connect = Connect::new(Version::V5, "meter 7");
    /// sessions.on_connect("old", &connect, now)?;
    /// let actions: Vec<_> = sessions.on_connect("new", &connect, now)?.actions.collect();
    /// let taken_over = bytes::Bytes::from_static(&[0xe0, 0x01, 0x8e]);
    /// assert_eq!(
    ///     actions,
    ///     [
    ///         Action::Send { connection: "old", bytes: taken_over },
    ///         Action::Close { connection: "old" },
    ///     ],
    /// );
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
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

    /// `connection` sent a DISCONNECT at `now`: with reason 0 its will is discarded ([MQTT-3.1.2-10] of
    /// MQTT 5, [MQTT-3.14.4-3] of 3.1.1), with any other it is published, now or after its delay.
    /// Close the connection; that need not be reported any more.
    ///
    /// # Errors
    /// [`MqttError::Broken`] for a session expiry above zero where the CONNECT had none: a protocol
    /// error. Nothing changes then; answer with reason 0x82, close, and report that, and the will is
    /// published as after any protocol error.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{Connect, Disconnect, Sessions, Version, Will, reason};
    /// # let now = Instant::now();
    /// # let mut sessions = Sessions::new();
    /// let mut connect = Connect::new(Version::V5, "meter 7");
    /// connect.will = Some(Will::new("meters/7", "gone"));
    /// sessions.on_connect(1, &connect, now)?;
    /// assert_eq!(sessions.on_disconnect(&1, &Disconnect::new(reason::NORMAL), now)?.count(), 0);
    ///
    /// sessions.on_connect(2, &connect, now)?;
    /// assert_eq!(sessions.on_disconnect(&2, &Disconnect::new(reason::WITH_WILL), now)?.count(), 1);
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
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

    /// `connection` ended at `now`, and no DISCONNECT was reported: it was lost, it expired, or it was
    /// closed for an error. An unknown one is ignored, so every end may be reported.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{Action, Connect, Sessions, Version, Will};
    /// # let now = Instant::now();
    /// # let mut sessions = Sessions::new();
    /// let mut connect = Connect::new(Version::V3_1_1, "meter 7");
    /// connect.will = Some(Will::new("meters/7", "gone"));
    /// sessions.on_connect(1, &connect, now)?;
    /// assert!(matches!(sessions.on_close(&1, now).next(), Some(Action::Publish { .. })));
    /// assert_eq!(sessions.on_close(&1, now).next(), None);
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
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

    /// When to call [`handle_timeout`](Self::handle_timeout) next: when the first delayed will is due;
    /// `None` for never.
    ///
    /// ```
    /// # use liveness::mqtt::Sessions;
    /// assert_eq!(Sessions::<u64>::new().poll_timeout(), None);
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.pending.first().map(|&(due, _)| due)
    }

    /// Time has moved to `now`: the next will that is due. Call it until it returns `None`.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::Sessions;
    /// assert_eq!(Sessions::<u64>::new().handle_timeout(Instant::now()), None);
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Action<C>> {
        let now = self.advance(now);
        let &(due, slot) = self.pending.first()?;
        if due > now {
            return None;
        }
        self.remove(slot).and_then(Client::into_will)
    }

    /// How many clients are connected.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{Connect, Sessions, Version};
    /// # let mut sessions = Sessions::new();
    /// sessions.on_connect(1, &Connect::new(Version::V5, "meter 7"), Instant::now())?;
    /// assert_eq!(sessions.connected(), 1);
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
    #[must_use]
    pub fn connected(&self) -> usize {
        self.by_connection.len()
    }

    /// How many wills wait for their delay.
    ///
    /// ```
    /// # use liveness::mqtt::Sessions;
    /// assert_eq!(Sessions::<u64>::new().pending_wills(), 0);
    /// ```
    #[must_use]
    pub fn pending_wills(&self) -> usize {
        self.pending.len()
    }

    /// The connection of a client, while it has one.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::mqtt::{Connect, Sessions, Version};
    /// # let mut sessions = Sessions::new();
    /// sessions.on_connect(1, &Connect::new(Version::V5, "meter 7"), Instant::now())?;
    /// assert_eq!(sessions.connection_of("meter 7"), Some(&1));
    /// # Ok::<(), liveness::mqtt::MqttError>(())
    /// ```
    #[must_use]
    pub fn connection_of(&self, client_id: &str) -> Option<&C> {
        let &slot = self.by_id.get(client_id)?;
        self.clients.get(slot)?.as_ref()?.connection.as_ref()
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let newest = self.newest.map_or(now, |newest| newest.max(now));
        self.newest = Some(newest);
        newest
    }

    fn client_mut(&mut self, slot: Slot) -> Option<&mut Client<C>> {
        self.clients.get_mut(slot)?.as_mut()
    }

    /// What happens to a client that is removed, when `connect` comes with its identifier.
    fn displace(
        &self,
        earlier: Client<C>,
        connect: &Connect,
        now: Instant,
        admitted: &mut Admitted<C>,
    ) {
        let is_connected = earlier.connection.is_some();
        // A session without expiry ends with its connection, this very moment.
        let ends = connect.clean_start
            || is_connected && earlier.session_expiry == 0
            || earlier.has_ended(now);
        admitted.continues = !ends;
        let actions = &mut admitted.actions;
        if let Some(connection) = earlier.connection.clone() {
            if earlier.version == Version::V5 {
                actions.send = Some(Action::Send {
                    connection: connection.clone(),
                    bytes: Bytes::from_static(&[0xe0, 0x01, reason::SESSION_TAKEN_OVER]),
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
