"""
Windows of a ring whose members all run corosync_tw: as wide as the slowest of them can take in, and
narrower for a while after losses.

How much the whole ring sends in one rotation is agreed: every member works out the same number from
what all have announced. How much we send at one visit of the token is our own affair, and that is
what losses narrow: the counters in the token tell the others what we really sent.

With a stock member in the ring, and until all have announced themselves, the configured windows
count alone.
Deviation: Corosync's windows are fixed.
"""

from typing import Final, NamedTuple

from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.seqno import seq_lt, seq_lte

# No ring sends more in one rotation, however much its members can take in: a quarter of the sort
# queue, so that three rotations may be under way before sending has to wait for the slowest.
WINDOW_SIZE_MSGS_MAX: Final = QUEUE_RTR_ITEMS_SIZE_MAX // 4
# At one visit of the token: 16 segmentation-offload sends of 44 full Ethernet frames, a megabyte. A
# rotation costs each node the same whatever it carries; more would let the others wait too long.
VISIT_MSGS_MAX: Final = 704
# Losses narrow a visit no further: what stock sends (its max_messages).
VISIT_MSGS_MIN: Final = 17
# Visits without a loss after which one message more is sent at a visit.
GROWTH_VISITS: Final = 32


class Agreement(NamedTuple):
    """
    What the members of a ring have in common.

    :ivar window_size_msgs: messages on the ring in one rotation; 0 for what each has configured.
    :ivar accelerated: members may send behind the token.
    """

    window_size_msgs: int = 0
    accelerated: bool = False


NO_AGREEMENT: Final = Agreement()


class Window:
    """
    The windows that count now.

    :ivar visit_msgs: messages we may send at one visit under an agreement that is not pinned.
    :ivar cuts: times that losses narrowed the visits.
    """

    __slots__ = ("_agreement", "_clean_visits", "_cut_seq", "_sent_seqs", "cuts", "visit_msgs")

    def __init__(self) -> None:
        self.cuts = 0
        self.close()

    def close(self) -> None:
        """Go back to what is configured: a new ring forms."""
        self._agreement = NO_AGREEMENT
        self.visit_msgs = 0
        self._sent_seqs: tuple[int, ...] = ()
        self._cut_seq: int | None = None
        self._clean_visits = 0

    def agree(self, agreement: Agreement) -> None:
        """Go over to what all members announced; announcements may be repeated."""
        if agreement.window_size_msgs != self._agreement.window_size_msgs:
            self.visit_msgs = min(VISIT_MSGS_MAX, agreement.window_size_msgs)
        self._agreement = agreement

    def size_msgs(self, params: TotemParams) -> int:
        """Messages of all members in one rotation."""
        return self._agreement.window_size_msgs or params.window_size_msgs

    def max_messages(self, params: TotemParams) -> int:
        """Messages of ours at one visit."""
        if params.window_pinned or not self._agreement.window_size_msgs:
            return params.max_messages
        return self.visit_msgs

    def note_visit(self, token_seq: int, token_aru: int, *, requests: bool) -> None:
        """
        Look for losses when the token comes.

        What was on the ring two visits ago has had a whole rotation to arrive everywhere and
        another one to be acknowledged: if the aru is behind it, somebody lost a message. Half as
        much is sent then, once until all that was sent before is here.

        :param requests: the token asks for retransmissions.
        """
        if not self._agreement.window_size_msgs:
            return
        if self._cut_seq is not None and seq_lte(self._cut_seq, token_aru):
            self._cut_seq = None
        late = len(self._sent_seqs) == 2 and seq_lt(token_aru, self._sent_seqs[0])
        if requests or late:
            self._clean_visits = 0
            if self._cut_seq is None:
                self._cut_seq = token_seq
                self._narrow()
        else:
            self._widen()

    def forget_losses(self) -> None:
        """
        Open the visits again: what lost messages until now is not used any more.

        What was sent before and is still being repaired narrows nothing.
        """
        if self._agreement.window_size_msgs:
            self.visit_msgs = min(VISIT_MSGS_MAX, self._agreement.window_size_msgs)
            if self._sent_seqs:
                self._cut_seq = self._sent_seqs[-1]

    def note_sent(self, token_seq: int) -> None:
        """Remember how far the ring had come when we passed the token on."""
        self._sent_seqs = (*self._sent_seqs[-1:], token_seq)

    def _narrow(self) -> None:
        least = min(VISIT_MSGS_MIN, self._agreement.window_size_msgs)
        if self.visit_msgs > least:
            self.visit_msgs = max(least, self.visit_msgs // 2)
            self.cuts += 1

    def _widen(self) -> None:
        most = min(VISIT_MSGS_MAX, self._agreement.window_size_msgs)
        if self.visit_msgs < most:
            self._clean_visits += 1
            if self._clean_visits >= GROWTH_VISITS:
                self._clean_visits = 0
                self.visit_msgs += 1
