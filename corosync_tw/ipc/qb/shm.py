"""
The transport in shared memory: three rings, and a stream socket that rings the bell.

The client sends one byte a request, after the request is in its ring; we send one byte an event.
A response has no byte: the client sleeps on its ring's semaphore.
Source: libqb 2.0.6 lib/ipc_shm.c, lib/ipcs.c qb_ipcs_dispatch_connection_request,
new_event_notification.
Deviation: requests are counted by the bytes on the socket, and those sent before the client hung up
are served. A byte without a request ends the connection; libqb reads it and goes on.
"""

import socket
from array import array
from typing import Any, Final

from corosync_tw.corotypes import Slices
from corosync_tw.ipc.qb.descriptor import Descriptor
from corosync_tw.ipc.qb.layout import Paths, Site
from corosync_tw.ipc.qb.link import (
    BLOCKED,
    REQUEST_BYTES_PER_TURN_MAX,
    RUN_REQUESTS_PER_TURN_MAX,
    LinkEnded,
    LinkUser,
    LinkViolation,
)
from corosync_tw.ipc.qb.ring import RingReader, RingViolation, RingWriter, footprint_bytes
from corosync_tw.ipc.qb.room import RoomWatch
from corosync_tw.services.lib_runs import EventRun, MessageHead, RequestRuns, RunsTaken
from corosync_tw.timers.interludes import interludes_of

BELLS_PER_READ_MAX: Final = 4096
# A client's socket takes no more than some 280; a client that finds it full does nothing but ask.
MANY_BELLS: Final = 64
# The shortest request fills this much of a ring; no more of them can wait than fit in.
_REQUEST_LEN_BYTES_MIN: Final = 24

_BELLS: Final = bytes(4096)


def shm_bytes(max_msg_size: int) -> int:
    """Give the shared memory that one connection can come to use."""
    return 3 * footprint_bytes(max_msg_size)


