"""Once a second, what a recording needs to place its node in time: the ring and the wall clock."""

from typing import Any, Final

from corosync_tw.corotypes import MS_PER_S, NS_PER_MS
from corosync_tw.daemon.journal import Journal
from corosync_tw.logsys.flight.events import Code
from corosync_tw.logsys.flight.recorder import NoRecorder
from corosync_tw.services.stack import Stack
from corosync_tw.timers.steps import ClockWatch

# Clocks that are bent drift apart; a recording follows in steps of this size.
DRIFT_NS_MAX: Final = NS_PER_MS


class FlightClock:
    """Implements Noticed: writes down what the clocks do."""

    def __init__(self, reactor: Any, journal: Journal, stack: Stack) -> None:
        self._journal = journal
        self._stack = stack
        self._marked_ns: int | None = None
        self._watch = ClockWatch(reactor, self)

    @property
    def _recorder(self) -> NoRecorder:
        return self._journal.flight.recorder

    def start(self) -> None:
        """Begin."""
        self._watch.start()

    def stop(self) -> None:
        """End."""
        self._watch.stop()

    def looked(self, offset_ns: int) -> None:
        """Take a sample."""
        stack = self._stack
        if self._marked_ns is None or abs(offset_ns - self._marked_ns) > DRIFT_NS_MAX:
            self._marked_ns = offset_ns
            self._recorder.mark_clock(offset_ns)
        delivered = stack.stats.messages_delivered
        ring = stack.ring_id if stack.members else (0, 0)
        self._recorder.record(Code.SAMPLE, *ring, offset_ns, delivered)

    def stepped(self, step_ns: int) -> None:
        """Say that the wall clock was set; nothing of the protocol follows it."""
        self._recorder.record(Code.CLOCK_STEPPED, step_ns)
        self._journal.main.notice(
            "The system's clock was set by {step_s:+.3f} s; timeouts do not follow it, but times in"
            " the log do.",
            step_s=step_ns / NS_PER_MS / MS_PER_S,
        )

    def suspended(self, length_ns: int) -> None:
        """Say that the machine slept."""
        self._recorder.record(Code.SUSPENDED, length_ns)
        self._journal.main.warning(
            "The machine was suspended for {length_s:.3f} s.",
            length_s=length_ns / NS_PER_MS / MS_PER_S,
        )
