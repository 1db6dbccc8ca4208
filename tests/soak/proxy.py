"""A proxy between the clients and the broker, which resets their connections: `proxy.py LISTEN TARGET SEED`.

A line on standard input is an order. `reset SECONDS` resets every connection there is, in the middle of a request if one is
on its way, and for so long each new one soon after it is made. `mute SECONDS` lets requests through but no answers; then the
connections whose answers were lost are reset. Each reset connection is a line on standard output. It ends with its standard
input.
"""

import asyncio
import random
import socket
import struct
import sys
import threading
import time

CHUNK = 1 << 16
SOON = 0.4


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class Proxy:
    def __init__(self, target, dice):
        self.target, self.dice, self.pairs = target, dice, set()
        self.until = self.muted = 0.0

    async def serve(self, reader, writer):
        """One client, until either side is gone."""
        try:
            pair = Pair(self, reader, writer, *await asyncio.open_connection(*self.target))
        except OSError:
            abort(writer)
            return
        self.pairs.add(pair)
        if time.monotonic() < self.until:
            asyncio.get_running_loop().call_later(self.dice.uniform(0, SOON), self.reset, pair)
        try:
            await asyncio.gather(pair.up(), pair.down())
        finally:
            self.pairs.discard(pair)
            pair.abort()

    def reset(self, pair):
        if pair not in self.pairs:
            return
        print("reset", flush=True)
        if self.dice.random() < 0.5:
            pair.torn = self.dice.uniform(0, 1)  # the next that the client sends is cut there
            asyncio.get_running_loop().call_later(0.2, pair.abort)
        else:
            pair.abort()

    def order(self, line):
        what, seconds = line.split()
        if what == "mute":
            self.muted = time.monotonic() + float(seconds)
            asyncio.get_running_loop().call_later(float(seconds), self.unmute)
        else:
            self.until = time.monotonic() + float(seconds)
            self.reset_all()

    def reset_all(self):
        for pair in list(self.pairs):
            self.reset(pair)

    def unmute(self):
        for pair in [pair for pair in self.pairs if pair.answers_lost]:
            print("reset", flush=True)
            pair.abort()


class Pair:
    def __init__(self, proxy, reader, writer, server_reader, server_writer):
        self.proxy, self.answers_lost = proxy, False
        self.reader, self.writer, self.server_reader, self.server_writer = reader, writer, server_reader, server_writer
        self.torn = None
        for side in (writer, server_writer):
            side.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def up(self):
        await self.copy(self.reader, self.server_writer)

    async def down(self):
        await self.copy(self.server_reader, self.writer)

    async def copy(self, source, sink):
        try:
            while data := await source.read(CHUNK):
                if self.torn is not None and source is self.reader:
                    sink.write(data[: int(len(data) * self.torn)])
                    await sink.drain()
                    await asyncio.sleep(0.01)
                    break
                if source is self.server_reader and (self.answers_lost or time.monotonic() < self.proxy.muted):
                    self.answers_lost = True
                    continue
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        self.abort()

    def abort(self):
        abort(self.writer)
        abort(self.server_writer)


def abort(writer):
    """RST, not FIN."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


async def main():
    listen, target, seed = sys.argv[1:]
    proxy, loop, ended = Proxy(address(target), random.Random(seed)), asyncio.get_running_loop(), asyncio.Event()

    def orders():
        for line in sys.stdin:
            loop.call_soon_threadsafe(proxy.order, line)
        loop.call_soon_threadsafe(ended.set)

    server = await asyncio.start_server(proxy.serve, *address(listen), backlog=512)
    threading.Thread(target=orders, daemon=True).start()
    print("ready", flush=True)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
