"""The command line. Whatever goes wrong is told in a sentence and what to do next."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys

from headwater import __version__, bridge, challenges, doctor, join, target
from headwater.clientconfig import ConfigError
from headwater.http import HttpError
from headwater.wire import clean

CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka", "spark", "databricks", "kcat", "kafkajs", "java")


def program() -> str:
    """How a student starts this: with the file's name, or as it was installed."""
    typed = sys.argv[0] or ""
    name = os.path.basename(typed)
    if name.endswith(".pyz"):
        quoted = f'"{typed}"' if " " in typed else typed
        return f"{'py' if sys.platform == 'win32' else 'python3'} {quoted}"
    return "hw" if name in ("hw", "hw.exe", "hw-script.py") else "python headwater.pyz"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program(), description="The student's tool of a Headwater class.")
    parser.add_argument("--version", action="version", version=f"headwater {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, function, about):
        made = commands.add_parser(name, help=about, description=about)
        made.add_argument("--server", metavar="URL", help="the address of the web page, http://HOST:8080")
        made.add_argument("--ca", metavar="FILE", help="the server's certificate authority (PEM)")
        made.set_defaults(function=function)
        return made

    joining = command("join", _join, "Get your name, your password and the address of the broker")
    joining.add_argument("code", metavar="CODE", help="the workshop's code, on the board")
    joining.add_argument("--invite", metavar="INVITE", help="what your partner's join printed, to be one team")
    entering = command("login", _login, "Be who you are already: joined in the browser, on another computer, or with a new password")
    entering.add_argument("user", metavar="USER", help=f"as the page shows it; the password is asked for, or in ${join.PASSWORD_FROM}")
    command("whoami", _whoami, "Who you are, and which names are yours")
    command("new-password", _new_password, "Make another password; the old one ends")
    pasting = command("settings", _settings, "Settings to paste into a program")
    pasting.add_argument("client", metavar="CLIENT", choices=CLIENTS, help=", ".join(CLIENTS))
    pasting.add_argument("--listener", metavar="NAME", help="for this listener of the server")
    looking = command("doctor", _doctor, "Find out what keeps you from working, and how to mend it")
    looking.add_argument("address", nargs="?", metavar="HOST:PORT", help="the broker; without it the one that you joined")
    looking.add_argument("--config", metavar="FILE", help="your own settings: key=value lines, or your Python program")
    looking.add_argument("--listener", metavar="NAME", help="this listener of the server that you joined")
    looking.add_argument("--user", help="log in as this user")
    looking.add_argument("--password", help="with this password; asked for if it is not given")
    looking.add_argument("--mechanism", choices=("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"), help="how to log in")
    looking.add_argument("--tls", action="store_true", help="the port speaks TLS")
    looking.add_argument("--topic", help="the topic that you read or write")
    looking.add_argument("--group", help="the group.id that you read with")
    looking.add_argument("--json", action="store_true", help="print the result as JSON")
    _challenge_commands(command)
    copying = command(
        "bridge", lambda arguments: bridge.run(arguments, lambda line: _print([line])), "Copy topics to where Spark can read them"
    )
    bridge.add_arguments(copying)
    return parser


def _challenge_commands(command):
    def of_one(name, function, about):
        made = command(name, function, about)
        made.add_argument("challenge", metavar="CHALLENGE", help="c01, c02, ...")
        return made

    command("challenges", lambda arguments: _print(challenges.listed(arguments)), "What there is to solve")
    starting = of_one("start", lambda arguments: _print(challenges.start(arguments)), "Write a script to begin with into a new folder")
    starting.add_argument("--client", choices=CLIENTS, help="for this Kafka client, where there are several")
    starting.add_argument("--folder", metavar="DIR", help="write it there")
    getting = of_one("ticket", lambda arguments: _print(challenges.ticket(arguments)), "Get a ticket: the records your answer is about")
    getting.add_argument("--json", action="store_true", help="print it as JSON")
    checking = of_one("check", _check, "Find out whether your answer is right, and if not, which mistake it is")
    checking.add_argument("receipt", nargs="?", metavar="RECEIPT", help="a receipt that begins with WS1., or a file with one")
    checking.add_argument("--watch", action="store_true", help="check again whenever something new arrives")
    of_one("hint", lambda arguments: _print(challenges.hint(arguments)), "The next hint")
    asking = of_one("stuck", lambda arguments: _print(challenges.stuck(arguments)), "Ask for somebody to come and look")
    asking.add_argument("note", nargs="?", metavar="NOTE", help="what you are stuck at, in a few words")
    asking.add_argument("--never-mind", action="store_true", help="you got on by yourself")
    command("progress", lambda arguments: _print(challenges.progress(arguments)), "How far you are")


def _check(arguments):
    if arguments.watch:
        return challenges.watch(arguments, _print)
    lines, status = challenges.check(arguments)
    _print(lines)
    return status


def _join(arguments):
    _print(join.join(arguments.code, arguments.server, arguments.invite, arguments.ca))


def _login(arguments):
    _print(join.login(arguments.user, arguments.server, arguments.ca))


def _whoami(arguments):
    _print(join.whoami(arguments.server, arguments.ca))


def _new_password(arguments):
    _print(join.new_password(arguments.server, arguments.ca))


def _settings(arguments):
    _print([join.pasteable(arguments.client, arguments.listener, arguments.server, arguments.ca)])


def _doctor(arguments):
    if arguments.user and not arguments.password and sys.stdin.isatty():
        arguments.password = getpass.getpass(f"password of {arguments.user}: ")
    chosen = target.choose(arguments)
    if arguments.json:
        report = doctor.look(chosen, program())
        _print([json.dumps(report.as_json(), indent=2)])
    else:
        report = doctor.look(chosen, program(), lambda line: _print([doctor.line_text(line)]))
        _print(doctor.findings_text(report))
    return 0 if report.ok() else 1


def _print(lines):
    """A console that cannot show a letter shows a question mark."""
    for line in lines:
        encoding = sys.stdout.encoding or "ascii"
        print(line.encode(encoding, "replace").decode(encoding), flush=True)


def main(words=None) -> int:
    arguments = _parser().parse_args(words)
    try:
        return arguments.function(arguments) or 0
    except HttpError as reason:
        _complain(str(reason), reason.fix)
    except ConfigError as reason:
        _complain(str(reason), "")
    except BrokenPipeError:
        # whoever read the output has enough; Python must not complain when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as reason:
        _complain(f"{reason.filename or 'A file'} cannot be used: {reason.strerror}.", "")
    except KeyboardInterrupt:
        return 130
    return 2


def _complain(sentence, fix):
    print(clean(sentence) + (f"\n{clean(fix)}" if fix else ""), file=sys.stderr)
