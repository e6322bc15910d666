"""What libcfg reads and writes lies where a C compiler put it."""

from ipaddress import ip_address
from struct import calcsize

import pytest

from corosync_tw.services.cfg import lib_wire as wire
from corosync_tw.services.cfg.facts import Interface, LinkState, NodeState
from tests.unit.totem import capture

LAYOUTS = capture.layouts()
NAMES = "interface_name[CFG_MAX_INTERFACES][CFG_INTERFACE_NAME_MAX_LEN]"
STATUSES = "interface_status[CFG_MAX_INTERFACES][CFG_INTERFACE_STATUS_MAX_LEN]"
LINKS = "link_status[CFG_MAX_LINKS]"


def size_of(structure):
    return LAYOUTS[structure][""][1]


def offset_of(structure, field):
    return LAYOUTS[structure][field][0]


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        ("req_lib_cfg_killnode", wire.KILLNODE.size),
        ("req_lib_cfg_tryshutdown", wire.NUMBER.size),
        ("req_lib_cfg_replytoshutdown", wire.NUMBER.size),
        ("req_lib_cfg_get_node_addrs", wire.NUMBER.size),
        ("req_lib_cfg_nodestatusget", wire.NODESTATUS.size),
        ("req_lib_cfg_trackstart", wire.TRACKSTART_LEN),
        ("res_lib_cfg_ringstatusget", wire.RINGSTATUS_RESPONSE_LEN),
        ("res_lib_cfg_nodestatusget_v1", wire.NODESTATUS_RESPONSE_LEN),
        ("res_lib_cfg_nodestatusget_version", wire.NODESTATUS_VERSION_RESPONSE_LEN),
        ("res_lib_cfg_get_node_addrs", wire.ADDRS_RESPONSE_LEN),
        ("res_lib_cfg_local_get", len(wire.encode_local(1))),
        ("res_lib_cfg_testshutdown", len(wire.encode_test_shutdown(0, 1))),
    ],
)
def test_sizes(structure, size):
    assert size == size_of(structure)


@pytest.mark.parametrize(
    ("structure", "field"),
    [
        ("req_lib_cfg_tryshutdown", "flags"),
        ("req_lib_cfg_replytoshutdown", "response"),
        ("req_lib_cfg_get_node_addrs", "nodeid"),
    ],
)
def test_the_one_number(structure, field):
    data = bytearray(size_of(structure))
    data[offset_of(structure, field)] = 5
    assert wire.decode_number(bytes(data)) == 5


def test_kill():
    data = bytearray(size_of("req_lib_cfg_killnode"))
    data[offset_of("req_lib_cfg_killnode", "nodeid")] = 3
    at = offset_of("req_lib_cfg_killnode", "reason")
    # cs_name_t: a length of 16 bits, then the characters.
    data[at : at + 2 + 4] = b"\x04\0abc\0"
    assert wire.decode_kill(bytes(data)) == (3, b"abc\0")


def test_node_status_request():
    data = bytearray(size_of("req_lib_cfg_nodestatusget"))
    data[offset_of("req_lib_cfg_nodestatusget", "nodeid")] = 3
    data[offset_of("req_lib_cfg_nodestatusget", "version")] = 1
    assert wire.decode_node_status(bytes(data)) == (3, 1)


def test_ring_status():
    data = wire.encode_ring_status([Interface(0, "a", "OK"), Interface(1, "b", "bad")])
    assert data[offset_of("res_lib_cfg_ringstatusget", "interface_count")] == 2
    names, statuses = (offset_of("res_lib_cfg_ringstatusget", f) for f in (NAMES, STATUSES))
    assert data[names : names + 4] == b"0 a\0"
    assert data[names + wire.INTERFACE_NAME_LEN :].startswith(b"1 b\0")
    assert data[statuses : statuses + 3] == b"OK\0"
    assert data[statuses + wire.INTERFACE_STATUS_LEN :].startswith(b"bad\0")


def test_node_status():
    link = LinkState(True, True, True, 77, "src", "dst")
    state = NodeState(True, True, True, 1, 2, 3, (LinkState(), link))
    data = wire.encode_node_status(9, state)[
        offset_of("res_lib_cfg_nodestatusget_v1", "node_status") :
    ]
    node = {f: at for f, (at, _) in LAYOUTS["corosync_cfg_node_status_v1"].items()}
    fields = ("version", "nodeid", "reachable", "remote", "external")
    assert [data[node[f]] for f in fields] == [1, 9, 1, 1, 1]
    assert [data[node[f"onwire_{f}"]] for f in ("min", "max", "ver")] == [1, 2, 3]
    inner = LAYOUTS["corosync_knet_link_status_v1"]
    at = node[LINKS] + inner[""][1]
    assert [data[at + inner[f][0]] for f in ("enabled", "connected", "dynconnected", "mtu")] == [
        1,
        1,
        1,
        77,
    ]
    for field, text in (("src_ipaddr", b"src\0"), ("dst_ipaddr", b"dst\0")):
        assert data[at + inner[f"{field}[CFG_MAX_HOST_LEN]"][0] :].startswith(text)
    assert not any(data[node[LINKS] : at])


@pytest.mark.parametrize(("text", "family"), [("10.0.0.1", 2), ("fd00::1", 10)])
def test_node_addresses(text, family):
    address = ip_address(text)
    data = wire.encode_node_addresses([address, address])
    assert data[offset_of("res_lib_cfg_get_node_addrs", "family")] == family
    assert data[offset_of("res_lib_cfg_get_node_addrs", "num_addrs")] == 2
    at = offset_of("res_lib_cfg_get_node_addrs", "addrs[]")
    assert data[at:] == 2 * address.packed.ljust(wire.ADDRESS_LEN, b"\0")


def test_other_responses():
    at = offset_of("res_lib_cfg_local_get", "local_nodeid")
    assert wire.encode_local(7)[at] == 7
    event = wire.encode_test_shutdown(2, 5)
    assert event[offset_of("res_lib_cfg_testshutdown", "flags")] == 2
    assert event[calcsize("=i4xi4x")] == 5
