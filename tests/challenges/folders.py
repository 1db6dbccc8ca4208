"""The folders of challenges, as the tests use them: solutions, starters, wrong solutions."""

import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
CHALLENGES = ROOT / "challenges"


class Wrong(NamedTuple):
    name: str
    mistake: str
    solution: str
    text: str
    # What shows this mistake may be missing from a ticket's records. Then the answer is right.
    rare: bool
    # Only dirt shows it.
    dirt: bool
    # It depends on how fast records come: one more try is allowed.
    timing: bool


class Folder:
    def __init__(self, path):
        self.path = Path(path)
        self.sheet = tomllib.loads((self.path / "challenge.toml").read_text(encoding="utf-8"))
        self.id = self.sheet["id"]

    def text(self, name):
        return (self.path / name).read_text(encoding="utf-8")

    def wrong(self):
        for file in sorted(self.path.glob("wrong/*.toml")):
            yield self.changed(file)

    def changed(self, file):
        """A wrong solution is a right one in which some words are others."""
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        text = self.text(told["solution"])
        for change in told["change"]:
            found = text.count(change["from"])
            if found != 1:
                raise ValueError(f"{file}: {change['from']!r} is in {told['solution']} {found} times")
            text = text.replace(change["from"], change["to"])
        flags = (told.get(flag, False) for flag in ("rare", "dirt", "timing"))
        return Wrong(file.stem, told["mistake"], told["solution"], text, *flags)


def folders(track=None):
    found = [Folder(file.parent) for file in sorted(CHALLENGES.glob("*/challenge.toml"))]
    return [folder for folder in found if track in (None, folder.sheet["track"])]


def starter(solution):
    """What `src/workshop/challenge/markers.rs` makes of a solution; here only to write a starter while one is working on it."""
    lines, inside = [], False
    for line in solution.splitlines():
        text = line.strip()
        if text in ("### BEGIN SOLUTION", "### END SOLUTION"):
            inside = text == "### BEGIN SOLUTION"
        elif inside and text.startswith("#>"):
            kept = text[2:].removeprefix(" ")
            lines.append(line[: len(line) - len(line.lstrip())] + kept if kept else "")
        elif not inside:
            lines.append(line)
    return "\n".join(lines) + "\n"


def main():
    """Writes all starters, and applies all changes."""
    for folder in folders():
        for name in folder.sheet["solutions"]:
            (folder.path / name.replace("solution", "starter", 1)).write_text(starter(folder.text(name)), encoding="utf-8")
        print(folder.id, [wrong.name for wrong in folder.wrong()])


if __name__ == "__main__":
    main()
