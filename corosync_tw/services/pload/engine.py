"""
The pload service: on command all nodes send so many messages, then tell how long it took and end.

Called by the stack alone. Source: Corosync exec/pload.c.
Deviation: a size that no message can have is limited by every node; Corosync reads beyond its
buffer when another node names one.
"""

from typing import Final

from corosync_tw.corotypes import MESSAGE_SIZE_MAX, NS_PER_S, Buffer
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.effects import FatalError
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ExecHandler, ServiceBus
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.pload.wire import (
    PloadFunction,
    PloadStart,
    decode_start,
    encode_mcast,
    encode_start,
)

# exec/util.h COROSYNC_DONE_PLOAD
EXIT_CODE: Final = 99
# What totempg takes, less its group name.
SIZE_BYTES_MAX: Final = MESSAGE_SIZE_MAX - 1024
# Messages queued at one visit of the token, so that a node never works long at a stretch.
BURST_MSGS: Final = 1000
_SUBSYS: Final = "PLOAD"
_BYTES_PER_MB: Final = 1024 * 1024


class PloadEngine:
    """
    The service of one node.

    :ivar running: a START was delivered; another is ignored.
    :ivar sent: of our own; likewise delivered, of all nodes.
    """

    service_id: int = ServiceId.PLOAD
    name = "corosync profile loading service"

    def __init__(self, bus: ServiceBus) -> None:
        self._bus = bus
        self.running = False
        self.sent = 0
        self.delivered = 0
        self._wanted = 0
        self._size_bytes = 0
        self._message: tuple[bytes, bytes] = (b"", b"")
        self._began_ns = 0

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {PloadFunction.START: self.on_start, PloadFunction.MCAST: self.on_mcast}

    def start(self, count: int, size_bytes: int) -> None:
        """
        Tell all nodes to begin, unless they have.

        Raises CsTryAgain: the queue is full.
        """
        if not self.running:
            self._bus.emit(LogLine(_SUBSYS, "warning", "Starting pload!"))
            self._bus.mcast((encode_start(PloadStart(count, size_bytes)),))

    def send_more(self) -> None:
        """Send the next burst; called when the token was passed on."""
        if not self.running:
            return
        for _ in range(min(BURST_MSGS, self._wanted - self.sent)):
            try:
                self._bus.mcast(self._message, bulk=True)
            except CsTryAgain:
                return
            self.sent += 1

    def on_start(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Begin to send; raises MalformedFrame."""
        del nodeid, seq
        start = decode_start(data, big_endian)
        if self.running:
            return
        self.running = True
        self._wanted = start.msg_count
        self._size_bytes = min(start.size_bytes, SIZE_BYTES_MAX)
        self._message = encode_mcast(self._size_bytes)
        self.send_more()

    def on_mcast(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Count a message of any node; the last one ends this process."""
        del nodeid, seq, data, big_endian
        if not self.delivered:
            self._began_ns = self._bus.now_ns
        self.delivered += 1
        if self.delivered == self._wanted:
            elapsed_s = max(self._bus.now_ns - self._began_ns, 1) / NS_PER_S
            self._bus.emit(LogLine(_SUBSYS, "notice", self._figures(elapsed_s)))
            text = "Stopping corosync the hard way"
            self._bus.emit(
                FatalError(text, EXIT_CODE, leave_first=False, subsys=_SUBSYS, level="warning")
            )

    def _figures(self, elapsed_s: float) -> str:
        rate = self.delivered / elapsed_s
        mb_per_s = rate * self._size_bytes / _BYTES_PER_MB
        return (
            f"{self.delivered:5d} Writes {self._size_bytes} bytes per write {elapsed_s:7.3f} "
            f"seconds runtime, {rate:9.3f} TP/S, {mb_per_s:9.3f} MB/S."
        )
