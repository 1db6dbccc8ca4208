"""The challenges: what there is, a script to begin with, tickets, checks, hints."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

from headwater import settings
from headwater.http import HttpError, Server
from headwater.join import chosen_server, session, table
from headwater.wire import clean

WATCH_EVERY_S = 2.0
MARKS = {"pass": "done", "granted": "done", "skipped": "skipped", "partial": "partly", "fail": "tried", "error": "tried"}


def _server(arguments) -> Server:
    """With a session; a broker for one person has none."""
    base = chosen_server(arguments.server)
    open_server = Server(base, None, arguments.ca or (settings.load(base) or {}).get("ca"), timeout=30.0)
    about = open_server.ask("/api/server").json()
    if isinstance(about, dict) and about.get("mode") == "single":
        return open_server
    server, _ = session(base, arguments.ca)
    server.timeout = 30.0
    return server


def _known(arguments) -> str:
    """`c2`, `C02` and `2` are c02."""
    digits = arguments.challenge.lower().lstrip("c")
    return f"c{int(digits):02}" if digits.isdigit() else arguments.challenge.lower()


def listed(arguments) -> list[str]:
    found = _server(arguments).ask("/api/challenges").json()
    rows = []
    for one in found if isinstance(found, list) else []:
        state = MARKS.get(one.get("status"), "")
        kind = "core" if one.get("core") else "stretch"
        rows.append((one["id"], one["title"], f"{one['minutes']} min", kind, f"{one['points']} points", state))
    if not rows:
        return ["This server has no challenges."]
    widths = [max(len(str(row[column])) for row in rows) for column in range(6)]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    from headwater.cli import program

    return lines + ["", f"Next: {program()} start {rows[0][0]}    writes a script to begin with into a new folder"]


def start(arguments) -> list[str]:
    """Writes the starter and what it imports. Never over what is there already."""
    server, name = _server(arguments), _known(arguments)
    sheet = server.ask(f"/api/challenges/{name}").json()
    starters = sheet.get("starters") or []
    # a notebook is for both: Spark on this computer and Databricks
    asked = "spark" if arguments.client == "databricks" else arguments.client
    wanted = [one for one in starters if asked in (None, one.get("client"))][:1]
    if not wanted:
        clients = ", ".join(one.get("client", "?") for one in starters)
        raise HttpError(f"There is no starter of {name} for {arguments.client}.", f"There is one for {clients}." if clients else "")
    folder = Path(arguments.folder or sheet["slug"])
    folder.mkdir(parents=True, exist_ok=True)
    chosen = wanted[0]
    databricks = arguments.client == "databricks"
    # There both would be a notebook of the same name.
    own = [name for name in (chosen["name"], None if databricks else chosen.get("notebook")) if name]
    names = [(starter, starter.replace("starter", sheet["id"], 1)) for starter in own]
    names += [(extra, extra) for extra in chosen.get("needs", sheet.get("needs", []))]
    written, kept = [], []
    for source, target in names:
        content = server.ask(f"/api/challenges/{name}/{source}").text()
        file = folder / target
        if file.exists():
            kept.append(file)
        else:
            file.write_bytes(content.encode("utf-8"))
            written.append(file)
    if databricks:
        written += _login_beside(server.base, folder)
    return _started(sheet, folder, written, kept, [target for _, target in names[: len(own)]], databricks)


def _login_beside(base, folder) -> list:
    """For a place where nobody can type `join`: what it kept, beside the notebook."""
    kept = settings.load(base)
    if kept is None:
        return []
    written = [folder / "headwater.json"]
    settings.write(written[0], json.dumps({**kept, "ca": None}, indent=2) + "\n")
    if kept.get("ca") and Path(kept["ca"]).is_file():
        written.append(folder / "ca.pem")
        settings.write(written[1], Path(kept["ca"]).read_text(encoding="ascii"))
    return written


def _started(sheet, folder, written, kept, scripts, databricks):
    from headwater.cli import program

    lines = [f"{sheet['title']} ({sheet['minutes']} minutes for two)", ""]
    lines += [f"  wrote  {file}" for file in written]
    lines += [f"  kept   {file} (it was there already)" for file in kept]
    lines += ["", "Next:", f"  cd {folder}"]
    if databricks:
        lines += _databricks(scripts[0], folder)
    elif len(scripts) > 1:
        lines += _spark(*scripts)
    else:
        lines.append(f"  python {scripts[0]}    it runs as it is, and says what is still to do")
    lines += [f"  {program()} check {sheet['id']} --watch    in a second terminal: tells you what is right and what is not"]
    return lines


def _databricks(script, folder):
    lines = [f"  import {script} into a folder of your workspace, as a notebook, and the other files beside it"]
    if (folder / "headwater.json").exists():
        lines.append("  headwater.json is your login: it stays in a folder that only you can read")
    return [*lines, f"  open {script} and run the cells from the top"]


def _spark(script, notebook):
    return [
        "  python -m pip install -r requirements-spark.txt    once; Spark also needs Java 17 (`doctor` looks for both)",
        f"  python {script}    it runs as it is, and says what is still to do; or open {notebook}, the same cell by cell",
        f"  On Databricks: `start {script.split('.')[0].split('_')[0]} --client databricks` writes what belongs there.",
    ]


def ticket(arguments) -> list[str]:
    found = _server(arguments).ask(f"/api/ticket/{_known(arguments)}", {}).json()
    if arguments.json:
        return [json.dumps(found, indent=2)]
    lines = [f"Ticket {found['nonce']} for {found['challenge']}"]
    for topic, ranges in found["ranges"].items():
        lines.append(f"  {topic}")
        for partition, (start, end) in sorted(ranges.items(), key=_index):
            lines.append(f"    partition {partition}: offsets {start} to {end - 1}")
    if found.get("results"):
        lines.append(f"Write your answer to {found['results']}, each record with the header ticket={found['nonce']}")
    minutes = max(0, int((found["expires_ms"] - found["issued_ms"]) / 60000))
    lines.append(f"It is good for {minutes} minutes. The last offsets do not exist yet: they are coming in now.")
    return lines + [
        "",
        f'For a notebook that cannot reach this server: lakehouse.ticket("{found["challenge"]}", "...") with this line',
        pasted(found),
    ]


def pasted(found: dict) -> str:
    """The whole ticket as one word that a mail or a chat leaves as it is. lakehouse.ticket reads it."""
    text = json.dumps(found, separators=(",", ":")).encode()
    return "WT1." + base64.urlsafe_b64encode(text).decode().rstrip("=")


def _index(item):
    return int(item[0])


def check(arguments) -> tuple[list[str], int]:
    server, name = _server(arguments), _known(arguments)
    body = {}
    if arguments.receipt:
        body["receipt"] = _receipt(arguments.receipt)
    verdict = server.ask(f"/api/check/{name}", body).json()
    return verdict["text"].split("\n"), 0 if verdict["status"] == "pass" else 1


def _receipt(given: str):
    """A receipt as it was printed, or a file with one."""
    text = given
    if not given.startswith("WS1.") and Path(given).is_file():
        text = Path(given).read_text(encoding="utf-8").strip()
    if text.startswith("WS1."):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise HttpError("This is no receipt, and no file with one.", "A receipt begins with WS1. or is a JSON document.") from None


def watch(arguments, show) -> int:
    """Shows each new verdict until one is a pass."""
    server, name, last = _server(arguments), _known(arguments), None
    show([f"Watching {name}: run your program in another terminal. Ctrl+C ends this."])
    while True:
        verdict = server.ask(f"/api/check/{name}", {}).json()
        told = (verdict["attempt"], verdict["status"], verdict["message"])
        if told != last:
            show(["", time.strftime("%H:%M:%S")] + verdict["text"].split("\n"))
            last = told
        if verdict["status"] == "pass":
            return 0
        time.sleep(WATCH_EVERY_S)


def hint(arguments) -> list[str]:
    found = _server(arguments).ask(f"/api/hint/{_known(arguments)}", {}).json()
    return [f"Hint {found['n']} of {found['of']}: {clean(found['hint'])}"]


def stuck(arguments) -> list[str]:
    body = {"stuck": not arguments.never_mind}
    if arguments.note:
        body["note"] = arguments.note
    _server(arguments).ask(f"/api/stuck/{_known(arguments)}", body)
    if arguments.never_mind:
        return ["You are off the list."]
    return ["Somebody will come. If you get on by yourself: the same with --never-mind"]


def progress(arguments) -> list[str]:
    found = _server(arguments).ask("/api/progress").json()
    rows = [(one["id"], _state(one)) for one in found.get("challenges", [])]
    return table(rows) + [f"{found.get('points', 0)} points"]


def _state(one):
    attempts = one.get("attempts", 0)
    tried = f"{attempts} attempt{'' if attempts == 1 else 's'}" if attempts else "not tried yet"
    state = MARKS.get(one.get("status"), "")
    return f"{state}, {tried}" if state else tried
