"""The picture of C9: what the dashboard shows, for those who have no Databricks warehouse."""

from datetime import datetime, timedelta, timezone

from matplotlib.figure import Figure

# The first five of these are told apart by everybody; the names stand beside the lines as well.
INK, QUIET = "#1b2a41", "#c3cbd6"
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")
MOODS = (("negative", "#d55e00"), ("neutral", QUIET), ("positive", "#4a6fa5"))
WINDOW = timedelta(minutes=10)


def figure(trending, mood):
    """How often the hashtags that were ever among the first three were used, and the mood of each window."""
    return drawn_from(rows_of(trending, "hashtag", "mentions", "place"), rows_of(mood, "records", "positive", "neutral", "negative"))


def rows_of(table, *columns):
    """As dicts. Times of collect() are those of the computer's own time zone, seconds are the same everywhere."""
    found = [row.asDict() for row in table.selectExpr("unix_seconds(window_start) AS seconds", *columns).orderBy("seconds").collect()]
    return [{**row, "start": datetime.fromtimestamp(row["seconds"], timezone.utc)} for row in found]


def drawn_from(hashtags, moods):
    starts = [row["start"] for row in moods]
    drawn = Figure(figsize=(11.6, 7.6), layout="constrained")
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[1.7, 1])
    topics(above, hashtags, starts)
    sentiments(below, moods)
    below.set_xticks(range(len(starts)), [f"{start:%H:%M}" for start in starts])
    below.set_xlabel(f"beginning of the window, event time on {starts[-1]:%d %B %Y}, UTC; the first and the last window may be cut off")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return drawn


def topics(axes, hashtags, starts):
    def counts(name):
        mentions = {row["start"]: row["mentions"] for row in hashtags if row["hashtag"] == name}
        return [mentions.get(start, 0) for start in starts]

    leaders = {row["hashtag"] for row in hashtags if row["place"] <= 3}
    best = sorted(leaders, key=lambda name: -max(counts(name)))[: len(LINES)]
    for name in {row["hashtag"] for row in hashtags} - set(best):
        axes.plot(counts(name), color=QUIET, linewidth=1, zorder=1)
    ends = []
    for name, color in zip(best, LINES):
        line = counts(name)
        axes.plot(line, color=color, linewidth=2.4, marker="o", markersize=5, zorder=3)
        ends.append((line[-1], name, color))
    for at, name, color in apart(ends, 0.055 * axes.get_ylim()[1]):
        axes.annotate(f"#{name}", (len(starts) - 1, at), xytext=(10, 0), textcoords="offset points", va="center", color=color, fontsize=11)
    axes.set_ylabel("mentions in ten minutes")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.02)
    axes.set_title("Hashtags that were among the first three, before all others (grey)", loc="left", fontsize=11.5, color=INK)


def apart(ends, least):
    """Names at the ends of lines, moved so that none lies on another."""
    placed = []
    for at, name, color in sorted(ends):
        placed.append((max(at, placed[-1][0] + least) if placed else at, name, color))
    return placed


def sentiments(axes, moods):
    bottom = [0.0] * len(moods)
    for kind, color in MOODS:
        shares = [100 * row[kind] / max(1, row["records"]) for row in moods]
        axes.bar(range(len(moods)), shares, 0.72, bottom=bottom, color=color, label=kind)
        for at, share in enumerate(shares):
            if share >= 8:
                dark = kind != "neutral"
                axes.text(
                    at, bottom[at] + share / 2, f"{share:.0f} %", ha="center", va="center", color="white" if dark else INK, fontsize=9.5
                )
        bottom = [low + share for low, share in zip(bottom, shares)]
    axes.set_ylabel("per cent of records")
    axes.set_ylim(0, 100)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10.5, reverse=True)
    axes.set_title("What they feel: posts, shares and comments by sentiment", loc="left", fontsize=11.5, color=INK)
