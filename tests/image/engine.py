"""Podman in Docker's place, with a storage of its own; stand-ins for the base images; a second machine; a small name server."""

import os
import shutil
import socket
import struct
import subprocess
import textwrap
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGE = "headwater"
STAND_IN = "localhost/headwater-toolchain"
# What podman says of a machine without systemd, which runs health checks on a timer. Here they are run by hand.
WITHOUT_SYSTEMD = ("healthcheck", "failed to connect to syslog")

# crun and higher limits do not work everywhere; these do. The soft limit is lower, so that it is seen whether the program raises it.
SHIM = """\
#!/bin/sh
case "$1" in
  version) exit 1 ;;
  compose) shift; exec docker-compose "$@" ;;
  run) shift; exec podman --runtime runc run --ulimit nofile=512:1024 --ulimit nproc=1024:1024 "$@" ;;
  *) exec podman --runtime runc "$@" ;;
esac
"""


class Failure(Exception):
    """What a command said that had to succeed."""


class Engine:
    def __init__(self, folder):
        self.folder = Path(folder)
        bin_ = self.folder / "bin"
        bin_.mkdir()
        (bin_ / "docker").write_text(SHIM)
        (bin_ / "docker").chmod(0o755)
        # Copies whole folders, and works where a file system cannot be laid over another.
        (self.folder / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/images"\nrunroot = "{self.folder}/run"\n')
        (self.folder / "containers.conf").write_text(
            f'[engine]\nruntime = "runc"\ncompat_api_enforce_docker_hub = false\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "{self.folder}/run"\n'
            f'[network]\nnetwork_config_dir = "{self.folder}/networks"\n'
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        )
        self.socket = self.folder / "engine.sock"
        self.environment = {
            **os.environ,
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "DOCKER_HOST": f"unix://{self.socket}",
            "COMPOSE_PROJECT_NAME": "headwater-test",
        }
        self.service = None

    def shell(self, line, cwd, **variables):
        """A line as it stands in a document. What it printed on both outputs, and its status."""
        done = subprocess.run(
            ("sh", "-c", line), cwd=cwd, env={**self.environment, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
        )
        said = [said for said in done.stderr.splitlines() if not any(words in said for words in WITHOUT_SYSTEMD)]
        return done.stdout, "\n".join(said), done.returncode

    def begin(self, line):
        return subprocess.Popen(("sh", "-c", line), cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def do(self, line, cwd=ROOT, **variables):
        out, error, code = self.shell(line, cwd, **variables)
        if code:
            raise Failure(f"{line} ended with {code}: {(out + error)[-2000:]}")
        return out.strip()

    def serve(self):
        """Docker's interface over HTTP, which docker-compose speaks."""
        with (self.folder / "service.log").open("wb") as log:
            command = ("podman", "--runtime", "runc", "system", "service", "--time", "0", f"unix://{self.socket}")
            self.service = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.socket.exists, 20, "podman's service")

    def log(self, name):
        out, error, _ = self.shell(f"podman logs {name}", ROOT)
        return out + error

    def pid(self, name):
        return int(self.do(f"podman inspect --format '{{{{.State.Pid}}}}' {name}"))

    def ended(self, name, signal):
        """Sends a signal; (status, seconds until the end)."""
        pid = self.pid(name)
        begin = time.monotonic()
        os.kill(pid, signal)
        while Path(f"/proc/{pid}").exists() and time.monotonic() - begin < 60:
            time.sleep(0.01)
        seconds = time.monotonic() - begin
        return int(self.do(f"podman wait {name}").splitlines()[-1]), seconds

    def close(self):
        self.shell("podman rm -f -t 0 -a -v", ROOT)
        if self.service:
            self.service.terminate()
            self.service.wait()
        self.shell("podman volume prune -f; podman network prune -f; buildah rm -a; podman rmi -f -a", ROOT)


def wait_for(what, seconds, name):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise Failure(f"{name} did not come within {seconds} s")
        time.sleep(0.02)


def stand_in(engine, binary):
    """An image with a shell and make, whose cargo and npm only look at what they are given: then the build stages run in seconds."""
    root = engine.folder / "stand-in"
    tools = ("sh", "make", "ls", "mkdir", "mv", "cp", "find", "gzip")
    copied = set()
    for tool in tools:
        path = Path(os.path.realpath(shutil.which(tool)))
        linked = subprocess.run(("ldd", str(path)), capture_output=True, text=True, check=False).stdout
        libraries = [word for word in linked.split() if word.startswith("/")]
        for source, target in ((path, f"/bin/{tool}"), *((Path(library), library) for library in libraries)):
            if target not in copied:
                copied.add(target)
                place = root / target.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)
    scripts = {
        "npm": """\
            set -e
            case "$1" in
              ci) ls package.json package-lock.json >/dev/null; mkdir node_modules ;;
              *) ls index.html vite.config.ts node_modules src public ../docs/challenges.md ../docs/pictures >/dev/null
                 mkdir dist; gzip -c index.html >dist/index.html.gz ;;
            esac""",
        "cargo": """\
            set -e
            case "$*" in *--release*--locked*crt-static*) ;; *) echo "this builds no static program: $*"; exit 1 ;; esac
            [ "$HEADWATER_DASHBOARD" = web/dist/index.html.gz ] || { echo "without the dashboard"; exit 1; }
            ls Cargo.toml Cargo.lock build.rs src/main.rs benches/log.rs challenges/shared student/__main__.py student/headwater/cli.py >/dev/null
            [ ! -e .git ] && [ "$(ls docs)" = openapi.json ] && [ ! -e web/src ] || { echo "more than the program is built from"; exit 1; }
            mkdir -p target/release; cp /built target/release/headwater""",
    }
    for name, script in scripts.items():
        (root / "bin" / name).write_text(f"#!/bin/sh\n{textwrap.dedent(script)}\n")
        (root / "bin" / name).chmod(0o755)
    (root / "tmp").mkdir()
    shutil.copy(binary, root / "built")
    (engine.folder / "Stand-in").write_text("FROM scratch\nCOPY . /\nENV PATH=/bin\n")
    engine.do(f"buildah bud --isolation chroot --format docker -t {STAND_IN} -f {engine.folder}/Stand-in {root}")


class OtherMachine:
    """A network of its own, on a wire to this one."""

    HERE, THERE = "192.168.77.1", "192.168.77.2"

    def __init__(self):
        self.process = subprocess.Popen(("unshare", "--net", "sleep", "3600"))
        pid = self.process.pid
        before = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{pid}/ns/net") != before, 10, "another network")
        self.inside = ("nsenter", f"--net=/proc/{pid}/ns/net", "--")
        for words in (
            ("ip", "link", "add", "class-a", "type", "veth", "peer", "name", "class-b", "netns", str(pid)),
            ("ip", "addr", "add", f"{self.HERE}/24", "dev", "class-a"),
            ("ip", "link", "set", "class-a", "up"),
            (*self.inside, "ip", "addr", "add", f"{self.THERE}/24", "dev", "class-b"),
            (*self.inside, "ip", "link", "set", "class-b", "up"),
            (*self.inside, "ip", "link", "set", "lo", "up"),
        ):
            subprocess.run(words, check=True)

    def run(self, *words):
        return subprocess.run((*self.inside, *words), capture_output=True, text=True, timeout=120, check=True).stdout

    def close(self):
        self.process.kill()
        self.process.wait()


class NameServer:
    """Knows one name, which is 127.0.0.1; every other does not exist."""

    NAME = "broker.class.test"
    A, NO_SUCH_NAME = 1, 3

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", 53))
        self.asked = []
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            packet, sender = self.socket.recvfrom(4096)
            self.socket.sendto(self.answer(packet), sender)

    def answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        question = packet[12 : at + 5]
        (kind,) = struct.unpack_from(">H", packet, at + 1)
        name = ".".join(labels).lower()
        self.asked.append(name)
        known = name == self.NAME
        found = known and kind == self.A
        flags = 0x8180 | (0 if known else self.NO_SUCH_NAME)
        answer = struct.pack(">HHHLH", 0xC00C, self.A, 1, 60, 4) + socket.inet_aton("127.0.0.1") if found else b""
        return packet[:2] + struct.pack(">HHHHH", flags, 1, int(found), 0, 0) + question + answer
