"""The broker's HTTP API. A proxy named in the environment is not asked: Kafka clients do not ask it either."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from headwater import __version__
from headwater.wire import clean

MOST_BYTES = 4 * 1024 * 1024


class HttpError(Exception):
    """What happened and what to do next, each in one sentence. `status` is 0 where no answer came."""

    def __init__(self, sentence: str, fix: str = "", status: int = 0, cause: Exception | None = None):
        super().__init__(sentence)
        self.fix, self.status, self.cause = fix, status, cause


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes
    sent: float
    got: float

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def clock_ahead(self):
        """Seconds by which the server's clock is ahead of ours, or None where it does not tell the time."""
        found = self.json()
        middle = (self.sent + self.got) / 2
        if isinstance(found, dict) and isinstance(found.get("time_ms"), (int, float)):
            return found["time_ms"] / 1000 - middle
        try:
            # the header has whole seconds: half of one is added
            return parsedate_to_datetime(self.headers["date"]).timestamp() + 0.5 - middle
        except (KeyError, TypeError, ValueError):
            return None


def base_of(address: str) -> str:
    """http://host:port of what a person types: `host`, `host:port`, or an address out of a browser."""
    with_scheme = address if "://" in address else "http://" + address
    try:
        parts = urlsplit(with_scheme)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HttpError(f"{clean(address)} is no address of a web page.", "Give it as http://HOST:8080")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = 8080 if with_scheme != address else 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}:{port or usual}"


class Server:
    def __init__(self, base: str, token: str | None = None, ca: str | None = None, timeout: float = 5.0):
        self.base, self.token, self.timeout = base, token, timeout
        context = ssl.create_default_context(cafile=ca) if base.startswith("https") else None
        handlers = [urllib.request.ProxyHandler({})] + ([urllib.request.HTTPSHandler(context=context)] if context else [])
        self.opener = urllib.request.build_opener(*handlers)

    def ask(self, path: str, body=None, method: str | None = None, **query) -> Answer:
        """Any answer below 400. Raises HttpError with the server's own words otherwise."""
        url = self.base + path + ("?" + urlencode(query) if query else "")
        headers = {"User-Agent": f"headwater-tool/{__version__}", "Accept": "*/*"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data, headers, method=method or ("GET" if data is None else "POST"))
        sent = time.time()
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                found = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, found, answer.read(MOST_BYTES), sent, time.time())
        except urllib.error.HTTPError as reason:
            raise self._refused(reason, sent) from reason
        except (OSError, ValueError, urllib.error.URLError) as reason:
            inner = reason.reason if isinstance(getattr(reason, "reason", None), Exception) else reason
            fix = "Ask for the address of the web page and open it in a browser first."
            if isinstance(inner, ssl.SSLCertVerificationError):
                fix = "Give the server's certificate authority with --ca FILE, or use its http:// address."
            raise HttpError(f"{self.base} does not answer ({plain(inner)}).", fix, 0, inner) from reason
        except Exception as reason:  # http.client has errors of its own for what is no HTTP
            raise HttpError(
                f"{self.base} does not speak HTTP.", "Give the address of the web page, not the one of the Kafka port.", 0, reason
            ) from reason

    def _refused(self, reason, sent):
        answer = Answer(reason.code, {k.lower(): v for k, v in reason.headers.items()}, reason.read(MOST_BYTES), sent, time.time())
        found = answer.json()
        if isinstance(found, dict) and isinstance(found.get("error"), str):
            fix = found.get("fix") if isinstance(found.get("fix"), str) else ""
            error = HttpError(clean(found["error"]), clean(fix), reason.code)
        elif reason.code == 404:
            error = HttpError(f"{self.base} has no such page: it is not Headwater, or another version.", "Check the address.", 404)
        else:
            error = HttpError(f"{self.base} answered with status {reason.code}.", "Ask the instructor.", reason.code)
        if reason.code == 429 and answer.headers.get("retry-after", "").isdigit():
            error.fix = f"Wait {answer.headers['retry-after']} seconds, then try again."
        error.answer = answer
        return error


def plain(reason: BaseException) -> str:
    """An error of the operating system without its number."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "its certificate is not trusted: " + clean(reason.verify_message or "")
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        return "no answer in time"
    return clean(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__)
