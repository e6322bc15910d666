"""
When a network is held for faulty.

With active replication, when the timer of a token fires, a problem is counted for each network that
has not brought it; so many problems are too many. With the others, the monitors tell. Either way
one problem is forgiven every problem_count_timeout, and one for so many tokens or messages, if the
network has brought any since.

Networks that came back just now are not judged, for not everybody uses them yet.

Source: Koch, Moser, Melliar-Smith, ICDCS 2002, Fig. 2 (problemCounter), Fig. 5, A5, A6, P4, P5.
Deviation: Corosync 1.x forgives by time alone, and with passive replication not at all.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from corosync_tw.totem.links import LinkFaultCause
from corosync_tw.totem.rrp.monitor import (
    FORGIVEN_ONE_IN,
    MessageMonitors,
    Monitor,
    SenderMonitor,
    forgive_all,
)
from corosync_tw.totem.rrp.params import RrpMode, RrpParams


class Verdict(NamedTuple):
    """
    A network is faulty.

    :ivar nodeid: whose messages it lacks, 0 for tokens.
    :ivar lacking: tokens or messages that it has not brought, or problems.
    :ivar best: what the best network has brought.
    :ivar threshold: what is too many.
    """

    link: int
    cause: LinkFaultCause
    nodeid: int
    lacking: int
    best: int
    threshold: int


class Judge:
    """
    All that is counted about the networks of one node.

    :ivar problems: with active replication, one number a network.
    """

    def __init__(self, params: RrpParams) -> None:
        """Begin with all networks alike."""
        self._params = params
        self._tokens = Monitor(params.networks, params.count_start)
        self._messages = MessageMonitors(params.networks, params.count_start)
        self._credit = 0
        # Networks that have brought a token since they were forgiven, one bit each.
        self._brought = 0
        self.problems = [0] * params.networks

    def reconfigure(self, params: RrpParams) -> None:
        """Go on with other thresholds."""
        self._params = params

    def set_members(self, members: frozenset[int] | None) -> None:
        """Go on with the members of a ring; None while one forms."""
        self._messages.set_members(members)
        if members is not None:
            self._tokens.level_all()

    def count_token(self, link: int, *, overtaken: bool) -> None:
        """
        Count a token that a network brought.

        :param overtaken: a newer one came before it.
        """
        if overtaken:
            self._tokens.count_late(link)
        else:
            self._tokens.count(link)

    def count_messages(self, link: int, nodeid: int, seq: int, messages: int) -> None:
        """
        Count messages in a row that a network brought.

        :param nodeid: whose.
        :param seq: of the first.
        """
        self._messages.count(link, nodeid, seq, messages)

    def token_taken(
        self, seq: int, copies: int, judged: int, settling: Collection[int], *, expired: bool
    ) -> list[Verdict]:
        """
        Look at all networks: a token goes up.

        :param seq: of the last message that it tells of.
        :param copies: networks that have brought it, one bit each.
        :param judged: networks to be judged, likewise.
        :param settling: networks that came back just now: what they bring accuses nobody.
        :param expired: its timer has fired.
        """
        if self._params.mode is RrpMode.ACTIVE:
            for link in settling:
                self.problems[link] = 0
            self._brought |= copies
            return self._judge_copies(judged & ~copies if expired else 0, judged)
        senders = self._messages.token_arrived(seq)
        if settling:
            self._level(settling)
        verdicts = self._judge_lags(judged, senders)
        self._messages.settle()
        return verdicts

    def take_back(self, link: int) -> None:
        """Forgive a network a problem: its copy came in time, after a timer that was shorter."""
        self.problems[link] = max(0, self.problems[link] - 1)

    def _judge_copies(self, lacking: int, judged: int) -> list[Verdict]:
        threshold = self._params.problem_count_threshold
        self._credit += 1
        if self._credit >= FORGIVEN_ONE_IN:
            self._credit = 0
            self._forgive_problem()
        for link in _bits(lacking):
            self.problems[link] += 1
        return [
            Verdict(link, LinkFaultCause.TOKENS_MISSING, 0, self.problems[link], 0, threshold)
            for link in _bits(judged)
            if self.problems[link] >= threshold
        ]

    def _judge_lags(
        self, judged: int, senders: Iterable[tuple[int, SenderMonitor]]
    ) -> list[Verdict]:
        params = self._params
        verdicts = _lagging(
            self._tokens, judged, LinkFaultCause.TOKENS_LAG, 0, params.problem_count_threshold
        )
        threshold_msgs = params.problem_count_mcast_threshold
        for nodeid, monitor in senders:
            threshold = monitor.allowed_msgs(threshold_msgs)
            verdicts += _lagging(monitor, judged, LinkFaultCause.MESSAGES_LAG, nodeid, threshold)
        return verdicts

    def forgive(self) -> None:
        """Forgive each network a problem; every problem_count_timeout."""
        self._forgive_problem()
        self._tokens.forgive()
        forgive_all(self._messages.monitors())

    def _forgive_problem(self) -> None:
        for link in _bits(self._brought):
            self.problems[link] = max(0, self.problems[link] - 1)
        self._brought = 0

    def level(self, link: int) -> None:
        """Forget all that was counted against a network."""
        self.problems[link] = 0
        self._level((link,))

    def _level(self, links: Collection[int]) -> None:
        self._tokens.level(links)
        for monitor in self._messages.monitors():
            monitor.level(links)

    def problem_count(self, link: int) -> int:
        """Count what speaks against a network: problems, or the tokens that it lacks."""
        if self._params.mode is RrpMode.ACTIVE:
            return self.problems[link]
        return self._tokens.lag(link)


def _bits(mask: int) -> Iterable[int]:
    return (link for link in range(mask.bit_length()) if mask >> link & 1)


def _lagging(
    monitor: Monitor, judged: int, cause: LinkFaultCause, nodeid: int, threshold: int
) -> list[Verdict]:
    counts = monitor.counts
    best = max(counts)
    if best - min(counts) <= threshold:
        return []
    return [
        Verdict(link, cause, nodeid, best - counts[link], best, threshold)
        for link in _bits(judged)
        if best - counts[link] > threshold
    ]
