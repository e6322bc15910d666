"""
The timeouts in force: what the file says, and Corosync's formulas for what it leaves open.

Source: corosync 3.1.10 exec/totemconfig.c, totem_volatile_config_read and
totem_volatile_config_validate.
"""

import struct
from dataclasses import dataclass
from typing import Final

from corosync_tw.config.report import Report
from corosync_tw.config.schema_totem import InterfaceConfig, TotemConfig

# Stock computes with HZ = 100: three ticks, and three ticks * 0.8 minus one.
_TICK_MS: Final = 10
TIMEOUT_MIN_MS: Final = 3 * _TICK_MS
HOLD_TIMEOUT_MIN_MS: Final = int(TIMEOUT_MIN_MS * 0.8 - _TICK_MS)
# Timeouts beyond this overflow the signed 32 bit arithmetic of a stock peer.
TIMEOUT_MAX_MS: Final = 0x7FFF_FFFF
_NODES_WITHOUT_COEFFICIENT: Final = 2


@dataclass(frozen=True, slots=True)
class TotemTiming:
    """Timeouts of the ring in milliseconds; the names are those of TotemConfig."""

    token_timeout_ms: int
    token_retransmit_timeout_ms: int
    token_hold_timeout_ms: int
    consensus_timeout_ms: int


def _single_precision(value: float) -> float:
    """Round as a C ``float``: stock does so once, and above 16,777 s it shows."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def totem_timing(totem: TotemConfig, node_count: int) -> TotemTiming:
    """
    Compute the timeouts.

    :param node_count: nodes on link 0; 0 when the file does not list them.
    """
    token_ms = totem.token_timeout_ms
    if node_count > _NODES_WITHOUT_COEFFICIENT:
        token_ms += (node_count - _NODES_WITHOUT_COEFFICIENT) * totem.token_coefficient_ms
    retransmit_ms = totem.token_retransmit_timeout_ms
    if retransmit_ms is None:
        retransmit_ms = int(token_ms / (totem.token_retransmits_before_loss_const + 0.2))
    hold_ms = totem.token_hold_timeout_ms
    if hold_ms is None:
        hold_ms = int(retransmit_ms * 0.8 - _TICK_MS)
    consensus_ms = totem.consensus_timeout_ms
    if consensus_ms is None:
        consensus_ms = int(_single_precision(1.2 * token_ms))
    return TotemTiming(token_ms, retransmit_ms, hold_ms, consensus_ms)


def ping_timing(interface: InterfaceConfig, timing: TotemTiming) -> tuple[int, int]:
    """Return (interval, timeout) in milliseconds of the pings of a knet link."""
    timeout_ms = interface.knet_ping_timeout_ms
    if timeout_ms is None:
        timeout_ms = timing.token_timeout_ms // interface.knet_pong_count
    interval_ms = interface.knet_ping_interval_ms
    if interval_ms is None:
        interval_ms = timing.token_timeout_ms // (2 * interface.knet_pong_count)
    return interval_ms, timeout_ms


def check_timing(totem: TotemConfig, timing: TotemTiming, report: Report) -> None:
    """Report every timeout that the ring could not work with."""
    if totem.token_warning_percent > 100:
        report.fault(
            totem,
            "token_warning",
            f"{totem.token_warning_percent} is more than a hundred percent, "
            "should be 0 (disabled) to 100",
        )
    bounds = (
        ("max_network_delay", totem.max_network_delay_ms, TIMEOUT_MIN_MS),
        ("token", timing.token_timeout_ms, TIMEOUT_MIN_MS),
        ("join", totem.join_timeout_ms, TIMEOUT_MIN_MS),
        ("consensus", timing.consensus_timeout_ms, TIMEOUT_MIN_MS),
        ("merge", totem.merge_timeout_ms, TIMEOUT_MIN_MS),
        ("downcheck", totem.downcheck_timeout_ms, TIMEOUT_MIN_MS),
        ("send_join", totem.send_join_timeout_ms, 0),
    )
    for key, value_ms, low_ms in bounds:
        _check_bounds(totem, key, value_ms, low_ms, report)
    _check_token_shares(totem, timing, report)
    if timing.consensus_timeout_ms < totem.join_timeout_ms:
        report.fault(
            totem,
            "consensus",
            f"{timing.consensus_timeout_ms} ms may not be less than join "
            f"({totem.join_timeout_ms} ms), should be at least 1.2 * token",
        )
    elif timing.consensus_timeout_ms < totem_timing_floor(timing):
        report.warning(
            totem,
            "consensus",
            f"{timing.consensus_timeout_ms} ms is less than 1.2 * token "
            f"({totem_timing_floor(timing)} ms), a slow node may split the cluster",
        )
    heartbeat_ms = totem.heartbeat_failures_allowed * timing.token_retransmit_timeout_ms
    if totem.heartbeat_failures_allowed and (
        heartbeat_ms + totem.max_network_delay_ms >= timing.token_timeout_ms
    ):
        report.warning(
            totem,
            "heartbeat_failures_allowed",
            "is switched off, failures * token_retransmit + max_network_delay "
            f"({heartbeat_ms + totem.max_network_delay_ms} ms) should be less than token "
            f"({timing.token_timeout_ms} ms)",
        )


def totem_timing_floor(timing: TotemTiming) -> int:
    """Return the shortest consensus timeout in milliseconds that the manual allows."""
    return int(_single_precision(1.2 * timing.token_timeout_ms))


def _check_bounds(totem: TotemConfig, key: str, value_ms: int, low_ms: int, report: Report) -> None:
    if value_ms < low_ms:
        report.fault(totem, key, f"{value_ms} ms may not be less than {low_ms} ms")
    elif value_ms > TIMEOUT_MAX_MS:
        report.fault(totem, key, f"{value_ms} ms may not be more than {TIMEOUT_MAX_MS} ms")


def _check_token_shares(totem: TotemConfig, timing: TotemTiming, report: Report) -> None:
    """Check retransmit and hold; when they follow from token, token is what to change."""
    retransmit_ms = timing.token_retransmit_timeout_ms
    if totem.token_retransmit_timeout_ms is not None:
        _check_bounds(totem, "token_retransmit", retransmit_ms, TIMEOUT_MIN_MS, report)
    elif retransmit_ms < TIMEOUT_MIN_MS <= timing.token_timeout_ms:
        count = totem.token_retransmits_before_loss_const
        report.fault(
            totem,
            "token",
            f"{timing.token_timeout_ms} ms leaves {retransmit_ms} ms for each of {count} "
            f"retransmissions, should be at least {int(TIMEOUT_MIN_MS * (count + 0.2)) + 1} ms "
            "(or lower token_retransmits_before_loss_const)",
        )
    if totem.token_hold_timeout_ms is not None:
        _check_bounds(totem, "hold", timing.token_hold_timeout_ms, HOLD_TIMEOUT_MIN_MS, report)
