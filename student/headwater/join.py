"""Getting in: `join`, `whoami`, `settings`."""

from __future__ import annotations

import binascii
import hashlib
import re
from pathlib import Path

from headwater import settings
from headwater.http import HttpError, Server, base_of
from headwater.target import join_address, listeners_of
from headwater.wire import clean

NO_SERVER = HttpError("No server is known yet.", "Give its address: join CODE --server http://HOST:8080")
NOT_JOINED = HttpError("You have not joined yet.", "Type: join CODE (the code is on the board or the instructor's screen)")


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
        raise HttpError(
            "The server does not know you any more.", "Join again with the code; ask the instructor for your old identity.", 401
        )
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
    new = {"server": base, **{key: found.get(key) for key in ("id", "user", "prefix", "group_prefix", "invite")}}
    new["token"] = found.get("token") or server.token
    new["password"] = found.get("password") or (kept.get("password") if back else None)
    about = _about(server)
    new["listeners"] = listeners_of(about)
    new["cluster_id"] = about.get("cluster_id")
    trusted = _fingerprint_of(kept.get("ca"))
    new["ca"] = _certificate(server, about)
    file = settings.save(new)
    return _welcome(new, file, back, kept.get("id")) + _another_authority(trusted, _fingerprint_of(new["ca"]))


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


def _welcome(kept, file, back, before):
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
