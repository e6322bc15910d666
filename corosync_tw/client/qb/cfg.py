"""
What libcfg offers: state of nodes and links, shutdown, reload.

Source: Corosync lib/cfg.c.
"""

import socket
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from corosync_tw.client.qb.connection import Connection, connect
from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.errors import CsNameTooLong, CsNotSupported
from corosync_tw.services.cfg.lib_wire import (
    ADDRESS_LEN,
    ADDRS,
    ADDRS_RESPONSE_LEN,
    COUNT,
    INTERFACE_NAME_LEN,
    INTERFACE_STATUS_LEN,
    INTERFACES_MAX,
    KILLNODE,
    LINK,
    LINKS_MAX,
    LOCAL_GET,
    NODE_STATUS,
    NODE_STATUS_V1,
    NODESTATUS,
    NODESTATUS_RESPONSE_LEN,
    NODESTATUS_VERSION_RESPONSE_LEN,
    NUMBER,
    RINGSTATUS_RESPONSE_LEN,
    CfgRequest,
)
from corosync_tw.services.lib_requests import RESPONSE_HEADER_LEN

LOCAL_GET_RESPONSE_LEN: Final = 32
REASON_LEN_MAX: Final = 255


class Shutdown(IntFlag):
    """How a node may be shut down (corosync_cfg_shutdown_flags_t)."""

    REQUEST = 0
    REGARDLESS = 1
    IMMEDIATE = 2


@dataclass(frozen=True, slots=True)
class Link:
    """
    A link to another node.

    :ivar number: of the link, 0 to 7.
    """

    number: int
    enabled: bool
    connected: bool
    dynconnected: bool
    mtu_bytes: int
    src_address: str
    dst_address: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """
    A node as this one sees it (struct corosync_cfg_node_status_v1).

    :ivar links: all eight, by number.
    """

    nodeid: int
    reachable: bool
    remote: bool
    external: bool
    onwire_min: int
    onwire_max: int
    onwire_ver: int
    links: tuple[Link, ...]


class Cfg:
    """A connection to the service; methods raise CsError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def local_nodeid(self) -> int:
        """Ask for this node's id."""
        answer = self._connection.request(
            CfgRequest.LOCAL_GET, least_len=RESPONSE_HEADER_LEN + LOCAL_GET.size
        )
        nodeid: int = LOCAL_GET.unpack_from(answer, RESPONSE_HEADER_LEN)[0]
        return nodeid

    def node_status(self, nodeid: int) -> NodeStatus:
        """
        Ask what this node knows of another.

        Raises: CsNotSupported when the daemon answers in another version.
        """
        answer = self._connection.request(
            CfgRequest.NODESTATUSGET,
            NODESTATUS.pack(nodeid, NODE_STATUS_V1),
            NODESTATUS_VERSION_RESPONSE_LEN,
        )
        version = NODE_STATUS.unpack_from(answer.ljust(NODESTATUS_RESPONSE_LEN), 24)[0]
        if version != NODE_STATUS_V1 or len(answer) < NODESTATUS_RESPONSE_LEN:
            raise CsNotSupported(f"node status in version {version}")
        return _node_status(answer)

    def ring_status(self) -> list[tuple[str, str]]:
        """Ask for this node's links, each with its name and a text of its state."""
        answer = self._connection.request(
            CfgRequest.RINGSTATUSGET, least_len=RINGSTATUS_RESPONSE_LEN
        )
        count = COUNT.unpack_from(answer, RESPONSE_HEADER_LEN)[0]
        if count > INTERFACES_MAX:
            raise ForeignBytes(f"{count} links, {INTERFACES_MAX} are allowed")
        names_at = RESPONSE_HEADER_LEN + COUNT.size
        states_at = names_at + INTERFACES_MAX * INTERFACE_NAME_LEN
        return [
            (
                _text(answer, names_at + number * INTERFACE_NAME_LEN, INTERFACE_NAME_LEN),
                _text(answer, states_at + number * INTERFACE_STATUS_LEN, INTERFACE_STATUS_LEN),
            )
            for number in range(count)
        ]

    def node_addresses(self, nodeid: int) -> list[str | None]:
        """Ask for a node's addresses; None stands for a link that has none."""
        answer = self._connection.request(
            CfgRequest.GET_NODE_ADDRS, NUMBER.pack(nodeid), ADDRS_RESPONSE_LEN
        )
        family, count = ADDRS.unpack_from(answer, RESPONSE_HEADER_LEN)
        lengths = {socket.AF_INET: 4, socket.AF_INET6: ADDRESS_LEN}
        if count > INTERFACES_MAX or len(answer) < ADDRS_RESPONSE_LEN + count * ADDRESS_LEN:
            raise ForeignBytes(f"{count} addresses in {len(answer)} bytes")
        if family not in lengths:
            raise ForeignBytes(f"addresses of family {family}")
        fields = (
            answer[at : at + lengths[family]]
            for at in range(
                ADDRS_RESPONSE_LEN, ADDRS_RESPONSE_LEN + count * ADDRESS_LEN, ADDRESS_LEN
            )
        )
        return [socket.inet_ntop(family, field) if any(field) else None for field in fields]

    def kill_node(self, nodeid: int, reason: str) -> None:
        """
        Have a node end its daemon.

        Raises: CsNameTooLong, CsError.
        """
        data = reason.encode()
        if len(data) > REASON_LEN_MAX:
            raise CsNameTooLong(f"a reason of {len(data)} bytes")
        # The length counts the closing zero (lib/cfg.c corosync_cfg_kill_node).
        self._connection.request(
            CfgRequest.KILLNODE, KILLNODE.pack(nodeid, len(data) + 1, data + b"\0")
        )

    def try_shutdown(self, how: Shutdown) -> None:
        """
        Shut this node down.

        Raises: CsBusy when a client objected; CsExist while another shutdown is under way.
        """
        self._connection.request(CfgRequest.TRYSHUTDOWN, NUMBER.pack(how))

    def reenable_rings(self) -> None:
        """
        Have all nodes use all of their networks again.

        Raises: CsNotSupported without redundant rings.
        """
        self._connection.request(CfgRequest.RINGREENABLE)

    def reload(self) -> None:
        """Have all nodes read their configuration again."""
        self._connection.request(CfgRequest.RELOAD_CONFIG)

    def reopen_log_files(self) -> None:
        """Have this node open its log files again."""
        self._connection.request(CfgRequest.REOPEN_LOG_FILES)


def _node_status(answer: bytes) -> NodeStatus:
    _, nodeid, reachable, remote, external, low, high, used = NODE_STATUS.unpack_from(
        answer, RESPONSE_HEADER_LEN
    )
    links_at = RESPONSE_HEADER_LEN + NODE_STATUS.size
    links = tuple(
        _link(number, answer, links_at + number * LINK.size) for number in range(LINKS_MAX)
    )
    return NodeStatus(nodeid, bool(reachable), bool(remote), bool(external), low, high, used, links)


def _link(number: int, answer: bytes, offset: int) -> Link:
    enabled, connected, dynconnected, mtu_bytes, src, dst = LINK.unpack_from(answer, offset)
    return Link(
        number,
        bool(enabled),
        bool(connected),
        bool(dynconnected),
        mtu_bytes,
        _text(src, 0, len(src)),
        _text(dst, 0, len(dst)),
    )


def _text(data: bytes, offset: int, length: int) -> str:
    return data[offset : offset + length].partition(b"\0")[0].decode(errors="replace")


def connect_cfg(timeout_s: float | None = None) -> Cfg:
    """Connect to this machine's daemon. Raises: CsError."""
    return Cfg(connect("cfg", timeout_s))
