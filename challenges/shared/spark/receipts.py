"""Receipts: what the checks want to know of a table, computed by Spark's SQL functions and small enough to paste.

A digest of rows is how many there are, the sum of a checksum of each, and the exclusive or of those checksums. It does not depend on the
order, and the ticket's nonce is part of each checksum: a receipt is good for one ticket.
"""

from __future__ import annotations

import lakehouse
import workshop

# What arrives this late is behind the watermark or not, by the luck of the batches.
LATE = "(unix_millis({arrived}) - unix_millis({happened}) >= 570000)"
# A line that can still be pasted; the server takes 256 KiB.
UNMATCHED_MAX = 4_500
WINDOWS_MAX = 600


def bronze(ticket: workshop.Ticket) -> dict:
    _need("bronze", "partition", "offset")
    value = "coalesce(value, '')" if "value" in _columns("bronze") else "''"
    rows = lakehouse.sql(
        "SELECT partition, count(*) rows, count(distinct offset) offsets, min(offset) min, max(offset) max,"
        f" {_digest(ticket, 'partition', 'offset', value)} FROM bronze GROUP BY partition"
    ).collect()
    names = ("rows", "offsets", "min", "max", "sum", "xor")
    return {**_about("bronze"), "partitions": {str(row["partition"]): {name: row[name] for name in names} for row in rows}}


def silver(ticket: workshop.Ticket, rejected: str | None) -> dict:
    """`rejected` is what Delta said to the write that did not fit."""
    nested = ("category", "brand", "device_type", "country")
    _need("silver", "event_id", "event_time", "arrived_at", "hour_of_day", "day_of_week", *nested)
    _need("quarantine", "value")
    late = LATE.format(arrived="arrived_at", happened="event_time")
    on_time = f"silver WHERE NOT {late}"
    return {
        **_about("silver"),
        "offsets": {str(partition): list(ends) for partition, ends in lakehouse.offsets_of("bronze").items()},
        "on_time": _one(ticket, on_time, "event_id"),
        "late": _one(ticket, f"silver WHERE {late}", "event_id"),
        "derived": _one(ticket, on_time, "event_id", "hour_of_day", "day_of_week"),
        "nested": _one(ticket, on_time, "event_id", *nested),
        "quarantine": _one(ticket, "quarantine", "value"),
        # Null is for tables that the broker reads itself: there nobody can see a refusal.
        "rejected": rejected or "",
    }


def gold(ticket: workshop.Ticket, dashboard: dict | None = None) -> dict:
    """`dashboard` is an exported dashboard, read from its .lvdash.json."""
    _need("gold", "window_start", "country", "payments", "average_usd", "high_risk", "spike")
    rows = lakehouse.sql(
        "SELECT date_format(window_start, \"yyyy-MM-dd'T'HH:mm'Z'\"), country, payments, cast(average_usd AS double), high_risk, spike"
        # A ticket goes back no further than an hour and a half. Where windows are there several times, the one with the most counts.
        f" FROM gold ORDER BY window_start DESC NULLS FIRST, country, payments DESC LIMIT {WINDOWS_MAX}"
    ).collect()
    receipt = {**_about("gold"), "offsets": _offsets("gold").get(ticket.topic, {}), "windows": [list(row) for row in rows]}
    return {**receipt, "dashboard": dashboard} if dashboard else receipt


def joined(ticket: workshop.Ticket) -> dict:
    times = ("purchased_at", "paid_at", "purchase_arrived_at", "payment_arrived_at")
    _need("joined", "order_id", "transaction_id", *times)
    purchase = LATE.format(arrived="purchase_arrived_at", happened="purchased_at")
    payment = LATE.format(arrived="payment_arrived_at", happened="paid_at")
    late, matched = f"({purchase} OR {payment})", "joined WHERE transaction_id IS NOT NULL"
    receipt = {
        **_about("joined"),
        "offsets": _offsets("joined"),
        "on_time": _one(ticket, f"{matched} AND NOT {late}", "order_id", "transaction_id"),
        "late": _checksums(ticket, f"{matched} AND {late}", "order_id", "transaction_id"),
        "watermark": lakehouse.watermark_of("joined"),
    }
    unmatched = _checksums(ticket, "joined WHERE transaction_id IS NULL", "order_id")
    if len(unmatched) > UNMATCHED_MAX:
        print(f"{len(unmatched)} purchases without a payment are more than a receipt takes, and more than there can be in a day.")
        return receipt
    return {**receipt, "unmatched": unmatched} if unmatched else receipt


def _about(table: str) -> dict:
    """Its columns, and its versions with the rows that each added."""
    versions = []
    for row in lakehouse.sql(f"DESCRIBE HISTORY {table}").collect():
        epoch = (row["operationParameters"] or {}).get("epochId")
        added = int((row["operationMetrics"] or {}).get("numOutputRows", 0))
        versions.append([row["version"], added, None if epoch is None else int(epoch)])
    schema = [f"{name}:{kind}" for name, kind in lakehouse.sql(f"SELECT * FROM {table}").dtypes]
    return {"table": table, "schema": schema, "versions": sorted(versions)}


def _columns(table: str) -> list[str]:
    return lakehouse.sql(f"SELECT * FROM {table}").columns


def _need(table: str, *columns: str) -> None:
    if not lakehouse.exists(table):
        raise workshop.WorkshopError(f"There is no table {table} yet.", "Run the cell that writes it.")
    lacking = [name for name in columns if name not in _columns(table)]
    if lacking:
        raise workshop.WorkshopError(f"The table {table} has no column {', '.join(lacking)}.", "The task names its columns.")


def _offsets(query: str) -> dict:
    return {
        topic: {str(partition): list(ends) for partition, ends in partitions.items()}
        for topic, partitions in lakehouse.offsets_read(query).items()
    }


def _checksum(ticket: workshop.Ticket, *columns: str) -> str:
    """Of a row, as SQL. What is null counts as the word."""
    parts = [f"coalesce(cast({column} AS string), 'null')" for column in columns]
    return f"crc32(concat_ws('|', '{ticket.nonce}', {', '.join(parts)}))"


def _digest(ticket: workshop.Ticket, *columns: str) -> str:
    crc = _checksum(ticket, *columns)
    return f"count({crc}) count, coalesce(sum({crc}), 0) sum, coalesce(bit_xor({crc}), 0) xor"


def _one(ticket: workshop.Ticket, rows: str, *columns: str) -> dict:
    return lakehouse.sql(f"SELECT {_digest(ticket, *columns)} FROM {rows}").first().asDict()


def _checksums(ticket: workshop.Ticket, rows: str, *columns: str) -> list[int]:
    found = lakehouse.sql(f"SELECT {_checksum(ticket, *columns)} crc FROM {rows} ORDER BY crc").collect()
    return [row["crc"] for row in found]
