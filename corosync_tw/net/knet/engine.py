"""
The links of knet as a link layer: what libknet is to Corosync, fed and polled.

It forms a mesh of links between hosts, one per network and host, keeps them alive with pings,
sends each frame of the ring by those that the policy names, and gives the ring each frame once.
There is no socket, no clock and no thread in it; the driver puts datagrams on networks, tells
where those that arrive come from, and what the kernel finds too long.

Memory of arrivals that is writable is taken over: headers are taken out where they lie. Memory of
others is left as it is.

Source: libknet 1.25; corosync 3.1.7 exec/totemknet.c.
"""

from collections.abc import Callable, Mapping, Sequence

from corosync_tw.net.knet.compression import compressor
from corosync_tw.net.knet.heartbeat import Heartbeat
from corosync_tw.net.knet.hosts import Host, HostTable
from corosync_tw.net.knet.outbox import Outbox, refusal_key
from corosync_tw.net.knet.params import KnetParams, LinkParams
from corosync_tw.net.knet.pmtud import PmtuDiscovery
from corosync_tw.net.knet.receiving import Receiver
from corosync_tw.net.knet.seal import Seal
from corosync_tw.net.knet.sending import Sender
from corosync_tw.net.knet.stats import HandleStats, LinkStats, Refusal
from corosync_tw.totem.links import Arrival, LinkEffect, Source
from corosync_tw.totem.runs import Datagrams


