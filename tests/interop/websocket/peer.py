"""Python's `websockets` as the peer: its own keepalive on, with short intervals; echoes what comes.

peer.py server            listens, says READY PORT
peer.py client URL        connects, sends "hello 0", "hello 1" .. and reads the echoes
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

KEEPALIVE = {"ping_interval": 0.3, "ping_timeout": 2, "close_timeout": 1}


def say(*words):
    print(*words, flush=True)


async def report(ws):
    """Says once a second how long the other side's pong took."""
    while True:
        await asyncio.sleep(1)
        say("LATENCY", ws.latency)


async def ended(ws, work):
    watch = asyncio.create_task(report(ws))
    try:
        await work
    except ConnectionClosed:
        pass
    watch.cancel()
    say("CLOSED", ws.close_code, ws.close_reason)


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def hello(ws):
    for number in range(1_000_000):
        await ws.send(f"hello {number}")
        answer = await ws.recv()
        assert answer == f"hello {number}", answer
        say("ECHOED", number)
        await asyncio.sleep(0.5)


async def main():
    match sys.argv[1:]:
        case ["server"]:
            async with serve(lambda ws: ended(ws, echo(ws)), "127.0.0.1", 0, **KEEPALIVE) as server:
                say("READY", server.sockets[0].getsockname()[1])
                await asyncio.Future()
        case ["client", url]:
            async with connect(url, **KEEPALIVE) as ws:
                await ended(ws, hello(ws))


asyncio.run(main())
