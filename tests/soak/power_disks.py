"""File systems whose power can be cut: each on an image inside an XFS file system, where a copy of a whole image is one atomic call.

All of it lives in a mount namespace of its own. Whatever ends the program, the mounts end with it, and the loop devices with them.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

# The call that `cp --reflink=always` makes.
FICLONE = 0x40049409
BOOT_ID = "/proc/sys/kernel/random/boot_id"
OUTER_BYTES, INNER_BYTES = 12 << 30, 512 << 20
MKFS = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-m", "0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
NEEDED = ("unshare", "mount", "umount", "mkfs.xfs")
INSIDE = "HEADWATER_POWER_CUT_MOUNTS"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def missing(kinds):
    """What is not there that the rig as a whole needs, and the file systems that cannot be made."""
    if os.geteuid():
        return "root is needed to mount file systems", []
    absent = [program for program in NEEDED if not shutil.which(program)]
    if absent:
        return f"{', '.join(absent)} not found (util-linux, xfsprogs)", []
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices", []
    return "", [kind for kind in kinds if not shutil.which(MKFS[kind][0])]


def own_mounts():
    """Runs this program again where its mounts are seen by nobody else."""
    if os.environ.get(INSIDE) != str(os.getpid()):
        os.environ[INSIDE] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


class Boots:
    """The boot id that the broker sees. Each power cut is followed by another boot."""

    def __init__(self, folder):
        self.file = folder / "boot_id"
        self.file.write_text(f"{uuid.uuid4()}\n")
        run("mount", "--bind", self.file, BOOT_ID)

    def another(self):
        self.file.write_text(f"{uuid.uuid4()}\n")

    def end(self):
        run("umount", BOOT_ID)


class Outer:
    """The XFS file system with the images."""

    def __init__(self, folder):
        self.folder = Path(tempfile.mkdtemp(prefix="headwater-power-cut-", dir=folder))
        self.at, self.disks, self.boots = self.folder / "outer", [], None

    def __enter__(self):
        try:
            self.at.mkdir()
            image = self.folder / "image"
            with image.open("wb") as file:
                file.truncate(OUTER_BYTES)
            run("mkfs.xfs", "-q", "-m", "reflink=1", image)
            run("mount", "-o", "loop", image, self.at)
            # The loop device holds it; nothing is left of it when the mount is gone.
            image.unlink()
            self.boots = Boots(self.folder)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for disk in self.disks:
            disk.unmount()
        if self.boots:
            self.boots.end()
        if self.at.is_mount():
            run("umount", self.at)
        shutil.rmtree(self.folder, ignore_errors=True)

    def disk(self, kind):
        """A fresh, mounted file system."""
        template = self.at / f"{kind}.template"
        if not template.exists():
            with template.open("wb") as file:
                file.truncate(INNER_BYTES)
            run(*MKFS[kind], template)
        disk = Disk(self.at, kind)
        clone(template, disk.image)
        self.disks.append(disk)
        disk.mount()
        return disk

    def discard(self, disk):
        disk.unmount()
        disk.image.unlink()
        self.disks.remove(disk)


class Disk:
    def __init__(self, outer, kind):
        self.kind, self.image, self.at, self.copies = kind, outer / f"{uuid.uuid4()}.image", outer / f"{uuid.uuid4()}", 0
        self.at.mkdir()

    def mount(self):
        run("mount", "-t", self.kind, "-o", "loop", self.image, self.at)

    def unmount(self):
        if self.at.is_mount():
            run("umount", self.at)
        if self.kind == "btrfs":
            # It would take an older copy of what it has seen for a mistake.
            subprocess.run(("btrfs", "device", "scan", "--forget"), capture_output=True, check=False)

    def cut(self):
        """The power is cut: what the device has at this moment is all that is left. Gives the copy, and between which times."""
        copy = self.image.with_name(f"{uuid.uuid4()}.image")
        return copy, *clone(self.image, copy)

    def restore(self, copy):
        """Mounts what was left in place of the disk, whose file system gets its journal replayed."""
        self.unmount()
        self.image.unlink()
        self.image = copy
        self.mount()


def clone(source, target):
    with source.open("rb") as there, target.open("wb") as here:
        begun = time.monotonic()
        fcntl.ioctl(here, FICLONE, there.fileno())
        return begun, time.monotonic()
