"""What stands between clients and a broker and sees every request: it may lead it elsewhere, hold its answer, or let it get lost."""

import socket
import struct
import threading

from runs import new_port

PRODUCE, FETCH, LIST_OFFSETS, OFFSET_COMMIT, CREATE_TOPICS = 0, 1, 2, 8, 19
LOST = object()


class Proxy:
    """The broker behind it has to send its clients here (`--advertise`). `route(api_key, request)` says to which address a request goes,
    or `LOST`: then the connection ends. `answered(api_key)` is called before an answer is given."""

    def __init__(self):
        port = new_port()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{port}"
        self.route, self.answered = lambda *_: LOST, lambda _: None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        """One request after the other, as their answers have to keep the order."""
        behind = {}
        try:
            while (request := message(client)) is not None:
                key = struct.unpack(">h", request[:2])[0]
                address = self.route(key, request)
                if address is LOST:
                    return
                if address not in behind:
                    host, port = address.split(":")
                    behind[address] = socket.create_connection((host, int(port)))
                behind[address].sendall(struct.pack(">i", len(request)) + request)
                answer = message(behind[address])
                if answer is None:
                    return
                self.answered(key)
                client.sendall(struct.pack(">i", len(answer)) + answer)
        except OSError:
            pass
        finally:
            for one in (client, *behind.values()):
                one.close()

    def close(self):
        self.listener.close()


def message(connection):
    length = exactly(connection, 4)
    return None if length is None else exactly(connection, struct.unpack(">i", length)[0])


def exactly(connection, count):
    found = bytearray()
    while len(found) < count:
        part = connection.recv(min(count - len(found), 1 << 20))
        if not part:
            return None
        found += part
    return bytes(found)
