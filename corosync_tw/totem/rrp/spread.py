"""
What the ring sends, spread over the networks.

Tokens and messages take the networks that their mode gives them. Frames that seek strangers take
every network, faulty or not; hold cancels, which nobody counts, every one in use. When all are
faulty all are used.

Source: Koch, Moser, Melliar-Smith, ICDCS 2002, sendMsg and sendToken of Figs. 2 and 4, section 7.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from corosync_tw.totem.links import LinkSend
from corosync_tw.totem.rrp.frames import KIND_MCAST, kind_of, out_of_turn
from corosync_tw.totem.rrp.health import Health
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from corosync_tw.totem.rrp.resend import TokenResend
from corosync_tw.totem.rrp.rotation import Rotation
from corosync_tw.totem.rrp.stats import LinkStats, RrpStats
from corosync_tw.totem.runs import Datagrams, SentRun

_IN_TURNS: Final = frozenset({RrpMode.PASSIVE, RrpMode.ACTIVE_PASSIVE})


class Spread:
    """
    Who sends.

    :ivar rotation: whose turn it is.
    :ivar resend: the token sent last, and when it is sent again.
    """

    def __init__(
        self, params: RrpParams, health: Health, link_stats: list[LinkStats], stats: RrpStats
    ) -> None:
        """Begin with the first network."""
        self._params = params
        self._health = health
        self._link_stats = link_stats
        self._stats = stats
        self._all = tuple(range(params.networks))
        self.rotation = Rotation(params)
        self.resend = TokenResend()

    def reconfigure(self, params: RrpParams) -> None:
        """Go on with other timeouts."""
        self._params = params

    def token(self, target: int, frame: bytes, seq: int, now_ns: int) -> Iterator[LinkSend]:
        """
        Send a token.

        :param seq: of the last message that it tells of.
        """
        live = self._health.live
        links = list(live)
        if self._params.mode in _IN_TURNS:
            links = self.rotation.token_links(live, self._copies())
        others = [link for link in live if link not in links]
        faulty = [link for link in self._all if link not in live]
        wait_ns = self._resend_after_ns()
        self.resend.sent(target, frame, seq, (others, faulty), now_ns=now_ns, wait_ns=wait_ns)
        return self._put_token(links, target, frame)

    def token_again(self, now_ns: int) -> Iterator[LinkSend]:
        """Send the last token where it has not been sent."""
        resend = self.resend
        self._stats.tokens_resent += 1
        links = resend.next_round(now_ns, self._resend_after_ns())
        return self._put_token(links, resend.target, out_of_turn(resend.frame))

    def _put_token(self, links: Iterable[int], target: int, frame: bytes) -> Iterator[LinkSend]:
        for link in links:
            self._link_stats[link].tokens_tx += 1
            yield LinkSend(link, (target,), [(frame,)], to_members_only=True)

    def _resend_after_ns(self) -> int:
        """
        Tell how long to wait for a sign of life of a token.

        Receivers that wait for copies must notice first which ones they lack: one that comes while
        they wait would hide that we do not send on a network any more.
        """
        expired_ns = self._params.token_expired_timeout_ns
        if self._params.mode is RrpMode.PASSIVE:
            return self.resend.wait_ns(expired_ns)
        return 2 * expired_ns

    def _copies(self) -> int:
        """Count the networks that a packet takes."""
        if not self._health.sound or self._params.mode is RrpMode.ACTIVE:
            return len(self._health.live)
        copies = self._params.copies if self._params.mode is RrpMode.ACTIVE_PASSIVE else 1
        return min(copies, len(self._health.live))

    def mcast(self, frames: Datagrams, to_members_only: bool) -> Iterator[LinkSend]:
        """Send datagrams to every other node."""
        live = self._health.live
        if not to_members_only:
            parts: Iterable[tuple[int, Datagrams]] = ((link, frames) for link in self._all)
        elif not _are_messages(frames):
            parts = ((link, frames) for link in live)
        elif self._params.mode in _IN_TURNS and self._health.sound:
            parts = self._count(self.rotation.messages(live, self._copies(), frames))
        else:
            parts = self._count((link, frames) for link in live)
        for link, part in parts:
            yield LinkSend(link, None, part, to_members_only)

    def _count(self, parts: Iterable[tuple[int, Datagrams]]) -> Iterator[tuple[int, Datagrams]]:
        for link, part in parts:
            self._link_stats[link].messages_tx += len(part)
            yield link, part


def _are_messages(frames: Datagrams) -> bool:
    """Tell whether datagrams are ordered messages."""
    if isinstance(frames, SentRun):
        return True
    first = next(iter(frames), None)
    return first is not None and kind_of(first[0]) == KIND_MCAST
