#!/usr/bin/env python3
"""Records golden wire bytes: a TCP proxy between real clients and a real Apache Kafka.

Not run by the tests. How the files beside this one were made, with Apache Kafka 4.3.1 on 127.0.0.1:19300
(one node, KRaft, `group.initial.rebalance.delay.ms=0`, everything else default):

    python3 capture.py 19400 19300 . DATA & # listen, Kafka, folder of the golden files, Kafka's log.dirs
    (cd gen && go run . 127.0.0.1:19400)   # every (key, version) of the request table, by an independent encoder
    ./clients.sh 127.0.0.1:19400           # the clients themselves
    kill -INT %1                           # writes the files

On the way to the client the address that Kafka advertises is replaced by the proxy's, so that all connections pass here,
and the highest versions by Headwater's, so that clients speak those. What is recorded is what Kafka sent, except that its
log folder has another name of the same length. A request is filed under its client id. Of several with the same key, version and
client id the one with the most bytes of request and answer is kept, as long as they are not too many.
"""

import asyncio
import os
import re
import signal
import struct
import sys

LIMIT = 6000
# key: lowest version, Kafka's highest, ours
CAPS = {0: (0, 13, 12), 1: (4, 18, 17), 2: (1, 11, 10), 8: (2, 10, 9), 9: (1, 10, 9), 10: (0, 6, 5)}
CAPS |= {24: (0, 5, 3), 26: (0, 5, 4), 28: (0, 5, 4), 35: (1, 5, 4)}


class Recorder:
    def __init__(self, folder, data):
        self.folder = folder
        self.data = data.encode()
        self.best = {}

    def add(self, request, answer):
        key, version, _, length = struct.unpack(">hhih", request[:10])
        client = request[10 : 10 + length].decode("utf-8", "replace") if length > 0 else "none"
        client = re.sub(r"[^A-Za-z0-9./_-]", "_", re.sub(r"-\d+$|(-[0-9a-f]{8}-.*)$", "", client)) or "none"
        answer = answer.replace(self.data, b"/var/lib/kafka".ljust(len(self.data), b"-"))
        place = (key, version, client)
        old = self.best.get(place)
        if old is None or self.worth(request, answer) > self.worth(*old):
            self.best[place] = (request, answer)

    @staticmethod
    def worth(request, answer):
        size = len(request) + len(answer)
        return size if size <= LIMIT else -size

    def write(self):
        by_key = {}
        for (key, version, client), pair in sorted(self.best.items()):
            by_key.setdefault(key, []).append((version, client, *pair))
        for key, rows in by_key.items():
            with open(os.path.join(self.folder, f"{key:02}.txt"), "w") as out:
                for version, client, request, answer in rows:
                    out.write(f"v{version} {client}\n> {request.hex()}\n")
                    out.write(f"< {answer.hex()}\n" if answer else "")
        print(f"{len(self.best)} exchanges of {len({(k, v) for k, v, _ in self.best})} (key, version)")


async def frames(reader):
    while True:
        try:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            yield await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return


async def serve(reader, writer, recorder, port, kafka_port):
    kafka_reader, kafka_writer = await asyncio.open_connection("127.0.0.1", kafka_port)
    waiting = {}

    async def requests():
        async for frame in frames(reader):
            key, version, correlation = struct.unpack(">hhi", frame[:8])
            waiting.setdefault(correlation, []).append(frame)
            kafka_writer.write(struct.pack(">i", len(frame)) + frame)
        kafka_writer.close()

    async def answers():
        here, there = (b"127.0.0.1" + struct.pack(">i", p) for p in (port, kafka_port))
        async for frame in frames(kafka_reader):
            (correlation,) = struct.unpack(">i", frame[:4])
            if waiting.get(correlation):
                request = waiting[correlation].pop(0)
                recorder.add(request, frame)
                if request[:2] == b"\0\x12":
                    for key, (low, theirs, ours) in CAPS.items():
                        frame = frame.replace(struct.pack(">hhh", key, low, theirs), struct.pack(">hhh", key, low, ours), 1)
            writer.write(struct.pack(">i", len(frame)) + frame.replace(there, here))
        for left in waiting.values():
            for request in left:
                recorder.add(request, b"")
        writer.close()

    await asyncio.gather(requests(), answers(), return_exceptions=True)


async def main():
    port, kafka_port = int(sys.argv[1]), int(sys.argv[2])
    recorder = Recorder(sys.argv[3], sys.argv[4])
    server = await asyncio.start_server(lambda r, w: serve(r, w, recorder, port, kafka_port), "127.0.0.1", port)
    done = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, done.set)
    await done.wait()
    server.close()
    recorder.write()


asyncio.run(main())