class KnetEngine:
    """
    One node's links; a ``totem.links.LinkLayer``.

    :ivar table: the hosts and their links, with status and counters.
    :ivar outbox: counters of refused packets, of compression and sealing.
    """

    def __init__(
        self,
        params: KnetParams,
        seal: Seal | None = None,
        clock_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        """
        :param seal: None for packets in clear.
        :param clock_ns: tells how long sealing and compression take, for the statistics alone.
        :raises corosync_tw.net.knet.compression.CompressionError: the model cannot be used.
        """
        self.outbox = Outbox(clock_ns)
        self.outbox.seal = seal
        self.table = HostTable(params.policy, self.outbox.effects)
        self._discovery = PmtuDiscovery(
            params.nodeid, self.table, self.outbox, params.pmtud_interval_ns, params.mtu_bytes
        )
        self._heartbeat = Heartbeat(
            params.nodeid, self.table, self.outbox, self._discovery, lambda: self._sender.seq
        )
        self._sender = Sender(
            params.nodeid,
            params.seq,
            self.table,
            self.outbox,
            self._discovery,
            self._heartbeat.ping_all,
        )
        self._receiver = Receiver(
            params.nodeid, self.table, self.outbox, self._heartbeat, self._discovery
        )
        self._receiver.access_lists = params.access_lists
        self._sender.compressor = compressor(params.compress)
        self._params = params

    # The link layer

    def start(self, now_ns: int) -> None:
        """Begin to ping."""
        for params in self._params.links:
            self._add(params)
        self._heartbeat.start(now_ns)

    def receive(self, link: int, arrivals: Sequence[Arrival], now_ns: int) -> None:
        """Take what one network brought in one go."""
        self._receiver.receive(link, arrivals, now_ns)

    def send_token(self, target: int, frame: bytes, now_ns: int) -> None:
        """Send a token to one node."""
        self._sender.send_token(target, frame, now_ns)

    def send_mcast(self, frames: Datagrams, to_members_only: bool, now_ns: int) -> None:
        """Send datagrams to every other node that is reachable, in order."""
        self._sender.send_mcast(frames, now_ns, to_members_only=to_members_only)

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Say who is in the ring; None while one forms."""
        self.table.set_members(nodeids)

    def ring_advanced(self, now_ns: int) -> None:
        """Do nothing: no frame waits for another one."""

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""
        self._heartbeat.advance(now_ns)
        self._discovery.advance(now_ns)

    def next_deadline(self) -> int:
        """Tell when something is due."""
        discovery_ns = self._discovery.deadline_ns
        deadline_ns = self._heartbeat.deadline_ns
        return deadline_ns if discovery_ns is None else min(deadline_ns, discovery_ns)

    def poll(self) -> list[LinkEffect]:
        """Give up the effects since the last poll."""
        effects = self.outbox.effects[:]
        self.outbox.effects.clear()
        return effects

    # What the driver knows of the kernel

    def too_long(self, link: int, nodeid: int, len_bytes: int, now_ns: int) -> None:
        """
        Take the kernel's word that a packet does not fit the network (EMSGSIZE).

        :param len_bytes: of the packet, headers of IP and UDP aside.
        """
        host = self.table.hosts.get(nodeid)
        if host is not None and link in host.links:
            self._discovery.refused(host.links[link], len_bytes, now_ns)

    # State

    @property
    def hosts(self) -> Mapping[int, Host]:
        """All other nodes that are configured, with their links, by nodeid."""
        return self.table.hosts

    @property
    def stats(self) -> HandleStats:
        """Counters of compression and sealing."""
        return self.outbox.stats

    def refused_source(self, cause: int, nodeid: int) -> Source | None:
        """Tell where the packet came from that the last such event was about."""
        return self.outbox.refused_sources.get(refusal_key(Refusal(cause), nodeid))

    @property
    def payload_mtu(self) -> int:
        """Bytes of a frame in one packet (libknet's data_mtu)."""
        return self._discovery.payload_mtu

    @property
    def loopback_stats(self) -> LinkStats:
        """Counters of the link to ourselves."""
        return self._sender.loopback

    @property
    def seq(self) -> int:
        """Number of the last data packet we sent."""
        return self._sender.seq

    # Changes at run time

    def configure(self, params: KnetParams, now_ns: int) -> None:
        """
        Go on with other links, times, priorities, policy, MTUs and compression; the nodeid stays.

        A link with another address begins anew.

        :raises corosync_tw.net.knet.compression.CompressionError: with nothing changed.
        """
        before = self._params
        assert params.nodeid == before.nodeid, "we are who we are"
        self._sender.compressor = compressor(params.compress)
        self._params = params
        self._receiver.access_lists = params.access_lists
        wanted = {(link.nodeid, link.link): link for link in params.links}
        for _, link in list(self.table.links()):
            change = wanted.get((link.params.nodeid, link.params.link))
            if change is None or change.address != link.params.address:
                self.remove_link(link.params.nodeid, link.params.link, now_ns)
            elif change != link.params:
                self.change_link(change, now_ns)
        for change in params.links:
            host = self.table.hosts.get(change.nodeid)
            if host is None or change.link not in host.links:
                self.add_link(change, now_ns)
        if params.policy is not before.policy:
            self.table.set_policy(params.policy)
        fixed = (params.pmtud_interval_ns, params.mtu_bytes)
        if fixed != (before.pmtud_interval_ns, before.mtu_bytes):
            self._discovery.configure(*fixed, now_ns)

    def add_link(self, params: LinkParams, now_ns: int) -> None:
        """Add a link, and its host with its first one."""
        self._add(params)
        self._heartbeat.link_changed()
        self._heartbeat.advance(now_ns)

    def remove_link(self, nodeid: int, link: int, now_ns: int) -> None:
        """Remove a link, and its host with its last one."""
        removed = self.table.hosts[nodeid].links[link]
        self.table.remove(nodeid, link)
        self._discovery.link_down(removed, now_ns)

    def change_link(self, params: LinkParams, now_ns: int) -> None:
        """Give a link other times, another priority or another interface MTU; never its address."""
        host = self.table.hosts[params.nodeid]
        link = host.links[params.link]
        before, link.params = link.params, params
        assert before.address == params.address, "another address is another link"
        if before.priority != params.priority:
            self.table.update(host)
        if before.interface_mtu_bytes != params.interface_mtu_bytes and link.connected:
            self._discovery.link_up(link, now_ns)
        self._heartbeat.link_changed()
        self._heartbeat.advance(now_ns)

    def set_seal(self, seal: Seal | None, now_ns: int) -> None:
        """Seal otherwise; also to be called when a seal begins to use another key."""
        self.outbox.seal = seal
        self._discovery.restart(now_ns)

    def _add(self, params: LinkParams) -> None:
        link = self.table.add(params)
        self._discovery.reset(link)
        self.table.update(self.table.hosts[params.nodeid])
