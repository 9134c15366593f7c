//! Take-over and wills: the cases of Mosquitto's, RabbitMQ's and Paho's own tests, and a naive
//! model.

use std::time::Instant;

use bytes::Bytes;
use liveness::mqtt::{Action, Clients, Connect, Disconnect, TakeOverWill, Version, Will, reason};
use proptest::prelude::*;

use super::Clock;

/// What a test needs to say of a client.
#[derive(Debug, Clone, Copy)]
struct Client {
    version: Version,
    clean: bool,
    expiry: u32,
    delay: u32,
}

const V5: Client = Client {
    version: Version::V5,
    clean: true,
    expiry: 0,
    delay: 0,
};

const V4: Client = Client {
    version: Version::V3_1_1,
    ..V5
};

impl Client {
    const fn kept(self, expiry: u32) -> Self {
        Self {
            clean: false,
            expiry,
            ..self
        }
    }

    const fn delay(self, delay: u32) -> Self {
        Self { delay, ..self }
    }

    /// Its CONNECT, with `payload` as its will.
    fn with_will(self, payload: &str) -> Connect {
        let mut connect = self.without_will();
        let mut will = Will::new("will", payload.to_owned());
        will.delay = self.delay;
        connect.will = Some(will);
        connect
    }

    fn without_will(self) -> Connect {
        let mut connect = Connect::new(self.version, "c");
        connect.clean_start = self.clean;
        connect.session_expiry = match (self.version, self.clean) {
            (Version::V5, _) => self.expiry,
            (_, true) => 0,
            (_, false) => u32::MAX,
        };
        connect
    }
}

/// Actions in short: `send 1`, `close 1`, `will x`.
fn short(actions: impl IntoIterator<Item = Action<u32>>) -> Vec<String> {
    let word = |action| match action {
        Action::Send { connection, bytes } => {
            assert_eq!(bytes[..], [0xe0, 0x01, 0x8e]);
            format!("send {connection}")
        }
        Action::Close { connection } => format!("close {connection}"),
        Action::Publish { client_id, will } => {
            assert_eq!(&*client_id, "c");
            format!("will {}", std::str::from_utf8(&will.payload).unwrap())
        }
    };
    actions.into_iter().map(word).collect()
}

/// All wills that fall due by `until`, each with its time.
fn wills(clients: &mut Clients<u32>, until: Instant) -> Vec<(Instant, String)> {
    let mut all = Vec::new();
    while let Some(due) = clients.poll_timeout().filter(|due| *due <= until) {
        assert_eq!(
            clients.handle_timeout(due - std::time::Duration::from_nanos(1)),
            None
        );
        let action = clients.handle_timeout(due).expect("prompt");
        all.push((due, short([action]).remove(0)));
    }
    all
}

#[test]
fn every_abnormal_end_publishes_the_will() {
    let clock = Clock::start();
    for client in [V4, V4.kept(0), V5, V5.kept(60)] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &client.with_will("x"), clock.s(0))
            .unwrap();
        assert_eq!(
            short(clients.on_close(&1, clock.s(1))),
            ["will x"],
            "{client:?}"
        );
        assert_eq!((clients.connected(), clients.pending_wills()), (0, 0));
    }
}

#[test]
fn a_normal_disconnect_discards_it() {
    let clock = Clock::start();
    for client in [V4, V4.kept(0), V5, V5.kept(60), V5.kept(60).delay(5)] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &client.with_will("x"), clock.s(0))
            .unwrap();
        let actions = clients
            .on_disconnect(&1, &Disconnect::default(), clock.s(1))
            .unwrap();
        assert_eq!(short(actions), [""; 0], "{client:?}");
        // The end of the socket follows, and says nothing new.
        assert_eq!(short(clients.on_close(&1, clock.s(1))), [""; 0]);
        assert_eq!(wills(&mut clients, clock.s(1_000_000)), []);
    }
}

