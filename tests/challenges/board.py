"""Cases of the live board: in a real browser, and through Streamlit's own tests."""

import json
import math
import os
import re
import subprocess
import time
from functools import partial

import browser
from broker import free_ports
from scripts import STRANGER, expected

# A ticket's last records come half a minute after it; then one more snapshot.
FIRST_LOOK, LAST_LOOK = 42, 110
PICTURE = os.environ.get("BOARD_PICTURE")

# Runs the file as a browser would, again every five seconds, and keeps to that until its input ends.
DRIVER = """
import sys, threading, time
from streamlit.testing.v1 import AppTest
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
app = AppTest.from_file("c03.py", default_timeout=60)
while not done.is_set():
    app.run()
    for error in app.exception:
        print("exception:", error.value)
    done.wait(5)
app.run()
print("page:", [(one.label, one.value) for one in app.metric], [one.value for one in app.info], [one.value for one in app.error])
sys.stdout.flush()
import os; os._exit(0)
"""

SNAPSHOTS = """
import json, workshop
from confluent_kafka import Consumer, TopicPartition
consumer = Consumer({**workshop.confluent(), "group.id": workshop.group("look"), "enable.auto.commit": False})
topic = "TOPIC"
low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
consumer.assign([TopicPartition(topic, 0, low)])
found = []
while len(found) < high - low:
    message = consumer.poll(5)
    found.append(json.loads(message.value()))
print(json.dumps(found))
"""


def verdict_of(student, wanted):
    """Asks for checks until there is the verdict that is wanted, or it is too late for it."""
    end = time.monotonic() + LAST_LOOK - FIRST_LOOK
    while True:
        verdict = student.ask("/api/check/c03", {})
        if wanted(verdict) or time.monotonic() > end:
            return verdict
        time.sleep(3)


def mistake_of(verdict):
    return (verdict.get("matched_mistake") or {}).get("id")


