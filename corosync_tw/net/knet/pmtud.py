"""
Path MTU discovery: the longest packet that arrives at the other end of a link, and is answered.

It begins with the interface's MTU where that is known, otherwise with the longest there is; what
the kernel refuses, or nobody answers, is halved towards what is known to arrive. A link that comes
up begins with the least that every network carries, and takes what is answered at once. Frames are
cut for the lowest MTU of all links that are up.

Source: libknet 1.25 threads_pmtud.c, links.c.
Deviation: a length is given up after PROBES_PER_LENGTH packets without an answer, the first of them
waited for as the latency suggests, each other one twice as long; libknet gives up after one and
waits as long as for a pong.
"""

from dataclasses import dataclass
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S, NS_PER_US
from corosync_tw.net.knet import mtu
from corosync_tw.net.knet.hosts import HostTable, Link
from corosync_tw.net.knet.outbox import Outbox
from corosync_tw.net.knet.wire import (
    HEADER_ALL_LEN_BYTES,
    PacketType,
    Pmtud,
    encode_pmtud,
    encode_size,
)
from corosync_tw.totem.links import LinkEvent, LinkEventKind

# Halving from the longest to the shortest takes 16.
LENGTHS_MAX: Final = 30
PROBES_PER_LENGTH: Final = 3
ANSWER_TIMEOUT_NS_MIN: Final = 200 * NS_PER_MS
ANSWER_TIMEOUT_LATENCIES: Final = 8
RETRY_INTERVAL_NS: Final = NS_PER_S


@dataclass(slots=True)
class _Search:
    """
    One link's discovery while it runs; all lengths on the wire.

    :ivar length_max: where it began.
    :ivar before: what of a frame fitted a packet before.
    :ivar good: arrives.
    :ivar bad: does not; 0 for unknown.
    :ivar present: of the packet on its way.
    :ivar deadline_ns: until when its answer is waited for.
    """

    length_max: int
    before: int
    good: int
    bad: int = 0
    present: int = 0
    lengths: int = 0
    probes: int = 0
    deadline_ns: int = 0


