"""Small servers that are broken on purpose, and doors in front of a real broker: one for TLS, one for a login."""

import base64
import hashlib
import hmac
import http.server
import itertools
import json
import os
import secrets
import socket
import ssl
import struct
import threading
import time
from email.utils import formatdate

WAIT = 5.0


# Below the range from which the system takes ports for connections: dialling a port of that range where nobody listens can reach itself.
_ports = itertools.count(20000 + os.getpid() * 61 % 10000)


def free_port():
    """Given out once in this process."""
    while True:
        port = 20000 + next(_ports) % 12000
        with socket.socket() as asked:
            try:
                asked.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Port:
    """Accepts on a port of its own; each connection has a thread that runs `serve`."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=50)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.open:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self.serve(connection)
        except (OSError, ValueError, struct.error):
            pass
        finally:
            if not isinstance(self, Silent):
                connection.close()

    def serve(self, connection):
        raise NotImplementedError


class Silent(Port):
    """Takes connections and says nothing."""

    def serve(self, connection):
        time.sleep(WAIT)


class Babbler(Port):
    """Another protocol that speaks first."""

    def serve(self, connection):
        connection.sendall(b"220 mail.example ESMTP ready\r\n")
        connection.recv(100)


class Deaf:
    """A port whose queue is full: connecting takes for ever, as behind a firewall."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.waiting = []

    def __enter__(self):
        for _ in range(3):
            queued = socket.socket()
            queued.setblocking(False)
            queued.connect_ex(("127.0.0.1", self.port))
            self.waiting.append(queued)
        time.sleep(0.05)
        return self

    def __exit__(self, *_):
        for queued in self.waiting:
            queued.close()
        self.listener.close()


def copy(source, target):
    try:
        while True:
            data = source.recv(1 << 16)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    for side in (source, target):
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def join_both(one, other):
    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(WAIT)


