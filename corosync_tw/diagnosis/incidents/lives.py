"""What processes of nodes recorded, and how each of them ended."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from corosync_tw.logsys.flight.record import FlightRecord


class End(Enum):
    """How a process ended, as far as is known."""

    RUNNING = "runs"  # it answered just now
    ENDED = "ended in order"
    FAILED = "gave up"
    KILLED = "was killed"  # without an ending, and another process of the node came after it
    OPEN = "has no ending"  # killed, stopped, or copied while it ran


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """
    One process of one node; one is like another only if it is the same.

    :ivar boot_id: of its machine's kernel; another one after a restart of the machine.
    :ivar records: by time, aligned with those of other lives; visits of the token may be missing.
    """

    nodeid: int
    end: End
    boot_id: bytes
    records: tuple[FlightRecord, ...]

    @property
    def first_ns(self) -> int:
        """When its records begin, on the aligned clock."""
        return self.records[0].aligned_ns

    @property
    def last_ns(self) -> int:
        """When they end."""
        return self.records[-1].aligned_ns

    def within(self, since_ns: int, until_ns: int) -> Iterator[FlightRecord]:
        """Give the records of a time on the aligned clock."""
        first = bisect_left(self.records, since_ns, key=_aligned)
        last = bisect_right(self.records, until_ns, key=_aligned)
        yield from self.records[first:last]


def _aligned(record: FlightRecord) -> int:
    return record.aligned_ns


def near(record: FlightRecord, when_ns: int, span_ns: int) -> bool:
    """
    Tell whether a record is of a moment.

    :param when_ns: on the aligned clock, or on the node's as it was then: where a clock was set,
        logs and records bear times of which the aligned clock knows nothing. That itself was at
        two times.
    """
    step_ns = number(record, "step") or 0 if record.name == "clock_stepped" else 0
    times = (record.aligned_ns, record.time_ns, record.time_ns + step_ns)
    return any(abs(time_ns - when_ns) <= span_ns for time_ns in times)


def number(record: FlightRecord, name: str) -> int | None:
    """Give a value that is an integer; None when there is none."""
    value = record.values.get(name)
    return value if isinstance(value, int) else None


def numbers(record: FlightRecord, name: str) -> tuple[int, ...]:
    """Give a value that is a list of integers."""
    value = record.values.get(name)
    return value if isinstance(value, tuple) else ()


def text(record: FlightRecord, name: str) -> str:
    """Give a value that is a text."""
    value = record.values.get(name)
    return value if isinstance(value, str) else ""


def named(records: Iterable[FlightRecord], *names: str) -> list[FlightRecord]:
    """Choose events."""
    return [record for record in records if record.name in names]
