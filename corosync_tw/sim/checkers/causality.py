"""
Causality inside a ring (EVS 5): who delivers a message has delivered before it what its sender had.

A sender's knowledge when it sent is what it had delivered, and its own earlier messages. The same
walk gives first in,
first out for each sender.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from corosync_tw.corotypes import RingId
from corosync_tw.sim.history import DELIVER, SEND, MessageId, RunRecord, Violation


@dataclass(slots=True)
class _Receipt:
    """What one node delivered of one ring, in the node's order and by rank."""

    order: list[MessageId] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    place: dict[MessageId, int] = field(default_factory=dict)


def check_causality(run: RunRecord) -> Iterator[Violation]:
    """Yield a violation for each message delivered before, or without, one that its sender knew."""
    knowledge = _knowledge(run)
    for history in run.histories:
        receipts: dict[RingId, _Receipt] = {}
        for kind, time_ns, what in history.events:
            if kind == DELIVER:
                message: MessageId = what  # type: ignore[assignment]
                receipt = receipts.setdefault(message[0], _Receipt())
                receipt.place.setdefault(message, len(receipt.order))
                receipt.order.append(message)
                receipt.times_ns.append(time_ns)
        for ring_id, receipt in receipts.items():
            yield from _check_receipt(run, history.nodeid, knowledge.get(ring_id, []), receipt)


def _knowledge(run: RunRecord) -> dict[RingId, list[tuple[MessageId, MessageId]]]:
    """
    List, for each ring, pairs (earlier, later): the sender of later knew earlier.

    The last delivery before a send stands for all before it only if delivery knows no holes there;
    sends happen in a
    regular configuration, where it does not, and the checker of holes sees to that.
    """
    pairs: dict[RingId, list[tuple[MessageId, MessageId]]] = {}
    for history in run.histories:
        last_delivered: MessageId | None = None
        last_sent: MessageId | None = None
        for kind, _, what in history.events:
            if kind == DELIVER:
                last_delivered = what  # type: ignore[assignment]
            elif kind == SEND:
                message: MessageId = what  # type: ignore[assignment]
                for earlier in (last_delivered, last_sent):
                    if earlier is not None and earlier[0] == message[0]:
                        pairs.setdefault(message[0], []).append((earlier, message))
                last_sent = message
    return pairs


def _check_receipt(
    run: RunRecord, nodeid: int, pairs: list[tuple[MessageId, MessageId]], receipt: _Receipt
) -> Iterator[Violation]:
    ranks = {run.rank(message) for message in receipt.place}
    first_hole = 0
    while first_hole in ranks:
        first_hole += 1
    for earlier, later in pairs:
        place = receipt.place.get(later)
        if place is None:
            continue
        before = receipt.place.get(earlier)
        known_whole = run.messages[earlier].sender != run.messages[later].sender
        if before is None or before > place or (known_whole and run.rank(earlier) >= first_hole):
            text = (
                f"{later} delivered, but {earlier}, or one before it, that its sender knew was not"
            )
            yield Violation("causality (5)", receipt.times_ns[place], (nodeid,), text)
