//! A TCP proxy in front of any MQTT broker that knows which clients are alive.
//!
//! * It closes a client that is silent for 1.5 keep alives; brokers in the field
//!   take seconds more. The broker then loses its connection, too, and publishes the will.
//! * It answers PINGREQ, and asks the broker itself, once a connection, so the round trip is known.
//! * It shows a table of the clients.
//!
//! ```sh
//! cargo run --example mqtt_guard --all-features -- 127.0.0.1:1884 127.0.0.1:1883 --for 60
//! ```

mod table;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use liveness::io::KeepaliveStream;
use liveness::mqtt::{
    self, BrokerConfig, BrokerKeepalive, ClientConfig, Expired, MqttError, PINGREQ, PINGRESP,
    Packet, Scanner, Version, reason,
};
use liveness::{KeepaliveConfig, Runtime as _, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use table::Table;

const HELP: &str = "\
usage: mqtt_guard LISTEN BROKER [--for SECONDS] [--every SECONDS]

  LISTEN   the address for clients, for example 127.0.0.1:1884
  BROKER   the broker behind it, for example 127.0.0.1:1883
  --for    ends by itself after so many seconds
  --every  how often the table is shown; 5 by default";

/// A client that takes nothing for that long is as dead as one that says nothing.
const WRITE_STALL: Duration = Duration::from_secs(30);

type Failure = Box<dyn Error + Send + Sync>;

struct Options {
    listen: String,
    broker: String,
    runs: Option<Duration>,
    every: Duration,
}

impl Options {
    /// `None` asks for help.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Failure> {
        let (mut addresses, mut runs, mut every) = (Vec::new(), None, Duration::from_secs(5));
        while let Some(argument) = arguments.next() {
            let mut seconds = || -> Result<_, Failure> {
                let text = arguments.next().ok_or("a number of seconds is missing")?;
                Ok(Duration::try_from_secs_f64(text.parse()?)?)
            };
            match argument.as_str() {
                "--for" => runs = Some(seconds()?),
                "--every" => every = seconds()?.max(Duration::from_millis(10)),
                "--help" | "-h" => return Ok(None),
                _ => addresses.push(argument),
            }
        }
        let Ok([listen, broker]) = <[String; 2]>::try_from(addresses) else {
            return Ok(None);
        };
        Ok(Some(Self {
            listen,
            broker,
            runs,
            every,
        }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    let listener = TcpListener::bind(&options.listen).await?;
    println!("guarding {} on {}", options.broker, listener.local_addr()?);
    let table = Table::default();
    let end = async {
        match options.runs {
            Some(runs) => sleep(runs).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = end => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = table.show(options.every) => Ok(()),
        failed = accept(&listener, &options.broker, &table) => failed,
    }
}

async fn accept(listener: &TcpListener, broker: &str, table: &Table) -> Result<(), Failure> {
    loop {
        let (client, address) = listener.accept().await?;
        let (broker, table) = (broker.to_owned(), table.clone());
        tokio::spawn(async move {
            let ended = match TcpStream::connect(broker).await {
                Ok(broker) => guard(client, broker, address, &table).await,
                Err(error) => Err(error.into()),
            };
            let row = table.remove(address);
            match ended {
                Ok(end) => println!("{address} {row}: {end}"),
                Err(error) => println!("{address} {row}: {error}"),
            }
        });
    }
}

/// How a connection ended, if nothing failed.
enum End {
    ByClient,
    ByBroker,
    Expired(Expired),
}

/// Stands between a client and the broker until one of them is gone.
async fn guard(
    client: TcpStream,
    broker: TcpStream,
    address: SocketAddr,
    table: &Table,
) -> Result<End, Failure> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    // The broker's side: kept alive, and measured, below everything that passes.
    let wire = mqtt::Wire::client(ClientConfig::new());
    let mut broker = KeepaliveStream::new(broker, wire, KeepaliveConfig::off(), Tokio)?;
    let mut side = ClientSide::new()?;
    let (mut up, mut down) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        table.note(address, &side, broker.rtt().latest());
        let due = side.watch.poll_timeout().map(Instant::from);
        let expiry = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        // What has come in is read before the time is looked at.
        tokio::select! {
            biased;
            read = from_client.read(&mut up) => {
                let count = read?;
                let sorted = side.on_client(up.get(..count).unwrap_or_default());
                broker.write_all(&side.for_broker.split()).await?;
                if let Err(error) = sorted {
                    let refusal = side.watch.refusal(&error).unwrap_or_default();
                    send(&mut to_client, &refusal).await?;
                    return Err(error.into());
                }
                if count == 0 {
                    return Ok(End::ByClient);
                }
            }
            read = broker.read(&mut down) => {
                let count = read?;
                side.on_broker(down.get(..count).unwrap_or_default())?;
                if count == 0 {
                    return Ok(End::ByBroker);
                }
            }
            () = expiry => {
                if let Some(expired) = side.watch.handle_timeout(Tokio.now()) {
                    let farewell = side.watch.farewell(reason::KEEP_ALIVE_TIMEOUT);
                    send(&mut to_client, &farewell.unwrap_or_default()).await?;
                    // The broker's connection ends without a DISCONNECT: it publishes the will.
                    return Ok(End::Expired(expired));
                }
            }
        }
        send(&mut to_client, &side.for_client.split()).await?;
    }
}

async fn send(client: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) -> Result<(), Failure> {
    Ok(timeout(WRITE_STALL, client.write_all(bytes)).await??)
}

/// The client's connection: what it says, what it is told, whether it lives.
struct ClientSide {
    watch: BrokerKeepalive,
    /// The broker's packets, between which an answer may stand.
    answers: Scanner,
    /// PINGRESPs for which there was no place yet.
    owed: usize,
    between: bool,
    id: String,
    version: Option<Version>,
    for_broker: BytesMut,
    for_client: BytesMut,
}

impl ClientSide {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            watch: BrokerKeepalive::new(BrokerConfig::new(), Tokio.now())?,
            answers: Scanner::from_server(),
            owed: 0,
            between: true,
            id: String::new(),
            version: None,
            for_broker: BytesMut::new(),
            for_client: BytesMut::new(),
        })
    }

    /// Everything but PINGREQ is the broker's.
    fn on_client(&mut self, mut bytes: &[u8]) -> Result<(), MqttError> {
        while let Some(&first) = bytes.first() {
            let from = self.watch.on_receive(bytes, Tokio.now())?;
            let (piece, rest) = bytes.split_at(from.consumed);
            let is_ping = matches!(from.packet, Some(Packet::PingReq));
            let is_half_a_ping = self.between && first == PINGREQ[0];
            bytes = rest;
            self.between = from.packet.is_some();
            if let Some(Packet::Connect(connect)) = from.packet {
                self.answers.set_version(connect.version);
                (self.id, self.version) = (connect.client_id, Some(connect.version));
            }
            if is_ping {
                // Before the CONNACK the watch keeps count itself.
                self.owed += usize::from(from.reply.is_some());
                self.pay();
            } else if !is_half_a_ping {
                self.for_broker.extend_from_slice(piece);
            }
        }
        Ok(())
    }

    fn on_broker(&mut self, mut bytes: &[u8]) -> Result<(), MqttError> {
        while !bytes.is_empty() {
            let (consumed, packet) = self.answers.scan(bytes)?;
            let (piece, rest) = bytes.split_at(consumed);
            bytes = rest;
            self.for_client.extend_from_slice(piece);
            if let Some(Packet::ConnAck(ack)) = packet {
                self.owed += usize::from(self.watch.on_connack(&ack, Tokio.now()));
            }
            self.pay();
        }
        Ok(())
    }

    /// Gives the answers that are owed, if they may stand here.
    fn pay(&mut self) {
        if self.answers.is_at_border() {
            self.for_client.extend(PINGRESP.repeat(self.owed));
            self.owed = 0;
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByClient => f.write_str("closed by the client"),
            Self::ByBroker => f.write_str("closed by the broker"),
            Self::Expired(expired) => write!(f, "EXPIRED: {expired}"),
        }
    }
}
