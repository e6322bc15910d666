"""
Bytes that libqb's clients and servers exchange, and the names they give to files and sockets.

Native byte order and 8-byte alignment, since both ends run on one machine. Source: libqb 2.0.6
lib/ipc_int.h, lib/ringbuffer_int.h, lib/ipc_socket.c, lib/ipc_setup.c; include/qb/qbipc_common.h.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

PATH_LEN_BYTES: Final = 4096

# id, size, max_msg_size
CONNECTION_REQUEST: Final = Struct("=i4xi4xI4x")
# id, size, error, connection type, max_msg_size, connection, paths
CONNECTION_RESPONSE: Final = Struct("=i4xi4xi4xiIq4096s4096s4096s")

MSG_AUTHENTICATE: Final = -1
MSG_DISCONNECT: Final = -3

# pid, uid, gid of SCM_CREDENTIALS
CREDENTIALS: Final = Struct("=iII")

# An address is the whole sockaddr_un; a shorter one would be another name.
ABSTRACT_NAME_LEN_BYTES: Final = 108

# A ring's header, beside its documentation in ``ring``; by 32-bit word but for the semaphore.
WORD_LEN_BYTES: Final = 4
WRITE_PT_WORD: Final = 0
READ_PT_WORD: Final = 1
WORD_SIZE_WORD: Final = 2
REF_COUNT_WORD: Final = 8204 // WORD_LEN_BYTES
SEM_OFFSET: Final = 8208
USER_DATA_WORD: Final = 8240 // WORD_LEN_BYTES
RING_HEADER_LEN_BYTES: Final = 8252

CHUNK_HEADER_WORDS: Final = 2
# What a writer wants free beyond the bytes themselves: a chunk's header and a word to fill up.
CHUNK_MARGIN_BYTES: Final = 12
MAGIC_ALLOCATED: Final = 0xA110CED0
MAGIC_COMMITTED: Final = 0xA1A1A1A1
MAGIC_DEAD: Final = 0xD0D0D0D0

# The control file of sockets: sent and flow_control of requests, responses and events.
CONTROL: Final = Struct("=iiiiii")
CONTROL_FLOW_CONTROL_WORD: Final = 1

# Makes clients look for sockets in the file system.
FORCE_FILESYSTEM_SOCKETS: Final = "/etc/libqb/force-filesystem-sockets"

assert (CONNECTION_REQUEST.size, CONNECTION_RESPONSE.size) == (24, 12328)


class IpcType(IntEnum):
    """The transports of the connection response (libqb: enum qb_ipc_type)."""

    SOCKET = 0
    SHM = 1


class Paths(NamedTuple):
    """
    What the response names; each transport has its own use for the three.

    :ivar request: SHM: of the ring, without ``-header``; SOCKET: the control file.
    :ivar response: SHM: of the ring; SOCKET: base name of the datagram sockets.
    :ivar event: SHM: of the ring; SOCKET: empty.
    """

    request: str
    response: str
    event: str


class Peer(NamedTuple):
    """
    Who connects, as the kernel vouches for it.

    :ivar pid: 0 when it lives in a pid namespace that we cannot see.
    """

    pid: int
    uid: int
    gid: int


class Site(NamedTuple):
    """
    Where a connection's files and sockets are made, and for whom.

    :ivar base: what all names begin with.
    :ivar service: what they end with, or nearly.
    :ivar max_msg_size: of the longest message either way, bytes with its header.
    """

    base: str
    service: str
    max_msg_size: int
    peer: Peer


def refusal(errno_code: int) -> bytes:
    """Make the response that denies a connection: as long as any, with nothing but the error."""
    return CONNECTION_RESPONSE.pack(
        MSG_AUTHENTICATE, CONNECTION_RESPONSE.size, -errno_code, 0, 0, 0, b"", b"", b""
    )


def welcome(ipc_type: IpcType, max_msg_size: int, conn: int, paths: Paths) -> bytes:
    """Make the response that grants a connection."""
    return CONNECTION_RESPONSE.pack(
        MSG_AUTHENTICATE,
        CONNECTION_RESPONSE.size,
        0,
        ipc_type,
        max_msg_size,
        conn,
        *(path.encode() for path in paths),
    )


def abstract_address(name: str) -> bytes:
    """Give the address of an abstract socket as libqb spells it."""
    return (b"\0" + name.encode()).ljust(ABSTRACT_NAME_LEN_BYTES, b"\0")
