"""The picture of C7: what the dashboard shows, for those who have no Databricks warehouse."""

from datetime import datetime, timedelta, timezone
from statistics import median

import matplotlib.dates as dates
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Blue, grey and vermilion can be told apart by everybody, and the shades of blue in print too.
INK, CALM, QUIET, ALARM = "#1b2a41", "#4a6fa5", "#b8c4d6", "#d55e00"
SHADES = LinearSegmentedColormap.from_list("shades", ["#f4f6f9", "#dfe6ef", "#8ea9cc", CALM, INK])
WINDOW = timedelta(minutes=5)
SHOWN = timedelta(hours=3)


def figure(gold):
    """The last three hours: all countries by windows, and below them the high risks and the average of all."""
    return drawn_from(rows_of(gold))


def rows_of(gold):
    """As dicts. Times of collect() are those of the computer's own time zone, seconds are the same everywhere."""
    columns = (
        "coalesce(country, 'none') AS country",
        "payments",
        "coalesce(cast(average_usd AS double), 0) AS average_usd",
        "high_risk",
        "coalesce(spike, false) AS spike",
    )
    found = [row.asDict() for row in gold.selectExpr("unix_seconds(window_start) DIV 300 * 300 AS seconds", *columns).collect()]
    newest = max(row["seconds"] for row in found)
    found = [row for row in found if row["seconds"] > newest - SHOWN.total_seconds()]
    return [{**row, "window_start": datetime.fromtimestamp(row["seconds"], timezone.utc)} for row in found]


def drawn_from(rows):
    countries = sorted({row["country"] for row in rows}, key=lambda country: -sum(of(rows, country)))
    starts = sorted({row["window_start"] for row in rows})
    starts = [starts[0] + WINDOW * step for step in range((starts[-1] - starts[0]) // WINDOW + 1)]
    drawn = Figure(figsize=(11.6, 8.2), layout="constrained")
    above, middle, below = drawn.subplots(3, 1, sharex=True, height_ratios=[3.6, 1.2, 1])
    heat(drawn, above, rows, countries, starts)
    risks(middle, rows, starts)
    average(below, rows, starts)
    below.set_xlim(starts[0], starts[-1] + WINDOW)
    below.xaxis.set_major_locator(dates.MinuteLocator(byminute=range(0, 60, 15)))
    below.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    below.set_xlabel(f"event time on {starts[-1]:%d %B %Y}, UTC")
    for axes in (above, middle, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_color(INK)
    return drawn


def of(rows, country):
    return [row["payments"] for row in rows if row["country"] == country]


def titled(axes, text):
    axes.set_title(text, loc="left", fontsize=11.5, color=INK)


def heat(drawn, axes, rows, countries, starts):
    """Each country is measured by itself, so that a wave in a small one shows as well as one in a large one."""
    usual = {country: max(1, median(of(rows, country))) for country in countries}
    times = [[0.0] * len(starts) for _ in countries]
    for row in rows:
        times[countries.index(row["country"])][starts.index(row["window_start"])] = row["payments"] / usual[row["country"]]
    edges = [*starts, starts[-1] + WINDOW]
    mesh = axes.pcolormesh(edges, range(len(countries) + 1), times, cmap=SHADES, vmin=0, vmax=4, edgecolors="white", linewidth=1.2)
    for row in rows:
        if row["spike"]:
            bottom = countries.index(row["country"])
            axes.add_patch(Rectangle((row["window_start"], bottom), WINDOW, 1, fill=False, edgecolor=ALARM, linewidth=3, zorder=3))
            middle = row["window_start"] + WINDOW / 2
            dark = row["payments"] > 2.2 * usual[row["country"]]
            color = "white" if dark else INK
            axes.text(middle, bottom + 0.5, row["payments"], ha="center", va="center", color=color, fontsize=10, weight="bold", zorder=4)
    axes.invert_yaxis()
    axes.set_yticks([at + 0.5 for at in range(len(countries))], [f"{country}  {usual[country]:.0f}" for country in countries])
    axes.tick_params(length=0)
    axes.set_ylabel("country, and its usual payments in a window")
    titled(axes, "Payments in windows of five minutes. Framed: a spike, with its number of payments")
    drawn.colorbar(mesh, ax=axes, label="times the country's median", pad=0.01, aspect=30, ticks=range(5), extend="max")


def risks(axes, rows, starts):
    def counted(spike):
        return [sum(row["high_risk"] for row in rows if row["window_start"] == start and bool(row["spike"]) == spike) for start in starts]

    elsewhere, in_spikes = counted(False), counted(True)
    axes.bar(starts, elsewhere, WINDOW * 0.9, align="edge", color=QUIET, label="elsewhere")
    axes.bar(starts, in_spikes, WINDOW * 0.9, bottom=elsewhere, align="edge", color=ALARM, label="in spikes")
    axes.set_ylabel("payments")
    axes.legend(frameon=False, ncols=2, loc="upper right", fontsize=9.5, bbox_to_anchor=(1, 1.22))
    titled(axes, "Payments with a risk_score above 0.7, all countries")


def average(axes, rows, starts):
    at, means = [], []
    for start in starts:
        these = [row for row in rows if row["window_start"] == start]
        if these:
            at.append(start + WINDOW / 2)
            means.append(sum(row["average_usd"] * row["payments"] for row in these) / sum(row["payments"] for row in these))
    axes.plot(at, means, color=CALM, linewidth=1.8)
    spikes = [row for row in rows if row["spike"]]
    middles = [row["window_start"] + WINDOW / 2 for row in spikes]
    axes.scatter(middles, [row["average_usd"] for row in spikes], color=ALARM, zorder=3, label="a spike's country")
    if spikes:
        axes.legend(frameon=False, loc="lower right", fontsize=9.5)
    axes.set_ylabel("US dollars")
    axes.set_ylim(0, 1.15 * max(means))
    titled(axes, "Average payment, all countries")
