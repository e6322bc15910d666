"""
The thread that keeps a slow target of the log from stopping the ring.

A target's lines go through a bounded spool. When the writer cannot keep up, new lines are dropped;
when a write fails, what was to be written is. Both are counted, and the count is printed once
there is room again.
"""

import threading
from collections import deque
from typing import Final

from corosync_tw.logsys.format import Record
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.sinks import Sink

SPOOL_LINES_MAX: Final = 4096
CLOSE_TIMEOUT_S: Final = 1.0


class Target:
    """
    A sink behind a bounded spool.

    Until ``start`` and after ``close`` lines are written at once, so nothing is lost around a fork
    or an early exit.

    :ivar dropped_lines: lines lost since the start, for want of room or by a write error.
    """

    def __init__(self, sink: Sink, name: str, lines_max: int = SPOOL_LINES_MAX) -> None:
        self.sink = sink
        self.name = name
        self.dropped_lines = 0
        # Of these, the last ones that no line told of: for want of room, and by a write error.
        self._overflowed_lines = 0
        self._failed_lines = 0
        self._lines_max = lines_max
        self._spool: deque[Record] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._stuck = False

    def start(self) -> None:
        """Write from a thread from now on; to be called after a fork, never before."""
        self._thread = threading.Thread(target=self._run, name=f"log {self.name}", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Take one record; never blocks once started."""
        if self._thread is None:
            if not self._stuck:
                self._write([record], 0)
            return
        with self._wake:
            if len(self._spool) >= self._lines_max:
                self.dropped_lines += 1
                self._overflowed_lines += 1
                return
            self._spool.append(record)
            self._wake.notify()

    def stop(self) -> None:
        """Write out what is spooled, for at most a second; later lines are written at once."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with self._wake:
                self._closing = True
                self._wake.notify()
            thread.join(CLOSE_TIMEOUT_S)
            self._stuck = thread.is_alive()
            self._closing = False

    def close(self) -> None:
        """Stop, and release the sink."""
        self.stop()
        if not self._stuck:
            self.sink.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._spool and not self._closing:
                    self._wake.wait()
                batch = list(self._spool)
                self._spool.clear()
                overflowed, self._overflowed_lines = self._overflowed_lines, 0
            if not batch:
                return
            self._write(batch, overflowed)

    def _write(self, batch: list[Record], overflowed: int) -> None:
        """
        Write lines, and of what was lost: by failed writes before them, for want of room after.

        :param overflowed: lines of which nothing was told yet.
        """
        fault = self.sink.fault or "it could not be written"
        records = list(batch)
        if self._failed_lines:
            records.insert(0, _loss(batch[0], self._failed_lines, fault))
        if overflowed:
            records.append(_loss(batch[-1], overflowed, "the log target could not keep up"))
        lost = self.sink.write(records)
        lost_of_batch = min(max(0, lost - bool(overflowed)), len(batch))
        with self._wake:
            self.dropped_lines += lost_of_batch
            if lost < len(records):
                self._failed_lines = 0
            self._failed_lines += lost_of_batch + (overflowed if lost else 0)


def _loss(beside: Record, lost: int, reason: str) -> Record:
    text = f"{lost} messages lost: {reason}."
    return Record(beside.time_s, Level.WARNING, "MAIN", text)
