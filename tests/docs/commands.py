"""Whether shell lines name commands and options that our own programs have. Other programs are left alone."""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "student"))

from headwater import cli  # noqa: E402  (the path must be known first)

PARTED = re.compile(r"^[;&|()]+$")
REDIRECTED = re.compile(r"^[<>&]*[<>][<>&]*$")
# In front of a command, and not the command.
BEFORE = {"sudo", "exec", "time", "nohup", "env"}
# What stands for the image's name where the program's words follow it.
IMAGES = re.compile(r"^(IMAGE|(.+/)?headwater(:[\w.-]+)?)$")
PYTHONS = re.compile(r"^(python(3(\.\d+)?)?|py)$")


class Program:
    """Set by run.py."""

    binary = None


def wrong(text):
    """The first thing that is not there, or None."""
    for words in simple_commands(text):
        fault = fault_of(words)
        if fault:
            return f"{fault}: {' '.join(words)}"
    return None


def simple_commands(text):
    """Each command of the lines with its words; here-documents, assignments and what stands in front of it left out."""
    text = re.sub(r"<<-?\s*'?(\w+)'?[^\n]*\n.*?\n\1(?=\n|$)", "\n", text, flags=re.DOTALL).replace("\\\n", " ")
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words, target = [], False
        for word in [*lexer, ";"]:
            if target or REDIRECTED.match(word):
                target = not target
            elif not PARTED.match(word):
                words.append(word)
            else:
                while words and (words[0] in BEFORE or re.match(r"^\w+=", words[0])):
                    words.pop(0)
                if words:
                    yield words
                words = []


def fault_of(words):
    name = words[0].rsplit("/", 1)[-1]
    if name == "headwater":
        return broker_fault(words[1:])
    if name == "docker" and words[1:2] == ["run"]:
        image = next((n for n, word in enumerate(words[2:], 2) if IMAGES.match(word) and not words[n - 1].startswith("-")), None)
        return broker_fault(words[image + 1 :]) if image else None
    if name == "make":
        return make_fault(words[1:])
    if PYTHONS.match(name):
        rest = [word for word in words[1:] if not re.fullmatch(r"-3(\.\d+)?", word)]
        script = rest[0] if rest else ""
        if script.endswith("headwater.pyz"):
            return tool_fault(rest[1:])
        if script.startswith(("tests/", "student/", "benches/", "docs/", "fuzz/")) and not (ROOT / script).is_file():
            return f"there is no {script}"
    return None


def options(words):
    return [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]


def broker_fault(words):
    verbs = []
    for word in words:
        if not word.startswith("-") and word in verbs_of(tuple(verbs)):
            verbs.append(word)
        else:
            break
    if words and not words[0].startswith("-") and not verbs:
        return f"headwater has no command {words[0]}"
    known = {name for depth in range(len(verbs) + 1) for name in help_of(tuple(verbs[:depth]))[0]} if verbs else help_of(())[0]
    missing = next((option for option in options(words) if option not in known), None)
    return f"headwater {' '.join(verbs)} has no option {missing}".replace("  ", " ") if missing else None


@lru_cache(None)
def help_of(verbs):
    """The options and the verbs that --help names."""
    done = subprocess.run([Program.binary, *verbs, "--help"], capture_output=True, text=True, timeout=20, check=False)
    said = done.stdout
    section = re.search(r"^Commands:\n((?: +.*\n?)+)", said, re.MULTILINE)
    below = re.findall(r"^  ([a-z][\w-]*)\b", section[1], re.MULTILINE) if section else []
    return set(re.findall(r"(--[a-z][\w-]*)", said)), [verb for verb in below if verb != "help"]


def verbs_of(verbs):
    return help_of(verbs)[1]


def tool_fault(words):
    """The student's tool reads its own words."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            cli._parser().parse_args(words)
    except SystemExit as end:
        if end.code:
            return said.getvalue().strip().splitlines()[-1]
    return None


@lru_cache(None)
def targets():
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def make_fault(words):
    missing = next((word for word in words if re.fullmatch(r"[a-z][\w-]*", word) and word not in targets()), None)
    return f"the Makefile has no {missing}" if missing else None
