"""What ``explain`` says of each change of membership, for the page that ``fplay --html`` writes."""

from collections.abc import Iterable, Iterator, Sequence

from corosync_tw.corotypes import RingId
from corosync_tw.diagnosis.incidents.causes import Cause
from corosync_tw.diagnosis.incidents.changes import find_changes
from corosync_tw.diagnosis.incidents.explaining import Explanation, explain
from corosync_tw.diagnosis.incidents.recorded import lives_of
from corosync_tw.logsys.flight.drawing import EPISODES_MAX, Told
from corosync_tw.logsys.flight.reading import Recording


def causes_of(recordings: Iterable[object]) -> dict[RingId, list[Told]]:
    """Explain the last changes that recordings of ours hold, by the ring that each led to."""
    ours = [(each, False) for each in recordings if isinstance(each, Recording)]
    lives = lives_of(ours)
    changes = sorted(find_changes(lives), key=lambda change: change.ended_ns)
    return {change.ring: list(_told(explain(lives, change))) for change in changes[-EPISODES_MAX:]}


def _told(explanation: Explanation) -> Iterator[Told]:
    for nodeid, causes in explanation.left.items():
        yield from _each(f"Why node {nodeid} left", causes)
    for nodeid, causes in explanation.joined.items():
        yield from _each(f"Why node {nodeid} joined", causes)
    yield from _each("Why the ring formed", explanation.again)
    yield from _each("What else happened", explanation.beside)


def _each(what: str, causes: Sequence[Cause]) -> Iterator[Told]:
    for cause in causes:
        yield Told(what, cause.confidence.value, cause.text, cause.remedy)
