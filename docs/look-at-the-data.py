"""Prints the figures that docs/how-the-data-differs.md states, from nothing but the values of the four topics.

    NDJSON=/tmp/town cargo test --lib -- --ignored told_into_files       # twelve hours of seed 42 without dirt, 1.1 GB
    python3 docs/look-at-the-data.py /tmp/town                           # a quarter of a minute

The folder holds a file a topic, `TOPIC.ndjson`, a record's value a line; a consumer's output of a running broker does as well.
"""

import collections
import datetime
import json
import math
import pathlib
import statistics
import sys

FOLDER = pathlib.Path(sys.argv[1])
HOUR = 3600.0


def read(topic):
    with open(FOLDER / f"{topic}.ndjson", encoding="utf-8") as lines:
        for line in lines:
            value = json.loads(line)
            value["at"] = datetime.datetime.fromisoformat(value["timestamp"].replace("Z", "+00:00")).timestamp()
            yield value


def say(question, answer):
    print(f"{question}: {answer}", flush=True)


def percent(part, whole):
    return f"{100 * part / max(whole, 1):.1f} %"


def correlation(xs, ys):
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    product = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
    return product / math.sqrt(sum((x - mean_x) ** 2 for x in xs) * sum((y - mean_y) ** 2 for y in ys))


def beyond_chance(seen, of_row, of_column, total):
    """How far counts of pairs scatter about what two independent choices give: 1 is pure chance."""
    scores = []
    for row, row_count in of_row.items():
        for column, column_count in of_column.items():
            expected = row_count * column_count / total
            if row != column and expected >= 5:
                scores.append((seen[row, column] - expected) / math.sqrt(expected))
    return f"{statistics.pstdev(scores):.2f}, at most {max(scores):.1f}, over {len(scores)} pairs"


def height_of_day(minutes):
    """The minute of the hour at which a wave fitted to counts per minute is highest, and how high it is."""
    turn = 2 * math.pi / 60
    total = sum(minutes.values())
    cosine, sine = (2 * sum(count * wave(minute * turn) for minute, count in minutes.items()) / total for wave in (math.cos, math.sin))
    return math.atan2(sine, cosine) / turn % 60, math.hypot(cosine, sine)


