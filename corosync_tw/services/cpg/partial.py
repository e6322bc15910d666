"""
Messages that a client library sends in parts, because they are larger than one message may be.

Corosync's daemon hands the parts to the client and libcpg puts them together, without a check of
lengths; so a part is handed on only if it belongs to a message that was begun and fits it. Clients
that want whole messages have them put together here.
Source: Corosync lib/cpg.c cpg_dispatch, MESSAGE_RES_CPG_PARTIAL_DELIVER_CALLBACK.
Deviation: parts that do not fit what was announced are dropped; with Corosync they overflow the
buffers of libcpg.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.services.cpg.wire import PartialMcast, PartialType

PARTIAL_MESSAGE_LEN_MAX: Final = 64 * 1024 * 1024
PARTIAL_BYTES_MAX: Final = 256 * 1024 * 1024
# Messages under way at once.
STREAMS_MAX: Final = 4096


class PartialKey(NamedTuple):
    """A sending connection; ``conn`` is whatever number its node gave it."""

    group: bytes
    nodeid: int
    pid: int
    conn: int


class Progress(NamedTuple):
    """
    What a part was.

    :ivar sound: it continues or begins a message properly.
    :ivar receivers: connections for which the message is complete now.
    """

    sound: bool
    receivers: tuple[int, ...] = ()
    whole: Buffer = b""


@dataclass(slots=True)
class _Stream:
    """A message under way; ``data`` stays empty when nobody wants it whole."""

    msglen: int
    receivers: tuple[int, ...]
    received: int = 0
    data: bytearray = field(default_factory=bytearray)


_UNSOUND: Final = Progress(False)
_SOUND: Final = Progress(True)


class PartialAssembler:
    """
    Unfinished messages, one a sending connection.

    :ivar dropped: messages given up: too large, too many, or not as long as announced.
    """

    def __init__(self) -> None:
        self._streams: dict[PartialKey, _Stream] = {}
        self._held_bytes = 0
        self.dropped = 0

    def add(self, nodeid: int, part: PartialMcast, receivers: tuple[int, ...]) -> Progress:
        """
        Take a part.

        :param receivers: connections in the group now that want whole messages. Who joined after
        the first part does not get the message.
        """
        key = PartialKey(part.group, nodeid, part.pid, part.conn)
        if part.kind == PartialType.FIRST:
            self._begin(key, part.msglen, receivers)
        stream = self._streams.get(key)
        if stream is None:
            return _UNSOUND
        length = len(part.data)
        stream.received += length
        last = part.kind == PartialType.LAST
        if stream.received > stream.msglen or (last and stream.received < stream.msglen):
            self.dropped += 1
            self._discard(key)
            return _UNSOUND
        if stream.receivers:
            self._collect(stream, part.data)
        if not last:
            return _SOUND
        self._discard(key)
        still_there = set(receivers)
        complete = tuple(c for c in stream.receivers if c in still_there)
        return Progress(True, complete, memoryview(stream.data))

    def forget_process(self, group: bytes, nodeid: int, pid: int) -> None:
        """Drop what a process that left had begun."""
        for key in [k for k in self._streams if k[:3] == (group, nodeid, pid)]:
            self._discard(key)

    def _begin(self, key: PartialKey, msglen: int, receivers: tuple[int, ...]) -> None:
        self._discard(key)
        if len(self._streams) >= STREAMS_MAX:
            self.dropped += 1
            return
        if receivers and msglen > PARTIAL_MESSAGE_LEN_MAX:
            self.dropped += 1
            receivers = ()
        self._streams[key] = _Stream(msglen, receivers)

    def _collect(self, stream: _Stream, data: Buffer) -> None:
        if self._held_bytes + len(data) > PARTIAL_BYTES_MAX:
            self.dropped += 1
            self._held_bytes -= len(stream.data)
            stream.receivers = ()
            stream.data = bytearray()
            return
        stream.data += data
        self._held_bytes += len(data)

    def _discard(self, key: PartialKey) -> None:
        stream = self._streams.pop(key, None)
        if stream is not None:
            self._held_bytes -= len(stream.data)
