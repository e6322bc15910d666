"""
The health monitor of passive replication: one module for the tokens, and one for the messages of
each sending node.

A module counts what each network brought. Senders spread their packets evenly, so a network whose
count lags behind another's loses packets. What is lost now and then is forgiven: the counts of the
networks that lag are raised slowly, by one for so many packets received, and by one every so often;
but not those of a network that has brought nothing since.

Senders put many messages in a row on one network, so that counts differ while a visit's messages
arrive. They are compared when a token has arrived, and only as far as the token before told of:
then all is here that comes.

Source: Koch, Moser, Melliar-Smith, ICDCS 2002, section 6, Fig. 5, P4 and P5.
Deviation: Corosync 1.x has one monitor of messages for all senders, and forgives nothing.
"""

from collections.abc import Collection, Iterable
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.totem.seqno import seq_lt

# A network that loses less than one packet in so many is sound.
FORGIVEN_ONE_IN: Final = 100
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

    def count(self, link: int, packets: int) -> None:
        """Count packets that a network brought."""
        counts = self.counts
        counts[link] += packets
        self._brought |= 1 << link
        self._credit += packets
        if self._credit >= FORGIVEN_ONE_IN:
            forgiven, self._credit = divmod(self._credit, FORGIVEN_ONE_IN)
            self.forgive(forgiven)
        if counts[link] > COUNT_MAX:
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

    def level(self, link: int) -> None:
        """Forget that a network lags, or leads: then all others would seem to lag."""
        others = [count for other, count in enumerate(self.counts) if other != link]
        self.counts[link] = max(others, default=self.counts[link])

    def level_all(self) -> None:
        """Begin anew."""
        self.counts[:] = [max(self.counts)] * len(self.counts)

    def lag(self, link: int) -> int:
        """Tell how many packets fewer a network brought than the best one."""
        return max(self.counts) - self.counts[link]


class SenderMonitor(Monitor):
    """
    The module of one sending node.

    :ivar young: of messages that the last token did not tell of yet, likewise.
    """

    __slots__ = ("young",)

    def __init__(self, networks: int, start: int) -> None:
        super().__init__(networks, start)
        self.young = [0] * networks

    def settle(self) -> bool:
        """
        Count what was young.

        :return: whether there was any.
        """
        if not any(self.young):
            return False
        for link, packets in enumerate(self.young):
            if packets:
                self.count(link, packets)
        self.young[:] = [0] * len(self.young)
        return True


class MessageMonitors:
    """
    The modules of all senders, at most PROCESSOR_COUNT_MAX.

    :ivar senders: nodeid to module.
    """

    __slots__ = ("_last_seq", "_members", "_networks", "_start", "_touched", "senders")

    def __init__(self, networks: int, start: int) -> None:
        self.senders: dict[int, SenderMonitor] = {}
        self._networks = networks
        self._start = start
        self._members: frozenset[int] | None = None
        self._touched: dict[int, SenderMonitor] = {}
        self._last_seq = 0

    def set_members(self, members: frozenset[int] | None) -> None:
        """Go on with the members of a ring alone; with None, with whoever is heard."""
        self._members = members
        if members is not None:
            self.senders = {key: self.senders[key] for key in self.senders if key in members}
            self._touched.clear()
            for monitor in self.senders.values():
                monitor.settle()
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
        else:
            monitor.count(link, messages)
        self._touched[nodeid] = monitor

    def token_arrived(self, seq: int) -> list[tuple[int, SenderMonitor]]:
        """
        Give the modules that may have something to say, before what is young is counted.

        :param seq: of the last message that the token tells of.
        """
        self._last_seq = seq
        return list(self._touched.items())

    def settle(self) -> None:
        """Count what was young; it has its say when the next token arrives."""
        if self._touched:
            self._touched = {key: value for key, value in self._touched.items() if value.settle()}

    def monitors(self) -> Collection[SenderMonitor]:
        """Give all modules."""
        return self.senders.values()


def forgive_all(monitors: Iterable[Monitor]) -> None:
    """Forgive each network one packet, in all modules."""
    for monitor in monitors:
        monitor.forgive()
