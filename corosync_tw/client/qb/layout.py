"""
A ring in shared memory and the control file of sockets, where the client's end looks.

Source: libqb 2.0.6 lib/ringbuffer_int.h struct qb_ringbuffer_shared_s, lib/ringbuffer.c;
lib/ipc_socket.c struct ipc_us_control.
"""

from typing import Final

# A ring's header; all but the semaphore are 32-bit words, by index.
WRITE_PT: Final = 0
READ_PT: Final = 1
WORD_SIZE: Final = 2
REF_COUNT: Final = 8204 // 4
SEMAPHORE_OFFSET: Final = 8208
FLOW_CONTROL: Final = 8240 // 4
RING_HEADER_LEN: Final = 8248
CHUNK_HEADER_WORDS: Final = 2
# What is kept free behind a chunk, bytes.
CHUNK_MARGIN: Final = 12
CHUNK_COMMITTED: Final = 0xA1A1A1A1
CHUNK_ALLOCATED: Final = 0xA110CED0
CHUNK_RECLAIMED: Final = 0xD0D0D0D0

CONTROL_LEN: Final = 24
# As a 32-bit word of the control file, by index: of the requests' record.
CONTROL_FLOW_CONTROL: Final = 1