class ShmLink:
    """One client's rings and socket; RequestRuns too."""

    def __init__(
        self,
        reactor: Any,
        sock: socket.socket,
        site: Site,
        room_watch: RoomWatch,
    ) -> None:
        """
        Make the rings.

        :param sock: the stream socket; taken over unless this raises.
        :param room_watch: tells when the client has read.
        Raises: OSError, with nothing left mapped; the files go with their directory.
        """
        self.runs: RequestRuns | None = self
        self._user: LinkUser | None = None
        self._room_watch = room_watch
        self._waits_for_room = False
        self._share = 0
        self._announced = 0
        self._announced_max = footprint_bytes(site.max_msg_size) // _REQUEST_LEN_BYTES_MIN
        # Bells that the full socket did not take.
        self._unrung = 0
        self._interludes = interludes_of(reactor)
        self.paths = Paths(*(f"{site.base}-{ring}-{site.service}" for ring in Paths._fields))
        self._requests = RingReader(self.paths.request, site)
        try:
            self._responses = RingWriter(self.paths.response, site)
            try:
                self._events = RingWriter(self.paths.event, site)
            except OSError:
                self._responses.close()
                raise
        except OSError:
            self._requests.close()
            raise
        self._socket = Descriptor(reactor, sock, self._on_bell, self._on_end)

    # Link

    def start(self, user: LinkUser) -> None:
        """Begin to listen for bells."""
        self._user = user
        self._socket.watch()

    def begin_turn(self) -> None:
        """Begin a new share of requests."""
        self._share = RUN_REQUESTS_PER_TURN_MAX

    def take(self, count_max: int) -> list[bytes]:
        """Copy requests out of the ring, as many as were announced."""
        count = min(self._announced, self._share, count_max)
        if not count:
            return []
        try:
            batch = self._requests.take(count, REQUEST_BYTES_PER_TURN_MAX)
        except RingViolation as error:
            raise LinkViolation(str(error)) from None
        self._announced -= len(batch)
        self._share -= len(batch)
        return batch

    def next_len(self) -> int:
        """Look at the length of the next request."""
        if not min(self._announced, self._share):
            return 0
        try:
            return self._requests.next_len()
        except RingViolation as error:
            raise LinkViolation(str(error)) from None

    def take_mcasts(
        self, head: MessageHead, room: memoryview, lens: "array[int]"
    ) -> tuple[int, int, RunsTaken]:
        """Copy requests out of the ring to where they are sent from."""
        count = min(self._announced, self._share)
        try:
            result = self._requests.take_mcasts(count, head, room, lens)
        except RingViolation as error:
            raise LinkViolation(str(error)) from None
        taken = result[0]
        self._announced -= taken
        self._share -= taken
        return result

    def has_more(self) -> bool:
        """Tell whether more requests were announced."""
        return self._announced > 0

    def hold(self, held: bool) -> None:
        """Nothing to do: bells are counted all the time, so that the end is heard."""

    def set_flow_control(self, level: int) -> None:
        """Store the level in the ring of requests."""
        self._requests.set_user_data(level)

    def respond(self, response: bytes) -> bool:
        """Write the response and wake the client."""
        ring = self._responses
        try:
            written = ring.write((response,), len(response))
            if written:
                ring.post()
        except RingViolation as error:
            raise LinkViolation(str(error)) from None
        return written

    def event(self, slices: Slices, len_bytes: int) -> bool:
        """Write the event into its ring."""
        try:
            return self._events.write(slices, len_bytes)
        except RingViolation as error:
            raise LinkViolation(str(error)) from None

    def event_run(self, run: EventRun) -> int:
        """Write events into their ring."""
        try:
            return self._events.write_run(run, run.first, run.count)
        except RingViolation as error:
            raise LinkViolation(str(error)) from None

    def flush(self) -> None:
        """Post the events and ring once for all of them."""
        count = self._events.unposted
        if not count:
            return
        try:
            self._events.post()
        except RingViolation as error:
            raise LinkViolation(str(error)) from None
        if self._waits_for_room and count > 1:
            # We hear when the client has taken the last bell of a send: be told half way as well.
            self._ring_bell(count - count // 2)
            count //= 2
        self._ring_bell(count)

    def wait_for_room(self) -> bool:
        """
        Be told when the client has taken bells, which it does after the events.

        One that takes them in another order is looked at all the same.
        """
        if not self._waits_for_room and not self._socket.closed:
            self._waits_for_room = True
            self._room_watch.add(self._socket.sock, self._on_bells_taken)
        return False

    def have_room(self) -> None:
        """Listen no more."""
        if self._waits_for_room:
            self._waits_for_room = False
            self._room_watch.remove(self._socket.sock)

    def queue_len(self) -> int:
        """Read the semaphore of the events' ring."""
        return self._events.chunks()

    def close(self) -> None:
        """Hang up and unmap."""
        self.have_room()
        self._interludes.remove(self._hear_bells)
        self._socket.close()
        for ring in (self._requests, self._responses, self._events):
            ring.close()

    def _ring_bell(self, count: int) -> None:
        unrung = self._unrung + count
        waiting = self._unrung > 0
        if not waiting:
            unrung -= self._send_bells(unrung)
            if unrung:
                self._socket.watch_room(self._on_room)
        self._unrung = unrung

    def _send_bells(self, count: int) -> int:
        try:
            return self._socket.sock.send(_BELLS[:count])
        except OSError as error:
            if error.errno in BLOCKED:
                return 0
            raise LinkEnded from None

    def _on_bells_taken(self) -> None:
        if self._user is not None:
            self._user.room_appeared()

    # Descriptor

    def _on_bell(self) -> None:
        """Count bells and serve, or notice the end."""
        user = self._user
        assert user is not None
        bells = self._read_bells()
        if bells is None:
            return
        if not bells:
            self._socket.unwatch()
            user.ended()
            return
        if bells >= MANY_BELLS:
            self._interludes.add(self._hear_bells)
        else:
            self._interludes.remove(self._hear_bells)
        if self._is_believable(user):
            user.requests_arrived()

    def _read_bells(self) -> int | None:
        """Read what bells there are and count them; None when there is neither bell nor end."""
        try:
            bells = len(self._socket.sock.recv(BELLS_PER_READ_MAX))
        except OSError as error:
            return None if error.errno in BLOCKED else 0
        self._announced += bells
        return bells

    def _hear_bells(self) -> None:
        """Make room for more bells amid other work; who rang is served later."""
        user = self._user
        if user is not None and self._read_bells() and self._is_believable(user):
            user.requests_heard()

    def _is_believable(self, user: LinkUser) -> bool:
        if self._announced > self._announced_max:
            user.violated("it announced more requests than its ring holds")
            return False
        return True

    def _on_room(self) -> None:
        """Ring the bells that waited."""
        try:
            self._unrung -= self._send_bells(self._unrung)
        except LinkEnded:
            self._on_end()
            return
        if self._unrung:
            self._socket.watch_room(self._on_room)

    def _on_end(self) -> None:
        if self._user is not None:
            self._user.ended()
