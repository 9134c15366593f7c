// The page's half: it answers the server's heartbeats, watches the server in turn, reconnects with
// one attempt at a time, and draws what the server tells about every connection.
"use strict";

const ASK_AFTER = 3000; // ms without a message before the page asks the server
const GIVE_UP_AFTER = 6000; // ms without a message before the page gives the server up
const OPEN_WITHIN = 5000; // ms for a connection attempt
const FIRST_DELAY = 500; // ms before the second attempt; doubles, up to
const LONGEST_DELAY = 30000;
const STABLE_AFTER = 5000; // ms of life that make the next delay the first one again

const log = (text, tone = "") => {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const words = document.createElement("span");
  item.dataset.tone = tone;
  time.textContent = new Date().toLocaleTimeString();
  words.textContent = text;
  item.append(time, words);
  const list = document.getElementById("log");
  list.prepend(item);
  while (list.childElementCount > 30) list.lastElementChild.remove();
};

/** One kept-alive connection. At any moment it has one socket, or one timer to make one, or neither. */
class Link {
  constructor(name) {
    this.name = name;
    this.frozen = false;
    this.attempts = 0;
    this.beats = 0;
    this.socket = null;
    this.retry = null;
    this.retryAt = 0;
    this.nextId = 0;
    this.connect();
    this.looked = performance.now();
    setInterval(() => this.watch(), 500);
  }

  connect() {
    if (this.socket || this.frozen) return;
    clearTimeout(this.retry);
    this.retry = null;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/beat/${encodeURIComponent(this.name)}`);
    this.socket = socket;
    this.heard = this.opened = performance.now();
    const late = setTimeout(() => this.drop(socket, "no answer to the connection attempt"), OPEN_WITHIN);
    socket.onopen = () => {
      clearTimeout(late);
      this.heard = this.opened = performance.now();
      log(`${this.name}: connected`, "alive");
    };
    socket.onmessage = ({ data }) => this.receive(socket, data);
    socket.onclose = ({ code, reason }) => {
      clearTimeout(late);
      this.drop(socket, reason || `closed (${code})`);
    };
  }

  receive(socket, data) {
    if (socket !== this.socket || this.frozen) return;
    this.heard = performance.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.type === "ping") {
      socket.send(JSON.stringify({ type: "pong", id: message.id }));
      this.beats += 1;
    }
  }

  /** The page's own judgement: a server that says nothing is asked, then given up. */
  watch() {
    const socket = this.socket;
    const now = performance.now();
    const away = now - this.looked;
    this.looked = now;
    if (!socket || this.frozen || socket.readyState !== WebSocket.OPEN) return;
    // The browser froze or slowed this page: its messages are still queued, so ask first.
    if (away >= ASK_AFTER) this.heard = Math.max(this.heard, now - ASK_AFTER);
    const silent = now - this.heard;
    if (silent >= GIVE_UP_AFTER) {
      // Not `close()` alone: on a dead link its handshake would take a minute.
      this.drop(socket, `the server is dead: silent for ${seconds(silent)}`);
    } else if (silent >= ASK_AFTER) {
      socket.send(JSON.stringify({ type: "ping", id: this.nextId++ }));
    }
  }

  drop(socket, why) {
    if (socket !== this.socket) return;
    if (performance.now() - this.opened >= STABLE_AFTER) this.attempts = 0;
    this.socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    log(`${this.name}: ${why}`, why.startsWith("no reply") ? "dead" : "");
    this.schedule();
  }

  /** Half of the delay is fixed and half is chance, so that pages do not come back in step. */
  schedule() {
    if (this.frozen || this.retry) return;
    const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.attempts);
    const delay = full / 2 + (Math.random() * full) / 2;
    this.attempts += 1;
    this.retryAt = performance.now() + delay;
    this.retry = setTimeout(() => {
      this.retry = null;
      this.connect();
    }, delay);
  }

  /** Frozen, the link answers nothing and does not reconnect, as if the page hung. */
  freeze(frozen) {
    this.frozen = frozen;
    log(`${this.name}: ${frozen ? "heartbeat frozen" : "thawed"}`);
    if (frozen) {
      clearTimeout(this.retry);
      this.retry = null;
      return;
    }
    this.heard = performance.now();
    if (!this.socket) this.schedule();
  }
}

// A page that comes back to life does not wait for its timer.
for (const event of ["pageshow", "visibilitychange"]) {
  window.addEventListener(event, () => links.forEach((link) => link.watch()), true);
}

// ---- what is shown -----------------------------------------------------------------------------

const seconds = (ms) => `${(ms / 1000).toFixed(1)}\u00a0s`;
const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(2) : Math.round(ms)}\u00a0ms`;
const WORDS = { alive: "alive", asked: "asked, waiting", dead: "dead", closed: "closed", away: "not connected", stale: "no news" };
const STALE_AFTER = 2500; // ms without a picture, of which one comes each second at least

const links = new Map();
const cards = new Map();
let picture = { at: performance.now(), bound: 3000, promise: "Asking the server…", connections: [] };

function cardOf(name) {
  if (cards.has(name)) return cards.get(name);
  const card = document.getElementById("card").content.firstElementChild.cloneNode(true);
  const part = (selector) => card.querySelector(selector);
  card.parts = Object.fromEntries(
    ["name", "state", "rtt", "heard", "beats", "line", "area", "gaps", "top", "verdict", "why", "freeze"].map(
      (word) => [word, part(`.${word}`)],
    ),
  );
  card.parts.bar = part(".silence i");
  card.parts.name.textContent = name;
  card.parts.freeze.onclick = () => {
    const link = links.get(name);
    link.freeze(!link.frozen);
    show();
  };
  cards.set(name, card);
  document.getElementById("cards").append(card);
  return card;
}

/** One point a beat, newest at the right; a dashed line where a connection ended. */
function chart(parts, values) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known, 0);
  const step = 300 / 59;
  const left = 300 - (values.length - 1) * step;
  const runs = [[]];
  let gaps = "";
  values.forEach((value, at) => {
    const x = (left + at * step).toFixed(1);
    if (value === null) {
      gaps += `M${x} 0V72`;
      runs.push([]);
    } else {
      runs.at(-1).push([x, (70 - (value / most) * 62).toFixed(1)]);
    }
  });
  const drawn = runs.filter((run) => run.length > 1);
  const lines = drawn.map((run) => `M${run.map((point) => point.join(" ")).join("L")}`);
  parts.line.setAttribute("d", lines.join(""));
  parts.area.setAttribute(
    "d",
    drawn.map((run, at) => `${lines[at]}L${run.at(-1)[0]} 72L${run[0][0]} 72Z`).join(""),
  );
  parts.gaps.setAttribute("d", gaps);
  parts.top.textContent = known.length ? `at most ${milliseconds(most)}` : "";
}

