"""The proxy's eyes: frames made by hand, with what it has to find in them. connector.py runs it first."""

from wire import FETCH, LATEST, LIST_OFFSETS, Connection, Notes

TOPIC = bytes(range(16))


def number(size, value):
    return value.to_bytes(size, "big", signed=True)


def text(value):
    return bytes([len(value) + 1]) + value.encode()


def request(key, version, body):
    return number(2, key) + number(2, version) + number(4, 7) + number(2, 5) + b"spark" + b"\0" + body


def list_offsets(connection, partition, end):
    asked = number(4, -1) + b"\0" + b"\x02" + text("shop") + b"\x02" + number(4, partition) + number(4, -1) + number(8, LATEST)
    connection.asked(request(LIST_OFFSETS, 9, asked + b"\0\0\0"))
    answer = number(4, 0) + b"\x02" + text("shop") + b"\x02" + number(4, partition) + number(2, 0) + number(8, -1) + number(8, end)
    connection.answered(number(4, 7) + b"\0" + answer + number(4, 0) + b"\0\0\0")


def fetch(connection, offset, records, end=None, epoch=0):
    """Asks for partition 0 from `offset` on. Without an end the answer leaves the partition out."""
    asked = number(4, 500) + number(4, 1) + number(4, 1 << 20) + b"\0" + number(4, 0) + number(4, epoch)
    asked += b"\x02" + TOPIC + b"\x02" + number(4, 0) + number(4, -1) + number(8, offset) + number(4, -1) + number(8, -1) + number(4, 1 << 20)
    connection.asked(request(FETCH, 17, asked + b"\0\0" + b"\x01\x01\0"))
    answer = number(4, 0) + number(2, 0) + number(4, 3)
    if end is None:
        answer += b"\x01\0"
    else:
        answer += b"\x02" + TOPIC + b"\x02" + number(4, 0) + number(2, 0) + number(8, end) + number(8, end) + number(8, 0) + b"\0"
        answer += number(4, -1) + bytes([len(records) + 1]) + records + b"\0\0\0"
    connection.answered(number(4, 7) + b"\0" + answer)


def batch(first, last):
    return number(8, first) + b"\0" * 15 + number(4, last - first) + b"\0" * 34


def faults(*steps):
    notes = Notes()
    notes.ids["shop"] = TOPIC
    for step in steps:
        step(Connection(notes))
    return notes.faults


def blind():
    """What it should see and does not, or sees where there is nothing."""
    told = lambda end: lambda connection: list_offsets(connection, 0, end)  # noqa: E731
    expected = {
        "an end that steps back": (faults(told(9), told(8)), "stepped back from 9 to 8"),
        "an end that stays": (faults(told(9), told(9), told(10)), ""),
        "an end of a Fetch that steps back": (faults(told(9), lambda c: fetch(c, 3, batch(0, 5), 7)), "stepped back from 9 to 7"),
        "an empty answer": (faults(lambda c: fetch(c, 3, b"", 9)), "an empty answer for shop-0 at 3, where the end is 9"),
        "a partition left out": (faults(told(9), lambda c: fetch(c, 3, b"")), "no answer for shop-0 at 3"),
        "nothing new": (faults(told(9), lambda c: fetch(c, 9, b""), lambda c: fetch(c, 9, b"", 9)), ""),
        "records": (faults(told(9), lambda c: fetch(c, 3, batch(0, 5), 9)), ""),
        "records from before": (faults(told(9), lambda c: fetch(c, 6, batch(0, 5), 9)), "end before 6"),
    }
    wrong = [name for name, (found, words) in expected.items() if len(found) != bool(words) or (words and words not in found[0])]
    return wrong, len(expected)


if __name__ == "__main__":
    print(blind())
