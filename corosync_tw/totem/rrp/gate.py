"""
When a token goes up to the ring: not before what was sent ahead of it has come by the other
networks, and not later than a timer says.

Active replication waits for a copy by each network that is not faulty, active-passive for K copies,
passive for the messages that the token tells of; active-passive for them, too. The timer begins
with the first copy and is never restarted while it runs; copies that come when the token has gone
up are ignored. Older tokens go up at once, for the ring ignores them by itself: what it refuses for
reasons of its own must not stop what it would take. A second copy by the same network is no copy
but the token sent again, and goes up once more: whoever sends a token again has reason to doubt
that the ring took it. Networks may also repeat a packet, so that what is lacking then is no fault.

A message that was not here when the timer fired is lost, not late: no other token waits for it.
While one token after the other goes up by its timer, the time is halved each time: a network that
is dead, or loses much, must not slow the ring down until its problems are counted, with a hop's
wait for each member. A network that is but slow then takes its problem back with its copy.

Source: Koch, Moser, Melliar-Smith, ICDCS 2002, Fig. 2 (recvToken, tokenTimerExpired), Fig. 4, and
section 7.
Deviation: the paper's timer has one length. A token of another ring begins anew whatever its
number, for tokens are numbered per ring. Corosync 1.x, which cannot tell, takes any token for the
current one.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.totem.rrp.frames import Token
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from corosync_tw.totem.seqno import seq_lt

# Asked with a token's ring and seq: the message before the first one missing, None if none is.
Missing = Callable[[RingId, int], int | None]

# The timer of a token is not shorter than this part, a power of 2, of token_expired.
HALVINGS_MAX: Final = 5
# So many old tokens without a new one mean that the present one's number was a false one.
STALE_MAX: Final = 8
# Likewise of the newest one: more than a network brings that held them back.
OVERTAKEN_MAX: Final = 10_000
_NO_FRAME: Final = b""


class Arrived(IntEnum):
    """What the arrival of a token was."""

    NEW = 0  # the first of its copies
    COPY = 1  # another one, still waited for
    LATE = 2  # another one, not waited for any more
    STALE = 3  # older than the present one
    FOREIGN = 4  # of an older ring, while the present one waits: for the ring to judge, at once


class TokenGate:
    """
    The token at the door.

    :ivar token: the present one, None before the first.
    :ivar copies: networks that brought it, one bit each.
    :ivar overtaken: the token that arrived last was older than the newest one of its ring.
    :ivar frame: its datagram.
    :ivar again: it goes up for another time.
    :ivar waiting: it was not passed up yet.
    :ivar deadline_ns: when it goes up at the latest; meaningful while it waits.
    """

    __slots__ = (
        "_arrived_ns",
        "_expired_in_a_row",
        "_lost_behind",
        "_missing",
        "_newest",
        "_overtaken_in_a_row",
        "_params",
        "_stale_in_a_row",
        "again",
        "copies",
        "deadline_ns",
        "frame",
        "overtaken",
        "token",
        "waiting",
    )

    def __init__(self, params: RrpParams, missing: Missing) -> None:
        """Begin without a token."""
        self._params = params
        self._missing = missing
        self._arrived_ns = 0
        self._expired_in_a_row = 0
        self._stale_in_a_row = 0
        # Ring, and last message before the hole that a token has waited for in vain.
        self._lost_behind: tuple[RingId, int] | None = None
        self._newest: Token | None = None
        self._overtaken_in_a_row = 0
        self.overtaken = False
        self.token: Token | None = None
        self.frame: Buffer = _NO_FRAME
        self.copies = 0
        self.again = False
        self.waiting = False
        self.deadline_ns = 0

    def reconfigure(self, params: RrpParams) -> None:
        """Go on with other timeouts; a token that waits keeps its timer."""
        self._params = params

    def arrive(self, link: int, token: Token, frame: Buffer, now_ns: int) -> Arrived:
        """
        Take a token that a network brought.

        Post: after NEW and COPY the token waits, and may be ``ready``.
        """
        bit = 1 << link
        current = self.token
        self._compare(token)
        if token == current:
            if self.copies & bit and not self.waiting:
                self._begin(bit, token, frame, now_ns)
                return Arrived.NEW
            self.copies |= bit
            return Arrived.COPY if self.waiting else Arrived.LATE
        if (
            current is not None
            and token.ring_id == current.ring_id
            and token.kind == current.kind
            and not seq_lt(current.token_seq, token.token_seq)
        ):
            self._stale_in_a_row += 1
            if self._stale_in_a_row <= STALE_MAX:
                return Arrived.STALE
        if current is not None and self.waiting and token.ring_id.seq < current.ring_id.seq:
            return Arrived.FOREIGN
        self._begin(bit, token, frame, now_ns)
        return Arrived.NEW

    def _compare(self, token: Token) -> None:
        """Find out whether a newer token has come before this one."""
        newest = self._newest
        self.overtaken = (
            newest is not None
            and (newest.ring_id, newest.kind) == (token.ring_id, token.kind)
            and seq_lt(token.token_seq, newest.token_seq)
            and self._overtaken_in_a_row < OVERTAKEN_MAX
        )
        if self.overtaken:
            self._overtaken_in_a_row += 1
        else:
            self._overtaken_in_a_row = 0
            self._newest = token

    def _begin(self, bit: int, token: Token, frame: Buffer, now_ns: int) -> None:
        self._stale_in_a_row = 0
        self.again = token == self.token
        self.token, self.frame, self.copies = token, frame, bit
        if not self.waiting:
            self._arrived_ns = now_ns
            self.deadline_ns = now_ns + self._timeout_ns()
        self.waiting = True

    def _timeout_ns(self) -> int:
        params = self._params
        passive = params.mode is RrpMode.PASSIVE
        longest_ns = params.message_delay_timeout_ns if passive else params.token_expired_timeout_ns
        return longest_ns >> self._expired_in_a_row

    def in_time(self, now_ns: int) -> bool:
        """Tell whether a copy came before token_expired, if not before the timer."""
        waited_ns = now_ns - self._arrived_ns
        return not self.again and waited_ns <= self._params.token_expired_timeout_ns

    def ready(self, judged: int) -> bool:
        """
        Tell whether the token that waits may go up now.

        :param judged: networks whose copies count, one bit each.
        """
        mode = self._params.mode
        if mode is RrpMode.ACTIVE:
            return self.copies & judged == judged
        if mode is RrpMode.ACTIVE_PASSIVE:
            wanted = min(self._params.copies, judged.bit_count())
            if self.copies.bit_count() < wanted:
                return False
            # Now it waits for messages alone, which takes less time.
            late_ns = self._arrived_ns + self._params.message_delay_timeout_ns
            self.deadline_ns = min(self.deadline_ns, late_ns)
        return not self._waits_for_messages()

    def _waits_for_messages(self) -> bool:
        token = self.token
        assert token is not None, "there is no token"
        behind = self._missing(token.ring_id, token.seq)
        return behind is not None and (token.ring_id, behind) != self._lost_behind

    def expire(self) -> None:
        """Note, when the timer has fired, which message is not waited for again."""
        assert self.token is not None, "there is no token"
        if not self.again:
            self._expired_in_a_row = min(HALVINGS_MAX, self._expired_in_a_row + 1)
        if self._params.mode is not RrpMode.ACTIVE:
            behind = self._missing(self.token.ring_id, self.token.seq)
            if behind is not None:
                self._lost_behind = self.token.ring_id, behind

    def take(self, *, expired: bool, now_ns: int) -> Buffer:
        """
        Give up the token; what comes of it from now on is late.

        :param expired: its timer has fired.
        """
        assert self.waiting, "the token is gone"
        self.waiting = False
        # With passive replication most need not wait: that tells nothing of those that have to.
        waited = now_ns > self._arrived_ns or self._params.mode is not RrpMode.PASSIVE
        if not expired and waited:
            self._expired_in_a_row = 0
        return self.frame
