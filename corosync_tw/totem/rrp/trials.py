"""
What is remembered of the tests of a network: the newest of each activator, and what came of those
before it.

A datagram of a test may come when the test is over: a network that was cut gives back what waited
for an address to be resolved, seconds old, and a busy node answers late. Such a one is no lie. It
belongs to a test that was not long ago, and comes once; what comes twice, or later, is played back.
"""

from dataclasses import dataclass, field
from typing import Final

from corosync_tw.totem.links import LinkRecoveryCause
from corosync_tw.totem.rrp.probe import LAP_MULTICAST, LAP_UNICAST, Probe
from corosync_tw.totem.seqno import SEQ_MASK, seq_lt

# Tests that are remembered when they are over, of each activator.
PAST_TESTS_MAX: Final = 32

# Who sent a datagram of a test, and on which lap.
Copy = tuple[int, int]


@dataclass(slots=True)
class Trial:
    """
    The newest test of one activator on one network.

    :ivar probe: as its activator sent it.
    :ivar heard: members whose first lap was heard.
    :ivar first_lap_sent: we have multicast it.
    :ivar second_lap_from: who sent it to us by unicast, None while nobody has.
    :ivar second_lap_sent: we have passed it on by unicast.
    :ivar told: its activation was heard.
    :ivar past: what came of the tests before it, by number, at most PAST_TESTS_MAX.
    """

    probe: Probe
    heard: set[int] = field(default_factory=set)
    first_lap_sent: bool = False
    second_lap_from: int | None = None
    second_lap_sent: bool = False
    told: bool = False
    past: dict[int, set[Copy]] = field(default_factory=dict)

    def precedes(self, probe: Probe) -> bool:
        """Tell whether a probe is of a newer test of the same activator."""
        known = self.probe
        return seq_lt(known.generation, probe.generation) or (
            _series(known) == _series(probe) and seq_lt(known.number, probe.number)
        )

    def take_late(self, probe: Probe) -> bool:
        """
        Take a probe of a test that is over.

        :return: whether it is but late; False: it was played back, or made up.
        """
        behind = self.probe.number - probe.number & SEQ_MASK
        if _series(self.probe) != _series(probe) or not 0 < behind <= PAST_TESTS_MAX:
            return False
        copies = self.past.setdefault(probe.number, set())
        copy = probe.sender, probe.lap
        if copy in copies:
            return False
        copies.add(copy)
        return True


def successor(before: Trial | None, probe: Probe) -> Trial:
    """
    Begin a newer test of an activator.

    :param before: its last one, if there was any.
    """
    trial = Trial(probe)
    if before is None or _series(before.probe) != _series(probe):
        return trial
    copies = {(nodeid, LAP_MULTICAST) for nodeid in before.heard}
    if before.second_lap_from is not None:
        copies.add((before.second_lap_from, LAP_UNICAST))
    past = before.past | {before.probe.number: copies}
    trial.past = {
        number: seen
        for number, seen in past.items()
        if probe.number - number & SEQ_MASK <= PAST_TESTS_MAX
    }
    return trial


def _series(probe: Probe) -> tuple[int, int]:
    """Give what the tests after one fault have in common."""
    return probe.generation, probe.stamp


@dataclass(slots=True)
class LinkTests:
    """
    What we do about one network.

    :ivar generation: of our tests; likewise number and stamp.
    :ivar clean: tests of ours in a row that came back.
    :ivar pending: a test of ours is under way.
    :ivar led: somebody of a lower nodeid tests it.
    :ivar check_ns: when we test next, None while there is no need.
    :ivar tell_ns: when we tell again, None when all was said.
    :ivar tellings: how often we shall.
    :ivar trials: by activator.
    """

    generation: int
    number: int
    stamp: int = 0
    clean: int = 0
    pending: bool = False
    led: bool = False
    check_ns: int | None = None
    tell_ns: int | None = None
    tellings: int = 0
    trials: dict[int, Trial] = field(default_factory=dict)


@dataclass(slots=True)
class Recovered:
    """
    A network works again.

    :ivar cause: how we know.
    :ivar nodeid: whose tests they were.
    :ivar clean: how many were clean; 0 if not ours.
    """

    link: int
    cause: LinkRecoveryCause
    nodeid: int
    clean: int
