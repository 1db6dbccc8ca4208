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

    def figures(self) -> dict:
        """A snapshot: what is on the page, and what is handed in."""
        now = time.time()
        # To do: events per second over the last ten, revenue of each minute, and the five products that brought the most.
        return {
            "at": iso(now),
            "offsets": {str(partition): offset for partition, offset in self.offsets.items()},
            "events_per_second": 0,
            "revenue_per_minute": {},
            "top_products": [],
        }


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
    st.json(snapshot)
    st.info("Still to do: count purchases in take(), fill in figures(), then show them here: st.metric, st.columns, st.altair_chart.")




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
