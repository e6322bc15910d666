"""
What leaves the engine: sealed where there is a seal, and counted where it goes.

Packets that lie end to end stay so: they are sealed by one call, once for all links and targets.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_S, Buffer
from corosync_tw.net.knet.hosts import Host, Link, Routes
from corosync_tw.net.knet.seal import Seal
from corosync_tw.net.knet.stats import HandleStats, Refusal
from corosync_tw.totem.links import LinkEffect, LinkEvent, LinkEventKind, LinkSend, Source
from corosync_tw.totem.runs import Datagrams, SentBlob

# How often a refusal of one kind is worth an event.
REFUSAL_EVENT_INTERVAL_NS: Final = 60 * NS_PER_S


class Origin(NamedTuple):
    """
    Where packets came from, and when.

    :ivar link: number of the network.
    """

    link: int
    source: Source
    now_ns: int


class Outbox:
    """
    Effects, in order.

    :ivar effects: since the last poll.
    :ivar seal: None for packets in clear.
    :ivar clock_ns: tells how long sealing and compression take.
    :ivar stats: of sealing and compression.
    :ivar refusals: how many packets were dropped, and why.
    :ivar refused_sources: where the packet of the last event came from, by cause and node.
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self.effects: list[LinkEffect] = []
        self.clock_ns = clock_ns
        self.seal: Seal | None = None
        self.stats = HandleStats()
        self.refusals: dict[Refusal, int] = {}
        self.refused_sources: dict[tuple[Refusal, int], Source] = {}
        # Of nodes that nobody knows there may be any number: they share a place.
        self._told_ns: dict[tuple[Refusal, int], int] = {}

    def control(self, link: Link, packet: bytes) -> int:
        """
        Send a packet that is no data to the other end of a link.

        :return: bytes on the wire, headers of IP and UDP aside.
        """
        sealed = self.seal.seal((packet,))[0] if self.seal is not None else packet
        params = link.params
        self.effects.append(LinkSend(params.link, (params.nodeid,), [(sealed,)], False))
        return len(sealed)

    def sealed(self, packets: SentBlob) -> tuple[Datagrams, int]:
        """Seal packets that lie end to end; with them goes their length in bytes."""
        seal = self.seal
        length = len(packets.blob)
        if seal is None:
            return packets, length
        began_ns = self.clock_ns()
        sealed = seal.seal_blob(packets)
        sealed_length = len(sealed.blob)
        self._count_sealed(len(packets), sealed_length - length, began_ns)
        return sealed, sealed_length

    def _count_sealed(self, count: int, overhead_bytes: int, began_ns: int) -> None:
        stats = self.stats
        stats.tx_crypt_packets += count
        stats.tx_crypt_byte_overhead += overhead_bytes
        stats.tx_crypt_time.note((self.clock_ns() - began_ns) // count, count)

    def data(
        self,
        routes: Routes,
        hosts: Mapping[int, Host],
        packets: SentBlob,
        *,
        to_members_only: bool,
    ) -> None:
        """Send data packets to some hosts, on the networks that the routes name."""
        frames, length = self.sealed(packets)
        self._send_data(routes, hosts, frames, len(packets), length, to_members_only)

    def packet(
        self, routes: Routes, hosts: Mapping[int, Host], packet: bytes, *, to_members_only: bool
    ) -> None:
        """Send one data packet likewise."""
        sealed: Buffer = packet
        if self.seal is not None:
            began_ns = self.clock_ns()
            sealed = self.seal.seal((packet,))[0]
            self._count_sealed(1, len(sealed) - len(packet), began_ns)
        self._send_data(routes, hosts, [(sealed,)], 1, len(sealed), to_members_only)

    def _send_data(  # noqa: PLR0917 - once a run
        self,
        routes: Routes,
        hosts: Mapping[int, Host],
        frames: Datagrams,
        count: int,
        length: int,
        to_members_only: bool,
    ) -> None:
        for link, targets in routes:
            self.effects.append(LinkSend(link, targets, frames, to_members_only))
            for nodeid in targets:
                stats = hosts[nodeid].links[link].stats
                stats.tx_data_packets += count
                stats.tx_data_bytes += length

    def count(self, cause: Refusal, count: int = 1) -> int:
        """
        Count packets that are dropped, as happens on good networks, too.

        :return: how many there were before.
        """
        before = self.refusals.get(cause, 0)
        self.refusals[cause] = before + count
        return before

    def refuse(self, cause: Refusal, origin: Origin, nodeid: int = 0, count: int = 1) -> None:
        """
        Count packets that should not have come, and tell of it now and then.

        :param nodeid: that they name, or whose address they come from; 0 for none.
        """
        before = self.count(cause, count)
        about = refusal_key(cause, nodeid)
        told_ns = self._told_ns.get(about)
        if told_ns is None or origin.now_ns - told_ns >= REFUSAL_EVENT_INTERVAL_NS:
            self._told_ns[about] = origin.now_ns
            self.refused_sources[about] = origin.source
            values = (int(cause), before + count)
            kind = LinkEventKind.PACKET_REFUSED
            self.effects.append(LinkEvent(kind, origin.link, nodeid, values))


def refusal_key(cause: Refusal, nodeid: int) -> tuple[Refusal, int]:
    """Give the place of a refusal among those that are told of; there is a limited number."""
    return cause, 0 if cause is Refusal.UNKNOWN_NODE else nodeid
