"""
SAFE delivery (EVS 7.1, 7.2): a safe message delivered anywhere is delivered by every member,
unless that fails.

Besides the history there is a stronger test at the moment of delivery, made by the recorder: every
member of the
configuration must by then have been handed the message.
"""

from collections.abc import Iterator

from corosync_tw.corotypes import RingId
from corosync_tw.sim.history import History, MessageId, RunRecord, Violation


class _Stay:
    """One node's time in a ring and the transitional configuration after it."""

    __slots__ = ("delivered", "ended")

    def __init__(self) -> None:
        self.delivered: set[MessageId] = set()
        self.ended = False  # it went on to another ring


def check_safe(run: RunRecord) -> Iterator[Violation]:
    """Yield each safe delivery that another member of the configuration did not make."""
    stays: dict[tuple[int, RingId], _Stay] = {}
    for history in run.histories:
        _collect(run, history, stays)
    for history in run.histories:
        for window in run.windows(history):
            for message, time_ns in zip(window.deliveries, window.times_ns, strict=True):
                sent = run.messages.get(message)
                if sent is None or not sent.safe:
                    continue
                for member in window.conf.members:
                    stay = stays.get((member, message[0]))
                    nodes = (history.nodeid, member)
                    if stay is None:
                        if window.regular:
                            text = (
                                f"{message} is safe, but member {member} never installed the ring"
                            )
                            yield Violation("safe (7.2)", time_ns, nodes, text)
                    elif stay.ended and message not in stay.delivered:
                        text = f"safe {message} delivered, but member {member} went on without it"
                        yield Violation("safe (7.1)", time_ns, nodes, text)


def _collect(run: RunRecord, history: History, stays: dict[tuple[int, RingId], _Stay]) -> None:
    stay: _Stay | None = None
    for window in run.windows(history):
        if window.regular:
            if stay is not None:
                stay.ended = True
            stay = stays.setdefault((history.nodeid, window.ring), _Stay())
        if stay is not None:
            stay.delivered.update(window.deliveries)
