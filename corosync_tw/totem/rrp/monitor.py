"""
The health monitor of passive replication: one module for the tokens, and one for the messages of
each sending node.

A module counts what each network brought. Senders spread their packets evenly, so a network whose
count lags behind another's loses packets. What is lost now and then is forgiven: the counts of the
networks that lag are raised slowly, by one for so many packets received, and by one every so often;
but not those of a network that has brought nothing since.

Senders put many messages in a row on one network, and one network is read before the other, so that
counts differ while a visit's messages arrive. What a token tells of is therefore counted in one go
when the next token has come: then all is here that comes. Forgiveness is given at these moments,
too, for a network that is but read later has nothing to be forgiven. And a visit's messages are
lost, or late, together: a sender's burst, the most that a network brought of one visit, decides how
many messages are many.

What a network held back until the ring was further does not make it better than the others: it is
counted as long as the network lags.

Source: Koch, Moser, Melliar-Smith, ICDCS 2002, section 6, Fig. 5, P4 and P5.
Deviation: Corosync 1.x has one monitor of messages for all senders, counts each when it arrives,
and forgives nothing. The paper's threshold does not depend on how much senders send.
"""

from collections.abc import Collection, Iterable
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.totem.seqno import seq_lt

# A network that loses less than one packet in so many is sound.
FORGIVEN_ONE_IN: Final = 100
# A network may lack a visit that is late and one that was lost, whatever the threshold is.
BURSTS_LACKING_MAX: Final = 3
# The burst falls by one part in so many with each visit that brings less.
_BURST_DECAY: Final = 8
# Counts are made smaller by the same amount when one exceeds this (PASSIVE_RECV_COUNT_THRESHOLD).
COUNT_MAX: Final = 0x3FFFFFFF


class Monitor:
    """
    One module.

    :ivar counts: packets received, one number a network, 0 to COUNT_MAX.
    """

    __slots__ = ("_brought", "_credit", "counts")

    def __init__(self, networks: int, start: int) -> None:
        """
        Begin with all networks alike.

        :param start: packets that each is said to have brought.
        """
        self.counts = [start] * networks
        self._credit = 0
        # Networks that have brought something since they were forgiven, one bit each.
        self._brought = 0

    def count(self, link: int) -> None:
        """Count a packet that a network brought."""
        self.counts[link] += 1
        self._brought |= 1 << link
        self._counted(1)

    def count_late(self, link: int, packets: int = 1) -> None:
        """Count packets of a network that the ring had gone on without."""
        self._brought |= 1 << link
        self.counts[link] = min(max(self.counts), self.counts[link] + packets)

    def _counted(self, packets: int) -> None:
        """Forgive what so many packets more allow."""
        self._credit += packets
        if self._credit >= FORGIVEN_ONE_IN:
            forgiven, self._credit = divmod(self._credit, FORGIVEN_ONE_IN)
            self.forgive(forgiven)
        if max(self.counts) > COUNT_MAX:
            self._rebase()

    def _rebase(self) -> None:
        """Keep the differences, as far as they fit."""
        excess = max(self.counts) - COUNT_MAX // 2
        self.counts[:] = [max(0, count - excess) for count in self.counts]

    def forgive(self, packets: int = 1) -> None:
        """Raise the counts of the networks that lag."""
        best, brought = max(self.counts), self._brought
        self._brought = 0
        self.counts[:] = [
            min(best, count + packets) if brought >> link & 1 else count
            for link, count in enumerate(self.counts)
        ]

    def level(self, links: Collection[int]) -> None:
        """Forget that networks lag, or lead: then all others would seem to lag."""
        counts = self.counts
        others = [count for link, count in enumerate(counts) if link not in links]
        best = max(others or counts)
        for link in links:
            counts[link] = best

    def level_all(self) -> None:
        """Begin anew."""
        self.counts[:] = [max(self.counts)] * len(self.counts)

    def lag(self, link: int) -> int:
        """Tell how many packets fewer a network brought than the best one."""
        return max(self.counts) - self.counts[link]


