"""What people type: the student's tool, and the commands `check` and `report` as a CI calls them."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree


def by_hand(student):
    """What the student's tool says of a challenge that nothing was handed in for. The first complaint, or None."""
    steps = [
        (("challenges",), r"c01 +First connection +25 min +core +100 points"),
        (("check", "c04"), r"there is no ticket for c04 yet"),
        (("ticket", "c04"), r"iot-sensor-data\n +partition 0: offsets \d+ to \d+"),
        (("ticket", "4", "--json"), r'"nonce": "\w+"'),
        (("check", "C4"), r"nothing has arrived in ws\.[\w-]+\.c04"),
        (("hint", "c04"), r"Hint 1 of \d: "),
        (("hint", "c04"), r"Hint 2 of \d: "),
        (("stuck", "c04", "Fahrenheit?"), r"Somebody will come"),
        (("stuck", "c04", "--never-mind"), r"off the list"),
        (("check", "c99"), r"^$"),
        (("progress",), r"c04 +\w.*\n(.*\n)*\d+ points"),
    ]
    for words, wanted in steps:
        told = student.tool(*words, may_fail=True)
        if not re.search(wanted, told):
            return f"FAIL: {' '.join(words)} says {told!r}, wanted {wanted!r}"
    return None


def run(binary, room, *words):
    address = room.base.removeprefix("http://")
    done = subprocess.run([binary, words[0], "--http", address, *words[1:]], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def in_ci(binary, room, folder, wanted):
    """`headwater check --all --junit` where one challenge was tried; `wanted` is its exit code. The first complaint, or None."""
    file = folder / "out.xml"
    code, told = run(binary, room, "check", "--all", "--junit", str(file))
    suites = ElementTree.parse(file).getroot()
    failures, skipped = int(suites.get("failures")), int(suites.get("skipped"))
    others = len(room.ask("/api/challenges")) - 1
    counted = ("1 passed, 0 failed" if wanted == 0 else "0 passed, 1 failed") + f", {others} not tried"
    if code != wanted or counted not in told or (failures > 0) != (wanted != 0) or skipped < others:
        return f"FAIL: check --all ends with {code}, {failures} failures, {skipped} skipped: {told[-1500:]}"
    code, told = run(binary, room, "check", "c01")
    if code != 1 or "there is no ticket for c01 yet" not in told:
        return f"FAIL: check c01 ends with {code}: {told[-300:]}"
    code, told = run(binary, room, "check", "--all", "c01")
    if code != 1 or "there is no ticket for c01 yet" not in told or f"{others - 1} not tried" not in told:
        return f"FAIL: check --all c01 ends with {code}: {told[-300:]}"
    code, told = run(binary, room, "check", "--all", "c77")
    if code != 2 or "there is no challenge c77; there are c01" not in told:
        return f"FAIL: check --all c77 ends with {code}: {told[-300:]}"
    return None


def reported(binary, room, folder, title):
    """`headwater report` writes what the broker knows and leaves the questions. The first complaint, or None."""
    code, told = run(binary, room, "report", "--out", str(folder / "reports"))
    if code:
        return f"FAIL: report ends with {code}: {told}"
    for name, words in (("me.md", ("## What I built", "| attempts |")), ("me.html", ("<h2>What I built</h2>", "confluent-kafka"))):
        text = (folder / "reports" / name).read_text(encoding="utf-8")
        missing = [word for word in (title, *words) if word not in text]
        if missing:
            return f"FAIL: {name} does not have {missing}"
    return None
