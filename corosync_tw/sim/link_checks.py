"""
What holds of a ring over several networks: no fault of some of them changes the membership while
one is whole, the whole one is never suspected, and each comes back when it is healed.

A node's view of a network comes from the events of its link layer: FAULTY and RECOVERED of the
redundant ring protocol, HOST_UP and HOST_DOWN of knet's links.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.sim.recorder import stop
from corosync_tw.totem.links import LinkEvent, LinkEventKind

_NS_PER_MS: Final = 1_000_000


@dataclass(slots=True)
class LinkTally:
    """
    What came of a run's links.

    :ivar events: by name of the kind.
    :ivar detected_ns: from the begin of a fault to each node's alarm.
    :ivar recovered_ns: from the end of a fault to each node's use of the network.
    """

    events: Counter[str] = field(default_factory=Counter)
    detected_ns: list[int] = field(default_factory=list)
    recovered_ns: list[int] = field(default_factory=list)


@dataclass(slots=True)
class LinkChecks:
    """
    Watches the links of all nodes.

    :ivar clean: networks without faults lose nothing, so that none of them is suspected.
    :ivar whole: the network that has no fault; None when none is promised to be whole.
    :ivar settled: all nodes are one ring, which must last while a network is whole.
    :ivar out: (node, network, peer or 0) that is not used, since when.
    :ivar fault_begin_ns: by network, while a fault lasts.
    :ivar fault_end_ns: by network, of the last fault.
    """

    clean: bool = True
    whole: int | None = None
    settled: bool = False
    out: dict[tuple[int, int, int], int] = field(default_factory=dict)
    fault_begin_ns: dict[int, int] = field(default_factory=dict)
    fault_end_ns: dict[int, int] = field(default_factory=dict)
    tally: LinkTally = field(default_factory=LinkTally)

    def fault_began(self, number: int, now_ns: int) -> None:
        """Learn that something is wrong with a network."""
        self.fault_begin_ns.setdefault(number, now_ns)

    def fault_ended(self, number: int, now_ns: int) -> None:
        """Learn that nothing is wrong with a network any more."""
        self.fault_begin_ns.pop(number, None)
        self.fault_end_ns[number] = now_ns

    def forget(self, nodeid: int) -> None:
        """Forget what a node thought of its links: it failed."""
        for key in [key for key in self.out if key[0] == nodeid]:
            del self.out[key]

    def event(self, nodeid: int, event: LinkEvent, now_ns: int) -> None:
        """Weigh an event of a node's link layer."""
        kind, link = event.kind, event.link
        self.tally.events[kind.name] += 1
        key = (nodeid, link, event.nodeid if kind in _OF_HOSTS else 0)
        if kind in {LinkEventKind.FAULTY, LinkEventKind.HOST_DOWN}:
            self._suspected(key, event, now_ns)
        elif kind in {LinkEventKind.RECOVERED, LinkEventKind.HOST_UP}:
            if self.out.pop(key, None) is not None and link in self.fault_end_ns:
                self.tally.recovered_ns.append(now_ns - self.fault_end_ns[link])
        elif kind is LinkEventKind.ALL_FAULTY:
            if self.settled and self.clean and self.whole is not None:
                stop("no false alarm", now_ns, (nodeid,), "every network suspected, one is whole")
            self.forget(nodeid)

    def _suspected(self, key: tuple[int, int, int], event: LinkEvent, now_ns: int) -> None:
        nodeid, link, peer = key
        if self.settled and self.clean and link == self.whole:
            text = f"network {link} is whole, yet {event.kind.name} {peer or ''}{event.values}"
            stop("no false alarm", now_ns, (nodeid,), text)
        self.out[key] = now_ns
        begin_ns = self.fault_begin_ns.get(link)
        if begin_ns is not None:
            self.tally.detected_ns.append(now_ns - begin_ns)

    def ring_lost(self, nodeid: int, reason: str, now_ns: int) -> None:
        """Weigh that a node gives up its ring."""
        if self.settled and self.whole is not None:
            text = f"{reason}, though network {self.whole} is whole"
            stop("no membership change", now_ns, (nodeid,), text)

    def not_used(self) -> str:
        """Name a network that some node does not use; empty when all are used."""
        for (nodeid, link, peer), since_ns in self.out.items():
            of_peer = f" to node {peer}" if peer else ""
            since_ms = since_ns // _NS_PER_MS
            return f"node {nodeid} does not use network {link}{of_peer} since {since_ms} ms"
        return ""


_OF_HOSTS: Final = frozenset({LinkEventKind.HOST_DOWN, LinkEventKind.HOST_UP})
