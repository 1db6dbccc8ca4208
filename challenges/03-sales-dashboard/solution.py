"""C3: a live board of the shop's sales.

    streamlit run c03.py

Streamlit runs this whole file again at every click, and for every browser. What must be there once, the consumer and its figures, is made
in a function with @st.cache_resource.
"""

import json
import threading
import time
from collections import defaultdict
from datetime import datetime, timezone

import altair as alt
import pandas as pd
import streamlit as st
from confluent_kafka import Consumer, Producer

import workshop

EVERY = 5  # seconds between two snapshots
RATE_OVER = 10  # seconds that events per second are counted over
MINUTES = 15  # bars in the chart of minutes
BLUE, PALE = "#3b82f6", "#93b4e8"  # a contrast of at least 3 : 1 or the same shape, on white and on black


def iso(seconds: float) -> str:
    """2026-11-23T10:15:30.123Z"""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Board:
    """Reads the stream in one thread and makes a snapshot of its figures every five seconds. The page only shows the newest one."""

    def __init__(self) -> None:
        self.ticket = workshop.ticket("c03")
        self.snapshot = None  # replaced as a whole and never changed, so the page needs no lock
        self.before = None  # the snapshot before it
        self.trouble = None
        self.offsets = {partition: start for partition, (start, _) in self.ticket.ranges.items()}
        self.events = 0
        self.arrivals = []  # when the last events arrived at the broker, in seconds
        self.by_minute = defaultdict(int)  # cents, by "2026-11-23T10:15Z"
        self.by_product = defaultdict(int)  # cents, by product_id
        self.names = {}  # "p-031  Oskuma, electronics", by product_id
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        consumer = Consumer(
            {
                # Where the broker is and who you are: bootstrap.servers, security.protocol, sasl.*
                **workshop.confluent(),
                "group.id": workshop.group("c03"),
                # The figures begin with the ticket. Whoever starts anew counts anew, so there is no place to remember.
                "enable.auto.commit": False,
            }
        )
        producer = Producer({**workshop.confluent(), "acks": "all", "enable.idempotence": True})
        consumer.subscribe([self.ticket.topic], on_assign=self.begin)
        due = time.monotonic() + EVERY
        try:
            while True:
                # Many records at once: a thread that catches up with the past should not be slow.
                for message in consumer.consume(num_messages=500, timeout=0.2):
                    if message.error():
                        self.trouble = str(message.error())
                        continue
                    self.trouble = None
                    self.offsets[message.partition()] = message.offset() + 1
                    self.take(message.value(), message.timestamp()[1] / 1000)
                if time.monotonic() >= due:
                    due += EVERY
                    self.before, self.snapshot = self.snapshot, self.figures()
                    producer.produce(self.ticket.results, json.dumps(self.snapshot), headers=self.ticket.headers)
                    producer.poll(0)
        except Exception as reason:  # a thread that ends says nothing to the page by itself
            self.trouble = f"{type(reason).__name__}: {reason}"
            raise
        finally:
            consumer.close()

    def begin(self, consumer, partitions) -> None:
        """Called when the group has given us our partitions: at the start, and again if it shares them out anew."""
        for partition in partitions:
            partition.offset = self.offsets[partition.partition]
        consumer.assign(partitions)

    def take(self, value: bytes, arrived: float) -> None:
        """Adds one event to the figures."""
        self.events += 1
        self.arrivals.append(arrived)
        ### BEGIN SOLUTION
        try:
            event = json.loads(value)
        except ValueError:
            return  # damaged on its way
        price = event.get("price")
        if event.get("event_type") != "purchase" or not isinstance(price, (int, float)) or price <= 0:
            return
        cents = round(price * 100) * event["quantity"]
        # The minute in which it happened. When it arrived is another time: some events come minutes late.
        self.by_minute[event["timestamp"][:16] + "Z"] += cents
        product = event.get("product_id")
        if product:
            self.by_product[product] += cents
            self.names[product] = f"{product}  {event['product']['brand']}, {event['product']['category']}"
        ### END SOLUTION

    def figures(self) -> dict:
        """A snapshot: what is on the page, and what is handed in."""
        now = time.time()
        ### BEGIN SOLUTION
        self.arrivals = [arrived for arrived in self.arrivals if arrived > now - RATE_OVER]
        this_minute = iso(now)[:16] + "Z"
        minutes = sorted(minute for minute in self.by_minute if minute <= this_minute)[-MINUTES:]  # some events claim to be of tomorrow
        best = sorted(self.by_product, key=self.by_product.get, reverse=True)[:5]
        return {
            "at": iso(now),
            "offsets": {str(partition): offset for partition, offset in self.offsets.items()},
            "events_per_second": len(self.arrivals) / RATE_OVER,
            "revenue_per_minute": {minute: self.by_minute[minute] / 100 for minute in minutes},
            "top_products": [{"product_id": product, "revenue": self.by_product[product] / 100} for product in best],
        }
        #> # To do: events per second over the last ten, revenue of each minute, and the five products that brought the most.
        #> return {
        #>     "at": iso(now),
        #>     "offsets": {str(partition): offset for partition, offset in self.offsets.items()},
        #>     "events_per_second": 0,
        #>     "revenue_per_minute": {},
        #>     "top_products": [],
        #> }
        ### END SOLUTION


@st.cache_resource(show_spinner="Connecting ...")
def board() -> Board:
    """One for all browsers and all reruns. Without the decorator each rerun would start another consumer."""
    return Board()


