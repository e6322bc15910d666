"""Causes by which the process of a node ends: wished, ordered, or neither."""

import re
from collections.abc import Sequence
from typing import Final

from corosync_tw.diagnosis.incidents.causes import Cause, certain, likely
from corosync_tw.diagnosis.incidents.lives import End, named, number, text
from corosync_tw.diagnosis.incidents.scene import SLACK_NS, Scene
from corosync_tw.logsys.flight.record import FlightRecord

_FULL: Final = re.compile(r"no space left|disk full|quota exceeded", re.IGNORECASE)


def clean_leave(scene: Scene) -> Cause | None:
    """It said good-bye."""
    own = [record for record in named(scene.own, "node_ending") if number(record, "leaves")]
    heard = [
        record
        for record in named(scene.all, "leave_received", "node_shut_down")
        if number(record, "node") == scene.nodeid
    ]
    if not own and not heard:
        return None
    codes = [number(record, "code") for record in own if number(record, "code")]
    how = f"the daemon ended with status {codes[0]} and" if codes else "it"
    return certain("clean_leave", scene.nodeid, f"{how} said good-bye to the ring", own + heard)


def ordered_to_die(scene: Scene) -> Cause | None:
    """Another node told it to end."""
    orders = [
        record
        for record in named(scene.all, "node_killed")
        if number(record, "node") == scene.nodeid
    ]
    if not orders:
        return None
    by, why = number(orders[0], "by"), text(orders[0], "reason")
    return certain(
        "ordered_to_die",
        scene.nodeid,
        f"node {by} ordered it to end: {why}" if why else f"node {by} ordered it to end",
        orders,
        "find out who asked for it on that node: corosync-cfgtool -k, or a resource manager",
    )


def disk_full(scene: Scene) -> Cause | None:
    """Its ring id could not be written, or only slowly."""
    return waits_for_disk(scene.nodeid, scene.own)


def waits_for_disk(nodeid: int, records: Sequence[FlightRecord]) -> Cause | None:
    """Tell what a node's records say of its disk."""
    failed = named(records, "storage_failed")
    slow = named(records, "storage_slow")
    full = [record for record in named(records, "log") if _FULL.search(text(record, "text"))]
    room = "make room on that disk, then start it again"
    if failed:
        full += [each for each in failed if _FULL.search(text(each, "text"))]
        said = "its ring id could not be stored, without which no node may join a ring"
        if full:
            said = f"the disk of its state directory (system.state_dir) is full: {said}"
            return certain("disk_full", nodeid, said, failed + slow, room)
        remedy = "mend its state directory (system.state_dir) or that disk, then start it again"
        return certain("storage_failed", nodeid, said, failed + slow, remedy)
    if slow:
        said = "it waited for the disk of its state directory before it could go on to the new ring"
        remedy = "find out what keeps that disk busy, or name another one with system.state_dir"
        return certain("disk_slow", nodeid, said, slow + full, remedy)
    if full:
        return likely("disk_full", nodeid, "a disk that it writes to was full", full, room)
    return None


def gave_up(scene: Scene) -> Cause | None:
    """The daemon could not go on, and said why."""
    failed = named(scene.own, "node_failed")
    if failed:
        said = text(failed[0], "text")
        return certain(
            "gave_up",
            scene.nodeid,
            f"the daemon gave up: {said}" if said else "the daemon gave up",
            failed,
            "its log tells more",
        )
    return None


def killed(scene: Scene) -> Cause | None:
    """Its process ended without a word."""
    life, later = scene.life, scene.later
    if life is None or life.end in {End.ENDED, End.FAILED, End.RUNNING}:
        return None
    # A process that recorded on after it was lost did not die of this.
    if life.last_ns > scene.until_ns + SLACK_NS:
        return None
    last = [life.records[-1]]
    if later is not None and later.boot_id != life.boot_id:
        return certain(
            "machine_restarted",
            scene.nodeid,
            "its machine went down without a word and was started again: power, fencing, a panic",
            last + named(later.records[:1], "node_started"),
            "read the journal of that machine before the restart, and find out who fences it",
        )
    if life.end is End.KILLED or later is not None:
        begun = [] if later is None else named(later.records[:1], "node_started")
        return certain(
            "killed",
            scene.nodeid,
            "its process ended without a word: SIGKILL, out of memory, or a crash",
            last + begun,
            "look into the kernel's log of that machine (dmesg: oom-killer, segfault), and find out"
            " who kills it",
        )
    return likely(
        "killed",
        scene.nodeid,
        "its recording breaks off then: it was killed, or stands still since",
        last,
        "look on that machine whether the daemon runs, and in which state: ps, dmesg",
    )
