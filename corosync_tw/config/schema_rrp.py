"""
The directives of ``totem`` that rule redundant rings: several networks under udp or udpu.

Source: corosync.conf(5) and exec/totemconfig.c of 1.4.10; those of which 1.x knew nothing are
marked with "(ours)".
"""

from dataclasses import dataclass

from corosync_tw.config import values
from corosync_tw.config.directive import SectionConfig, directive

RRP_MODES = ("none", "passive", "active", "active-passive")


@dataclass(frozen=True, slots=True, kw_only=True)
class RrpConfig(SectionConfig):
    """What ``totem`` says of redundant rings."""

    rrp_mode: str = directive(
        "rrp_mode",
        values.choice(*RRP_MODES),
        "none",
        doc="How udp and udpu use several networks: each message on one of them in turn (passive), "
        "on all (active), on rrp_copies of them (active-passive); none is for one network.",
    )
    rrp_problem_count_timeout_ms: int = directive(
        "rrp_problem_count_timeout",
        values.UINT32,
        2000,
        unit="ms",
        zero_is_default=True,
        doc="After which one problem of a network is forgiven.",
    )
    rrp_problem_count_threshold: int = directive(
        "rrp_problem_count_threshold",
        values.UINT32,
        10,
        zero_is_default=True,
        doc="Tokens that a network may lack until it is faulty, at least 2.",
    )
    rrp_problem_count_mcast_threshold: int | None = directive(
        "rrp_problem_count_mcast_threshold",
        values.UINT32,
        zero_is_default=True,
        doc="Messages of one node that a network may lack, default 10 * threshold.",
    )
    rrp_token_expired_timeout_ms: int | None = directive(
        "rrp_token_expired_timeout",
        values.UINT32,
        unit="ms",
        zero_is_default=True,
        doc="A token waits so long for its other copies, or for a sign that it arrived; by default "
        "47, or less where the waits of all nodes would take half of token.",
    )
    rrp_autorecovery_check_timeout_ms: int = directive(
        "rrp_autorecovery_check_timeout",
        values.UINT32,
        1000,
        unit="ms",
        zero_is_default=True,
        doc="Between tests of a faulty network.",
    )
    rrp_message_delay_timeout_ms: int = directive(
        "rrp_message_delay_timeout",
        values.UINT32,
        10,
        unit="ms",
        zero_is_default=True,
        doc="A token waits so long for messages before it that come by another network (ours).",
    )
    rrp_autorecovery_tests: int = directive(
        "rrp_autorecovery_tests",
        values.UINT32,
        3,
        unit="tests",
        zero_is_default=True,
        doc="In a row that must succeed before a faulty network is used again (ours).",
    )
    rrp_hold_down_ms: int = directive(
        "rrp_hold_down",
        values.UINT32,
        5000,
        unit="ms",
        zero_is_default=True,
        doc="A network that is faulty again is kept out so long, twice as long each time (ours).",
    )
    rrp_hold_down_max_ms: int = directive(
        "rrp_hold_down_max",
        values.UINT32,
        600_000,
        unit="ms",
        zero_is_default=True,
        doc="Bound of rrp_hold_down's doubling (ours).",
    )
    rrp_hold_down_decay_ms: int = directive(
        "rrp_hold_down_decay",
        values.UINT32,
        60_000,
        unit="ms",
        zero_is_default=True,
        doc="After being well for so long, one time of being faulty is forgotten (ours).",
    )
    rrp_copies: int = directive(
        "rrp_copies",
        values.UINT8,
        2,
        unit="networks",
        zero_is_default=True,
        doc="That carry each message with active-passive: more than one, fewer than all (ours).",
    )
