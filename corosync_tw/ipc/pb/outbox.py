"""
Events on their way to one client: in order, packed, and never more at a time than it keeps up with.

The ring delivers at its own pace and must not wait, so events queue here. The client answers each
call when it has dealt with it; only a window of calls is unanswered at any time. What the level
of the queue means for the client is its session's business.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred

from corosync_tw.ipc.pb.wire import (
    DELIVERY_BATCH_BYTES,
    DELIVERY_WINDOW_BYTES,
    EVENT_OVERHEAD_BYTES,
    Record,
    pack_pieces,
    pack_record,
)

# What an item of a list takes, beside its content.
_ITEM_BYTES: Final = 32


@dataclass(slots=True)
class _Deliveries:
    """A run of messages of one conn."""

    conn: int
    charge_bytes: int = 0
    records: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def arguments(self) -> tuple[object, ...]:
        return ("cpg_deliver", self.conn, b"".join(self.records), pack_pieces(self.bodies))


@dataclass(slots=True)
class _Event:
    """Anything else."""

    args: tuple[object, ...]
    charge_bytes: int

    def arguments(self) -> tuple[object, ...]:
        return self.args


class Outbox:
    """
    Queue of events for one client.

    :ivar level_bytes: what is queued or unanswered, each event charged EVENT_OVERHEAD_BYTES more.
    """

    def __init__(self, call: Callable[..., Deferred[object]], answered: Callable[[], None]) -> None:
        """
        Start empty.

        :param call: sends one call to the client.
        :param answered: told whenever the level sinks.
        """
        self.level_bytes = 0
        self._call = call
        self._answered = answered
        self._queue: deque[_Deliveries | _Event] = deque()
        self._unanswered_bytes = 0

    def deliver(self, conn: int, record: Record, body: bytes) -> None:
        """Queue one message."""
        batch = self._queue[-1] if self._queue else None
        charge_bytes = record.len_bytes + EVENT_OVERHEAD_BYTES
        if (
            not isinstance(batch, _Deliveries)
            or batch.conn != conn
            or batch.charge_bytes + charge_bytes > DELIVERY_BATCH_BYTES
        ):
            batch = _Deliveries(conn)
            self._queue.append(batch)
        batch.records.append(pack_record(record))
        batch.bodies.append(body)
        batch.charge_bytes += charge_bytes
        self.level_bytes += charge_bytes

    def event(self, method: str, *args: object) -> None:
        """Queue a call of ``method``."""
        event = _Event((method, *args), EVENT_OVERHEAD_BYTES + _content_bytes(args))
        self._queue.append(event)
        self.level_bytes += event.charge_bytes

    def flush(self) -> None:
        """Send as much as the window allows; one call is always allowed."""
        while self._queue:
            charge_bytes = self._queue[0].charge_bytes
            unanswered_bytes = self._unanswered_bytes + charge_bytes
            if self._unanswered_bytes and unanswered_bytes > DELIVERY_WINDOW_BYTES:
                return
            self._unanswered_bytes = unanswered_bytes
            self._call(*self._queue.popleft().arguments()).addBoth(self._done, charge_bytes)

    def _done(self, _outcome: object, charge_bytes: int) -> None:
        self._unanswered_bytes -= charge_bytes
        self.level_bytes -= charge_bytes
        self._answered()
        self.flush()


def _content_bytes(value: object) -> int:
    """Estimate what a plain value takes, beside a little."""
    if isinstance(value, list | tuple):
        return sum(_ITEM_BYTES + _content_bytes(item) for item in value)
    return len(value) if isinstance(value, bytes | str) else 0
