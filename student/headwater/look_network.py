"""Steps from the name of the broker to the address that it sends its clients to."""

from __future__ import annotations

import ipaddress
import socket
import ssl

from headwater import probe, surroundings
from headwater.http import Answer, HttpError, Server, plain
from headwater.scram import ScramError
from headwater.steps import Fault, Skip
from headwater.target import Target, join_address, listeners_of
from headwater.wire import LEADER_NOT_AVAILABLE, Connection, Refused, Silent, WireError, clean, dial

TIMEOUT = 5.0
SKEW = 60.0
UNKNOWN_ISSUER = {18, 19, 20, 21, 24, 27}
EXPIRED, NOT_YET, WRONG_NAME, WRONG_ADDRESS = 10, 9, 62, 64


def is_loopback(host: str) -> bool:
    if host.lower() in ("localhost", "localhost.localdomain"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Network:
    def __init__(self, target: Target, known: dict, timeout: float = TIMEOUT):
        self.target, self.known, self.timeout = target, known, timeout
        self.http: Answer | None = None
        self.skew: float | None = None
        self.context: ssl.SSLContext | None = None
        self.metadata = None
        self.own_address = None
        # where the broker says that it is: what comes after the metadata goes there, as a client does
        self.place = (target.host, target.port)

    # --- name, HTTP, TCP

    def name(self) -> str:
        host = self.target.host
        try:
            found = socket.getaddrinfo(host, self.target.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as reason:
            raise Fault("name-unknown", f"{host} is not known: {plain(reason)}") from reason
        addresses = list(dict.fromkeys(row[4][0] for row in found))
        return host if addresses == [host] else f"{host} is {', '.join(addresses[:3])}"

    def page(self) -> str:
        target = self.target
        server = Server(target.base, None, target.ca if target.base.startswith("https") else None, 3.0)
        try:
            self.http = server.ask("/api/server")
        except HttpError as reason:
            self.http = getattr(reason, "answer", None)
            if reason.status == 0 and not target.base_is_sure:
                raise Skip(f"no web page at {target.base} (give it with --server)") from reason
            if reason.status == 0:
                raise Fault("no-page", str(reason)) from reason
        self.skew = self.http.clock_ahead() if self.http else None
        about = self.http.json() if self.http else None
        if isinstance(about, dict) and "listeners" in about:
            self._learn(about)
            return f"{target.base}, Headwater {about.get('version')}, {about.get('mode')}"
        if self.http and self.http.status == 404 and self._is_headwater(server):
            return f"{target.base}, an older Headwater"
        if not target.base_is_sure:
            self.http = self.skew = None
            raise Skip(f"{target.base} is something else (give Headwater's page with --server)")
        self.http = self.skew = None
        raise Fault("sign-in-page", f"{target.base} is not Headwater's web page.")

    @staticmethod
    def _is_headwater(server):
        try:
            return server.ask("/healthz").status == 200 and "headwater" in server.ask("/").text().lower()
        except HttpError:
            return False

    def _learn(self, about):
        """Which address a client should have: of the listener with this protocol, or of the first."""
        rows = listeners_of(about)
        rows.sort(key=lambda row: row.get("protocol") != self.target.protocol)
        if rows:
            self.known["should"] = clean(join_address(rows[0]["host"], rows[0]["port"]))

    def tcp(self) -> str:
        target, address = self.target, self.target.address
        try:
            with dial(target.host, target.port, self.timeout) as connected:
                self.own_address = connected.getsockname()[0]
        except ConnectionRefusedError as reason:
            box = surroundings.inside()
            if is_loopback(target.host) and box and not self._page_is_there():
                raise Fault("localhost-elsewhere", f"{address} refused the connection, and this is {box}.", box=box) from reason
            raise Fault("refused", f"{address} refused the connection.") from reason
        except OSError as reason:
            raise Fault("port-blocked" if self._page_is_there() else "no-answer", f"{address}: {plain(reason)}") from reason
        return f"{address} takes connections"

    def _page_is_there(self):
        """Only a web page on the same computer says something about its other port."""
        if self.http is None:
            return False
        page = self.target.base.split("://", 1)[1].rsplit(":", 1)[0].strip("[]")
        return page == self.target.host

    # --- TLS

    def tls(self) -> str:
        target = self.target
        if not target.tls:
            raise Skip("not used here")
        try:
            self.context = probe.context(target.ca, target.check_name, target.verify)
        except probe.BadAuthority as reason:
            raise Fault("ca-unreadable", f"{target.ca}: {reason}", ca=target.ca, given=str(reason)) from reason
        with self._secured(target.host, target.port) as secured:
            version, until = secured.version(), secured.getpeercert().get("notAfter") if target.verify else None
        return f"{version}, certificate holds until {until}" if until else f"{version}, certificate not looked at"

    def _secured(self, host, port):
        try:
            return self.context.wrap_socket(dial(host, port, self.timeout), server_hostname=host)
        except ssl.SSLCertVerificationError as reason:
            raise self._not_trusted(reason, host, port) from reason
        except (ssl.SSLError, OSError, ValueError) as reason:
            raise self._no_tls(reason, host, port) from reason

    def _not_trusted(self, reason, host, port):
        code, told, ca = reason.verify_code, plain(reason), self.target.ca
        if code in (WRONG_NAME, WRONG_ADDRESS):
            names = self._certified_names(host, port)
            better = next((name for name in names if not name.startswith("*") and not is_loopback(name)), names[0] if names else host)
            shown = ", ".join(names) or "no name at all"
            return Fault("wrong-name", f"{join_address(host, port)}: {told}", host=host, names=shown, should=join_address(better, port))
        if code == NOT_YET or (code == EXPIRED and self.skew is not None and abs(self.skew) > SKEW):
            if self.skew is not None and abs(self.skew) <= SKEW:
                return Fault("expired", told)
            return Fault("clock", told, seconds=self.skew_in_words() or "behind, it seems")
        if code == EXPIRED:
            return Fault("expired", told)
        if ca:
            return Fault("wrong-ca", told, ca=ca)
        return Fault("private-ca", told)

    def _certified_names(self, host, port):
        lenient = probe.context(self.target.ca, check_name=False)
        try:
            with lenient.wrap_socket(dial(host, port, self.timeout), server_hostname=host) as secured:
                return probe.names_in(secured.getpeercert())
        except (OSError, ValueError):
            return []

    def _no_tls(self, reason, host, port):
        try:
            kind, _ = probe.what_speaks(host, port, min(self.timeout, 3.0))
        except OSError:
            kind = probe.OTHER
        address = join_address(host, port)
        if kind in (probe.KAFKA, probe.KAFKA_LOGIN):
            right = "SASL_PLAINTEXT" if kind == probe.KAFKA_LOGIN else "PLAINTEXT"
            return Fault("tls-not-wanted", f"{address} answers without TLS.", protocol=right)
        if kind == probe.HTTP:
            return Fault("http-port", f"{address} answers as a web server.")
        if kind == probe.SILENT:
            return Fault("silent-port", f"{address} takes the connection and does not answer.")
        return Fault("tls-failed", f"{address}: {plain(reason)}", given=plain(reason))

    def skew_in_words(self):
        if self.skew is None:
            return None
        amount = abs(self.skew)
        shown = f"{amount:.0f} seconds" if amount < 120 else f"{amount / 60:.0f} minutes" if amount < 5400 else f"{amount / 3600:.0f} hours"
        return f"{shown} {'behind' if self.skew > 0 else 'ahead'}"

    # --- Kafka, SASL

    def connect(self, host=None, port=None) -> Connection:
        """As far as the settings go without logging in."""
        host, port = (host, port) if host else self.place
        connected = self._secured(host, port) if self.context else dial(host, port, self.timeout)
        return Connection(connected, self.timeout)

    def kafka(self) -> str:
        address = self.target.address
        try:
            with self.connect() as asked:
                served = asked.api_versions()
        except (WireError, OSError) as reason:
            raise self._no_kafka(reason, address) from reason
        except Refused as reason:
            raise Fault("not-kafka", f"{address} answers ApiVersions with {reason}.") from reason
        self.served = served
        return f"a broker with {len(served)} kinds of requests"

    def _no_kafka(self, reason, address):
        kind = probe.SILENT if isinstance(reason, Silent) else probe.OTHER
        if not self.target.tls:
            try:
                kind, _ = probe.what_speaks(self.target.host, self.target.port, min(self.timeout, 3.0))
            except OSError:
                pass
        elif getattr(reason, "first", b"")[:4] == b"HTTP":
            kind = probe.HTTP
        if kind == probe.TLS:
            return Fault("tls-wanted", f"{address} speaks TLS only.", protocol="SASL_SSL" if self._wants_login_in_tls() else "SSL")
        if kind == probe.HTTP:
            return Fault("http-port", f"{address} answers as a web server.")
        if kind == probe.SILENT:
            return Fault("silent-port", f"{address} takes the connection and does not answer.")
        return Fault("not-kafka", f"{address} does not answer as a broker ({reason}).")

    def _wants_login_in_tls(self):
        host, port = self.target.host, self.target.port
        try:
            secured = probe.context(verify=False).wrap_socket(dial(host, port, self.timeout), server_hostname=host)
            with Connection(secured, self.timeout) as asked:
                return probe.wanted(asked) is not None
        except (OSError, ValueError, WireError, Refused):
            return self.target.login or bool(self.target.user)

    def sasl(self) -> str:
        target = self.target
        if not target.login:
            return self._without_login()
        with self.connect() as asked:
            offered = probe.wanted(asked)
        plainly = "SSL" if target.tls else "PLAINTEXT"
        if offered is None:
            raise Fault("login-not-wanted", f"{target.address} is without login.", protocol=plainly)
        target.mechanism = target.mechanism or self._best(offered)
        if target.mechanism not in offered:
            shown = ", ".join(offered) or "none"
            raise Fault(
                "mechanism-not-offered",
                f"{target.address} does not offer {target.mechanism}.",
                given=target.mechanism,
                offered=shown,
                mechanism=self._best(offered),
            )
        if not target.user or not target.password:
            missing = "the user" if not target.user else "the password"
            raise Fault("no-credentials", f"{missing} is not given.", given=missing, user=target.shown_user)
        self._try_login(target.user, target.password)
        return f"{target.mechanism} as {target.user}"

    def _without_login(self):
        try:
            with self.connect() as asked:
                asked.api_versions()
                asked.metadata([])
        except (WireError, Refused) as reason:
            with self.connect() as asked:
                offered = probe.wanted(asked)
            right = "SASL_SSL" if self.target.tls else "SASL_PLAINTEXT"
            found = {"protocol": right, "mechanism": self._best(offered or ()), "user": self.target.shown_user}
            raise Fault(
                "no-login", f"{self.target.address} wants a login ({', '.join(offered or ()) or 'it hangs up without one'}).", **found
            ) from reason
        raise Skip("no login here")

    @staticmethod
    def _best(offered):
        return next((name for name in ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN") if name in offered), "SCRAM-SHA-256")

    def _try_login(self, user, password):
        target = self.target
        try:
            with self._login(user, password):
                return
        except ScramError as reason:
            raise Fault("server-unproven", str(reason)) from reason
        except (Refused, WireError) as reason:
            told = str(reason)
        if any(mistake.cause == "stray-characters" for mistake in target.mistakes):
            which = next(mistake.found["given"] for mistake in target.mistakes if mistake.cause == "stray-characters")
            raise Fault("stray-characters", told, given=which)
        try:
            with self._login(password, user):
                raise Fault("swapped", told, user=password)
        except (Refused, WireError, ScramError):
            raise Fault("wrong-password", told) from None

    def _login(self, user, password, host=None, port=None):
        asked = self.connect(host, port)
        asked.socket.settimeout(self.timeout * 3)  # a failed login is answered late on purpose
        try:
            asked.log_in(self.target.mechanism, user, password)
        except BaseException:
            asked.close()
            raise
        asked.socket.settimeout(self.timeout)
        return asked

    def open(self, host=None, port=None) -> Connection:
        target = self.target
        return self._login(target.user, target.password, host, port) if target.login else self.connect(host, port)

    def open_leader(self, topic: str, partition: int) -> Connection:
        """The broker that has this partition. Of a single one it is clear who that is."""
        with self.open() as asked:
            found = asked.metadata([topic])
        if len(found.brokers) < 2:
            return self.open()
        node = next((row.leaders.get(partition, -1) for row in found.topics if row.name == topic), -1)
        leader = next((broker for broker in found.brokers if broker.node == node), None)
        if leader is None:
            raise Refused(LEADER_NOT_AVAILABLE)
        return self.open(leader.host, leader.port)

    def open_coordinator(self, group: str) -> Connection:
        """The broker that has this group."""
        if not self.metadata or len(self.metadata.brokers) < 2:
            return self.open()
        with self.open() as asked:
            error, host, port = asked.coordinator(group)
        if error:
            raise Refused(error)
        return self.open(host, port)

    # --- metadata, advertised address

    def ask_metadata(self) -> str:
        try:
            with self.open() as asked:
                self.metadata = asked.metadata()
        except (WireError, Refused, OSError) as reason:
            raise Fault("not-kafka", f"No list of topics came: {reason}") from reason
        if not self.metadata.brokers:
            raise Fault("not-kafka", "The broker names no broker to go to.")
        return f"cluster {self.metadata.cluster_id}, {len(self.metadata.topics)} topics"

    def advertised(self) -> str:
        for broker in self.metadata.brokers:
            if (broker.host, broker.port) != (self.target.host, self.target.port):
                self._reach(broker)
        first = self.metadata.brokers[0]
        self.place = (first.host, first.port)
        return ", ".join(join_address(broker.host, broker.port) for broker in self.metadata.brokers[:3])

    def _reach(self, broker):
        shown = join_address(broker.host, broker.port)
        try:
            socket.getaddrinfo(broker.host, broker.port)
        except (OSError, UnicodeError) as reason:
            raise Fault(
                "advertised-unknown", f"The broker sends its clients to {shown}, a name that is not known here.", advertised=shown
            ) from reason
        try:
            with self.connect(broker.host, broker.port) as asked:
                asked.api_versions()
        except Fault as fault:
            if fault.cause == "wrong-name":
                raise
            raise Fault("advertised-dead", f"The broker sends its clients to {shown}: {fault.what}", advertised=shown) from fault
        except (OSError, WireError, Refused) as reason:
            cause = "advertised-localhost" if is_loopback(broker.host) and not is_loopback(self.target.host) else "advertised-dead"
            told = plain(reason) if isinstance(reason, OSError) else str(reason)
            raise Fault(cause, f"The broker sends its clients to {shown}: {told}.", advertised=shown) from reason
