"""What the scripts of all challenges import: who you are, your ticket, and the check of your answer.

It needs nothing but Python (3.9 or later) and reads what `join` kept in ~/.headwater. Without that it looks for a server for one person
on this computer. HEADWATER_SERVER names another one, HEADWATER_USER and HEADWATER_PASSWORD another user.

    import workshop

    ticket = workshop.ticket("c02")     # which records the challenge is about: yours, and others each time
    settings = workshop.confluent()     # address and login for confluent-kafka, a dict
    workshop.check("c02")               # is the answer in the results topic right?
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

USUAL_SERVER = "http://127.0.0.1:8080"
# A check waits for records that do not exist yet when it is asked. All else is answered at once, or, while a broker of a cluster is being
# replaced, after some seconds.
PATIENCE, ANSWER = 120, 30
# Which listener to take where there are several: one in clear needs no certificate.
PREFER_TLS = False

if hasattr(sys.stdout, "reconfigure"):
    # Hashtags and texts have letters that some Windows consoles lack: a question mark is better than an end.
    sys.stdout.reconfigure(errors="replace")


@dataclass(frozen=True)
class Ticket:
    """Which records an answer is about."""

    challenge: str
    nonce: str
    """Goes with every part of the answer, so that it counts for this ticket."""
    topics: dict[str, dict[int, tuple[int, int]]]
    """By topic and partition: the first offset, and the first one that is not part of it any more."""
    results: str | None
    """The topic that takes your answer."""

    @property
    def topic(self) -> str:
        return next(iter(self.topics))

    @property
    def ranges(self) -> dict[int, tuple[int, int]]:
        return self.topics[self.topic]

    @property
    def length(self) -> int:
        """How many records it is about, in all topics."""
        return sum(end - start for ranges in self.topics.values() for start, end in ranges.values())

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """For `produce` and `send`: the header that names the ticket."""
        return [("ticket", self.nonce.encode())]


def ticket(challenge: str) -> Ticket:
    """A new ticket. Part of its records do not exist yet: a script that reads them waits for the last ones."""
    return _ticket(_server().ask(f"/api/ticket/{challenge}", {}))


def pasted_ticket(line: str) -> Ticket:
    """The ticket in a line that `headwater.pyz ticket` printed, for a place that does not reach the server."""
    coded = "".join(line.split()).strip("'\"").removeprefix("WT1.")
    try:
        return _ticket(json.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WorkshopError("This is no ticket.", "Copy the whole line that begins with WT1.: python headwater.pyz ticket cNN") from None


def _ticket(found: dict) -> Ticket:
    topics = {
        topic: {int(partition): (start, end) for partition, (start, end) in ranges.items()} for topic, ranges in found["ranges"].items()
    }
    _tickets[found["challenge"]] = found["nonce"]
    return Ticket(found["challenge"], found["nonce"], topics, found.get("results"))


def check(challenge: str) -> dict:
    """Has the answer in your results topic judged, prints the verdict and returns it. The ticket is the one that this script took: your
    partner's computer may have taken a newer one meanwhile."""
    taken = _tickets.get(challenge)
    return _judged(challenge, {"ticket": taken} if taken else {})


def submit(challenge: str, **receipt) -> dict:
    """Hands in a receipt, prints the verdict and returns it."""
    return _judged(challenge, {"receipt": receipt})


def confluent(**more) -> dict:
    """Address and login for confluent-kafka."""
    listener, server = _listener(), _server()
    settings = {"bootstrap.servers": _address(listener)}
    if listener["protocol"] != "PLAINTEXT":
        settings["security.protocol"] = listener["protocol"]
    if listener["protocol"].startswith("SASL"):
        user, password = _login(listener)
        settings.update({"sasl.mechanism": _mechanism(listener), "sasl.username": user, "sasl.password": password})
    if listener["protocol"].endswith("SSL") and server.ca:
        settings["ssl.ca.location"] = server.ca
    return {**settings, **more}


