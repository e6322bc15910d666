"""
Why nodes left the ring, from what this node saw before the ring without them began.

Of several reasons the one nearest to a cause counts: an order to die, a good-bye, silence.
"""

from typing import Final

from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode

# What is said of a node of which nothing was seen: another member gave up on it.
FAILED_BY_OTHERS: Final = "failed: another member gave up on it"
KEPT_OUT: Final = "kept out by faulty links: not all members hear it, or it not all of them"
LEAVE_ANNOUNCED: Final = "leave announced"
SHUT_DOWN: Final = "shut down by its administrator"
# The marks of a node that another member may learn of, too.
_NODES_MAX: Final = 1024


class LeaveReasons:
    """Collects the marks of one ring; ``take`` forgets them."""

    def __init__(self) -> None:
        self._killed: dict[int, str] = {}
        self._shut_down: set[int] = set()
        self._announced: set[int] = set()
        self._silent: set[int] = set()
        self._kept_out: set[int] = set()
        self._token_timeout_ms = 0
        self._consensus_timeout_ms = 0

    def killed(self, nodeid: int, by_nodeid: int, reason: str) -> None:
        """Note an order to die."""
        if len(self._killed) < _NODES_MAX:
            self._killed[nodeid] = f"killed by node {by_nodeid}: {reason}"

    def shut_down(self, nodeid: int) -> None:
        """Note that a node told of its end."""
        if len(self._shut_down) < _NODES_MAX:
            self._shut_down.add(nodeid)

    def trace(self, code: int, values: tuple[int, ...]) -> None:
        """Note what the ring says."""
        if code == TraceCode.LEAVE_RECEIVED:
            self._announced.add(values[0])
        elif code == TraceCode.CONSENSUS_TIMED_OUT:
            self._silent.update(values)
        elif code == TraceCode.KEPT_OUT:
            self._kept_out.update(values)
        elif code == TraceCode.TOKEN_LOST and values[0] == MembState.OPERATIONAL:
            _, self._token_timeout_ms, self._consensus_timeout_ms = values

    def take(self, left: tuple[int, ...]) -> dict[int, str]:
        """Give the reasons of those who left, and begin anew with the next ring."""
        reasons = {nodeid: self._reason(nodeid) for nodeid in left}
        self._killed.clear()
        self._shut_down.clear()
        self._announced.clear()
        self._silent.clear()
        self._kept_out.clear()
        self._token_timeout_ms = 0
        return reasons

    def _reason(self, nodeid: int) -> str:
        if nodeid in self._killed:
            return self._killed[nodeid]
        if nodeid in self._shut_down:
            return SHUT_DOWN
        if nodeid in self._announced:
            return LEAVE_ANNOUNCED
        if nodeid in self._kept_out:
            return KEPT_OUT
        if nodeid not in self._silent:
            return FAILED_BY_OTHERS
        if self._token_timeout_ms:
            return (
                f"token lost for {self._token_timeout_ms} ms, then no answer for "
                f"{self._consensus_timeout_ms} ms"
            )
        return "failed in consensus: no answer while a ring was formed"
