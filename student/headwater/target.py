"""Which broker doctor looks at, as whom, and with which settings: out of its arguments, a file, and what `join` kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from headwater import clientconfig, settings
from headwater.http import HttpError, Server, base_of
from headwater.wire import clean

STREAMS = ("ecommerce-events", "iot-sensor-data", "social-media-feed", "financial-transactions")
TOOL_GROUPS = ("spark-kafka-source-", "console-consumer-", "perf-consumer-")


@dataclass
class Target:
    host: str
    port: int
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password: str | None = None
    ca: str | None = None
    check_name: bool = True
    verify: bool = True
    base: str = ""
    base_is_sure: bool = False
    prefix: str | None = None
    group_prefix: str | None = None
    group: str | None = None
    topic: str | None = None
    file: str | None = None
    mistakes: list = field(default_factory=list)
    settings_read: str = ""

    @property
    def tls(self) -> bool:
        return self.protocol.endswith("SSL")

    @property
    def login(self) -> bool:
        return self.protocol.startswith("SASL")

    @property
    def address(self) -> str:
        return join_address(self.host, self.port)

    @property
    def shown_user(self) -> str:
        """A user name out of a file may be the password, put in the wrong line: it is not shown."""
        return self.user if self.user and not self.file else "YOU"

    def doctor_topic(self) -> str:
        if self.prefix:
            return f"{self.prefix}doctor"
        return f"ws.{identity_of(self.user)}.doctor" if self.user else "headwater-doctor"

    def is_own(self, topic: str) -> bool:
        own = f"processed-social-feed.{self.group_prefix}"
        return self.prefix is None or topic.startswith(self.prefix) or topic == own

    def is_own_group(self, group: str) -> bool:
        return self.group_prefix is None or group.startswith((self.group_prefix, *TOOL_GROUPS))


def identity_of(user: str) -> str:
    """The partner quiet-otter-2 shares the names of quiet-otter."""
    return re.sub(r"-\d+$", "", user)


def join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(text: str) -> tuple:
    """Of the first broker in a list. Raises HttpError with a sentence."""
    first = text.split(",")[0].strip().strip("\"'")
    first = re.sub(r"^[A-Za-z_]+://", "", first).rstrip("/")
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:\s]+)(?::(\d+))?", first)
    port = int(found[2] or found[4] or 9092) if found else 0
    if not found or not 0 < port < 65536:
        raise HttpError(f"{clean(text)!r} is no address of a broker.", "An address is HOST:PORT, for example 192.168.1.20:9092")
    return found[1] or found[3], port


def choose(arguments) -> Target:
    """`arguments`: address, server, config, user, password, mechanism, tls, ca, listener, topic, group. Raises HttpError, ConfigError."""
    kept = _kept(arguments)
    config = clientconfig.read(arguments.config) if arguments.config else None
    told = arguments.address or (config.get("bootstrap.servers") if config else None)
    if told:
        host, port = split_address(told)
        target = Target(host, port)
        listener = _listener_at(kept, host, port)
    else:
        listener = _listener_named(_refreshed(kept) if kept else _ask_around(arguments), arguments.listener)
        target = Target(str(listener["host"]), int(listener["port"]))
    if config:
        _take_config(target, config, kept, listener)
    else:
        _take_arguments(target, arguments, kept, listener)
    _take_kept(target, arguments, kept)
    target.topic, target.group = arguments.topic or target.topic, arguments.group or target.group
    return target


def _kept(arguments):
    if arguments.server:
        return settings.load(base_of(arguments.server))
    came_from = settings.served_from()
    return settings.load(base_of(came_from)) if came_from else settings.load()


def _refreshed(kept):
    """The addresses of today: the instructor may have changed them since the student joined."""
    try:
        found = Server(kept["server"], None, kept.get("ca"), 3.0).ask("/api/server").json()
    except (HttpError, OSError):
        return kept
    return {**kept, "listeners": found["listeners"]} if listeners_of(found) else kept


def _ask_around(arguments):
    """A server that was not joined still says where its ports are."""
    given = arguments.server or settings.served_from()
    if not given:
        raise HttpError("It is not known which broker to look at.", "Join first, or give an address: doctor HOST:PORT")
    base = base_of(given)
    found = Server(base, None, arguments.ca).ask("/api/server").json()
    if not isinstance(found, dict):
        raise HttpError(f"{base} is not Headwater.", "Give the broker's address: doctor HOST:PORT")
    return {"server": base, "listeners": found.get("listeners")}


def listeners_of(about) -> list:
    """The rows that can be used, whatever a server sent."""
    found = about.get("listeners") if isinstance(about, dict) else None
    rows = found if isinstance(found, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("host"), str) and isinstance(row.get("port"), int)]


def _listener_at(kept, host, port):
    return next((row for row in listeners_of(kept) if row["host"] == host and row["port"] == port), None)


def _listener_named(kept, name):
    rows = listeners_of(kept)
    chosen = next((row for row in rows if name in (row.get("name"), row.get("protocol"))), None) if name else next(iter(rows), None)
    if chosen is None:
        known = ", ".join(clean(str(row.get("name"))) for row in rows) or "none"
        raise HttpError(
            f"The server has no listener {name or ''} (it has: {known}).".replace("  ", " "), "Give the broker's address: doctor HOST:PORT"
        )
    return chosen


def _take_arguments(target, arguments, kept, listener):
    same = kept is not None and (listener is not None or not arguments.address)
    target.user = arguments.user or (kept.get("user") if same else None)
    known = kept and kept.get("user") == target.user
    target.password = arguments.password or (kept.get("password") if known else None)
    target.mechanism = arguments.mechanism
    target.ca = arguments.ca or (kept.get("ca") if same else None)
    if listener and not (arguments.tls or arguments.user):
        target.protocol = str(listener.get("protocol") or "PLAINTEXT")
    else:
        tls = arguments.tls or bool(arguments.ca) or str((listener or {}).get("protocol")).endswith("SSL")
        target.protocol = ("SASL_" if target.user else "") + ("SSL" if tls else "PLAINTEXT")


def _take_config(target, config, kept, listener):
    target.file, target.settings_read = config.file, f"{config.file}: {len(config.values)} settings"
    known = {key: kept.get(key) for key in ("user", "password", "group_prefix")} if kept else {}
    known["protocol"] = (listener or {}).get("protocol")
    target.mistakes = clientconfig.mistakes(config, known)
    given = config.get("security.protocol") or "PLAINTEXT"
    target.protocol = given.upper() if given.upper() in clientconfig.PROTOCOLS else clientconfig.protocol_meant(given) or "PLAINTEXT"
    mechanism = config.get("sasl.mechanism")
    target.mechanism = mechanism if mechanism in clientconfig.MECHANISMS else clientconfig.mechanism_meant(mechanism or "")
    target.user, target.password = config.get("sasl.username"), config.get("sasl.password")
    target.ca = config.get("ssl.ca.location")
    if target.ca and not Path(target.ca).is_absolute() and not Path(target.ca).exists():
        beside = Path(config.file).parent / target.ca
        target.ca = str(beside) if beside.exists() else target.ca
    off = (
        config.get("ssl.endpoint.identification.algorithm", "https").lower() in ("", "none"),
        config.get("ssl.check.hostname", "").lower() == "false",
    )
    target.check_name = not any(off)
    target.verify = config.get("enable.ssl.certificate.verification", "true").lower() != "false"
    target.group, target.topic = config.get("group.id"), config.get("topic")


def _take_kept(target, arguments, kept):
    if kept:
        target.base, target.base_is_sure = kept["server"], True
        if target.user is None or identity_of(target.user) == kept.get("id"):
            target.prefix, target.group_prefix = kept.get("prefix"), kept.get("group_prefix")
        if arguments.address and not arguments.server and _listener_at(kept, target.host, target.port) is None:
            # another broker than the one that was joined
            target.base, target.base_is_sure = "", False
            if target.user is None:
                target.prefix = target.group_prefix = None
    given = arguments.server or settings.served_from()
    if not target.base and given:
        target.base, target.base_is_sure = base_of(given), True
    if not target.base:
        target.base = f"http://{join_address(target.host, 8080)}"
    if target.prefix is None and target.user and target.login and target.user not in ("instructor", "admin"):
        identity = identity_of(target.user)
        target.prefix, target.group_prefix = f"ws.{identity}.", identity