def kafka_python(**more) -> dict:
    """Address and login for kafka-python."""
    listener, server = _listener(), _server()
    settings = {"bootstrap_servers": _address(listener)}
    if listener["protocol"] != "PLAINTEXT":
        settings["security_protocol"] = listener["protocol"]
    if listener["protocol"].startswith("SASL"):
        user, password = _login(listener)
        settings.update(sasl_mechanism=_mechanism(listener), sasl_plain_username=user, sasl_plain_password=password)
    if listener["protocol"].endswith("SSL") and server.ca:
        settings["ssl_cafile"] = server.ca
    return {**settings, **more}


def identity() -> str:
    """Who you are in this workshop."""
    return _server().identity


def group(name: str) -> str:
    """A group id that is yours: another's group would take half of the records away."""
    return f"{identity()}-{name}"


def todo(what: str) -> None:
    """Ends a script that is not finished, and says what is missing."""
    caller = sys._getframe(1)
    file = Path(caller.f_code.co_filename)
    # The code of a notebook's cell is in no file that anybody knows.
    name = file.name if file.suffix == ".py" and "ipykernel" not in str(file) else "this cell"
    print(f"\nStill to do ({name}, line {caller.f_lineno}):\n  {what}")
    raise SystemExit(0)


class WorkshopError(SystemExit):
    """Ends the script with what happened and what to do next, instead of a traceback."""

    def __init__(self, sentence: str, fix: str = "", status: int = 0):
        super().__init__(f"\n{sentence}\n{fix}".rstrip())
        self.status = status


class _Server:
    def __init__(self, kept: dict, alone: bool):
        self.base = kept["server"].rstrip("/")
        self.user, self.password, self.token = kept.get("user"), kept.get("password"), kept.get("token")
        self.identity = kept.get("id") or (re.sub(r"-\d+$", "", self.user) if self.user else "me")
        self.ca, self.alone, self.kept_listeners = _authority(kept.get("ca")), alone, kept.get("listeners") or []
        context = ssl.create_default_context(cafile=self.ca) if self.base.startswith("https") else None
        # Kafka clients do not ask a proxy either.
        handlers = [urllib.request.ProxyHandler({})] + ([urllib.request.HTTPSHandler(context=context)] if context else [])
        self.opener = urllib.request.build_opener(*handlers)
        self.listeners: list[dict] = []

    def ask(self, path: str, body: dict | None = None):
        """The answer to a question. Logs in where the session has ended."""
        try:
            return self._ask(path, body)
        except WorkshopError as reason:
            if reason.status != 401 or not (self.user and self.password):
                raise
        self.token = self._ask("/api/login", {"user": self.user, "password": self.password})["token"]
        return self._ask(path, body)

    def _ask(self, path, body):
        headers = {"Accept": "application/json", "User-Agent": "headwater-workshop.py"}
        if self.token and path != "/api/login":
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body, default=_json).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            patience = PATIENCE if path.startswith("/api/check/") else ANSWER
            with self.opener.open(urllib.request.Request(self.base + path, data, headers), timeout=patience) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as reason:
            raise self._refused(reason) from None
        except (OSError, ValueError) as reason:
            raise self._unreachable(reason) from None

    def _refused(self, reason):
        try:
            found = json.loads(reason.read())
            sentence, fix = _sentence(str(found["error"])), _sentence(str(found.get("fix") or ""))
        except (ValueError, KeyError, TypeError):
            sentence, fix = f"{self.base} answered with status {reason.code}.", "Is it Headwater, and the newest one?"
        if reason.code in (401, 403) and not self.user:
            fix = "Join the workshop first: python headwater.pyz join CODE   (joined in the browser: python headwater.pyz login USER)"
        return WorkshopError(sentence, fix, reason.code)

    def _unreachable(self, reason):
        why = getattr(reason, "reason", None) or reason
        why = getattr(why, "strerror", None) or why
        if self.alone:
            fix = "Join the workshop first: python headwater.pyz join CODE   (or start `headwater` on this computer)"
        else:
            fix = "Open that address in a browser. `python headwater.pyz doctor` looks for the reason."
        return WorkshopError(f"{self.base} does not answer ({why}).", fix)


