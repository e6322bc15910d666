"""
Parameters of voting, and what they come to when they contradict each other.

Source: Corosync exec/votequorum.c votequorum_readconfig, parse_atb_string; man votequorum(5).
Deviation: with expected_votes_tracking, a barrier below the votes of the nodelist does not lower
them, and without a nodelist quorum.expected_votes counts; Corosync takes a stored barrier as it is,
and starts at 0 when there is neither.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import NS_PER_MS

LAST_MAN_STANDING_WINDOW_NS: Final = 10_000 * NS_PER_MS
QDEVICE_TIMEOUT_NS: Final = 10_000 * NS_PER_MS
QDEVICE_SYNC_TIMEOUT_NS: Final = 30_000 * NS_PER_MS


class TieBreaker(IntEnum):
    """Which half of the votes goes on (runtime.votequorum.atb_type)."""

    NONE = 0
    LOWEST = 1
    HIGHEST = 2
    LIST = 3


@dataclass(frozen=True, slots=True)
class TieBreakerRule:
    """
    quorum.auto_tie_breaker and quorum.auto_tie_breaker_node.

    :ivar nodes: of a LIST, the first that is there decides.
    """

    kind: TieBreaker = TieBreaker.NONE
    nodes: tuple[int, ...] = ()


NO_TIE_BREAKER: Final = TieBreakerRule()


@dataclass(frozen=True, slots=True)
class DeviceParams:
    """
    A quorum device that is configured (quorum.device with a model).

    :ivar votes: of the device; None when they cannot be worked out, and then it may not vote.
    :ivar timeout_ns: silence after which the device is lost; ``sync_timeout_ns`` during a
        synchronization, which waits so long for it.
    """

    votes: int | None
    timeout_ns: int = QDEVICE_TIMEOUT_NS
    sync_timeout_ns: int = QDEVICE_SYNC_TIMEOUT_NS


@dataclass(frozen=True, slots=True)
class VotequorumParams:
    """
    The part of the configuration that decides quorum.

    :ivar votes: ours.
    :ivar expected_votes: of the cluster, the quorum device included.
    :ivar wait_for_all: None when it is not written, and then it follows two_node.
    :ivar listed_votes: sum of the nodelist's votes, 0 without a nodelist.
    :ivar ev_tracking_barrier: the stored highest expected_votes, 0 at the first start.
    """

    nodeid: int
    votes: int
    expected_votes: int
    two_node: bool = False
    wait_for_all: bool | None = None
    allow_downscale: bool = False
    last_man_standing: bool = False
    last_man_standing_window_ns: int = LAST_MAN_STANDING_WINDOW_NS
    tie_breaker: TieBreakerRule = NO_TIE_BREAKER
    expected_votes_tracking: bool = False
    ev_tracking_barrier: int = 0
    listed_votes: int = 0
    device: DeviceParams | None = None

    @property
    def tracks_expected_votes(self) -> bool:
        """Whether the highest expected_votes is kept; allow_downscale needs it."""
        return self.expected_votes_tracking or self.allow_downscale


@dataclass(frozen=True, slots=True)
class VotingMode:
    """
    What holds after all contradictions are settled.

    :ivar device_allowed: a quorum device may register and vote.
    """

    two_node: bool
    wait_for_all: bool
    tie_breaker: TieBreakerRule
    device_allowed: bool


def settle(
    params: VotequorumParams, initial: VotequorumParams, device_registered: bool
) -> VotingMode:
    """
    Settle what contradicts itself, as Corosync does at start and at every change.

    :param params: the configuration now; only its two_node, votes and device count.
    :param initial: the configuration at the start, which the other options stay with.
    """
    two_node = params.two_node
    device_allowed = True
    if two_node and params.device is not None:
        two_node = not device_registered
        device_allowed = device_registered
    wait_for_all = two_node if initial.wait_for_all is None else initial.wait_for_all
    tie_breaker = initial.tie_breaker
    if tie_breaker.kind:
        two_node = False
        if params.listed_votes % 2 and not wait_for_all:
            tie_breaker = NO_TIE_BREAKER
    if params.device is not None and (
        initial.last_man_standing
        or initial.allow_downscale
        or tie_breaker.kind
        or params.device.votes is None
    ):
        device_allowed = False
    return VotingMode(two_node, wait_for_all, tie_breaker, device_allowed)


def expected_votes_at(params: VotequorumParams, ev_tracking_barrier: int | None) -> int:
    """
    Work out the expected votes to begin with.

    :param ev_tracking_barrier: the highest number seen, below which they do not fall; None when it
        is not tracked.
    """
    return max(params.expected_votes, ev_tracking_barrier or 0)
