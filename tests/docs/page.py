"""A page's blocks, each treated as its mark asks for."""

import os
import time
from pathlib import Path

import blocks
import places
import syntax
from environments import Missing

ROOT = Path(__file__).resolve().parent.parent.parent


def outcome(block, folder):
    """`ok`, or FAIL, skip, unverified with the reason."""
    if block.fault:
        return f"FAIL: {block.fault}"
    if block.mark == "unverified":
        return "unverified"
    try:
        if block.mark == "checked":
            if "file" in block.named:
                folder().keep(block)
            fault = syntax.check(block)
        elif "by" in block.named:
            fault = taken(block)
        else:
            fault = folder().run(block)
    except Missing as reason:
        fault = f"{reason}"
        if not os.environ.get("CI"):
            return f"skip: {reason}"
    except Exception as reason:  # one block must not keep the others from being run
        fault = f"{type(reason).__name__}: {reason}"
    return f"FAIL: {fault}" if fault else "ok"


def taken(block):
    """Another test says that it takes this page's blocks."""
    test = ROOT / block.named["by"]
    if not test.is_file():
        return f"there is no {block.named['by']}"
    return None if block.page.name in test.read_text(encoding="utf-8") else f"{block.named['by']} does not name {block.page.name}"


class Page:
    """The blocks of a page in their order, in one folder that is made when the first of them wants it."""

    def __init__(self, path, brokers, python):
        self.path, self.brokers, self.python, self.made = path, brokers, python, None

    def folder(self):
        self.made = self.made or places.Folder(self.brokers, self.python)
        return self.made

    def results(self):
        found = blocks.found(self.path, self.path.read_text(encoding="utf-8"))
        try:
            for block in found:
                begin = time.monotonic()
                told = outcome(block, self.folder)
                yield f"{block}", " ".join(filter(None, (block.language, block.mark or "no mark"))), told, time.monotonic() - begin
        finally:
            if self.made:
                self.made.close()
