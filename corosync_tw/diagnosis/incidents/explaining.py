"""Apply the rules to a change of membership, or to a moment."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.diagnosis.finding import nodes_text
from corosync_tw.diagnosis.incidents import rules_config, rules_end, rules_join, rules_silence
from corosync_tw.diagnosis.incidents.causes import Cause, Confidence
from corosync_tw.diagnosis.incidents.changes import Change
from corosync_tw.diagnosis.incidents.lives import Life, named, near, numbers
from corosync_tw.diagnosis.incidents.scene import PRELUDE_NS, Scene, make_scene
from corosync_tw.logsys.flight.record import FlightRecord

# What belongs to a moment.
MOMENT_NS: Final = 60_000_000_000

Rule = Callable[[Scene], Cause | None]

# The first that is certain is the cause; without one, all that are likely are told.
LEAVING: Final[tuple[Rule, ...]] = (
    rules_config.configuration_mismatch,
    rules_end.ordered_to_die,
    rules_end.disk_full,
    rules_end.gave_up,
    rules_end.clean_leave,
    rules_silence.paused,
    rules_silence.witness_paused,
    rules_end.killed,
    rules_silence.link_cut_one_way,
    rules_silence.link_cut,
)
JOINING: Final[tuple[Rule, ...]] = (
    rules_join.started,
    rules_join.awake_again,
    rules_join.heard_again,
    rules_join.merged,
)
# A ring formed anew of the same nodes, because of one of them.
STAYING: Final[tuple[Rule, ...]] = (
    rules_end.disk_full,
    rules_silence.paused,
    rules_silence.link_cut_one_way,
)


@dataclass(slots=True)
class Explanation:
    """
    :ivar left: causes of each node that left, the surest first; likewise ``joined``.
    :ivar change: None when a moment is explained at which there was none.
    :ivar out: causes why a node is in no ring with others, or not back in one, likewise.
    :ivar again: why a ring formed that nobody left or joined: anew, or a first one.
    :ivar beside: what else happened then, and is no cause.
    """

    change: Change | None
    left: dict[int, list[Cause]] = field(default_factory=dict)
    joined: dict[int, list[Cause]] = field(default_factory=dict)
    out: dict[int, list[Cause]] = field(default_factory=dict)
    again: list[Cause] = field(default_factory=list)
    beside: list[Cause] = field(default_factory=list)


def explain(
    lives: Sequence[Life],
    change: Change,
    *,
    when_ns: int | None = None,
    until_ns: int | None = None,
) -> Explanation:
    """
    Find the causes of a change.

    :param when_ns: the moment that was asked for; what happened around it is told as well.
    :param until_ns: up to when what else happened is told; the end of the change by default.
    """
    told = Explanation(change)
    for nodeid in change.left:
        scene = make_scene(lives, change, nodeid)
        told.left[nodeid] = _apply(LEAVING, scene) or [_silent(scene)]
    for nodeid in change.joined:
        scene = make_scene(lives, change, nodeid)
        told.joined[nodeid] = _apply(JOINING, scene) or [_unknown(scene, "joined")]
    if not told.left and not told.joined:
        told.again = _again(lives, change)
    since_ns = change.began_ns - PRELUDE_NS
    until_ns = change.ended_ns if until_ns is None else until_ns
    told.beside = _clocks(
        record
        for life in lives
        for record in life.records
        if since_ns <= record.aligned_ns <= until_ns
        or (when_ns is not None and near(record, when_ns, MOMENT_NS))
    )
    return told


def explain_moment(lives: Sequence[Life], when_ns: int) -> Explanation:
    """Find what happened around a moment at which no membership changed."""
    told = Explanation(None)
    every: list[FlightRecord] = []
    for life in lives:
        records = [record for record in life.records if near(record, when_ns, MOMENT_NS)]
        every += records
        for rule in (rules_silence.pauses_of, rules_end.waits_for_disk):
            cause = rule(life.nodeid, records)
            if cause is not None:
                told.beside.append(cause)
    told.beside[:0] = _clocks(every)
    return told


def _clocks(records: Iterable[FlightRecord]) -> list[Cause]:
    cause = rules_silence.clock_stepped(records)
    return [] if cause is None else [cause]


def _again(lives: Sequence[Life], change: Change) -> list[Cause]:
    scenes = [make_scene(lives, change, nodeid) for nodeid in change.main.members]
    if change.main.old_ring is None:
        begun = rules_join.started(make_scene(lives, change, change.main.life.nodeid))
        return [begun or _unknown(scenes[0], "formed a ring")]
    found = [cause for scene in scenes for cause in _apply(STAYING, scene)]
    lost = rules_silence.token_lost_by_loss(scenes[0])
    if lost is not None:
        found.append(lost)
    return _surest(found) or [_unknown(scenes[0], "formed the ring anew")]


def _apply(rules: Sequence[Rule], scene: Scene) -> list[Cause]:
    """Give the first cause that is certain alone: what follows from it proves nothing more."""
    causes = [cause for rule in rules if (cause := rule(scene)) is not None]
    sure = [cause for cause in causes if cause.confidence is Confidence.CERTAIN]
    return sure[:1] or causes


def _surest(causes: list[Cause]) -> list[Cause]:
    """Leave out guesses beside what is certain."""
    sure = [cause for cause in causes if cause.confidence is Confidence.CERTAIN]
    return sure or causes


def _silent(scene: Scene) -> Cause:
    """Say what is known of a node that nobody heard of, and whose recording does not tell."""
    silent = [
        record
        for record in named(scene.seen, "consensus_timed_out")
        if scene.nodeid in numbers(record, "silent")
    ]
    lost = named(scene.seen, "token_lost")
    who = tuple(sorted({record.nodeid for record in silent}))
    heard = f"it was silent to {nodes_text(who)}" if who else "others gave up on it"
    if scene.life is None:
        return Cause(
            "unknown",
            Confidence.UNKNOWN,
            scene.nodeid,
            f"{heard}; only its own recording tells whether it died, stood still, or was cut off",
            tuple((lost + silent)[:4]),
            f"copy its flight-{scene.nodeid}*.rec here, and name them with --file",
        )
    return Cause(
        "unknown",
        Confidence.UNKNOWN,
        scene.nodeid,
        f"{heard}; its own recording does not tell why",
        tuple((lost + silent)[:4]),
        "corosync-tw fplay shows all that was recorded",
    )


def _unknown(scene: Scene, what: str) -> Cause:
    return Cause(
        "unknown",
        Confidence.UNKNOWN,
        scene.nodeid,
        f"only its own recording tells why it {what}"
        if scene.life is None
        else f"why it {what} is not recorded",
        (),
        "corosync-tw fplay shows all that was recorded",
    )
