"""Getting in: `join`, `login`, `whoami`, `settings`."""

from __future__ import annotations

import binascii
import getpass
import hashlib
import os
import re
import sys
from pathlib import Path

from headwater import settings
from headwater.http import HttpError, Server, base_of
from headwater.target import join_address, listeners_of
from headwater.wire import clean

NO_SERVER = HttpError("No server is known yet.", "Give its address: --server http://HOST:8080")
NOT_JOINED = HttpError(
    "You have not joined yet.",
    "Type: join CODE (the code is on the board or the instructor's screen). Joined in the browser? Type: login USER (the page shows it)",
)
INSTRUCTOR = "instructor"
NOT_A_STUDENT = HttpError(
    "This user is the instructor's, and this is the student's tool.",
    "The instructor logs in on the web page. To try the tool as a student does: join CODE",
)
PASSWORD_FROM = "HEADWATER_PASSWORD"


def chosen_server(given: str | None) -> str:
    """The one that was given, the one this program came from, the one joined last."""
    if given:
        return base_of(given)
    came_from = settings.served_from()
    if came_from:
        return base_of(came_from)
    kept = settings.load()
    if kept:
        return kept["server"]
    raise NO_SERVER


def session(given: str | None, ca: str | None = None):
    """(server with a session, what is kept of it). Logs in anew where the old session has ended."""
    base = chosen_server(given)
    kept = settings.load(base)
    if kept is None:
        raise NOT_JOINED
    server = Server(base, kept.get("token"), ca or kept.get("ca"))
    if not _is_known(server) and not _log_in_again(server, kept):
        fix = f"With a new password: login {clean(str(kept.get('user') or 'USER'))}. Lost it? The instructor can give you a new one."
        raise HttpError("The server does not know you any more: you have a new password, or were removed.", fix, 401)
    return server, kept


def _is_known(server) -> bool:
    if not server.token:
        return False
    try:
        found = server.ask("/api/me").json()
    except HttpError as reason:
        if reason.status in (401, 403):
            return False
        raise
    return isinstance(found, dict) and found.get("role") in ("student", "instructor")


def _log_in_again(server, kept) -> bool:
    if not kept.get("user") or not kept.get("password"):
        return False
    server.token = None
    try:
        found = server.ask("/api/login", {"user": kept["user"], "password": kept["password"]}).json()
    except HttpError as reason:
        if reason.status in (400, 401, 403, 404):
            return False
        raise
    if not isinstance(found, dict) or not found.get("token"):
        return False
    kept["token"] = server.token = found["token"]
    settings.save(kept)
    return True


def join(code: str, given: str | None = None, invite: str | None = None, ca: str | None = None) -> list[str]:
    """What to print. Joining twice gives the same identity: the session of the first time is shown to the server."""
    base = chosen_server(given)
    kept = settings.load(base) or {}
    server = Server(base, kept.get("token"), ca or kept.get("ca"))
    if kept and not _is_known(server) and not _log_in_again(server, kept):
        server.token = None
    body = {"code": code}
    if invite:
        body["invite"] = invite
    found = server.ask("/api/join", body).json()
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise HttpError(f"{base} is not Headwater, or not a classroom.", "Check the address with the instructor.")
    back = kept.get("user") == found.get("user") and kept.get("user") is not None
    password = found.get("password") or (kept.get("password") if back else None)
    return _arrived(server, _about(server), kept, {**found, "token": found.get("token") or server.token, "password": password})


def login(user: str, given: str | None = None, ca: str | None = None) -> list[str]:
    """What to print. For who has an identity already: joined in the browser, on another computer, or has a new password."""
    if user == INSTRUCTOR:
        raise NOT_A_STUDENT
    base = chosen_server(given)
    kept = settings.load(base) or {}
    server = Server(base, None, ca or kept.get("ca"))
    # asked before the password is: it goes to no other page, and nobody types it in vain
    about = server.ask("/api/server").json()
    if not isinstance(about, dict) or not about.get("mode"):
        raise HttpError(f"{base} is not Headwater.", "Check the address with the instructor.")
    if about["mode"] == "single":
        raise HttpError(f"{base} is for one person, and nobody logs in there.", "The tool works without: leave `login` out.")
    password = _password_of(user)
    try:
        begun = server.ask("/api/login", {"user": user, "password": password}).json()
    except HttpError as reason:
        raise _not_let_in(user, reason) from reason
    if not isinstance(begun, dict) or not isinstance(begun.get("token"), str):
        raise HttpError(f"{base} is not Headwater, or not a classroom.", "Check the address with the instructor.")
    if begun.get("role") != "student":
        raise NOT_A_STUDENT
    server.token = begun["token"]
    found = server.ask("/api/me").json()
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise HttpError(f"{base} is not Headwater, or not a classroom.", "Check the address with the instructor.")
    return _arrived(server, about, kept, {**found, "token": server.token, "password": password})


def _password_of(user) -> str:
    """Never an argument: those stay in the shell's history, and others see them among the processes."""
    password = os.environ.get(PASSWORD_FROM)
    if not password:
        if not sys.stdin.isatty():
            raise HttpError("There is no terminal here that could ask for the password.", f"Put it into {PASSWORD_FROM}, then try again.")
        try:
            password = getpass.getpass(f"password of {clean(user)} (it stays invisible): ")
        except EOFError:
            password = ""
    password = password.strip()
    if "\x16" in password:
        raise HttpError("Ctrl+V does not paste in this terminal.", "Paste with a right click, or type the password.")
    if not password:
        raise HttpError("No password was given.", "It is the one that the page showed when you joined.")
    return password


