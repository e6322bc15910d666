"""
Whose requests are read next, so that neither many clients nor busy ones keep the ring waiting.

A client that asks is served at once as long as clients do not take too much of the time. Beyond
that they wait in a row, of which some are served in each turn of the loop.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

# How long the row is served in one turn of the loop, and how long of each window clients are served
# as soon as they ask. The token waits that long, so it is short beside any token timeout.
SERVING_S_MAX: Final = 0.01
WINDOW_S: Final = 0.03


class Served(Protocol):
    """A client, as far as its turns go."""

    def turn(self) -> None:
        """Read one share of requests and see to the next turn."""


class Turns:
    """
    The row of clients.

    :param done: called after turns that were not at once, to wake those who were told something.
    """

    def __init__(self, reactor: Any, done: Callable[[], None]) -> None:
        self._reactor = reactor
        self._done = done
        self._row: dict[Served, None] = {}
        self._call: Any = None
        self._window_began_s = self._window_used_s = 0.0

    def serve_now(self, client: Served) -> None:
        """Give the client a turn, at once if clients did not have much of the time of late."""
        now_s = self._reactor.seconds()
        if now_s - self._window_began_s >= WINDOW_S:
            self._window_began_s, self._window_used_s = now_s, 0.0
        if self._window_used_s >= SERVING_S_MAX or client in self._row:
            self.come_back(client)
            return
        client.turn()
        self._window_used_s += self._reactor.seconds() - now_s

    def come_back(self, client: Served) -> None:
        """Give the client a turn in a later turn of the loop, behind those who wait."""
        self._row[client] = None
        if self._call is None:
            self._call = self._reactor.callLater(0, self._serve_row)

    def forget(self, client: Served) -> None:
        """Serve the client no more."""
        self._row.pop(client, None)

    def stop(self) -> None:
        """Serve nobody any more."""
        self._row.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _serve_row(self) -> None:
        self._call = None
        until_s = self._reactor.seconds() + SERVING_S_MAX
        for client in tuple(self._row):
            # One before it may have been its end.
            if client in self._row:
                del self._row[client]
                client.turn()
            if self._reactor.seconds() >= until_s:
                break
        if self._row and self._call is None:
            self._call = self._reactor.callLater(0, self._serve_row)
        self._done()
