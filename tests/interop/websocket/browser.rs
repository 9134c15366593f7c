//! Headless Chromium, steered over its own debugging WebSocket.

use std::path::Path;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tungstenite::Message;

use super::{Program, tools};

pub(super) struct Browser {
    _program: Program,
    _profile: Profile,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    next_id: u64,
}

/// A profile of its own, removed with the browser.
struct Profile(std::path::PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Browser {
    /// A browser with one page, at `url`.
    pub(super) async fn open(url: &str) -> Self {
        let profile = tools().join(format!("profile-{}", std::process::id()));
        let mut program = Program::start(
            Command::new("chromium")
                .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
                .args(["--no-first-run", "--remote-debugging-port=0"])
                .arg(format!("--user-data-dir={}", profile.display()))
                .arg("about:blank"),
        );
        let address = program.says("DevTools listening on ").await;
        let (socket, _) = connect_async(&address).await.unwrap();
        let mut browser = Self {
            _program: program,
            _profile: Profile(profile),
            socket,
            session: None,
            next_id: 0,
        };
        let blank = json!({ "url": "about:blank" });
        let target = browser.call("Target.createTarget", blank).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser.call("Page.enable", json!({})).await;
        browser.call("Page.navigate", json!({ "url": url })).await;
        let there = format!("document.readyState === 'complete' && location.href === '{url}'");
        browser.wait_for(&there, Duration::from_secs(30)).await;
        browser
    }

    /// Calls a method of the debugging protocol.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        self.socket
            .send(Message::text(request.to_string()))
            .await
            .unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let message = self.socket.next().await.unwrap().unwrap();
                let answer: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
                if answer["id"] == id {
                    return answer;
                }
            }
        });
        let mut answer = answer
            .await
            .unwrap_or_else(|_| panic!("no answer to {method}"));
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    /// What a script comes to.
    pub(super) async fn eval(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].take()
    }

    /// Waits until a script comes to `true`.
    pub(super) async fn wait_for(&mut self, script: &str, limit: Duration) {
        let waited = tokio::time::timeout(limit, async {
            while self.eval(script).await != true {
                tokio::time::sleep(Duration::from_millis(50)).await; // the page has a clock of its own
            }
        });
        assert!(waited.await.is_ok(), "not within {limit:?}: {script}");
    }

    /// The size of the window, and whether the user likes it dark.
    pub(super) async fn look(&mut self, (width, height): (u32, u32), dark: bool) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    /// A picture of the page, as a PNG file.
    pub(super) async fn picture(&mut self, path: &Path) {
        let png = self
            .call("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        let png = from_base64(png["data"].as_str().unwrap());
        assert!(png.starts_with(b"\x89PNG"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, png).unwrap();
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().take_while(|&byte| byte != b'=');
    let values: Vec<usize> = digits
        .map(|byte| DIGITS.iter().position(|&digit| digit == byte).unwrap())
        .collect();
    let mut bytes = Vec::new();
    for group in values.chunks(4) {
        let bits = group.iter().fold(0, |bits, value| bits << 6 | value) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&(bits as u32).to_be_bytes()[1..group.len()]);
    }
    bytes
}

#[test]
fn base64_is_read() {
    for (text, bytes) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
    ] {
        assert_eq!(from_base64(text), bytes.as_bytes());
    }
}
