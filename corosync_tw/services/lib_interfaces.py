"""
Between the server of C clients (``corosync_tw.ipc.qb``) and the handlers of the services.

The server moves whole messages and knows no service; a handler knows requests and engines and no
socket. Both run in the reactor's thread; neither blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from corosync_tw.corotypes import Slices
from corosync_tw.services.lib_runs import EventRun, RequestRuns, RunsTaken


@dataclass(slots=True)
class ClientStats:
    """
    One connection's counters (stats.ipcs.serviceS.PID.PTR.*; libqb: qb_ipcs_connection_stats_2).

    :ivar queued: events waiting for room; likewise ``sent`` since the queue was last empty.
    :ivar overload: requests answered with CsTryAgain.
    :ivar dispatched: events written.
    :ivar flow_control: the level in force, 0, 1 or 2; ``flow_control_count`` counts its changes.
    """

    queued: int = 0
    sent: int = 0
    overload: int = 0
    invalid_request: int = 0
    requests: int = 0
    responses: int = 0
    dispatched: int = 0
    send_retries: int = 0
    recv_retries: int = 0
    flow_control: int = 0
    flow_control_count: int = 0


class LibClient(Protocol):
    """
    One connection of a C client, as a handler sees it.

    :ivar conn: its number, from ``Stack.new_conn``: unique among all clients of this node.
    :ivar pid: of the client process, from the socket's credentials; likewise uid, gid.
    :ivar procname: its name, empty when it could not be found out.
    """

    conn: int
    pid: int
    uid: int
    gid: int
    procname: str
    stats: ClientStats

    def respond(self, response: bytes) -> None:
        """Answer the request under way; exactly once for each request that has an answer."""

    def event(self, slices: Slices) -> None:
        """
        Write an event in order behind all earlier ones; copied before this returns.

        A client that does not read has its events queued up to a named limit, and is dropped
        beyond it. Never raises; the event of a client that is gone is dropped.
        """

    def event_run(self, run: EventRun) -> int:
        """
        Write messages as events, or queue them, like ``event``; each is copied once.

        :return: how many; fewer than the run has when the next is longer than any event may be.
        """

    def close(self) -> None:
        """Disconnect the client; its handler's disconnected() is called, once, before or after."""


class LibHandler(Protocol):
    """
    One service for C clients (Corosync: struct corosync_lib_handler and its engine).

    :ivar service_id: number of the service on the wire.
    :ivar socket_name: what libqb's clients connect to, for instance ``cpg``.
    """

    service_id: int
    socket_name: str

    def connected(self, client: LibClient) -> None:
        """Welcome a client that was let in."""

    def requests(self, client: LibClient, batch: Sequence[bytes]) -> int:
        """
        Serve whole requests, each with its header, in order.

        The header's size is the length of the bytes, at least 16. Everything else is unchecked.
        :return: how many were served; fewer than given when the ring cannot take more now. The
        server keeps the rest and comes back with it first, after ``resume``.
        """

    def disconnected(self, client: LibClient) -> None:
        """Forget a client; nothing can be sent to it any more."""

    def effect_handlers(self) -> Mapping[type, "EffectHandler"]:
        """Name the stack's effects that concern this service's clients, by class."""


@runtime_checkable
class TakesRuns(Protocol):
    """A LibHandler whose clients send many messages."""

    def take_runs(self, client: LibClient, requests: RequestRuns) -> RunsTaken:
        """
        Take requests from where the client left them, in order, and count them for it.

        Requests of other kinds, and those that find no room, stay where they are.
        """


class EffectHandler(Protocol):
    """Takes one effect of the stack, in order; must not call the stack's receive or advance."""

    def __call__(self, effect: object, /) -> None:
        """Tell the clients."""


class Shell(Protocol):
    """What a handler may ask of the daemon around the stack."""

    def now_ns(self) -> int:
        """Read the driver's monotonic clock."""

    def pump(self) -> None:
        """Have the stack polled, later in this turn of the loop; after every call that may send."""
