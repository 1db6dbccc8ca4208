"""What a client's program says to the harness: one JSON object a line on standard output.

{"event": "ready"} in the middle of a scenario, and one verdict as the last line:
{"verdict": "ok" | "fail" | "n/a", "detail": "..."}.
"""

import json
import sys
import traceback


class NotSupported(Exception):
    """The client has no call for this, so there is nothing to test in the broker."""


class Failed(Exception):
    """The broker (or the client on it) did not do what the scenario asks."""


def check(condition, message):
    if not condition:
        raise Failed(message)


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def judge(scenario):
    """Runs `scenario`, prints its verdict and returns the exit code."""
    try:
        detail = scenario()
    except NotSupported as reason:
        say(verdict="n/a", detail=str(reason))
        return 0
    except Failed as failure:
        say(verdict="fail", detail=str(failure))
        return 1
    except Exception as error:  # whatever the client raised is the verdict, and its traceback goes to the log
        traceback.print_exc()
        say(verdict="fail", detail=f"{type(error).__name__}: {error}")
        return 1
    say(verdict="ok", detail=detail or "")
    return 0
