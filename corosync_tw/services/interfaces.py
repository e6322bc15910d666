"""How service engines meet the stack: what they may call and what is called on them."""

from collections.abc import Callable
from typing import Protocol

from corosync_tw.corotypes import Buffer, Guarantee, RingId, Slices
from corosync_tw.services.effects import ServiceEffect

# (nodeid of the sender, seq, whole message with its header, byte order of the sender)
ExecHandler = Callable[[int, int, Buffer, bool], None]


class ServiceBus(Protocol):
    """
    What a service engine may ask of the stack.

    :ivar now_ns: monotonic time of the step under way.
    """

    now_ns: int

    def mcast(
        self, slices: Slices, guarantee: Guarantee = Guarantee.AGREED, *, bulk: bool = False
    ) -> None:
        """
        Queue a message for the services of all members, ourselves included.

        :param bulk: one of many, such as applications send; leaves room for others.
        Raises CsTryAgain: the queue is full.
        """

    def sync_mcast(self, slices: Slices) -> None:
        """
        Queue a message that belongs to the synchronization under way and travels before all others.

        Raises CsTryAgain: the queue is full.
        """

    def emit(self, effect: ServiceEffect, /) -> None:
        """Add an effect for the driver."""


class SyncedService(Protocol):
    """A service that takes part in synchronization (Corosync: struct sync_callbacks)."""

    service_id: int
    name: str

    def sync_init(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Begin a round: who came along from the old ring, who is in the new one."""

    def sync_process(self) -> bool:
        """Send our state; False to be called again after the next visit of the token."""

    def sync_activate(self) -> None:
        """Every member's state has arrived: make the new configuration the valid one."""

    def sync_abort(self) -> None:
        """Forget what this round collected, another configuration comes."""


class TimedService(Protocol):
    """A service that waits for moments as well as for messages."""

    def next_deadline(self) -> int | None:
        """Tell when advance() has something to do, absolute, in nanoseconds."""

    def advance(self, now_ns: int) -> None:
        """Do what is due."""
