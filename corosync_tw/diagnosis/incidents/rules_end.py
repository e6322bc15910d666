"""Causes by which the process of a node ends: wished, ordered, or neither."""

import re
from collections.abc import Sequence
from typing import Final

from corosync_tw.diagnosis.incidents.causes import Cause, certain, likely
from corosync_tw.diagnosis.incidents.lives import End, named, number, text
from corosync_tw.diagnosis.incidents.scene import SLACK_NS, Scene
from corosync_tw.logsys.flight.record import FlightRecord

_VERSION: Final = re.compile(r"config version", re.IGNORECASE)
_FULL: Final = re.compile(r"no space left|disk full|quota exceeded", re.IGNORECASE)
_RELOAD_OK: Final = 1


def _unsealed(record: FlightRecord) -> bool:
    """Tell whether a packet was refused that nobody with our key made."""
    return record.table.word("refusal", record.values.get("cause", 0)) == "unsealed"


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
        "see what on that node asked for it: corosync-cfgtool -k, or a resource manager",
    )


def configuration_mismatch(scene: Scene) -> Cause | None:
    """Its configuration or its key is not that of the others."""
    versions = [
        record
        for record in named(scene.own, "node_failed", "log")
        if _VERSION.search(text(record, "text"))
    ]
    if versions:
        return certain(
            "configuration_mismatch",
            scene.nodeid,
            "it ended because its configuration is older than that of the others",
            versions,
            "copy corosync.conf from a node in the ring, and start it again",
        )
    sealed = [
        record
        for record in named(scene.all, "packet_refused")
        if _unsealed(record) and scene.nodeid in {number(record, "node"), record.nodeid}
    ]
    if sealed:
        return likely(
            "configuration_mismatch",
            scene.nodeid,
            "packets between it and others could not be opened: keys or ciphers differ",
            sealed,
            "copy authkey and corosync.conf from a node in the ring, and reload or start again",
        )
    refused = [
        record
        for record in named(scene.own, "reload_done")
        if number(record, "error") not in {_RELOAD_OK, None}
    ]
    if refused:
        return likely(
            "configuration_mismatch",
            scene.nodeid,
            "it refused to read its configuration again, and goes on with the old one",
            refused,
            "see its log, mend corosync.conf there, and corosync-cfgtool -R",
        )
    return None


def disk_full(scene: Scene) -> Cause | None:
    """Its ring id could not be written, or only slowly."""
    return waits_for_disk(scene.nodeid, scene.own)


def waits_for_disk(nodeid: int, records: Sequence[FlightRecord]) -> Cause | None:
    """Tell what a node's records say of its disk."""
    failed = named(records, "storage_failed")
    slow = named(records, "storage_slow")
    full = [record for record in named(records, "log") if _FULL.search(text(record, "text"))]
    remedy = "make room in its state directory (system.state_dir), and look at that disk"
    if failed:
        full += [each for each in failed if _FULL.search(text(each, "text"))]
        said = "its ring id could not be stored, without which no node may join a ring"
        return certain(
            "disk_full" if full else "storage_failed", nodeid, said, failed + slow, remedy
        )
    if slow:
        said = "it waited for its disk before it could go on to the new ring"
        return certain("disk_slow", nodeid, said, slow + full, remedy)
    if full:
        said = "its disk was full"
        return likely("disk_full", nodeid, said, full, remedy)
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
            "see its log",
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
            "see the journal of that machine before the restart, and who fences it",
        )
    if life.end is End.KILLED or later is not None:
        begun = [] if later is None else named(later.records[:1], "node_started")
        return certain(
            "killed",
            scene.nodeid,
            "its process ended without a word: SIGKILL, out of memory, or a crash",
            last + begun,
            "see the kernel's log of that machine (dmesg: oom-killer, segfault) and who kills it",
        )
    return likely(
        "killed",
        scene.nodeid,
        "its recording ends then without an ending: it was killed, or stands still since",
        last,
        "see on that machine whether the daemon runs: ps, dmesg",
    )
