//! A foreign program that a test talks to: started with the test, ended with it, and listened to.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// A program that is ended with the test, and the lines that it says.
pub(crate) struct Program {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; a script in .ci installs it"));
        let (say, lines) = mpsc::unbounded_channel();
        listen(child.stdout.take().unwrap(), say.clone());
        listen(child.stderr.take().unwrap(), say);
        Self { child, lines }
    }

    /// What comes after `words` in the next line that has them.
    pub(crate) async fn says(&mut self, words: &str) -> String {
        let mut seen = Vec::new();
        let found = tokio::time::timeout(Duration::from_secs(60), async {
            while let Some(line) = self.lines.recv().await {
                if let Some((_, rest)) = line.split_once(words) {
                    return Some(rest.trim().to_owned());
                }
                seen.push(line);
            }
            None
        });
        match found.await {
            Ok(Some(rest)) => rest,
            ended => panic!("no {words:?} ({ended:?}); it said {seen:#?}"),
        }
    }

    /// Everything that it has said and nobody has read.
    #[cfg(feature = "mqtt")]
    pub(crate) fn said(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    /// Sends it a signal, by name.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Waits until it ends by itself, and says how.
    pub(crate) async fn end(mut self, limit: Duration) -> ExitStatus {
        let mut seen = Vec::new();
        let all = tokio::time::timeout(limit, async {
            while let Some(line) = self.lines.recv().await {
                seen.push(line);
            }
            self.child.wait().await.unwrap()
        });
        match all.await {
            Ok(status) => status,
            Err(_) => panic!("still running after {limit:?}; it said {seen:#?}"),
        }
    }
}

fn listen(pipe: impl AsyncRead + Send + Unpin + 'static, say: mpsc::UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if say.send(line).is_err() {
                break;
            }
        }
    });
}
