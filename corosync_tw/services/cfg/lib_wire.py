"""
Requests, responses and events of libcfg, native byte order and alignment.

Source: Corosync include/corosync/ipc_cfg.h, include/corosync/cfg.h, corotypes.h cs_name_t,
exec/totemip.h TOTEMIP_ADDRLEN.
"""

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.errors import CsInvalidParam, CsNameTooLong
from corosync_tw.services.cfg.facts import Interface, IpAddress, LinkState, NodeState
from corosync_tw.services.exec_wire import CS_MAX_NAME_LENGTH
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER_LEN,
    RESPONSE_HEADER,
    RESPONSE_HEADER_LEN,
    response,
)

INTERFACES_MAX: Final = 16
INTERFACE_NAME_LEN: Final = 128
INTERFACE_STATUS_LEN: Final = 512
LINKS_MAX: Final = 8
HOST_LEN: Final = 256
ADDRESS_LEN: Final = 16
NODE_STATUS_V1: Final = 1
# Address families of Linux, in what the library makes sockaddrs of.
AF_INET: Final = 2
AF_INET6: Final = 10


class CfgRequest(IntEnum):
    """Ids of requests (enum req_lib_cfg_types)."""

    RINGSTATUSGET = 0
    RINGREENABLE = 1
    KILLNODE = 2
    TRYSHUTDOWN = 3
    REPLYTOSHUTDOWN = 4
    GET_NODE_ADDRS = 5
    LOCAL_GET = 6
    RELOAD_CONFIG = 7
    REOPEN_LOG_FILES = 8
    NODESTATUSGET = 9
    TRACKSTART = 10
    TRACKSTOP = 11


class CfgResponse(IntEnum):
    """Ids of responses and of the event TESTSHUTDOWN (enum res_lib_cfg_types)."""

    RINGSTATUSGET = 0
    RINGREENABLE = 1
    STATETRACKSTART = 2
    STATETRACKSTOP = 3
    KILLNODE = 8
    TRYSHUTDOWN = 9
    TESTSHUTDOWN = 10
    GET_NODE_ADDRS = 11
    LOCAL_GET = 12
    REPLYTOSHUTDOWN = 13
    RELOAD_CONFIG = 14
    REOPEN_LOG_FILES = 15
    NODESTATUSGET = 16


# A number behind the header and padding to 8 bytes: nodeid, flags or response at 16.
NUMBER: Final = Struct("=16xI4x")
# nodeid@16, cs_name_t at 24: length u16, value char[256] at 26, padding.
KILLNODE: Final = Struct(f"=16xI4xH{CS_MAX_NAME_LENGTH}s6x")
# nodeid@16, version@24
NODESTATUS: Final = Struct("=16xI4xI4x")
# uint8_t track_flags@16, read by nobody
TRACKSTART_LEN: Final = 24

# count@24, names at 32, statuses at 2080
COUNT: Final = Struct("=I4x")
RINGSTATUS_RESPONSE_LEN: Final = 10272
# family@24, num_addrs@28, addresses of 16 bytes at 32
ADDRS: Final = Struct("=II")
ADDRS_RESPONSE_LEN: Final = 32
# version@24, nodeid@28, six bytes at 32, padding: the links are at 40
NODE_STATUS: Final = Struct("=II6B2x")
# enabled, connected, dynconnected, mtu@4, source@8, destination@264
LINK: Final = Struct(f"=3BxI{HOST_LEN}s{HOST_LEN}s")
NODESTATUS_RESPONSE_LEN: Final = 4200
# header, version@24
NODESTATUS_VERSION_RESPONSE_LEN: Final = 32
LOCAL_GET: Final = Struct("=I4x")
# flags@24
TEST_SHUTDOWN: Final = Struct("=I4x")

assert NUMBER.size == TRACKSTART_LEN == 24
assert KILLNODE.size == 288
assert NODESTATUS.size == 32
assert REQUEST_HEADER_LEN == 16
assert (
    RESPONSE_HEADER_LEN + COUNT.size + INTERFACES_MAX * (INTERFACE_NAME_LEN + INTERFACE_STATUS_LEN)
) == RINGSTATUS_RESPONSE_LEN
assert (RESPONSE_HEADER_LEN + NODE_STATUS.size + LINKS_MAX * LINK.size) == NODESTATUS_RESPONSE_LEN


