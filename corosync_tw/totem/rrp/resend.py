"""
A token that nobody seems to have got is sent on the networks that it has not taken yet.

Passive replication sends a token on one network. Until a monitor notices that the network is dead,
every other token of every node is lost, and the ring sends it again only after its own timeout,
which several hops in a row add up to more than the token timeout. So after token_expired without a
sign of life it is sent on the others in use, and as long after that on the faulty ones: it may be
that one of them works again and no other does. Whoever has the token already ignores the copies.
They bear a mark, so that they count, for each network that brings one, only if they were needed: on
an idle ring, where a token rests, each is sent again, which would hide that a network is not in
use.

How long it waits follows what was seen: four times as long as the last tokens needed to show that
they had arrived, but not less than WAIT_MIN_NS and not more than token_expired. It doubles when one
token after the other was sent again, for then it is the ring that is slow.

Deviation: the paper and Corosync 1.x leave a lost token to the ring.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from corosync_tw.totem.seqno import seq_lt

WAIT_MIN_NS: Final = 5_000_000
# Tokens sent again in a row until the ring is held for slow.
_AGAIN_IN_A_ROW: Final = 2


class TokenResend:
    """
    The token we sent last.

    :ivar target: whom we sent it to.
    :ivar frame: its datagram.
    :ivar due_ns: when it is sent again, None when there is no need.
    """

    __slots__ = (
        "_again",
        "_arrival_ns",
        "_in_a_row",
        "_rounds",
        "_sent_ns",
        "_seq",
        "due_ns",
        "frame",
        "target",
    )

    def __init__(self) -> None:
        self.target = 0
        self.frame = b""
        self.due_ns: int | None = None
        self._rounds: list[Sequence[int]] = []
        self._seq = 0
        self._sent_ns = 0
        # What the last tokens needed to show that they had arrived; None before the first.
        self._arrival_ns: int | None = None
        self._again = False
        self._in_a_row = 0

    def wait_ns(self, wait_max_ns: int) -> int:
        """Tell how long to wait for a sign of life, at most ``wait_max_ns``."""
        if self._arrival_ns is None:
            return wait_max_ns
        return min(wait_max_ns, max(WAIT_MIN_NS, 4 * self._arrival_ns))

    def sent(
        self,
        target: int,
        frame: bytes,
        seq: int,
        rounds: Iterable[Sequence[int]],
        *,
        now_ns: int,
        wait_ns: int,
    ) -> None:
        """
        Begin to wait for a sign of life.

        :param seq: of the last message that the token tells of.
        :param rounds: networks to send it on then, and after that.
        """
        if not self._again:
            self._in_a_row = 0
        self._again = False
        self.target, self.frame, self._seq = target, frame, seq
        self._sent_ns = now_ns
        self._rounds = [links for links in rounds if links]
        self.due_ns = now_ns + wait_ns if self._rounds else None

    def token_heard(self, now_ns: int) -> None:
        """A token has come in: ours has arrived."""
        if self.due_ns is not None and not self._again:
            arrival_ns = now_ns - self._sent_ns
            if self._arrival_ns is not None:
                arrival_ns = max(arrival_ns, self._arrival_ns * 7 // 8)
            self._arrival_ns = arrival_ns
        self.due_ns = None

    def message_heard(self, seq: int, now_ns: int) -> None:
        """Somebody has sent a message: if it is a new one, our token has arrived."""
        if self.due_ns is not None and seq_lt(self._seq, seq):
            self.token_heard(now_ns)

    def next_round(self, now_ns: int, wait_max_ns: int) -> Sequence[int]:
        """Give the networks whose turn it is; the next ones have theirs after another wait."""
        if not self._again:
            self._again = True
            self._in_a_row += 1
            if self._in_a_row >= _AGAIN_IN_A_ROW and self._arrival_ns is not None:
                self._arrival_ns = min(2 * self._arrival_ns + 1, wait_max_ns)
        links = self._rounds.pop(0)
        self.due_ns = now_ns + self.wait_ns(wait_max_ns) if self._rounds else None
        return links
