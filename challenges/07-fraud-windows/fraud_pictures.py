"""The picture of C7: what the dashboard shows, for those who have no Databricks warehouse."""

from datetime import timedelta

import matplotlib.dates as dates
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Dark blue, grey and vermilion can be told apart by everybody, and in print.
INK, CALM, QUIET, ALARM = "#1b2a41", "#4a6fa5", "#b8c4d6", "#d55e00"
WINDOW = timedelta(minutes=5)


def figure(rows):
    """`rows` of gold. Above all countries by windows, below them high risks and the average of all."""
    countries = [country for _, country in sorted(((-total(rows, c), c) for c in {row["country"] for row in rows}))]
    starts = sorted({row["window_start"] for row in rows})
    begin, end = starts[0], starts[-1] + WINDOW
    drawn = Figure(figsize=(11.6, 8.2), layout="constrained")
    above, middle, below = drawn.subplots(3, 1, sharex=True, height_ratios=[3.4, 1.1, 1.1])
    heat(drawn, above, rows, countries)
    risks(middle, rows, starts)
    average(below, rows, starts)
    below.set_xlim(begin, end)
    below.xaxis.set_major_locator(dates.MinuteLocator(byminute=range(0, 60, 15)))
    below.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    below.set_xlabel(f"beginning of the window, {begin:%d %B %Y}, UTC")
    return drawn


def total(rows, country):
    return sum(row["payments"] for row in rows if row["country"] == country)


def heat(drawn, axes, rows, countries):
    """Payments of each country against what is usual there, so that small countries show as well as large ones."""
    usual = {c: sorted(row["payments"] for row in rows if row["country"] == c) for c in countries}
    usual = {country: max(1, counts[len(counts) // 2]) for country, counts in usual.items()}
    for row in rows:
        left, bottom = row["window_start"], countries.index(row["country"])
        share = min(row["payments"] / usual[row["country"]], 5) / 5
        axes.add_patch(Rectangle((left, bottom - 0.42), WINDOW, 0.84, color=CALM, alpha=0.08 + 0.92 * share**1.5, linewidth=0))
        if row["spike"]:
            axes.add_patch(Rectangle((left, bottom - 0.42), WINDOW, 0.84, fill=False, edgecolor=ALARM, linewidth=2.4, zorder=3))
            axes.text(left + WINDOW / 2, bottom, row["payments"], ha="center", va="center", color="white", fontsize=9, weight="bold", zorder=4)
    axes.set_ylim(len(countries) - 0.5, -0.5)
    axes.set_yticks(range(len(countries)), countries)
    axes.set_title("Payments in five minutes, against what is usual in the country; framed: a spike", loc="left", fontsize=11, color=INK)


def risks(axes, rows, starts):
    in_spikes = [sum(row["high_risk"] for row in rows if row["window_start"] == start and row["spike"]) for start in starts]
    others = [sum(row["high_risk"] for row in rows if row["window_start"] == start and not row["spike"]) for start in starts]
    axes.bar(starts, others, WINDOW * 0.9, align="edge", color=QUIET, label="elsewhere")
    axes.bar(starts, in_spikes, WINDOW * 0.9, bottom=others, align="edge", color=ALARM, label="in spikes")
    axes.set_ylabel("payments")
    axes.legend(frameon=False, ncols=2, loc="upper left", fontsize=9)
    axes.set_title("High risk (risk_score above 0.7), all countries", loc="left", fontsize=11, color=INK)


def average(axes, rows, starts):
    means = []
    for start in starts:
        these = [row for row in rows if row["window_start"] == start]
        means.append(sum(row["average_usd"] * row["payments"] for row in these) / sum(row["payments"] for row in these))
    axes.plot([start + WINDOW / 2 for start in starts], means, color=CALM, linewidth=1.8)
    spikes = [row for row in rows if row["spike"]]
    axes.scatter([row["window_start"] + WINDOW / 2 for row in spikes], [row["average_usd"] for row in spikes], color=ALARM, zorder=3)
    axes.set_ylabel("US dollars")
    axes.set_ylim(bottom=0)
    axes.set_title("Average payment of all countries; dots: of a spike's country", loc="left", fontsize=11, color=INK)
