"""
A token that nobody seems to have got is sent on the networks that it has not taken yet.

Passive replication sends a token on one network. Until a monitor notices that the network is dead,
every other token of every node is lost, and the ring sends it again only after its own timeout,
which several hops in a row add up to more than the token timeout. So after token_expired without a
sign of life it is sent on the others in use, and as long after that on the faulty ones: it may be
that one of them works again and no other does. Whoever has the token already ignores the copies.

Deviation: the paper and Corosync 1.x leave a lost token to the ring.
"""

from collections.abc import Iterable, Sequence

from corosync_tw.totem.seqno import seq_lt


class TokenResend:
    """
    The token we sent last.

    :ivar target: whom we sent it to.
    :ivar frame: its datagram.
    :ivar due_ns: when it is sent again, None when there is no need.
    """

    __slots__ = ("_rounds", "_seq", "due_ns", "frame", "target")

    def __init__(self) -> None:
        self.target = 0
        self.frame = b""
        self.due_ns: int | None = None
        self._rounds: list[Sequence[int]] = []
        self._seq = 0

    def sent(
        self, target: int, frame: bytes, seq: int, rounds: Iterable[Sequence[int]], due_ns: int
    ) -> None:
        """
        Begin to wait for a sign of life.

        :param seq: of the last message that the token tells of.
        :param rounds: networks to send it on then, and after that.
        """
        self.target, self.frame, self._seq = target, frame, seq
        self._rounds = [links for links in rounds if links]
        self.due_ns = due_ns if self._rounds else None

    def token_heard(self) -> None:
        """A token has come in: ours has arrived."""
        self.due_ns = None

    def message_heard(self, seq: int) -> None:
        """Somebody has sent a message: if it is a new one, our token has arrived."""
        if self.due_ns is not None and seq_lt(self._seq, seq):
            self.due_ns = None

    def next_round(self, due_ns: int) -> Sequence[int]:
        """
        Give the networks whose turn it is.

        :param due_ns: when the next ones have their turn.
        """
        links = self._rounds.pop(0)
        self.due_ns = due_ns if self._rounds else None
        return links
