"""A Unity Catalog volume as the bridge's target, by the Files API of Databricks."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import ssl
import time
import urllib.request
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from headwater import __version__
from headwater.http import HttpError, plain
from headwater.landing import TAIL_BYTES, last_line
from headwater.wire import clean

TIMEOUT = 60.0
AGAIN = {408, 429, 500, 502, 503, 504}
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 1.0, 30.0, 300.0
FILES, DIRECTORIES = "/api/2.0/fs/files", "/api/2.0/fs/directories"


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    def json(self) -> dict:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def volume_path(given: str) -> str | None:
    """/Volumes/CATALOG/SCHEMA/VOLUME/... of what was typed; None for a folder of this computer. HttpError where parts are missing."""
    path = re.sub(r"^dbfs:", "", given.replace("\\", "/"))
    # Git's bash on Windows puts its own folder before a path that begins with a slash.
    path = re.sub(r"^[A-Za-z]:/.*?Git(?:/usr)?(?=/Volumes/)", "", path)
    if path != "/Volumes" and not path.startswith("/Volumes/"):
        return None
    parts = [part for part in path.split("/") if part]
    if len(parts) < 4:
        raise HttpError(
            f"{clean(given)} is no volume.", "A volume is /Volumes/CATALOG/SCHEMA/VOLUME, for example /Volumes/workspace/ws_me/ws"
        )
    return "/" + "/".join(parts)


def host_of(given: str | None) -> str:
    """https://host of DATABRICKS_HOST, however it was copied."""
    if not given:
        raise HttpError(
            "The address of the Databricks workspace is not known.",
            "Set DATABRICKS_HOST (or give --host): what stands in the browser, https://dbc-....cloud.databricks.com",
        )
    parts = urlsplit(given.strip() if "://" in given else f"https://{given.strip()}")
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise HttpError(f"{clean(given)} is no address of a workspace.", "It looks like https://dbc-....cloud.databricks.com")
    if parts.scheme == "http" and not local:
        raise HttpError("The token is not sent over http://, where everybody could read it.", "Use https://")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class FilesApi:
    """`patience`: seconds to try again in, or None to try for ever. `pause` waits; `say` tells what is waited for."""

    def __init__(self, host: str, token: str, patience: float | None = None, say=lambda line: None, pause=time.sleep):
        self.host, self.token, self.patience, self.say, self.pause = host, token, patience, say, pause
        self.parts = urlsplit(host)
        self.connection: http.client.HTTPConnection | None = None
        self.answered = False

    def call(self, method: str, path: str, body: bytes | None = None, headers=None, missing_is_fine=False, **query) -> Answer:
        """An answer of the kind 2xx (or 404). The same request is sent again until there is one: it is one that may be repeated."""
        url = quote(path, safe="/") + ("?" + urlencode(query) if query else "")
        begun, wait = time.monotonic(), FIRST_PAUSE
        while True:
            told, after = None, 0.0
            try:
                answer = self._ask(method, url, body, headers or {})
                if answer.status < 300 or (answer.status == 404 and missing_is_fine):
                    return answer
                if answer.status not in AGAIN:
                    raise self._refused(method, path, answer)
                told, after = f"answered with {answer.status}", _retry_after(answer.headers.get("retry-after"))
            except ssl.SSLCertVerificationError as reason:
                fix = "A proxy that looks into connections? Set SSL_CERT_FILE to the file with its certificate authority."
                raise HttpError(f"{self.host}: {plain(reason)}.", fix, 0, reason) from reason
            except (OSError, http.client.HTTPException) as reason:
                self._hang_up()
                if isinstance(reason, socket.gaierror) and not self.answered:
                    raise HttpError(
                        f"{self.host} is not known ({plain(reason)}).", "Compare DATABRICKS_HOST with the browser's address."
                    ) from reason
                told = f"does not answer ({plain(reason)})"
            pause = max(wait * random.uniform(0.75, 1.25), after)
            if self.patience is not None and time.monotonic() + pause - begun > self.patience:
                raise HttpError(f"{self.host} {told}, again and again.", "Start the bridge again later: it goes on where it is now.")
            self.say(f"Databricks {told}: the same again in {pause:.0f} s")
            self.pause(pause)
            wait = min(2 * wait, LONGEST_PAUSE)

    def _ask(self, method, url, body, headers) -> Answer:
        if self.connection is None:
            self.connection = self._connect()
        told = {"Authorization": f"Bearer {self.token}", "User-Agent": f"headwater-bridge/{__version__}", **headers}
        if body is not None:
            told["Content-Type"] = "application/octet-stream"
        try:
            self.connection.request(method, url, body, told)
        except BrokenPipeError:
            pass  # it may have said why before it stopped listening
        with self.connection.getresponse() as answer:
            found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        self.answered = True
        return found

    def _connect(self):
        """One connection for all requests: a new one costs more than a small file. A proxy named in the environment is asked."""
        parts = self.parts
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT)
        proxy = None if urllib.request.proxy_bypass(parts.hostname) else urllib.request.getproxies().get("https")
        context = ssl.create_default_context()
        if not proxy:
            return http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=TIMEOUT, context=context)
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = http.client.HTTPSConnection(through.hostname, through.port or 8080, timeout=TIMEOUT, context=context)
        connection.set_tunnel(parts.hostname, parts.port or 443)
        return connection

    def _hang_up(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _refused(self, method, path, answer) -> HttpError:
        self._hang_up()
        told = str(answer.json().get("message") or answer.json().get("error_code") or "").strip().rstrip(".")
        why = f"{answer.status}: {clean(told)[:300]}" if told else str(answer.status)
        volume = "/".join(path.split("/fs/", 1)[-1].split("/")[1:5])
        if answer.status == 401:
            return HttpError(
                f"Databricks does not accept the token ({why}).",
                f"Make a new one in the workspace {self.host} (Settings, Developer, Access tokens) and put it into DATABRICKS_TOKEN.",
                401,
            )
        if answer.status == 403:
            return HttpError(
                f"Databricks knows the token and refuses {method} /{volume} ({why}).",
                "Its owner needs USE CATALOG, USE SCHEMA, READ VOLUME and WRITE VOLUME there, and a token with scopes the scope `files`."
                " A workspace with a list of allowed addresses has to allow this network.",
                403,
            )
        if answer.status == 404:
            name = ".".join(volume.split("/")[1:])
            return HttpError(
                f"There is no volume /{volume} ({why}).",
                f"lakehouse.session(globals()) in a notebook makes yours; or in a SQL cell: CREATE VOLUME IF NOT EXISTS {name}",
                404,
            )
        if 300 <= answer.status < 400:
            return HttpError(
                f"{self.host} sends elsewhere ({why}): it is no workspace.", "Take DATABRICKS_HOST from the browser.", answer.status
            )
        return HttpError(f"Databricks refuses {method} {clean(path)} ({why}).", "Look at the path after --to.", answer.status)


def _retry_after(told: str | None) -> float:
    """Seconds, or a date."""
    if not told:
        return 0.0
    try:
        seconds = float(told) if told.strip().isdigit() else parsedate_to_datetime(told).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


class Volume:
    """The bridge's target. An upload shows when it is whole, and not before; one whose answer was lost is sent again under its name."""

    def __init__(self, api: FilesApi, path: str):
        self.api, self.root = api, f"{path}/landing"

    def place(self, topic: str) -> str:
        return f"{self.root}/{topic}"

    def names(self, topic: str) -> list:
        names, more = [], {}
        while True:
            answer = self.api.call("GET", DIRECTORIES + self.place(topic), None, None, True, **more)
            if answer.status == 404:
                self.api.call("PUT", DIRECTORIES + self.place(topic))
                return []
            found = answer.json()
            if not isinstance(found.get("contents", []), list) or not answer.headers.get("content-type", "").startswith("application/json"):
                raise HttpError(f"{self.api.host} does not answer as Databricks does.", "Take DATABRICKS_HOST from the browser.")
            names += [entry["name"] for entry in found.get("contents", []) if isinstance(entry.get("name"), str)]
            if not found.get("next_page_token"):
                return names
            more = {"page_token": found["next_page_token"]}

    def put(self, topic: str, name: str, data: bytes) -> None:
        self.api.call("PUT", f"{FILES}{self.place(topic)}/{name}", data, overwrite="true")

    def last_line(self, topic: str, name: str) -> bytes:
        path = f"{FILES}{self.place(topic)}/{name}"
        try:
            answer = self.api.call("GET", path, None, {"Range": f"bytes=-{TAIL_BYTES}"})
            found = last_line(answer.body, answer.status == 200)
        except HttpError as reason:
            if reason.status not in (400, 416, 501):
                raise
            found = None
        return found or last_line(self.api.call("GET", path).body, True)


def volume(path: str, host: str | None, token: str | None, patience, say, pause) -> Volume:
    host = host_of(host or os.environ.get("DATABRICKS_HOST"))
    token = (token or os.environ.get("DATABRICKS_TOKEN") or "").strip()
    if not token:
        raise HttpError(
            "There is no token for Databricks.",
            "Make one in the workspace (Settings, Developer, Access tokens) and put it into the environment as DATABRICKS_TOKEN.",
        )
    if not token.isascii() or not token.isprintable():
        raise HttpError("DATABRICKS_TOKEN has letters in it that no token has.", "Copy it again.")
    return Volume(FilesApi(host, token, patience, say, pause), path)
