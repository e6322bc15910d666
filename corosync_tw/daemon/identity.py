"""
Which entry of the nodelist we are.

Stock takes the first entry that bears the host's name, then one whose address is on an interface.
With several nodes on one machine every entry can be local; then the command line (``--node``) or
``totem.interface.bindnetaddr`` says which one is meant, and nothing is guessed.
Source: Corosync exec/totemconfig.c, find_local_node and nodelist_byname.
"""

import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from corosync_tw.daemon.exitcodes import DaemonError, ExitCode

IsLocal = Callable[[str], bool]


class NodeEntry(NamedTuple):
    """
    One node of the nodelist.

    :ivar name: empty when the file gives none.
    :ivar address: ring0_addr as written: an address or a host name.
    """

    nodeid: int
    name: str
    address: str

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"{self.nodeid}{name} {self.address}"


def address_is_local(address: str) -> bool:
    """
    Tell whether this machine can send from ``address``, a host name included.

    Asking the kernel to bind finds 127.0.0.2, which no list of interfaces shows.
    """
    if not address:
        return False
    try:
        found = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, _, sockaddr in found:
        try:
            with socket.socket(family, kind, protocol) as sock:
                sock.bind(sockaddr)
        except OSError:
            continue
        return True
    return False


def find_local_node(
    entries: Sequence[NodeEntry],
    wanted: str | None = None,
    bindnetaddr: str = "",
    hostname: str | None = None,
    is_local: IsLocal = address_is_local,
) -> NodeEntry:
    """
    Find our entry.

    :param wanted: a name or a node id of the command line.
    :param bindnetaddr: as configured; empty when it is not.
    Raises: DaemonError with MAINCONFIGREAD, whose text lists the entries to choose from.
    """
    if wanted is not None:
        return _named(entries, wanted)
    host = socket.gethostname() if hostname is None else hostname
    local = [entry for entry in entries if is_local(entry.address)]
    for candidates in (
        [entry for entry in local if entry.address == bindnetaddr],
        _of_host(local or entries, host),
        local,
    ):
        if len(candidates) == 1:
            return candidates[0]
    listed = ", ".join(str(entry) for entry in local or entries)
    if local:
        raise DaemonError(
            ExitCode.MAINCONFIGREAD,
            f"nodelist: {len(local)} entries have an address of this machine: {listed}."
            " Say which one this node is with --node NAME_OR_ID.",
        )
    raise DaemonError(
        ExitCode.MAINCONFIGREAD,
        "No valid name found for local host: no entry of the nodelist has a name or ring0_addr of"
        f" this machine ({host}): {listed}. Correct nodelist.node.ring0_addr, or add the address to"
        " an interface.",
    )


def _named(entries: Sequence[NodeEntry], wanted: str) -> NodeEntry:
    for entry in entries:
        if wanted in {entry.name, str(entry.nodeid)}:
            return entry
    listed = ", ".join(str(entry) for entry in entries) or "none"
    raise DaemonError(
        ExitCode.MAINCONFIGREAD,
        f"--node {wanted}: no such node in the nodelist; it has: {listed}.",
    )


def _of_host(entries: Sequence[NodeEntry], host: str) -> list[NodeEntry]:
    """Return the entries that bear the host's name, ever shorter forms of it included."""
    names = {host}
    while "." in host:
        host = host.rpartition(".")[0]
        names.add(host)
    exact = [entry for entry in entries if names & {entry.name, entry.address}]
    if exact:
        return exact
    return [
        entry
        for entry in entries
        if host in {entry.name.partition(".")[0], entry.address.partition(".")[0]}
    ]
