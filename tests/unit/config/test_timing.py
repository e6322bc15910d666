"""The formulas of totemconfig.c, against values that a running stock daemon showed."""

import pytest

from corosync_tw.config.report import Report
from corosync_tw.config.schema_totem import InterfaceConfig, TotemConfig
from corosync_tw.config.timing import TotemTiming, check_timing, ping_timing, totem_timing


@pytest.mark.parametrize(
    ("node_count", "token_ms", "consensus_ms"),
    [(0, 3000, 3600), (2, 3000, 3600), (3, 3650, 4380), (16, 12100, 14520), (64, 43300, 51960)],
)
def test_token_and_consensus_grow_with_the_cluster(node_count, token_ms, consensus_ms):
    timing = totem_timing(TotemConfig(), node_count)
    assert (timing.token_timeout_ms, timing.consensus_timeout_ms) == (token_ms, consensus_ms)


def test_retransmit_and_hold():
    assert totem_timing(TotemConfig(), 2) == TotemTiming(3000, 714, 561, 3600)
    chosen = TotemConfig(token_retransmit_timeout_ms=100, token_hold_timeout_ms=20)
    assert totem_timing(chosen, 2) == TotemTiming(3000, 100, 20, 3600)


def test_pings_follow_from_token():
    timing = totem_timing(TotemConfig(), 2)
    assert ping_timing(InterfaceConfig(), timing) == (750, 1500)
    assert ping_timing(InterfaceConfig(knet_ping_interval_ms=5, knet_pong_count=3), timing) == (
        5,
        1000,
    )


def faults(**totem):
    report = Report("f")
    config = TotemConfig(path="totem", line_no=4, **totem)
    check_timing(config, totem_timing(config, 2), report)
    return report.faults


@pytest.mark.parametrize(
    ("totem", "fault"),
    [
        ({"token_timeout_ms": 29}, "totem.token: 29 ms may not be less than 30 ms"),
        ({"token_timeout_ms": 125}, "totem.token: 125 ms leaves 29 ms for each of 4"),
        ({"token_timeout_ms": 2**32 - 1}, "totem.token: 4294967295 ms may not be more than"),
        ({"token_retransmit_timeout_ms": 29}, "totem.token_retransmit: 29 ms may not be less"),
        ({"token_hold_timeout_ms": 13}, "totem.hold: 13 ms may not be less than 14 ms"),
        ({"join_timeout_ms": 3601}, "totem.consensus: 3600 ms may not be less than join"),
        ({"token_warning_percent": 101}, "totem.token_warning: 101 is more than a hundred"),
        ({"max_network_delay_ms": 5}, "totem.max_network_delay: 5 ms may not be less"),
    ],
)
def test_timeouts_that_cannot_work(totem, fault):
    assert faults(**totem)[0].startswith(f"f:4: {fault}")


def test_shortest_timeouts_that_work():
    assert faults(token_timeout_ms=126, token_hold_timeout_ms=14, join_timeout_ms=30) == []


def test_a_short_consensus_is_a_warning():
    report = Report("f")
    config = TotemConfig(path="totem", consensus_timeout_ms=3599)
    check_timing(config, totem_timing(config, 2), report)
    assert not report.faults
    assert "less than 1.2 * token (3600 ms)" in report.warnings[0]