def shop():
    visits, spent, bought_by = {}, collections.Counter(), collections.defaultdict(list)
    minutes, of_minute, prices = collections.Counter(), collections.defaultdict(collections.Counter), collections.defaultdict(set)
    halves = [collections.Counter(), collections.Counter()]
    gaps = {"cut": 0, "all": 0, "longest": 0.0}
    start = None
    for event in read("ecommerce-events"):
        start = start or event["at"]
        visit = visits.get(event["session_id"])
        if visit is None:
            context = event["context"]
            visit = visits[event["session_id"]] = {
                "user": event["user_id"], "from": event["at"], "to": event["at"], "device": json.dumps(context["device"]),
                "kind": context["device"]["type"], "referrer": context["referrer"], "campaign": str(context["campaign"]),
                "country": context["geo"]["country"], "bought": [],
            }
        else:
            gap = event["at"] - visit["to"]
            gaps["all"] += 1
            gaps["longest"] = max(gaps["longest"], gap)
            gaps["cut"] += abs(gap - 60.0) < 0.0005
        visit["from"], visit["to"] = min(visit["from"], event["at"]), max(visit["to"], event["at"])
        minute = int((event["at"] - start) // 60)
        minutes[minute] += 1
        of_minute[event["context"]["geo"]["country"]][minute % 60] += 1
        prices[event["product_id"]].add(event["price"])
        if event["event_type"] == "purchase":
            visit["bought"].append(event["product_id"])
            spent[event["user_id"]] += event["price"] * event["quantity"]
            bought_by[event["user_id"]].append(event["product_id"])
            halves[event["at"] - start >= 6 * HOUR][event["product_id"]] += 1

    by_user = collections.defaultdict(list)
    for visit in visits.values():
        by_user[visit["user"]].append(visit)
    within = elsewhere = 0
    pauses = []
    for own in by_user.values():
        own.sort(key=lambda visit: visit["from"])
        last = own[0]
        for visit in own[1:]:
            pauses.append(visit["from"] - last["from"])
            if visit["from"] < last["to"]:
                within += 1
                elsewhere += visit["device"] != last["device"]
            last = max(last, visit, key=lambda either: either["to"])
    say("visits that begin within another of the same person",
        f"{percent(within, len(visits))}, {percent(elsewhere, within)} on another device")
    say("from visit to visit of a person", f"median {statistics.median(pauses):.0f} s, variation "
        f"{statistics.pstdev(pauses) / statistics.fmean(pauses):.2f} (1 is pure chance)")
    counts = sorted(len(products) for products in bought_by.values())
    say("purchases of a buyer", f"median {counts[len(counts) // 2]}, for {sorted(spent.values())[len(spent) // 2]:,.0f} USD, "
        f"most {counts[-1]}; {max(spent.values()):,.0f} USD")
    for country, counts_of in sorted(of_minute.items()):
        peak, swing = height_of_day(counts_of)
        say(f"height of the day in {country}", f"minute {peak:.0f}, +-{swing:.2f}")
    whole = range(max(minutes) - 60)
    say("events a minute, against an hour before", f"{correlation([minutes[m] for m in whole], [minutes[m + 60] for m in whole]):.3f}")
    totals = [sum(minutes[60 * hour + m] for m in range(60)) for hour in range(1, 12)]
    say("hourly totals differ by", percent(statistics.pstdev(totals), statistics.fmean(totals)))
    say("products whose price changes", sum(len(of) > 1 for of in prices.values()))
    for field in ("kind", "referrer", "campaign", "country"):
        groups = collections.defaultdict(lambda: [0, 0])
        for visit in visits.values():
            groups[visit[field]][0] += 1
            groups[visit[field]][1] += bool(visit["bought"])
        say(f"visits that buy, by {field}", ", ".join(f"{name} {percent(b, n)}" for name, (n, b) in sorted(groups.items())))
    say("time between two steps exactly 60 s", f"{percent(gaps['cut'], gaps['all'])}; longest {gaps['longest']:.1f} s")

    again = chance = total = 0
    sold = collections.Counter(product for products in bought_by.values() for product in products)
    share = {product: count / sold.total() for product, count in sold.items()}
    for products in bought_by.values():
        before = set()
        for product in products:
            again += product in before
            before.add(product)
        total += len(products)
        chance += len(products) - sum(1 - (1 - s) ** len(products) for s in share.values())
    say("purchases of a product that the same person bought before", f"{percent(again, total)}, by chance {percent(chance, total)}")
    baskets = [set(visit["bought"]) for visit in visits.values() if len(set(visit["bought"])) > 1]
    pairs, singles = collections.Counter(), collections.Counter()
    for basket in baskets:
        for one in basket:
            singles[one] += len(basket) - 1
            pairs.update((one, other) for other in basket if other != one)
    say("pairs in baskets about chance", beyond_chance(pairs, singles, singles, singles.total()))
    products = sorted(sold)
    say("sales of products, first six hours against the next",
        f"{correlation([halves[0][p] for p in products], [halves[1][p] for p in products]):.3f}")


def bank():
    tills, statuses, ends, digits, honest = collections.defaultdict(list), [], collections.Counter(), collections.Counter(), []
    for payment in read("financial-transactions"):
        statuses.append((payment["amount_usd"], payment["status"] == "declined", payment["risk_score"]))
        if payment["risk_score"] < 0.5:
            honest.append((math.log(payment["amount_usd"]), payment["risk_score"]))
        if payment["channel"] == "pos":
            tills[payment["user_id"]].append((payment["at"], payment["country"], payment["risk_score"]))
            if payment["currency"] in ("USD", "EUR", "GBP"):
                ends[f"{payment['amount']:.2f}"[-2:]] += 1
            digits[f"{payment['amount_usd']:e}"[0]] += 1
    near = away = risky = 0
    for payments in tills.values():
        payments.sort()
        for before, after in zip(payments, payments[1:]):
            if after[0] - before[0] < HOUR:
                near += 1
                away += before[1] != after[1]
                risky += before[1] != after[1] and max(before[2], after[2]) > 0.55
    say("pairs of till payments within an hour in different countries",
        f"{percent(away, near)}, {percent(risky, away)} with a risk above 0.55")
    statuses.sort()
    quarter = len(statuses) // 4
    parts = [statuses[i * quarter:(i + 1) * quarter] for i in range(4)]
    say("declined, by quartile of the amount", ", ".join(percent(sum(d for _, d, _ in part), len(part)) for part in parts))
    high = [declined for _, declined, risk in statuses if risk > 0.7]
    say("declined at a risk above 0.7", percent(sum(high), len(high)))
    say("risk below 0.5 against the amount's logarithm", f"{correlation(*zip(*honest)):.3f}")
    say("till prices that end in", ", ".join(f".{end} {percent(ends[end], ends.total())}" for end in ("99", "00", "50", "95")))
    say("first digits at tills", ", ".join(percent(digits[str(digit)], digits.total()) for digit in range(1, 6)))


def feed():
    writer, pairs, of_writer, of_reader = {}, collections.Counter(), collections.Counter(), collections.Counter()
    actions, reactions, liked = collections.Counter(), [], collections.Counter()
    words, new_after, texts, openings, odd = set(), 0, set(), collections.Counter(), 0
    likes = own = 0
    for action in read("social-media-feed"):
        actions[action["user_id"]] += 1
        if action["action_type"] == "post":
            writer[action["post_id"]] = action["user_id"]
            text = action["content_preview"]
            texts.add(text)
            found = {word.strip(".,!?:;'\"").lower() for word in text.split()}
            new_after += len(found - words) if len(texts) > 10_000 else 0
            words |= found
            openings[tuple(text.split()[:3])] += 1
            odd += any(mark in text for mark in "0123456789@") or "http" in text or not text.isascii()
            continue
        reactions.append((action["parent_post_id"], action["user_id"]))
        if action["action_type"] == "like":
            likes += 1
            liked[action["parent_post_id"], action["user_id"]] += 1
    busiest = {user for user, _ in actions.most_common(60)}
    for post, reader in reactions:
        author = writer.get(post)
        own += author == reader
        if author in busiest and reader in busiest:
            pairs[author, reader] += 1
            of_writer[author] += 1
            of_reader[reader] += 1
    say("reactions between the sixty busiest about chance", beyond_chance(pairs, of_writer, of_reader, of_writer.total()))
    above = [pair for pair in pairs if pairs[pair] > 1.5 * of_writer[pair[0]] * of_reader[pair[1]] / of_writer.total()]
    ties = set(above)
    mutual = sum((reader, author) in ties for author, reader in ties)
    say("favourite readers whose posts are read as much in turn", f"{percent(mutual, len(above))}, by chance "
        f"{percent(len(above), len(busiest) * (len(busiest) - 1))}")
    say("reactions to one's own post", percent(own, len(reactions)))
    say("likes by somebody who liked the post before", percent(likes - len(liked), likes))
    say("posts", f"{len(writer):,}, {len(texts):,} distinct, {len(words):,} words, {new_after} of them new after 10,000 posts; "
        f"{odd} with a digit, link, mention, emoji or accent")
    say("openings of three words", f"{len(openings):,}, the most used {percent(max(openings.values()), len(writer))}")


def sensors():
    devices = collections.defaultdict(list)
    for reading in read("iot-sensor-data"):
        value = (reading["value"] - 32) / 1.8 if reading["unit"] == "F" else reading["value"]
        devices[reading["device_id"]].append((reading["at"], value, reading["status"]))
    stretches, apart, missing = [], [], 0
    for readings in devices.values():
        readings.sort()
        length = 0
        for (before, _, _), (after, _, status) in zip(readings, readings[1:]):
            apart.append(after - before)
            if status != "ok":
                length += 1
            elif length:
                stretches.append(length)
                length = 0
    common, times = collections.Counter(stretches).most_common(1)[0]
    say("stretches that are not ok", f"{len(stretches)}, median {statistics.median(stretches):.0f} readings, 1 to {max(stretches)}; "
        f"the commonest length is {common}: {percent(times, len(stretches))}")
    say("seconds from reading to reading", f"{min(apart):.1f} to {max(apart):.1f}")
    one, other = (devices[f"helsinki-temperature-{number}"] for number in (1, 2))
    start = min(one[0][0], other[0][0])

    def means(readings, seconds):
        cells = collections.defaultdict(list)
        for at, value, _ in readings:
            cells[int((at - start) // seconds)].append(value)
        return {cell: statistics.fmean(values) for cell, values in cells.items()}

    hourly = [mean for hour, mean in means(one, HOUR).items() if hour < 12]
    say("hourly means of a Helsinki sensor are within", f"{max(hourly) - min(hourly):.2f} degrees")

    def rest(readings):
        minutes = means(readings, 60)
        usual = collections.defaultdict(list)
        for minute, value in minutes.items():
            usual[minute % 60].append(value)
        return {minute: value - statistics.fmean(usual[minute % 60]) for minute, value in minutes.items()}

    left, right = rest(one), rest(other)
    both = sorted(left.keys() & right.keys())
    say("what remains of two sensors after the day correlates by", f"{correlation([left[m] for m in both], [right[m] for m in both]):.3f}")
    volts = [value for device, readings in devices.items() if "-battery-" in device for value in means(readings, HOUR).items()]
    first, last = ([value for hour, value in volts if hour == which] for which in (0, 11))
    say("batteries, first hour and last", f"{statistics.fmean(first):.3f} V, {statistics.fmean(last):.3f} V")


for part in (shop, bank, feed, sensors):
    part()
