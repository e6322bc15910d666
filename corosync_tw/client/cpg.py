"""
One membership of a closed process group: send to the group, hear the group.

Every member hears the same messages and membership changes in the same order.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

from twisted.internet.defer import Deferred, DeferredLock, gatherResults, inlineCallbacks

from corosync_tw.client.errors import DaemonLost
from corosync_tw.corotypes import MESSAGE_SIZE_MAX, Guarantee
from corosync_tw.errors import CsBadHandle, CsExist, CsTooBig
from corosync_tw.ipc.pb.wire import Record, pack_batch

# mcast_many keeps this many calls of about this size on their way.
WINDOW_CALLS: Final = 4
CALL_LEN_BYTES: Final = 64 * 1024
CALL_MSGS_MAX: Final = 2048


class Message(NamedTuple):
    """
    A message of the group.

    :ivar nodeid: node of the sender.
    :ivar pid: process of the sender on that node.
    :ivar seq: of the ring's message that carried it: the same on all nodes of a ring, growing while
        the ring lasts, though small messages may share one.
    """

    nodeid: int
    pid: int
    seq: int
    data: bytes


class Member(NamedTuple):
    """
    A process in a group.

    :ivar reason: a CpgReason for those that joined or left, 0 in plain lists.
    """

    nodeid: int
    pid: int
    reason: int


OnDeliver = Callable[[list[Message]], object]
OnConfchg = Callable[[list[Member], list[Member], list[Member]], object]


class Connection(Protocol):
    """What a membership needs of its Node."""

    nodeid: int
    pid: int

    def call(self, method: str, *args: object) -> Deferred[Any]:
        """Call a method of the daemon."""

    def attach(self, conn: int, cpg: "Cpg") -> None:
        """Give events of ``conn`` to ``cpg``."""

    def detach(self, conn: int) -> None:
        """Drop events of ``conn``."""

    def membership(self, group: bytes) -> Deferred[list[Member]]:
        """List a group's members."""


