"""The line about this node that ``systemctl status`` shows; it follows the ring and the quorum."""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import ConfChangeType
from corosync_tw.daemon.notify import notify_status
from corosync_tw.logsys.traces import ring_id_text
from corosync_tw.services.effects import FatalError, QuorumChange, SyncDone, TotemConfchg

# As many members as one reads at a glance.
MEMBERS_SHOWN_MAX: Final = 16


class StatusLine:
    """
    Composes the line from the stack's effects.

    :param say: takes a new line; not called when it is what it was.
    """

    def __init__(self, say: Callable[[str], None] = notify_status) -> None:
        self._say = say
        self._quorate = False
        self._last = ""

    def begin(self) -> None:
        """Say that there is no ring yet."""
        self._show("Looking for other nodes")

    def effect(self, effect: object) -> None:
        """Follow one effect."""
        match effect:
            case TotemConfchg(kind=ConfChangeType.REGULAR):
                ring = ring_id_text(effect.ring_id)
                self._show(f"Synchronizing ring {ring} of {_nodes(effect.members)}")
            case QuorumChange():
                self._quorate = effect.quorate
                self._ring(effect)
            case SyncDone():
                self._ring(effect)
            case FatalError():
                self._show(effect.text)

    def _ring(self, effect: QuorumChange | SyncDone) -> None:
        quorum = "quorate" if self._quorate else "NOT quorate"
        ring = ring_id_text(effect.ring_id)
        self._show(f"Ring {ring}, {quorum}, {_nodes(effect.members)}")

    def _show(self, line: str) -> None:
        if line != self._last:
            self._last = line
            self._say(line)


def _nodes(members: tuple[int, ...]) -> str:
    shown = " ".join(map(str, members[:MEMBERS_SHOWN_MAX]))
    more = " ..." if len(members) > MEMBERS_SHOWN_MAX else ""
    return f"{len(members)} nodes: {shown}{more}" if len(members) > 1 else f"node {shown} alone"
