"""Which node of the list we are, and how repeated troubles are reported."""

import pytest

from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.identity import NodeEntry, address_is_local, find_local_node
from corosync_tw.daemon.troubles import Troubles

ONE = NodeEntry(1, "alpha", "10.0.0.1")
TWO = NodeEntry(2, "beta.example.org", "10.0.0.2")
THREE = NodeEntry(3, "", "gamma.example.org")
NODES = [ONE, TWO, THREE]


def find(local=(), host="elsewhere", **more):
    return find_local_node(NODES, hostname=host, is_local=lambda a: a in local, **more)


def test_only_local_address_decides():
    assert find({"10.0.0.2"}) is TWO


@pytest.mark.parametrize(
    ("host", "node"),
    [
        ("alpha", ONE),
        ("alpha.example.org", ONE),
        ("beta.example.org", TWO),
        ("beta", TWO),
        ("gamma", THREE),
        ("gamma.example.org", THREE),
    ],
)
def test_host_name_decides(host, node):
    assert find(host=host) is node
    assert find({entry.address for entry in NODES}, host=host) is node


def test_bindnetaddr_decides_between_local_ones():
    assert find({"10.0.0.1", "10.0.0.2"}, bindnetaddr="10.0.0.2") is TWO


def test_bindnetaddr_of_another_machine_decides_nothing():
    assert find({"10.0.0.1"}, bindnetaddr="10.0.0.2") is ONE


@pytest.mark.parametrize(
    ("wanted", "node"), [("1", ONE), ("alpha", ONE), ("3", THREE), ("beta.example.org", TWO)]
)
def test_command_line_decides_before_all(wanted, node):
    assert find({"10.0.0.2"}, wanted=wanted) is node


def test_several_local_ones_name_the_option():
    with pytest.raises(DaemonError) as caught:
        find({"10.0.0.1", "10.0.0.2"})
    assert caught.value.code == ExitCode.MAINCONFIGREAD
    assert "2 entries have an address of this machine" in str(caught.value)
    assert "1 (alpha) 10.0.0.1, 2 (beta.example.org) 10.0.0.2" in str(caught.value)
    assert "--node NAME_OR_ID" in str(caught.value)


def test_no_local_one_says_so_in_stocks_words():
    with pytest.raises(DaemonError, match="No valid name found for local host") as caught:
        find()
    assert caught.value.code == ExitCode.MAINCONFIGREAD


def test_unknown_wanted_lists_what_there_is():
    with pytest.raises(DaemonError, match=r"--node 9: no such node.*3 gamma.example.org"):
        find(wanted="9")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "localhost"])
def test_loopback_is_local(address):
    assert address_is_local(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "", "no such name", "a" * 70 + ".b"])
def test_other_addresses_are_not_local(address):
    assert not address_is_local(address)


def test_troubles_are_limited_and_counted():
    lines = []
    now = [0]
    troubles = Troubles(lines.append, lambda: now[0], interval_ns=10)
    troubles.add("a", "first")
    troubles.add("a", "second", 5)
    troubles.add("b", "other", 3)
    now[0] = 9
    troubles.add("a", "third")
    now[0] = 10
    troubles.add("a", "fourth")
    assert lines == ["first", "other (2 more like it)", "fourth (6 more like it)"]
