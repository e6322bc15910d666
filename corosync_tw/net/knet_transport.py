"""
Knet as a transport: the engine over a bound socket for each link, and what there is to know of it.

Source: corosync 3.1.7 exec/totemknet.c.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from zope.interface import implementer

from corosync_tw.net.errors import NetError
from corosync_tw.net.interfaces import INetObserver, ITransport
from corosync_tw.net.knet.engine import KnetEngine
from corosync_tw.net.knet.params import KnetParams
from corosync_tw.net.knet.seal import Seal
from corosync_tw.net.knet.stats import HandleStats, LinkStats
from corosync_tw.net.knet_carrier import CarrierSettings, KnetCarrier
from corosync_tw.net.linked import LinkedTransport, LinkObserver
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.stats import TransportStats

# libknet has one link to ourselves: its number, and what is shown of it.
LOOPBACK_LINK: Final = 0
# Shortest latency of what is not measured.
_NO_LATENCY: Final = 2**32 - 1
_LOOPBACK: Final = {
    "enabled": 1,
    "connected": 1,
    "mtu": 65535,
    "up_count": 1,
    "latency_min": _NO_LATENCY,
}


@implementer(ITransport)
class KnetTransport(LinkedTransport):
    """
    Carries frames over the links of knet.

    :ivar engine: decides what goes where.
    :ivar params: in force, likewise ``settings`` of the sockets by link.
    """

    engine: KnetEngine
    params: KnetParams
    settings: Mapping[int, CarrierSettings]

    def __init__(
        self,
        reactor: Any,
        params: KnetParams,
        settings: Mapping[int, CarrierSettings],
        observer: INetObserver,
        link_observer: LinkObserver,
        *,
        now_ns: Callable[[], int],
        seal: Seal | None = None,
    ) -> None:
        """
        Put the parts together; no socket is opened yet.

        :param now_ns: monotonic clock; the same as the reactor's.
        :raises NetError: an address is not literal.
        """
        self.engine = KnetEngine(params, seal, now_ns)
        self.params = params
        self.settings = dict(settings)
        self._descriptors = reactor
        self._net_observer = observer
        self._pool = SlabPool()
        self.stats = TransportStats()
        carriers = {link: self._carrier(link, each) for link, each in settings.items()}
        super().__init__(reactor, self.engine, carriers, link_observer, self.stats, now_ns=now_ns)
        self._links: tuple[tuple[int, int], ...] = ()
        self._list_links()

    def reconfigure(
        self, params: KnetParams, settings: Mapping[int, CarrierSettings]
    ) -> list[NetError]:
        """
        Go on with other nodes, links, timers and priorities.

        Pre: a link that stays has the address and port it has; frames can be compressed as wanted.
        :return: why new links have no socket; they stay down until this is called again.
        """
        troubles = self._open_carriers(settings)
        for link, carrier in self.carriers.items():
            assert isinstance(carrier, KnetCarrier)
            carrier.set_peers(settings[link].peers if link in settings else {})
        self.params, self.settings = params, dict(settings)
        self.order(lambda now_ns: self.engine.configure(params, now_ns))
        for link in sorted(self.carriers.keys() - settings.keys()):
            self.remove_carrier(link)
        self._list_links()
        return troubles

    def _carrier(self, link: int, settings: CarrierSettings) -> KnetCarrier:
        return KnetCarrier(
            self._descriptors,
            settings,
            self._net_observer,
            self.stats,
            self._pool,
            on_too_long=lambda nodeid, length: self._too_long(link, nodeid, length),
        )

    def _too_long(self, link: int, nodeid: int, len_bytes: int) -> None:
        """Tell the engine, but not from within a send of its own."""
        self._at_turn_end(
            lambda: self.order(lambda now_ns: self.engine.too_long(link, nodeid, len_bytes, now_ns))
        )

    def _open_carriers(self, settings: Mapping[int, CarrierSettings]) -> list[NetError]:
        """Open what is new."""
        troubles = []
        for link in sorted(settings.keys() - self.carriers.keys()):
            try:
                self.add_carrier(link, self._carrier(link, settings[link]))
            except NetError as error:
                troubles.append(error)
        return troubles

    # What the daemon and its clients ask

    def members(self) -> Mapping[int, str]:
        """Give an address of every other node, that of its first link."""
        found: dict[int, str] = {}
        for link in sorted(self.settings):
            found = {**self.settings[link].peers, **found}
        return found

    def links(self) -> Sequence[tuple[int, int]]:
        """List (nodeid, link) of all links; the same object while none came or went."""
        return self._links

    def reachable(self, nodeid: int) -> bool:
        """Tell whether a link to a node is up; we reach ourselves."""
        host = self.engine.hosts.get(nodeid)
        return nodeid == self.params.nodeid or (host is not None and host.reachable)

    def link_value(self, nodeid: int, link: int, name: str) -> int:
        """Give a number of a link by libknet's name of it; 0 for a link that is not there."""
        if nodeid == self.params.nodeid:
            return self._loopback_value(name) if link == LOOPBACK_LINK else 0
        host = self.engine.hosts.get(nodeid)
        found = None if host is None else host.links.get(link)
        if found is None:
            return 0
        if name in {"enabled", "connected"}:
            return int(getattr(found, name))
        if name == "mtu":
            return found.payload_mtu
        return int(getattr(found.stats, name))

    def _loopback_value(self, name: str) -> int:
        shown = _LOOPBACK.get(name)
        return int(getattr(self.engine.loopback_stats, name)) if shown is None else shown

    def handle_value(self, name: str) -> int:
        """Give a number of all links together; of times ``_min``, ``_max`` and ``_ave``."""
        found = getattr(self.engine.stats, name, None)
        if found is None:
            times, _, which = name.rpartition("_")
            found = getattr(getattr(self.engine.stats, times), which)
        return int(found)

    def clear_stats(self) -> None:
        """Begin to count anew."""
        for host in self.engine.hosts.values():
            for link in host.links.values():
                _zero(link.stats)
        _zero(self.engine.loopback_stats)
        _zero(self.engine.stats)

    def _list_links(self) -> None:
        ourselves = (self.params.nodeid, LOOPBACK_LINK)
        self._links = tuple(sorted({ourselves, *_links_of(self.params)}))


def _links_of(params: KnetParams) -> set[tuple[int, int]]:
    return {(link.nodeid, link.link) for link in params.links}


def _zero(counters: LinkStats | HandleStats) -> None:
    fresh = type(counters)()
    for each in fields(counters):
        setattr(counters, each.name, getattr(fresh, each.name))
