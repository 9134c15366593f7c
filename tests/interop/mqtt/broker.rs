//! The least broker that real clients can be clients of: [`BrokerKeepalive`] for each connection,
//! [`Clients`] for all. It routes nothing, and tells the test what happened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use liveness::mqtt::{
    Action, BrokerConfig, BrokerKeepalive, Clients, ConnAck, Expired, PINGRESP, Packet, PacketType,
    Version, reason,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What happened, to the client with this identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Connected(String),
    Pinged(String),
    Disconnected(String),
    Closed(String),
    Expired(String, Expired),
    TakenOver(String),
    Will(String),
}

enum Order {
    Send(Bytes),
    Close,
}

struct State {
    clients: Clients<u64>,
    writers: HashMap<u64, mpsc::UnboundedSender<Order>>,
    events: mpsc::UnboundedSender<(Instant, Event)>,
}

impl State {
    fn tell(&self, event: Event) {
        let _ = self.events.send((Instant::now(), event));
    }

    fn act(&mut self, action: Action<u64>) {
        let (connection, order) = match action {
            Action::Send { connection, bytes } => (connection, Order::Send(bytes)),
            Action::Close { connection } => (connection, Order::Close),
            Action::Publish { client_id, will } => {
                assert_eq!(will.topic, format!("wills/{client_id}"));
                assert_eq!(&will.payload[..], b"gone");
                return self.tell(Event::Will(client_id.to_string()));
            }
        };
        if let Some(writer) = self.writers.get(&connection) {
            let _ = writer.send(order);
        }
    }
}

pub(super) struct Broker {
    pub(super) port: u16,
    events: mpsc::UnboundedReceiver<(Instant, Event)>,
}

impl Broker {
    pub(super) async fn start(config: BrokerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (say, events) = mpsc::unbounded_channel();
        let state = Arc::new(Mutex::new(State {
            clients: Clients::new(),
            writers: HashMap::new(),
            events: say,
        }));
        let wills = state.clone();
        tokio::spawn(async move {
            loop {
                // Delayed wills are published in real time; the pace of looking does not matter.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let mut state = wills.lock().unwrap();
                while let Some(action) = state.clients.handle_timeout(Instant::now()) {
                    state.act(action);
                }
            }
        });
        tokio::spawn(async move {
            for connection in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, connection, config, state.clone()));
            }
        });
        Self { port, events }
    }

    /// The next event but pings, and when it was.
    pub(super) async fn next(&mut self) -> (Instant, Event) {
        let next = async {
            loop {
                let (at, event) = self.events.recv().await.unwrap();
                if !matches!(event, Event::Pinged(_)) {
                    return (at, event);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), next)
            .await
            .expect("an event")
    }

    /// Everything that happens in `time`.
    pub(super) async fn events_for(&mut self, time: Duration) -> Vec<Event> {
        let mut seen = Vec::new();
        let end = tokio::time::Instant::now() + time;
        while let Ok(Some((_, event))) = tokio::time::timeout_at(end, self.events.recv()).await {
            seen.push(event);
        }
        seen
    }
}

async fn serve(
    mut socket: TcpStream,
    connection: u64,
    config: BrokerConfig,
    state: Arc<Mutex<State>>,
) {
    let (writer, mut orders) = mpsc::unbounded_channel();
    state.lock().unwrap().writers.insert(connection, writer);
    let mut watch = BrokerKeepalive::new(config, Instant::now()).unwrap();
    let (mut id, mut buf) = (String::new(), [0; 4096]);
    let ended = 'open: loop {
        let due = watch.poll_timeout();
        let expiry = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let count = tokio::select! {
            biased;
            read = socket.read(&mut buf) => read.unwrap_or(0),
            Some(order) = orders.recv() => match order {
                Order::Send(bytes) => {
                    let _ = socket.write_all(&bytes).await;
                    continue;
                }
                Order::Close => break Event::TakenOver(id.clone()),
            },
            () = expiry => {
                if let Some(expired) = watch.handle_timeout(Instant::now()) {
                    let farewell = watch.farewell(reason::KEEP_ALIVE_TIMEOUT).unwrap_or_default();
                    let _ = socket.write_all(&farewell).await;
                    break Event::Expired(id.clone(), expired);
                }
                continue;
            }
        };
        if count == 0 {
            break Event::Closed(id.clone());
        }
        let mut rest = &buf[..count];
        while !rest.is_empty() {
            let now = Instant::now();
            let from = watch
                .on_receive(rest, now)
                .expect("a client that is correct");
            let (piece, left) = rest.split_at(from.consumed);
            rest = left;
            let mut out = BytesMut::new();
            match from.packet {
                Some(Packet::Connect(connect)) => {
                    id.clone_from(&connect.client_id);
                    let mut state = state.lock().unwrap();
                    let admitted = state.clients.on_connect(connection, &connect, now).unwrap();
                    let mut ack = ConnAck::new(0);
                    ack.session_present = admitted.continues;
                    ack.server_keep_alive = watch.server_keep_alive();
                    admitted.actions.for_each(|action| state.act(action));
                    let owed = watch.on_connack(&ack, now);
                    ack.encode(connect.version, &mut out).unwrap();
                    out.extend(PINGRESP.repeat(owed.into()));
                    state.tell(Event::Connected(id.clone()));
                }
                Some(Packet::Disconnect(disconnect)) => {
                    let mut state = state.lock().unwrap();
                    let actions = state.clients.on_disconnect(&connection, &disconnect, now);
                    actions.unwrap().for_each(|action| state.act(action));
                    drop(state);
                    break 'open Event::Disconnected(id.clone());
                }
                // Small, and so in one piece: the packet identifier is behind two bytes of header.
                Some(Packet::Other(PacketType::Subscribe)) => {
                    let [_, _, high, low, ..] = piece else {
                        panic!("SUBSCRIBE in pieces")
                    };
                    match watch.version() {
                        Some(Version::V5) => out.extend([0x90, 4, *high, *low, 0, 0]),
                        _ => out.extend([0x90, 3, *high, *low, 0]),
                    }
                }
                Some(Packet::PingReq) => state.lock().unwrap().tell(Event::Pinged(id.clone())),
                _ => {}
            }
            out.extend(from.reply.into_iter().flatten());
            if socket.write_all(&out).await.is_err() {
                break 'open Event::Closed(id.clone());
            }
        }
    };
    let mut state = state.lock().unwrap();
    state.tell(ended);
    state.writers.remove(&connection);
    let actions = state.clients.on_close(&connection, Instant::now());
    actions.for_each(|action| state.act(action));
}
