"""
One connection of a C client, between its transport and its service's handler.

Requests are offered in batches, or taken by the handler from where the client left them. They wait
where they are while the service's flow control is on (as in libqb, which then reads none), and what
a handler does not take is kept or left there, and offered again. Events for a client that does not
read wait in its queue; one that sends faster than it reads is served when it has read.
Source: libqb 2.0.6 lib/ipcs.c; Corosync exec/ipc_glue.c msg_send_or_queue, outq_flush.
Deviation: see above; Corosync goes on to take messages of a client that reads more slowly than it
sends, and queues their events without limit.
"""

import traceback
from typing import Final

from corosync_tw.corotypes import Slices
from corosync_tw.errors import CsInvalidParam
from corosync_tw.ipc.qb.keeper import Keeper
from corosync_tw.ipc.qb.layout import MSG_DISCONNECT, Peer
from corosync_tw.ipc.qb.link import REQUESTS_PER_TURN_MAX, Link, LinkEnded, LinkViolation
from corosync_tw.ipc.qb.queue import UNREAD_LOOKS_MAX, EventQueue
from corosync_tw.services.lib_interfaces import ClientStats, LibHandler, TakesRuns
from corosync_tw.services.lib_requests import REQUEST_HEADER, REQUEST_HEADER_LEN, response
from corosync_tw.services.lib_runs import EventRun, RequestRuns, RunsTaken

