"""
The observer: writes each node's history, keeps the timeline, and checks at once what can be
checked at once.

Nodes report what leaves their core in the core's order. Content is compared by digest; a message
is known from the
first frame that carries it, so what nobody sent cannot be delivered unnoticed.
"""

from collections import deque
from typing import Any, Final
from zlib import crc32

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.sim.history import (
    CONF,
    DELIVER,
    SEND,
    Conf,
    History,
    MessageId,
    RunRecord,
    Sent,
    Violation,
)
from corosync_tw.sim.snoop import (
    IS_ENCAPSULATED,
    MCAST,
    MCAST_HEADER_LEN,
    TYPE_OFFSET,
    inner_frame,
    mcast_facts,
)
from corosync_tw.totem.effects import ConfigurationChange, Deliver

TIMELINE_ENTRIES_MAX: Final = 20_000
_GUARANTEE_OFFSET: Final = 41
_ENCAPSULATED_OFFSET: Final = 4
_HASH_MASK: Final = (1 << 64) - 1
_HASH_FACTOR: Final = 0x100000001B3

# (time_ns, nodeid, kind of entry, its values)
TimelineEntry = tuple[int, int, str, tuple[Any, ...]]


class ViolationError(Exception):
    """A rule was seen broken; ``args[0]`` is the Violation."""


def stop(rule: str, time_ns: int, nodes: tuple[int, ...], text: str) -> None:
    """End the run with a violation."""
    raise ViolationError(Violation(rule, time_ns, nodes, text))