/// Mosquitto's `will-disconnect-with-will`, RabbitMQ's `disconnect_with_will`; error codes
/// likewise.
#[test]
fn disconnect_with_will() {
    let clock = Clock::start();
    for reason in [reason::WITH_WILL, 0x80, 0x81, 0x93] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &V5.with_will("x"), clock.s(0))
            .unwrap();
        let bye = Disconnect::new(reason);
        let actions = clients.on_disconnect(&1, &bye, clock.s(1)).unwrap();
        assert_eq!(short(actions), ["will x"], "{reason:#04x}");
    }
    let mut clients = Clients::new();
    clients
        .on_connect(1, &V5.kept(60).delay(5).with_will("x"), clock.s(0))
        .unwrap();
    let bye = Disconnect::new(reason::WITH_WILL);
    assert_eq!(
        short(clients.on_disconnect(&1, &bye, clock.s(1)).unwrap()),
        [""; 0]
    );
    assert_eq!(
        wills(&mut clients, clock.s(100)),
        [(clock.s(6), "will x".to_owned())]
    );
}

/// Mosquitto's `will-takeover`: both versions, clean or not before and after. Its rule is
/// `SessionEnds`: a will if and only if one of the two is clean. A session is present if neither
/// is.
#[test]
fn mosquittos_will_takeover() {
    let clock = Clock::start();
    for version in [Version::V3_1_1, Version::V5] {
        for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
            let of = |clean| Client {
                version,
                clean,
                expiry: if clean { 0 } else { 60 },
                delay: 0,
            };
            let mut clients = Clients::new().take_over_will(TakeOverWill::SessionEnds);
            clients
                .on_connect(1, &of(first).with_will("x"), clock.s(0))
                .unwrap();
            let admitted = clients
                .on_connect(2, &of(second).with_will("y"), clock.s(1))
                .unwrap();
            let mut expected = vec!["close 1"];
            if version == Version::V5 {
                expected.insert(0, "send 1");
            }
            if first || second {
                expected.push("will x");
            }
            assert_eq!(
                short(admitted.actions),
                expected,
                "{version} {first} {second}"
            );
            assert_eq!(
                admitted.continues,
                !first && !second,
                "{version} {first} {second}"
            );
        }
    }
}

/// The specification's own rule, the default: a will without delay is published whenever its
/// connection closes; a delayed one only when its session ends.
#[test]
fn the_rule_of_the_specification_for_a_takeover() {
    let clock = Clock::start();
    for (client, second_clean, published) in [
        (V4.kept(0), false, true),
        (V4, true, true),
        (V5.kept(60), false, true),
        (V5.kept(60).delay(3), false, false),
        (V5.kept(60).delay(3), true, true),
        (V5.delay(3), false, true), // expiry 0: the session ends with the connection
        (V5.delay(3), true, true),
    ] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &client.with_will("x"), clock.s(0))
            .unwrap();
        let second = Client {
            clean: second_clean,
            ..client
        };
        let actions = short(
            clients
                .on_connect(2, &second.without_will(), clock.s(1))
                .unwrap()
                .actions,
        );
        let has_will = actions.contains(&"will x".to_owned());
        assert_eq!(has_will, published, "{client:?} then {second_clean}");
        assert_eq!(
            wills(&mut clients, clock.s(1_000_000)),
            [],
            "dropped for good"
        );
        // The displaced connection's end arrives later and must not touch the new one.
        assert_eq!(short(clients.on_close(&1, clock.s(2))), [""; 0]);
        assert_eq!(clients.connection_of("c"), Some(&2));
    }
}

