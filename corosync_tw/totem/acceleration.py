"""
The accelerated ring: a node sends the last of its messages behind the token, so that its successor
speaks while they are still on their way.

Numbers, counters and the token are made before the token leaves, as if all had been sent. What
changes for the others is that the newest messages a token tells of may not have been sent yet:
only what the token told of at its visit before is certainly under way, and nothing beyond is asked
for. So a node begins to send behind the token when all members have heard, and acted on, that all
can.

Never in recovery, nor while the token is held; retransmissions go before the token.
Source: Babay, Amir, "Fast Total Ordering for Modern Data Centers", ICDCS 2016; Spread's rule that
accelerated_window is part of what a node may send at a visit.
Deviation: in Corosync all messages precede the token. In the paper messages bear the number of the
rotation; here the format is Corosync's, and sequence numbers tell what is of the rotation before.
"""

from typing import Final

from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.runs import Datagrams
from corosync_tw.totem.seqno import seq_lte

# Visits after the agreement until the first message follows a token: everybody has been told.
SETTLING_VISITS: Final = 2


class Acceleration:
    """
    Whether and how far we send behind the token.

    :ivar agreed: members may send behind the token, or may have done so on this ring.
    :ivar active: we may.
    """

    __slots__ = ("_agreed_at", "_visits", "_wanted", "active", "agreed")

    def __init__(self) -> None:
        self.close()

    def close(self) -> None:
        """Go back to sending all before the token: a new ring forms."""
        self.agreed = self.active = self._wanted = False
        self._agreed_at = 0
        self._visits = 0

    def agree(self, accelerated: bool, delivered_seq: int) -> None:
        """
        Go by what all members announced.

        :param delivered_seq: we have delivered all up to it, the announcements among it.
        """
        if accelerated and not self._wanted:
            self.agreed = True
            self._agreed_at = delivered_seq
            self._visits = 0
        self._wanted = accelerated
        self.active = self.active and accelerated

    def note_visit(self, safe_to: int) -> None:
        """
        Begin once all members are known to have what we agreed on.

        :param safe_to: every member has everything up to it.
        """
        if self._wanted and not self.active:
            self._visits += 1
            self.active = self._visits > SETTLING_VISITS and seq_lte(self._agreed_at, safe_to)

    def behind_msgs(self, params: TotemParams, window_size_msgs: int, member_count: int) -> int:
        """
        Count the messages that may follow the token.

        All members' together are at most half a window: they meet the window of the next rotation
        in the sockets of the others.
        """
        if not self.active or member_count < 2:
            return 0
        share = max(1, window_size_msgs // (2 * member_count))
        return min(params.accelerated_window_msgs or share, share)

    def askable_seq(self, token_seq: int, last_seq: int | None) -> int | None:
        """
        Tell up to where holes may be asked for; None for nowhere.

        :param last_seq: of the token at its visit before; None when this is the first.
        """
        return last_seq if self.agreed else token_seq


def split(batches: list[Datagrams], behind_msgs: int) -> tuple[list[Datagrams], list[Datagrams]]:
    """Part batches into those to be sent before the token and the last few, for behind it."""
    ahead, behind = list(batches), list[Datagrams]()
    while ahead and behind_msgs > 0:
        batch = ahead.pop()
        count = len(batch)
        if count > behind_msgs:
            ahead.append(batch[: count - behind_msgs])
            batch = batch[count - behind_msgs :]
        behind.insert(0, batch)
        behind_msgs -= count
    return ahead, behind
