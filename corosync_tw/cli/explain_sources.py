"""Where ``corosync-tw explain`` has its recordings from: members of the ring, and files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.cli.kept import kept_names
from corosync_tw.cli.running import progress
from corosync_tw.client.node import Node
from corosync_tw.diagnosis.facts import decode_facts
from corosync_tw.errors import CsError, CsFailedOperation
from corosync_tw.logsys.flight.layout import Lane, RecordingError
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.services.inspection.wire import Topic

_WHY: Final = re.compile(r"-([a-z]+)\.rec$")
# Copies of a running process: they have more than its own file only when that was written over.
_COPIES: Final = frozenset({"asked", "lost"})


@dataclass(slots=True)
class Sources:
    """
    Recordings, and what is missing.

    :ivar recordings: each with whether its process answers now.
    :ivar lacking: what could not be read or had, in words.
    :ivar listed: nodes of the nodelist; empty when nobody was asked, or there is none.
    """

    recordings: list[tuple[Recording, bool]] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    listed: frozenset[int] = frozenset()

    @property
    def nodeids(self) -> list[int]:
        """Whose recordings there are."""
        return sorted({recording.nodeid for recording, _ in self.recordings if recording.nodeid})

    def add(self, data: bytes, name: str, *, answers: bool = False) -> Recording | None:
        """Take the bytes of a file in."""
        try:
            recording = Recording(data, name)
        except RecordingError as fault:
            self.lacking.append(str(fault))
            return None
        self._take(recording, answers=answers)
        return recording

    def open(self, paths: Sequence[str]) -> None:
        """Read files. Raises: RecordingError, with the first that cannot be read."""
        for path in paths:
            self._take(Recording.open(path), answers=False)

    def _take(self, recording: Recording, *, answers: bool) -> None:
        self.recordings.append((recording, answers))
        self.lacking += [f"{recording.name}: {damage}" for damage in recording.damage]


async def ask_members(node: Node, sources: Sources) -> None:
    """Have all members of the ring send their recordings."""
    inspection = node.inspection()
    live = await inspection.ask(Topic.RECORDING)
    for nodeid, answer in sorted(live.items()):
        if isinstance(answer, CsError):
            sources.lacking.append(_no_recording(nodeid, answer))
            # A file is missing: those of processes before may be there all the same.
            if isinstance(answer, CsFailedOperation):
                await _ask_for_kept(node, nodeid, sources, copies=True)
            continue
        recording = sources.add(answer, f"flight-{nodeid}.rec of node {nodeid}", answers=True)
        whole = recording is not None and not recording.overwritten()[Lane.EVENTS]
        await _ask_for_kept(node, nodeid, sources, copies=not whole)
    sources.listed = await _ask_for_nodelist(node)


def _no_recording(nodeid: int, fault: CsError) -> str:
    if isinstance(fault, CsFailedOperation):
        return f"node {nodeid} records nothing ({str(fault) or fault.name}); its log says why"
    return f"node {nodeid}: {str(fault) or fault.name}"


async def _ask_for_nodelist(node: Node) -> frozenset[int]:
    """Give the nodes that our node has in its list; none without a list."""
    answer = (await node.inspection().ask(Topic.FACTS, "", [node.nodeid]))[node.nodeid]
    if isinstance(answer, CsError):
        return frozenset()
    facts = decode_facts(answer)
    if not any(key.startswith("nodelist.node.") for key in facts.configuration):
        return frozenset()
    return frozenset(nodeid for nodeid, *_ in facts.nodes if isinstance(nodeid, int))


async def _ask_for_kept(node: Node, nodeid: int, sources: Sources, *, copies: bool) -> None:
    inspection = node.inspection()
    try:
        kept = await kept_names(inspection, nodeid)
    except CsError as fault:
        sources.lacking.append(f"node {nodeid}: {str(fault) or fault.name}")
        return
    for name in kept:
        why = _WHY.search(name)
        if why is None or (why[1] in _COPIES and not copies):
            continue
        progress(f"asking node {nodeid} for {name}")
        answer = (await inspection.ask(Topic.RECORDING, name, [nodeid]))[nodeid]
        if isinstance(answer, CsError):
            sources.lacking.append(f"node {nodeid}: {name}: {str(answer) or answer.name}")
        else:
            sources.add(answer, f"{name} of node {nodeid}")
