"""What a changed file may do to the links of knet."""

from dataclasses import replace

import pytest

from corosync_tw.config.diff import plan_change
from corosync_tw.config.keys import config_keys
from corosync_tw.config.load import (
    KNET_FRAME_LEN_BYTES,
    KNET_NETMTU_BYTES,
    frame_len_bytes_max,
    load_text,
)
from tests.unit.config.hosts import conf, host

ONE = (1, "name: a", "ring0_addr: 192.168.1.1")
TWO = (2, "name: b", "ring0_addr: 192.168.1.2")
BOTH = [(*ONE, "ring1_addr: 192.168.2.1"), (*TWO, "ring1_addr: 192.168.2.2")]


def load(nodes=None, totem="", running_nodeid=0):
    here = host("here", "192.168.1.1/24", "192.168.2.1/24")
    here = replace(here, running_nodeid=running_nodeid)
    content = conf(transport="knet", nodes=nodes or BOTH, totem=totem)
    return load_text(content, "corosync.conf", here)


def interface(number, *lines):
    return "interface {\n" + f"linknumber: {number}\n" + "".join(f"{x}\n" for x in lines) + "}\n"


def plan(old, new):
    change, faults = plan_change(old, config_keys(old), new)
    assert faults == []
    return change


def test_a_link_goes_and_comes_back():
    change = plan(load(), load([ONE, TWO]))
    assert [link.linknumber for link in change.config.membership.links] == [0]
    assert change.kept == ()
    assert "totem.interface.1.bindnetaddr" not in change.keys
    back = plan(change.config, load(totem=interface(1, "mcastport: 6000")))
    assert [(link.linknumber, link.port) for link in back.config.membership.links] == [
        (0, 5405),
        (1, 6000),
    ]
    assert back.kept == ()
    assert back.keys["totem.interface.1.mcastport"].value == 6000


def test_link_0_goes_and_the_node_that_runs_is_known_by_its_nodeid():
    without = [(*ONE[:2], BOTH[0][-1]), (*TWO[:2], BOTH[1][-1])]
    change = plan(load(), load(without, running_nodeid=1))
    (link,) = change.config.membership.links
    assert (link.linknumber, str(link.local_address)) == (1, "192.168.2.1")
    assert change.keys["nodelist.local_node_pos"].value == 0


def test_timers_and_priority_of_a_link_change():
    new = load(totem=interface(1, "knet_link_priority: 5", "knet_ping_interval: 200"))
    change = plan(load(), new)
    assert change.kept == ()
    (first,) = change.config.totem.interfaces
    assert (first.linknumber, first.knet_link_priority, first.knet_ping_interval_ms) == (1, 5, 200)
    assert change.keys["totem.interface.1.knet_link_priority"].value == 5
    assert change.keys["runtime.config.totem.interface.1.knet_ping_interval"].value == 200
    again = plan(change.config, load())
    assert again.config.totem.interfaces[0].knet_link_priority == 1
    assert again.keys["runtime.config.totem.interface.1.knet_ping_interval"].value == 750


def test_the_port_of_a_link_that_stays_is_the_one_it_has():
    old = load(totem=interface(0, "mcastport: 6000", "knet_link_priority: 2"))
    change = plan(old, load(totem=interface(0, "mcastport: 7000", "knet_link_priority: 3")))
    assert change.config.membership.links[0].port == 6000
    assert change.config.totem.interfaces[0].mcastport == 6000
    assert change.config.totem.interfaces[0].knet_link_priority == 3
    (line,) = change.kept
    assert "'totem.interface.0.mcastport'" in line
    assert plan(old, load()).config.membership.links[0].port == 6000


def test_another_carrier_of_a_link_is_refused_and_of_a_new_link_is_not():
    sctp = load(totem=interface(0, "knet_transport: sctp"))
    old = load()
    change, faults = plan_change(old, config_keys(old), sctp)
    assert change is None
    assert "link 0 runs over udp: to reconfigure an interface it must be" in faults[0]


@pytest.mark.parametrize(
    ("totem", "length"),
    [
        ("", KNET_FRAME_LEN_BYTES),
        ("netmtu: 9000", 9000),
        ("netmtu: 65536", KNET_NETMTU_BYTES),
        ("netmtu: 99999", KNET_NETMTU_BYTES),
    ],
)
def test_frames_are_as_long_as_a_message_of_knet(totem, length):
    assert frame_len_bytes_max(load(totem=totem)) == length
