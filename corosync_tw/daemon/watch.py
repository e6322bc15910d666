"""
Looks at the counters now and then, for troubles that no single event shows.

Source: Corosync exec/main.c, corosync_totem_stats_updater.
"""

from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.daemon.troubles import Troubles
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.stats import SrpStats

WATCH_INTERVAL_S: Final = 5.0

# Counters of the transport that should stand still, and what it means when they do not.
_COUNTERS: Final = {
    "rx_rejected": (
        "Datagrams from addresses outside the nodelist are dropped; the nodes that send them have"
        " another nodelist or belong to another cluster: compare nodelist and mcastport on all"
        " nodes, or set totem.block_unlisted_ips to no."
    ),
    "rx_truncated": (
        "Datagrams longer than any of ours are dropped; compare totem.netmtu on all nodes."
    ),
    "tx_dropped": (
        "Datagrams of ours were dropped because the system's send queue stayed full; the network"
        " is slower than the ring, lower totem.window_size."
    ),
    "tx_errors": (
        "The system refuses to send some of our datagrams; check totem.netmtu against the MTU of"
        " the interface."
    ),
}
_FAULT: Final = (
    "Totem is unable to form a cluster because of an operating system or network fault"
    " (reason: totem is continuously in gather state). The most common cause of this message is"
    " that the local firewall is configured improperly."
)


class Watch:
    """Reports, through the rate limit, what grew since the last look."""

    def __init__(
        self, reactor: IReactorTime, troubles: Troubles, srp: SrpStats, transport: TransportStats
    ) -> None:
        self._reactor = reactor
        self._troubles = troubles
        self._srp = srp
        self._transport = transport
        self._last = dict.fromkeys(_COUNTERS, 0)
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to look."""
        self._call = self._reactor.callLater(WATCH_INTERVAL_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _look(self) -> None:
        self._call = self._reactor.callLater(WATCH_INTERVAL_S, self._look)
        for name, text in _COUNTERS.items():
            value = getattr(self._transport, name)
            grown, self._last[name] = value - self._last[name], value
            if grown:
                self._troubles.add(name, text, grown)
        if self._srp.firewall_enabled_or_nic_failure:
            self._troubles.add("gather", _FAULT)
