"""The container image: built, looked into, run as docker/README.md and docs/ci.md say, reached from another machine, started and killed over and over.

run.py --binary target/release/headwater [--starts 20]

The binary has to be static, as `make build` makes it. Needs root, buildah, podman with runc, iproute2 and docker-compose. All of it happens
in a network and a storage of its own: ports are free there, nothing reaches the outside, and images and volumes of this machine stay as
they are. Base images are made here, as none can be pulled; two stand-ins for Node.js and Rust look whether each build stage has its files.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

from environments import Missing, need, only_one_installs, python_with  # noqa: E402  (the path must be known first)

TOOLS = ("buildah", "podman", "runc", "docker-compose", "ip", "unshare", "nsenter", "make", "ldd")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary")
    parser.add_argument("--install-only", action="store_true", help="the Python with the client, and nothing else")
    parser.add_argument("--starts", type=int, default=20)
    asked = parser.parse_args()
    if asked.starts < 10:
        parser.error("--starts: 10 at least, as after three kills in a row a broker starts read-only")
    if not (asked.binary or asked.install_only):
        parser.error("--binary is missing")
    try:
        if os.geteuid() != 0:
            raise Missing("containers with a network of their own need root")
        need(*TOOLS)
        with only_one_installs():
            python = python_with("image", HERE / "requirements.txt")
    except Missing as reason:
        failed = int(bool(os.environ.get("CI")))
        print(f"the image cannot be tested: {reason}\n0 passed, {failed} failed, {1 - failed} skipped")
        return failed
    if asked.install_only:
        return 0
    # Also a mount namespace: what the engine mounts goes with it.
    own = (shutil.which("unshare"), "--net", "--mount", "--")
    words = (str(python), str(HERE / "checks.py"), "--binary", str(Path(asked.binary).resolve()), "--starts", str(asked.starts))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for name in [name for name in environment if name.startswith(("HEADWATER_", "DOCKER_", "CONTAINERS_"))]:
        del environment[name]
    return subprocess.run((*own, *words), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
