"""
The YKD quorum provider: a component is primary if it holds at least half of the last primary one.

After a configuration change all members tell what they know of former primary components; when all
have, each works out the same answer. If it is yes, all say so (the attempt), and the component is
primary when all did. Called by the stack alone.

Source: Corosync exec/vsf_ykd.c; E. Yeger Lotem, I. Keidar, D. Dolev, Dynamic Voting for Consistent
Primary Components, PODC 1997. The decisions are Corosync's, so that nodes of both kinds agree: both
halves of an even split become primary, unlike in the paper, and attempts are told with session id
0, so that they decide nothing.
Deviation: a component of more than 32 members is never primary, and of attempts no more than 32 are
told; Corosync writes beyond its arrays. The attempt waits for the end of synchronization.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.ykd.wire import (
    SESSION_ID_MAX,
    YKD_MEMBERS_MAX,
    YKD_SESSIONS_MAX,
    YkdMessage,
    YkdSession,
    YkdState,
    decode_kind,
    decode_state,
    encode_attempt,
    encode_state,
)

SetQuorum = Callable[[bool, tuple[int, ...], RingId], None]
# Attempts are told as if they were older than all that was ever formed.
_ATTEMPT_SESSION_ID: Final = 0


class YkdMode(IntEnum):
    """Which messages are awaited (enum ykd_mode)."""

    SENDSTATE = 0
    ATTEMPT = 1


def subquorum(members: tuple[int, ...], session: YkdSession) -> bool:
    """Tell whether at least half of a session's members are here."""
    here = sum(nodeid in members for nodeid in session.members)
    return here >= len(session.members) - here


def newest(states: list[YkdState]) -> tuple[int, YkdSession, list[YkdSession]]:
    """
    Work out the highest session id, the last primary component and the attempts after it.

    :param states: of the members in their order, which decides among equals.
    Source: vsf_ykd.c compute.
    """
    session_id = 0
    primary = states[0].last_primary
    ambiguous: list[YkdSession] = []
    for state in states:
        session_id = max(session_id, state.session_id)
        if state.last_primary.session_id > primary.session_id:
            primary = state.last_primary
        ambiguous += [s for s in state.ambiguous if s.session_id > primary.session_id]
    return session_id, primary, ambiguous


class YkdEngine:
    """
    The provider of one node.

    :ivar state: what we tell others.
    :ivar primary: whether the present component is the primary one.
    """

    def __init__(
        self,
        nodeid: int,
        set_quorum: SetQuorum,
        send: Callable[[bytes, bool], None],
        emit: Callable[[LogLine], None],
    ) -> None:
        """
        Prepare; the first configuration may become primary alone.

        :param set_quorum: takes the answers.
        :param send: queues a message for the group, with those of the synchronization under way or
            behind all others; raises CsTryAgain.
        :param emit: takes lines for the log.
        """
        self._set_quorum = set_quorum
        self._send = send
        self._emit = emit
        self.state = YkdState(YkdSession((nodeid,), 0))
        self.primary = False
        self._mode = YkdMode.SENDSTATE
        self._members: tuple[int, ...] = ()
        self._ring_id = RingId(0, 0)
        self._received: set[int] = set()
        self._states: dict[int, YkdState] = {}
        self._unsent: bytes | None = None
        self._in_sync = False

    def configuration_change(self, members: tuple[int, ...], ring_id: RingId) -> None:
        """Begin anew in a regular configuration, not primary."""
        self._members = members
        self._ring_id = ring_id
        self._mode = YkdMode.SENDSTATE
        self._received.clear()
        self._states.clear()
        self._in_sync = True
        self._answer(primary=False)
        self._unsent = encode_state(self.state) if len(members) <= YKD_MEMBERS_MAX else None
        self.send_waiting()

    def sync_completed(self) -> None:
        """Send the attempt that waited for this."""
        self._in_sync = False
        self.send_waiting()

    def send_waiting(self) -> None:
        """Try again to send what found the queue full."""
        if self._unsent is None or (self._in_sync and self._mode is YkdMode.ATTEMPT):
            return
        try:
            self._send(self._unsent, self._in_sync)
        except CsTryAgain:
            return
        self._unsent = None

    def deliver(self, nodeid: int, data: Buffer, big_endian: bool) -> None:
        """Take a message of the group; raises MalformedFrame."""
        kind = decode_kind(data, big_endian)
        state = decode_state(data, big_endian) if kind == YkdMessage.SENDSTATE else None
        if nodeid not in self._members or len(self._members) > YKD_MEMBERS_MAX:
            return
        # As in Corosync, a message of the other kind counts too.
        self._received.add(nodeid)
        if (kind == YkdMessage.ATTEMPT) != (self._mode is YkdMode.ATTEMPT):
            return
        if state is not None:
            self._states[nodeid] = state
        if len(self._received) < len(self._members):
            return
        if self._mode is YkdMode.ATTEMPT:
            self._formed()
        elif len(self._states) == len(self._members):
            self._decide()

    def _decide(self) -> None:
        self._received.clear()
        self._mode = YkdMode.ATTEMPT
        states = [self._states[nodeid] for nodeid in self._members]
        session_id, primary, ambiguous = newest(states)
        if all(subquorum(self._members, session) for session in (primary, *ambiguous)):
            self.state.session_id = min(session_id + 1, SESSION_ID_MAX)
            self.state.ambiguous.append(YkdSession(self._members, _ATTEMPT_SESSION_ID))
            del self.state.ambiguous[:-YKD_SESSIONS_MAX]
            self._unsent = encode_attempt()
            self.send_waiting()

    def _formed(self) -> None:
        text = "This processor is within the primary component."
        self._emit(LogLine("YKD", "notice", text))
        self._answer(primary=True)
        self.state.last_primary = YkdSession(self._members, self.state.session_id)
        self.state.ambiguous.clear()

    def _answer(self, *, primary: bool) -> None:
        self.primary = primary
        self._set_quorum(primary, self._members, self._ring_id)