class TlsDoor(Port):
    """Ends TLS and hands on what is inside."""

    def __init__(self, certificate, behind, port=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.behind = behind
        super().__init__(port)

    def serve(self, connection):
        connection.settimeout(WAIT)
        with self.context.wrap_socket(connection, server_side=True) as secured:
            secured.settimeout(None)
            with socket.create_connection(("127.0.0.1", self.behind)) as inner:
                join_both(secured, inner)


def frame(connection):
    size = exactly(connection, 4)
    (length,) = struct.unpack(">i", size)
    if not 0 < length < 1 << 24:
        raise ValueError("no Kafka")
    return exactly(connection, length)


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def send(connection, body):
    connection.sendall(struct.pack(">i", len(body)) + body)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class BadDoor(Port):
    """Hands on, and changes the bytes of one answer: as random as `dice` is."""

    def __init__(self, behind, dice, from_answer):
        self.behind, self.dice, self.from_answer = behind, dice, from_answer
        self.answers = 0
        super().__init__()

    def serve(self, connection):
        with socket.create_connection(("127.0.0.1", self.behind)) as inner:
            while True:
                send(inner, frame(connection))
                answer = frame(inner)
                self.answers += 1
                send(connection, self.spoilt(answer) if self.answers == self.from_answer else answer)

    def spoilt(self, answer):
        data, dice = bytearray(answer), self.dice
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(4, len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        return bytes(data[: dice.randrange(4, len(data) + 1)]) if dice.randrange(2) else bytes(data)


class LoginDoor(Port):
    """Wants a login as the contract says, then hands frames on. Topics outside `prefix` are refused when they are made or written."""

    def __init__(self, behind, users, mechanisms=("SCRAM-SHA-256", "SCRAM-SHA-512"), prefix=None, liar=False, port=0):
        self.behind, self.users, self.mechanisms, self.prefix, self.liar = behind, users, mechanisms, prefix, liar
        self.logins = []
        super().__init__(port)

    def serve(self, connection):
        with socket.create_connection(("127.0.0.1", self.behind)) as inner:
            if self.log_in(connection, inner):
                self.hand_on(connection, inner)

    def log_in(self, connection, inner):
        mechanism = exchange = None
        while True:
            message = frame(connection)
            key, _, correlation = struct.unpack_from(">hhi", message)
            body = message[10 + struct.unpack_from(">h", message, 8)[0] :]
            if key == 18:
                send(inner, message)
                send(connection, with_login(frame(inner)))
            elif key == 17:
                name = body[2:].decode()
                known = name in self.mechanisms
                offered = b"".join(text(one) for one in self.mechanisms)
                send(connection, struct.pack(">ihi", correlation, 0 if known else 33, len(self.mechanisms)) + offered)
                if not known:
                    return False
                mechanism = name
            elif key == 36 and mechanism:
                exchange = exchange or self.exchange(mechanism)
                answer, done = exchange(body[4:])
                if answer is None:
                    send(connection, struct.pack(">ih", correlation, 58) + text("Wrong user or password.") + struct.pack(">i", 0))
                    return False
                send(connection, struct.pack(">ihhi", correlation, 0, -1, len(answer)) + answer)
                if done:
                    return True
            else:
                return False

    def exchange(self, mechanism):
        if mechanism == "PLAIN":
            return self.plain
        kind, salt, state = mechanism[-3:], secrets.token_bytes(16), {}

        def scram(token):
            words = dict(part.split("=", 1) for part in token.decode().replace("n,,", "").split(","))
            if not state:
                state.update(user=words["n"], bare=token.decode()[3:], nonce=words["r"] + secrets.token_hex(8))
                state["first"] = f"r={state['nonce']},s={base64.b64encode(salt).decode()},i=4096"
                return state["first"].encode(), False
            salted = hashlib.pbkdf2_hmac(f"sha{kind}", self.users.get(state["user"], "\0").encode(), salt, 4096)
            keyed = lambda key, message: hmac.new(key, message, f"sha{kind}").digest()  # noqa: E731
            signed = f"{state['bare']},{state['first']},c=biws,r={state['nonce']}".encode()
            client_key = keyed(salted, b"Client Key")
            signature = keyed(hashlib.new(f"sha{kind}", client_key).digest(), signed)
            proof = bytes(a ^ b for a, b in zip(client_key, signature))
            if base64.b64decode(words["p"]) != proof and not self.liar:
                return None, False
            self.logins.append(state["user"])
            server = b"a lie" if self.liar else keyed(keyed(salted, b"Server Key"), signed)
            return b"v=" + base64.b64encode(server), True

        return scram

    def plain(self, token):
        _, user, password = token.decode().split("\0")
        if self.users.get(user) != password:
            return None, False
        self.logins.append(user)
        return b"", True

    def hand_on(self, connection, inner):
        while True:
            message = frame(connection)
            denied = self.denied(message)
            if denied is None:
                send(inner, message)
                denied = frame(inner)
                if struct.unpack_from(">h", message)[0] == 18:
                    denied = with_login(denied)
            send(connection, denied)

    def denied(self, message):
        key, _, correlation = struct.unpack_from(">hhi", message)
        at = 10 + struct.unpack_from(">h", message, 8)[0]
        at += {19: 4, 0: 2 + 2 + 4 + 4}.get(key, 0)
        if self.prefix is None or key not in (0, 19):
            return None
        name = message[at + 2 : at + 2 + struct.unpack_from(">h", message, at)[0]].decode()
        if name.startswith(self.prefix):
            return None
        if key == 19:
            return struct.pack(">iii", correlation, 0, 1) + text(name) + struct.pack(">hh", 29, -1)
        return struct.pack(">ii", correlation, 1) + text(name) + struct.pack(">iihqqi", 1, 0, 29, -1, -1, 0)


def with_login(answer):
    """ApiVersions 3 of a broker without login, with the two keys of a login in it."""
    keys = {struct.unpack_from(">h", answer, at)[0] for at in range(7, 7 + 7 * (answer[6] - 1), 7)}
    extra = b"".join(struct.pack(">hhhb", key, 0, 1, 0) for key in (17, 36) if key not in keys)
    return answer[:6] + bytes([answer[6] + len(extra) // 7]) + extra + answer[7:]


class Page(http.server.ThreadingHTTPServer):
    """Headwater's HTTP API as the contract has it, kept in memory."""

    daemon_threads = True
    CODE = "otter-4821"
    mode = "classroom"

    def __init__(self, listeners=(), ahead=0.0, ca=None, api=True):
        super().__init__(("127.0.0.1", 0), Asked)
        self.listeners, self.ahead, self.ca, self.api = list(listeners), ahead, ca, api
        self.students, self.tokens, self.attempts, self.logins = {}, {}, 0, 0
        # users of the broker that are nobody's of the class, with their passwords
        self.others = {}
        # what else there is: an answer by path, or by "POST" and path
        self.more = {}
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Who hung up before the answer was a probe of doctor."""

    def token_for(self, user):
        token = secrets.token_hex(8)
        self.tokens[token] = user
        return token

    def about(self):
        return {
            "version": "0.1.0",
            "time_ms": int((time.time() + self.ahead) * 1000),
            "mode": self.mode,
            "cluster_id": "test",
            "listeners": self.listeners,
            "ca_fingerprint": "AA:BB" if self.ca else None,
            "https_port": None,
        }


class Asked(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json", headers=()):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(time.time() + self.server.ahead, usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def user(self):
        return self.server.tokens.get(self.headers.get("Authorization", "").replace("Bearer ", ""))

    def do_GET(self):
        page, path = self.server, self.path.split("?")[0]
        user = self.user()
        if not page.api:
            self.answer(200, "<html>Welcome to the hotel's Wi-Fi</html>", "text/html")
        elif path == "/api/server":
            self.answer(200, page.about())
        elif path in page.more:
            self.answer(200, page.more[path])
        elif path == "/ca.pem" and page.ca:
            self.answer(200, page.ca, "application/x-pem-file")
        elif path == "/api/me":
            found = page.students.get(user)
            self.answer(200, {"role": "student", "name": "Otter", "team": [user], **found} if found else {"role": "nobody"})
        elif path == "/api/settings" and user:
            self.answer(200, "# for confluent-kafka\nsasl.username=quiet-otter\nsasl.password={password}\n", "text/plain")
        else:
            self.answer(404, {"error": "There is no such page.", "fix": "Look at the address."})

    def do_POST(self):
        page, user = self.server, self.user()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Content-Type"] != "application/json":
            self.answer(415, {"error": "This is no JSON.", "fix": "Send JSON."})
        elif self.path == "/api/join":
            self.join(page, user, body)
        elif self.path == "/api/login":
            page.logins += 1
            found = page.students.get(body["user"])
            if body["user"] in page.others and page.others[body["user"]] == body["password"]:
                self.answer(403, {"error": "This user is not one of the workshop.", "fix": "Join with the code."})
            elif found and page.students[body["user"]]["secret"] == body["password"]:
                self.answer(200, {"role": "student", "user": body["user"], "id": found["id"], "token": page.token_for(body["user"])})
            else:
                self.answer(401, {"error": "Wrong user or password.", "fix": "Check both."})
        elif f"POST {self.path}" in page.more:
            self.answer(200, page.more[f"POST {self.path}"])
        elif self.path == "/api/me/password" and user:
            page.students[user]["secret"] = "new-secret"
            self.answer(200, {"password": "new-secret"})
        else:
            self.answer(404, {"error": "There is no such page.", "fix": "Look at the address."})

    def join(self, page, user, body):
        page.attempts += 1
        if page.attempts > 20:
            self.answer(429, {"error": "Too many attempts.", "fix": "Wait."}, headers=[("Retry-After", "7")])
        elif user in page.students:
            self.answer(200, {**page.students[user], "password": None, "token": page.token_for(user)})
        elif body["code"] != page.CODE:
            self.answer(403, {"error": "This is not the workshop's code.", "fix": "Look at the board."})
        else:
            name = f"quiet-otter{'' if not page.students else '-2' if body.get('invite') else '-and-more'}"
            identity = name.replace("-2", "")
            page.students[name] = {
                "id": identity,
                "user": name,
                "prefix": f"ws.{identity}.",
                "group_prefix": identity,
                "invite": f"{identity}:7F3K2M",
                "secret": f"pw-{name}",
            }
            self.answer(200, {**page.students[name], "password": f"pw-{name}", "token": page.token_for(name)})
