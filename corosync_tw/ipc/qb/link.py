"""What a connection's transport and the connection itself ask of each other."""

import errno
from typing import Final, Protocol

from corosync_tw.corotypes import Slices
from corosync_tw.ipc.qb.layout import Paths
from corosync_tw.services.lib_runs import EventRun, RequestRuns

# One client's fair share of a turn of the loop; the bytes are no limit for the first request.
REQUESTS_PER_TURN_MAX: Final = 64
REQUEST_BYTES_PER_TURN_MAX: Final = 1 << 20
# The same where requests are taken by runs; their bytes are limited by the room in the queue.
RUN_REQUESTS_PER_TURN_MAX: Final = 4096

BLOCKED: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS})


class LinkViolation(Exception):
    """The client did what no client of libqb does; the text says what."""


class LinkEnded(Exception):
    """The client is gone."""


class LinkUser(Protocol):
    """The connection, as its transport sees it."""

    def requests_arrived(self) -> None:
        """Requests wait; ``Link.take`` gives them."""

    def requests_heard(self) -> None:
        """Requests wait, and the loop is busy with something else."""

    def room_appeared(self) -> None:
        """Queued events may go now."""

    def ended(self) -> None:
        """The client is gone; what it said before is still there to be taken."""

    def violated(self, text: str) -> None:
        """The client broke the rules and must go."""


class Link(Protocol):
    """
    A connection's transport.

    :ivar runs: requests where the client left them; None where they cannot be taken from there.
    """

    paths: Paths
    runs: RequestRuns | None

    def start(self, user: LinkUser) -> None:
        """Begin to listen to the client, who was welcomed."""

    def begin_turn(self) -> None:
        """Begin a new share of requests."""

    def take(self, count_max: int) -> list[bytes]:
        """
        Read requests of the turn's share, whole, with headers unchecked.

        Raises: LinkViolation.
        """

    def has_more(self) -> bool:
        """Tell whether requests are known to wait that no event of the reactor will announce."""

    def hold(self, held: bool) -> None:
        """Stop or go on to watch for requests; the client's end is noticed all the same."""

    def set_flow_control(self, level: int) -> None:
        """Store the level where the client looks."""

    def respond(self, response: bytes) -> bool:
        """
        Write a response; False when there is no room for it.

        Raises: LinkViolation, LinkEnded.
        """

    def event(self, slices: Slices, len_bytes: int) -> bool:
        """
        Write an event, for the client to see after ``flush``; False when there is no room.

        Raises: LinkViolation, LinkEnded.
        """

    def event_run(self, run: EventRun) -> int:
        """
        Write events, like ``event``, as many as there is room for; 0 if the first is too long.

        Raises: LinkViolation, LinkEnded.
        """

    def flush(self) -> None:
        """
        Wake the client for the events written since the last time.

        Raises: LinkViolation, LinkEnded.
        """

    def wait_for_room(self) -> bool:
        """Arrange ``room_appeared``; False when it may fail to tell, and one has to look."""

    def have_room(self) -> None:
        """Need ``room_appeared`` no more."""

    def queue_len(self) -> int:
        """Count the events that the client has not read yet, as far as that is known."""

    def close(self) -> None:
        """Hang up and unmap; idempotent."""