class Recorder:
    """Knows everything that all nodes did."""

    def __init__(self) -> None:
        self.run = RunRecord()
        self.current: dict[int, History] = {}
        self.conf: dict[int, Conf] = {}
        self.handed_safe: dict[int, set[MessageId]] = {}
        self.installed: dict[int, set[RingId]] = {}
        self.timeline: deque[TimelineEntry] = deque(maxlen=TIMELINE_ENTRIES_MAX)
        self.hash = 0
        self.delivered_count = 0
        self.last_conf_ns = 0

    def stir(self, *values: int) -> None:
        """Mix values into the trace hash."""
        value = self.hash
        for item in values:
            value = ((value ^ (item & _HASH_MASK)) * _HASH_FACTOR) & _HASH_MASK
        self.hash = value

    def note(self, time_ns: int, nodeid: int, kind: str, *values: Any) -> None:
        """Add an entry to the timeline."""
        self.timeline.append((time_ns, nodeid, kind, values))

    # -- life of nodes

    def begin(self, nodeid: int, incarnation: int, time_ns: int) -> None:
        """Start the history of a node that starts."""
        history = History(nodeid, incarnation)
        self.run.histories.append(history)
        self.current[nodeid] = history
        self.handed_safe[nodeid] = set()
        self.installed[nodeid] = set()
        self.conf.pop(nodeid, None)
        self.note(time_ns, nodeid, "start", incarnation)
        self.stir(time_ns, nodeid)

    def fail(self, nodeid: int, time_ns: int, how: str) -> None:
        """End the history of a node that crashed or left."""
        self.current.pop(nodeid).failed_at_ns = time_ns
        self.conf.pop(nodeid, None)
        self.note(time_ns, nodeid, how)
        self.stir(time_ns, nodeid)

    # -- frames

    def sent_frames(
        self, nodeid: int, frames: tuple[bytes, ...], time_ns: int
    ) -> tuple[int, RingId | None]:
        """
        Look at multicast frames that leave a node.

        :return: how many carry messages for the first time, and their ring.
        """
        fresh, ring_id = 0, None
        for frame in frames:
            self.stir(time_ns, crc32(frame))
            if frame[TYPE_OFFSET] != MCAST:
                continue
            facts = mcast_facts(frame)
            ring_id = facts.ring_id
            if facts.encapsulated:
                fresh += facts.system_from == nodeid
                continue
            message = (facts.ring_id, facts.seq)
            digest = crc32(memoryview(frame)[MCAST_HEADER_LEN:])
            known = self.run.messages.get(message)
            if known is None:
                if facts.system_from != nodeid:
                    text = f"{message} by {facts.system_from} is sent first by {nodeid}"
                    stop("no creation (1.3)", time_ns, (nodeid,), text)
                fresh += 1
                history = self.current[nodeid]
                safe = facts.guarantee == 1
                self.run.messages[message] = Sent(
                    nodeid, history.incarnation, safe, digest, time_ns
                )
                history.events.append((SEND, time_ns, message))
                if safe:
                    self.handed_safe[nodeid].add(message)
            elif (known.sender, known.digest) != (facts.system_from, digest):
                text = f"{message} sent by {nodeid} is not what {known.sender} sent"
                stop("one message, one id (1.4)", time_ns, (nodeid, known.sender), text)
        return fresh, ring_id

    def handed(self, nodeid: int, frames: list[bytes]) -> None:
        """Look at frames that a node's core takes in: remember the safe messages."""
        for frame in frames:
            if len(frame) <= MCAST_HEADER_LEN or frame[TYPE_OFFSET] != MCAST:
                continue
            inner = frame
            if frame[_ENCAPSULATED_OFFSET] == IS_ENCAPSULATED:
                inner = inner_frame(frame)
            if len(inner) >= MCAST_HEADER_LEN and inner[_GUARANTEE_OFFSET] == 1:
                facts = mcast_facts(inner)
                self.handed_safe[nodeid].add((facts.ring_id, facts.seq))

    # -- events

    def configuration(self, nodeid: int, change: ConfigurationChange, time_ns: int) -> None:
        """Write down a configuration change."""
        conf = Conf(
            change.kind,
            change.ring_id,
            change.old_ring_id,
            change.members,
            change.left,
            change.joined,
        )
        self.conf[nodeid] = conf
        if change.kind is ConfChangeType.REGULAR:
            self.installed[nodeid].add(change.ring_id)
        self.current[nodeid].events.append((CONF, time_ns, conf))
        self.note(time_ns, nodeid, "conf", conf)
        self.stir(time_ns, nodeid, change.kind, *change.ring_id, *change.members)
        self.last_conf_ns = time_ns

    def deliver(self, nodeid: int, effect: Deliver, time_ns: int) -> None:
        """Write down a run of deliveries, comparing each with what was sent."""
        history = self.current[nodeid]
        messages = self.run.messages
        conf = self.conf.get(nodeid)
        ring_id = effect.ring_id
        frames = list(effect.expand())
        self.delivered_count += len(frames)
        for sender, seq, payload, _ in frames:
            message = (ring_id, seq)
            digest = crc32(payload)
            sent = messages.get(message)
            if sent is None:
                text = f"{message} of {sender} was never sent"
                stop("no creation (1.3)", time_ns, (nodeid,), text)
                return
            if sent.digest != digest or sent.sender != sender:
                text = f"{message} delivered as from {sender} is not what {sent.sender} sent"
                stop("no creation (1.3)", time_ns, (nodeid, sent.sender), text)
            history.events.append((DELIVER, time_ns, message))
            if sent.safe and conf is not None:
                self._check_stable(nodeid, conf, message, time_ns)
            self.stir(nodeid, seq, digest)
        if frames:
            first, last = frames[0].seq, frames[-1].seq
            self.note(time_ns, nodeid, "deliver", ring_id, first, last)
            self.stir(time_ns)

    def _check_stable(self, nodeid: int, conf: Conf, message: MessageId, time_ns: int) -> None:
        """Every live member of the configuration must have been handed a safe message by now."""
        for member in conf.members:
            # A node that is down owes nothing, nor does one that came back since.
            if member not in self.current or message[0] not in self.installed[member]:
                continue
            if message not in self.handed_safe[member]:
                text = f"safe {message} delivered, but member {member} was not yet handed it"
                stop("safe (7.1)", time_ns, (nodeid, member), text)
