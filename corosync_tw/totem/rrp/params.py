"""
Parameters of a redundant ring, made from corosync.conf by ``corosync_tw.config.load`` alone.

Source: Corosync 1.4 exec/totemconfig.c and man page for names and defaults (rrp_*); what it lacks
is marked ours.
"""

from dataclasses import dataclass
from enum import Enum

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.totem.links import LINKS_MAX


class RrpMode(Enum):
    """Replication style; the values are those of rrp_mode."""

    NONE = "none"
    PASSIVE = "passive"
    ACTIVE = "active"
    ACTIVE_PASSIVE = "active-passive"


@dataclass(frozen=True, slots=True)
class RrpParams:
    """
    All that a redundant ring knows of its configuration. Times are nanoseconds.

    :ivar my_id: our nodeid.
    :ivar networks: how many there are, 1 to LINKS_MAX; with mode none it is 1, and active-passive
        needs 3.
    :ivar copies: networks that each packet is sent on with active-passive, 1 < copies < networks
        (the paper's K; ours).
    :ivar token_expired_timeout_ns: how long a token waits for its copies, and how long we wait for
        a sign that our token has arrived before we send it on another network.
    :ivar message_delay_timeout_ns: how long a token waits for messages that precede it (ours; the
        paper's 10 ms).
    :ivar problem_count_timeout_ns: every so often each network is forgiven one problem.
    :ivar problem_count_threshold: tokens that a network may lack before it is faulty.
    :ivar problem_count_mcast_threshold: messages of one sender that it may lack; more if its
        visits are large (``monitor.BURSTS_LACKING_MAX``).
    :ivar autorecovery_check_timeout_ns: interval of the tests of a faulty network.
    :ivar clean_tests: tests in a row that must succeed before it is used again (ours).
    :ivar hold_down_ns: how long it is kept out when it has become faulty a second time, doubled
        with each time more (ours).
    :ivar hold_down_max_ns: bound of that (ours).
    :ivar hold_down_decay_ns: after being well for so long one time is forgotten (ours).
    :ivar count_start: receptions that each monitor pretends to have counted.
    :ivar test_start: generation and number before those of the first test.
    :ivar seed: of the generator behind stamps and behind the choice of networks.
    """

    my_id: int
    mode: RrpMode = RrpMode.PASSIVE
    networks: int = 2
    copies: int = 2
    token_expired_timeout_ns: int = 47 * NS_PER_MS
    message_delay_timeout_ns: int = 10 * NS_PER_MS
    problem_count_timeout_ns: int = 2000 * NS_PER_MS
    problem_count_threshold: int = 10
    problem_count_mcast_threshold: int = 100
    autorecovery_check_timeout_ns: int = 1000 * NS_PER_MS
    clean_tests: int = 3
    hold_down_ns: int = 5 * NS_PER_S
    hold_down_max_ns: int = 600 * NS_PER_S
    hold_down_decay_ns: int = 60 * NS_PER_S
    count_start: int = 0
    test_start: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        assert 1 <= self.networks <= LINKS_MAX, "number of networks"
        assert self.mode is not RrpMode.NONE or self.networks == 1, "mode none has one network"
        assert self.mode is not RrpMode.ACTIVE_PASSIVE or 1 < self.copies < self.networks, (
            "active-passive sends on more than one network, but not on all"
        )
        assert self.clean_tests >= 1, "a network is tested before it is used again"
