import socket

import pytest

from corosync_tw.net.errors import NetError
from corosync_tw.net.ifaddr import (
    IFF_LOOPBACK,
    IFF_RUNNING,
    IFF_UP,
    InterfaceAddress,
    bind_address_for,
    interface_of,
    local_addresses,
    resolve_host,
    socket_address,
)

UP = IFF_UP | IFF_RUNNING
LO = InterfaceAddress("127.0.0.1", 8, 1, "lo", UP | IFF_LOOPBACK, 65536)
ETH0 = InterfaceAddress("192.0.2.17", 24, 2, "eth0", UP, 1500)
ETH1 = InterfaceAddress("198.51.100.9", 28, 3, "eth1", 0, 1500)
ETH0_6 = InterfaceAddress("fe80::17", 64, 2, "eth0", UP, 1500)
ETH1_6 = InterfaceAddress("fe80::17", 64, 3, "eth1", UP, 1500)
ALL = [LO, ETH0, ETH1, ETH0_6, ETH1_6]


@pytest.mark.needs("netlink")
def test_the_kernels_table_has_the_loopback():
    (loopback,) = [a for a in local_addresses() if a.address == "127.0.0.1"]
    assert loopback.name == "lo"
    assert loopback.prefix_len == 8
    assert loopback.ifindex == socket.if_nametoindex("lo")
    assert loopback.flags & IFF_LOOPBACK


@pytest.mark.parametrize("bindnetaddr", ["192.0.2.17", "192.0.2.0", "192.0.2.200"])
def test_a_bindnetaddr_is_an_address_or_a_network(bindnetaddr):
    assert bind_address_for(bindnetaddr, ALL) == ETH0


def test_a_network_of_an_interface_that_is_down_is_no_match_but_its_address_is():
    assert bind_address_for("198.51.100.9", ALL) == ETH1
    with pytest.raises(NetError):
        bind_address_for("198.51.100.0", ALL)


def test_every_loopback_address_is_itself():
    assert bind_address_for("127.0.0.5", ALL) == LO._replace(address="127.0.0.5")


def test_an_unknown_network_is_answered_with_those_known():
    with pytest.raises(NetError, match=r"192\.0\.2\.17/24 on eth0.*bindnetaddr"):
        bind_address_for("203.0.113.0", ALL)


def test_link_local_addresses_belong_to_their_interface():
    assert interface_of("fe80::17%eth1", ALL) == ETH1_6
    assert interface_of("fe80::17%2", ALL) == ETH0_6
    assert interface_of("fe80::99", ALL) is None
    assert interface_of("127.0.0.9", ALL) == LO._replace(address="127.0.0.9")


def test_is_up_needs_the_switch_and_the_carrier():
    assert ETH0.is_up
    assert not ETH0._replace(flags=IFF_UP).is_up
    assert not ETH1.is_up


def test_socket_addresses():
    assert socket_address("192.0.2.1", 5405) == (socket.AF_INET, ("192.0.2.1", 5405))
    assert socket_address("2001:DB8:0::1", 1) == (socket.AF_INET6, ("2001:db8::1", 1, 0, 0))
    for wrong in ("node1", "", "1.2.3.4.5", "x" * 300, "\udc80"):
        with pytest.raises(NetError):
            socket_address(wrong, 1)


def test_literals_resolve_to_themselves_in_the_wanted_family():
    assert resolve_host("192.0.2.1", "ipv4") == "192.0.2.1"
    assert resolve_host("192.0.2.1", "ipv6-4") == "192.0.2.1"
    assert resolve_host("2001:db8::1", "ipv4-6") == "2001:db8::1"
    with pytest.raises(NetError, match="ip_version"):
        resolve_host("2001:db8::1", "ipv4")