class PmtuDiscovery:
    """
    Finds the MTU of every link that is up, again and again.

    :ivar payload_mtu: bytes of a frame in one packet, for all links (libknet's data_mtu).
    :ivar deadline_ns: when ``advance`` has something to do; None for never.
    """

    def __init__(
        self,
        nodeid: int,
        table: HostTable,
        outbox: Outbox,
        interval_ns: int,
        fixed_mtu_bytes: int,
    ) -> None:
        """:param fixed_mtu_bytes: of IP packets; 0 to discover it."""
        self._nodeid = nodeid
        self._table = table
        self._outbox = outbox
        self._interval_ns = interval_ns
        self._fixed_mtu_bytes = fixed_mtu_bytes
        self._searches: dict[tuple[int, int], _Search] = {}
        self._next_ns: dict[tuple[int, int], int] = {}
        self.payload_mtu = self._told = mtu.payload_bytes_min(outbox.seal)
        self.deadline_ns: int | None = None

    def configure(self, interval_ns: int, fixed_mtu_bytes: int, now_ns: int) -> None:
        """Take other settings, and look at every link again."""
        self._interval_ns = interval_ns
        self._fixed_mtu_bytes = fixed_mtu_bytes
        self.restart(now_ns)

    def restart(self, now_ns: int) -> None:
        """Look at every link again: lengths changed, or the kernel said so."""
        for _, link in self._table.links():
            self.reset(link)
            if link.connected:
                self._begin(link, now_ns)
        self._find_lowest()

    def reset(self, link: Link) -> None:
        """Take a link for one that carries what every network does."""
        seal, ipv6 = self._outbox.seal, link.params.ipv6
        link.payload_mtu = mtu.link_payload_bytes_min(seal, ipv6=ipv6)
        link.overhead_bytes = mtu.overhead_bytes(seal, ipv6=ipv6)
        link.has_valid_mtu = True

    def link_up(self, link: Link, now_ns: int) -> None:
        """Begin with a link that came up."""
        self.reset(link)
        self._begin(link, now_ns)
        self._find_lowest()

    def link_down(self, link: Link, now_ns: int) -> None:
        """Leave a link that went down, or was removed."""
        del now_ns
        self._searches.pop(_key(link), None)
        self._next_ns.pop(_key(link), None)
        self._schedule()
        self._find_lowest()

    def on_probe(self, link: Link, probe: Pmtud, len_bytes: int) -> None:
        """Answer somebody else's packet."""
        stats = link.stats
        stats.rx_pmtu_packets += 1
        stats.rx_pmtu_bytes += len_bytes
        reply = probe._replace(kind=PacketType.PMTUD_REPLY, node=self._nodeid)
        self._outbox.control(link, encode_pmtud(reply))

    def on_reply(self, link: Link, reply: Pmtud, len_bytes: int, now_ns: int) -> bool:
        """
        Take the answer to a packet of ours.

        :return: False when there is none of this length on its way.
        """
        link.stats.rx_pmtu_packets += 1
        link.stats.rx_pmtu_bytes += len_bytes
        search = self._searches.get(_key(link))
        if search is None or reply.size != encode_size(search.present):
            return False
        if self._is_found(search):
            self._found(link, search, now_ns)
        else:
            search.good = search.present
            payload = self._payload(link, search.good)
            if payload > link.payload_mtu:
                # What is found in the end is worth an event, not every step.
                link.payload_mtu = payload
                self.payload_mtu = self._lowest()
            self._probe(link, search, (search.good + search.bad) // 2, now_ns)
        return True

    def refused(self, link: Link, len_bytes: int, now_ns: int) -> None:
        """
        Take the kernel's word that a packet was too long for the network next to us.

        :param len_bytes: of the packet, headers of IP and UDP aside.
        """
        onwire_bytes = len_bytes + mtu.ip_overhead_bytes(ipv6=link.params.ipv6)
        search = self._searches.get(_key(link))
        if search is not None and onwire_bytes == search.present:
            link.stats.tx_pmtu_errors += 1
            search.bad = search.present
            self._probe(link, search, (search.good + search.bad) // 2, now_ns)
        elif search is None and link.connected:
            # Data: the interface is narrower than it was. What is behind it is cut shorter.
            self.reset(link)
            self._begin(link, now_ns)
            self._find_lowest()

    def advance(self, now_ns: int) -> None:
        """Send packets again, shorter ones, and begin again what is due."""
        if self.deadline_ns is None or now_ns < self.deadline_ns:
            return
        for _, link in self._table.links():
            key = _key(link)
            search = self._searches.get(key)
            if search is not None and now_ns >= search.deadline_ns:
                self._unanswered(link, search, now_ns)
            elif key in self._next_ns and now_ns >= self._next_ns[key]:
                self._begin(link, now_ns)
        self._schedule()

    def _begin(self, link: Link, now_ns: int) -> None:
        key = _key(link)
        self._next_ns.pop(key, None)
        link.overhead_bytes = mtu.overhead_bytes(self._outbox.seal, ipv6=link.params.ipv6)
        if self._fixed_mtu_bytes:
            self._searches.pop(key, None)
            self._set(link, self._fixed_mtu_bytes, link.payload_mtu)
            return
        length_max = min(
            link.params.interface_mtu_bytes or mtu.ONWIRE_BYTES_MAX, mtu.ONWIRE_BYTES_MAX
        )
        good = link.ping_last_bytes + mtu.ip_overhead_bytes(ipv6=link.params.ipv6)
        search = self._searches[key] = _Search(length_max, link.payload_mtu, good)
        self._probe(link, search, length_max, now_ns)

    def _probe(self, link: Link, search: _Search, length: int, now_ns: int) -> None:
        """Send a packet of another length, or of the one next to it that padding allows."""
        search.lengths += 1
        if search.lengths > LENGTHS_MAX:
            self._failed(link, now_ns)
            return
        payload = self._payload(link, length)
        if payload < 1:
            self._failed(link, now_ns)
            return
        search.present = mtu.onwire_bytes(self._outbox.seal, payload, ipv6=link.params.ipv6)
        search.probes = 0
        self._send(link, search, now_ns)

    def _send(self, link: Link, search: _Search, now_ns: int) -> None:
        latency_ns = link.latency_us * NS_PER_US * ANSWER_TIMEOUT_LATENCIES
        search.deadline_ns = now_ns + (max(latency_ns, ANSWER_TIMEOUT_NS_MIN) << search.probes)
        payload = self._payload(link, search.present)
        probe = Pmtud(PacketType.PMTUD, self._nodeid, link.params.link, encode_size(search.present))
        packet = encode_pmtud(probe, payload + HEADER_ALL_LEN_BYTES)
        link.stats.tx_pmtu_bytes += self._outbox.control(link, packet)
        link.stats.tx_pmtu_packets += 1
        search.probes += 1
        self._schedule()

    def _unanswered(self, link: Link, search: _Search, now_ns: int) -> None:
        if search.probes < PROBES_PER_LENGTH:
            self._send(link, search, now_ns)
            return
        if not search.bad:
            values = (search.present,)
            self._outbox.effects.append(
                LinkEvent(LinkEventKind.MTU_DOUBTED, link.params.link, link.params.nodeid, values)
            )
        search.bad = search.present
        self._probe(link, search, (search.good + search.bad) // 2, now_ns)

    def _is_found(self, search: _Search) -> bool:
        """Tell whether nothing longer is worth an attempt."""
        seal = self._outbox.seal
        step = seal.block_bytes if seal is not None and seal.block_bytes else 0
        if step:
            return search.present + step >= search.length_max or (
                0 < search.bad <= search.present + step
            )
        return search.present == search.length_max or search.bad in {
            search.present + 1,
            search.good,
        }

    def _found(self, link: Link, search: _Search, now_ns: int) -> None:
        del self._searches[_key(link)]
        self._next_ns[_key(link)] = now_ns + self._interval_ns
        self._schedule()
        self._set(link, search.present, search.before)

    def _failed(self, link: Link, now_ns: int) -> None:
        """Use the link no more for data until discovery succeeds."""
        self._searches.pop(_key(link), None)
        self._next_ns[_key(link)] = now_ns + RETRY_INTERVAL_NS
        self._schedule()
        self._validate(link, valid=False)

    def _set(self, link: Link, onwire_bytes: int, before: int) -> None:
        link.payload_mtu = payload = self._payload(link, onwire_bytes)
        if payload != before:
            self._emit(link.params.link, link.params.nodeid, payload, before)
        self._validate(link, valid=payload >= mtu.payload_bytes_min(self._outbox.seal))

    def _payload(self, link: Link, onwire_bytes: int) -> int:
        return mtu.payload_bytes(self._outbox.seal, onwire_bytes, ipv6=link.params.ipv6)

    def _validate(self, link: Link, *, valid: bool) -> None:
        if link.has_valid_mtu != valid:
            link.has_valid_mtu = valid
            self._table.update(self._table.hosts[link.params.nodeid])
        self._find_lowest()

    def _find_lowest(self) -> None:
        self.payload_mtu = lowest = self._lowest()
        if lowest != self._told:
            before, self._told = self._told, lowest
            self._emit(0, 0, lowest, before)

    def _lowest(self) -> int:
        return min(
            (link.payload_mtu for _, link in self._table.links() if link.usable),
            default=mtu.payload_bytes_min(self._outbox.seal),
        )

    def _emit(self, link: int, nodeid: int, *values: int) -> None:
        self._outbox.effects.append(LinkEvent(LinkEventKind.MTU_CHANGED, link, nodeid, values))

    def _schedule(self) -> None:
        deadlines = [search.deadline_ns for search in self._searches.values()]
        deadlines += self._next_ns.values()
        self.deadline_ns = min(deadlines, default=None)


def _key(link: Link) -> tuple[int, int]:
    return link.params.nodeid, link.params.link