/// Mosquitto's `will-delay` and Paho's `test_will_delay`: three of five seconds, five of none, five
/// of two.
#[test]
fn the_smaller_of_delay_and_expiry() {
    let clock = Clock::start();
    for (delay, expiry, after) in [
        (3, 60, 3),
        (3, 5, 3),
        (5, 2, 2),
        (4, 2, 2),
        (3, 3, 3),
        (7, u32::MAX, 7),
    ] {
        let mut clients = Clients::new();
        let client = V5.kept(expiry).delay(delay);
        clients
            .on_connect(1, &client.with_will("x"), clock.s(0))
            .unwrap();
        assert_eq!(short(clients.on_close(&1, clock.s(10))), [""; 0]);
        assert_eq!(clients.pending_wills(), 1);
        let expected = [(clock.s(10 + after), "will x".to_owned())];
        assert_eq!(
            wills(&mut clients, clock.s(1000)),
            expected,
            "{delay} of {expiry}"
        );
    }
    // Mosquitto waits for the delay here; the session's end comes first.
    let mut clients = Clients::new();
    clients
        .on_connect(1, &V5.kept(0).delay(5).with_will("x"), clock.s(0))
        .unwrap();
    assert_eq!(short(clients.on_close(&1, clock.s(0))), ["will x"]);
}

/// Mosquitto's `will-delay-reconnect` and `will-delay-recover`.
#[test]
fn back_within_the_delay() {
    let clock = Clock::start();
    for (clean, expected) in [(false, &[][..]), (true, &["will x"][..])] {
        let mut clients = Clients::new();
        let client = V5.kept(60).delay(3);
        clients
            .on_connect(1, &client.with_will("x"), clock.s(0))
            .unwrap();
        assert_eq!(clients.on_close(&1, clock.s(1)).count(), 0);
        let again = Client { clean, ..client };
        let admitted = clients
            .on_connect(2, &again.without_will(), clock.s(2))
            .unwrap();
        assert_eq!(admitted.continues, !clean);
        assert_eq!(short(admitted.actions), expected);
        assert_eq!(wills(&mut clients, clock.s(1000)), []);
    }
}

/// At the very end of the delay, or later and before the timer was served, it is too late.
#[test]
fn back_too_late() {
    let clock = Clock::start();
    for (back, session_lives) in [(4, true), (60, true), (61, false), (100, false)] {
        let mut clients = Clients::new();
        let client = V5.kept(60).delay(3);
        clients
            .on_connect(1, &client.with_will("x"), clock.s(0))
            .unwrap();
        assert_eq!(clients.on_close(&1, clock.s(1)).count(), 0);
        let admitted = clients
            .on_connect(2, &client.without_will(), clock.s(back))
            .unwrap();
        assert_eq!(admitted.continues, session_lives, "back at {back} s");
        assert_eq!(short(admitted.actions), ["will x"], "back at {back} s");
    }
}

/// RabbitMQ's `will_delay_reconnect_with_will`: the old one is never sent, the new one after its
/// own delay.
#[test]
fn the_new_will_replaces_the_old() {
    let clock = Clock::start();
    let mut clients = Clients::new();
    clients
        .on_connect(1, &V5.kept(60).delay(3).with_will("old"), clock.s(0))
        .unwrap();
    assert_eq!(clients.on_close(&1, clock.s(1)).count(), 0);
    clients
        .on_connect(2, &V5.kept(60).delay(9).with_will("new"), clock.s(2))
        .unwrap();
    assert_eq!(wills(&mut clients, clock.s(20)), []);
    assert_eq!(clients.on_close(&2, clock.s(20)).count(), 0);
    assert_eq!(
        wills(&mut clients, clock.s(1000)),
        [(clock.s(29), "will new".to_owned())]
    );
}

/// RabbitMQ's `will_delay_session_takeover`: of four clients that are taken over only the one met
/// by Clean Start and the one without delay have their wills sent.
#[test]
fn rabbitmqs_four_takeovers() {
    let clock = Clock::start();
    let mut published = Vec::new();
    for (id, delay, clean) in [
        ("a", 0, false),
        ("b", 3, false),
        ("c", 3, true),
        ("d", 9, false),
    ] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &V5.kept(60).delay(delay).with_will("x"), clock.s(0))
            .unwrap();
        let second = Client {
            clean,
            ..V5.kept(60)
        };
        let actions = clients
            .on_connect(2, &second.without_will(), clock.s(1))
            .unwrap()
            .actions;
        if short(actions).contains(&"will x".to_owned()) {
            published.push(id);
        }
        assert_eq!(wills(&mut clients, clock.s(1000)), []);
    }
    assert_eq!(published, ["a", "c"]);
}

