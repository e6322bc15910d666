"""Redundant rings: several networks under udp and udpu."""

import pytest

from corosync_tw.config.diff import plan_change
from corosync_tw.config.keys import config_keys
from corosync_tw.config.live import with_live_keys
from corosync_tw.config.load import frame_len_bytes_max, load_text, rrp_params
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.errors import ConfigError
from corosync_tw.totem.rrp.params import RrpMode
from tests.unit.config.hosts import conf, host

MACHINE = host("here", "192.168.1.1/24", "10.1.0.1/16", "10.2.0.1/16")
TWO = [
    (1, "name: one", "ring0_addr: 192.168.1.1", "ring1_addr: 10.1.0.1"),
    (2, "name: two", "ring0_addr: 192.168.1.2", "ring1_addr: 10.1.0.2"),
]
THREE = [(n, *lines, f"ring2_addr: 10.2.0.{n}") for n, *lines in TWO]
RING = "interface {{\nringnumber: {0}\nbindnetaddr: {1}\nmcastaddr: 239.1.1.{0}\n{2}\n}}\n"


def load(content):
    return load_text(content, "f", MACHINE)


def faults(content):
    with pytest.raises(ConfigError) as caught:
        load(content)
    return caught.value.faults


def legacy(*rings, totem="rrp_mode: passive\ntransport: udp"):
    blocks = "".join(RING.format(number, *ring) for number, ring in enumerate(rings))
    return f"totem {{\nversion: 2\n{totem}\n{blocks}}}\n".encode()


def addresses(config):
    return [[str(member.address) for member in link.members] for link in config.membership.links]


@pytest.mark.parametrize("mode", ["passive", "active"])
@pytest.mark.parametrize("transport", ["udp", "udpu"])
def test_a_nodelist_with_two_addresses_makes_two_networks(mode, transport):
    config = load(conf(transport=transport, nodes=TWO, totem=f"rrp_mode: {mode}"))
    assert config.is_redundant()
    assert addresses(config) == [["192.168.1.1", "192.168.1.2"], ["10.1.0.1", "10.1.0.2"]]
    assert not config.warnings
    if transport == "udp":
        groups = {link.mcast_address for link in config.membership.links}
        assert len(groups) == 2


def test_a_node_is_known_by_its_address_on_any_ring():
    machine = host("here", "10.1.0.2/16")
    nodes = [(n, f"name: x{n}", *lines[1:]) for n, *lines in TWO]
    content = conf(transport="udpu", nodes=nodes, totem="rrp_mode: passive")
    config = load_text(content, "f", machine)
    assert config.nodeid == 2
    assert [str(link.local_address) for link in config.membership.links] == [
        "192.168.1.2",
        "10.1.0.2",
    ]
    with pytest.raises(ConfigError, match="No valid name found for local host"):
        load_text(conf(transport="knet", nodes=nodes), "f", machine)


def test_a_file_of_1x_has_two_rings():
    config = load(legacy(("192.168.1.0", ""), ("10.1.0.0", "")))
    assert [str(link.local_address) for link in config.membership.links] == [
        "192.168.1.1",
        "10.1.0.1",
    ]
    assert config.nodeid == 0xC0A80101
    assert [str(link.mcast_address) for link in config.membership.links] == [
        "239.1.1.0",
        "239.1.1.1",
    ]
    keys = config_keys(config)
    assert keys["totem.interface.0.bindnetaddr"].value == "192.168.1.0"
    assert keys["totem.interface.1.bindnetaddr"].value == "10.1.0.0"


def members(*texts):
    return "".join(f"member {{\nmemberaddr: {text}\n}}\n" for text in texts)


UNICAST = "rrp_mode: passive\ntransport: udpu"


def test_the_members_of_each_ring_of_1x_are_the_same_nodes_in_the_same_order():
    config = load(
        legacy(
            ("192.168.1.0", members("192.168.1.1", "192.168.1.2")),
            ("10.1.0.0", members("10.1.0.1", "10.1.0.2")),
            totem=UNICAST,
        )
    )
    assert addresses(config) == [["192.168.1.1", "192.168.1.2"], ["10.1.0.1", "10.1.0.2"]]
    for link in config.membership.links:
        assert [member.nodeid for member in link.members] == [0xC0A80101, 0xC0A80102]


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (("10.1.0.1",), "ring 1 lists 1 members, ring 0 lists 2: list the same nodes"),
        (("10.1.0.2", "10.1.0.1"), "our address 10.1.0.1 is not in the place that 192.168.1.1"),
        ((), "udpu needs a nodelist"),
    ],
)
def test_members_of_1x_that_do_not_match(second, fault):
    content = legacy(
        ("192.168.1.0", members("192.168.1.1", "192.168.1.2")),
        ("10.1.0.0", members(*second)),
        totem=UNICAST,
    )
    assert fault in faults(content)[0]


