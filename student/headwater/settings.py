"""What `join` keeps: one file a server, `~/.headwater/<server>.json`, readable by its owner only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit


def folder() -> Path:
    return Path(os.environ.get("HEADWATER_HOME") or Path.home() / ".headwater")


def name_of(base: str) -> str:
    parts = urlsplit(base)
    host = (parts.hostname or "server").replace(":", "_").replace("%", "_")
    return f"{host}-{parts.port or 80}"


def path_of(base: str) -> Path:
    return folder() / f"{name_of(base)}.json"


def ca_path_of(base: str) -> Path:
    return folder() / f"{name_of(base)}.pem"


def load(base: str | None = None) -> dict | None:
    """Of this server, or of the one joined last."""
    try:
        if base:
            files = [path_of(base)]
        else:
            files = sorted(folder().glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files:
            found = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(found, dict) and isinstance(found.get("server"), str):
                return found
    except (OSError, ValueError):
        pass
    return None


def save(kept: dict) -> Path:
    target = path_of(kept["server"])
    write(target, json.dumps(kept, indent=2) + "\n")
    return target


def write(target: Path, text: str) -> None:
    """Whole or not at all, and never readable by others in between."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    _owner_only_on_windows(new)
    os.replace(new, target)


def _owner_only_on_windows(file):
    user = os.environ.get("USERNAME")
    if sys.platform == "win32" and user:
        try:
            subprocess.run(["icacls", str(file), "/inheritance:r", "/grant:r", f"{user}:F"], capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.SubprocessError):
            pass  # the home folder is private already; this only closes it to other administrators


def served_from() -> str | None:
    """The address that this program was fetched from: the server writes it into the archive."""
    import headwater

    package = Path(headwater.__file__).parent
    for place in (package.parent / "server.txt", package / "server.txt"):
        try:
            loader = getattr(headwater, "__loader__", None)
            data = loader.get_data(str(place)) if hasattr(loader, "get_data") else place.read_bytes()
            return data.decode("utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            continue
    return None
