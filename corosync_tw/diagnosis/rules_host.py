"""What is wrong with single hosts."""

import re
from collections.abc import Iterator
from typing import Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.diagnosis.cluster import Cluster
from corosync_tw.diagnosis.finding import Finding, Severity

FREE_BYTES_MIN: Final = 64 * 1024 * 1024
LOCKED_BYTES_MIN: Final = 128 * 1024 * 1024
PAUSE_AGE_MS_MAX: Final = 24 * 3600 * 1000
# A node says the same again after a minute.
COMPLAINT_AGE_MS_MAX: Final = 150_000
_SENTENCE: Final = re.compile(r"(?:rx: )?(.+?)(?:; they are dropped\. |[.!;] )(.+)")
_OTHERS: Final = 0o077
_UNLIMITED: Final = -1
_BYTES_PER_MB: Final = 1024 * 1024


def pauses(cluster: Cluster) -> Iterator[Finding]:
    """Say which daemon did not run when it should have."""
    for nodeid, facts in cluster.facts.items():
        since_ms = facts.wall_ns // NS_PER_MS - PAUSE_AGE_MS_MAX
        delays_ms = [float(delay_ms) for at_ms, delay_ms in facts.pauses if at_ms >= since_ms]
        if not delays_ms:
            continue
        count, longest_ms = len(delays_ms), max(delays_ms)
        severe = longest_ms >= facts.token_timeout_ms
        yield Finding(
            Severity.FAULT if severe else Severity.WARNING,
            (nodeid,),
            f"the daemon was not scheduled {count} time{'s' * (count > 1)} in the last day, for up"
            f" to {longest_ms:.0f} ms; the token's timeout is {facts.token_timeout_ms} ms",
            "give the host more processor time, see that the daemon runs with real-time priority,"
            " or raise totem.token",
        )


def complaints(cluster: Cluster) -> Iterator[Finding]:
    """Pass on what a node just warned of; the first sentence is the fault, the rest the remedy."""
    for nodeid, facts in cluster.facts.items():
        since_ms = facts.wall_ns // NS_PER_MS - COMPLAINT_AGE_MS_MAX
        for said_ms, text in facts.complaints:
            if said_ms >= since_ms:
                found = _SENTENCE.match(text)
                said, remedy = found.groups() if found else (text, "see its log")
                yield Finding(
                    Severity.FAULT, (nodeid,), f"warned lately: {said}", remedy.rstrip(".")
                )


def key_files(cluster: Cluster) -> Iterator[Finding]:
    """Say whose key is no secret."""
    for nodeid, facts in cluster.facts.items():
        for path, mode in facts.key_file_modes.items():
            if mode & _OTHERS:
                yield Finding(
                    Severity.WARNING,
                    (nodeid,),
                    f"not root alone may use the key {path} (mode {mode:o})",
                    f"chmod 400 {path}, and make a new key if others may have read it",
                )


def schedulers(cluster: Cluster) -> Iterator[Finding]:
    """Say which daemon has to share its processor, or may be paged out."""
    for nodeid, facts in cluster.facts.items():
        if facts.scheduler == "other":
            yield Finding(
                Severity.NOTE,
                (nodeid,),
                "runs without real-time priority, so a busy host delays the token",
                "start it as root or with CAP_SYS_NICE, and leave system.sched_rr at yes",
            )
        limit_bytes = facts.memory_lock_bytes_max
        if limit_bytes != _UNLIMITED and limit_bytes < LOCKED_BYTES_MIN:
            yield Finding(
                Severity.NOTE,
                (nodeid,),
                f"may lock {limit_bytes // _BYTES_PER_MB} MB of memory, and can be paged out",
                "raise LimitMEMLOCK of its service",
            )


def disks(cluster: Cluster) -> Iterator[Finding]:
    """Say where the disk is nearly full."""
    for nodeid, facts in cluster.facts.items():
        for path, free_bytes in facts.free_bytes.items():
            if free_bytes < FREE_BYTES_MIN:
                yield Finding(
                    Severity.WARNING,
                    (nodeid,),
                    f"only {free_bytes // _BYTES_PER_MB} MB are left in {path}",
                    "make room, or log lines, recordings and, in the worst case, the ring id are"
                    " not written",
                )
