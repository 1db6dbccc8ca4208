"""What can be told of a block without running it: None if all is well, else what is wrong; Missing where a parser is missing."""

import ast
import configparser
import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as tree

import commands
from environments import Missing

SHELLS = ("sh", "bash")


def check(block):
    parser = PARSERS.get(block.language)
    if parser is None:
        return f"nothing here can read {block.language or 'a block without a language'}; there are {', '.join(sorted(PARSERS))}"
    return parser(block.text)


def python(text):
    try:
        ast.parse(text)
    except SyntaxError as reason:
        return f"line {reason.lineno}: {reason.msg}"
    return None


def one_json(text):
    """A value, or a value a line."""
    try:
        json.loads(text)
    except ValueError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            single = len(lines) > 1 and all(isinstance(json.loads(line), dict) for line in lines)
        except ValueError:
            single = False
        return None if single else str(whole)
    return None


def toml(text):
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as reason:
        return str(reason)
    return None


def xml(text):
    try:
        tree.fromstring(text)
    except tree.ParseError as reason:
        return str(reason)
    return None


def yaml(text):
    try:
        import yaml as parser
    except ImportError:
        raise Missing("PyYAML is not installed") from None
    try:
        list(parser.safe_load_all(text))
    except parser.YAMLError as reason:
        return str(reason)
    return None


def ini(text):
    """As systemd reads its units: a name may come twice."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as reason:
        return str(reason)
    return None


def properties(text):
    """One NAME=VALUE a line, as Kafka's tools, kcat and .env files read it. A quotation mark would be part of the value."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z][\w.-]*", name):
            return f"line {number}: not NAME=VALUE: {line}"
        if value[:1] in "'\"" and value:
            return f"line {number}: the quotation mark is part of the value: {line}"
    return None


def shell(text):
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip()
    return commands.wrong(text)


PARSERS = {
    "python": python, "json": one_json, "toml": toml, "xml": xml, "yaml": yaml, "ini": ini,
    "properties": properties, "dotenv": properties, "sh": shell, "bash": shell,
}  # fmt: skip
