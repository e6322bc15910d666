"""
Self-delivery (EVS 3) and failure atomicity (EVS 4).

Nodes that go from one configuration to the same next one together delivered the same messages in
the first, in the
regular and in the transitional part alike.
"""

from collections.abc import Iterator
from itertools import pairwise

from corosync_tw.corotypes import RingId
from corosync_tw.sim.history import History, MessageId, RunRecord, Violation, Window


def check_self_delivery(run: RunRecord) -> Iterator[Violation]:
    """Yield each message that its sender had not delivered when it installed its next ring."""
    for history in run.histories:
        sent: list[MessageId] = []
        delivered: set[MessageId] = set()
        for window in run.windows(history):
            if window.regular:
                for message in sent:
                    if message not in delivered:
                        text = f"{message} not delivered by its sender before {window.conf.ring_id}"
                        node = (history.nodeid,)
                        yield Violation("self-delivery (3)", window.time_ns, node, text)
                sent, delivered = [], set()
            sent.extend(window.sends)
            delivered.update(window.deliveries)


def check_atomicity(run: RunRecord) -> Iterator[Violation]:
    """Yield each pair of nodes that moved together with different deliveries."""
    # From the same regular ring into the same transitional configuration, and through that into
    # the same next ring.
    regular_end: dict[tuple[RingId, RingId, tuple[int, ...]], tuple[History, Window]] = {}
    transitional_end: dict[tuple[RingId, RingId, tuple[int, ...]], tuple[History, Window]] = {}
    for history in run.histories:
        windows = run.windows(history)
        for regular, transitional in pairwise(windows):
            if not regular.regular or transitional.regular or not transitional.closed:
                continue
            members = transitional.conf.members
            key = (regular.ring, transitional.conf.ring_id, members)
            for first, window, part in (
                (regular_end.setdefault(key, (history, regular)), regular, "regular"),
                (
                    transitional_end.setdefault(key, (history, transitional)),
                    transitional,
                    "transitional",
                ),
            ):
                if first[1].deliveries != window.deliveries:
                    yield _difference(first[0], first[1], history, window, part)


def _difference(one: History, mine: Window, other: History, yours: Window, part: str) -> Violation:
    left = set(mine.deliveries) - set(yours.deliveries)
    right = set(yours.deliveries) - set(mine.deliveries)
    text = (
        f"in the {part} configuration of {mine.ring} node {one.nodeid} alone delivered "
        f"{sorted(left)[:5]}, node {other.nodeid} alone {sorted(right)[:5]}"
    )
    if not left and not right:
        text = f"{part} {mine.ring}: same messages in another order"
    time_ns = (yours.times_ns or [yours.time_ns])[-1]
    return Violation("failure atomicity (4)", time_ns, (one.nodeid, other.nodeid), text)
