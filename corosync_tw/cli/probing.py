"""What comes back from the ports of nodes that are not in the ring."""

import errno
import socket
import time
from collections.abc import Collection
from typing import Final

from corosync_tw.diagnosis.cluster import Reach
from corosync_tw.net.errors import NetError
from corosync_tw.net.ifaddr import socket_address

# An address that nobody has is known after three questions, one a second.
WITHIN_S: Final = 4.0
# A host tells once a second or so that a port is closed, and the daemons ask it, too.
AGAIN_S: Final = 0.05
PROBES_MAX: Final = 256
_REACHES: Final = {
    errno.ECONNREFUSED: Reach.PORT_CLOSED,
    errno.EHOSTUNREACH: Reach.NO_HOST,
    errno.ENETUNREACH: Reach.NO_ROUTE,
}


def probe(ports: Collection[tuple[str, int]], within_s: float = WITHIN_S) -> dict[str, Reach]:
    """
    Send empty datagrams to each port, which no daemon minds, until its host says something.

    Blocks for ``within_s`` at most.
    :return: by address; NOTHING for those that say nothing.
    """
    found: dict[str, Reach] = {}
    open_ones: dict[str, socket.socket] = {}
    try:
        for address, port in list(ports)[:PROBES_MAX]:
            found[address] = _open(open_ones, address, port)
        until_s = time.monotonic() + within_s
        while open_ones and time.monotonic() < until_s:
            for address, sock in list(open_ones.items()):
                found[address] = _ask(sock)
                if found[address] is not Reach.NOTHING:
                    open_ones.pop(address).close()
            time.sleep(AGAIN_S)
    finally:
        for sock in open_ones.values():
            sock.close()
    return found


def _open(open_ones: dict[str, socket.socket], address: str, port: int) -> Reach:
    try:
        family, where = socket_address(address, port)
    except NetError:
        return Reach.NO_ROUTE
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.connect(where)
    except OSError as fault:
        sock.close()
        return _REACHES.get(fault.errno or 0, Reach.NO_ROUTE)
    open_ones[address] = sock
    return Reach.NOTHING


def _ask(sock: socket.socket) -> Reach:
    """Send once more; both calls raise what the host, or ours, said about an earlier one."""
    try:
        sock.send(b"")
        sock.recv(1)
    except BlockingIOError:
        return Reach.NOTHING
    except OSError as fault:
        return _REACHES.get(fault.errno or 0, Reach.NOTHING)
    return Reach.NOTHING
