"""
Calls that may stand still, such as the opening of a file on a dead file server.

Each is made in a thread of its own, and nobody has to wait for its end: not the loop, and not the
process, whose pool of threads would. A thread that stands still cannot be ended, so there are few.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Final, Generic, TypeVar

THREADS_MAX: Final = 4
T = TypeVar("T")


class Attempt(Generic[T]):
    """
    A call under way.

    :ivar outcome: of the call, or what ``give_up`` said.
    """

    def __init__(self, call: Callable[[], T], undo: Callable[[T], object]) -> None:
        """
        Begin.

        :param undo: is given a result that came too late.
        """
        self.outcome: Future[T] = Future()
        self._call = call
        self._undo = undo

    def run(self) -> None:
        """Make the call; in a thread."""
        try:
            result = self._call()
        except Exception as error:  # noqa: BLE001 - for whoever waits to look at
            self.give_up(error)
            return
        try:
            self.outcome.set_result(result)
        except InvalidStateError:
            self._undo(result)

    def give_up(self, error: Exception) -> None:
        """Wait no longer; without effect when there is an outcome."""
        with suppress(InvalidStateError):
            self.outcome.set_exception(error)


class Attempts:
    """Makes attempts, but no more than so many at a time."""

    def __init__(self, threads_max: int = THREADS_MAX) -> None:
        self._threads_max = threads_max
        self._threads: list[threading.Thread] = []

    def begin(self, call: Callable[[], T], undo: Callable[[T], object]) -> Attempt[T]:
        """Begin to call; TimeoutError is the outcome while too many earlier calls stand still."""
        attempt = Attempt(call, undo)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) >= self._threads_max:
            attempt.give_up(TimeoutError())
            return attempt
        thread = threading.Thread(target=attempt.run, name="log open", daemon=True)
        self._threads.append(thread)
        thread.start()
        return attempt
