"""A node's configuration or key is not that of the others."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from corosync_tw.diagnosis.incidents.causes import Cause, certain, likely
from corosync_tw.diagnosis.incidents.lives import named, number, text
from corosync_tw.diagnosis.incidents.scene import Scene
from corosync_tw.logsys.flight.record import FlightRecord

NAME: Final = "configuration_mismatch"
_VERSION: Final = re.compile(r"config version", re.IGNORECASE)
_RELOAD_OK: Final = 1
# What a packet that was refused says of its sender, by event and cause as files have them.
_OTHER_KEY: Final = frozenset({"unsealed", "other key", "forged"})
_IN_CLEAR: Final = frozenset({"clear"})
_FOREIGN: Final = frozenset({"malformed"})
_KINDS: Final = {"packet_refused": "refusal", "datagram_refused": "seal"}
_COPY: Final = "copy corosync.conf and authkey from a node in the ring, and start it again"


def refused_between(
    own: Iterable[FlightRecord],
    seen: Iterable[FlightRecord],
    nodeid: int,
    others: Collection[int] | None = None,
) -> list[FlightRecord]:
    """
    Choose packets that a node and others refused of each other because of how they are sealed.

    :param own: what the node recorded; ``seen``: what others did.
    :param others: whose packets count that the node refused; None for any that is known.
    """
    mine = [
        record
        for record in _refusals(own)
        if (node := number(record, "node")) and (others is None or node in others)
    ]
    return mine + [record for record in _refusals(seen) if number(record, "node") == nodeid]


def refusal_text(records: Sequence[FlightRecord], nodeid: int) -> str:
    """Say what packets that were refused tell of their sender."""
    causes = {_cause(record) for record in records}
    others = sorted(
        {record.nodeid for record in records} | {number(record, "node") or 0 for record in records}
    )
    who = ", ".join(str(other) for other in others if other not in {0, nodeid})
    nodes = f"node{'s' * (',' in who)} {who}"
    if causes & _IN_CLEAR:
        return f"its packets are not encrypted, and those of {nodes} are"
    if causes & _OTHER_KEY:
        return f"it and {nodes} cannot open each other's packets: its key or cipher is another one"
    return f"it and {nodes} cannot read each other's packets: its transport or encryption differs"


def configuration_mismatch(scene: Scene) -> Cause | None:
    """Its configuration or its key is not that of the others."""
    return _older(scene) or _sealed_otherwise(scene) or _reload_refused(scene)


def kept_out_by_key(
    own: Sequence[FlightRecord], seen: Sequence[FlightRecord], nodeid: int
) -> Cause | None:
    """Nobody takes its packets, and it is in no ring with others."""
    refused = refused_between(own, seen, nodeid)
    if not refused:
        return None
    return certain(NAME, nodeid, refusal_text(refused, nodeid), refused, _COPY)


def ended_by_version(own: Iterable[FlightRecord], nodeid: int) -> Cause | None:
    """It says that it ended because its configuration is older."""
    said = [
        record
        for record in named(own, "node_failed", "log")
        if _VERSION.search(text(record, "text"))
    ]
    if not said:
        return None
    return certain(
        NAME,
        nodeid,
        "it ended because its corosync.conf is older than that of the others"
        " (totem.config_version)",
        said,
        "copy corosync.conf from a node in the ring, and start it again",
    )


def _older(scene: Scene) -> Cause | None:
    """It met nodes with a newer configuration, and ended."""
    own = ended_by_version(scene.own, scene.nodeid)
    told = [
        record
        for record in named(scene.seen, "config_version_differs")
        if number(record, "node") == scene.nodeid
        and (number(record, "version") or 0) < (number(record, "ours") or 0)
    ]
    left = [
        record
        for record in named(scene.seen, "leave_received")
        if number(record, "node") == scene.nodeid
    ]
    if own is not None or not told or not left:
        return own
    version, ours = number(told[0], "version"), number(told[0], "ours")
    return certain(
        NAME,
        scene.nodeid,
        f"its corosync.conf has config_version {version} and that of the others {ours}; a node"
        " that is behind ends",
        told + left,
        "copy corosync.conf from a node in the ring, and start it again",
    )


def _sealed_otherwise(scene: Scene) -> Cause | None:
    others = {step.life.nodeid for step in scene.witnesses}
    refused = refused_between(scene.own, scene.seen, scene.nodeid, others)
    if not refused:
        return None
    # Packets of one side may be late ones, sealed with a key of before.
    sides = {record.nodeid == scene.nodeid for record in refused}
    make = certain if len(sides) > 1 else likely
    return make(NAME, scene.nodeid, refusal_text(refused, scene.nodeid), refused, _COPY)


def _reload_refused(scene: Scene) -> Cause | None:
    refused = [
        record
        for record in named(scene.own, "reload_done")
        if number(record, "error") not in {_RELOAD_OK, None}
    ]
    if not refused:
        return None
    return likely(
        NAME,
        scene.nodeid,
        "it refused to read its configuration again, and goes on with the old one",
        refused,
        "its log tells why: mend corosync.conf there, then corosync-cfgtool -R",
    )


def _refusals(records: Iterable[FlightRecord]) -> Iterator[FlightRecord]:
    wanted = _OTHER_KEY | _IN_CLEAR | _FOREIGN
    return (record for record in records if record.name in _KINDS and _cause(record) in wanted)


def _cause(record: FlightRecord) -> str:
    return record.table.word(_KINDS[record.name], record.values.get("cause", 0))