class Cpg:
    """
    One membership of one group; `corosync_tw.client.node.Node.cpg` makes it.

    :ivar group: the group's name while we are in, else None.
    """

    def __init__(self, connection: Connection) -> None:
        """Be in no group yet."""
        self.group: bytes | None = None
        self._connection = connection
        self._conn = 0
        self._turn = DeferredLock()
        self._on_deliver: OnDeliver = _ignore
        self._on_confchg: OnConfchg = _ignore
        self._came: Deferred[None] | None = None
        self._gone: Deferred[None] | None = None

    @inlineCallbacks
    def join(
        self, group: bytes, on_deliver: OnDeliver, on_confchg: OnConfchg | None = None
    ) -> Generator[Deferred[Any], Any, None]:
        """
        Join a group.

        :return: fires after the change by which we came in was handled.
        :param on_deliver: called with a list of messages, in the total order. It may return a
            Deferred, and nothing more is delivered here before that fires; after a while our own
            sending then waits as well, and in the end the daemon cuts us off.
        :param on_confchg: called with members, left and joined; may return a Deferred likewise. The
            first change is the one by which we come in.
        Raises: CsExist, when this handle is in a group already; CsNameTooLong, CsTryAgain ...
        """
        if self.group is not None or self._came is not None:
            raise CsExist("this handle is in a group already; take another one")
        came: Deferred[None] = Deferred()
        self._came = came
        self._on_deliver = on_deliver
        self._on_confchg = on_confchg or _ignore
        try:
            conn = yield self._connection.call("cpg_join", group)
        except Exception:
            self._came = None
            raise
        self._conn, self.group = conn, group
        self._connection.attach(conn, self)
        yield came

    def mcast(self, message: bytes, guarantee: Guarantee = Guarantee.AGREED) -> Deferred[int]:
        """
        Send one message; many are much cheaper with `mcast_many`.

        :return: fires with 1 when the ring has taken it, which is not yet its delivery.
        Raises: CsTooBig, CsBadHandle, CsNotSupported (SAFE is not possible in this cluster).
        """
        return self.mcast_many([message], guarantee)

    def mcast_many(
        self, messages: Iterable[bytes], guarantee: Guarantee = Guarantee.AGREED
    ) -> Deferred[int]:
        """
        Send messages in order, at the pace of the ring.

        ``messages`` is read only as fast as the ring takes them, so it may be without end.

        :return: fires with their number when the ring has taken all. When it fails, a part from the
            beginning was sent.
        Raises: as `mcast`.
        """
        batches = _batches(messages)
        senders = [self._send(batches, guarantee) for _ in range(WINDOW_CALLS)]

        def first_failure(failure: Any) -> Any:
            return failure.value.subFailure

        def stop(failure: Any) -> Any:
            batches.close()
            return failure

        for sender in senders:
            sender.addErrback(stop)
        return gatherResults(senders, consumeErrors=True).addCallbacks(sum, first_failure)

    def membership(self) -> Deferred[list[Member]]:
        """List the members of our group."""
        if self.group is None:
            raise CsBadHandle("this handle is in no group")
        return self._connection.membership(self.group)

    @inlineCallbacks
    def leave(self) -> Generator[Deferred[Any], Any, None]:
        """
        Leave the group.

        :return: fires after the change in which we left was handled; the handle may join again.
        Raises: CsBadHandle, when this handle is in no group.
        """
        if self.group is None or self._gone is not None:
            raise CsBadHandle("this handle is in no group")
        gone: Deferred[None] = Deferred()
        self._gone = gone
        try:
            yield self._connection.call("cpg_leave", self._conn)
        except Exception:
            self._gone = None
            raise
        yield gone

    def deliveries(self, deliveries: Sequence[tuple[Record, bytes]]) -> Deferred[None]:
        """Hand messages on; fires when they are dealt with."""
        messages = [
            Message(record.nodeid, record.pid, record.seq, data) for record, data in deliveries
        ]
        return self._turn.run(self._on_deliver, messages).addCallback(_ignore)

    @inlineCallbacks
    def confchg(
        self, members: list[Member], left: list[Member], joined: list[Member]
    ) -> Generator[Deferred[Any], Any, None]:
        """Hand a change on; fires when it is dealt with."""
        yield self._turn.run(self._on_confchg, members, left, joined)
        ours = (self._connection.nodeid, self._connection.pid)
        if any((nodeid, pid) == ours for nodeid, pid, _ in left):
            self._connection.detach(self._conn)
            self._end(None)
        elif self._came is not None and any((m.nodeid, m.pid) == ours for m in joined):
            came, self._came = self._came, None
            came.callback(None)

    def lost(self) -> None:
        """The connection ended: be in no group, and fail a join or leave under way."""
        self._end(DaemonLost("the daemon closed the connection"))

    def _end(self, reason: DaemonLost | None) -> None:
        self.group = None
        waiting = (self._came, self._gone)
        self._came = self._gone = None
        for ended in waiting:
            if ended is not None and reason is None:
                ended.callback(None)
            elif ended is not None:
                ended.errback(reason)

    @inlineCallbacks
    def _send(
        self, batches: Iterator[list[bytes]], guarantee: Guarantee
    ) -> Generator[Deferred[Any], Any, int]:
        """Send batches one after the other, beside others who take from the same iterator."""
        count = 0
        for batch in batches:
            if self.group is None:
                raise CsBadHandle("this handle is in no group")
            count += yield self._connection.call(
                "cpg_mcast_packed", self._conn, *pack_batch(batch), int(guarantee)
            )
        return count


def _batches(messages: Iterable[bytes]) -> Generator[list[bytes], None, None]:
    """
    Gather messages into lists of about CALL_LEN_BYTES.

    Raises: CsTooBig.
    """
    batch: list[bytes] = []
    len_bytes = 0
    for message in messages:
        if len(message) > MESSAGE_SIZE_MAX:
            raise CsTooBig(f"a message has at most {MESSAGE_SIZE_MAX} bytes, not {len(message)}")
        if batch and (len_bytes + len(message) > CALL_LEN_BYTES or len(batch) == CALL_MSGS_MAX):
            yield batch
            batch, len_bytes = [], 0
        batch.append(message)
        len_bytes += len(message)
    if batch:
        yield batch


def _ignore(*_args: object) -> None:
    """Take no interest."""