class SenderMonitor(Monitor):
    """
    The module of one sending node.

    :ivar due: messages that the last token told of and that are not counted yet, one number a
        network.
    :ivar young: messages that the last token did not tell of, likewise.
    :ivar late: messages that the token before that told of already, likewise.
    :ivar burst_msgs: the most that a network brought of one visit, falling.
    """

    __slots__ = ("burst_msgs", "due", "late", "young")

    def __init__(self, networks: int, start: int) -> None:
        super().__init__(networks, start)
        self.due = [0] * networks
        self.young = [0] * networks
        self.late = [0] * networks
        self.burst_msgs = 0

    def close_visit(self) -> None:
        """Count what is due: a token has come, and all is here that comes before it."""
        due = self.due
        most = max(due)
        if most:
            self._count_visit(due, most)
        for link, brought in enumerate(self.late):
            if brought:
                self.count_late(link, brought)
                self.late[link] = 0

    def _count_visit(self, due: list[int], most: int) -> None:
        packets = sum(due)
        for link, brought in enumerate(due):
            if brought:
                self.counts[link] += brought
                self._brought |= 1 << link
                due[link] = 0
        fallen_msgs = self.burst_msgs - -(-self.burst_msgs // _BURST_DECAY)
        self.burst_msgs = max(most, fallen_msgs)
        self._counted(packets)

    def settle(self) -> bool:
        """
        Make due what was young.

        :return: whether there was any.
        """
        self.due, self.young = self.young, self.due
        return any(self.due)

    def allowed_msgs(self, threshold_msgs: int) -> int:
        """Tell how many messages a network may lack."""
        return max(threshold_msgs, BURSTS_LACKING_MAX * self.burst_msgs)

    def level_all(self) -> None:
        """Begin anew."""
        super().level_all()
        self.due = [0] * len(self.due)
        self.young = [0] * len(self.young)
        self.late = [0] * len(self.late)


class MessageMonitors:
    """
    The modules of all senders, at most PROCESSOR_COUNT_MAX.

    :ivar senders: nodeid to module.
    """

    __slots__ = (
        "_last_seq",
        "_members",
        "_networks",
        "_seq_before",
        "_start",
        "_touched",
        "senders",
    )

    def __init__(self, networks: int, start: int) -> None:
        self.senders: dict[int, SenderMonitor] = {}
        self._networks = networks
        self._start = start
        self._members: frozenset[int] | None = None
        self._touched: dict[int, SenderMonitor] = {}
        self._last_seq = 0
        # Of the token before the last one.
        self._seq_before = 0

    def set_members(self, members: frozenset[int] | None) -> None:
        """Go on with the members of a ring alone; with None, with whoever is heard."""
        self._members = members
        if members is not None:
            self.senders = {key: self.senders[key] for key in self.senders if key in members}
            self._touched.clear()
            for monitor in self.senders.values():
                monitor.level_all()

    def count(self, link: int, nodeid: int, seq: int, messages: int) -> None:
        """
        Count messages in a row.

        :param seq: of the first.
        """
        monitor = self.senders.get(nodeid)
        if monitor is None:
            if self._members is not None and nodeid not in self._members:
                return
            if len(self.senders) >= PROCESSOR_COUNT_MAX:
                return
            monitor = self.senders[nodeid] = SenderMonitor(self._networks, self._start)
        if seq_lt(self._last_seq, seq):
            monitor.young[link] += messages
        elif seq_lt(self._seq_before, seq):
            monitor.due[link] += messages
        else:
            monitor.late[link] += messages
        self._touched[nodeid] = monitor

    def token_arrived(self, seq: int) -> list[tuple[int, SenderMonitor]]:
        """
        Count what is due, and give the modules that may have something to say.

        :param seq: of the last message that the token tells of.
        """
        if seq != self._last_seq:
            self._seq_before, self._last_seq = self._last_seq, seq
        touched = list(self._touched.items())
        for _, monitor in touched:
            monitor.close_visit()
        return touched

    def settle(self) -> None:
        """Make due what was young; it is counted when the next token arrives."""
        if self._touched:
            self._touched = {key: value for key, value in self._touched.items() if value.settle()}

    def monitors(self) -> Collection[SenderMonitor]:
        """Give all modules."""
        return self.senders.values()


def forgive_all(monitors: Iterable[Monitor]) -> None:
    """Forgive each network one packet, in all modules."""
    for monitor in monitors:
        monitor.forgive()
