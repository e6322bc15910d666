"""
Hosts, their links, and which of those carry data.

A host is reachable while one of its links is connected and has an MTU. The passive policy uses the
link of the highest priority, the one with the lowest number among equals; the others use them all.

Source: libknet 1.25 host.c, _host_dstcache_update_sync; links.c.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Final

from corosync_tw.net.knet.params import LinkParams, LinkPolicy
from corosync_tw.net.knet.reassembly import Reassembly
from corosync_tw.net.knet.stats import LinkStats
from corosync_tw.net.knet.window import SeqWindow
from corosync_tw.totem.links import LinkEffect, LinkEvent, LinkEventKind, Source

# Pings of one link that a pong may answer.
PINGS_OUTSTANDING_MAX: Final = 16
# Times the configured timeout that is waited for a pong when a link begins, less one each second.
PONG_TIMEOUT_BACKOFF: Final = 10


class Link:
    """
    One link to one host, as we see it.

    :ivar connected: enough pongs came, and the last one not too long ago.
    :ivar latency_us: mean.
    :ivar pong_last_ns: when the last pong came, 0 for none since the link went down.
    :ivar pong_timeout_ns: present timeout, longer than the configured one at first.
    :ivar payload_mtu: bytes of a frame in one packet (libknet's status.mtu).
    :ivar has_valid_mtu: False when discovery failed.
    :ivar ping_high_ns: time of the host's newest ping on this link, by its own clock.
    """

    __slots__ = (
        "backoff",
        "connected",
        "enabled",
        "has_valid_mtu",
        "latency_us",
        "overhead_bytes",
        "params",
        "payload_mtu",
        "ping_high_ns",
        "ping_last_bytes",
        "ping_last_ns",
        "ping_seen_ns",
        "pings",
        "pong_last_ns",
        "pong_timeout_ns",
        "received_pong",
        "stats",
    )

    def __init__(self, params: LinkParams) -> None:
        self.params = params
        self.stats = LinkStats()
        self.enabled = True
        self.connected = False
        self.has_valid_mtu = True
        self.payload_mtu = 0
        self.overhead_bytes = 0
        self.latency_us = 0
        self.backoff = PONG_TIMEOUT_BACKOFF
        self.pong_timeout_ns = params.pong_timeout_ns * PONG_TIMEOUT_BACKOFF
        self.received_pong = 0
        self.pong_last_ns = 0
        self.ping_last_ns: int | None = None
        self.ping_last_bytes = 0
        self.pings: deque[bytes] = deque(maxlen=PINGS_OUTSTANDING_MAX)
        self.ping_high_ns = -1
        self.ping_seen_ns = 0

    @property
    def usable(self) -> bool:
        """Whether data may go this way."""
        return self.enabled and self.connected and self.has_valid_mtu


class Host:
    """
    Another node.

    :ivar active_links: links that data goes by, in order; the round-robin policy turns it.
    :ivar untimed_seq: of the last ping that was sent because of so much data, to take it once.
    :ivar timed_seq: of the last other ping.
    :ivar got_data: whether data came since the last untimed ping.
    """

    __slots__ = (
        "active_links",
        "got_data",
        "links",
        "nodeid",
        "reachable",
        "reassembly",
        "timed_seq",
        "untimed_seq",
        "window",
    )

    def __init__(self, nodeid: int) -> None:
        self.nodeid = nodeid
        self.links: dict[int, Link] = {}
        self.active_links: list[int] = []
        self.reachable = False
        self.window = SeqWindow()
        self.reassembly = Reassembly()
        self.untimed_seq = 0
        self.timed_seq = 0
        self.got_data = False

    def has_address(self, address: Hashable) -> bool:
        """Tell whether any link of the host has this address."""
        return any(link.params.address == address for link in self.links.values())

    def clear_buffers(self, high: int = 0) -> None:
        """Begin to receive anew."""
        self.window.clear(high)
        self.reassembly.clear()


# Of a network, the nodes that data for everybody goes to.
Routes = list[tuple[int, tuple[int, ...]]]


class HostTable:
    """
    All other nodes.

    :ivar hosts: by nodeid, in ascending order.
    """

    def __init__(self, policy: LinkPolicy, effects: list[LinkEffect]) -> None:
        """:param effects: events go to its end."""
        self.hosts: dict[int, Host] = {}
        self._by_address: dict[tuple[int, Hashable], int] = {}
        self._policy = policy
        self._effects = effects
        self._members: frozenset[int] | None = None
        self._routes: dict[bool, Routes] = {}

    @property
    def policy(self) -> LinkPolicy:
        """Policy of all hosts, as Corosync sets it."""
        return self._policy

    def set_policy(self, policy: LinkPolicy) -> None:
        """Use links otherwise from now on."""
        self._policy = policy
        for host in self.hosts.values():
            self.update(host)

    def set_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes of the ring; None while it forms."""
        self._members = nodeids
        self._routes.clear()

    def add(self, params: LinkParams) -> Link:
        """List a link that is not listed, and its host if that is new."""
        host = self.hosts.get(params.nodeid)
        if host is None:
            host = Host(params.nodeid)
            self.hosts = dict(sorted((self.hosts | {params.nodeid: host}).items()))
        assert params.link not in host.links, "this link is configured"
        link = Link(params)
        self._by_address[params.link, params.address] = params.nodeid
        host.links = dict(sorted((host.links | {params.link: link}).items()))
        return link

    def remove(self, nodeid: int, link: int) -> None:
        """Forget a link, and its host with its last link."""
        host = self.hosts[nodeid]
        self._by_address.pop((link, host.links[link].params.address), None)
        del host.links[link]
        self.update(host)
        if not host.links:
            del self.hosts[nodeid]
            self._routes.clear()

    def links(self) -> Iterator[tuple[Host, Link]]:
        """Give all links of all hosts."""
        for host in self.hosts.values():
            for link in host.links.values():
                yield host, link

    def nodeid_at(self, link: int, source: Source) -> int:
        """Name the node whose address on a network a packet came from; 0 for none."""
        return self._by_address.get((link, host_of(source)), 0)

    def update(self, host: Host) -> None:
        """Choose again which links of a host carry data (_host_dstcache_update_sync)."""
        usable = [link for link in host.links.values() if link.usable]
        if self._policy is LinkPolicy.PASSIVE and usable:
            usable = [max(usable, key=lambda link: link.params.priority)]
        host.active_links = [link.params.link for link in usable]
        self._routes.clear()
        best = usable[0].params if usable else None
        number, priority = (best.link, best.priority) if best else (0, 0)
        self._emit(LinkEventKind.BEST_LINK, number, host, int(self._policy), priority, len(usable))
        if not usable:
            host.clear_buffers()
        if host.reachable == bool(usable):
            return
        host.reachable = bool(usable)
        if usable:
            self._emit(LinkEventKind.HOST_REACHABLE, number, host, len(usable))
        else:
            self._emit(LinkEventKind.HOST_UNREACHABLE, 0, host)

    def routes(self, *, to_members_only: bool) -> Routes:
        """
        Give the networks that data for everybody goes to, and to whom on each.

        With the round-robin policy the next call gives each host's next link.
        """
        round_robin = self._policy is LinkPolicy.RR
        if not round_robin and (routes := self._routes.get(to_members_only)) is not None:
            return routes
        targets: dict[int, list[int]] = {}
        members = self._members if to_members_only else None
        for host in self.hosts.values():
            if not host.reachable or (members is not None and host.nodeid not in members):
                continue
            for link in self.links_for(host):
                targets.setdefault(link, []).append(host.nodeid)
        routes = [(link, tuple(nodeids)) for link, nodeids in sorted(targets.items())]
        if not round_robin:
            self._routes[to_members_only] = routes
        return routes

    def links_for(self, host: Host) -> list[int]:
        """Give the links that the next frame to a host goes by."""
        active = host.active_links
        if self._policy is LinkPolicy.RR and active:
            active.append(active.pop(0))
            return active[-1:]
        return active

    def _emit(self, kind: LinkEventKind, link: int, host: Host, *values: int) -> None:
        self._effects.append(LinkEvent(kind, link, host.nodeid, values))


def host_of(source: Source) -> Hashable:
    """Give the part of a source that links are known by: ports may change on the way."""
    return source[0] if isinstance(source, tuple) else source
