"""Why a node is in no ring with others, be it that it left or that it never got in."""

from collections.abc import Callable
from typing import Final

from corosync_tw.diagnosis.finding import nodes_text
from corosync_tw.diagnosis.incidents.absence import Absence
from corosync_tw.diagnosis.incidents.causes import Cause, Confidence, certain
from corosync_tw.diagnosis.incidents.lives import End, named
from corosync_tw.diagnosis.incidents.rules_config import ended_by_version, kept_out_by_key
from corosync_tw.diagnosis.incidents.rules_end import waits_for_disk
from corosync_tw.diagnosis.incidents.rules_silence import deaf_one_way

_SEE_LOG: Final = "read its log on that machine, and start it again"


def by_key(absence: Absence) -> Cause | None:
    """Its packets cannot be opened."""
    return kept_out_by_key(absence.own, absence.seen, absence.nodeid)


def by_version(absence: Absence) -> Cause | None:
    """Its configuration is older."""
    return ended_by_version(absence.own, absence.nodeid) if absence.is_new else None


def by_disk(absence: Absence) -> Cause | None:
    """Its ring id cannot be stored."""
    return waits_for_disk(absence.nodeid, absence.own) if absence.is_new else None


def by_deafness(absence: Absence) -> Cause | None:
    """Links that carry one direction only keep it out."""
    return deaf_one_way(absence.own + absence.seen, absence.nodeid)


def not_running(absence: Absence) -> Cause | None:
    """Its last process ended without having met others."""
    life, nodeid = absence.life, absence.nodeid
    if life is None or not absence.is_new:
        return None
    failed = named(absence.own, "node_failed")
    if failed or life.end is End.FAILED:
        said = "its daemon gave up, and was not started again"
        return certain("gave_up", nodeid, said, failed or [life.records[-1]], _SEE_LOG)
    if life.end is End.ENDED:
        ended = named(absence.own, "node_ending") or [life.records[-1]]
        said = "its daemon was started, stopped before it met others, and not started again"
        return certain("not_running", nodeid, said, ended, "start it again")
    return None


def not_listed(absence: Absence) -> Cause | None:
    """No such node is in the nodelist."""
    if not absence.listed or absence.nodeid in absence.listed:
        return None
    known = ", ".join(map(str, sorted(absence.listed)))
    return certain(
        "not_listed",
        absence.nodeid,
        f"no such node is in the nodelist of {nodes_text(absence.others)}, which has {known}",
        [],
        "add it to the nodelist of corosync.conf on all nodes, and corosync-cfgtool -R; or correct"
        " the node id that you ask for",
    )


# The first that is found is the cause.
ABSENT: Final[tuple[Callable[[Absence], Cause | None], ...]] = (
    by_version,
    by_key,
    by_disk,
    by_deafness,
    not_running,
    not_listed,
)


def explain_absence(absence: Absence) -> list[Cause]:
    """
    Find why a node is out of the ring.

    :return: none when it left, and nothing more is known: why it left says all.
    """
    for rule in ABSENT:
        cause = rule(absence)
        if cause is not None:
            return [cause]
    return [] if absence.left is not None or not absence.others else [_never_heard(absence)]


def _never_heard(absence: Absence) -> Cause:
    remedy = (
        "look on that machine whether the daemon runs, and into its log; corosync-tw doctor probes"
        " its port"
    )
    if absence.life is None:
        remedy += f"; or copy its flight-{absence.nodeid}*.rec here, and name them with --file"
    return Cause(
        "unknown",
        Confidence.UNKNOWN,
        absence.nodeid,
        f"{nodes_text(absence.others)} recorded no packet of it: its daemon does not run, or the"
        " network does not carry its packets",
        (),
        remedy,
    )
