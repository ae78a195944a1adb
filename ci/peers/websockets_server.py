"""A server of Python's `websockets` for our client: websockets_server.py off|deflate|takeover

Echoes; understands `pongs?`, `extensions?`, `last close?` and `close:CODE:REASON`. Prints `LISTENING port`.
"""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

MODE = sys.argv[1]
last_close = ""


async def count_pongs(socket, count):
    while True:
        await (await socket.ping(b"payload %d" % count[0]))
        count[0] += 1
        await asyncio.sleep(0.02)


async def serve_socket(socket):
    global last_close
    count = [0]
    pinging = asyncio.create_task(count_pongs(socket, count))
    try:
        async for message in socket:
            await answer(socket, message, count[0])
    except ConnectionClosed:
        pass
    finally:
        pinging.cancel()
    last_close = f"{socket.close_code} {socket.close_reason}"


async def answer(socket, message, pongs):
    if message == "pongs?":
        await socket.send(str(pongs))
    elif message == "extensions?":
        await socket.send(", ".join(extension.name for extension in socket.protocol.extensions))
    elif message == "last close?":
        await socket.send(last_close)
    elif isinstance(message, str) and message.startswith("close:"):
        _, code, reason = message.split(":")
        await socket.close(int(code), reason)
    elif len(message) % 2 == 0 or len(message) < 3:
        await socket.send(message)
    else:
        await socket.send([message[:1], message[1:]])  # in fragments


async def main():
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=MODE == "deflate", client_no_context_takeover=MODE == "deflate"
    )
    extensions = None if MODE == "off" else [factory]
    async with serve(serve_socket, "127.0.0.1", 0, compression=None, extensions=extensions, max_size=None) as server:
        print("LISTENING", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
