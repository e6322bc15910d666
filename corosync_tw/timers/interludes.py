"""
What is done between the steps of long work, because it cannot wait until the loop turns.

A visit of the token on a busy ring may take longer than a client's socket has room for bells, and
a client that finds no room asks again and again: it takes the processor from those it waits for.
"""

from collections.abc import Callable
from typing import Any


class Interludes:
    """Short calls, made in the order in which they were added."""

    def __init__(self) -> None:
        self._calls: tuple[Callable[[], None], ...] = ()

    def add(self, call: Callable[[], None]) -> None:
        """Make a call in every interlude; it must not do what the loop's callbacks do."""
        if call not in self._calls:
            self._calls = (*self._calls, call)

    def remove(self, call: Callable[[], None]) -> None:
        """Make it no more; one that was not added is ignored."""
        self._calls = tuple(each for each in self._calls if each != call)

    def __call__(self) -> None:
        """Make the calls."""
        for call in self._calls:
            call()


def interludes_of(reactor: Any) -> Interludes:
    """Give the interludes of a reactor; one without any never comes to them."""
    found = getattr(reactor, "interludes", None)
    return found if isinstance(found, Interludes) else Interludes()