# Events that wait for one client; beyond it the client is dropped.
QUEUE_BYTES_MAX: Final = 64 << 20


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
        self._takes_runs = handler if link.runs and isinstance(handler, TakesRuns) else None
        self._kept: list[bytes] = []
        # Whether requests wait where the client left them, until the ring takes more.
        self._left = False
        self._queue = EventQueue()
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
            event = b"".join(slices)
            self._enqueued(1, self._queue.append(event))

    def event_run(self, run: EventRun) -> int:
        """Write events, or queue them; stop before one that is too long."""
        if self._queue:
            self.drain()
        written = 0
        if not self.closed and not self._queue:
            written = self._write(run)
        if self.closed:
            return run.count
        count = run.sound_count(run.first + written)
        if count:
            rest = run.part(run.first + written, count)
            self._enqueued(count, self._queue.append_run(rest))
        return written + count

    def close(self) -> None:
        """Disconnect the client."""
        if not self.closed:
            self._keeper.bury(self, "")

    # LinkUser

    def requests_arrived(self) -> None:
        """Take a turn, if requests can be served."""
        if not (self._left or self._level):
            self._keeper.serve_now(self)

    def requests_heard(self) -> None:
        """Take a turn later, if requests can be served."""
        if not (self._left or self._level):
            self._keeper.come_back(self)

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
        if self._may_serve:
            self.link.begin_turn()
            found = self._serve()
            if found:
                self._keeper.flush()
        self._after_turn(found=found)

    @property
    def _may_serve(self) -> bool:
        return not (self.closed or self._level or self._held_up)

    @property
    def _held_up(self) -> bool:
        """Whether requests wait until the ring takes more, or the client has read."""
        behind = self._queue.behind and self._takes_runs is not None and not self._ended
        return behind or self._left or bool(self._kept)

    def _serve(self) -> bool:
        """Have one share of requests served; tell whether there were any."""
        served = self.stats.requests
        try:
            if self._takes_runs is not None and self.link.runs is not None:
                found = self._serve_runs(self._takes_runs, self.link.runs)
                return found or self.stats.requests != served
            batch = self.link.take(REQUESTS_PER_TURN_MAX)
            if batch:
                self._offer_new(batch)
            return bool(batch)
        except LinkViolation as error:
            self.violated(str(error))
        except Exception:  # noqa: BLE001 - a fault of ours costs its client, not all others
            self._fault()
        return False

    def _serve_runs(self, handler: TakesRuns, requests: RequestRuns) -> bool:
        """Let the handler take runs, and offer it what is none; tell whether there was such."""
        found = False
        while self._may_serve:
            taken = handler.take_runs(self, requests)
            if taken is RunsTaken.ALL:
                break
            if taken is RunsTaken.UP_TO_FULL:
                self._left = True
                self._hold_up()
                break
            batch = self.link.take(1)
            if not batch:
                break
            found = True
            self._offer_new(batch)
        return found

    def _after_turn(self, *, found: bool) -> None:
        """See to another turn, or to the end of a client that is gone and has said all."""
        if self.closed:
            return
        if self._ended and (not found or self._held_up):
            self._keeper.bury(self, "")
        elif self._ended or (self.link.has_more() and not self._held_up and not self._level):
            self._keeper.come_back(self)

    def offer_again(self) -> None:
        """Offer what the handler did not take."""
        if self.closed or not self._held_up or self._level:
            return
        if self._left:
            self._left = False
            self.link.begin_turn()
            self._serve()
        else:
            batch, self._kept = self._kept, []
            self._offer_new(batch)
        if self._may_serve:
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
        self.link.hold(bool(level or self._held_up))
        if not level:
            if self._held_up:
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
        queue, behind, written_bytes = self._queue, self._queue.behind, 0
        while queue:
            head = queue.head()
            count = self._write((head,) if isinstance(head, bytes) else head)
            # A client that is dropped over an event takes all the others with it.
            if not count or self.closed:
                break
            written_bytes += queue.pop(count)
            self.stats.queued -= count
        if self.closed:
            return True
        self.queue_bytes -= written_bytes
        self._keeper.queued(self, -written_bytes, poll=False)
        self.flush()
        queue.charged_bytes = self.queue_bytes
        if written_bytes:
            queue.unread_looks = 0
        if behind and not queue.behind:
            self._keeper.come_back(self)
        return self._after_drain()

    def look(self) -> bool:
        """Drain the queue and note whether the client reads; called every few milliseconds."""
        self._queue.unread_looks += 1
        if self._queue.unread_looks == UNREAD_LOOKS_MAX:
            self._keeper.come_back(self)
        return self.drain()

    def _after_drain(self) -> bool:
        """Arrange that the rest is written too; True when nobody needs to look for room."""
        if self.closed:
            return True
        if self._queue:
            poll = not self.link.wait_for_room()
            self._keeper.queued(self, 0, poll=poll)
            return not poll
        self.stats.sent = 0
        self.link.have_room()
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
            self._fault()
            return
        if taken < len(batch) and not self.closed:
            self.stats.requests -= len(batch) - taken
            self._kept = batch[taken:]
            self._hold_up()

    def _hold_up(self) -> None:
        """Wait until the ring takes more."""
        self.stats.recv_retries += 1
        self.link.hold(True)
        self._keeper.kept(self)

    def _fault(self) -> None:
        """Drop the client over an exception."""
        self.violated(f"a fault of the daemon, please report it: {traceback.format_exc()}")

    def _write(self, event: Slices | EventRun) -> int:
        """Write an event, or some of many; count all of them for a client that is gone."""
        wanted = event.count if isinstance(event, EventRun) else 1
        try:
            if isinstance(event, EventRun):
                count = self.link.event_run(event)
            else:
                count = int(self.link.event(event, sum(map(len, event))))
        except LinkViolation as error:
            self.violated(str(error))
            return wanted
        except LinkEnded:
            return wanted
        if count:
            self.stats.dispatched += count
            self.stats.sent += count
            if not self._dirty:
                self._dirty = True
                self._keeper.wrote(self)
        return count

    def _enqueued(self, count: int, charge_bytes: int) -> None:
        first = len(self._queue) == 1
        if first:
            self.stats.sent = 0
        self.stats.queued += count
        self.stats.send_retries += count
        self.queue_bytes += charge_bytes
        self._queue.charged_bytes = self.queue_bytes
        if self.queue_bytes > QUEUE_BYTES_MAX:
            self._keeper.queued(self, charge_bytes, poll=False)
            self.violated(f"it does not read; {self.queue_bytes >> 20} MiB of events wait for it")
            return
        self._keeper.queued(self, charge_bytes, poll=first and not self.link.wait_for_room())
