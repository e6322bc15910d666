"""What the clients of single services need of their Node."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred


class Caller(Protocol):
    """A connection to a node."""

    def call(self, method: str, *args: object) -> Deferred[Any]:
        """Call a method of the daemon; fails with CsError alone."""

    def hear(self, method: str, callback: Callable[..., object]) -> None:
        """Give calls of ``method`` by the daemon to ``callback`` from now on."""
