"""Cases of the challenges that are plain scripts."""

import json
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path

import commands
from folders import Folder, starter
from room import Room

# Takes the place of the ticket's nonce with another one, as somebody does who pastes a friend's program.
STRANGER = "import dataclasses as _d; workshop.ticket = lambda id, _t=workshop.ticket: _d.replace(_t(id), nonce={nonce!r})\n"


def told(verdict):
    """A verdict in a line."""
    if "status" not in verdict:
        return f"no verdict: {verdict.get('error')}"
    mistake = verdict.get("matched_mistake")
    if mistake:
        return f"{verdict['status']}, {mistake['id']}: {mistake['title']}. {mistake['message']}"
    failed = [f"{check['id']}: {check['message']}" for check in verdict["checks"] if check["status"] == "fail"]
    return " ".join([f"{verdict['status']}: {verdict['message']}.", *failed])


def expected(verdict, status, mistake=None, words="", also_pass=False):
    """`told`, or FAIL and why."""
    found = (verdict.get("matched_mistake") or {}).get("id")
    if also_pass and verdict.get("status") == "pass":
        return f"pass: these records do not show the mistake {mistake}"
    right = verdict.get("status") in status and found == mistake and words in verdict.get("message", "")
    return told(verdict) if right else f"FAIL: wanted {'/'.join(status)} {mistake or ''} {words}: {told(verdict)}"


def ran(student, python, place, name, text, **more):
    """Runs a script in the student's folder; the verdict on it, or how it ended."""
    script = place / name
    script.write_text(text, encoding="utf-8")
    code, output = student.run(python, script, **more)
    if code:
        return {"error": f"ended with {code}: {output[-700:]}"}
    return student.ask(f"/api/verdict/{name.removesuffix('.py')}")


def solved(room, folder, python, name, client):
    student = room.student()
    return expected(ran(student, python, student.begin(folder.id, client), f"{folder.id}.py", folder.text(name)), ("pass",))


def untouched(room, folder, python, client):
    """As the student's tool has written it. It ends by itself, says what is to do, and hands nothing in."""
    student = room.student()
    (script,) = student.begin(folder.id, client).glob(f"{folder.id}*.py")
    code, output = student.run(python, script)
    if code != 0 or "Still to do" not in output:
        return f"FAIL: ended with {code}: {output[-500:]}"
    verdict = student.ask(f"/api/check/{folder.id}", {})
    outcome = expected(verdict, ("error",), words="nothing has")
    return outcome if outcome.startswith("FAIL") else f"{outcome}  [{' '.join(output[output.index('Still to do'):].split())}]"


def mistaken(room, folder, python, wrong, dirt):
    student = room.student()
    client = folder.sheet["solutions"][wrong.solution]
    place = student.begin(folder.id, client)
    verdict = ran(student, python, place, f"{folder.id}.py", wrong.text)
    if wrong.timing and verdict.get("status") == "pass":
        verdict = ran(student, python, place, f"{folder.id}.py", wrong.text)
    also_pass = wrong.rare or (wrong.dirt and dirt == 0)
    return expected(verdict, ("fail", "partial"), wrong.mistake or None, also_pass=also_pass)


def borrowed(room, folder, python):
    """Another student's ticket in an answer that is right otherwise."""
    friend, student = room.student(), room.student()
    nonce = friend.ask(f"/api/ticket/{folder.id}", {})["nonce"]
    text = re.sub(r"^import workshop\n", f"import workshop\n\n{STRANGER.format(nonce=nonce)}", folder.text("solution.py"), flags=re.M)
    return expected(ran(student, python, student.begin(folder.id), f"{folder.id}.py", text), ("error",), words="another student")


def unknown(room, folder, python):
    """A nonce that nobody has issued, as in an answer from last week."""
    student = room.student()
    text = re.sub(r"^import workshop\n", f"import workshop\n\n{STRANGER.format(nonce='0' * 32)}", folder.text("solution.py"), flags=re.M)
    return expected(ran(student, python, student.begin(folder.id), f"{folder.id}.py", text), ("error",), words="nobody has been issued")