def _authority(kept: str | None) -> str | None:
    """The server's certificate authority: where `join` put it, or beside this file where another computer joined."""
    beside = Path(__file__).with_name("ca.pem")
    return kept if kept and Path(kept).is_file() else str(beside) if beside.is_file() else None


_known: _Server | None = None
# The last ticket of each challenge that this script took.
_tickets: dict[str, str] = {}


def _server() -> _Server:
    global _known
    if _known is None:
        _known = _chosen()
    return _known


def _chosen() -> _Server:
    base, user = os.environ.get("HEADWATER_SERVER"), os.environ.get("HEADWATER_USER")
    if base and "://" not in base:
        base = f"http://{base}"
    kept = _kept(base)
    if user:
        password = os.environ.get("HEADWATER_PASSWORD")
        server = base or kept.get("server") or USUAL_SERVER
        return _Server({"server": server, "user": user, "password": password, "ca": kept.get("ca")}, alone=False)
    return _Server(kept or {"server": base or USUAL_SERVER}, not kept and not base)


def _kept(base: str | None) -> dict:
    """What `join` wrote down: of this server, or of the one joined last."""
    folder = Path(os.environ.get("HEADWATER_HOME") or Path.home() / ".headwater")
    try:
        for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True):
            found = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(found, dict) and isinstance(found.get("server"), str) and base in (None, found["server"]):
                return found
    except (OSError, ValueError):
        pass
    return {}


def _listener() -> dict:
    """The port to use."""
    server = _server()
    if not server.listeners:
        try:
            server.listeners = server.ask("/api/server").get("listeners") or []
        except WorkshopError as reason:
            # Kafka may be reached where the page is not.
            if reason.status or not server.kept_listeners:
                raise
            server.listeners = list(server.kept_listeners)
        server.listeners.sort(key=lambda listener: listener["protocol"].endswith("SSL") != PREFER_TLS)
    lets_in = lambda one: server.password or one.get("login") or not one["protocol"].startswith("SASL")  # noqa: E731
    usable = [listener for listener in server.listeners if lets_in(listener)]
    if not usable:
        raise WorkshopError(
            "The broker asks for a password, and none is known on this computer.",
            "Log in with `python headwater.pyz login USER`, or get a new password: python headwater.pyz new-password",
        )
    return usable[0]


def _address(listener) -> str:
    host = listener["host"]
    return f"[{host}]:{listener['port']}" if ":" in host else f"{host}:{listener['port']}"


def _login(listener) -> tuple[str, str]:
    """Of Kafka. A cluster that is not Headwater's has users of its own."""
    shared = listener.get("login")
    if shared is None:
        return _server().user, _server().password
    user = shared.get("user") or os.environ.get("HEADWATER_KAFKA_USER")
    password = shared.get("password") or os.environ.get("HEADWATER_KAFKA_PASSWORD")
    if not user or not password:
        raise WorkshopError(
            "This Kafka cluster has users of its own, and yours is not known here.",
            "Ask the instructor for it, and put it into the variables HEADWATER_KAFKA_USER and HEADWATER_KAFKA_PASSWORD",
        )
    return user, password


def _mechanism(listener) -> str:
    offered = listener.get("mechanisms") or []
    return next((name for name in ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN") if name in offered), "SCRAM-SHA-256")


def _judged(challenge, body):
    verdict = _server().ask(f"/api/check/{challenge}", body)
    print(f"\n{text(verdict)}")
    return verdict


def text(verdict: dict) -> str:
    """A verdict as it is printed."""
    return verdict.get("text") or f"{verdict['challenge'].upper()}: {verdict['status']}. {verdict['message']}"


def _sentence(words: str) -> str:
    words = words[:1].upper() + words[1:]
    return words if not words or words[-1] in ".!?)`" else f"{words}."


def _json(value):
    """Tuples and lists are JSON already; what is neither (bytes, an error) goes as the text that it prints as."""
    return repr(value)
