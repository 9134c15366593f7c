// npm's Socket.IO as the peer, whose heartbeats are the packets 2 and 3 of Engine.IO.
//
//   node socket_io.mjs server        listens, says READY PORT; asks every 300 ms, waits 500 ms
//   node socket_io.mjs client URL    connects, and says what it hears
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

const require = createRequire(path.join(process.env.TOOLS, "x.js"));
const say = (...words) => console.log(...words);
const [role, url] = process.argv.slice(2);

if (role === "server") {
  const { Server } = require("socket.io");
  const http = require("node:http").createServer();
  const io = new Server(http, { transports: ["websocket"], pingInterval: 300, pingTimeout: 500 });
  io.engine.on("connection", (socket) => {
    let pongs = 0;
    socket.on("heartbeat", () => say("PONGS", ++pongs));
    socket.on("close", (reason, why) => say("CLOSED", reason, why?.message ?? why ?? ""));
  });
  http.listen(0, "127.0.0.1", () => say("READY", http.address().port));
} else {
  const { io } = require("socket.io-client");
  const socket = io(url, { transports: ["websocket"], reconnection: false });
  let pings = 0;
  socket.on("connect", () => say("CONNECTED"));
  socket.on("connect_error", (error) => say("ERROR", error.message));
  socket.on("disconnect", (reason) => {
    say("DISCONNECTED", reason);
    process.exit(0);
  });
  socket.io.on("ping", () => say("PINGS", ++pings));
}
