"""Runs notebooks one after the other in one JVM, for run.py: a request a line on stdin, an answer a line on stdout. Runs in Spark's Python.

A notebook runs as `python c05.py` would run it, but for the session, which stays; it imports what lies beside it.
"""

import contextlib
import importlib
import io
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

MODULES = ("checkpoints", "lakehouse", "receipts", "workshop")
# What a notebook prints is for the answer; Spark's own words go to stderr.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def session():
    """The one that the notebooks have made."""
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()


def clear(folder, schema, keep):
    """Drops the tables of a student but those to keep, with their checkpoints."""
    if "pyspark" in sys.modules and session().catalog.databaseExists(schema):
        for row in session().sql(f"SHOW TABLES IN {schema}").collect():
            if row["tableName"] not in keep and not row["isTemporary"]:
                session().sql(f"DROP TABLE {schema}.{row['tableName']}")
    for place in (folder / "warehouse", folder / "warehouse" / "_ckpt"):
        for path in list(place.glob("*")):
            if path.name not in (*keep, "_ckpt"):
                shutil.rmtree(path, ignore_errors=True)


def notebook(request):
    """Exit code and output."""
    script = Path(request["script"])
    clear(script.parent.parent, request["schema"], request["keep"])
    for name in MODULES:
        sys.modules.pop(name, None)
    before = dict(os.environ)
    os.environ.update(request["environment"])
    sys.path.insert(0, str(script.parent))
    os.chdir(script.parent)
    output, code = io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(output):
            # A folder whose files are new: what was found in it before is not what is there.
            importlib.invalidate_caches()
            names = {"__name__": "__main__", "__file__": str(script)}
            exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) or end.code is None else 1
        if code:
            output.write(str(end.code))
    except BaseException:
        code = 1
        output.write(traceback.format_exc())
    finally:
        sys.path.pop(0)
        os.chdir("/")
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
    return {"code": code or 0, "output": output.getvalue()}


def answered(request):
    if "clear" in request:
        clear(Path(request["clear"]), request["schema"], request["keep"])
        return {}
    return call(request) if "call" in request else notebook(request)


def call(request):
    """A function of a module beside this file: it gets the session and what the request has for it."""
    module, function = request["call"].split(".")
    if "pyspark" not in sys.modules:
        # No notebook has been run, so no session has the jars.
        from own_session import own_session

        own_session(Path(request["arguments"]["folder"]))
    return {"outcome": getattr(importlib.import_module(module), function)(session(), **request["arguments"])}


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    for line in sys.stdin:
        request = json.loads(line)
        begin = time.monotonic()
        try:
            answer = answered(request)
        except BaseException as reason:
            answer = {"code": 1, "output": traceback.format_exc(), "outcome": f"FAIL: {type(reason).__name__}: {reason}"}
        print(json.dumps({**answer, "seconds": time.monotonic() - begin}), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