class KillRequest(NamedTuple):
    """Kill a node; ``reason`` with its NUL, as the client wrote it."""

    nodeid: int
    reason: bytes


class NodeStatusRequest(NamedTuple):
    """Describe a node in a version of the struct."""

    nodeid: int
    version: int


def decode_number(data: bytes) -> int:
    """Read the one number of TRYSHUTDOWN, REPLYTOSHUTDOWN and GET_NODE_ADDRS."""
    number: int = NUMBER.unpack_from(data)[0]
    return number


def decode_kill(data: bytes) -> KillRequest:
    """
    Read KILLNODE.

    Raises CsInvalidParam: the reason's length is beyond its field.
    """
    nodeid, length, value = KILLNODE.unpack_from(data)
    if length > CS_MAX_NAME_LENGTH:
        raise CsInvalidParam(f"a reason of {length} bytes")
    return KillRequest(nodeid, value[:length])


def decode_node_status(data: bytes) -> NodeStatusRequest:
    """Read NODESTATUSGET."""
    return NodeStatusRequest(*NODESTATUS.unpack_from(data))


def encode_ring_status(interfaces: Sequence[Interface]) -> bytes:
    """
    Answer RINGSTATUSGET.

    Raises CsNameTooLong: an address or a status does not fit its field.
    """
    assert len(interfaces) <= INTERFACES_MAX
    names = b"".join(
        _text(f"{interface.number} {interface.address}", INTERFACE_NAME_LEN)
        for interface in interfaces
    )
    statuses = b"".join(_text(interface.status, INTERFACE_STATUS_LEN) for interface in interfaces)
    return response(
        CfgResponse.RINGSTATUSGET,
        COUNT.pack(len(interfaces))
        + names.ljust(INTERFACES_MAX * INTERFACE_NAME_LEN, b"\0")
        + statuses.ljust(INTERFACES_MAX * INTERFACE_STATUS_LEN, b"\0"),
    )


def _text(text: str, length: int) -> bytes:
    data = text.encode()
    if len(data) >= length:
        raise CsNameTooLong(f"{text!r} has no room in {length} bytes")
    return data.ljust(length, b"\0")


def encode_node_addresses(addresses: Sequence[IpAddress]) -> bytes:
    """Answer GET_NODE_ADDRS; the family is that of the first address."""
    family = AF_INET6 if addresses[0].version == 6 else AF_INET
    return response(
        CfgResponse.GET_NODE_ADDRS,
        ADDRS.pack(family, len(addresses))
        + b"".join(address.packed.ljust(ADDRESS_LEN, b"\0") for address in addresses),
    )


def encode_node_status(nodeid: int, state: NodeState) -> bytes:
    """Answer NODESTATUSGET in version 1."""
    assert len(state.links) <= LINKS_MAX
    head = NODE_STATUS.pack(
        NODE_STATUS_V1,
        nodeid,
        state.reachable,
        state.remote,
        state.external,
        state.onwire_min,
        state.onwire_max,
        state.onwire_ver,
    )
    links = b"".join(map(_link, state.links))
    return response(CfgResponse.NODESTATUSGET, head + links.ljust(LINKS_MAX * LINK.size, b"\0"))


def _link(link: LinkState) -> bytes:
    return LINK.pack(
        link.enabled,
        link.connected,
        link.dynconnected,
        link.mtu_bytes,
        link.src_address.encode()[: HOST_LEN - 1],
        link.dst_address.encode()[: HOST_LEN - 1],
    )


def encode_local(nodeid: int) -> bytes:
    """Answer LOCAL_GET."""
    return response(CfgResponse.LOCAL_GET, LOCAL_GET.pack(nodeid))


def encode_test_shutdown(flags: int, error: int) -> bytes:
    """Write the event TESTSHUTDOWN."""
    body = TEST_SHUTDOWN.pack(flags)
    size = RESPONSE_HEADER_LEN + len(body)
    return RESPONSE_HEADER.pack(CfgResponse.TESTSHUTDOWN, size, error) + body
