"""Who gets in and who does not, by each client on each listener, and what the client says to it."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

LIMIT = 50  # a wrong password has to be told within 5 s; the test fails at ten times that
WHOLE = 180
STREAM = "ecommerce-events"
DOORS = (("SASL_PLAINTEXT", "SCRAM-SHA-256"), ("SASL_SSL", "SCRAM-SHA-256"), ("SASL_SSL", "SCRAM-SHA-512"), ("SASL_SSL", "PLAIN"))
LOGIN_REFUSED = r"authenticat|\bSASL\b|invalid credentials"
CERTIFICATE_REFUSED = r"certificate|\bSSL\b|handshake|PKIX|self.signed"
NOT_ALLOWED = r"authoriz|not allowed"
KCAT_SAYS = "FindCoordinator response error: NONE"  # librdkafka gives the error a code of its own; kcat prints only its text


class Wanted(NamedTuple):
    job: dict
    records: int
    pattern: str | None  # that its words must match


class Outcome(NamedTuple):
    client: str
    job: dict
    problem: str | None
    seconds: float
    words: list


def jobs(client, room, foreign):
    """What one client is asked. Each login that fails is of a user of its own: who guesses is slowed down."""
    student, group_words = room.join(), KCAT_SAYS if client == "kcat" else NOT_ALLOWED
    for protocol, mechanism in DOORS:
        where = {"bootstrap": room.addresses[protocol], "protocol": protocol, "mechanism": mechanism, "ca": str(room.ca) if protocol == "SASL_SSL" else "", "limit": LIMIT, "reset": "earliest"}
        door = f"{protocol} {mechanism}"
        own = where | {"user": student["user"], "password": student["password"], "topic": STREAM, "group": f"{student['group_prefix']}-{protocol}-{mechanism}"}
        yield Wanted(own | {"id": f"{door}: right password", "kind": "read", "until": ""}, 5, None)
        other = room.join()
        wrong = own | {"user": other["user"], "group": other["group_prefix"], "until": LOGIN_REFUSED, "kind": "read"}
        yield Wanted(wrong | {"id": f"{door}: wrong password", "password": "a-wrong-password"}, 0, LOGIN_REFUSED)
        yield Wanted(wrong | {"id": f"{door}: unknown user", "user": f"{other['user']}-no", "password": "a-wrong-password"}, 0, LOGIN_REFUSED)
        if mechanism != "SCRAM-SHA-256":
            continue
        foreign_topic = other["prefix"] + "secret"
        yield Wanted(own | {"id": f"{door}: write another's topic", "kind": "produce", "topic": foreign_topic, "until": NOT_ALLOWED}, 0, NOT_ALLOWED)
        yield Wanted(own | {"id": f"{door}: read another's topic", "kind": "read", "topic": foreign_topic, "until": NOT_ALLOWED}, 0, NOT_ALLOWED)
        yield Wanted(own | {"id": f"{door}: write a stream", "kind": "produce", "until": NOT_ALLOWED}, 0, NOT_ALLOWED)
        yield Wanted(own | {"id": f"{door}: another's group", "kind": "read", "group": other["group_prefix"] + "-1", "until": group_words}, 0, group_words)
        yield Wanted(own | {"id": f"{door}: write an own topic", "kind": "produce", "topic": student["prefix"] + "made", "until": ""}, 1, None)
        if protocol == "SASL_SSL" and foreign:
            yield Wanted(own | {"id": f"{door}: a foreign certificate authority", "kind": "read", "ca": str(foreign), "until": CERTIFICATE_REFUSED}, 0, CERTIFICATE_REFUSED)


def run(command, wanted):
    """The reports of one client's program by job."""
    lines = "".join("\t".join(f"{name}={value}" for name, value in one.job.items()) + "\n" for one in wanted)
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    try:
        out, err = program.communicate(lines, timeout=WHOLE)
    except subprocess.TimeoutExpired:
        program.kill()
        out, err = program.communicate()
    reports = {}
    for line in out.splitlines():
        if line.startswith("{"):
            report = json.loads(line)
            reports[report["id"]] = report
    return reports, err


def judged(client, one, report, err):
    if report is None:
        return Outcome(client, one.job, f"no report; {err[-300:]}", 0, [])
    words = [text for _, text in report["words"]]
    fitting = [at for at, text in report["words"] if one.pattern and re.search(one.pattern, text, re.IGNORECASE)]
    problem = None
    if report["records"] != one.records and not (one.records and report["records"] >= one.records):
        problem = f"{report['records']} records in {report['seconds']} s; it said: {' | '.join(words)[:400] or 'nothing'}"
    elif one.pattern and not fitting:
        problem = f"in {report['seconds']} s it only said: {' | '.join(words)[:400] or 'nothing'}"
    return Outcome(client, one.job, problem, fitting[0] if fitting else report["seconds"], words)


def telling(outcome, pattern):
    """The words that say it, without what differs from one time to the next."""
    said = next((text for text in outcome.words if re.search(pattern, text, re.IGNORECASE)), "")
    for name in ("user", "bootstrap", "group", "topic"):
        said = said.replace(outcome.job[name], name.upper())
    said = re.sub(r"%\d\|[\d.]+\|", "", said)
    said = re.sub(r"after \d+ms in state \w+|\b\d+ ?ms\b|, \d+ identical error\(s\) suppressed", "...", said)
    return re.sub(r"0x[0-9a-f]+|host=\S+|\('127.*?\)\)?|:\d{4,5}\b|<-\d+|\[\d+\]", "", said)


def same_words(outcomes):
    """A user who does not exist is told what somebody with a wrong password is told."""
    by_id = {outcome.job["id"]: outcome for outcome in outcomes}
    for id_, outcome in by_id.items():
        if not id_.endswith(": unknown user") or outcome.problem:
            continue
        other = by_id[id_.replace("unknown user", "wrong password")]
        if other.problem is None and telling(outcome, LOGIN_REFUSED) != telling(other, LOGIN_REFUSED):
            by_id[id_] = outcome._replace(problem=f"other words: {telling(outcome, LOGIN_REFUSED)!r}, and for a wrong password {telling(other, LOGIN_REFUSED)!r}")
    return list(by_id.values())


def try_all(room, commands, foreign, at_once=2):
    """Outcomes of all clients."""
    asked = {client: list(jobs(client, room, foreign)) for client in commands}

    def one(client):
        reports, err = run(commands[client], asked[client])
        return same_words([judged(client, one, reports.get(one.job["id"]), err) for one in asked[client]])

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return [outcome for outcomes in pool.map(one, asked) for outcome in outcomes]
