#!/usr/bin/env python3
"""Asks for a WebSocket from a given source address and prints what comes of it; see ci/test-fleet.sh.

  client.py PORT TO FROM [tls=CA] [header=LINE]... [hold=SECONDS]

TO and FROM are addresses; FROM "" lets the system choose. Prints one line: the local port, then the status of the answer, or
"cut", then the code and reason of a close frame, if one follows. `hold` stays connected for that long after an answer of 101.
"""
import os
import socket
import ssl
import sys
import time

port, to, source = int(sys.argv[1]), sys.argv[2], sys.argv[3]
options = [argument.split("=", 1) for argument in sys.argv[4:]]
headers = [value for name, value in options if name == "header"]
named = dict(options)

family = socket.AF_INET6 if ":" in to else socket.AF_INET
connection = socket.socket(family, socket.SOCK_STREAM)
connection.settimeout(20)
if source:
    connection.bind((source, 0))
connection.connect((to, port))
local_port = connection.getsockname()[1]
if "tls" in named:
    context = ssl.create_default_context(cafile=named["tls"])
    connection = context.wrap_socket(connection, server_hostname="localhost")

lines = [
    "GET /arena?team=red HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode())


def receive(enough):
    """Everything until `enough` says so, or the end."""
    received = b""
    while not enough(received):
        try:
            more = connection.recv(4096)
        except OSError:
            break
        if not more:
            break
        received += more
    return received


answer = receive(lambda received: b"\r\n\r\n" in received)
head, _, rest = answer.partition(b"\r\n\r\n")
status = head.split(b" ")[1].decode() if head else "cut"
close = ""
if status == "101":
    rest += receive(lambda more: len(rest + more) >= 2 and len(rest + more) >= 2 + (rest + more)[1])
    if rest[:1] == b"\x88":
        close = " %d %s" % (int.from_bytes(rest[2:4], "big"), rest[4 : 2 + rest[1]].decode())
retry = [line for line in head.decode().split("\r\n") if line.lower().startswith("retry-after")]
print(f"{local_port} {status}{close}{' ' + retry[0] if retry else ''}", flush=True)
time.sleep(float(named.get("hold", 0)))
# Without a close handshake.
os._exit(0)
