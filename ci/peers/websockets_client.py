"""A client of Python's `websockets` for our echo servers: websockets_client.py URL off|deflate|takeover

Each check is a line; the last one is `N passed, N failed`.
"""

import asyncio
import sys
import traceback

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

URL, MODE = sys.argv[1:]
passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAIL websockets client, {MODE}: {what}")


def open_socket():
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=MODE == "deflate",
        client_no_context_takeover=MODE == "deflate",
        client_max_window_bits=True,
    )
    extensions = None if MODE == "off" else [factory]
    return connect(URL, compression=None, extensions=extensions, max_size=None, ping_interval=0.05)


async def run():
    async with open_socket() as socket:
        names = [extension.name for extension in socket.protocol.extensions]
        check(names == ([] if MODE == "off" else ["permessage-deflate"]), f"extensions {names}")
        for size in (0, 1, 125, 126, 5000, 65535, 65536, 1 << 20):
            text = "äb☃" * (size // 3)
            await socket.send(text)
            check(await socket.recv() == text, f"text of {size} characters")
            binary = bytes(index * index >> 3 & 255 for index in range(size))
            await socket.send(binary)
            check(await socket.recv() == binary, f"{size} bytes")
        await socket.send(["frag", "", "mented"])
        check(await socket.recv() == "fragmented", "a fragmented message")
        check(await (await socket.ping(b"with a payload")) >= 0, "a ping with a payload is answered")
        await socket.close(4001, "bye")
        check((socket.close_code, socket.close_reason) == (4001, "bye"), f"our close: {socket.close_code}")
    async with open_socket() as socket:
        await socket.send("close:4002:later")
        try:
            await socket.recv()
        except ConnectionClosed:
            pass
        check((socket.close_code, socket.close_reason) == (4002, "later"), f"their close: {socket.close_code}")


try:
    asyncio.run(asyncio.wait_for(run(), 30))
except Exception:
    check(False, traceback.format_exc())
print(f"{passed} passed, {failed} failed")
