"""The floors of docs/architecture.md are those that tests/architecture.rs holds."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def held(text):
    """By room, the rooms that it may import, as the Rust test has them."""
    table = re.search(r"const FLOORS:.*?= &\[\n(.*?)\n\];", text, re.DOTALL)[1]
    return {room: set(re.findall(r'"(\w+)"', below)) for room, below in re.findall(r'\(\s*"(\w+)",\s*&\[(.*?)\]', table, re.DOTALL)}


def shown(text):
    """The same from the page. What stands behind the rooms of a line are crates."""
    block = re.search(r"^```text [^\n]*\n(\d cli .*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    lines = [re.fullmatch(r"\d (\w+) +(.*)", re.sub(r" \([^)]*\)", "", line)) for line in block.splitlines()]
    rooms = {line[1] for line in lines}
    return {line[1]: below(line[2], rooms - {line[1]}) for line in lines}


def below(words, others):
    if words.startswith("everything below"):
        left_out = re.match(r"everything below but (\w+)", words)
        return others - {left_out[1]} if left_out else others
    return set() if words.startswith("nothing ") else set(re.match(r"\w+(?:, \w+)*", words)[0].split(", "))


class Floors(unittest.TestCase):
    def test_page_and_rust_name_the_same_rooms(self):
        self.assertEqual(held((ROOT / "tests" / "architecture.rs").read_text()), shown((ROOT / "docs" / "architecture.md").read_text()))


if __name__ == "__main__":
    unittest.main()