/// Between versions: only the displaced one's version decides about 0x8E.
#[test]
fn takeover_between_versions() {
    let clock = Clock::start();
    for (first, second, expected) in [
        (V4, V5, &["close 1"][..]),
        (V5, V4, &["send 1", "close 1"]),
        (V4, V4, &["close 1"]),
        (V5, V5, &["send 1", "close 1"]),
    ] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &first.without_will(), clock.s(0))
            .unwrap();
        let admitted = clients
            .on_connect(2, &second.without_will(), clock.s(1))
            .unwrap();
        assert_eq!(short(admitted.actions), expected);
        assert_eq!(clients.connected(), 1);
    }
}

/// A DISCONNECT may shorten or lengthen the session, but not give one to a client without.
#[test]
fn a_disconnect_changes_the_expiry() {
    let clock = Clock::start();
    let bye = |expiry| {
        let mut bye = Disconnect::new(reason::WITH_WILL);
        bye.session_expiry = Some(expiry);
        bye
    };
    for (expiry, after) in [(2, 2), (1000, 5)] {
        let mut clients = Clients::new();
        clients
            .on_connect(1, &V5.kept(60).delay(5).with_will("x"), clock.s(0))
            .unwrap();
        let now = clients.on_disconnect(&1, &bye(expiry), clock.s(0));
        assert_eq!(now.unwrap().count(), 0);
        assert_eq!(
            wills(&mut clients, clock.s(100)),
            [(clock.s(after), "will x".to_owned())]
        );
    }
    let mut clients = Clients::new();
    clients
        .on_connect(1, &V5.kept(60).delay(5).with_will("x"), clock.s(0))
        .unwrap();
    assert_eq!(
        short(clients.on_disconnect(&1, &bye(0), clock.s(0)).unwrap()),
        ["will x"]
    );

    let mut clients = Clients::new();
    clients
        .on_connect(1, &V5.delay(5).with_will("x"), clock.s(0))
        .unwrap();
    let error = clients.on_disconnect(&1, &bye(9), clock.s(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "DISCONNECT: a session expiry where CONNECT had none, at byte 0 \
         (MQTT 5 section 3.14.2.2.2)",
    );
    assert_eq!(error.reason(), 0x82);
    // Nothing changed: the protocol error closes the connection, and publishes the will.
    assert_eq!(short(clients.on_close(&1, clock.s(0))), ["will x"]);
}

#[test]
fn a_connection_connects_once() {
    let clock = Clock::start();
    let mut clients = Clients::new();
    clients
        .on_connect(1, &V5.with_will("x"), clock.s(0))
        .unwrap();
    let error = clients
        .on_connect(1, &V5.with_will("y"), clock.s(0))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "CONNECT: a second CONNECT on one connection, at byte 0 (MQTT 5 [MQTT-3.1.0-2])",
    );
    assert_eq!(short(clients.on_close(&1, clock.s(0))), ["will x"]);
}

/// Clients that the broker gave no identifier do not displace each other, and have their wills.
#[test]
fn clients_without_an_identifier() {
    let clock = Clock::start();
    let mut clients = Clients::new();
    let mut nameless = Connect::new(Version::V3_1_1, "");
    nameless.will = Some(Will::new("t", Bytes::from_static(b"x")));
    for connection in 1..=3 {
        let admitted = clients
            .on_connect(connection, &nameless, clock.s(0))
            .unwrap();
        assert_eq!(admitted.actions.count(), 0);
    }
    assert_eq!(clients.connected(), 3);
    assert_eq!(clients.connection_of(""), None);
    assert_eq!(clients.on_close(&2, clock.s(1)).count(), 1);
    assert_eq!(clients.connected(), 2);
}

