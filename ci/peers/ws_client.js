// A client of Node's `ws` for our echo servers: ws_client.js URL off|deflate|takeover
// Each check is a line; the last one is `N passed, N failed`.
"use strict";
const { once } = require("events");
const WebSocket = require("ws");

const [, , url, mode] = process.argv;
let passed = 0;
let failed = 0;

function check(condition, what) {
  if (condition) passed += 1;
  else {
    failed += 1;
    console.log(`FAIL ws client, ${mode}: ${what}`);
  }
}

async function open() {
  const deflate = { threshold: 0, clientNoContextTakeover: mode === "deflate" };
  const socket = new WebSocket(url, { perMessageDeflate: mode === "off" ? false : deflate });
  await once(socket, "open");
  return socket;
}

async function echoed(socket, data, options = {}) {
  socket.send(data, options);
  const [message, isBinary] = await once(socket, "message");
  return [message, isBinary];
}

async function main() {
  const socket = await open();
  check((socket.extensions !== "") === (mode !== "off"), `extensions '${socket.extensions}'`);
  for (const size of [0, 1, 125, 126, 5000, 65535, 65536, 1 << 20]) {
    const text = "äb☃".repeat(size / 3);
    let [message, isBinary] = await echoed(socket, text);
    check(message.toString() === text && !isBinary, `text of ${size} characters`);
    const binary = Buffer.alloc(size).map((_, index) => (index * index) >> 3);
    [message, isBinary] = await echoed(socket, binary);
    check(binary.equals(message) && isBinary, `${size} bytes`);
  }
  socket.send("frag", { fin: false });
  socket.ping("between");
  socket.send("mented", { fin: true });
  const [[pong], [message]] = await Promise.all([once(socket, "pong"), once(socket, "message")]);
  check(message.toString() === "fragmented", "a fragmented message");
  check(pong.toString() === "between", "a ping with a payload is answered");
  socket.close(4001, "bye");
  const [code, reason] = await once(socket, "close");
  check(code === 4001 && reason.toString() === "bye", `our close: ${code} ${reason}`);
  const other = await open();
  other.send("close:4002:later");
  const [otherCode, otherReason] = await once(other, "close");
  check(otherCode === 4002 && otherReason.toString() === "later", `their close: ${otherCode} ${otherReason}`);
}

setTimeout(() => {
  console.log(`FAIL ws client, ${mode}: did not come to its end`);
  console.log(`${passed} passed, ${failed + 1} failed`);
  process.exit(1);
}, 30000).unref();
main()
  .catch((error) => check(false, error.stack))
  .finally(() => console.log(`${passed} passed, ${failed} failed`));
