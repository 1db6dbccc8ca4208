"""What run.py calls, in a network of its own: the checks, in the order of docker/README.md. Its marked lines are run as they stand."""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from engine import IMAGE, ROOT, STAND_IN, Engine, Failure, NameServer, OtherMachine, stand_in, wait_for
from student import Quiet, ask, first_record, login, take_part

HERE = Path(__file__).resolve().parent
BYTES_MAX = 25_000_000
# What is promised, and how far a busy machine may be off before it is a failure.
STOP_SECONDS, OFF = 3.0, 10
FIRST_RECORD_SECONDS = 30
KILLS = 5
SECRET = "a-sentence-of-your-own"
PAGE = "http://localhost:8080"
STREAMS = ("ecommerce-events", "iot-sensor-data", "social-media-feed", "financial-transactions")
OWN_TOPIC = "kept"


class Readme:
    """The lines of docker/README.md and docs/ci.md that are marked for this test. Each has to be run."""

    BLOCK = re.compile(r"^```(\w+) executed by=tests/image/run.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)

    def __init__(self):
        blocks = [block for page in ("docker/README.md", "docs/ci.md") for block in self.BLOCK.findall((ROOT / page).read_text())]
        self.lines = [line for kind, text in blocks if kind == "sh" for line in text.splitlines()]
        self.toml = [text for kind, text in blocks if kind == "toml"]
        self.left = set(self.lines)

    def line(self, *words):
        """The one line with all of these words, or that is the only one of them."""
        found = {line for line in self.lines if (line,) == words} or {line for line in self.lines if all(word in line for word in words)}
        if len(found) != 1:
            raise Failure(f"docker/README.md has {len(found)} marked lines with {words}, and not one")
        self.left -= found
        return found.pop()


class Checks:
    def __init__(self, binary, starts, folder):
        self.binary, self.starts = binary, starts
        self.engine, self.readme = Engine(folder), Readme()
        self.passed, self.failed = 0, 0
        self.stops = []
        # Where the lines are typed.
        self.desk = Path(folder) / "desk"
        self.desk.mkdir()
        (self.desk / "docker").symlink_to(ROOT / "docker")

    def check(self, name, problem):
        """Nothing is wrong if `problem` is empty."""
        print(f"  {'FAIL' if problem else 'ok'} {name}{f': {problem}' if problem else ''}", flush=True)
        self.passed, self.failed = self.passed + (not problem), self.failed + bool(problem)

    def typed(self, *words, **variables):
        """Runs a line of the document."""
        return self.engine.do(self.readme.line(*words), self.desk, **variables)

    # the image

    def image_is_built(self):
        stand_in(self.engine, self.binary)
        # Instead of those that would be pulled.
        self.engine.do(self.readme.line("make image"), NODE_IMAGE=STAND_IN, RUST_IMAGE=STAND_IN)
        self.engine.do(f"buildah rmi {IMAGE}")
        self.engine.do(self.readme.line("NODE_IMAGE", "make image"))
        copied = self.engine.do(f"c=$(buildah from {IMAGE}); m=$(buildah mount $c); cmp $m/headwater {self.binary} && echo same; buildah rm $c >/dev/null")
        self.check("web app and program go through the two build stages into the image", "" if copied == "same" else copied)
        self.engine.do(f"buildah rmi {IMAGE} {STAND_IN}")
        self.engine.do(self.readme.line("BINARY=").replace("target/release/headwater", str(self.binary)))

    def image_is_small_and_bare(self):
        image = json.loads(self.engine.do(f"podman image inspect {IMAGE}"))[0]
        config = json.loads(self.engine.do(f"buildah inspect --type image {IMAGE}"))["Docker"]["config"]
        self.check(f"it has less than 25 MB ({image['Size'] / 1e6:.1f})", "" if image["Size"] < BYTES_MAX else image["Size"])
        c = self.engine.do(f"buildah from {IMAGE}")
        root = Path(self.engine.do(f"buildah mount {c}"))
        files = {str(path.relative_to(root)): path.lstat() for path in root.rglob("*")}
        found = {name: (stat.st_uid, stat.st_gid, oct(stat.st_mode & 0o777)) for name, stat in files.items()}
        wanted = {"headwater": (0, 0, "0o755"), "data": (65532, 65532, "0o755")}
        self.check("it holds the program and a folder for data of user 65532, and nothing else: no shell", "" if found == wanted else found)
        self.check("the program is one static file", static_problem(root / "headwater"))
        self.engine.do(f"buildah rm {c}")
        version = self.engine.do(f"docker run --rm {IMAGE} --version").split()[-1]
        known = {
            "user": config["User"],
            "entrypoint": config["Entrypoint"],
            "command": config["Cmd"],
            "volumes": list(config["Volumes"]),
            "ports": sorted(config["ExposedPorts"]),
            "health": config["Healthcheck"]["Test"],
            "labels": {name.rsplit(".", 1)[1]: text for name, text in config["Labels"].items() if name.startswith("org.opencontainers.image.")},
        }
        wanted = {
            "user": "65532:65532",
            "entrypoint": ["/headwater"],
            "command": ["serve", "--classroom"],
            "volumes": ["/data"],
            "ports": ["8080/tcp", "8443/tcp", "9092/tcp", "9093/tcp"],
            "health": ["CMD", "/headwater", "health"],
            "labels": {"title": "Headwater", "description": "One binary that replaces a Kafka cluster in a classroom", "version": version},
        }
        self.check("user, command, volume, ports, health check and labels are set", {k: known[k] for k in wanted if known[k] != wanted[k]} or "")
        _, said, code = self.engine.shell(f"docker run --rm --entrypoint /bin/sh {IMAGE} -c true", ROOT)
        self.check("no shell can be started in it", "" if code and "/bin/sh" in said else said or "one was started")
        help_ = self.typed("headwater --help")
        self.check("it lists its settings", "" if "--advertise" in help_ else help_)

    # a class by the defaults

    def class_runs_by_the_defaults(self):
        line = self.readme.line("docker run -d --name class -p 9092:9092 -p 8080:8080 headwater")
        if "-p 9092:9092 -p 8080:8080 headwater" not in line or " -e " in line or " -v " in line:
            raise Failure(f"these are not the defaults: {line}")
        begin = time.monotonic()
        self.engine.do(line, self.desk)
        served()
        log = self.typed("docker logs class")
        log += self.engine.log("class")
        self.code = only(r"Workshop code +(\S+)", log)
        self.secret = only(r"user instructor, password (\S+)", log)
        took = take_part(PAGE, self.code, FIRST_RECORD_SECONDS)
        seconds = time.monotonic() - begin
        self.check(
            f"a student on this machine joins and reads at localhost:9092; from `docker run` to the first record {seconds:.1f} s",
            "" if took["record"] and took["told"] == "localhost:9092" else took,
        )
        advice = ("Students on others need the address of the machine that runs this container", "Use ADDRESS for all", f"Students open {PAGE}/ on this machine")
        wait_for(lambda: "listener SASL_SSL sends clients to localhost" in self.engine.log("class"), 20, "the line about the address")
        log = self.engine.log("class")
        self.check("the log says what students on other machines need", "" if all(words in log for words in advice) else log)
        self.check("the log is plain text", "" if "\x1b" not in log else "it holds codes of a terminal")
        _, _, code = self.engine.shell("podman healthcheck run class", ROOT)
        self.check("the image's health check is content", "" if code == 0 else f"status {code}")
        said = self.typed("docker exec class /headwater health")
        self.check("headwater health says ok", "" if said == "ok" else said)
        _, said, code = self.engine.shell("podman exec class /headwater health --http 127.0.0.1:8081", ROOT)
        self.check("headwater health fails where nobody answers", "" if code == 1 and "is the broker running" in said else (code, said))
        status = Path(f"/proc/{self.engine.pid('class')}/status").read_text()
        limits = Path(f"/proc/{self.engine.pid('class')}/limits").read_text()
        as_it_should = "Uid:\t65532\t65532" in status and re.search(r"^NSpid:.*\t1$", status, re.MULTILINE)
        self.check("the program is process 1, of user 65532", "" if as_it_should else status)
        self.check("it raises the limit of open files", "" if re.search(r"Max open files +1024 +1024 ", limits) else limits)

    def another_machine_is_let_in_by_one_click(self):
        other = OtherMachine()
        try:
            page = f"http://{other.HERE}:8080"
            before = json.loads(other.run(sys.executable, str(HERE / "student.py"), page, self.code, "4"))
            self.check("before it is told its address, a student elsewhere is sent to localhost", "" if before["told"] == "localhost:9092" and not before["record"] else before)
            # What the button on the instructor's page sends.
            token = ask(page, "POST", "/api/login", {"user": "instructor", "password": self.secret})["token"]
            checks = {check["name"]: check for check in ask(page, "GET", "/api/doctor", token=token)["checks"]}
            told = checks["address SASL_PLAINTEXT"]
            self.check("the instructor's page says so, and which address to set", "" if told["status"] == "bad" and f"sets it to {other.HERE}" in told["fix"] else told)
            for name in ("SASL_PLAINTEXT", "SASL_SSL"):
                ask(page, "PUT", f"/api/listeners/{name}", {"advertise": other.HERE}, token)
            after = json.loads(other.run(sys.executable, str(HERE / "student.py"), page, self.code, "20"))
            self.check("after it they read, without a restart", "" if after["told"] == f"{other.HERE}:9092" and after["record"] else after)
            self.stopped("class")
            self.engine.do("docker start class")
            served()
            again = json.loads(other.run(sys.executable, str(HERE / "student.py"), page, self.code, "20"))
            self.check("and after a restart", "" if again["record"] else again)
        finally:
            other.close()
        self.stopped("class")
        self.engine.do("docker rm -v class")

    def names_resolve(self):
        """The program brings its own resolver: /etc/hosts, and the name server of /etc/resolv.conf."""
        server = NameServer()
        gateway = json.loads(self.engine.do("podman network inspect podman"))[0]["subnets"][0]["gateway"]
        self.engine.do(f"docker run -d --name class --dns {gateway} --add-host lab-pc:127.0.0.1 -p 9092:9092 -p 8080:8080 -e HEADWATER_INSTRUCTOR_SECRET={SECRET} {IMAGE}")
        served()
        # It gives up after ten seconds.
        generate = self.engine.begin("podman exec class /headwater generate --to no-such.class.test:9092 --events 1")

        def health(name):
            out, said, code = self.engine.shell(f"podman exec class /headwater health --http {name}:8080", ROOT)
            return code, out.strip() or said

        self.check("a name of /etc/hosts resolves in it", "" if health("lab-pc") == (0, "ok") else health("lab-pc"))
        found = health(server.NAME)
        self.check("a name that a name server knows resolves in it", "" if found == (0, "ok") and server.NAME in server.asked else (found, server.asked))
        code, said = health("no-such.class.test")
        self.check("a name that nobody knows is said to be unknown", "" if code == 1 and "lookup" in said and "no-such.class.test" in server.asked else (code, said, server.asked))
        token = ask(PAGE, "POST", "/api/login", {"user": "instructor", "password": SECRET})["token"]
        for name in (server.NAME, "no-such.class.test"):
            ask(PAGE, "PUT", "/api/listeners/SASL_PLAINTEXT", {"advertise": name}, token)
            time.sleep(1)
        wait_for(lambda: "no-such.class.test:9092, a name that is not known here" in self.engine.log("class"), 20, "the line about the unknown name")
        faults = [line for line in self.engine.log("class").splitlines() if f"sends clients to {server.NAME}" in line]
        self.check("an advertised name is looked up: the unknown one is named in the log, the other is no fault", faults)
        listed = self.typed("incident list")
        self.check("orders can be given from inside", "" if "ecommerce-events" in listed else listed)
        _, said = generate.communicate(timeout=60)
        self.check("the unknown name is unknown to generate too", "" if generate.returncode == 1 and "Failed to resolve 'no-such.class.test" in said else said)
        self.stopped("class")
        self.engine.do("docker rm -v class")

    # what else the document says

    def other_lines_of_the_document(self):
        self.typed("--listen 0.0.0.0:19092")
        served()
        code = only(r"Workshop code +(\S+)", self.engine.log("class"))
        took = take_part(PAGE, code, FIRST_RECORD_SECONDS)
        self.check("another port, the same inside and outside, works", "" if took["told"] == "localhost:19092" and took["record"] else took)
        self.stopped("class")
        self.engine.do("docker rm -v class")
        self.typed("HEADWATER_SEED=7")
        served()
        took = take_part(PAGE, "otter-4821", FIRST_RECORD_SECONDS)
        self.check("variables and words are settings", "" if took["record"] else took)
        self.stopped("class")
        self.engine.do("docker rm -v class")
        self.typed("podman --runtime runc")
        served()
        self.check("podman's own line works", "")
        self.stopped("class")
        self.engine.do("docker rm -v class")

    def folder_of_the_host(self):
        line = self.readme.line("./class-data:/data")
        (self.desk / "class-data").mkdir()
        self.engine.do(line, self.desk)
        self.engine.do("podman wait class")
        log = self.engine.log("class")
        self.check("a folder that belongs to root is refused, with what to do", "" if "chown 65532" in log else log)
        self.engine.do("docker rm -v class")
        (self.desk / "class-data").rmdir()
        self.typed("install -d")
        self.engine.do(line, self.desk)
        served()
        self.check("a folder that was given to its user is taken", "" if any((self.desk / "class-data").iterdir()) else "it is empty")
        self.stopped("class")
        self.engine.do("docker rm -v class")

    def volume_and_upgrade(self):
        self.typed("-v headwater:/data")
        served()
        code = only(r"Workshop code +(\S+)", self.engine.log("class"))
        me = ask(PAGE, "POST", "/api/join", {"code": code})
        self.typed("docker stop class && docker rm class")
        self.typed("-v headwater:/data")
        served()
        record, said = first_record(login("localhost:9092", me["user"], me["password"]), me["group_prefix"], FIRST_RECORD_SECONDS)
        self.check("who has joined is known to the next container on the volume", "" if record and "password as before" in self.engine.log("class") else said)
        self.stopped("class")
        self.engine.do("docker rm class")
        self.engine.do("podman volume rm headwater")

    def compose(self):
        self.engine.serve()
        lines = [self.readme.line(*words) for words in (("HEADWATER_ADVERTISE=",), ("export HEADWATER_INSTRUCTOR_SECRET",), ("compose", "up -d"), ("compose", "logs"))]
        up = "; ".join(lines[:3])
        self.engine.do(up.replace("docker compose", "docker-compose").replace("up -d", "config -q"), self.desk)
        shown = yaml.safe_load(self.engine.do("; ".join(lines[:2]) + "; docker-compose -f docker/compose.yaml config", self.desk))["services"]["headwater"]
        ports = sorted(port["published"] for port in shown["ports"])
        wanted = (
            ports == [8080, 8443, 9092, 9093]
            and shown["environment"] == {"HEADWATER_ADVERTISE": "192.168.1.20", "HEADWATER_INSTRUCTOR_SECRET": SECRET}
            and shown["volumes"] == ["headwater:/data:rw"]
            and (shown["read_only"], shown["cap_drop"], shown["security_opt"]) == (True, ["ALL"], ["no-new-privileges"])
        )
        self.check("compose.yaml is valid, with ports, address, secret, volume and few rights", "" if wanted else shown)
        self.engine.do(up, self.desk)
        served()
        token = ask(PAGE, "POST", "/api/login", {"user": "instructor", "password": SECRET})["token"]
        told = [f"{one['host']}:{one['port']}" for one in ask(PAGE, "GET", "/api/server", token=token)["listeners"]]
        self.check("docker compose up gives a class with that address and password", "" if told == ["192.168.1.20:9092", "192.168.1.20:9093"] else told)
        log = self.engine.do("; ".join((*lines[:2], lines[3])), self.desk)
        self.check("docker compose logs shows where students go", "" if "Students open http://192.168.1.20:8080/" in log and SECRET not in log else log)
        self.engine.do("docker-compose -f docker/compose.yaml down -v", self.desk)

    def service_container(self):
        job = yaml.safe_load((ROOT / "docs" / "examples" / "github-actions-service.yaml").read_text())["jobs"]["test"]
        service = job["services"]["headwater"]
        version = self.engine.do(f"docker run --rm {IMAGE} --version").split()[-1]
        self.check("the service container is of this version", "" if service["image"].endswith(f"/headwater:{version}") else service["image"])
        ports = " ".join(f"-p {port}" for port in service["ports"])
        variables = " ".join(f"-e {name}='{value}'" for name, value in service["env"].items())
        self.engine.do(f"docker run -d --name class {ports} {variables} {IMAGE}")
        wait_for(lambda: self.engine.shell("podman healthcheck run class", ROOT)[2] == 0, 60, "a content health check")
        self.taken_out(version)
        step = next(step for step in job["steps"] if step.get("shell") == "python")
        done = subprocess.run((sys.executable, "-c", step["run"]), capture_output=True, text=True, timeout=120, check=False)
        self.check(f"the step of the CI example passes: {done.stdout.strip()}", "" if done.returncode == 0 and "read 1000 purchases" in done.stdout else done.stdout + done.stderr)
        self.stopped("class")
        self.engine.do("docker rm -v class")

    def taken_out(self, version):
        """The program alone, as docs/ci.md gets it from the image."""
        line = self.readme.line("docker create").replace("YOUR-ORGANIZATION", "some")
        published = line.split()[-1]
        self.engine.do(f"docker tag {IMAGE} {published}")
        self.engine.do(line, self.desk)
        self.typed("docker cp")
        said = subprocess.run((self.desk / "headwater", "--version"), capture_output=True, text=True, check=False).stdout
        self.check("the program can be taken out of the image", "" if said == f"headwater {version}\n" and published.endswith(f":{version}") else said or published)
        self.engine.do("docker rm -v headwater")
        self.engine.do(f"docker rmi {published}")

    def development_container(self):
        box = json.loads((ROOT / "docker" / "devcontainer" / "devcontainer.json").read_text())
        shared = ROOT / "challenges" / "shared"
        wanted = {line.strip() for file in (shared / "requirements.txt", shared / "spark" / "requirements-spark.txt") for line in file.read_text().splitlines()}
        wanted = {line for line in wanted if line and not line.startswith("#")}
        installed = set(box["postCreateCommand"].replace("'", "").removeprefix("python -m pip install ").split())
        java = box["features"]["ghcr.io/devcontainers/features/java:1"]["version"]
        self.check("the development container has Python 3.12, Java 17 and what the challenges ask for", "" if ":3.12" in box["image"] and java == "17" and installed == wanted else wanted ^ installed)

    # over and over

    def starts_and_kills(self):
        (self.desk / "class.toml").write_text(self.readme.toml[0])
        line = self.readme.line("/class.toml:ro")
        hard = "--read-only --cap-drop all --security-opt no-new-privileges -v again:/data"
        line = line.replace("headwater", f"{hard} headwater serve --clock virtual --speed 0") if line.endswith(" headwater") else line
        settings = login("localhost:9092", "instructor", SECRET)
        kills = set(round((n + 0.5) * self.starts / KILLS) for n in range(KILLS))
        first, kept, ready, problems = None, [], [], []
        for n in range(1, self.starts + 1):
            begin = time.monotonic()
            self.engine.do(line, self.desk)
            served()
            ready.append(time.monotonic() - begin)
            if first is None:
                token = ask(PAGE, "POST", "/api/login", {"user": "instructor", "password": SECRET})["token"]
                wait_for(lambda: ask(PAGE, "GET", "/api/generators", token=token)["phase"] == "live", 60, "the end of the history")
                self.check("a secret in a file is the password, and is not shown by inspect", "" if SECRET not in self.engine.do("podman inspect class") else "it is shown")
                first = contents(settings, STREAMS)
            # All after a kill and at the end, else a stream in turn; the ends of the others are in their place all the same.
            whole = n == self.starts or n - 1 in kills
            now = contents(settings, STREAMS, read=STREAMS if whole else [STREAMS[n % len(STREAMS)]])
            for place, (low, high, checksum) in now.items():
                if (low, high, checksum or first[place][2]) != first[place]:
                    problems.append(f"start {n}: {place} is {(low, high, checksum)} and was {first[place]}")
            if now.keys() != first.keys():
                problems.append(f"start {n}: {sorted(now)} are not {sorted(first)}")
            if kept and contents(settings, [OWN_TOPIC], values=True) != kept:
                problems.append(f"start {n}: of {len(kept)} acknowledged records {contents(settings, [OWN_TOPIC], values=True)[-3:]} are the last")
            kept += produce(settings, n)
            if n in kills:
                status, _ = self.engine.ended("class", signal.SIGKILL)
                problems += [f"kill {n}: status {status}"] if status != 137 else []
            else:
                self.stopped("class")
            self.engine.do("docker rm class")
        records = sum(high - low for low, high, _ in first.values())
        print(f"    ready {min(ready):.2f} to {max(ready):.2f} s after `docker run`, {sum(ready) / len(ready):.2f} on average; {records} records of streams, {len(kept)} of a producer")
        self.check(f"{self.starts} starts on one volume, {len(kills)} of them ended by kill -9: the same data each time", "; ".join(problems[:3]))
        self.check("there were as many kills as there should be, and records to lose", "" if len(kills) == KILLS and records > 100_000 else (sorted(kills), records))

    def stopped(self, name):
        status, seconds = self.engine.ended(name, signal.SIGTERM)
        self.stops.append(seconds)
        if status:
            self.check(f"{name} ends in order", f"status {status}: {self.engine.log(name)[-1000:]}")

    def every_line_was_run(self):
        self.check("every marked line of the document was run", sorted(self.readme.left))
        longest = max(self.stops)
        self.check(
            f"{len(self.stops)} times SIGTERM ended it with status 0, after {longest:.2f} s at most ({STOP_SECONDS:.0f} are promised)",
            "" if longest < STOP_SECONDS * OFF else f"{longest:.1f} s",
        )

    def run(self):
        for part in (
            self.image_is_built,
            self.image_is_small_and_bare,
            self.class_runs_by_the_defaults,
            self.another_machine_is_let_in_by_one_click,
            self.names_resolve,
            self.other_lines_of_the_document,
            self.folder_of_the_host,
            self.volume_and_upgrade,
            self.compose,
            self.service_container,
            self.development_container,
            self.starts_and_kills,
            self.every_line_was_run,
        ):
            begin = time.monotonic()
            print(f"{part.__name__.replace('_', ' ')}", flush=True)
            try:
                part()
            except Exception as error:  # noqa: BLE001  (the parts after it say something too)
                self.check(part.__name__.replace("_", " "), f"{error}" if isinstance(error, Failure) else traceback.format_exc())
                print(self.engine.log("class")[-2000:])
                self.engine.shell("podman rm -f -v -t 0 class", ROOT)
            print(f"    {time.monotonic() - begin:.1f} s", flush=True)


def served():
    """Waits until the pages answer."""

    def answers():
        try:
            return urllib.request.urlopen(f"{PAGE}/healthz", timeout=2).status == 200
        except (OSError, urllib.error.URLError):
            return False

    wait_for(answers, 60, "an answer of the pages")


def only(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise Failure(f"{pattern} is not in {text}")
    return found[1]


def static_problem(path):
    """An ELF file that asks for no loader and no library has neither of these headers."""
    head = path.read_bytes()[:4096]
    offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
    kinds = {struct.unpack_from("<I", head, offset + n * size)[0] for n in range(count)}
    return "" if head[:4] == b"\x7fELF" and count and not kinds & {2, 3} else f"headers of kind {sorted(kinds)}"


def contents(settings, topics, values=False, read=None):
    """Beginning, end and checksum of every partition, the last only of topics that are read (all, if none is named); or all values."""
    consumer = Consumer({**settings, "group.id": "contents", "enable.auto.commit": False, "fetch.message.max.bytes": 8 << 20}, logger=Quiet())
    known = consumer.list_topics(timeout=20).topics
    places = [(topic, number) for topic in topics for number in known[topic].partitions]
    ends = {place: consumer.get_watermark_offsets(TopicPartition(*place), timeout=20) for place in places}
    begins = {place: low for place, (low, _) in ends.items() if place[0] in (read or topics)}
    consumer.assign([TopicPartition(*place, low) for place, low in begins.items()])
    sums, counts, said = dict.fromkeys(places, 0), 0, []
    wanted, limit = sum(ends[place][1] - low for place, low in begins.items()), time.monotonic() + 120
    while counts < wanted and time.monotonic() < limit:
        for message in consumer.consume(20_000, 0.2):
            if message.error():
                raise Failure(str(message.error()))
            place = (message.topic(), message.partition())
            stamp = struct.pack(">qq", message.offset(), message.timestamp()[1])
            sums[place] = zlib.crc32(message.value() or b"", zlib.crc32(stamp + (message.key() or b""), sums[place]))
            counts += 1
            said.append(message.value()) if values else None
    consumer.close()
    if counts < wanted:
        raise Failure(f"{counts} of {wanted} records came")
    return sorted(said) if values else {place: (*ends[place], sums[place]) for place in places}


def produce(settings, n):
    """A hundred records, every one of them acknowledged."""
    values, failed = [b"%04d-%03d" % (n, one) for one in range(100)], []
    producer = Producer({**settings, "acks": "all", "enable.idempotence": True}, logger=Quiet())
    for value in values:
        producer.produce(OWN_TOPIC, value, on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    if producer.flush(30) or failed:
        raise Failure(f"not acknowledged: {failed[:3]}")
    return values


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--starts", type=int, required=True)
    asked = parser.parse_args()
    begin = time.monotonic()
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    folder = tempfile.mkdtemp(prefix="headwater-image-")
    checks = Checks(Path(asked.binary), asked.starts, folder)
    try:
        checks.run()
    finally:
        checks.engine.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"{checks.passed} passed, {checks.failed} failed, 0 skipped")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
