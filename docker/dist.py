"""`make dist`: what a release consists of, in target/dist.

    dist.py --binary target/release/headwater [--into target/dist]

A tar.gz with the static binary, completions and the manual page; a wheel that carries the same binary; a CycloneDX list of what was
compiled in; SHA256SUMS of all of them.
"""

import argparse
import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from environments import only_one_installs, python_with  # noqa: E402  (the path must be known first)

COMPLETIONS = {"bash": "headwater.bash", "elvish": "headwater.elv", "fish": "headwater.fish", "powershell": "headwater.ps1", "zsh": "_headwater"}
TARGET = f"{platform.machine()}-unknown-linux-gnu"


def said(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **more).stdout


def version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]


def stage(binary, folder):
    """The binary with what it says of itself."""
    shutil.copy(binary, folder / "headwater")
    (folder / "headwater").chmod(0o755)
    for shell, name in COMPLETIONS.items():
        (folder / name).write_bytes(said(binary, "completions", shell))
    (folder / "headwater.1").write_bytes(said(binary, "man"))


def archive(staged, to, stamp):
    """The same bytes each time: owners, order and times are fixed."""

    def plain(member):
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = stamp
        return member

    with gzip.GzipFile(filename="", fileobj=to.open("wb"), mode="wb", mtime=stamp) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(staged.iterdir()):
            tar.add(path, f"{to.name.removesuffix('.tar.gz')}/{path.name}", filter=plain)


def wheel(staged, into, python, stamp):
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for path in (*(HERE / "wheel").glob("*.*"), *staged.iterdir()):
            if path.is_file():
                shutil.copy(path, work)
        settings = {**os.environ, "HEADWATER_VERSION": version(), "SOURCE_DATE_EPOCH": str(stamp)}
        said(python, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into.resolve()), cwd=work, env=settings, stderr=subprocess.DEVNULL)


def bill_of_materials(python):
    """Every package in the binary, by Cargo's own word for this target; the dashboard's by npm's."""
    metadata = json.loads(said("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET, cwd=ROOT))
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {
        node["id"]: [one["pkg"] for one in node["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    root, met, left = metadata["resolve"]["root"], set(), [metadata["resolve"]["root"]]
    while left:
        one = left.pop()
        if one not in met:
            met.add(one)
            left.extend(needs[one])
    rust = [
        {"name": packages[one]["name"], "version": packages[one]["version"], "license": packages[one]["license"], "kind": "cargo"}
        for one in sorted(met - {root})
    ]
    locked = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    web = [
        {"name": path.rpartition("node_modules/")[2], "version": package["version"], "license": package.get("license"), "kind": "npm"}
        for path, package in sorted(locked.items())
        if path and not package.get("dev")
    ]
    described = {"name": "headwater", "version": version(), "components": rust + web}
    return said(python, str(HERE / "sbom.py"), input=json.dumps(described).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--into", type=Path, default=ROOT / "target" / "dist")
    asked = parser.parse_args()
    with only_one_installs():
        python = python_with("dist", HERE / "wheel" / "requirements.txt")
    shutil.rmtree(asked.into, ignore_errors=True)
    asked.into.mkdir(parents=True)
    stamp = int(said("git", "log", "-1", "--format=%ct", cwd=ROOT) or 0)
    name = f"headwater-{version()}-{platform.machine()}-linux"
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        stage(asked.binary.resolve(), staged)
        archive(staged, asked.into / f"{name}.tar.gz", stamp)
        wheel(staged, asked.into, python, stamp)
    (asked.into / f"{name}.cdx.json").write_bytes(bill_of_materials(python))
    files = sorted(asked.into.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (asked.into / "SHA256SUMS").write_text("".join(sums))
    for path in (*files, asked.into / "SHA256SUMS"):
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")


if __name__ == "__main__":
    main()
