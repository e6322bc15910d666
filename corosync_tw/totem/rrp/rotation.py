"""
Which networks the next packet takes: round robin, separately for tokens and for messages.

The messages of a visit are cut into as many parts as there are networks, each a run that is sent in
few calls; a batch too small for that goes whole to the network that has had least. What is sent
again, whosever it was, begins at random: receivers count it with its originator's messages, which
must not always meet the same network.

Source: Koch, Moser, Melliar-Smith, ICDCS 2002, sections 6 and 7.
Deviation: the paper and Corosync 1.x take the next network for each message.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from corosync_tw.prng import generator
from corosync_tw.totem.rrp.params import RrpParams
from corosync_tw.totem.runs import Datagrams, SentRun

# Messages that are worth calls of their own; fewer where a receiver's threshold is small.
PART_MSGS_MIN: Final = 8
_SENT_MAX: Final = 1 << 30


class Rotation:
    """Whose turn it is."""

    __slots__ = ("_networks", "_part_msgs_min", "_random", "_sent", "_token_via", "_via")

    def __init__(self, params: RrpParams) -> None:
        """Begin with the first network."""
        networks = self._networks = params.networks
        lag_msgs = params.problem_count_mcast_threshold // 4
        self._part_msgs_min = max(1, min(PART_MSGS_MIN, lag_msgs))
        self._random = generator(params.seed, f"rrp/rotation/{params.my_id}")
        self._sent = [0] * networks
        self._token_via = self._via = networks - 1

    def reset(self) -> None:
        """Treat all networks alike: they are not the same as before."""
        self._sent = [0] * self._networks

    def token_links(self, live: Sequence[int], copies: int) -> list[int]:
        """
        Give the networks of the next token.

        :param live: those in use, ascending.
        """
        links = self._from(self._token_via + 1, live)[:copies]
        self._token_via = links[-1]
        return links

    def messages(
        self, live: Sequence[int], copies: int, frames: Datagrams
    ) -> Iterator[tuple[int, Datagrams]]:
        """Give what goes where; the same part on ``copies`` networks."""
        parts = self._cut(frames, len(live))
        again = not isinstance(frames, SentRun)
        at = self._random.randrange(len(live)) if again else 0
        for part in parts:
            if again:
                links = [live[(at + i) % len(live)] for i in range(copies)]
                at += copies
            else:
                links = self._least_used(live, copies, len(part))
            for link in links:
                yield link, part

    def _from(self, first: int, live: Sequence[int]) -> list[int]:
        """Give the networks in use, cyclically from one on."""
        return sorted(live, key=lambda link: (link - first) % self._networks)

    def _least_used(self, live: Sequence[int], copies: int, msgs: int) -> list[int]:
        sent = self._sent
        links = sorted(self._from(self._via + 1, live), key=lambda link: sent[link])[:copies]
        self._via = links[-1]
        for link in links:
            sent[link] += msgs
            if sent[link] > _SENT_MAX:
                least = min(sent[other] for other in live)
                sent[:] = [max(0, count - least) for count in sent]
        return links

    def _cut(self, frames: Datagrams, parts_max: int) -> list[Datagrams]:
        """Cut a batch into parts of one length, give or take one."""
        count = len(frames)
        parts = min(parts_max, max(1, count // self._part_msgs_min))
        if parts == 1:
            return [frames]
        ends = [count * i // parts for i in range(parts + 1)]
        return [frames[start:end] for start, end in pairwise(ends)]
