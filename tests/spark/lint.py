"""What a notebook must not have, as serverless compute refuses it or it works on one computer alone."""

import ast
import re
from typing import NamedTuple

FIRST_LINE = "# Databricks notebook source"
NEXT_CELL = "# COMMAND ----------"


class Rule(NamedTuple):
    name: str
    pattern: str
    why: str
    # Code that breaks it: the rule has to find it.
    sample: str


RULES = (
    Rule("processing-time", r"processingTime|continuous\s*=|once\s*=\s*True", "serverless compute allows availableNow alone", 'w.trigger(processingTime="5 seconds")'),
    Rule("cache", r"\.cache\(", "not on serverless compute", "frame.cache()"),
    Rule("persist", r"\.persist\(", "not on serverless compute", "frame.persist()"),
    Rule("spark-context", r"sparkContext|\bsc\.", "there is none under Spark Connect", "spark.sparkContext.parallelize([])"),
    Rule("rdd", r"\.rdd\b", "there is none under Spark Connect", "frame.rdd.map(str)"),
    Rule("jvm", r"\._j\w+", "there is none under Spark Connect", "spark._jvm"),
    Rule("delta-table", r"\bDeltaTable\b", "its server part cannot be had for Spark Connect; SQL does the same", "DeltaTable.forName(spark, name)"),
    Rule("dbfs", r"dbfs:|/dbfs/|/FileStore", "the DBFS root is off", '"dbfs:/tables/bronze"'),
    Rule("driver-folder", r"[\"'](?:file:)?/(?:tmp|var/tmp|local_disk0)\b", "only the driver sees it", '"/tmp/checkpoint"'),
    Rule("infer-schema", r"inferSchema|schema_of_json", "every column of JSON would be text, or another type tomorrow", 'r.option("inferSchema", True)'),
    Rule("password", r"(?i)password\s*=\s*[\"'][^\"'{]", "a notebook is shown to others", "password='s3cret'"),
    Rule("sql-cell", r"# MAGIC %(?!md\b)", "a plain script has only Python", "# MAGIC %sql SELECT 1"),
    Rule("global-temp", r"GlobalTemp|global_temp", "not on serverless compute", "frame.createGlobalTempView('x')"),
    Rule("group-id", r"kafka\.group\.id", "two queries with one group each see a part", 'r.option("kafka.group.id", "mine")'),
    Rule("java-udf", r"registerJava|spark\.jars", "no jars on serverless compute", 'config("spark.jars", "x.jar")'),
)
VOLUME = re.compile(r"/Volumes/[^\"'\s`)]*")


def problems(text: str) -> list[str]:
    """Each with its line."""
    found = []
    if not text.startswith(FIRST_LINE + "\n"):
        found.append(f"line 1: the first line is not {FIRST_LINE!r}, so that Databricks would import it as a plain file")
    for number, line in enumerate(text.splitlines(), 1):
        code = line if line.startswith("# MAGIC") else line.split("# ")[0]
        for rule in RULES:
            # Text may speak of what code must not have.
            if re.search(rule.pattern, code) and (rule.name == "sql-cell" or not line.startswith("# MAGIC")):
                found.append(f"line {number}: {rule.name}: {rule.why}")
        for path in VOLUME.findall(code):
            if len([part for part in path.split("/")[2:5] if part]) < 3:
                found.append(f"line {number}: {path} lacks its parts: /Volumes/CATALOG/SCHEMA/VOLUME/...")
    return found + unended(text)


def unended(text: str) -> list[str]:
    """Streams without a trigger that ends, or that nobody waits for."""
    found, tree = [], ast.parse(text)
    called = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, (ast.FunctionDef, ast.If, ast.For, ast.While, ast.With, ast.Try)):
            continue
        words = ast.unparse(node)
        if ".writeStream" in words and "availableNow=True" not in words:
            found.append(f"line {node.lineno}: a stream without .trigger(availableNow=True) has no end on serverless compute")
    if called.count("writeStream") > called.count("awaitTermination"):
        found.append("a stream is started that nobody waits for with awaitTermination()")
    return found


def cells(text: str) -> int:
    return text.count(NEXT_CELL) + 1


def blind_rules() -> list[str]:
    """Rules that do not find their own sample."""
    frame = f"{FIRST_LINE}\n{{}}\n"
    blind = [rule.name for rule in RULES if not any(f": {rule.name}:" in one for one in problems(frame.format(rule.sample)))]
    if not problems(frame.format('x = "/Volumes/main/ws"')):
        blind.append("volume")
    if not problems(frame.format('f.writeStream.toTable("t").awaitTermination()')):
        blind.append("trigger")
    if not problems(frame.format('f.writeStream.trigger(availableNow=True).toTable("t")')):
        blind.append("awaitTermination")
    if not problems("import spark\n"):
        blind.append("first line")
    return blind