def _not_let_in(user, reason):
    if reason.status != 401:
        return reason
    if os.environ.get(PASSWORD_FROM):
        fix = f"It was taken from {PASSWORD_FROM}: set that anew, or unset it to be asked."
    else:
        fix = "Copy both from the page where you joined. Lost it? Still logged in there, make a new one; else ask the instructor for one."
    if ":" in user:
        fix = f"That is an invitation: your user is {clean(user.split(':')[0])}."
    return HttpError(f"The server does not know the user {clean(user)} with this password.", fix, reason.status)


def _arrived(server, about, kept, found) -> list[str]:
    """Keeps who one is. What to print."""
    back = kept.get("user") == found.get("user") and kept.get("user") is not None
    keys = ("id", "user", "prefix", "group_prefix", "invite", "token", "password")
    new = {"server": server.base, **{key: found.get(key) for key in keys}}
    new["listeners"] = listeners_of(about)
    new["cluster_id"] = about.get("cluster_id")
    trusted = _fingerprint_of(kept.get("ca"))
    new["ca"] = _certificate(server, about)
    file = settings.save(new)
    team = [str(user) for user in found.get("team") or []]
    return _welcome(new, file, back, kept.get("user"), team) + _another_authority(trusted, _fingerprint_of(new["ca"]))


def _about(server) -> dict:
    try:
        found = server.ask("/api/server").json()
    except HttpError:
        return {}
    return found if isinstance(found, dict) else {}


def _certificate(server, about):
    """The file with the server's own certificate authority, for clients that need one."""
    if not about.get("ca_fingerprint"):
        return None
    try:
        text = server.ask("/ca.pem").text()
        if "BEGIN CERTIFICATE" not in text:
            return None
        target = settings.ca_path_of(server.base)
        settings.write(target, text)
        return str(target)
    except (HttpError, OSError):
        return None


def fingerprint(pem: str) -> str | None:
    """SHA-256 of the first certificate, as the broker prints it."""
    found = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    try:
        der = binascii.a2b_base64(found.group(1)) if found else b""
    except binascii.Error:
        return None
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest()) if der else None


def _fingerprint_of(file):
    try:
        return fingerprint(Path(file).read_text(encoding="ascii")) if file else None
    except (OSError, ValueError):
        return None


def _another_authority(before, now) -> list[str]:
    if not before or not now or before == now:
        return []
    return ["", "Careful: this is another certificate authority than last time. Compare its fingerprint before you send a password."]


def _welcome(kept, file, back, before, team):
    from headwater.cli import program

    lines = [f"Welcome back, {clean(kept['id'])}." if back else f"You are {clean(kept['id'])}."]
    if before and not back:
        lines.append(f"(On this computer you were {clean(before)} before. Its settings are replaced.)")
    rows = [("user", kept["user"]), ("your topics begin with", kept["prefix"]), ("your groups begin with", kept["group_prefix"])]
    rows += [
        (f"bootstrap ({listener.get('protocol')})", join_address(listener["host"], listener["port"])) for listener in kept["listeners"]
    ]
    if kept["password"]:
        rows.append(("password", f"kept in {file}"))
    else:
        rows.append(("password", "not known here: it was shown once, when you joined. `new-password` makes another"))
    if kept["ca"]:
        rows.append(("certificate authority", f"kept in {kept['ca']}"))
        rows.append(("its fingerprint", _fingerprint_of(kept["ca"])))
        rows.append(("", "taken on trust: compare the fingerprint with the instructor's screen"))
    if len(team) > 1:
        rows.append(("your team", ", ".join(team)))
    if kept["invite"]:
        rows.append(("invite for your partner", kept["invite"]))
    lines += ["", *table(rows), "", "Next:"]
    lines.append(f"  {program()} doctor                      looks whether everything works from this computer")
    lines.append(f"  {program()} challenges                  what there is to solve, and a script to begin with")
    lines.append(f"  {program()} settings confluent-kafka    the settings to paste into a program of your own")
    return lines


def table(rows) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:{width}}  {clean(str(value))}" for name, value in rows if value not in (None, "")]


def whoami(given: str | None = None, ca: str | None = None) -> list[str]:
    server, kept = session(given, ca)
    found = server.ask("/api/me").json()
    if not isinstance(found, dict):
        raise HttpError(f"{server.base} is not Headwater.", "Check the address.")
    team = [str(user) for user in found.get("team") or []]
    rows = [("id", found.get("id")), ("name", found.get("name")), ("user", found.get("user")), ("role", found.get("role"))]
    rows += [("topics begin with", found.get("prefix")), ("groups begin with", found.get("group_prefix"))]
    rows += [("team", ", ".join(team)), ("invite", found.get("invite")), ("server", server.base)]
    rows.append(("settings", settings.path_of(server.base)))
    rows.append(("password", "kept there" if kept.get("password") else "not known here; `new-password` makes another"))
    return table(rows)


def new_password(given: str | None = None, ca: str | None = None) -> list[str]:
    server, kept = session(given, ca)
    found = server.ask("/api/me/password", {}).json()
    if not isinstance(found, dict) or not found.get("password"):
        raise HttpError("The server gave no new password.", "Ask the instructor.")
    kept["password"] = found["password"]
    file = settings.save(kept)
    return [f"A new password for {clean(str(kept.get('user')))} is kept in {file}. The old one has ended."]


def pasteable(client: str, listener: str | None = None, given: str | None = None, ca: str | None = None) -> str:
    """The server's text with the password in it, where it is known here."""
    server, kept = session(given, ca)
    query = {"client": client, **({"listener": listener} if listener else {})}
    text = server.ask("/api/settings", None, None, **query).text()
    text = "\n".join(clean_line(line) for line in text.splitlines())
    return text.replace("{password}", kept["password"]) if kept.get("password") else text


def clean_line(line: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in line)
