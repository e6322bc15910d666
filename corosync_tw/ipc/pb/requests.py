"""
Requests of one client to the ring, in order; those that the ring cannot take yet are tried again.

A client never sees CsTryAgain for a message: its answer is late instead, and that is how a full
ring, a synchronization under way, or its own slowness slow it down.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.corotypes import Guarantee, Slices
from corosync_tw.errors import CsBadHandle, CsError, CsNoMemory, CsTryAgain
from corosync_tw.ipc.pb.interfaces import ILocalServices
from corosync_tw.ipc.pb.wire import (
    OUTSTANDING_CALLS_MAX,
    OUTSTANDING_MCAST_BYTES_MAX,
    TRY_AGAIN_INTERVAL_S,
)


class McastBatch:
    """Messages of one request; calling it sends what is still to be sent."""

    def __init__(
        self,
        services: ILocalServices,
        conn: int,
        messages: Sequence[bytes],
        guarantee: Guarantee,
    ) -> None:
        """Hold ``messages`` back for the first call."""
        self._services = services
        self._conn = conn
        self._left: list[Slices] = [(message,) for message in messages]
        self._guarantee = guarantee
        self._count = len(messages)

    def __call__(self) -> int:
        """
        Hand over the messages that are left.

        :return: how many there were in all.
        Raises: CsError; after CsTryAgain only the messages that were not accepted are left.
        """
        try:
            self._services.cpg_mcast(self._conn, self._left, self._guarantee)
        except CsTryAgain as fault:
            del self._left[: fault.accepted]
            raise
        return self._count


@dataclass(slots=True)
class _Request:
    attempt: Callable[[], object]
    len_bytes: int
    deadline_s: float | None
    done: Deferred[object]


class Requests:
    """Queue of requests of one client."""

    def __init__(self, clock: IReactorTime, may_send: Callable[[], bool]) -> None:
        """
        Start empty.

        :param may_send: False while the client has to catch up with its own deliveries.
        """
        self._clock = clock
        self._may_send = may_send
        self._queue: deque[_Request] = deque()
        self._queued_len_bytes = 0
        self._retry: IDelayedCall | None = None

    def submit(
        self, attempt: Callable[[], object], len_bytes: int = 0, timeout_s: float | None = None
    ) -> Deferred[object]:
        """
        Carry out ``attempt`` after all earlier requests, again while it raises CsTryAgain.

        :param timeout_s: after which CsTryAgain is the answer; None to try for ever.
        :return: fires with what ``attempt`` returned.
        Raises: CsNoMemory, when the client has too much unanswered already.
        """
        if (
            len(self._queue) >= OUTSTANDING_CALLS_MAX
            or self._queued_len_bytes + len_bytes > OUTSTANDING_MCAST_BYTES_MAX
        ):
            raise CsNoMemory(
                f"more than {OUTSTANDING_CALLS_MAX} requests or {OUTSTANDING_MCAST_BYTES_MAX} bytes"
                " are unanswered; wait for answers"
            )
        deadline_s = None if timeout_s is None else self._clock.seconds() + timeout_s
        request = _Request(attempt, len_bytes, deadline_s, Deferred())
        self._queue.append(request)
        self._queued_len_bytes += len_bytes
        if len(self._queue) == 1:
            self.run()
        return request.done

    def run(self) -> None:
        """Carry out what can be; to be called again when the client has caught up."""
        while self._queue and self._may_send():
            request = self._queue[0]
            try:
                outcome = request.attempt()
            except CsTryAgain as fault:
                if request.deadline_s is None or self._clock.seconds() < request.deadline_s:
                    self._retry_later()
                    return
                self._drop_first().errback(fault)
            except CsError as fault:
                self._drop_first().errback(fault)
            else:
                self._drop_first().callback(outcome)

    def close(self) -> None:
        """Fail everything that is left; the client is gone."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        while self._queue:
            self._drop_first().errback(CsBadHandle("the connection is closed"))

    def _drop_first(self) -> Deferred[object]:
        request = self._queue.popleft()
        self._queued_len_bytes -= request.len_bytes
        return request.done

    def _retry_later(self) -> None:
        if self._retry is None:
            self._retry = self._clock.callLater(TRY_AGAIN_INTERVAL_S, self._run_again)

    def _run_again(self) -> None:
        self._retry = None
        self.run()
