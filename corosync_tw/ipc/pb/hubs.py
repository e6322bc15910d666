"""
Between a session of Perspective Broker and the services beside process groups.

A hub is one service for all Perspective Broker clients of the node; it opens one desk for each
client. Hubs speak to the same engines as the handlers of C clients.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from twisted.internet.defer import Deferred

from corosync_tw.errors import CsInvalidParam
from corosync_tw.ipc.pb.broker import Method
from corosync_tw.ipc.pb.wire import JOIN_TIMEOUT_S
from corosync_tw.services.lib_interfaces import EffectHandler


class Peer(Protocol):
    """
    A client, as a desk sees it.

    :ivar conn: its number, unique among all clients of this node.
    """

    conn: int

    def event(self, method: str, *args: object) -> None:
        """Queue a call of the client, behind all earlier ones; arguments are plain values."""

    def submit(
        self, attempt: Callable[[], object], timeout_s: float = JOIN_TIMEOUT_S
    ) -> Deferred[object]:
        """Carry out ``attempt`` after the client's earlier requests, again while CsTryAgain."""


class Desk(Protocol):
    """One client at one service."""

    def methods(self) -> Mapping[str, Method]:
        """Name what the client may call."""

    def close(self) -> None:
        """Forget the client."""


class Hub(Protocol):
    """One service."""

    def open(self, peer: Peer) -> Desk:
        """Welcome a client that was let in."""

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the stack's effects that concern the clients."""


def text(value: object, what: str) -> str:
    """Give back an argument that is text; raises CsInvalidParam."""
    if not isinstance(value, str):
        raise CsInvalidParam(f"{what} is text")
    return value


def number(value: object, what: str, largest: int = 0xFFFFFFFF) -> int:
    """Give back an argument that is a number from 0 to ``largest``; raises CsInvalidParam."""
    if not isinstance(value, int) or not 0 <= value <= largest:
        raise CsInvalidParam(f"{what} is a number from 0 to {largest}")
    return int(value)
