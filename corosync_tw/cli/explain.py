"""``corosync-tw explain``: say why a node left or a ring formed, from the nodes' recordings."""

import re
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from corosync_tw.cli.explain_sources import Sources, ask_members
from corosync_tw.cli.explain_text import as_json, as_text
from corosync_tw.cli.fplay import point_in_time
from corosync_tw.cli.reaching import add_options, reach
from corosync_tw.cli.running import complain, run
from corosync_tw.client.errors import NoDaemon
from corosync_tw.corotypes import RingId
from corosync_tw.diagnosis.finding import nodes_text
from corosync_tw.diagnosis.incidents.absence import absence_of, present_step
from corosync_tw.diagnosis.incidents.changes import (
    Change,
    find_changes,
    last_change,
    leaving,
    nearest,
)
from corosync_tw.diagnosis.incidents.explaining import (
    MOMENT_NS,
    Explanation,
    explain,
    explain_moment,
)
from corosync_tw.diagnosis.incidents.lives import Life
from corosync_tw.diagnosis.incidents.recorded import lives_of
from corosync_tw.diagnosis.incidents.rules_absent import explain_absence
from corosync_tw.errors import CsNotExist
from corosync_tw.logsys.flight.layout import RecordingError
from corosync_tw.logsys.traces import ring_id_text

_RING: Final = re.compile(r"(\d{1,10})\.([0-9a-f]{1,16})")
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: one of these, or nothing."""

    nodeid: int | None = None
    ring: RingId | None = None
    when_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Within:
    """
    A time that changes are looked for in.

    :ivar since_ns: on the wall clock of who tells, None for the beginning; ``until_ns`` likewise.
    """

    since_ns: int | None = None
    until_ns: int | None = None

    def holds(self, change: Change) -> bool:
        """Tell whether a change was then."""
        when_ns = change.main.installed.time_ns
        return (self.since_ns is None or when_ns >= self.since_ns) and (
            self.until_ns is None or when_ns < self.until_ns
        )


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "explain", help="say why a node left or a ring formed", description=__doc__
    )
    add = parser.add_argument
    add(
        "what",
        metavar="NODE|RING|TIME",
        nargs="?",
        type=_question,
        default=Question(),
        help="3: why it left last; 1.2c4: why that ring formed; 14:02 (UTC), or ISO 8601, or 10m"
        " for ten minutes ago; by default the last change that lost or gained a member",
    )
    add(
        "--file",
        metavar="FILE",
        nargs="+",
        action="extend",
        default=[],
        help="recordings of nodes that are out of the ring, behind NODE, RING or TIME",
    )
    add("--since", metavar="TIME", type=point_in_time, help="changes from then on")
    add("--until", metavar="TIME", type=point_in_time, help="changes before then")
    add("--json", action="store_true", help="one JSON object")
    add_options(parser)
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """
    Run the tool.

    Raises: SystemExit: 0 when there is an explanation, 1 when nothing was found, or a file or the
    daemon is missing.
    """

    async def show(reactor: Any) -> int:
        sources = Sources()
        try:
            sources.open(args.file)
        except RecordingError as fault:
            complain(str(fault))
            return 1
        try:
            node = await reach(reactor, args)
        except NoDaemon as fault:
            if not args.file:
                raise
            sources.lacking.append(f"files alone: {fault}")
        else:
            await ask_members(node, sources)
            await node.disconnect()
        for line in sources.lacking:
            complain(line)
        within = Within(args.since, args.until)
        told = answer(lives_of(sources.recordings), args.what, within, sources.listed)
        print(as_json(told, sources) if args.json else as_text(told, sources))
        return 0

    run(show)


def answer(
    lives: Sequence[Life], question: Question, within: Within, listed: Collection[int] = ()
) -> Explanation:
    """
    Explain what is asked for.

    :param listed: nodes of the nodelist; none when that is not known.
    Raises: CsNotExist, when the recordings hold no such change.
    """
    changes = [change for change in find_changes(lives) if within.holds(change)]
    if question.when_ns is not None:
        near = nearest(changes, question.when_ns, MOMENT_NS)
        if near is None:
            return explain_moment(lives, question.when_ns)
        return explain(lives, near, when_ns=question.when_ns)
    if question.nodeid is not None and changes:
        return _explain_node(lives, changes, question.nodeid, listed)
    if question.ring is not None:
        rings = {change.ring: change for change in changes}
        change = rings.get(question.ring)
        what = f"ring {ring_id_text(question.ring)} was installed"
    else:
        change, what = last_change(changes), "a ring was installed"
    if change is None:
        known = ", ".join(ring_id_text(each.ring) for each in changes[-5:])
        raise CsNotExist(
            f"no recording says that {what}"
            + (f"; the last rings were {known}" if known else "")
            + "; name more recordings with --file"
        )
    if question == Question():
        return explain(lives, change, until_ns=max(life.last_ns for life in lives))
    return explain(lives, change)


def _explain_node(
    lives: Sequence[Life], changes: Sequence[Change], nodeid: int, listed: Collection[int]
) -> Explanation:
    """Say why a node left last, and why it is not back, or never was there."""
    change = leaving(changes, nodeid)
    absence = absence_of(lives, changes, nodeid, listed)
    told = Explanation(None) if change is None else explain(lives, change)
    causes = [] if absence is None else explain_absence(absence)
    if causes:
        told.out[nodeid] = causes
    elif change is None:
        step = present_step(lives)
        assert step is not None, "there are changes"
        raise CsNotExist(
            f"no recording says that node {nodeid} left; it is in ring"
            f" {ring_id_text(step.new_ring)}: {nodes_text(step.members)}"
        )
    return told


def _question(text: str) -> Question:
    if text.isdecimal():
        return Question(nodeid=int(text))
    ring = _RING.fullmatch(text)
    if ring is not None:
        return Question(ring=RingId(int(ring[1]), int(ring[2], 16)))
    if _CLOCK.fullmatch(text) is not None:
        return Question(when_ns=_last_time(text))
    try:
        return Question(when_ns=point_in_time(text))
    except ArgumentTypeError as fault:
        raise ArgumentTypeError(
            f"{text!r} is neither a node id (3), nor a ring (1.2c4), nor a time (14:02, 10m)"
        ) from fault


def _last_time(text: str) -> int:
    """Read a time of the day, in UTC: the last such time."""
    now = datetime.fromtimestamp(time.time(), UTC)
    try:
        clock = datetime.fromisoformat(f"{now:%Y-%m-%d}T{text.zfill(5)}").replace(tzinfo=UTC)
    except ValueError as fault:
        raise ArgumentTypeError(f"{text!r} is no time of the day") from fault
    when = clock if clock <= now else clock - timedelta(days=1)
    return int(when.timestamp() * _US_PER_S) * 1000
