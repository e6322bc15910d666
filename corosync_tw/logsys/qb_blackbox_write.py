"""
Writing blackbox files that stock's qb-blackbox reads.

The messages stand one behind the other from the first word of a ring that is a little larger, so
that a reader need not share our page size. A text is stored as the argument of ``%s``, which no
per cent sign in it can spoil; a long one goes on in further messages.

Source: libqb 2.0.6 lib/log_blackbox.c qb_log_blackbox_print_from_file, for the limits of the
reader; lib/ringbuffer.c qb_rb_create_from_file.
"""

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.logsys.qb_blackbox import BlackboxEntry

# Stock keeps 8 MiB (exec/logsys.c, IPC_LOGSYS_SIZE); its reader needs as much in /dev/shm.
BLACKBOX_LEN_BYTES_MAX: Final = 8 * 1024 * 1024
# The reader's buffer is QB_LOG_MAX_LEN, 512; the format "%s" takes three of it.
TEXT_LEN_BYTES_MAX: Final = 500
FUNCTION_LEN_BYTES_MAX: Final = 127
_ROUND_BYTES: Final = 65536
_MAGIC: Final = 0xA1A1A1A1
_FILE_HEADER: Final = struct.pack("=5I", 0, 0xCCBBCCBB, 0xBBCCBBCC, 2, 0)
_FORMAT: Final = b"%s\0"


def write_blackbox(
    entries: Iterable[BlackboxEntry], len_bytes_max: int = BLACKBOX_LEN_BYTES_MAX
) -> bytes:
    """Return the bytes of a file with the last of the entries, as many as there is room for."""
    kept: deque[bytes] = deque()
    kept_bytes = 0
    for entry in entries:
        for chunk in _chunks(entry):
            kept.append(chunk)
            kept_bytes += len(chunk)
        while kept_bytes > len_bytes_max:
            kept_bytes -= len(kept.popleft())
    ring_bytes = (kept_bytes // _ROUND_BYTES + 1) * _ROUND_BYTES
    words, write_pt, read_pt, version = ring_bytes // 4, kept_bytes // 4, 0, 1
    header = struct.pack(
        "=5I", words, write_pt, read_pt, version, words + write_pt + read_pt + version
    )
    return b"".join((_FILE_HEADER, header, *kept, bytes(ring_bytes - kept_bytes)))


def _chunks(entry: BlackboxEntry) -> Iterator[bytes]:
    function = entry.function.encode("utf-8", "backslashreplace")[:FUNCTION_LEN_BYTES_MAX]
    function = function.replace(b"\0", b"?") + b"\0"
    seconds, ns = divmod(entry.time_ns, NS_PER_S)
    # A C timespec, which is two longs.
    stamp = struct.pack("@2l", seconds, ns)
    for text in _pieces(entry.text):
        message = _FORMAT + text + b"\0"
        body = b"".join(
            (
                struct.pack("=IIBI", entry.line_no, entry.tag, entry.level, len(function)),
                function,
                stamp,
                struct.pack("=I", len(message)),
                message,
            )
        )
        yield struct.pack("=2I", len(body), _MAGIC) + body + bytes(-len(body) % 4)


def _pieces(text: str) -> Iterator[bytes]:
    """Cut a text into pieces that the reader can hold, between characters."""
    rest = text.replace("\0", "?").encode("utf-8", "backslashreplace")
    while len(rest) > TEXT_LEN_BYTES_MAX:
        end = TEXT_LEN_BYTES_MAX
        while end > TEXT_LEN_BYTES_MAX - 4 and rest[end] & 0xC0 == 0x80:
            end -= 1
        yield rest[:end]
        rest = rest[end:]
    yield rest