#[test]
fn unknown_connections_are_ignored() {
    let clock = Clock::start();
    let mut clients = Clients::<u32>::new();
    assert_eq!(clients.on_close(&7, clock.s(0)).count(), 0);
    let bye = Disconnect::default();
    assert_eq!(
        clients.on_disconnect(&7, &bye, clock.s(0)).unwrap().count(),
        0
    );
}

/// A hundred thousand wills that fall due at different times come in order, and leave nothing
/// behind.
#[test]
fn many_delayed_wills() {
    let clock = Clock::start();
    let mut clients = Clients::new();
    for n in 0..100_000_u32 {
        let mut connect = V5.kept(u32::MAX).delay(1 + n * 7919 % 5000).with_will("x");
        connect.client_id = format!("c{n}");
        clients.on_connect(n, &connect, clock.s(0)).unwrap();
        assert_eq!(clients.on_close(&n, clock.s(0)).count(), 0);
    }
    assert_eq!(clients.pending_wills(), 100_000);
    let (mut last, mut count) = (clock.s(0), 0);
    while let Some(due) = clients.poll_timeout() {
        assert!(due >= last);
        last = due;
        while let Some(action) = clients.handle_timeout(due) {
            assert!(matches!(action, Action::Publish { .. }));
            count += 1;
        }
    }
    assert_eq!((count, last), (100_000, clock.s(5000)));
    assert_eq!((clients.connected(), clients.pending_wills()), (0, 0));
}

/// One client as the rules see it, in a list that is searched from end to end.
#[derive(Debug, Clone)]
struct Naive {
    id: u8,
    connection: Option<u32>,
    v5: bool,
    expiry: u64,
    will: Option<(u32, u64)>,
    due: Option<u64>,
}

#[derive(Debug, Clone)]
enum Step {
    Connect {
        id: u8,
        v5: bool,
        clean: bool,
        expiry: u32,
        will: Option<u32>,
    },
    Disconnect {
        which: usize,
        reason: u8,
    },
    Close {
        which: usize,
    },
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let expiry = prop_oneof![Just(0), 1..9_u32, Just(u32::MAX)];
    let will = prop::option::of(0..9_u32);
    prop_oneof![
        3 => (0..3_u8, any::<bool>(), any::<bool>(), expiry, will)
            .prop_map(|(id, v5, clean, expiry, will)| Step::Connect { id, v5, clean, expiry, will }),
        1 => (0..9_usize, prop_oneof![Just(0), Just(4_u8)])
            .prop_map(|(which, reason)| Step::Disconnect { which, reason }),
        2 => (0..9_usize).prop_map(|which| Step::Close { which }),
        2 => (0..6_u64).prop_map(Step::Wait),
    ]
}

/// What the naive model publishes at `now`, for ends and take-overs reported in that second.
struct Model {
    clients: Vec<Naive>,
    out: Vec<String>,
}

impl Model {
    fn publish(&mut self, will: Option<(u32, u64)>) {
        self.out
            .extend(will.map(|(number, _)| format!("will {number}")));
    }

    fn close(&mut self, connection: u32, now: u64, normal: bool) {
        let Some(at) = self
            .clients
            .iter()
            .position(|c| c.connection == Some(connection))
        else {
            return;
        };
        let mut client = self.clients.remove(at);
        if normal {
            client.will = None;
        }
        let Some((_, delay)) = client.will else {
            return;
        };
        let wait = delay.min(client.expiry);
        if wait == 0 {
            self.publish(client.will);
            return;
        }
        client.connection = None;
        client.due = Some(now + wait);
        self.clients.push(client);
    }

    fn tick(&mut self, now: u64) {
        let (due, rest) = self
            .clients
            .drain(..)
            .partition(|c| c.due.is_some_and(|at| at <= now));
        self.clients = rest;
        let mut due: Vec<Naive> = due;
        due.sort_by_key(|c| c.due);
        for client in due {
            self.publish(client.will);
        }
    }