def driven(student, python, text, until):
    """Runs a board without a browser until it gets its verdict. Verdict, and what the page showed at the end."""
    place = student.begin("c03")
    (place / "c03.py").write_text(text, encoding="utf-8")
    (place / "driver.py").write_text(DRIVER, encoding="utf-8")
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([python, "driver.py"], cwd=place, env=student.environment, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            time.sleep(FIRST_LOOK)
            verdict = verdict_of(student, until)
        finally:
            process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    return verdict, (place / "log").read_text(errors="replace")


def mistaken(room, folder, python, wrong, dirt):
    verdict, log = driven(room.student(), python, wrong.text, lambda verdict: mistake_of(verdict) or verdict.get("status") == "pass")
    outcome = expected(verdict, ("fail", "partial"), wrong.mistake, also_pass=wrong.rare or (wrong.dirt and dirt == 0))
    return f"{outcome} {log[-400:]}" if outcome.startswith("FAIL") else outcome


def untouched(room, folder, python):
    """The starter shows that it is connected and what is to do, and its snapshots are taken for what they are: empty."""
    verdict, log = driven(room.student(), python, folder.text("starter.py"), lambda verdict: verdict.get("status") in ("fail", "partial"))
    if "exception:" in log or "Still to do" not in log:
        return f"FAIL: {log[-600:]}"
    return expected(verdict, ("fail", "partial"))


def borrowed(room, folder, python):
    nonce = room.student().ask("/api/ticket/c03", {})["nonce"]
    text = re.sub(r"^import workshop\n", f"import workshop\n\n{STRANGER.format(nonce=nonce)}", folder.text("solution.py"), flags=re.M)
    verdict, _ = driven(room.student(), python, text, lambda verdict: True)
    return expected(verdict, ("error",), words="another student")


def solved(room, folder, python):
    """In Chromium: what is on the screen is what was handed in, it changes by itself, and the check is green."""
    if browser.program() is None:
        return "FAIL: there is no Chromium" if os.environ.get("CI") else "skip: there is no Chromium"
    student = room.student()
    place = student.begin("c03")
    (place / "c03.py").write_text(folder.text("solution.py"), encoding="utf-8")
    (port,) = free_ports(1)
    at = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    command = [python, "-m", "streamlit", "run", "c03.py", *at]
    command += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=place, env=student.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        return looked_at(student, python, place, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def opened(look, url):
    """The page, as soon as Streamlit serves it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        look.open(url)
        if look.wait("document.querySelector('h2') && document.body.innerText.includes('Sales, live')", 10):
            return True
    return False


def looked_at(student, python, place, url):
    look = browser.Browser(1280, 800)
    try:
        if not opened(look, url):
            return f"FAIL: no page: {look.text()[-300:]} {(place / 'log').read_text()[-500:]}"
        shown = []
        begin = time.monotonic()
        while time.monotonic() < begin + FIRST_LOOK:
            time.sleep(2)
            shown.append(look.text())
        look.script("location.reload()")  # the same consumer goes on
        if PICTURE:
            opened(look, url)
            time.sleep(6)
            look.picture(PICTURE)
        opened(look, url)
        verdict = verdict_of(student, lambda verdict: verdict.get("status") == "pass")
        outcome = expected(verdict, ("pass",))
        if outcome.startswith("FAIL"):
            return outcome
        states = f"{outcome}; {len(set(shown))} states of the screen agree with its snapshots"
        return agree(student, python, place, shown) or pressed(look) or states
    finally:
        look.close()


def agree(student, python, place, shown):
    """What is wrong with what was on the screen, held against the snapshots."""
    script = place / "snapshots.py"
    script.write_text(SNAPSHOTS.replace("TOPIC", student.ask("/api/ticket/c03", {})["results"]), encoding="utf-8")
    code, output = student.run(python, script)
    if code:
        return f"FAIL: {output[-500:]}"
    told = next(line for line in output.splitlines() if line.startswith("[{"))  # librdkafka may have said something too
    snapshots = {snapshot["at"][11:19]: snapshot for snapshot in json.loads(told)}
    seen, charts = set(), set()
    for text in shown:
        at = re.search(r"Figures of (\d\d:\d\d:\d\d) UTC", text)
        snapshot = at and snapshots.get(at[1])
        if not snapshot:
            continue
        minute = snapshot["at"][:16] + "Z"
        whole = [revenue for of, revenue in snapshot["revenue_per_minute"].items() if of < minute]
        if not whole:
            continue  # its first minute is not over
        top = sum(product["revenue"] for product in snapshot["top_products"])
        wanted = [f"{snapshot['events_per_second']:.1f} /s", f"{whole[-1]:,.2f} USD", f"{top:,.2f} USD"]
        missing = [figure for figure in wanted if figure not in text]
        if missing:
            return f"FAIL: at {at[1]} the screen does not show {missing}: {text[:600]}"
        # Charts are drawn a moment after the numbers: on a busy machine they may still show the snapshot before.
        drawn = [one for time, one in snapshots.items() if time <= at[1]][-3:]
        if any(all(in_chart(top, text) for top in one["top_products"]) for one in drawn):
            charts.add(at[1])
        seen.add(at[1])
    if len(seen) < 3 or not charts:
        return f"FAIL: {len(seen)} states of the screen and {len(charts)} of its chart agree with a snapshot: {shown[-1][:600]}"
    return None


def in_chart(top, text):
    """A product with its revenue in whole dollars. Of half a dollar, Python and the chart may think otherwise."""
    near = {math.floor(top["revenue"]), math.ceil(top["revenue"])}
    return top["product_id"] in text and any(f"{dollars:,}" in text for dollars in near)


def pressed(look):
    """The button gives the verdict on the page."""
    button = "[...document.querySelectorAll('button')].find(one => one.innerText.includes('Check this board'))"
    if not look.wait(f"!!{button}", 30):
        return f"FAIL: there is no button: {look.text()[-300:]}"
    look.script(f"{button}.click()")
    verdict = look.wait("document.body.innerText.includes('C03') && document.body.innerText", 60)
    return None if verdict and "Sales dashboard" in verdict else f"FAIL: no verdict on the page: {look.text()[-400:]}"


def cases(room, folder, python, dirt):
    yield "solution, in Chromium", partial(solved, room, folder, python), True
    yield "starter", partial(untouched, room, folder, python), True
    for wrong in folder.wrong():
        yield f"wrong: {wrong.name}", partial(mistaken, room, folder, python, wrong, dirt), True
    yield "another student's ticket", partial(borrowed, room, folder, python), True
