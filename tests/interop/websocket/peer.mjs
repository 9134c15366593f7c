// npm's `ws` as the peer, well behaved or not.
//
//   node peer.mjs server                listens, says READY PORT, and beats as its README shows
//   node peer.mjs client URL CONDUCT    connects, and conducts itself as follows:
//     well     sends "hello" now and then, answers pings
//     mute     reads, and answers no ping
//     wrong    answers each ping with a payload of its own
//     flood    sends 10 000 pings
//     slow     sends one message of 5 MB in the course of 4 s, and answers no ping meanwhile
//     stalled  stops reading
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

const { WebSocket, WebSocketServer } = createRequire(path.join(process.env.TOOLS, "x.js"))("ws");
const say = (...words) => console.log(...words);
const [role, url, conduct] = process.argv.slice(2);

function beat(server) {
  server.on("connection", (ws) => {
    ws.isAlive = true;
    let pongs = 0;
    ws.on("error", console.error);
    ws.on("pong", () => {
      ws.isAlive = true;
      say("PONGS", ++pongs);
    });
    ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
    ws.on("close", (code, reason) => say("CLOSED", code, String(reason)));
  });
  setInterval(() => {
    for (const ws of server.clients) {
      if (!ws.isAlive) {
        say("TERMINATED");
        ws.terminate();
        continue;
      }
      ws.isAlive = false;
      ws.ping();
    }
  }, 300);
}

/** A frame's header as a client writes it, masked with zeros, so that the body can follow as it is. */
function header(length) {
  const bytes = Buffer.alloc(14);
  bytes[0] = 0x82;
  bytes[1] = 0x80 | 127;
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes;
}

async function dribble(socket) {
  const size = 5_000_000;
  const chunk = Buffer.alloc(size / 40);
  socket.write(header(size));
  for (let sent = 0; sent < 40; sent += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.write(chunk);
  }
}

if (role === "server") {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => {
    say("READY", server.address().port);
  });
  beat(server);
} else {
  const autoPong = !["mute", "wrong", "slow"].includes(conduct);
  const ws = new WebSocket(url, { autoPong });
  ws.on("error", (error) => say("ERROR", error.message));
  ws.on("close", (code, reason) => {
    say("CLOSED", code, String(reason));
    process.exit(0);
  });
  ws.on("message", (data) => say("RECEIVED", String(data).slice(0, 40)));
  ws.on("ping", () => {
    if (conduct === "wrong") ws.pong("not what was asked");
  });
  ws.on("open", () => {
    say("OPEN");
    if (conduct === "well") setInterval(() => ws.send("hello"), 400);
    if (conduct === "flood") for (let n = 0; n < 10_000; n += 1) ws.ping(String(n));
    if (conduct === "slow") void dribble(ws._socket);
    if (conduct === "stalled") {
      ws._socket.pause();
      setInterval(() => {}, 1000); // a paused socket does not keep the program running
    }
  });
}