def empty(room, folder):
    """Asked for a check before anything else."""
    return expected(room.student().ask(f"/api/check/{folder.id}", {}), ("error",), words="no ticket")


def stale(room):
    """The records of a ticket are there no more: the instructor let the streams begin anew. The last case, as it takes everything."""
    student = room.student()
    nonce = student.ask("/api/ticket/c01", {})["nonce"]
    room.reset()
    return expected(student.ask("/api/check/c01", {"receipt": {"ticket": nonce, "records": []}}), ("error",), words="made anew")


def cases(room, folder, python, dirt):
    # Notebooks are run by tests/spark.
    solutions = {name: client for name, client in folder.sheet["solutions"].items() if client != "spark"}
    for name, client in solutions.items():
        yield f"solution, {client}", partial(solved, room, folder, python, name, client)
    for client in solutions.values():
        yield f"starter, {client}", partial(untouched, room, folder, python, client)
    for wrong in (wrong for wrong in folder.wrong() if wrong.solution in solutions):
        yield f"wrong: {wrong.name}", partial(mistaken, room, folder, python, wrong, dirt)
    yield "another student's ticket", partial(borrowed, room, folder, python)
    yield "a ticket that nobody knows", partial(unknown, room, folder, python)
    yield "empty", partial(empty, room, folder)


OWN = {
    '"c02"': '"c50"',
    '!= "purchase"': '!= "add_to_cart"',
    "OVER = 500": "OVER = 300",
    "EVERY = 10": "EVERY = 5",
}


def made(into):
    """A new challenge: C2's folder with other words and other parameters, and no Rust."""
    old, new = Folder(Path(__file__).resolve().parent.parent.parent / "challenges" / "02-high-value-purchases"), into / "50-big-carts"
    shutil.copytree(old.path, new)
    sheet, solution = old.text("challenge.toml"), old.text("solution.py")
    changes = (
        ('id = "c02"', 'id = "c50"'),
        ('event_type = "purchase"', 'event_type = "add_to_cart"'),
        ("price_over = 500", "price_over = 300"),
        ("every = 10", "every = 5"),
    )
    for before, after in changes:
        assert sheet.count(before) == 1, before
        sheet = sheet.replace(before, after)
    for before, after in OWN.items():
        assert before in solution, before
        solution = solution.replace(before, after)
    sheet = sheet.replace('"solution_kafka_python.py" = "kafka-python"\n', "")
    for name in ("solution_kafka_python.py", "starter_kafka_python.py"):
        (new / name).unlink()
    for name, text in (("challenge.toml", sheet), ("solution.py", solution), ("starter.py", starter(solution))):
        (new / name).write_text(text, encoding="utf-8")
    return solution


def own_challenge(binary, python):
    """A broker for one person, with a folder of challenges beside its own."""

    def run():
        with tempfile.TemporaryDirectory(prefix="headwater-own-") as into:
            solution = made(Path(into))
            room = Room(binary, "--challenges", into, classroom=False)
            try:
                student = room.student()
                ids = [one["id"] for one in student.ask("/api/challenges")]
                if ids[-1] != "c50":
                    return f"FAIL: the challenges are {json.dumps(ids)}"
                place = student.begin("c50")
                right = expected(ran(student, python, place, "c50.py", solution), ("pass",))
                typed = commands.in_ci(binary, room, place, 0)
                wrong = solution.replace("price <= OVER", "price * event['quantity'] <= OVER")
                mistake = expected(ran(student, python, place, "c50.py", wrong), ("fail", "partial"), "line-total")
                typed = typed or commands.in_ci(binary, room, place, 1) or commands.reported(binary, room, place, "High-value purchases")
                complaints = [one for one in (right, mistake, typed or "", commands.by_hand(student) or "") if one.startswith("FAIL")]
                return complaints[0] if complaints else f"{right} / {mistake}"
            finally:
                room.close()

    yield "a folder that adds a challenge", run
