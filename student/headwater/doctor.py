"""Looks for what keeps a student from working, from the broker's name to the Spark on their computer."""

from __future__ import annotations

from headwater.look_machine import Machine
from headwater.look_network import TIMEOUT, Network
from headwater.look_records import Records
from headwater.look_spark import SparkHere
from headwater.steps import Fault, Report, Runner
from headwater.target import Target

STEPS = (
    "settings",
    "name",
    "HTTP",
    "TCP",
    "TLS",
    "Kafka",
    "SASL",
    "metadata",
    "advertised",
    "produce",
    "fetch",
    "group",
    "clock",
    "packages",
    "Java",
    "PySpark",
    "jars",
)


def look(target: Target, program: str, say=lambda line: None, timeout: float = TIMEOUT) -> Report:
    known = {
        "hw": program,
        "host": target.host,
        "port": target.port,
        "address": target.address,
        "should": f"{target.host}:9092" if target.port != 9092 else "the address on the board",
        "url": target.base,
        "user": target.shown_user,
        "prefix": "ws.YOU.",
        "group_prefix": "YOU",
        **{
            name: value
            for name, value in vars(target).items()
            if name in ("prefix", "group_prefix", "group", "file", "mechanism") and value
        },
    }
    runner = Runner(target.address, known, say)
    note = lambda step, fault: runner.find(step, fault, "note")  # noqa: E731
    network = Network(target, known, timeout)
    records, machine, spark = Records(network, note), Machine(network, note), SparkHere(note)

    def read_settings():
        for mistake in target.mistakes:
            runner.find("settings", Fault(mistake.cause, mistake.what, **mistake.found), "note" if mistake.note else "FAIL")
        return target.settings_read

    if target.settings_read:
        runner.run("settings", read_settings)
    runner.run("name", network.name)
    runner.run("HTTP", network.page)
    runner.run("TCP", network.tcp, "name")
    runner.run("TLS", network.tls, "TCP")
    runner.run("Kafka", network.kafka, "TCP", "TLS")
    runner.run("SASL", network.sasl, "Kafka")
    runner.run("metadata", network.ask_metadata, "SASL", "Kafka")
    runner.run("advertised", network.advertised, "metadata")
    try:
        runner.run("produce", records.produce, "advertised")
        runner.run("fetch", records.fetch, "advertised")
        runner.run("group", records.group, "advertised")
    finally:
        records.clean_up()
    runner.run("clock", machine.clock)
    runner.run("packages", machine.packages)
    runner.run("Java", machine.java)
    runner.run("PySpark", spark.pyspark)
    runner.run("jars", spark.jars)
    return runner.report


def line_text(line) -> str:
    return f"{line.step:11}{line.status:8} {line.detail}".rstrip()


def findings_text(report: Report) -> list:
    lines = []
    for found in report.findings:
        lines += [
            "",
            f"{found.status}  {found.step}: {found.what}",
            f"  why:  {found.text.why}",
            f"  fix:  {found.text.fix}",
            f"  try:  {found.text.probe}",
        ]
    lines.append("")
    if not report.ok():
        first = next(line.step for line in report.lines if line.status == "FAIL")
        lines.append(f"Not yet: begin with {first}.")
    elif report.findings:
        lines.append("The broker works from here. Read the notes above.")
    else:
        lines.append("All well.")
    return lines
