"""Runs the real clients against a broker and prints a matrix.

    run.py --binary target/release/headwater     a broker of our own, killed and restarted in one scenario
    run.py --bootstrap 127.0.0.1:9092            a broker that already runs, Apache Kafka for example

A client whose tools are missing is named as skipped; with CI set in the environment that is a failure.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from broker import OwnBroker, RunningBroker
from cells import Cell, Running
from environments import Missing, prepare
from matrix import show
from table import CLIENTS, NOT_SERVED, SCENARIOS, SECONDS, SHARED_KILL, TOPIC_MAKER

KILLED_FOR = 1.0
AFTER_RESTART = 3.0


def limit(scenario):
    return SECONDS.get(scenario, 60)


class Run:
    def __init__(self, broker, commands, names):
        self.broker, self.commands, self.names = broker, commands, names
        self.cells = {}
        self.prefix = f"clients-{os.getpid()}-{int(time.time()) % 100_000}"
        self.printing = threading.Lock()

    def note(self, client, scenario, cell):
        self.cells[client, scenario] = cell
        if cell.state == "FAIL":
            with self.printing:
                print(f"FAIL {client} {scenario} ({cell.seconds:.1f} s): {cell.detail}", flush=True)

    def one_client(self, client):
        """Every scenario but the shared kill, one after the other."""
        command = self.commands[client.name]
        for scenario in self.names:
            if isinstance(command, Missing):
                self.note(client.name, scenario, Cell("FAIL" if os.environ.get("CI") else "skip", 0, str(command)))
            elif scenario != SHARED_KILL:
                prefix = f"{self.prefix}-{client.name}-{scenario}"
                running = Running(command, client.name, scenario, self.broker.address, prefix)
                self.note(client.name, scenario, running.finish(limit(scenario)))

    def shared_kill(self, clients):
        """All clients produce and consume at once; the broker is killed under them and started again."""
        present = [client.name for client in clients if not isinstance(self.commands[client.name], Missing)]
        if not self.broker.can_kill:
            for name in present:
                self.note(name, SHARED_KILL, Cell("n/a", 0, "a broker that already runs is not ours to kill"))
            return
        with tempfile.TemporaryDirectory() as folder:
            stop_file = Path(folder) / "stop"
            running = {
                name: Running(self.commands[name], name, SHARED_KILL, self.broker.address, f"{self.prefix}-{name}", [str(stop_file)])
                for name in present
            }
            try:
                for program in running.values():
                    program.ready.wait(60)
                self.broker.kill()
                time.sleep(KILLED_FOR)
                took = self.broker.start()
                print(f"killed under {len(running)} clients; ready again {took:.2f} s after its start", flush=True)
                time.sleep(AFTER_RESTART)
            finally:
                stop_file.touch()
                for name, program in running.items():
                    self.note(name, SHARED_KILL, program.finish(limit(SHARED_KILL)))


def choose(known, wanted, what):
    unknown = set(wanted) - set(known)
    if unknown:
        sys.exit(f"no such {what}: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--binary", help="the headwater binary to start")
    where.add_argument("--bootstrap", help="HOST:PORT of a broker that already runs")
    parser.add_argument("--client", action="append", default=[], help="only this client (repeatable)")
    parser.add_argument("--scenario", action="append", default=[], help="only this scenario (repeatable)")
    parser.add_argument("--parallel", type=int, default=3, help="clients at a time")
    parser.add_argument("--install-only", action="store_true", help="install the clients and stop")
    arguments = parser.parse_args()
    by_name = {client.name: client for client in CLIENTS}
    clients = [by_name[name] for name in choose(list(by_name), arguments.client, "client")]
    names = choose(list(SCENARIOS), arguments.scenario, "scenario")
    if arguments.binary and not arguments.scenario:
        names = [name for name in names if name not in NOT_SERVED]

    begin = time.monotonic()
    commands = prepare(clients, by_name[TOPIC_MAKER])
    print(f"clients installed in {time.monotonic() - begin:.1f} s", flush=True)
    if arguments.install_only:
        missing = {name: command for name, command in commands.items() if isinstance(command, Missing)}
        for name, reason in missing.items():
            print(f"{name}: {reason}")
        return 1 if missing and os.environ.get("CI") else 0
    if not (arguments.binary or arguments.bootstrap):
        parser.error("either --binary or --bootstrap is needed")

    begin = time.monotonic()
    broker = OwnBroker(arguments.binary) if arguments.binary else RunningBroker(arguments.bootstrap)
    run, problem = Run(broker, commands, names), "the run was broken off"
    try:
        with ThreadPoolExecutor(max_workers=arguments.parallel) as pool:
            list(pool.map(run.one_client, clients))
        if SHARED_KILL in names:
            run.shared_kill(clients)
        problem = broker.problem()
    finally:
        failed = problem is not None or any(cell.state == "FAIL" for cell in run.cells.values())
        broker.close(keep=failed)
    print(f"{time.monotonic() - begin:.0f} s")
    return show([client.name for client in clients], names, run.cells, problem)


if __name__ == "__main__":
    sys.exit(main())
