"""A student's own settings, read out of a .properties file or a Python program, and the mistakes that can be seen in them."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

PROTOCOLS = ("PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL")
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")

# What kafka-python, aiokafka and KafkaJS call it, and Kafka's name for it.
ALIASES = {
    "sasl.mechanisms": "sasl.mechanism",
    "sasl.plain.username": "sasl.username",
    "sasl.plain.password": "sasl.password",
    "ssl.cafile": "ssl.ca.location",
    "ssl.truststore.location": "ssl.ca.location",
    "ssl.check.hostname": "ssl.check.hostname",
    "subscribe": "topic",
    "topics": "topic",
    "startingoffsets": "auto.offset.reset",
}
KNOWN = {
    "bootstrap.servers",
    "metadata.broker.list",
    "security.protocol",
    "sasl.mechanism",
    "sasl.username",
    "sasl.password",
    "sasl.jaas.config",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.truststore.type",
    "ssl.endpoint.identification.algorithm",
    "ssl.check.hostname",
    "enable.ssl.certificate.verification",
    "group.id",
    "auto.offset.reset",
    "topic",
}
JAAS = re.compile(r"(username|password)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;\"']+))")
OLD_IMPORTS = re.compile(r"^(kafka\.vendor|kafka\.(client_async|producer\.simple|consumer\.simple|common|conn)\b)")


class ConfigError(Exception):
    """The file cannot be read as settings."""


@dataclass
class Finding:
    cause: str
    what: str
    found: dict = field(default_factory=dict)
    note: bool = False


@dataclass
class ClientConfig:
    file: str
    values: dict
    old_code: str | None = None

    def get(self, key, default=None):
        return self.values.get(key, default)


def read(name: str) -> ClientConfig:
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as reason:
        raise ConfigError(f"{name} is no text file. In Windows PowerShell, `>` writes UTF-16: save it as UTF-8.") from reason
    except OSError as reason:
        raise ConfigError(f"{name} cannot be read: {reason.strerror}.") from reason
    if name.endswith(".ipynb"):
        pairs, old = _of_python(_cells(text, name), name)
    else:
        pairs, old = _of_python(text, name) if name.endswith(".py") else (_of_properties(text), None)
    values = {}
    for key, value in pairs:
        key = _kafka_name(key)
        if key in KNOWN:
            # a blank at the end of a password is part of it, and a mistake that is looked for
            values[key] = value if key in ("sasl.username", "sasl.password") else value.strip()
    if not values:
        raise ConfigError(f"There is no Kafka setting in {name}: a line looks like bootstrap.servers=HOST:9092")
    if "metadata.broker.list" in values:
        values.setdefault("bootstrap.servers", values["metadata.broker.list"])
    for key, *quoted in JAAS.findall(values.get("sasl.jaas.config", "")):
        values.setdefault(f"sasl.{key}", "".join(quoted))
    return ClientConfig(name, values, old)


def _kafka_name(key):
    key = key.strip().replace("_", ".").lower()
    key = key[len("kafka.") :] if key.startswith("kafka.") else key
    return ALIASES.get(key, key)


def _of_properties(text):
    lines = re.sub(r"\\\r?\n\s*", "", text).splitlines()
    for line in lines:
        line = line.lstrip()
        if line and line[0] not in "#!;[" and re.match(r"[^=:]+[=:]", line):
            key, value = re.split(r"\s*[=:]\s*", line, maxsplit=1)
            yield key, value


def _cells(text, name):
    """The Python in a notebook, without lines for the notebook itself."""
    try:
        cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        lines = "\n".join("".join(cell) for cell in cells).splitlines()
    except (ValueError, KeyError, TypeError) as reason:
        raise ConfigError(f"{name} is no notebook.") from reason
    return "\n".join("" if line[:1] in ("%", "!") else line for line in lines)


def _of_python(text, name):
    """Dicts, keyword arguments and `.option(name, value)` with texts in them, or with names that were given a text before."""
    try:
        tree = ast.parse(text)
    except SyntaxError as reason:
        raise ConfigError(f"{name} is no Python program: {reason.msg} in line {reason.lineno}.") from reason
    given = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Constant):
                given[node.targets[0].id] = node.value.value
    pairs, old = [], None
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Dict):
            found = list(zip(node.keys, node.values))
        elif isinstance(node, ast.Call):
            found = [(ast.Constant(word.arg), word.value) for word in node.keywords if word.arg]
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("option", "subscribe") and node.args:
                found.append((node.args[0], node.args[1]) if len(node.args) == 2 else (ast.Constant("topic"), node.args[0]))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            old = old or _old_import(node)
        for key, value in found:
            key, value = _constant(key, given), _constant(value, given)
            if isinstance(key, str) and value is not None:
                pairs.append((key, str(value)))
    return pairs, old


def _constant(node, given):
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return given.get(node.id)
    if isinstance(node, (ast.List, ast.Tuple)) and len(node.elts) == 1:
        return _constant(node.elts[0], given)
    return None


def _old_import(node):
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == "kafka":
        names += [
            f"kafka.{name.name}" for name in node.names if name.name in ("SimpleProducer", "SimpleConsumer", "SimpleClient", "KafkaClient")
        ]
        found = [name for name in names if name != "kafka"]
        return found[0] if found else None
    return next((name for name in names if OLD_IMPORTS.match(name)), None)


def mechanism_meant(text: str) -> str | None:
    """SCRAM-SHA-256 for `scram_sha256` and the like."""
    bare = re.sub(r"[^a-z0-9]", "", text.lower())
    return {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in MECHANISMS}.get(bare)


def protocol_meant(text: str) -> str | None:
    bare = re.sub(r"[^a-z]", "", text.lower())
    bare = bare.replace("tls", "ssl")
    return {name.replace("_", "").lower(): name for name in PROTOCOLS}.get(bare)


def mistakes(config: ClientConfig, prefixes: dict) -> list:
    """What is wrong without asking any broker. `prefixes`: what is known of the student (user, password, group_prefix)."""
    found = [*_protocol(config, prefixes), *_mechanism(config), *_credentials(config, prefixes)]
    reset = config.get("auto.offset.reset", "latest").lower()
    if config.get("group.id") and reset in ("latest", "largest", "end"):
        given = reset if config.get("auto.offset.reset") else "not given, which means latest"
        found.append(
            Finding("reads-only-new", f"A new group would see no message that is there already: auto.offset.reset is {given}.", note=True)
        )
    if config.old_code:
        found.append(Finding("old-kafka-python-code", f"{config.file} imports {config.old_code}.", {"given": config.old_code}))
    for finding in found:
        finding.found.setdefault("file", config.file)
    return found


def _protocol(config, prefixes):
    given = config.get("security.protocol")
    login = config.get("sasl.username") or config.get("sasl.mechanism")
    usual = prefixes.get("protocol") or ("SASL_SSL" if config.get("ssl.ca.location") else "SASL_PLAINTEXT")
    if given is not None and given.upper() not in PROTOCOLS:
        meant = protocol_meant(given) or usual
        yield Finding("protocol-spelling", f"security.protocol={given}", {"given": given, "protocol": meant})
    elif login and (given is None or not given.upper().startswith("SASL")):
        shown = given or "not there, which means PLAINTEXT"
        right = "SASL_SSL" if (given or "").upper() == "SSL" else usual
        yield Finding("protocol-missing", f"security.protocol is {shown}, with a login beside it.", {"given": shown, "protocol": right})


def _mechanism(config):
    given = config.get("sasl.mechanism")
    if given is not None and given not in MECHANISMS:
        meant = mechanism_meant(given) or MECHANISMS[0]
        yield Finding("mechanism-spelling", f"sasl.mechanism={given}", {"given": given, "mechanism": meant})
    elif given is None and config.get("sasl.username"):
        yield Finding("mechanism-missing", "sasl.mechanism is not given.", {"mechanism": MECHANISMS[0]})


def _credentials(config, prefixes):
    user, password = config.get("sasl.username"), config.get("sasl.password")
    wants = "SASL" in (config.get("security.protocol") or "").upper() or config.get("sasl.mechanism")
    if wants and (not user or not password):
        missing = "sasl.username" if not user else "sasl.password"
        yield Finding(
            "no-credentials", f"{missing} is not given.", {"given": missing, "user": user or prefixes.get("user") or "quiet-otter"}
        )
    for key, value in (("sasl.username", user), ("sasl.password", password)):
        if value and value != value.strip(" \t\"'"):
            yield Finding("stray-characters", f"{key} has a blank or a quotation mark at one end.", {"given": key})
    if user and password and (password == prefixes.get("user") or user == prefixes.get("password")):
        yield Finding("swapped", "sasl.username holds the password, and the other way round.", {"user": prefixes.get("user") or password})
