"""Orders that clients give as fast as they like, and that take a disk."""

from collections.abc import Callable

from twisted.internet.defer import Deferred


class OneAtATime:
    """
    Carries out one order after the other; those that come meanwhile make one more.

    :param begin: fires when an order is carried out, whatever became of it.
    """

    def __init__(self, begin: Callable[[], Deferred[object]]) -> None:
        self._begin = begin
        self._busy = False
        self._again = False

    def order(self) -> None:
        """Have it done, soon."""
        if self._busy:
            self._again = True
            return
        self._busy = True
        self._begin().addBoth(self._ended)

    def _ended(self, result: object) -> object:
        self._busy = False
        if self._again:
            self._again = False
            self.order()
        return result
