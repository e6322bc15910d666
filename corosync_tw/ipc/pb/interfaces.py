"""
What the Perspective Broker server asks of the node, and what the node tells it.

The server knows neither the ring nor its driver: it speaks to an ILocalServices and is an
ILocalListener. `corosync_tw.ipc.pb.local` implements the former over
`corosync_tw.services.stack.Stack`.
"""

# ruff: noqa: N805 - methods of a zope interface have no self

from collections.abc import Iterable, Sequence

from zope.interface import Attribute, Interface

from corosync_tw.corotypes import Guarantee, Slices
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    CpgMember,
    QuorumChange,
    TotemConfchg,
)


class ILocalListener(Interface):
    """
    One local client, as the node sees it; called in the order of the ring's total order.

    Called from inside the driver's loop: an implementation queues and returns, and never calls
    the node back. Buffers are valid until the call returns.
    """

    def cpg_deliver(effect: CpgDeliver) -> None:
        """Take one message of a group that one of our conns joined."""

    def cpg_confchg(effect: CpgConfchg) -> None:
        """Take a change of a group that one of our conns joined."""

    def totem_confchg(effect: TotemConfchg) -> None:
        """Take a new configuration of the ring."""

    def quorum_change(effect: QuorumChange) -> None:
        """Take a change of quorum or of the members that count."""


class ILocalServices(Interface):
    """
    The node, as local clients see it.

    A *conn* is one membership of one group: an integer that `cpg_open` hands out. Every method
    raises CsError alone.
    """

    nodeid: int = Attribute("The node id of this node.")

    def new_conn() -> int:
        """Number a client, unique among all clients of this node."""

    def attach(listener: ILocalListener) -> None:
        """Tell ``listener`` of rings and quorum from now on."""

    def detach(listener: ILocalListener) -> None:
        """Stop telling ``listener``; unknown ones are ignored."""

    def cpg_open(listener: ILocalListener) -> int:
        """Make a conn whose deliveries and changes go to ``listener``."""

    def cpg_join(conn: int, group: bytes, pid: int) -> None:
        """Ask for membership; it begins with the first cpg_confchg that names us."""

    def cpg_leave(conn: int) -> None:
        """Ask to leave; it is done with the cpg_confchg in which we have left."""

    def cpg_disconnect(conn: int) -> None:
        """Forget ``conn``; its group sees the process go down. Never raises."""

    def cpg_mcast(conn: int, messages: Sequence[Slices], guarantee: Guarantee) -> None:
        """
        Queue messages for the ring, in order.

        Raises: CsTryAgain, whose ``accepted`` counts the messages that went in.
        """

    def cpg_membership(group: bytes) -> Sequence[CpgMember]:
        """List the members of a group."""

    def cpg_groups() -> Iterable[tuple[bytes, Sequence[CpgMember]]]:
        """List all groups of the cluster with their members."""

    def status() -> dict[str, object]:
        """
        Describe the node with plain types alone.

        Keys: nodeid, ring_rep, ring_seq, members, quorate, bad_links (pairs of the nodeid that
        speaks and the one that is deaf to it), faulty_rings (numbers of redundant rings), state,
        sync_in_progress, queue_level, token_rotation_us (None while no token came round) and
        counters (name: int).
        """