@st.fragment(run_every=EVERY)
def page() -> None:
    """Runs again every five seconds, by itself."""
    shown, snapshot = board(), board().snapshot
    if shown.trouble:
        st.error(f"The broker says: {shown.trouble}. `python headwater.pyz doctor` looks for the reason.", icon=":material/error:")
    if snapshot is None:
        st.info("Connected. The first figures come within five seconds.", icon=":material/hourglass_empty:")
        return
    age = time.time() - datetime.fromisoformat(snapshot["at"].replace("Z", "+00:00")).timestamp()
    if age > 3 * EVERY:
        st.warning(f"These figures are {age:.0f} seconds old: the reader has ended. Start the program again.", icon=":material/warning:")
    st.caption(f"Figures of {snapshot['at'][11:19]} UTC, after {shown.events:,} events.")
    ### BEGIN SOLUTION
    numbers(snapshot, shown.before or snapshot)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Revenue per minute", divider="gray")
        minutes_chart(snapshot)
    with right:
        st.subheader("Top five products", divider="gray")
        products_chart(snapshot, shown.names)
    #> st.json(snapshot)
    #> st.info("Still to do: count purchases in take(), fill in figures(), then show them here: st.metric, st.columns, st.altair_chart.")
    ### END SOLUTION


### BEGIN SOLUTION
def numbers(snapshot: dict, before: dict) -> None:
    """Three numbers with units, each with its change against the time before."""
    this_minute, per_minute = snapshot["at"][:16] + "Z", snapshot["revenue_per_minute"]
    whole = [revenue for minute, revenue in per_minute.items() if minute < this_minute]
    faster = snapshot["events_per_second"] - before["events_per_second"]
    top, top_before = (sum(product["revenue"] for product in found["top_products"]) for found in (snapshot, before))
    rate, last, best = st.columns(3)
    rate.metric("Events per second", f"{snapshot['events_per_second']:.1f} /s", f"{faster:+.1f} /s in 5 s", delta_color="off", border=True)
    last.metric(
        "Revenue, last whole minute",
        f"{whole[-1]:,.2f} USD" if whole else "not yet",
        f"{whole[-1] - whole[-2]:+,.2f} USD to the minute before" if len(whole) > 1 else "no minute before",
        delta_color="normal" if len(whole) > 1 else "off",
        border=True,
    )
    more = f"{top - top_before:+,.2f} USD in 5 s"
    best.metric("Top five products, since the start", f"{top:,.2f} USD", more, delta_color="off", border=True)


def minutes_chart(snapshot: dict) -> None:
    this_minute, whole, running = snapshot["at"][:16] + "Z", "whole minute", "not over yet"
    rows = [
        {"minute": minute[11:16], "USD": revenue, "state": running if minute == this_minute else whole}
        for minute, revenue in snapshot["revenue_per_minute"].items()
    ]
    if not rows:
        st.info("No purchases yet. About three come every two seconds.", icon=":material/shopping_cart:")
        return
    bars = alt.Chart(pd.DataFrame(rows)).mark_bar(cornerRadiusTopLeft=3, cornerRadiusTopRight=3)
    colours = alt.Scale(domain=[whole, running], range=[BLUE, PALE])
    chart = bars.encode(
        x=alt.X("minute:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("USD:Q", title="USD", axis=alt.Axis(format="~s", tickCount=5)),
        color=alt.Color("state:N", scale=colours, legend=None),
        tooltip=["minute", alt.Tooltip("USD", format=",.2f"), "state"],
    )
    st.altair_chart(chart.properties(height=320), width="stretch")
    st.caption("USD, by the minute in which somebody bought. The pale bar is the minute that is not over yet.")


def products_chart(snapshot: dict, names: dict) -> None:
    rows = [{"product": names.get(top["product_id"], top["product_id"]), "USD": top["revenue"]} for top in snapshot["top_products"]]
    if not rows:
        st.info("No purchases yet.", icon=":material/shopping_cart:")
        return
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("product:N", sort="-x", title=None, axis=alt.Axis(labelFontSize=13, labelLimit=220, ticks=False, domain=False)),
        x=alt.X("USD:Q", axis=None, scale=alt.Scale(domainMax=rows[0]["USD"] * 1.45)),
        tooltip=["product", alt.Tooltip("USD", format=",.2f")],
    )
    # A number behind each bar: who cannot compare the bars reads it.
    ink = "#e5e7eb" if st.context.theme.type == "dark" else "#374151"
    labels = base.mark_text(align="left", dx=6, fontSize=13, color=ink).encode(text=alt.Text("USD:Q", format=",.0f"))
    st.altair_chart((base.mark_bar(color=BLUE, cornerRadius=3, height=26) + labels).properties(height=320), width="stretch")
    st.caption("USD since the start.")
### END SOLUTION


st.set_page_config(page_title="Sales, live", page_icon=":material/storefront:", layout="wide")
st.set_option("client.toolbarMode", "minimal")
st.html("<style>.stMainBlockContainer { padding-top: 3rem; }</style>")  # less empty space above
st.header(":material/storefront: Sales, live")
try:
    board()
except workshop.WorkshopError as reason:
    st.error(str(reason), icon=":material/error:")
    st.stop()
page()
if st.button("Check this board", help="Half a minute after the start there are enough snapshots."):
    with st.spinner("Checking ..."):
        st.code(workshop.text(workshop.check("c03")), language=None, wrap_lines=True)
