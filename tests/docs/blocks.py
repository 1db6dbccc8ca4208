"""The code blocks of the documentation, and what the mark behind a block's language asks for.

A block begins with ```LANGUAGE MARK [NAME=VALUE...]. The marks:

    executed           run, from the page's first block to its last, in one folder a page
    checked            read by a parser; of shell lines also the options of our own programs
    unverified DATE    by nobody: it takes an account or another system, or it is what a long run printed

What `executed` may be followed by:

    with=broker        a broker for one person is running
    with=class         a classroom is running; nobody has joined
    with=student       a classroom is running, and headwater.pyz has joined it
    with=pair          two brokers are running: kafka://laptop:9092 has a topic and a group, kafka://cluster:9092 is empty and wants a login
    with=kafka         Apache Kafka is running at HOST:PORT, and its tools are on PATH
    ports=free         the ports of 127.0.0.1 that it names become free ones, the same wherever they stand; any port without
    file=NAME          the block is this file in the page's folder; a program is run from there, anything else only lies there
    prints=TEXT        it has to print this
    until=TEXT         it does not end by itself: when it has printed this, it gets a Ctrl+C and has to end
    within=SECONDS     it may take so long; 30 without
    by=PATH            another test takes the block from the page and runs it
"""

import datetime
import re
import shlex
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^( *)(`{3,}|~{3,})(.*)$")
ITEM = re.compile(r"^ *(?:[-*+]|\d{1,9}[.)]) +\S")
MARKS = ("executed", "checked", "unverified")
SERVERS = ("broker", "class", "student", "pair", "kafka")
NAMES = {"executed": ("with", "ports", "file", "prints", "until", "within", "by"), "checked": ("file",), "unverified": ()}


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    mark: str
    named: dict
    text: str
    # What is wrong with the block itself, or nothing.
    fault: str

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def marked(info):
    """Language, mark, names, and what is wrong with them."""
    try:
        words = shlex.split(info)
    except ValueError as reason:
        return "", "", {}, f"the words behind the fence cannot be read: {reason}"
    if len(words) < 2:
        return words[0] if words else "", "", {}, f"no mark: ```LANGUAGE {'|'.join(MARKS)}"
    language, mark, *rest = words
    if mark not in MARKS:
        return language, mark, {}, f"{mark} is no mark; there are {', '.join(MARKS)}"
    if mark == "unverified":
        return language, mark, {}, "" if len(rest) == 1 and is_day(rest[0]) else "unverified is followed by the day, 2026-11-28"
    named = dict(word.partition("=")[::2] for word in rest)
    for name, value in named.items():
        if name not in NAMES[mark] or not value:
            return language, mark, named, f"{mark} is not followed by {name}={value}"
    if named.get("with", "broker") not in SERVERS:
        return language, mark, named, f"with={named['with']} is not there; there are {', '.join(SERVERS)}"
    if not named.get("within", "1").isdigit():
        return language, mark, named, "within= takes whole seconds"
    return language, mark, named, ""


def is_day(text):
    try:
        return bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def found(page, text):
    """Every block of a page. A block that is indented instead of fenced has nowhere to put a mark, and is a fault."""
    lines = text.splitlines()
    blocks, at, in_list, blank = [], 0, False, True
    while at < len(lines):
        line = lines[at]
        fence = FENCE.match(line)
        if fence:
            margin, mark, info = len(fence[1]), fence[2], fence[3]
            end = next((n for n in range(at + 1, len(lines)) if closes(lines[n], mark)), None)
            inside = [one[min(margin, len(one) - len(one.lstrip())) :] for one in lines[at + 1 : end]]
            language, kind, named, fault = marked(info)
            blocks.append(Block(page, at + 1, language, kind, named, "\n".join(inside) + "\n", fault if end else "the fence is not closed"))
            at, blank = (end + 1 if end else len(lines)), False
            continue
        indented = line.startswith(("    ", "\t")) and line.strip()
        if indented and blank and not in_list:
            blocks.append(Block(page, at + 1, "", "", {}, line, "code that is indented: put a fence with a mark around it"))
            while at < len(lines) and (lines[at].startswith(("    ", "\t")) or not lines[at].strip()):
                at += 1
            blank = True
            continue
        if line.strip():
            in_list = bool(ITEM.match(line)) or (in_list and line.startswith(" "))
        blank = not line.strip()
        at += 1
    return blocks


def closes(line, mark):
    word = line.strip()
    return word.startswith(mark) and not word.strip(mark[0])
