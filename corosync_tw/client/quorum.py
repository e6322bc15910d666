"""Whether a node is in the primary component, and its votes."""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, inlineCallbacks

from corosync_tw.client.connection import Caller
from corosync_tw.corotypes import RingId


class QuorumState(NamedTuple):
    """
    The state of quorum at a node.

    :ivar members: of the ring that was counted.
    """

    quorate: bool
    ring_id: RingId
    members: list[int]


class Nodelist(NamedTuple):
    """A synchronized ring, with its changes since the last one."""

    ring_id: RingId
    members: list[int]
    joined: list[int]
    left: list[int]


OnState = Callable[[QuorumState], object]
OnNodelist = Callable[[Nodelist], object]


class Quorum:
    """The quorum service; `corosync_tw.client.node.Node.quorum` makes it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @inlineCallbacks
    def get(self) -> Generator[Deferred[Any], Any, QuorumState]:
        """Ask for the present state."""
        state = yield self._caller.call("quorum_get")
        return _state(state)

    @inlineCallbacks
    def track(
        self, on_state: OnState, on_nodelist: OnNodelist | None = None
    ) -> Generator[Deferred[Any], Any, QuorumState]:
        """Follow changes; fires with the present state."""

        def changed(quorate: bool, ring_id: list[int], members: list[int]) -> object:
            return on_state(QuorumState(quorate, RingId(*ring_id), members))

        def listed(ring_id: list[int], *lists: list[int]) -> object:
            return on_nodelist and on_nodelist(Nodelist(RingId(*ring_id), *lists))

        self._caller.hear("quorum_state", changed)
        self._caller.hear("quorum_nodelist", listed)
        state = yield self._caller.call("quorum_track")
        return _state(state)

    def untrack(self) -> Deferred[None]:
        """Follow them no longer."""
        return self._caller.call("quorum_untrack")


OnVotes = Callable[[bool, list[list[int]]], object]
OnExpectedVotes = Callable[[int], object]


class Votequorum:
    """
    The votequorum service; `corosync_tw.client.node.Node.votequorum` makes it.

    Fails with CsNotSupported at a node that has another quorum provider or none.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def getinfo(self, nodeid: int = 0) -> Deferred[dict[str, Any]]:
        """
        Ask for a node's votes and those of the cluster; 0 is the node we are connected to.

        :return: fires with the fields of services.votequorum.report.NodeVotes.
        """
        return self._caller.call("votequorum_getinfo", nodeid)

    def set_expected(self, expected_votes: int) -> Deferred[None]:
        """Have the whole cluster expect so many votes; fails with CsInvalidParam."""
        return self._caller.call("votequorum_set_expected", expected_votes)

    def set_votes(self, nodeid: int, votes: int) -> Deferred[None]:
        """Change the votes of a node; fails with CsNameNotFound, CsInvalidParam."""
        return self._caller.call("votequorum_set_votes", nodeid, votes)

    def cancel_wait_for_all(self) -> Deferred[None]:
        """Have the whole cluster wait for nobody."""
        return self._caller.call("votequorum_cancel_wait_for_all")

    def track(
        self, on_votes: OnVotes, on_expected_votes: OnExpectedVotes | None = None
    ) -> Deferred[None]:
        """
        Follow changes, beginning with the present state; fails with CsExist.

        :param on_votes: called with whether the node is quorate and [nodeid, state] of all nodes.
        """
        self._caller.hear("votequorum_state", on_votes)
        self._caller.hear("votequorum_expected_votes", on_expected_votes or _ignore)
        return self._caller.call("votequorum_track")

    def untrack(self) -> Deferred[None]:
        """Follow them no longer; fails with CsNotExist."""
        return self._caller.call("votequorum_untrack")

    def qdevice_register(self, name: bytes) -> Deferred[None]:
        """Register a quorum device; fails with CsAccess, CsExist, CsInvalidParam."""
        return self._caller.call("votequorum_qdevice_register", name)

    def qdevice_unregister(self, name: bytes) -> Deferred[None]:
        """Take the device away; fails with CsNotExist, CsInvalidParam."""
        return self._caller.call("votequorum_qdevice_unregister", name)

    def qdevice_update(self, old_name: bytes, new_name: bytes) -> Deferred[None]:
        """Rename the device; fails with CsNotExist, CsInvalidParam."""
        return self._caller.call("votequorum_qdevice_update", old_name, new_name)

    def qdevice_poll(self, name: bytes, ring_id: RingId, *, cast_vote: bool) -> Deferred[None]:
        """Say that the device lives; fails with CsMessageError when the ring is another."""
        return self._caller.call("votequorum_qdevice_poll", name, cast_vote, list(ring_id))

    def qdevice_master_wins(self, name: bytes, *, allow: bool) -> Deferred[None]:
        """Let the partition with the device's master be quorate; fails with CsAccess."""
        return self._caller.call("votequorum_qdevice_master_wins", name, allow)


def _state(state: dict[str, Any]) -> QuorumState:
    return QuorumState(state["quorate"], RingId(*state["ring_id"]), state["members"])


def _ignore(*_args: object) -> None:
    """Take no interest."""
