//! A page that shows who is alive: every connection's state, its round trips as a live chart, and a
//! button that freezes the page's heartbeat, so that one sees the verdict arrive.
//!
//! ```sh
//! cargo run --example axum_dashboard --all-features
//! ```
//!
//! A browser's script can neither send nor see ping frames, so the heartbeats are text:
//! `{"type":"ping","id":7}` and `{"type":"pong","id":7}`.

mod hub;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{Stream, StreamExt, stream};
use hub::{Card, Hub};
use liveness::websocket::{Axum, Json, Text, farewell};
use liveness::{Dead, Error, Inbound, KeepaliveConfig, PingPong, PingWhen, Protocol, Seq, Tokio};
use serde_json::json;

/// Asks each second, so that the charts move; a page that serves thousands would leave this at
/// `RecvIdle`, where what the page sends anyway saves the question.
const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .interval(Duration::from_millis(1000))
    .ping_when(PingWhen::Always)
    .reply_timeout(Duration::from_millis(2000));

/// The page's heartbeats, with the dashboard looking on.
struct Page {
    text: Text<Json, Axum>,
    card: Card,
}

impl Protocol for Page {
    type Message = Message;

    fn ping(&mut self, seq: Seq) -> Message {
        self.card.asked();
        self.text.ping(seq)
    }

    fn classify(&mut self, message: Message) -> Inbound<Message> {
        self.card.heard();
        self.text.classify(message)
    }

    fn farewell(&mut self, dead: &Dead) -> Option<Message> {
        self.text.farewell(dead)
    }
}

/// One connection, from its first beat to its end.
async fn serve(socket: WebSocket, card: Card) {
    let page = Page {
        text: Text::over(Axum, Json::new()),
        card: card.clone(),
    };
    let mut link = match PingPong::new(socket, page, CONFIG, Tokio) {
        Ok(link) => link,
        Err(error) => return card.closed(&error.to_string()),
    };
    let mut look = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            message = link.next() => match message {
                Some(Ok(Message::Close(why))) => {
                    card.closed(why.as_ref().map_or("closed by the page", |why| &why.reason));
                }
                Some(Ok(_)) => {}
                Some(Err(Error::Dead(dead))) => {
                    card.dead(&dead);
                    farewell(link, &dead, Duration::from_secs(1), &Tokio).await;
                    return;
                }
                Some(Err(error)) => return card.closed(&error.to_string()),
                None => return card.closed("closed by the page"),
            },
            _ = look.tick() => card.measured(link.rtt()),
        }
    }
}

async fn beat(
    upgrade: WebSocketUpgrade,
    Path(name): Path<String>,
    State(hub): State<Arc<Hub>>,
) -> Response {
    match hub.join(&name) {
        Some(card) => upgrade.on_upgrade(|socket| serve(socket, card)),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// What the dashboard shows, as often as it changes, over a connection that no heartbeat judges.
async fn events(
    State(hub): State<Arc<Hub>>,
) -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    let config = json!({
        "interval": 1000,
        "bound": CONFIG.detection_bound().map(|bound| bound.quiet).unwrap_or_default().as_millis(),
    });
    let changes = hub.changes();
    Sse::new(stream::unfold(
        (hub, changes, config),
        |(hub, mut changes, config)| async move {
            // At most ten pictures a second, and one a second when nothing happens.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
            let picture = json!({ "config": config, "connections": hub.picture() });
            let event = Event::default().json_data(picture);
            Some((event, (hub, changes, config)))
        },
    ))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse + Clone {
    ([(header::CONTENT_TYPE, kind)], text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (html, css, js) = (
        asset("text/html; charset=utf-8", include_str!("index.html")),
        asset("text/css; charset=utf-8", include_str!("style.css")),
        asset("text/javascript; charset=utf-8", include_str!("app.js")),
    );
    let app = axum::Router::new()
        .route("/", get(|| async { html }))
        .route("/style.css", get(|| async { css }))
        .route("/app.js", get(|| async { js }))
        .route("/beat/{name}", get(beat))
        .route("/events", get(events))
        .with_state(Arc::new(Hub::new()));
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("open http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
