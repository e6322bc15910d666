"""
What keeps the configuration maps of a running node true: the runtime keys, reload, and polling for
those who track live values.

Source: Corosync exec/main.c corosync_totem_stats_updater, for the interval.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from corosync_tw.config.schema import Config
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.daemon.reload import Reloader
from corosync_tw.daemon.running import Running
from corosync_tw.services.cfg.effects import NodeKilled, NodeShutDown, ReloadRequested
from corosync_tw.services.cmap.runtime_keys import Actions, RuntimeKeys
from corosync_tw.services.stats.stats_map import POLL_INTERVAL_MS, StatsMap
from corosync_tw.timers.clock import seconds_of

POLL_INTERVAL_S: Final = seconds_of(POLL_INTERVAL_MS * NS_PER_MS)


class MapKeeper:
    """
    Follows one node; its routes are to be given the effects of the stack.

    :ivar running: the configuration in force.
    """

    def __init__(
        self,
        reactor: Any,
        running: Running,
        stats: StatsMap,
        actions: Actions,
        *,
        load: Callable[[], Config],
    ) -> None:
        """
        Fill the map of a node that just starts.

        :param load: reads and checks the file; called in a thread, raises ConfigError.
        """
        self._reactor = reactor
        self.running = running
        self._parts = running.parts
        self._stats = stats
        self._icmap = self._parts.stack.cmap.store
        self._reloader = Reloader(
            reactor,
            running,
            self._icmap,
            self._parts.journal,
            load=load,
            done=self._reload_done,
        )
        self._runtime = RuntimeKeys(self._parts.stack, self.addresses, actions, self._say_left)
        self._call: Any = None

    def routes(self) -> dict[type, Callable[[Any], None]]:
        """Name the effects of the stack that are of interest."""
        reasons = self._runtime.reasons
        return {
            **self._runtime.routes(),
            ReloadRequested: self._reloader.request,
            NodeShutDown: lambda effect: reasons.shut_down(effect.nodeid),
            NodeKilled: lambda effect: reasons.killed(
                effect.nodeid, effect.by_nodeid, effect.reason
            ),
        }

    def start(self) -> None:
        """Begin to poll."""
        self._call = self._reactor.callLater(POLL_INTERVAL_S, self._poll)

    def stop(self) -> None:
        """Poll no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _poll(self) -> None:
        self._call = self._reactor.callLater(POLL_INTERVAL_S, self._poll)
        self._runtime.refresh()
        self._icmap.poll_providers()
        self._stats.poll_providers()
        # Clients may have been told of changes.
        self._parts.pump()

    def _say_left(self, nodeid: int, reason: str) -> None:
        text = "Node {nodeid} left the ring: {reason}"
        self._parts.journal.totem.notice(text, nodeid=nodeid, reason=reason)
        self._parts.journal.flight.member_left(nodeid, reason)

    def _reload_done(self, code: int) -> None:
        self._parts.journal.flight.reload_done(code)
        self._parts.stack.cfg.reload_done(code)
        self._parts.pump()

    def addresses(self, nodeid: int) -> Sequence[str]:
        """List a node's addresses by link: as configured, else as the transport learnt them."""
        config = self.running.config
        if nodeid == config.nodeid:
            return [str(link.local_address) for link in config.membership.links]
        listed = [
            str(member.address)
            for link in config.membership.links
            for member in link.members
            if member.nodeid == nodeid
        ]
        return listed or self._parts.links.learnt(nodeid)
