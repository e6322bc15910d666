"""
One connection of a C client, between its transport and its service's handler.

Requests are offered in batches. They wait where they are while the service's flow control is on (as
in libqb, which then reads none), and what a handler does not take is kept and offered again.
Events for a client that does not read wait in its queue.
Source: libqb 2.0.6 lib/ipcs.c; Corosync exec/ipc_glue.c msg_send_or_queue, outq_flush.
"""

import traceback
from collections import deque
from typing import Final, Protocol

from corosync_tw.corotypes import Slices
from corosync_tw.errors import CsInvalidParam
from corosync_tw.ipc.qb.layout import MSG_DISCONNECT, Peer
from corosync_tw.ipc.qb.link import Link, LinkEnded, LinkViolation
from corosync_tw.services.lib_interfaces import ClientStats, LibHandler
from corosync_tw.services.lib_requests import REQUEST_HEADER, REQUEST_HEADER_LEN, response

# Events that wait for one client; beyond it the client is dropped.
QUEUE_BYTES_MAX: Final = 64 << 20
# What a queued event costs beside its bytes.
QUEUED_OVERHEAD_BYTES: Final = 64


class Keeper(Protocol):
    """The server, as its connections see it."""

    def serve_now(self, client: "Client") -> None:
        """Call ``client.turn``, at once if there is time."""

    def come_back(self, client: "Client") -> None:
        """Call ``client.turn`` in the next turn of the loop."""

    def kept(self, client: "Client") -> None:
        """Call ``client.offer_again`` when the ring takes requests again."""

    def flush(self) -> None:
        """Wake every client that something was written for."""

    def wrote(self, client: "Client") -> None:
        """Call ``client.flush`` at the end of this run of events."""

    def queued(self, client: "Client", change_bytes: int, *, poll: bool) -> None:
        """Account for queued events, and with ``poll`` call ``client.drain`` again and again."""

    def bury(self, client: "Client", complaint: str) -> None:
        """Close and forget a client, with a word in the log if there is one."""


