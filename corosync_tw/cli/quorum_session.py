"""
The connections of corosync-quorumtool, and what it asks them to lay out a cluster.

Source: Corosync tools/corosync-quorumtool.c init_all, using_votequorum, node_name.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from corosync_tw.cli.stock_run import complain, fail
from corosync_tw.client.qb.cfg import Cfg, connect_cfg
from corosync_tw.client.qb.cmap import Cmap, connect_cmap
from corosync_tw.client.qb.quorum import Quorum, connect_quorum
from corosync_tw.client.qb.votequorum import Votequorum, connect_votequorum
from corosync_tw.errors import CsError
from corosync_tw.services.cmap.wire import ValueType

VOTEQUORUM: Final = "corosync_votequorum"
_NODEID_KEY: Final = re.compile(r"nodelist\.node\.(\d+)\.nodeid", re.ASCII)
# _POSIX_HOST_NAME_MAX, with the NUL.
_NAME_LEN_MAX: Final = 254

_T = TypeVar("_T")


@dataclass(slots=True)
class Session:
    """
    Connections to the services.

    :ivar provider: what decides quorum; None when nothing does.
    :ivar votequorum: None when something else decides.
    :ivar our_nodeid: 0 without votequorum.
    """

    cmap: Cmap
    quorum: Quorum
    cfg: Cfg
    provider: str | None = None
    votequorum: Votequorum | None = None
    our_nodeid: int = 0


def open_session() -> Session:
    """
    Connect.

    Raises: Ended.
    """
    session = Session(
        _connected(connect_cmap, "Cannot initialize CMAP service"),
        _connected(connect_quorum, "Cannot initialize QUORUM service"),
        _connected(connect_cfg, "Cannot initialise CFG service"),
    )
    if not session.quorum.is_free():
        session.provider = _provider(session.cmap)
    if session.provider == VOTEQUORUM:
        session.votequorum = _connected(connect_votequorum, "Cannot initialise VOTEQUORUM service")
        session.our_nodeid = _our_nodeid(session.cmap)
    return session


def _connected(connect: Callable[[], _T], complaint: str) -> _T:
    try:
        return connect()
    except CsError:
        fail(complaint)


def _provider(cmap: Cmap) -> str | None:
    try:
        value = cmap.get("quorum.provider")
    except CsError:
        return None
    return str(value.value) if value.kind is ValueType.STRING else None


def _our_nodeid(cmap: Cmap) -> int:
    try:
        nodeid = cmap.get_number("runtime.votequorum.this_node_id", ValueType.UINT32)
    except CsError:
        nodeid = None
    if nodeid is None:
        fail("Unable to retrieve this_node_id")
    return nodeid


def node_name(session: Session, nodeid: int, *, numeric: bool, all_addresses: bool) -> str:
    """
    Name a node: as the nodelist does, else by its first address, resolved.

    :param numeric: by address, unresolved.
    :param all_addresses: and the addresses of its other links.
    """
    name = "" if numeric else _name_by_nodelist(session.cmap, nodeid)
    try:
        addresses = session.cfg.node_addresses(nodeid)
    except CsError as fault:
        complain(f"Unable to get node address for nodeid {nodeid}: {fault.name}")
        return ""
    for link, address in enumerate(addresses if all_addresses else addresses[:1]):
        if address is not None and (link or not name):
            name += ", " * bool(link) + _resolved(address, numeric)
    return name


def _name_by_nodelist(cmap: Cmap, nodeid: int) -> str:
    try:
        matches = [_NODEID_KEY.fullmatch(key.name) for key in cmap.keys("nodelist.node.")]
    except CsError:
        return ""
    for match in matches:
        name = match and _name_at(cmap, match[1], nodeid)
        if name is not None:
            return name[:_NAME_LEN_MAX]
    return ""


def _name_at(cmap: Cmap, position: str, nodeid: int) -> str | None:
    """Read the name of a position of the nodelist, if that is the node's."""
    try:
        if cmap.get_number(f"nodelist.node.{position}.nodeid", ValueType.UINT32) != nodeid:
            return None
        value = cmap.get(f"nodelist.node.{position}.name")
    except CsError:
        return None
    return str(value.value) if value.kind is ValueType.STRING else None


def _resolved(address: str, numeric: bool) -> str:
    try:
        return socket.getnameinfo((address, 0), socket.NI_NUMERICHOST if numeric else 0)[0]
    except OSError:
        return ""
