"""
The synchronization machine: barriers that bring all services into a new configuration together.

After a regular configuration change every member tells which services it has to synchronize
(SERVICE_BUILD). When all members have, the services of all members are passed in ascending order of
their id: a member sends the service's state in the moment after it passed the token on, then a
BARRIER; when the barriers of all members were delivered the service activates what it received. A
service that only others have is passed by a barrier alone. Any configuration change starts all
over. Total order makes this simple: nobody's barrier for a service can be delivered before the last
barrier for the service before it.

Called by the stack alone. Source: Corosync exec/sync.c.
Deviation: a service that waits in its barrier when the round ends is aborted too, as Corosync does
after 3.1.10; a SERVICE_BUILD or BARRIER in the wrong state is counted and ignored, where Corosync
counts it as the awaited one.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.interfaces import SyncedService
from corosync_tw.services.sync.wire import (
    ServiceBuild,
    decode,
    encode_barrier,
    encode_service_build,
)


class SyncState(IntEnum):
    """Where the round stands."""

    WAIT_REGULAR = 0  # no ring yet, or between a transitional and a regular change
    SERVICE_BUILD = 1  # our SERVICE_BUILD is queued, those of others are awaited
    PROCESS = 2  # the next visit of the token runs the service's process step
    BARRIER = 3  # our BARRIER is queued, those of others are awaited
    COMPLETE = 4  # all services are synchronized


class SyncEvent(IntEnum):
    """What can happen to a round."""

    TRANSITIONAL = 0  # transitional configuration change
    REGULAR = 1  # regular configuration change
    BUILD = 2  # a SERVICE_BUILD of this ring, others are missing
    BUILD_LAST = 3  # the SERVICE_BUILD of the last member
    TOKEN_SENT = 4  # we passed the token on, and the service has said all
    TOKEN_SENT_BUSY = (
        5  # we passed the token on, but the service has more to say or the queue is full
    )
    BARRIER = 6  # a BARRIER of this ring, others are missing
    BARRIER_LAST = 7  # the BARRIER of the last member; another service follows
    BARRIER_END = 8  # the BARRIER of the last member for the last service


_S = SyncState
_E = SyncEvent
# Every pair is here: the target state, or None for an event that cannot matter in that state.
TRANSITIONS: Final[dict[tuple[SyncState, SyncEvent], SyncState | None]] = {
    (_S.WAIT_REGULAR, _E.TRANSITIONAL): _S.WAIT_REGULAR,
    (_S.WAIT_REGULAR, _E.REGULAR): _S.SERVICE_BUILD,
    (_S.WAIT_REGULAR, _E.BUILD): None,
    (_S.WAIT_REGULAR, _E.BUILD_LAST): None,
    (_S.WAIT_REGULAR, _E.TOKEN_SENT): None,
    (_S.WAIT_REGULAR, _E.TOKEN_SENT_BUSY): None,
    (_S.WAIT_REGULAR, _E.BARRIER): None,
    (_S.WAIT_REGULAR, _E.BARRIER_LAST): None,
    (_S.WAIT_REGULAR, _E.BARRIER_END): None,
    (_S.SERVICE_BUILD, _E.TRANSITIONAL): _S.WAIT_REGULAR,
    (_S.SERVICE_BUILD, _E.REGULAR): _S.SERVICE_BUILD,
    (_S.SERVICE_BUILD, _E.BUILD): _S.SERVICE_BUILD,
    (_S.SERVICE_BUILD, _E.BUILD_LAST): _S.PROCESS,
    (_S.SERVICE_BUILD, _E.TOKEN_SENT): None,
    (_S.SERVICE_BUILD, _E.TOKEN_SENT_BUSY): None,
    (_S.SERVICE_BUILD, _E.BARRIER): None,
    (_S.SERVICE_BUILD, _E.BARRIER_LAST): None,
    (_S.SERVICE_BUILD, _E.BARRIER_END): None,
    (_S.PROCESS, _E.TRANSITIONAL): _S.WAIT_REGULAR,
    (_S.PROCESS, _E.REGULAR): _S.SERVICE_BUILD,
    (_S.PROCESS, _E.BUILD): None,
    (_S.PROCESS, _E.BUILD_LAST): None,
    (_S.PROCESS, _E.TOKEN_SENT): _S.BARRIER,
    (_S.PROCESS, _E.TOKEN_SENT_BUSY): _S.PROCESS,
    (_S.PROCESS, _E.BARRIER): _S.PROCESS,
    (_S.PROCESS, _E.BARRIER_LAST): None,
    (_S.PROCESS, _E.BARRIER_END): None,
    (_S.BARRIER, _E.TRANSITIONAL): _S.WAIT_REGULAR,
    (_S.BARRIER, _E.REGULAR): _S.SERVICE_BUILD,
    (_S.BARRIER, _E.BUILD): None,
    (_S.BARRIER, _E.BUILD_LAST): None,
    (_S.BARRIER, _E.TOKEN_SENT): None,
    (_S.BARRIER, _E.TOKEN_SENT_BUSY): None,
    (_S.BARRIER, _E.BARRIER): _S.BARRIER,
    (_S.BARRIER, _E.BARRIER_LAST): _S.PROCESS,
    (_S.BARRIER, _E.BARRIER_END): _S.COMPLETE,
    (_S.COMPLETE, _E.TRANSITIONAL): _S.WAIT_REGULAR,
    (_S.COMPLETE, _E.REGULAR): _S.SERVICE_BUILD,
    (_S.COMPLETE, _E.BUILD): None,
    (_S.COMPLETE, _E.BUILD_LAST): None,
    (_S.COMPLETE, _E.TOKEN_SENT): None,
    (_S.COMPLETE, _E.TOKEN_SENT_BUSY): None,
    (_S.COMPLETE, _E.BARRIER): None,
    (_S.COMPLETE, _E.BARRIER_LAST): None,
    (_S.COMPLETE, _E.BARRIER_END): None,
}
_AWAITING = (SyncState.SERVICE_BUILD, SyncState.PROCESS, SyncState.BARRIER)


class SyncEngine:
    """
    The round under way, or the last one.

    :ivar state: written by ``_move`` alone.
    :ivar ring_id: of the round; None between configurations.
    :ivar discarded: messages of other rings, of strangers, or in the wrong state.
    """

    def __init__(
        self,
        services: Sequence[SyncedService],
        mcast: Callable[[bytes], None],
        completed: Callable[[], None],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Prepare a machine that waits for its first configuration.

        :param services: that this node has.
        :param mcast: queues a message for the sync group, ahead of all ordinary traffic.
        :param completed: called when the last barrier is reached.
        :param say: is told, in Corosync's words, how far the round is.
        """
        self._services = {service.service_id: service for service in services}
        self._mcast = mcast
        self._completed = completed
        self._say = say
        self.state = SyncState.WAIT_REGULAR
        self.ring_id: RingId | None = None
        self.members: tuple[int, ...] = ()
        self.discarded = 0
        self._trans_members: tuple[int, ...] = ()
        self._awaited: set[int] = set()
        self._round: list[int] = []  # ids of all members' services, ascending
        self._index = 0  # in _round
        self._queued: list[bytes] = []  # messages that found the queue full
        self._process_done = False

    @property
    def in_progress(self) -> bool:
        """Whether clients have to wait."""
        return self.state is not SyncState.COMPLETE

    def transitional(self, members: tuple[int, ...]) -> None:
        """Note who comes along from the old ring."""
        self._abort()
        self._trans_members = members
        self._move(SyncEvent.TRANSITIONAL)

    def regular(self, members: tuple[int, ...], ring_id: RingId) -> None:
        """Start a round for a new ring."""
        self._abort()
        self.ring_id = ring_id
        self.members = members
        self._awaited = set(members)
        self._round = sorted(self._services)
        self._index = 0
        self._process_done = False
        self._move(SyncEvent.REGULAR)
        self._say("call init for locally known services")
        self._send(encode_service_build(ring_id, tuple(self._round)))
        came_along = tuple(node for node in self._trans_members if node in self._awaited)
        self._trans_members = came_along
        for service_id in self._round:
            self._services[service_id].sync_init(came_along, members, ring_id)

    def deliver(self, nodeid: int, data: Buffer, big_endian: bool) -> None:
        """
        Take a message of the sync group.

        Raises MalformedFrame: not one of its messages.
        """
        message = decode(data, big_endian)
        if message.ring_id != self.ring_id or nodeid not in self.members:
            self.discarded += 1
        elif isinstance(message, ServiceBuild):
            self._service_build(nodeid, message.services)
        else:
            self._barrier(nodeid)

    def token_sent(self) -> None:
        """Run the process step, if one is due; the token was just passed on."""
        if self._queued:
            self._flush()
        if self.state is not SyncState.PROCESS:
            return
        if not self._process_done:
            service = self._services.get(self._round[self._index])
            self._process_done = service is None or service.sync_process()
        if not self._process_done or self._queued:
            self._move(SyncEvent.TOKEN_SENT_BUSY)
            return
        self._move(SyncEvent.TOKEN_SENT)
        assert self.ring_id is not None, "a round without a ring"
        self._send(encode_barrier(self.ring_id))

    def _service_build(self, nodeid: int, services: tuple[int, ...]) -> None:
        if self.state is not SyncState.SERVICE_BUILD or nodeid not in self._awaited:
            self.discarded += 1
            return
        self._round = sorted({*self._round, *services})
        self._awaited.discard(nodeid)
        if self._awaited:
            self._move(SyncEvent.BUILD)
            return
        self._say("enter sync process")
        self._enter_process(SyncEvent.BUILD_LAST)

    def _barrier(self, nodeid: int) -> None:
        if self.state not in {SyncState.PROCESS, SyncState.BARRIER}:
            self.discarded += 1
            return
        self._awaited.discard(nodeid)
        if self._awaited or self.state is SyncState.PROCESS:
            self._move(SyncEvent.BARRIER)
            return
        service = self._services.get(self._round[self._index])
        if service is not None:
            self._say(f"Committing synchronization for {service.name}")
            service.sync_activate()
        self._index += 1
        if self._index < len(self._round):
            self._enter_process(SyncEvent.BARRIER_LAST)
        else:
            self._move(SyncEvent.BARRIER_END)
            self._completed()

    def _enter_process(self, event: SyncEvent) -> None:
        self._awaited = set(self.members)
        self._process_done = False
        self._move(event)

    def _abort(self) -> None:
        if self.state in _AWAITING[1:]:
            service = self._services.get(self._round[self._index])
            if service is not None:
                service.sync_abort()
        self.ring_id = None
        self._queued.clear()

    def _send(self, message: bytes) -> None:
        self._queued.append(message)
        self._flush()

    def _flush(self) -> None:
        while self._queued:
            try:
                self._mcast(self._queued[0])
            except CsTryAgain:
                return
            del self._queued[0]

    def _move(self, event: SyncEvent) -> None:
        target = TRANSITIONS[self.state, event]
        assert target is not None, f"{event.name} in {self.state.name}"
        self.state = target