    fn connect(&mut self, new: Naive, clean: bool) -> bool {
        let at = self.clients.iter().position(|c| c.id == new.id);
        let old = at.map(|at| self.clients.remove(at));
        let mut continues = false;
        if let Some(old) = old {
            let ends = clean || old.connection.is_some() && old.expiry == 0;
            continues = !ends;
            if let Some(connection) = old.connection {
                if old.v5 {
                    self.out.push(format!("send {connection}"));
                }
                self.out.push(format!("close {connection}"));
            }
            let at_once = old.connection.is_some() && old.will.is_some_and(|(_, delay)| delay == 0);
            if ends || at_once {
                self.publish(old.will);
            }
        }
        self.clients.push(new);
        continues
    }
}

proptest! {
    /// Any sequence of connections, ends and waits publishes the same wills, and closes the same
    /// connections, as a list that is searched from end to end.
    #[test]
    fn agrees_with_a_naive_model(steps in prop::collection::vec(any_step(), 1..60)) {
        let clock = Clock::start();
        let mut clients = Clients::new();
        let mut model = Model { clients: Vec::new(), out: Vec::new() };
        let (mut now, mut connections, mut number) = (0_u64, 0_u32, 0_u32);
        for step in steps {
            let mut ours = Vec::new();
            match step {
                Step::Connect { id, v5, clean, expiry, will } => {
                    connections += 1;
                    number += 1;
                    let client = Client {
                        version: if v5 { Version::V5 } else { Version::V3_1_1 },
                        clean,
                        expiry,
                        delay: if v5 { will.unwrap_or(0) } else { 0 },
                    };
                    let mut connect = match will {
                        Some(_) => client.with_will(&number.to_string()),
                        None => client.without_will(),
                    };
                    connect.client_id = format!("c{id}");
                    let admitted = clients.on_connect(connections, &connect, clock.s(now)).unwrap();
                    ours.extend(admitted.actions);
                    let new = Naive {
                        id,
                        connection: Some(connections),
                        v5,
                        expiry: u64::from(connect.session_expiry),
                        will: will.map(|_| (number, u64::from(client.delay))),
                        due: None,
                    };
                    prop_assert_eq!(admitted.continues, model.connect(new, clean));
                }
                Step::Disconnect { which, reason } => {
                    let connection = connections.saturating_sub(which as u32);
                    let bye = Disconnect::new(reason);
                    ours.extend(clients.on_disconnect(&connection, &bye, clock.s(now)).unwrap());
                    model.close(connection, now, reason == 0);
                }
                Step::Close { which } => {
                    let connection = connections.saturating_sub(which as u32);
                    ours.extend(clients.on_close(&connection, clock.s(now)));
                    model.close(connection, now, false);
                }
                Step::Wait(seconds) => {
                    now += seconds;
                    model.tick(now);
                    while let Some(action) = clients.handle_timeout(clock.s(now)) {
                        ours.push(action);
                    }
                    let next = model.clients.iter().filter_map(|c| c.due).min();
                    prop_assert_eq!(clients.poll_timeout(), next.map(|at| clock.s(at)));
                }
            }
            let word = |action: &Action<u32>| match action {
                Action::Send { connection, .. } => format!("send {connection}"),
                Action::Close { connection } => format!("close {connection}"),
                Action::Publish { will, .. } => {
                    format!("will {}", std::str::from_utf8(&will.payload).unwrap())
                }
            };
            let mut ours: Vec<String> = ours.iter().map(word).collect();
            let mut theirs = std::mem::take(&mut model.out);
            if matches!(step, Step::Wait(_)) {
                // Wills due in the same instant have no order.
                ours.sort();
                theirs.sort();
            }
            prop_assert_eq!(ours, theirs);
            let connected = model.clients.iter().filter(|c| c.connection.is_some()).count();
            prop_assert_eq!(clients.connected(), connected);
            prop_assert_eq!(clients.pending_wills(), model.clients.len() - connected);
        }
    }
}
