"""The goals, each a ratio within one run: Headwater's value divided by the other's."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`of` names a peer, or a row of Headwater's own, or is None for a plain figure. Below one, `<=` is wanted, above, `>=`."""

    number: int
    row: str
    sign: str
    limit: float
    of: str | None

    def judge(self, table):
        """The figure reached, or None where one of the two is missing."""
        ours = table["headwater"].get(self.row)
        if self.of is None:
            theirs = 1
        elif self.of in table:
            theirs = table[self.of].get(self.row)
        else:
            theirs = table["headwater"].get(self.of)
        if ours is None or not theirs:
            return None
        return ours / theirs

    def met(self, reached):
        return reached <= self.limit if self.sign == "<=" else reached >= self.limit


REQUIRED = {1, 2, 5, 8, 10, 11, 12, 13, 14, 16}
MEM, DISK, KAFKA, NOIDA = "kfake-mem", "kfake-disk", "kafka", "noida"

GOALS = [
    Goal(1, "start_ms", "<=", 1.0, NOIDA), Goal(1, "start_ms", "<=", 1 / 500, KAFKA),
    Goal(2, "idle_rss", "<=", 0.8, NOIDA), Goal(2, "idle_rss", "<=", 1 / 50, KAFKA),
    Goal(4, "lib_p100", ">=", 0.95, "ceiling"), Goal(4, "lib_p100", ">=", 2, KAFKA),
    Goal(5, "lib_p100_us", "<=", 0.4, DISK), Goal(5, "lib_p1k_us", "<=", 0.6, DISK),
    Goal(5, "lib_p100_us", "<=", 1 / 7, KAFKA), Goal(5, "lib_p1k_us", "<=", 1 / 5, KAFKA),
    Goal(6, "lib_p1k", ">=", 1.3, DISK), Goal(6, "lib_p1k", ">=", 3.5, KAFKA),
    Goal(7, "raw_p16", ">=", 1.8, DISK), Goal(7, "raw_p16", ">=", 4, KAFKA),
    Goal(8, "raw_f1", ">=", 1.6, MEM), Goal(8, "raw_f4", ">=", 2.4, MEM), Goal(8, "raw_f1", ">=", 1.3, KAFKA),
    Goal(8, "raw_f4", ">=", 1.25, KAFKA), Goal(8, "raw_f1_cpu", "<=", 0.7, KAFKA), Goal(8, "raw_f4_cpu", "<=", 0.7, KAFKA),
    Goal(9, "lib_c1k", ">=", 1.4, KAFKA), Goal(9, "lib_c1k_us", "<=", 1 / 4, DISK), Goal(9, "lib_c1k_us", "<=", 0.8, KAFKA),
    Goal(10, "e2e_p50", "<=", 0.9, MEM), Goal(10, "e2e_p99", "<=", 1.0, MEM), Goal(10, "e2e_cores", "<=", 0.4, MEM),
    Goal(10, "e2e_p99", "<=", 1 / 10, KAFKA), Goal(10, "e2e_cores", "<=", 1 / 10, KAFKA),
    Goal(11, "flood_p99", "<=", 0.6, DISK), Goal(11, "flood_p99", "<=", 1 / 6, KAFKA),
    Goal(12, "fan_p99", "<=", 0.75, MEM), Goal(12, "fan_cores", "<=", 0.55, MEM), Goal(12, "fan_p99", "<=", 1 / 2, KAFKA),
    Goal(12, "fan_cores", "<=", 1 / 4, KAFKA),
    Goal(13, "idle_cores", "<=", 0.55, MEM), Goal(13, "idle_cores", "<=", 1 / 20, KAFKA),
    Goal(14, "conn_kib", "<=", 12, None),
    Goal(15, "part_create", "<=", 1, MEM), Goal(15, "part_kib", "<=", 0.4, MEM), Goal(15, "part_meta", "<=", 0.3, MEM),
    Goal(16, "kill_ms", "<=", 0.1, DISK), Goal(16, "kill_ms", "<=", 1 / 200, KAFKA), Goal(16, "kill10_ms", "<=", 1.5, "kill_ms"),
    Goal(17, "d2_p99", "<=", 3, "sync_p99"),
]
