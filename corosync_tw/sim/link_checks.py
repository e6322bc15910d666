"""
What holds of a ring over several networks: no fault of some of them changes the membership while
one is whole, the whole one is never suspected, a dead one is noticed and stays out of use, each
comes back when it is healed, and networks of unequal speed make nobody ask for messages again.

A node's view of a network comes from the events of its link layer: FAULTY and RECOVERED of the
redundant ring protocol, HOST_UP and HOST_DOWN of knet's links.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.sim.network import Network
from corosync_tw.sim.recorder import stop
from corosync_tw.totem.links import LinkEvent, LinkEventKind


@dataclass(slots=True)
class LinkTally:
    """
    What came of a run's links.

    :ivar events: by name of the kind.
    :ivar detected_ns: from the begin of a fault to each node's alarm.
    :ivar recovered_ns: from the end of a fault to each node's use of the network.
    :ivar settled_ns: when all nodes were one ring, that had to last from then on; None for never.
    :ivar ring_losses: how often a node gave it up all the same.
    """

    events: Counter[str] = field(default_factory=Counter)
    detected_ns: list[int] = field(default_factory=list)
    recovered_ns: list[int] = field(default_factory=list)
    settled_ns: int | None = None
    ring_losses: int = 0


@dataclass(slots=True)
class LinkChecks:
    """
    Watches the links of all nodes.

    :ivar clean: networks without faults lose nothing, so that none of them is suspected.
    :ivar whole: the network that has no fault; None when none is promised to be whole.
    :ivar settled: all nodes are one ring, which must last while a network is whole.
    :ivar out: (node, network, peer or 0) that is not used, since when.
    :ivar orderly: no message comes so late behind its token that it has to be asked for.
    :ivar dead_ns: how long a network may be dead before all nodes have noticed; 0 for ever.
    :ivar test_ns: how long tests and word of a recovery may be under way.
    :ivar dead_since_ns: by network of which no link carries anything.
    :ivar broken_since_ns: by network of which some link carries nothing.
    :ivar faults_seen: faults of networks so far.
    :ivar fault_begin_ns: by network, while a fault lasts.
    :ivar fault_end_ns: by network, of the last fault.
    """

    clean: bool = True
    orderly: bool = False
    dead_ns: int = 0
    test_ns: int = 0
    whole: int | None = None
    settled: bool = False
    out: dict[tuple[int, int, int], int] = field(default_factory=dict)
    dead_since_ns: dict[int, int] = field(default_factory=dict)
    broken_since_ns: dict[int, int] = field(default_factory=dict)
    faults_seen: int = 0
    fault_begin_ns: dict[int, int] = field(default_factory=dict)
    fault_end_ns: dict[int, int] = field(default_factory=dict)
    tally: LinkTally = field(default_factory=LinkTally)

    def fault_began(self, number: int, now_ns: int) -> None:
        """Learn that something is wrong with a network."""
        self.faults_seen += 1
        self.fault_begin_ns.setdefault(number, now_ns)

    def fault_ended(self, number: int, now_ns: int) -> None:
        """Learn that nothing is wrong with a network any more."""
        self.fault_begin_ns.pop(number, None)
        self.fault_end_ns[number] = now_ns

    def look(self, networks: list[Network], nodeids: list[int], now_ns: int) -> None:
        """
        Look whether links are cut, and whether dead networks were noticed.

        :param nodeids: of nodes that run; none while there is no ring that lasts.
        """
        for network in networks:
            number = network.number
            assert number is not None
            cuts = [
                link.cuts > 0
                for own, row in enumerate(network.links)
                for other, link in enumerate(row)
                if other != own
            ]
            _keep(self.dead_since_ns, number, now_ns, holds=bool(cuts) and all(cuts))
            _keep(self.broken_since_ns, number, now_ns, holds=any(cuts))
            if self.dead_ns and number in self.dead_since_ns and len(networks) > 1:
                self._check_noticed(number, nodeids, now_ns)

    def _check_noticed(self, number: int, nodeids: list[int], now_ns: int) -> None:
        if now_ns - self.dead_since_ns[number] < self.dead_ns:
            return
        noticed = {nodeid for nodeid, link, _ in self.out if link == number}
        for nodeid in nodeids:
            if nodeid not in noticed:
                text = f"network {number} is dead since {self._ms(self.dead_since_ns[number])} ms"
                stop("dead networks are noticed", now_ns, (nodeid,), text)

    @staticmethod
    def _ms(time_ns: int) -> int:
        return time_ns // NS_PER_MS

    def asked(self, nodeid: int, seqs: tuple[int, ...], now_ns: int) -> None:
        """Weigh that a token asks for messages."""
        if self.settled and self.orderly and self.clean and not self.faults_seen:
            text = f"nothing was lost, yet {seqs} are asked for"
            stop("no needless requests (A2, P1)", now_ns, (nodeid,), text)

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
            if kind is LinkEventKind.RECOVERED:
                self._check_stays_out(nodeid, link, now_ns)
            if self.out.pop(key, None) is not None and link in self.fault_end_ns:
                self.tally.recovered_ns.append(now_ns - self.fault_end_ns[link])
        elif kind is LinkEventKind.ALL_FAULTY:
            if self.settled and self.clean and self.whole is not None:
                stop("no false alarm", now_ns, (nodeid,), "every network suspected, one is whole")
            self.forget(nodeid)

    def _check_stays_out(self, nodeid: int, link: int, now_ns: int) -> None:
        since_ns = self.broken_since_ns.get(link)
        if not self.settled or since_ns is None or not self.test_ns:
            return
        if now_ns - since_ns > self.test_ns:
            text = f"network {link} is used again, part of it is cut since {self._ms(since_ns)} ms"
            stop("broken networks stay out", now_ns, (nodeid,), text)

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
            self.tally.ring_losses += 1
            text = f"{reason}, though network {self.whole} is whole"
            stop("no membership change", now_ns, (nodeid,), text)

    def not_used(self) -> str:
        """Name a network that some node does not use; empty when all are used."""
        for (nodeid, link, peer), since_ns in self.out.items():
            of_peer = f" to node {peer}" if peer else ""
            since_ms = self._ms(since_ns)
            return f"node {nodeid} does not use network {link}{of_peer} since {since_ms} ms"
        return ""


def _keep(since_ns: dict[int, int], number: int, now_ns: int, *, holds: bool) -> None:
    if holds:
        since_ns.setdefault(number, now_ns)
    else:
        since_ns.pop(number, None)


_OF_HOSTS: Final = frozenset({LinkEventKind.HOST_DOWN, LinkEventKind.HOST_UP})
