"""The table of what goes wrong: doctor's messages and the troubleshooting page are made from it.

A case is what a student sees, by the texts that they would search for. It has one or more causes; `step` is the step of
doctor that tells this cause from the others, or None where no program can see it from outside. `{names}` in the texts are
filled in by doctor with what it found, and by the page with the words of GENERAL.
"""

from __future__ import annotations

from typing import NamedTuple

from headwater.case import Case, Cause
from headwater.cases_code import CODE
from headwater.cases_connection import CONNECTION
from headwater.cases_spark import SPARK

CASES = CONNECTION + CODE + SPARK

# What stands on the page where doctor puts in what it found.
GENERAL = {
    "hw": "python headwater.pyz",
    "host": "HOST",
    "port": "PORT",
    "url": "http://HOST:8080",
    "advertised": "OTHER-HOST:PORT",
    "address": "HOST:PORT",
    "should": "HOST:9092",
    "protocol": "SASL_PLAINTEXT",
    "mechanism": "SCRAM-SHA-256",
    "given": "...",
    "offered": "SCRAM-SHA-256, SCRAM-SHA-512",
    "user": "quiet-otter",
    "prefix": "ws.quiet-otter.",
    "group_prefix": "quiet-otter",
    "topic": "TOPIC",
    "like": "OTHER-TOPIC",
    "group": "GROUP",
    "names": "other names",
    "ca": "ca.pem",
    "python": "your Python",
    "box": "a container, WSL or the cloud",
    "version": "...",
    "seconds": "minutes behind or ahead",
    "file": "your settings",
    "coordinate": "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
}


class Text(NamedTuple):
    case: Case
    cause: Cause
    why: str
    fix: str
    probe: str


class _Filled(dict):
    def __missing__(self, key):
        return GENERAL[key]


def fill(text: str, found: dict | None = None) -> str:
    return text.format_map(_Filled(found or {}))


def general(cause: Cause, text: str) -> str:
    """For the page: nothing was found yet."""
    return fill(text, cause.general)


def find(cause_id: str) -> tuple[Case, Cause]:
    return _BY_ID[cause_id]


def text(cause_id: str, found: dict) -> Text:
    case, cause = find(cause_id)
    return Text(case, cause, fill(cause.why, found), fill(cause.fix, found), fill(cause.probe, found))


_BY_ID = {cause.id: (case, cause) for case in CASES for cause in case.causes}
