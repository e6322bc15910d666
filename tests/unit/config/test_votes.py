"""What the quorum section comes to."""

import pytest

from corosync_tw.config.load import load_text, service_params
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.votequorum.params import DeviceParams, TieBreaker, TieBreakerRule
from tests.unit.config.hosts import conf, host

NODES = [(n, f"ring0_addr: 192.168.1.{n}") for n in (1, 2, 3)]
WEIGHED = [(n, f"ring0_addr: 192.168.1.{n}", f"quorum_votes: {n}") for n in (1, 2, 3)]


def services(quorum, nodes=NODES):
    rest = f"quorum {{\nprovider: corosync_votequorum\n{quorum}\n}}"
    return service_params(load_text(conf(nodes=nodes, rest=rest), "f", host()))


@pytest.mark.parametrize(
    ("quorum", "nodes", "expected"),
    [
        ("", NODES, 3),
        ("", WEIGHED, 6),
        ("expected_votes: 7", NODES, 7),
        ("expected_votes: 7\nexpected_votes_tracking: 1", NODES, 3),
        ("expected_votes: 7\nallow_downscale: 1", WEIGHED, 6),
        ("device {\nmodel: net\n}", NODES, 5),
        ("device {\nmodel: net\nvotes: 1\n}", NODES, 3),
        ("expected_votes: 5\ndevice {\nmodel: net\nvotes: 2\n}", NODES, 5),
    ],
)
def test_expected_votes(quorum, nodes, expected):
    assert services(quorum, nodes).expected_votes == expected


@pytest.mark.parametrize(
    ("quorum", "rule"),
    [
        ("", TieBreakerRule()),
        ("auto_tie_breaker: 1", TieBreakerRule(TieBreaker.LOWEST)),
        (
            "auto_tie_breaker: 1\nauto_tie_breaker_node: highest",
            TieBreakerRule(TieBreaker.HIGHEST),
        ),
        (
            "auto_tie_breaker: 1\nauto_tie_breaker_node: 3 1",
            TieBreakerRule(TieBreaker.LIST, (3, 1)),
        ),
        ("auto_tie_breaker: 0\nauto_tie_breaker_node: 3 1", TieBreakerRule()),
    ],
)
def test_tie_breaker(quorum, rule):
    assert services(quorum).tie_breaker == rule


def test_device():
    assert services("").device is None
    assert services("device {\nvotes: 1\n}").device is None
    device = services("device {\nmodel: net\ntimeout: 5\nsync_timeout: 7\n}").device
    assert device == DeviceParams(2, 5 * NS_PER_MS, 7 * NS_PER_MS)


def test_the_other_rules():
    params = services("last_man_standing: 1\nlast_man_standing_window: 20\nwait_for_all: 1")
    assert (params.last_man_standing, params.last_man_standing_window_ns) == (True, 20 * NS_PER_MS)
    assert params.listed_votes == 3
    assert not params.tracks_expected_votes
    assert services("allow_downscale: 1").tracks_expected_votes
    assert params.voting().wait_for_all is True
