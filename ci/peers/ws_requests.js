// A client of Node's `ws`, and of Node's HTTP, for a server that decides on requests: ws_requests.js ws://HOST:PORT
// Each check is a line; the last one is `N passed, N failed`.
"use strict";
const { once } = require("events");
const http = require("http");
const WebSocket = require("ws");

const [, , url] = process.argv;
let passed = 0;
let failed = 0;

function same(what, is, wanted) {
  if (is === wanted) passed += 1;
  else {
    failed += 1;
    console.log(`FAIL ws client, requests: ${what}: '${is}' instead of '${wanted}'`);
  }
}

async function text(response) {
  let body = "";
  response.setEncoding("utf8").on("data", (part) => (body += part));
  await once(response, "end");
  return body;
}

/** The answer instead of 101. */
async function refused(path) {
  const socket = new WebSocket(url + path);
  const [, response] = await once(socket, "unexpected-response");
  return response;
}

async function ended(path) {
  const [code, reason] = await once(new WebSocket(url + path), "close");
  return `${code} ${reason}`;
}

async function main() {
  const status = await refused("/status");
  same("a status", status.statusCode, 401);
  same("its header", status.headers["www-authenticate"], "Bearer");
  same("its body", await text(status), "who are you?");
  same("no path", (await refused("/nowhere")).statusCode, 404);
  same("a close code", await ended("/code"), "4001 no ticket");
  same("full", await ended("/full"), "1013 ");
  const later = new WebSocket(`${url}/later?name=ada`, ["chat.v2"]);
  const [upgrade] = await once(later, "upgrade");
  same("a header of the acceptance", upgrade.headers["x-later"], "yes");
  if (later.readyState !== WebSocket.OPEN) await once(later, "open");
  same("the protocol", later.protocol, "chat.v2");
  later.send("hello");
  const [message] = await once(later, "message");
  same("the request is known later", message.toString(), "ada said hello");
  later.close(1000);
  const agent = new http.Agent({ keepAlive: true });
  for (const path of ["/health", "/health"]) {
    const [response] = await once(http.get(url.replace("ws:", "http:") + path, { agent }), "response");
    same("a health check", `${response.statusCode} ${await text(response)}`, "200 ok");
  }
}

main()
  .catch((error) => same("an error", error.message, "none"))
  .then(() => {
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(0);
  });
