"""Records that a broker or a codec could damage: empty, null, binary, large, badly compressible."""

import random
import time
from typing import NamedTuple, Optional


class Sample(NamedTuple):
    key: Optional[bytes]
    value: Optional[bytes]
    headers: tuple
    timestamp: int


HEADERS = (("trace", b"\x00\xff\x80"), ("trace", b"the same name again"), ("gr\u00f6\u00dfe", "\u00fcber".encode()))


def samples(count=40, seed=7):
    dice = random.Random(seed)
    start = int(time.time() * 1000) - 60_000
    kinds = (
        lambda i: f"order {i}, \u20ac 12.50".encode(),
        lambda i: bytes(range(256)),
        lambda i: b"",
        lambda i: None,
        lambda i: b'{"sku":"A-1","qty":3},' * 2500,
        lambda i: dice.randbytes(20_000),
    )
    values = [kinds[i % len(kinds)](i) for i in range(count)]
    return [
        Sample(
            key=None if i % 5 == 0 and value is not None else f"key-{i}".encode(),
            value=value,
            headers=HEADERS if i % 3 == 0 else (),
            timestamp=start + i,
        )
        for i, value in enumerate(values)
    ]
