"""Causes by which a node that lives is not heard, or the token is lost with nobody gone."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.diagnosis.finding import nodes_text
from corosync_tw.diagnosis.incidents.causes import Cause, certain, likely
from corosync_tw.diagnosis.incidents.lives import named, number, numbers
from corosync_tw.diagnosis.incidents.scene import Scene
from corosync_tw.logsys.flight.record import FlightRecord

# That are told in words; evidence has more of them.
STEPS_MAX: Final = 4
# Steps of several nodes that differ by less are told as one; each node measures them by itself.
STEP_DOUBT_NS: Final = 10_000_000
PAUSES: Final = ("loop_paused", "process_paused", "suspended")
_RAN_ON: Final = ("token_lost", "consensus_timed_out", "ring_installed", "sample")


def gap_ns(record: FlightRecord) -> int:
    """Give how long a process did not run, of a record that says so."""
    match record.name:
        case "loop_paused":
            return number(record, "gap") or 0
        case "process_paused":
            return (number(record, "pause") or 0) * NS_PER_MS
        case "suspended":
            return number(record, "length") or 0
        case _:
            return 0


def pauses(records: Sequence[FlightRecord], since_ns: int, until_ns: int) -> list[FlightRecord]:
    """Choose the records of pauses that overlap a time; each is written when it is over."""
    return [
        record
        for record in named(records, *PAUSES)
        if record.aligned_ns >= since_ns and record.aligned_ns - gap_ns(record) <= until_ns
    ]


def paused(scene: Scene) -> Cause | None:
    """Its process or its machine stood still."""
    return pauses_of(scene.nodeid, pauses(scene.own, scene.paused_since_ns, scene.until_ns))


def pauses_of(nodeid: int, records: Sequence[FlightRecord]) -> Cause | None:
    """Tell of the longest of the pauses among records of a node."""
    found = named(records, *PAUSES)
    if not found:
        return None
    longest = max(found, key=gap_ns)
    length = f"{gap_ns(longest) / NS_PER_S:.1f} s"
    if named(found, "suspended"):
        return certain(
            "suspended",
            nodeid,
            f"its machine slept for {length}",
            found,
            "do not suspend machines of a cluster, nor snapshot them with the processor stopped",
        )
    return certain(
        "paused",
        nodeid,
        f"its process did not run for {length}: SIGSTOP, a busy host or hypervisor, a debugger",
        found,
        "give the host more processor time, have the daemon run with real-time priority"
        " (system.sched_rr), or raise totem.token",
    )


def witness_paused(scene: Scene) -> Cause | None:
    """Not the node stood still, but all who say that it left."""
    found: list[FlightRecord] = []
    for step in scene.witnesses:
        stops = pauses(step.life.records, scene.paused_since_ns, scene.until_ns)
        if not stops:
            return None
        found += stops
    if not found or pauses(scene.own, scene.paused_since_ns, scene.until_ns):
        return None
    who = ", ".join(str(step.life.nodeid) for step in scene.witnesses)
    return certain(
        "witness_paused",
        scene.nodeid,
        f"it ran on; node {who} stood still, and lost it by that",
        found,
        f"corosync-tw explain {who.partition(',')[0]} tells more",
    )


def link_cut_one_way(scene: Scene) -> Cause | None:
    """Some do not hear it, or it does not hear some, and the other direction works."""
    return deaf_one_way(scene.all, scene.nodeid)


def deaf_one_way(records: Sequence[FlightRecord], nodeid: int) -> Cause | None:
    """Tell of links to or from a node that carry one direction only."""
    failed = [
        record
        for record in named(records, "link_failed")
        if nodeid in {number(record, "speaker"), number(record, "listener")}
    ]
    links = {(number(record, "speaker"), number(record, "listener")) for record in failed}
    one_way = sorted(link for link in links if (link[1], link[0]) not in links)
    if not one_way:
        return None
    kept_out = [r for r in named(records, "kept_out") if nodeid in numbers(r, "nodes")]
    said = ", ".join(
        f"node {listener} does not hear node {speaker}" for speaker, listener in one_way
    )
    return certain(
        "link_cut_one_way",
        nodeid,
        f"the network carries one direction only: {said}",
        failed + kept_out,
        "check the network in that direction: firewall, switch, cable",
    )


def link_cut(scene: Scene) -> Cause | None:
    """It ran on, and neither heard the others nor was heard."""
    if scene.life is None or not scene.witnesses:
        return None
    ran = [record for record in named(scene.own, *_RAN_ON) if record.aligned_ns > scene.began_ns]
    if not ran or pauses(scene.own, scene.paused_since_ns, scene.until_ns):
        return None
    others = {step.life.nodeid for step in scene.witnesses}
    own = _missed(scene.own, others)
    theirs = _missed(scene.seen, {scene.nodeid})
    remedy = "check the network between them: switch, cable, firewall, addresses"
    who = f"it and {nodes_text(tuple(sorted(others)))}"
    if own and theirs:
        knet = named(own + theirs, "link_down", "host_unreachable")
        ways = "in one direction or both, which knet does not tell apart" if knet else "both ways"
        said = f"{who} ran on and did not hear each other: the network was cut {ways}"
        return certain("link_cut", scene.nodeid, said, own + theirs, remedy)
    if own or theirs:
        said = f"{who} ran on, and heard nothing in one direction at least"
        return likely("link_cut", scene.nodeid, said, own + theirs + ran[:1], remedy)
    return None


def _missed(records: Sequence[FlightRecord], nodes: set[int]) -> list[FlightRecord]:
    """Choose what says that some nodes were not heard."""
    silent = [
        record
        for record in named(records, "consensus_timed_out")
        if nodes & set(numbers(record, "silent"))
    ]
    down = [
        record
        for record in named(records, "link_down", "host_unreachable", "ring_faulty")
        if number(record, "node") in nodes
    ]
    return silent + down


def token_lost_by_loss(scene: Scene) -> Cause | None:
    """Nobody left: frames or the token were lost on the way."""
    if scene.change.left or scene.change.joined:
        return None
    if pauses(scene.all, scene.paused_since_ns, scene.until_ns):
        return None
    lost = named(scene.all, "token_lost", "failed_to_receive")
    if not lost:
        return None
    nodeid, name = scene.nodeid, "token_lost_by_loss"
    remedy = (
        "find out where the network or a receive buffer loses packets: errors of the interfaces"
        " (ip -s link), MTU, net.core.rmem_max"
    )
    together = "all nodes ran, and were together again at once"
    where = _where_lost(named(scene.all, "token_trail"))
    if where is not None:
        sent, missed = where
        giver, taker, times = sent.nodeid, missed.nodeid, number(sent, "repeats") or 0
        said = (
            f"the token was lost on its way from node {giver} to node {taker}: it was sent"
            f" {times + 1} times, and never arrived; {together}"
        )
        return certain(name, nodeid, said, [*lost, sent, missed], remedy)
    again = named(scene.all, "retransmit_list")
    if again:
        said = f"the network lost packets, and with them the token: {len(again)} times messages"
        said += f" had to be asked for again; {together}"
        return certain(name, nodeid, said, lost + again, remedy)
    return likely(name, nodeid, f"the token was lost on its way; {together}", lost, remedy)


def _where_lost(trails: Sequence[FlightRecord]) -> tuple[FlightRecord, FlightRecord] | None:
    """
    Find who passed the token on last, again and again, and who never got it.

    :param trails: of one ring, one of a node.
    """
    if not trails:
        return None
    sent = max(trails, key=_token_seq)
    missed = [record for record in trails if record.nodeid == number(sent, "target")]
    if not missed or not number(sent, "repeats") or _token_seq(missed[0]) >= _token_seq(sent):
        return None
    return sent, missed[0]


def _token_seq(trail: FlightRecord) -> int:
    return number(trail, "token_seq") or 0


def clock_stepped(records: Iterable[FlightRecord]) -> Cause | None:
    """A wall clock was set; timeouts do not follow it, other programs may."""
    steps = sorted(named(records, "clock_stepped"), key=lambda record: record.aligned_ns)
    if not steps:
        return None
    alike: dict[tuple[int, int], list[FlightRecord]] = defaultdict(list)
    earlier: Counter[tuple[int, int]] = Counter()
    for record in steps:
        by = round((number(record, "step") or 0) / STEP_DOUBT_NS)
        alike[by, earlier[record.nodeid, by]].append(record)
        earlier[record.nodeid, by] += 1
    said = " and ".join(
        f"the clock of {nodes_text(tuple(sorted(record.nodeid for record in same)))} was set by"
        f" {(number(same[0], 'step') or 0) / NS_PER_S:+.3f} s"
        for same in list(alike.values())[:STEPS_MAX]
    )
    return certain(
        "clock_stepped",
        steps[0].nodeid,
        f"{said}; the ring's timeouts do not follow it, times in logs do",
        steps,
        "have clocks slewed, not set: chrony or ntpd before the daemon starts",
    )
