"""
libqb's connection as bytes: the handshake, a ring in shared memory, the control file.

Native byte order; both ends run on one machine. Source: libqb 2.0.6 lib/ipc_int.h
struct qb_ipc_connection_request, qb_ipc_connection_response; lib/ringbuffer_int.h
struct qb_ringbuffer_shared_s, lib/ringbuffer.c; lib/ipc_socket.c struct ipc_us_control.
"""

from struct import Struct
from typing import Final

PATH_MAX: Final = 4096
MSG_AUTHENTICATE: Final = -1
TYPE_SOCKET: Final = 0
TYPE_SHM: Final = 1

# id, size, max_msg_size
CONNECTION_REQUEST: Final = Struct("=i4xi4xI4x")
# id, size, error, connection_type, max_msg_size, connection, request, response, event
CONNECTION_RESPONSE: Final = Struct(f"=i4xi4xi4xiIq{PATH_MAX}s{PATH_MAX}s{PATH_MAX}s")
# pid, uid, gid
CREDENTIALS: Final = Struct("=3i")

# A ring's header; the first four are 32-bit words, by index.
WRITE_PT: Final = 0
READ_PT: Final = 1
WORD_SIZE: Final = 2
REF_COUNT: Final = 8204 // 4
SEMAPHORE_OFFSET: Final = 8208
FLOW_CONTROL: Final = 8240 // 4
RING_HEADER_LEN: Final = 8248
CHUNK_HEADER_WORDS: Final = 2
# What is kept free behind a chunk, and the byte that keeps the pointers apart.
CHUNK_MARGIN: Final = 12
CHUNK_COMMITTED: Final = 0xA1A1A1A1
CHUNK_ALLOCATED: Final = 0xA110CED0
CHUNK_RECLAIMED: Final = 0xD0D0D0D0

CONTROL_LEN: Final = 24
# As a 32-bit word of the control file, by index: of the requests' record.
CONTROL_FLOW_CONTROL: Final = 1
SOCKET_ADDRESS_LEN: Final = 108

assert (CONNECTION_REQUEST.size, CONNECTION_RESPONSE.size) == (24, 12328)
