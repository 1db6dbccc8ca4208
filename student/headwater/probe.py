"""What a port is, found out by talking to it in three ways; and TLS contexts that are as strict as a Kafka client is."""

from __future__ import annotations

import ssl
from pathlib import Path

from headwater.wire import Closed, Connection, Refused, Silent, WireError, dial

KAFKA, KAFKA_LOGIN, TLS, HTTP, SILENT, OTHER = "kafka", "kafka with login", "tls", "http", "silent", "other"
HANDSHAKE, METADATA = 17, 3
NO_MECHANISM = "NONE-JUST-ASKING"


class BadAuthority(Exception):
    """The file of the certificate authority cannot be used."""


def context(ca: str | None = None, check_name: bool = True, verify: bool = True) -> ssl.SSLContext:
    """Raises BadAuthority. Without `ca` the authorities of the operating system count."""
    made = ssl.create_default_context() if not ca else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # Python 3.13 asks for more than Kafka clients do
    if ca:
        try:
            data = Path(ca).expanduser().read_bytes()
        except OSError as reason:
            raise BadAuthority(f"it cannot be read ({reason.strerror})") from reason
        if b"-----BEGIN CERTIFICATE-----" not in data:
            kind = "a Java keystore" if data[:4] in (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce") else "no PEM file"
            raise BadAuthority(f"it is {kind}")
        try:
            made.load_verify_locations(cadata=data.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as reason:
            raise BadAuthority("it has no certificate in it that can be read") from reason
    made.check_hostname = check_name and verify
    if not verify:
        made.verify_mode = ssl.CERT_NONE
    return made


def what_speaks(host: str, port: int, timeout: float) -> tuple:
    """(what it is, mechanisms offered). Raises OSError where nobody listens at all."""
    try:
        with Connection(dial(host, port, timeout), timeout) as asked:
            served = asked.api_versions()
        return (KAFKA, ()) if HANDSHAKE not in served else _login(host, port, timeout)
    except Refused:
        return KAFKA, ()
    except WireError as reason:
        first, silent = reason.first, isinstance(reason, Silent)
    if first[:4] == b"HTTP":
        return HTTP, ()
    if first[:2] == b"\x15\x03" or _speaks_tls(host, port, timeout):
        return TLS, ()
    if _speaks_http(host, port, timeout):
        return HTTP, ()
    return (SILENT if silent else OTHER), ()


def _login(host, port, timeout):
    with Connection(dial(host, port, timeout), timeout) as asked:
        offered = wanted(asked)
    return (KAFKA, ()) if offered is None else (KAFKA_LOGIN, offered)


def wanted(connection: Connection):
    """The mechanisms that this port offers, or None where it is without login. The connection is used up."""
    if HANDSHAKE not in connection.api_versions():
        return None
    try:
        return connection.handshake(NO_MECHANISM)
    except Refused as reason:
        return reason.mechanisms if reason.code == 33 else None
    except WireError:
        return None


def _speaks_tls(host, port, timeout):
    try:
        with dial(host, port, timeout) as plain:
            with context(verify=False).wrap_socket(plain, server_hostname=host):
                return True
    except (OSError, ValueError):
        return False


def _speaks_http(host, port, timeout):
    try:
        with dial(host, port, timeout) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\nHost: " + host.encode("idna") + b"\r\n\r\n")
            return plain.recv(4) == b"HTTP"
    except (OSError, UnicodeError):
        return False


def names_in(certificate: dict) -> list:
    """Names and addresses that a verified certificate holds for."""
    return [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


__all__ = ["BadAuthority", "Closed", "context", "names_in", "wanted", "what_speaks"]