class Client:
    """
    A connection; LibClient for its handler.

    :ivar closed: nothing is sent or offered any more.
    :ivar queue_bytes: what waits for the client, with overhead.
    """

    def __init__(
        self,
        keeper: Keeper,
        handler: LibHandler,
        link: Link,
        *,
        conn: int,
        peer: Peer,
        procname: str,
    ) -> None:
        self.conn = conn
        self.pid, self.uid, self.gid = peer
        self.procname = procname
        self.stats = ClientStats()
        self.handler = handler
        self.link = link
        self.closed = False
        self.queue_bytes = 0
        self._keeper = keeper
        self._level = 0
        self._kept: list[bytes] = []
        self._queue: deque[bytes] = deque()
        self._dirty = False
        self._ended = False

    # LibClient

    def respond(self, response: bytes) -> None:
        """Answer the request under way; events written before are there first, at all clients."""
        self._keeper.flush()
        if self.closed:
            return
        try:
            if self.link.respond(response):
                self.stats.responses += 1
                return
        except LinkViolation as error:
            self.violated(str(error))
            return
        except LinkEnded:
            return
        self.stats.send_retries += 1
        self.violated("it does not read its responses")

    def event(self, slices: Slices) -> None:
        """Write an event, or queue it."""
        if self.closed:
            return
        if not self._queue and self._write(slices):
            return
        if not self.closed:
            self._enqueue(b"".join(slices))

    def close(self) -> None:
        """Disconnect the client."""
        if not self.closed:
            self._keeper.bury(self, "")

    # LinkUser

    def requests_arrived(self) -> None:
        """Take a turn."""
        self._keeper.serve_now(self)

    def room_appeared(self) -> None:
        """Write what waits."""
        self.drain()

    def ended(self) -> None:
        """Serve what the client said before it went, then forget it."""
        if not self.closed and not self._ended:
            self._ended = True
            self._keeper.come_back(self)

    def violated(self, text: str) -> None:
        """Drop the client."""
        if not self.closed:
            self._keeper.bury(
                self,
                f"Dropping {self.handler.socket_name} client {self.procname or '?'}"
                f" (pid {self.pid}, uid {self.uid}): {text}",
            )

    # for the server

    def turn(self) -> None:
        """Read one share of requests and offer them."""
        found = False
        if not (self.closed or self._level or self._kept):
            try:
                batch = self.link.take()
            except LinkViolation as error:
                self.violated(str(error))
                return
            if batch:
                found = True
                self._offer_new(batch)
                self._keeper.flush()
        self._after_turn(found=found)

    def _after_turn(self, *, found: bool) -> None:
        """See to another turn, or to the end of a client that is gone and has said all."""
        if self.closed:
            return
        if self._ended and (not found or self._kept):
            self._keeper.bury(self, "")
        elif self._ended or (self.link.has_more() and not self._kept and not self._level):
            self._keeper.come_back(self)

    def offer_again(self) -> None:
        """Offer what the handler did not take."""
        if self.closed or not self._kept or self._level:
            return
        batch, self._kept = self._kept, []
        self._offer_new(batch)
        if not self._kept and not self.closed:
            self.link.hold(False)
            self._keeper.come_back(self)

    def set_level(self, level: int) -> None:
        """Put a level of flow control in force."""
        if level == self._level or self.closed:
            return
        self._level = level
        self.stats.flow_control = level
        self.stats.flow_control_count += 1
        self.link.set_flow_control(level)
        self.link.hold(bool(level or self._kept))
        if not level:
            if self._kept:
                self._keeper.kept(self)
            self._keeper.come_back(self)

    def flush(self) -> None:
        """Wake the client for what was written."""
        if self.closed or not self._dirty:
            return
        self._dirty = False
        try:
            self.link.flush()
        except LinkViolation as error:
            self.violated(str(error))
        except LinkEnded:
            return

    def drain(self) -> bool:
        """Write queued events as far as there is room; True when none is left."""
        written_bytes = 0
        while self._queue and not self.closed:
            event = self._queue[0]
            if not self._write((event,)):
                break
            if not self._queue:
                # Dropped over this event, with all the others.
                return True
            self._queue.popleft()
            written_bytes += len(event) + QUEUED_OVERHEAD_BYTES
            self.stats.queued -= 1
        self.queue_bytes -= written_bytes
        self._keeper.queued(self, -written_bytes, poll=False)
        self.flush()
        return self._after_drain()

    def _after_drain(self) -> bool:
        """Arrange that the rest is written too; True when nobody needs to look for room."""
        if self.closed:
            return True
        if self._queue:
            poll = not self.link.wait_for_room()
            self._keeper.queued(self, 0, poll=poll)
            return not poll
        self.stats.sent = 0
        return True

    def forget(self) -> None:
        """Close for good; the handler is told by the server."""
        self.closed = True
        self._queue.clear()
        self._kept.clear()
        self.link.close()

    def _offer_new(self, batch: list[bytes]) -> None:
        """Check headers, then offer."""
        for index, data in enumerate(batch):
            if len(data) < REQUEST_HEADER_LEN:
                self.violated(f"it wrote a request of {len(data)} bytes")
                return
            request_id, size = REQUEST_HEADER.unpack_from(data)
            if size != len(data) or request_id == MSG_DISCONNECT:
                self._offer_odd(batch, index)
                return
        self._offer(batch)

    def _offer_odd(self, batch: list[bytes], index: int) -> None:
        """
        Offer the good requests before an odd one, deal with that one, and go on behind it.

        As in Corosync, a size that is too short for any request is answered, and one that is
        shorter than what was sent cuts it. Where libqb would read past the end, the client goes.
        """
        if index:
            self._offer(batch[:index])
        if self.closed:
            return
        request_id, size = REQUEST_HEADER.unpack_from(batch[index])
        rest = batch[index + 1 :]
        if request_id == MSG_DISCONNECT:
            self._keeper.bury(self, "")
            return
        if size <= 0 or size > len(batch[index]):
            self.violated(f"it wrote a request of {len(batch[index])} bytes that claims {size}")
            return
        if size < REQUEST_HEADER_LEN:
            self.stats.invalid_request += 1
            self.respond(response(0, error=CsInvalidParam.code))
        else:
            rest.insert(0, batch[index][:size])
        if self._kept:
            self._kept += rest
        elif rest and not self.closed:
            self._offer_new(rest)

    def _offer(self, batch: list[bytes]) -> None:
        self.stats.requests += len(batch)
        try:
            taken = self.handler.requests(self, batch)
        except Exception:  # noqa: BLE001 - a fault of ours costs its client, not all others
            self.violated(f"a fault of the daemon, please report it: {traceback.format_exc()}")
            return
        if taken < len(batch) and not self.closed:
            self.stats.requests -= len(batch) - taken
            self.stats.recv_retries += 1
            self._kept = batch[taken:]
            self.link.hold(True)
            self._keeper.kept(self)

    def _write(self, slices: Slices) -> bool:
        """Write an event; True also for a client that is gone."""
        try:
            if not self.link.event(slices, sum(map(len, slices))):
                return False
        except LinkViolation as error:
            self.violated(str(error))
            return True
        except LinkEnded:
            return True
        self.stats.dispatched += 1
        self.stats.sent += 1
        if not self._dirty:
            self._dirty = True
            self._keeper.wrote(self)
        return True

    def _enqueue(self, event: bytes) -> None:
        if not self._queue:
            self.stats.queued = self.stats.sent = 0
        self._queue.append(event)
        self.stats.queued += 1
        self.stats.send_retries += 1
        charge_bytes = len(event) + QUEUED_OVERHEAD_BYTES
        self.queue_bytes += charge_bytes
        if self.queue_bytes > QUEUE_BYTES_MAX:
            self._keeper.queued(self, charge_bytes, poll=False)
            self.violated(f"it does not read; {self.queue_bytes >> 20} MiB of events wait for it")
            return
        first = len(self._queue) == 1
        self._keeper.queued(self, charge_bytes, poll=first and not self.link.wait_for_room())
