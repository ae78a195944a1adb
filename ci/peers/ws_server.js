// A server of Node's `ws` for our client: ws_server.js off|deflate|takeover
// Echoes; understands `pongs?`, `extensions?`, `last close?` and `close:CODE:REASON`. Prints `LISTENING port`.
"use strict";
const { WebSocketServer } = require("ws");

const mode = process.argv[2];
const deflate = { threshold: 0, serverNoContextTakeover: mode === "deflate", clientNoContextTakeover: mode === "deflate" };
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: mode === "off" ? false : deflate });
let lastClose = "";

server.on("listening", () => console.log(`LISTENING ${server.address().port}`));
server.on("connection", (socket) => {
  let pongs = 0;
  socket.on("pong", (data) => (pongs += data.toString() === "payload" ? 1 : 0));
  const pinging = setInterval(() => socket.ping("payload"), 20);
  socket.on("error", (error) => console.log(`ERROR ${error.message}`));
  socket.on("close", (code, reason) => {
    clearInterval(pinging);
    lastClose = `${code} ${reason}`;
  });
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    const [command, code, reason] = text.split(":");
    if (text === "pongs?") socket.send(String(pongs));
    else if (text === "extensions?") socket.send(socket.extensions);
    else if (text === "last close?") socket.send(lastClose);
    else if (command === "close") socket.close(Number(code), reason);
    else {
      // Every other message in fragments, a ping between them.
      if (data.length % 2 === 0 || data.length < 3) return socket.send(data, { binary: isBinary });
      socket.send(data.subarray(0, 1), { binary: isBinary, fin: false });
      socket.ping("payload");
      socket.send(data.subarray(1), { binary: isBinary, fin: true });
    }
  });
});
