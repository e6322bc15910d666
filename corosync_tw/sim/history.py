"""
What each node did, as the checkers read it.

A history is the life of one incarnation of one node: configurations installed, messages sent,
messages delivered, in
the node's own order. A run record adds what only the observer knows: every message that was sent,
by whom, where.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from corosync_tw.corotypes import ConfChangeType, RingId

CONF: Final = 0
SEND: Final = 1
DELIVER: Final = 2

SEQ_MASK: Final = 0xFFFFFFFF
SEQ_HALF: Final = 0x80000000

MessageId = tuple[RingId, int]  # ring, sequence number in it


class Violation(NamedTuple):
    """
    A rule that did not hold.

    :ivar rule: name of the rule, as in docs and tests.
    :ivar time_ns: where in the run to look.
    :ivar nodes: nodeids concerned.
    :ivar text: what was seen.
    """

    rule: str
    time_ns: int
    nodes: tuple[int, ...]
    text: str


class Conf(NamedTuple):
    """
    A configuration change as one node saw it.

    :ivar ring_id: of the ring being installed, for both kinds.
    :ivar old_ring_id: of the ring before it.
    """

    kind: ConfChangeType
    ring_id: RingId
    old_ring_id: RingId
    members: tuple[int, ...]
    left: tuple[int, ...] = ()
    joined: tuple[int, ...] = ()


class Sent(NamedTuple):
    """
    A message that entered the order: sender, its incarnation, guarantee, digest of the content,
    moment.
    """

    sender: int
    incarnation: int
    safe: bool
    digest: int
    time_ns: int


# (kind, time_ns, Conf) or (kind, time_ns, MessageId)
HistoryEvent = tuple[int, int, Conf] | tuple[int, int, MessageId]


@dataclass(slots=True)
class History:
    """
    One incarnation of one node.

    :ivar events: in the node's own order.
    :ivar failed_at_ns: when it crashed or left; None while it lives.
    """

    nodeid: int
    incarnation: int = 0
    events: list[HistoryEvent] = field(default_factory=list)
    failed_at_ns: int | None = None


@dataclass(slots=True)
class Window:
    """
    What a node did inside one configuration.

    :ivar closed: a later configuration followed.
    """

    conf: Conf
    time_ns: int
    deliveries: list[MessageId] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    sends: list[MessageId] = field(default_factory=list)
    closed: bool = False

    @property
    def regular(self) -> bool:
        """True for a regular configuration."""
        return self.conf.kind is ConfChangeType.REGULAR

    @property
    def ring(self) -> RingId:
        """The ring whose messages belong here: a transitional configuration ends the old one."""
        return self.conf.ring_id if self.regular else self.conf.old_ring_id


@dataclass(slots=True)
class RunRecord:
    """Everything a checker may look at; windows are made once from the histories."""

    histories: list[History] = field(default_factory=list)
    messages: dict[MessageId, Sent] = field(default_factory=dict)
    _windows: dict[tuple[int, int], list[Window]] = field(default_factory=dict)
    _bases: dict[RingId, int] = field(default_factory=dict)
    _of_ring: dict[RingId, dict[int, Sent]] = field(default_factory=dict)

    def windows(self, history: History) -> list[Window]:
        """Cut a history into its configurations; events before the first are left out."""
        key = (history.nodeid, history.incarnation)
        found = self._windows.get(key)
        if found is None:
            found = self._windows[key] = list(_cut(history))
            for window in found[:-1]:
                window.closed = True
        return found

    def rank(self, message: MessageId) -> int:
        """Place of a message in its ring: 0 for the first sent."""
        if len(self._bases) == 0:
            for ring_id, seq in self.messages:
                if serial_distance(seq, self._bases.setdefault(ring_id, seq)) < 0:
                    self._bases[ring_id] = seq
        return serial_distance(message[1], self._bases.setdefault(*message))

    def sent_in(self, ring_id: RingId) -> dict[int, Sent]:
        """Give the messages of a ring by rank."""
        if len(self._of_ring) == 0:
            for message, sent in self.messages.items():
                self._of_ring.setdefault(message[0], {})[self.rank(message)] = sent
        return self._of_ring.get(ring_id, {})


def serial_distance(seq: int, base: int) -> int:
    """How far ``seq`` is ahead of ``base`` on the circle of 32-bit numbers; negative behind it."""
    distance = (seq - base) & SEQ_MASK
    return distance if distance < SEQ_HALF else distance - SEQ_MASK - 1


def _cut(history: History) -> Iterator[Window]:
    window: Window | None = None
    for event in history.events:
        kind, time_ns = event[0], event[1]
        if kind == CONF:
            if window is not None:
                yield window
            assert isinstance(event[2], Conf)
            window = Window(event[2], time_ns)
        elif window is not None:
            message: MessageId = event[2]  # type: ignore[assignment]
            if kind == SEND:
                window.sends.append(message)
            else:
                window.deliveries.append(message)
                window.times_ns.append(time_ns)
    if window is not None:
        yield window
