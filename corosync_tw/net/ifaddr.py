"""
Addresses: from names and networks in corosync.conf to the literal address a socket binds to.

The functions block for a moment (name look-up, a dump of the kernel's address table); they are for
start-up and for rare events, never for the path of a datagram.

Source: Corosync exec/totemip.c, totemip_parse and totemip_iface_check; Linux rtnetlink(7).
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from corosync_tw import features
from corosync_tw.net.errors import NetError, system_text

IFF_UP: Final = 0x1
IFF_LOOPBACK: Final = 0x8
IFF_RUNNING: Final = 0x40

_RTM_NEWLINK: Final = 16
_RTM_GETLINK: Final = 18
_RTM_NEWADDR: Final = 20
_RTM_GETADDR: Final = 22
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_DUMP_REQUEST: Final = 0x301
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4

_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_LINK: Final = struct.Struct("=BxHiII")
_ADDRESS: Final = struct.Struct("=BBBBI")
_U32: Final = struct.Struct("=I")
_DUMP_LEN_BYTES: Final = 1 << 18
# Dumps come in pieces of some kilobytes; a machine with more pieces has no sane address table.
_DUMP_PIECES_MAX: Final = 4096

SockAddr = tuple[str, int] | tuple[str, int, int, int]


class InterfaceAddress(NamedTuple):
    """
    One address of one interface of this machine.

    :ivar address: literal, as the kernel prints it.
    :ivar prefix_len: bits of the network part.
    :ivar ifindex: of the interface.
    :ivar flags: of the interface, IFF_*.
    :ivar mtu: of the interface, bytes.
    """

    address: str
    prefix_len: int
    ifindex: int
    name: str
    flags: int
    mtu: int

    @property
    def is_up(self) -> bool:
        """Whether the interface is switched on and has a carrier."""
        return self.flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING


def socket_address(address: str, port: int) -> tuple[socket.AddressFamily, SockAddr]:
    """
    Turn a literal address into what the socket calls take.

    :raises NetError: it is not a literal IPv4 or IPv6 address.
    """
    try:
        found = socket.getaddrinfo(
            address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, UnicodeError) as cause:
        raise NetError(
            address, port, "not an IPv4 or IPv6 address", "Correct it in corosync.conf"
        ) from cause
    family, _, _, _, sockaddr = found[0]
    assert family in {socket.AF_INET, socket.AF_INET6}
    # A machine built without IPv6 would give bytes here; we refuse such families above.
    host, *rest = sockaddr
    assert isinstance(host, str)
    if family == socket.AF_INET:
        return family, (host, port)
    return family, (host, port, 0, int(rest[2]))


def udp_socket(family: int) -> socket.socket:
    """
    Open a UDP socket.

    Raises: OSError; where IPv6 was taken away, the one that a system without it gives.
    """
    if family == socket.AF_INET6 and features.is_off("ipv6"):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    return socket.socket(family, socket.SOCK_DGRAM)


_FAMILIES: Final = {
    "ipv4": (socket.AF_INET,),
    "ipv6": (socket.AF_INET6,),
    "ipv4-6": (socket.AF_INET, socket.AF_INET6),
    "ipv6-4": (socket.AF_INET6, socket.AF_INET),
}


def resolve_host(name: str, ip_version: str = "ipv6-4") -> str:
    """
    Find the literal address of a host name; a literal is given back as it is printed.

    :param ip_version: as in corosync.conf: ipv4, ipv6, ipv4-6, ipv6-4, the wanted family first.
    :raises NetError: the name has no address of such a family.
    """
    problem = f"the host name {name!r} has no address"
    for family in _FAMILIES[ip_version]:
        try:
            found = socket.getaddrinfo(name, 0, family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as cause:
            words = system_text(cause) if isinstance(cause, OSError) else str(cause)
            problem = f"the host name {name!r} has no address ({words})"
            continue
        return str(found[0][4][0])
    raise NetError(
        "",
        0,
        problem,
        f"Add it to /etc/hosts, use an address, or correct ip_version ({ip_version})",
    )


def bind_address_for(
    bindnetaddr: str, addresses: list[InterfaceAddress] | None = None
) -> InterfaceAddress:
    """
    Find the local address that a bindnetaddr means: itself, or one whose network it is.

    :param addresses: of this machine; asked from the kernel when None.
    :raises NetError: no interface has such an address.
    """
    wanted = ipaddress.ip_address(socket_address(bindnetaddr, 0)[1][0])
    if addresses is None:
        addresses = local_addresses()
    candidates = [a for a in addresses if ipaddress.ip_address(a.address).version == wanted.version]
    for candidate in candidates:
        if ipaddress.ip_address(candidate.address) == wanted:
            return candidate
    for candidate in candidates:
        network = ipaddress.ip_network((candidate.address, candidate.prefix_len), strict=False)
        if candidate.flags & IFF_UP and wanted in network:
            # An address of the network stands for the network, unless it is one of ours as well.
            own = bindnetaddr if _is_bindable(bindnetaddr) else candidate.address
            return candidate._replace(address=own)
    known = ", ".join(f"{a.address}/{a.prefix_len} on {a.name}" for a in candidates) or "none"
    raise NetError(
        bindnetaddr,
        0,
        "no interface of this machine has that address or network",
        f"Known are: {known}; correct ring0_addr or bindnetaddr in corosync.conf",
    )


def _is_bindable(address: str) -> bool:
    """Tell whether sockets can have the address: all of 127.0.0.0/8 can, listed or not."""
    family, sockaddr = socket_address(address, 0)
    try:
        with udp_socket(family) as sock:
            sock.bind(sockaddr)
    except OSError:
        return False
    return True


def may_be_ours(address: str) -> bool:
    """
    Where ``local_addresses`` may lack some, find out whether an address is ours by binding to it.

    :return: False where the system has rtnetlink, and all are listed.
    :raises NetError: the address is not literal.
    """
    try:
        AddressTable().close()
    except NetError:
        return _is_bindable(address)
    return False


def interface_of(address: str, addresses: list[InterfaceAddress]) -> InterfaceAddress | None:
    """Find the interface that carries a literal address; that of 127.0.0.0/8 is the loopback."""
    literal, _, scope = address.partition("%")
    for candidate in addresses:
        if candidate.address == literal and scope in {"", candidate.name, str(candidate.ifindex)}:
            return candidate
    parsed = ipaddress.ip_address(literal)
    if parsed.is_loopback and parsed.version == 4:
        for candidate in addresses:
            if candidate.flags & IFF_LOOPBACK and "." in candidate.address:
                return candidate._replace(address=address)
    return None


def local_addresses() -> list[InterfaceAddress]:
    """
    List the addresses of this machine (of this network name space).

    Where the system has no rtnetlink, those that it has under its own name, each as its own
    network, and the loopback; of their interfaces nothing is known then.
    """
    try:
        table = AddressTable()
    except NetError:
        return _addresses_by_name()
    try:
        return table.read()
    finally:
        table.close()


def _addresses_by_name() -> list[InterfaceAddress]:
    flags = IFF_UP | IFF_LOOPBACK
    found = [
        InterfaceAddress("127.0.0.1", 8, 0, "lo", flags, 0),
        InterfaceAddress("::1", 128, 0, "lo", flags, 0),
    ]
    with contextlib.suppress(OSError):
        for answer in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_DGRAM):
            literal = ipaddress.ip_address(str(answer[4][0]).partition("%")[0])
            if not literal.is_loopback and str(literal) not in {one.address for one in found}:
                bits = literal.max_prefixlen
                found.append(InterfaceAddress(str(literal), bits, 0, "?", IFF_UP, 0))
    return [one for one in found if _is_bindable(one.address)]


class AddressTable:
    """
    The kernel's address table, seen through a socket that stays in its network name space.

    Reading never waits: the kernel answers a dump within the call that asks for it.
    """

    def __init__(self) -> None:
        """
        Open the socket.

        :raises NetError: the system has no rtnetlink.
        """
        family = None if features.is_off("netlink") else getattr(socket, "AF_NETLINK", None)
        if family is None:
            raise NetError("", 0, "this system has no rtnetlink", "Give literal addresses instead")
        try:
            self._sock = socket.socket(family, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self._sock.bind((0, 0))
        except OSError as cause:
            raise NetError(
                "", 0, f"cannot read the address table: {system_text(cause)}", "Check the sandbox"
            ) from cause
        self._sock.setblocking(False)
        self._seq = 0

    def read(self) -> list[InterfaceAddress]:
        """List all addresses; an address whose interface vanished meanwhile is left out."""
        links = {}
        for body in self._dump(_RTM_GETLINK, _RTM_NEWLINK):
            _, _, index, flags, _ = _LINK.unpack_from(body)
            attributes = dict(_attributes(body[_LINK.size :]))
            name = attributes.get(_IFLA_IFNAME, b"?").rstrip(b"\0").decode(errors="replace")
            mtu = _U32.unpack(attributes.get(_IFLA_MTU, bytes(4)))[0]
            links[index] = (name, flags, mtu)
        addresses = []
        for body in self._dump(_RTM_GETADDR, _RTM_NEWADDR):
            family, prefix_len, _, _, index = _ADDRESS.unpack_from(body)
            attributes = dict(_attributes(body[_ADDRESS.size :]))
            # On a point-to-point link IFA_ADDRESS is the other end.
            packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS))
            if packed is None or index not in links:
                continue
            if family in {socket.AF_INET, socket.AF_INET6}:
                address = socket.inet_ntop(family, packed)
                addresses.append(InterfaceAddress(address, prefix_len, index, *links[index]))
        return addresses

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _dump(self, request: int, answer: int) -> Iterator[bytes]:
        self._seq += 1
        # Family 0 asks for all; the kernel takes the short form of the request body.
        body = bytes(_LINK.size)
        header = _HEADER.pack(_HEADER.size + len(body), request, _DUMP_REQUEST, self._seq, 0)
        self._sock.sendto(header + body, (0, 0))
        for _ in range(_DUMP_PIECES_MAX):
            piece = self._sock.recv(_DUMP_LEN_BYTES)
            at = 0
            while at + _HEADER.size <= len(piece):
                length, kind, _, seq, _ = _HEADER.unpack_from(piece, at)
                if length < _HEADER.size:
                    return
                if seq == self._seq:
                    if kind in {_NLMSG_DONE, _NLMSG_ERROR}:
                        return
                    if kind == answer:
                        yield piece[at + _HEADER.size : at + length]
                at += (length + 3) & ~3


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind, content[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
