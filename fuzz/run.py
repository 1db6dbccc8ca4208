"""Runs the fuzz targets with libFuzzer, one after the other.

    run.py [--seconds 60] [--keep] [TARGET ...]

It needs cargo-fuzz (`cargo install cargo-fuzz`) and works on stable Rust. `seeds/<target>.hex` is unpacked to `corpus/<target>`
first. With `--keep` what was found is minimised and packed back, up to a bound, the short inputs first. An input that crashes is
printed as hex: it belongs into `seeds/`, from where `cargo test --test fuzz_targets` replays it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from hashlib import sha1
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = ("frame_stream", "request_decode", "request_roundtrip", "record_batch", "log_recover", "log_ops", "group_machine", "sasl_machine")
SEED_BYTES_MAX = 64 * 1024
# An input may take this long on a busy machine; what takes longer is a finding.
INPUT_SECONDS = 25
MEMORY_MB = 1024


def unpack(target):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for line in (HERE / "seeds" / f"{target}.hex").read_text().split():
        data = bytes.fromhex(line)
        (folder / sha1(data).hexdigest()).write_bytes(data)
    return folder


def pack(target, corpus):
    """Puts the smallest inputs that cover what all of them do into the seeds."""
    small = HERE / "corpus" / f"{target}.small"
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    fuzz(target, [small, corpus], ["-merge=1"])
    lines, size = [], 0
    for data in sorted((path.read_bytes() for path in small.iterdir()), key=lambda data: (len(data), data)):
        size += len(data)
        if size > SEED_BYTES_MAX:
            break
        if data:
            lines.append(data.hex() + "\n")
    (HERE / "seeds" / f"{target}.hex").write_text("".join(lines))
    return len(lines)


def fuzz(target, folders, flags):
    command = ["cargo", "fuzz", "run", "--fuzz-dir", str(HERE), target, *map(str, folders), "--", *flags]
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    return subprocess.run(command, cwd=HERE.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def last(pattern, text, default="?"):
    return (re.findall(pattern, text) or [default])[-1]


def run(target, seconds, keep):
    corpus = unpack(target)
    begun = time.monotonic()
    flags = [f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}", "-max_len=4096", "-print_final_stats=1"]
    done = fuzz(target, [corpus], flags)
    executions = last(r"number_of_executed_units: (\d+)", done.stdout)
    covered = last(r"cov: (\d+)", done.stdout)
    kept = pack(target, corpus) if keep and not done.returncode else len((HERE / "seeds" / f"{target}.hex").read_text().split())
    took = time.monotonic() - begun
    print(f"{target}: {executions} executions, {covered} edges, {len(list(corpus.iterdir()))} inputs in the corpus, {kept} in seeds, {took:.0f} s", flush=True)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-60:]))
        crash = last(r"Test unit written to (\S+)", done.stdout, None)
        if crash:
            print(f"{target} fails on: {Path(crash).read_bytes().hex()}")
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all without any")
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "60")))
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("cargo-fuzz"):
        print("cargo-fuzz is missing: cargo install cargo-fuzz\n0 passed, 0 failed, 1 skipped")
        return 1
    passed = [run(target, arguments.seconds, arguments.keep) for target in arguments.targets or TARGETS]
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
