"""Where ``corosync-tw explain`` has its recordings from: members of the ring, and files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.cli.kept import kept_names
from corosync_tw.cli.running import progress
from corosync_tw.client.node import Node
from corosync_tw.errors import CsError
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
    """

    recordings: list[tuple[Recording, bool]] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

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
            sources.lacking.append(f"node {nodeid}: {str(answer) or answer.name}")
            continue
        recording = sources.add(answer, f"flight-{nodeid}.rec of node {nodeid}", answers=True)
        whole = recording is not None and not recording.overwritten()[Lane.EVENTS]
        await _ask_for_kept(node, nodeid, sources, copies=not whole)


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