@pytest.mark.parametrize(
    ("totem", "nodes", "fault"),
    [
        ("", TWO, "totem.interface: link 1 is too much, udpu has only link 0: write ring0_addr"),
        ("rrp_mode: both", TWO, '"both" is unknown, should be none, passive, active or'),
        ("rrp_mode: active-passive", TWO, "active-passive needs 3 networks, there are 2"),
        ("rrp_mode: active-passive\nrrp_copies: 3", THREE, "3 is not possible, should be 2 to 2"),
        ("rrp_mode: active\nrrp_problem_count_threshold: 1", TWO, "1 may not be less than 2"),
        (
            "rrp_mode: passive\nrrp_problem_count_mcast_threshold: 1",
            TWO,
            "totem.rrp_problem_count_mcast_threshold: 1 may not be less than 2",
        ),
        ("rrp_mode: passive\nrrp_problem_count_timeout: 9", TWO, "9 ms may not be less than 30 ms"),
        (
            "rrp_mode: passive",
            [(n, a, b, c.replace("ring1", "ring3")) for n, a, b, c in TWO],
            "ring 1 is missing, number redundant rings from 0 without a gap",
        ),
        (
            "rrp_mode: passive",
            [(n, a, b, b.replace("ring0", "ring1")) for n, a, b, _ in TWO],
            "rings 0 and 1 both have our address 192.168.1.1",
        ),
    ],
)
def test_rings_that_cannot_work(totem, nodes, fault):
    assert any(fault in text for text in faults(conf(nodes=nodes, totem=totem)))


def test_groups_and_ports_differ():
    same = "interface {\nlinknumber: 0\nmcastaddr: 239.1.1.1\nmcastport: 5405\n}\n"
    totem = f"rrp_mode: active\n{same}{same.replace(': 0', ': 1').replace('5405', '5406')}"
    content = conf(transport="udp", nodes=TWO, totem=totem)
    assert "Interfaces multicast address/port pair must differ" in faults(content)[0]
    config = load(conf(transport="udp", nodes=TWO, totem=totem.replace("5406", "5407")))
    assert [link.port for link in config.membership.links] == [5405, 5407]


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (conf(totem="rrp_mode: passive"), "totem.rrp_mode: passive has no effect with one network"),
        (
            conf(transport="knet", totem="rrp_mode: passive"),
            "f:5: totem.rrp_mode: has no effect, knet has links of its own: use link_mode",
        ),
        (
            conf(totem="rrp_problem_count_threshold: 5"),
            'rrp_problem_count_threshold: has no effect without "rrp_mode: passive"',
        ),
        (
            conf(nodes=TWO, totem="rrp_mode: active\nrrp_copies: 2"),
            "rrp_copies: has no effect with rrp_mode active",
        ),
    ],
)
def test_directives_without_effect(content, warning):
    assert any(warning in text for text in load(content).warnings)


def test_no_rings_is_no_matter():
    assert not load(conf(totem="rrp_mode: none")).warnings


def test_frames_fit_all_networks():
    machine = host("here", "192.168.1.1/24", "fd00::1/64")
    nodes = [
        (1, "name: one", "ring0_addr: 192.168.1.1", "ring1_addr: fd00::1"),
        (2, "name: two", "ring0_addr: 192.168.1.2", "ring1_addr: fd00::2"),
    ]
    config = load_text(conf(nodes=nodes, totem="rrp_mode: passive"), "f", machine)
    assert frame_len_bytes_max(config) == 1452


def test_parameters_of_the_layer():
    totem = (
        "rrp_mode: active-passive\nrrp_problem_count_threshold: 4\nrrp_autorecovery_tests: 5\n"
        "rrp_hold_down: 100\ntoken: 100\ntoken_coefficient: 0\n"
        "token_retransmits_before_loss_const: 2"
    )
    config = load(conf(nodes=THREE, totem=totem))
    params = rrp_params(config, 9)
    assert (params.mode, params.networks, params.copies) == (RrpMode.ACTIVE_PASSIVE, 3, 2)
    assert (params.my_id, params.seed, params.clean_tests) == (1, 9, 5)
    assert (params.problem_count_threshold, params.problem_count_mcast_threshold) == (4, 40)
    assert params.hold_down_ns == 100 * NS_PER_MS
    # Both nodes together wait for half of the token's timeout at most.
    assert params.token_expired_timeout_ns == 25 * NS_PER_MS
    keys = config_keys(config)
    assert keys["runtime.config.totem.rrp_token_expired_timeout"].value == 25
    assert keys["runtime.config.totem.rrp_problem_count_mcast_threshold"].value == 40


def test_the_ways_of_a_token_are_short_by_default():
    assert rrp_params(
        load(conf(nodes=TWO, totem="rrp_mode: active")), 0
    ).token_expired_timeout_ns == (47 * NS_PER_MS)


def test_rings_come_and_go_with_a_restart_alone():
    old = load(conf(nodes=THREE, totem="rrp_mode: active"))
    new = load(conf(nodes=TWO, totem="rrp_mode: active"))
    change, faults = plan_change(old, config_keys(old), new)
    assert change is None
    assert "there are 2 rings in the file, but this node runs with 3" in faults[0]


def test_the_mode_stays_and_thresholds_change():
    old = load(conf(nodes=TWO, totem="rrp_mode: active"))
    new = load(conf(nodes=TWO, totem="rrp_mode: passive\nrrp_problem_count_threshold: 5"))
    change, faults = plan_change(old, config_keys(old), new)
    assert not faults
    assert "totem.rrp_mode" in change.kept[0]
    assert change.config.totem.rrp_mode == "active"
    assert change.config.totem.rrp_problem_count_threshold == 5


def test_what_a_client_sets_is_checked():
    config = load(conf(nodes=TWO, totem="rrp_mode: active"))
    key = "totem.rrp_problem_count_threshold"
    changed, _ = with_live_keys(config, {key: "5"})
    assert changed.totem.rrp_problem_count_threshold == 5
    assert with_live_keys(config, {key: "1"}) == (
        None,
        ["totem.rrp_problem_count_threshold: 1 may not be less than 2"],
    )
