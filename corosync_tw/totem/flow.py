"""
Flow control: how many messages may be sent at this visit of the token.

Source: Totem95 section 8; Corosync exec/totemsrp.c fcc_calculate, fcc_rtr_limit, fcc_token_update.
Deviation: Corosync subtracts token.fcc from the window as unsigned numbers, so that a token which a
neighbour overfilled opens the window wide; here the allowance is never below zero. Corosync's fair
share is made of the backlog before this visit and not applied when it comes to less than one
message, so that many members with little to send can keep the window from those with much; here, as
in the paper, it is made of the present backlog, and is at least one message. Between nodes of
corosync_tw alone the windows follow what the members can take in, see ``window``.
"""

from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.seqno import SEQ_MASK, seq_add, seq_lt
from corosync_tw.totem.window import Window
from corosync_tw.totem.wire import OrfToken

_SIGN = 0x80000000


def _not_negative(u32: int) -> int:
    return 0 if u32 >= _SIGN else u32


class FlowControl:
    """
    Our share of the ring's counters.

    :ivar my_trc: messages we sent at the last visit, retransmissions included.
    :ivar my_pbl: backlog we had added to the token at the last visit.
    :ivar my_cbl: backlog at this visit.
    :ivar window: the windows in force.
    """

    __slots__ = ("my_cbl", "my_pbl", "my_trc", "window")

    def __init__(self) -> None:
        self.window = Window()
        self.reset()

    def reset(self) -> None:
        """Begin a new ring."""
        self.my_trc = 0
        self.my_pbl = 0
        self.my_cbl = 0
        self.window.close()

    def allowance(self, params: TotemParams, token: OrfToken, backlog_frames: int) -> int:
        """
        Give the number of frames we may send now; remembers the backlog for ``update_token``.

        Source: Totem95 section 8; fcc_calculate.
        """
        self.my_cbl = backlog_frames
        window = self.window.size_msgs(params)
        allowed = min(self.window.max_messages(params), max(0, window - _not_negative(token.fcc)))
        ring_backlog = _not_negative((token.backlog + self.my_cbl - self.my_pbl) & SEQ_MASK)
        if ring_backlog:
            allowed = min(allowed, max(1, window * self.my_cbl // ring_backlog))
        return allowed

    def update_token(self, token: OrfToken, transmitted: int) -> None:
        """Replace our last contribution in the token's counters by the present one."""
        token.fcc = (token.fcc + transmitted - self.my_trc) & SEQ_MASK
        token.backlog = (token.backlog + self.my_cbl - self.my_pbl) & SEQ_MASK
        self.my_trc = transmitted
        self.my_pbl = self.my_cbl


def sort_queue_has_room(
    window_size_msgs: int, last_released: int, token_seq: int, allowed: int
) -> bool:
    """
    Tell whether ``allowed`` more messages keep every live sequence number within one sort queue.

    Source: fcc_rtr_limit.
    """
    room = QUEUE_RTR_ITEMS_SIZE_MAX - allowed - window_size_msgs
    assert room >= 0, "window_size and max_messages together exceed the sort queue"
    return not seq_lt(seq_add(last_released, room), token_seq)
