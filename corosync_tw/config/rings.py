"""
What has to hold of redundant rings: several networks under udp or udpu.

Source: corosync 1.4.10 exec/totemconfig.c, totem_config_validate; corosync.conf(5) of 1.4.10.
Deviation: with active replication 1.x lets a token wait for ``token_retransmit``, its manual says
47 ms. Here it is the manual's, or less where the waits of all nodes would take half of the token's
timeout: one dead network must never cost the ring.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.config.directive import directives
from corosync_tw.config.links import Link
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Config, Sections
from corosync_tw.config.schema_rrp import RrpConfig
from corosync_tw.config.timing import TIMEOUT_MIN_MS, TotemTiming

THRESHOLD_MIN: Final = 2
MCAST_THRESHOLD_FACTOR: Final = 10
TOKEN_EXPIRED_MS: Final = 47
TOKEN_EXPIRED_MIN_MS: Final = 5
# Below this many networks there is nothing between passive and active.
ACTIVE_PASSIVE_NETWORKS_MIN: Final = 3


def token_expired_ms(totem: RrpConfig, timing: TotemTiming, node_count: int) -> int:
    """Return how long a token waits for its copies, in milliseconds."""
    if totem.rrp_token_expired_timeout_ms is not None:
        return totem.rrp_token_expired_timeout_ms
    share_ms = timing.token_timeout_ms // (2 * max(node_count, 1))
    return max(TOKEN_EXPIRED_MIN_MS, min(TOKEN_EXPIRED_MS, share_ms))


def mcast_threshold(totem: RrpConfig) -> int:
    """Return how many messages of one node a network may lack."""
    if totem.rrp_problem_count_mcast_threshold is not None:
        return totem.rrp_problem_count_mcast_threshold
    return MCAST_THRESHOLD_FACTOR * totem.rrp_problem_count_threshold


def check_rings(sections: Sections, links: Sequence[Link], report: Report) -> None:
    """Check the directives of redundant rings against each other and against the networks."""
    totem = sections.totem
    given = [d.key for _, d in directives(RrpConfig) if totem.given(d.key)]
    if not sections.is_redundant():
        _warn_of_no_effect(sections, given, report)
        return
    if len(links) < 2:
        report.warning(
            totem, "rrp_mode", f"{totem.rrp_mode} has no effect with one network, add ring1_addr"
        )
        return
    _check_networks(sections, links, report)
    _check_numbers(totem, report)
    copies = totem.rrp_copies
    if totem.rrp_mode != "active-passive":
        if totem.given("rrp_copies"):
            report.warning(totem, "rrp_copies", f"has no effect with rrp_mode {totem.rrp_mode}")
    elif len(links) < ACTIVE_PASSIVE_NETWORKS_MIN:
        report.fault(
            totem,
            "rrp_mode",
            f"active-passive needs {ACTIVE_PASSIVE_NETWORKS_MIN} networks, there are {len(links)}: "
            "use passive or active, or add networks",
        )
    elif not 1 < copies < len(links):
        report.fault(
            totem, "rrp_copies", f"{copies} is not possible, should be 2 to {len(links) - 1}"
        )


def check_same_rings(old: Config, new: Config, report: Report) -> None:
    """Check that a file for a node that runs has as many rings as the node."""
    before = len(old.membership.links)
    after = len(new.membership.links)
    if old.is_redundant() and before > 1 and before != after:
        report.fault(
            new.totem,
            "interface",
            f"there are {after} rings in the file, but this node runs with {before}: rings come "
            "and go with a restart alone",
        )


def _warn_of_no_effect(sections: Sections, given: Sequence[str], report: Report) -> None:
    totem, transport = sections.totem, sections.transport()
    for key in given:
        if key == "rrp_mode" and totem.rrp_mode == "none":
            continue
        if transport == "knet":
            text = "has no effect, knet has links of its own: use link_mode"
        elif transport in {"udp", "udpu"}:
            text = 'has no effect without "rrp_mode: passive" (or active)'
        else:
            text = f"has no effect with transport {transport}"
        report.warning(totem, key, text)


def _check_networks(sections: Sections, links: Sequence[Link], report: Report) -> None:
    """Check that every network is one of its own."""
    numbers = [link.linknumber for link in links]
    if numbers != list(range(len(links))):
        missing = min(set(range(max(numbers))) - set(numbers))
        report.fault(
            sections.totem,
            "interface",
            f"ring {missing} is missing, number redundant rings from 0 without a gap",
        )
    for at, link in enumerate(links):
        for other in links[:at]:
            if link.local_address == other.local_address:
                report.fault(
                    sections.totem,
                    "interface",
                    f"rings {other.linknumber} and {link.linknumber} both have our address "
                    f"{link.local_address}, give each a network of its own",
                )
            elif (
                link.mcast_address is not None
                and link.mcast_address == other.mcast_address
                and abs(link.port - other.port) <= 1
            ):
                report.fault(
                    sections.totem,
                    "interface",
                    "Interfaces multicast address/port pair must differ: rings "
                    f"{other.linknumber} and {link.linknumber} use {link.mcast_address}, give one "
                    "another mcastaddr, or ports that differ by 2",
                )


def _check_numbers(totem: RrpConfig, report: Report) -> None:
    for key, threshold in (
        ("rrp_problem_count_threshold", totem.rrp_problem_count_threshold),
        ("rrp_problem_count_mcast_threshold", mcast_threshold(totem)),
    ):
        if threshold < THRESHOLD_MIN:
            report.fault(totem, key, f"{threshold} may not be less than {THRESHOLD_MIN}")
    for key, value_ms, low_ms in (
        ("rrp_problem_count_timeout", totem.rrp_problem_count_timeout_ms, TIMEOUT_MIN_MS),
        ("rrp_autorecovery_check_timeout", totem.rrp_autorecovery_check_timeout_ms, TIMEOUT_MIN_MS),
        ("rrp_hold_down_max", totem.rrp_hold_down_max_ms, totem.rrp_hold_down_ms),
    ):
        if value_ms < low_ms:
            report.fault(totem, key, f"{value_ms} ms may not be less than {low_ms} ms")