/** Draws one card: what the server knows of the connection, and what this page knows of its own. */
function draw(name, told, link) {
  const card = cardOf(name);
  const { parts } = card;
  const since = performance.now() - picture.at;
  const over = !told || told.ended !== null;
  const away = link && !link.socket && (!told || told.state !== "dead");
  const stale = since >= STALE_AFTER && !over;
  const state = away ? "away" : stale ? "stale" : (told?.state ?? "away");
  card.dataset.state = state;
  card.classList.toggle("ours", Boolean(link));
  card.classList.toggle("frozen", Boolean(link?.frozen));
  parts.state.textContent = WORDS[state];
  parts.freeze.textContent = link?.frozen ? "Thaw it" : "Freeze the heartbeat";
  if (!told) return;
  const silent = over ? told.heard : told.heard + since;
  parts.heard.textContent = over ? seconds(silent) : `${seconds(silent)} ago`;
  parts.rtt.textContent = told.smoothed === null ? "–" : milliseconds(told.smoothed);
  parts.bar.style.width = `${over ? (state === "dead" ? 100 : 0) : Math.min(100, (silent / picture.bound) * 100)}%`;
  if (card.samples !== told.samples || card.connection !== told.connection) {
    const beat = card.samples !== undefined && told.samples > 0;
    card.samples = told.samples;
    card.connection = told.connection;
    parts.beats.textContent = String(told.samples);
    chart(parts, told.roundTrips);
    card.classList.remove("beat");
    if (beat) requestAnimationFrame(() => card.classList.add("beat"));
  }
  parts.verdict.textContent = `verdict at ${seconds(picture.bound)}`;
  const times = told.connection > 1 ? `, connected ${told.connection} times` : "";
  let why = told.why ?? `${link ? "A link of this page" : "A link of another page"}${times}.`;
  if (link?.retry) why += ` Next attempt in ${seconds(Math.max(0, link.retryAt - performance.now()))}.`;
  if (link?.frozen && !over) why = "Frozen: pings arrive and are not answered.";
  if (parts.why.textContent !== why) parts.why.textContent = why;
}

function show() {
  const since = performance.now() - picture.at;
  document.getElementById("promise").textContent =
    since >= STALE_AFTER ? `No news from the server for ${seconds(since)}.` : picture.promise;
  const told = new Map(picture.connections.map((connection) => [connection.name, connection]));
  for (const [name, link] of links) draw(name, told.get(name), link);
  for (const [name, connection] of told) if (!links.has(name)) draw(name, connection, undefined);
  for (const [name, card] of cards) {
    if (!links.has(name) && !told.has(name)) {
      card.remove();
      cards.delete(name);
    }
  }
}

const verdicts = new Map();
function notice(connection) {
  const key = `${connection.name} ${connection.connection}`;
  if (connection.state === "dead" && !verdicts.has(key) && !links.has(connection.name)) {
    log(`${connection.name}: ${connection.why}`, "dead");
  }
  if (connection.state === "dead") verdicts.set(key, true);
}

// The picture comes over a connection of its own, which no heartbeat judges; the browser reopens it.
const events = new EventSource("/events");
events.onmessage = ({ data }) => {
  const { config, connections } = JSON.parse(data);
  const promise = `Asked every ${seconds(config.interval)}, found dead within ${seconds(config.bound)} of the last word. Freeze one and watch.`;
  picture = { at: performance.now(), bound: config.bound, promise, connections };
  connections.forEach(notice);
};

const ANIMALS = ["otter", "heron", "badger", "finch", "lynx", "marten", "raven", "stoat", "tern", "vole"];
const COLOURS = ["amber", "blue", "coral", "green", "ivory", "jade", "olive", "pearl", "rust", "teal"];
const any = (words) => words[Math.floor(Math.random() * words.length)];
const page = `${any(COLOURS)} ${any(ANIMALS)} ${Math.floor(Math.random() * 90 + 10)}`;
const open = () => {
  const name = `${page}${links.size ? `, link ${links.size + 1}` : ""}`;
  links.set(name, new Link(name));
  show();
};

document.getElementById("open").onclick = open;
document.getElementById("block").onclick = () => {
  log("script blocked for 10 s");
  setTimeout(() => {
    const until = performance.now() + 10000;
    while (performance.now() < until);
    log("script runs again");
  }, 50);
};
open();
setInterval(show, 100);
