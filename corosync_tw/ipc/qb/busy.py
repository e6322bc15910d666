"""
Clients that are busy: nobody listens for each of their bells, they are asked when it pays.

A client rings once a request, and whoever listens is woken for a few requests at a time. But what
is taken between two visits of the token goes out together. So the requests of busy clients are
taken when frames come in, among them the token, and at the latest after COLLECT_S: a client's
socket holds some 270 bells, and libqb spins when it is full.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from corosync_tw.ipc.qb.client import Client

COLLECT_S: Final = 0.0005
# A client that announces so many requests at once is busy.
BUSY_REQUESTS_MIN: Final = 4


class Busy:
    """
    The clients that are busy.

    :ivar wanted: whether somebody calls ``collect``; otherwise all clients are listened to.
    """

    def __init__(self, reactor: Any, done: Callable[[], None]) -> None:
        """:param done: called after requests were collected, to wake who was told something."""
        self.wanted = False
        self._reactor = reactor
        self._done = done
        self._clients: dict[Client, None] = {}
        self._call: Any = None
        self._recently = False

    def arrived(self, client: "Client", count: int) -> None:
        """Note that so many requests of a client came at once."""
        if self.wanted and count >= BUSY_REQUESTS_MIN and client not in self._clients:
            client.link.listen(False)
            self._clients[client] = None
            if self._call is None:
                self._call = self._reactor.callLater(COLLECT_S, self._collect_late)

    def collect(self) -> None:
        """Take requests of all busy clients, before what comes in is dealt with."""
        if self._clients:
            self._recently = True
            self._collect()

    def forget(self, client: "Client") -> None:
        """Collect no more from this one."""
        self._clients.pop(client, None)

    def stop(self) -> None:
        """Collect no more."""
        self._clients.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _collect(self) -> None:
        for client in tuple(self._clients):
            # One before it may have been its end.
            if client not in self._clients:
                continue
            count = client.link.listen_now()
            if count < BUSY_REQUESTS_MIN and self._clients.pop(client, client) is None:
                client.link.listen(True)
            if count:
                client.take_turn()
        self._done()

    def _collect_late(self) -> None:
        self._call = None
        if not self._recently:
            self._collect()
        self._recently = False
        if self._clients and self._call is None:
            self._call = self._reactor.callLater(COLLECT_S, self._collect_late)
