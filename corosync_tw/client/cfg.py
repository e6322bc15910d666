"""Administration of a node and its cluster."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from corosync_tw.client.connection import Caller
from corosync_tw.services.cfg.shutdown import ShutdownFlag

OnShutdown = Callable[[int], object]


class Cfg:
    """The cfg service; `corosync_tw.client.node.Node.cfg` makes it. All fail with CsError."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def links(self) -> Deferred[list[Any]]:
        """List the node's links as [number, address, status]."""
        return self._caller.call("cfg_links")

    def node_status(self, nodeid: int) -> Deferred[dict[str, Any]]:
        """Tell whether a node is reachable, and the state of the links to it."""
        return self._caller.call("cfg_node_status", nodeid)

    def node_addresses(self, nodeid: int) -> Deferred[list[str]]:
        """List a node's addresses; fails with CsNotExist."""
        return self._caller.call("cfg_node_addresses", nodeid)

    def kill_node(self, nodeid: int, reason: str) -> Deferred[None]:
        """Order a member to die; fails with CsNotExist."""
        return self._caller.call("cfg_kill_node", nodeid, reason)

    def try_shutdown(self, flags: int = ShutdownFlag.REQUEST) -> Deferred[None]:
        """
        Shut the node down, if its other clients have nothing against it.

        :return: fires when it is decided; fails with CsBusy when somebody objected.
        """
        return self._caller.call("cfg_try_shutdown", int(flags))

    def reply_to_shutdown(self, *, yes: bool) -> Deferred[None]:
        """Give an opinion on the shutdown that `track` told of; fails with CsAccess."""
        return self._caller.call("cfg_reply_to_shutdown", yes)

    def track(self, on_shutdown: OnShutdown) -> Deferred[None]:
        """Be asked before the node is shut down: ``on_shutdown`` is called with the flags."""
        self._caller.hear("cfg_test_shutdown", lambda flags, _error: on_shutdown(flags))
        return self._caller.call("cfg_track")

    def untrack(self) -> Deferred[None]:
        """Be asked no more."""
        return self._caller.call("cfg_untrack")

    def reload(self) -> Deferred[None]:
        """Have all members read corosync.conf again; fails if this node refused its file."""
        return self._caller.call("cfg_reload")

    def reenable_rings(self) -> Deferred[None]:
        """Have all members use all of their networks again; fails without redundant rings."""
        return self._caller.call("cfg_reenable_rings")

    def reopen_logs(self) -> Deferred[None]:
        """Have the node open its log files anew; fails if one of them cannot be opened."""
        return self._caller.call("cfg_reopen_logs")
