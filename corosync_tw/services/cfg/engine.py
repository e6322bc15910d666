"""
Cluster-wide administration: orders from local clients, and orders that arrive from members.

Local clients are known by a number, ``conn``; they raise CsError subclasses alone. What takes time
is answered by an effect that carries the number.

Source: Corosync exec/cfg.c.
"""

from collections import deque
from contextlib import suppress
from typing import Final

from corosync_tw.corotypes import CS_OK, NS_PER_MS, Buffer, Guarantee
from corosync_tw.errors import CsAccess, CsBusy, CsExist, CsNotExist, CsTimeout, CsTryAgain
from corosync_tw.services.cfg.crypto_change import CryptoChange
from corosync_tw.services.cfg.effects import (
    LogsReopened,
    NodeKilled,
    NodeShutDown,
    ReloadAnswered,
    ReloadRequested,
    ReopenLogs,
    RingsReenabled,
    ShutdownAnswered,
    ShutdownDecided,
    TestShutdown,
)
from corosync_tw.services.cfg.key_agreement import KeyAgreement
from corosync_tw.services.cfg.shutdown import Opinion, ShutdownFlag, ShutdownVote
from corosync_tw.services.cfg.wire import (
    CfgFunction,
    KillNode,
    ReloadConfig,
    RingReenable,
    decode_crypto_reconfig,
    decode_killnode,
    decode_reload,
    decode_ring_reenable,
    encode_killnode,
    encode_reload,
    encode_ring_reenable,
    encode_shutdown,
)
from corosync_tw.services.effects import FatalError
from corosync_tw.services.exec_wire import HEADER_LEN, ServiceId, need
from corosync_tw.services.interfaces import ExecHandler, ServiceBus

# corosync_fatal_error(COROSYNC_FATAL_ERROR_EXIT) exits with -1
KILLED_EXIT_CODE: Final = 255
# How long a vote may take when cfg.shutdown_timeout is not set.
SHUTDOWN_TIMEOUT_MS: Final = 5000
# A granted shutdown that found the queue full is announced so much later.
ANNOUNCE_RETRY_NS: Final = 50 * NS_PER_MS
# Reloads that wait to be carried out; one more finds its wish fulfilled by those.
RELOADS_MAX: Final = 100


class CfgEngine:
    """
    Orders sent and received.

    :ivar members: of the configuration that was delivered last.
    :ivar reload_requests: how often a member asked all to read their configuration again.
    """

    service_id: int = ServiceId.CFG
    name = "corosync configuration service"

    def __init__(self, nodeid: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._bus = bus
        self.members: tuple[int, ...] = ()
        self.reload_requests = 0
        # Reloads in the order of messages, each with the local client that waits for its end.
        self._reloads: deque[int | None] = deque()
        self._reload_waiting: set[int] = set()
        self._trackers: dict[int, None] = {}
        self._past_requesters: set[int] = set()
        self._vote: ShutdownVote | None = None
        self._announce_ns: int | None = None
        self._crypto: CryptoChange | KeyAgreement = CryptoChange(nodeid, bus)

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {
            CfgFunction.RINGREENABLE: self.on_ringreenable,
            CfgFunction.KILLNODE: self.on_killnode,
            CfgFunction.SHUTDOWN: self.on_shutdown,
            CfgFunction.RELOAD_CONFIG: self.on_reload_config,
            CfgFunction.CRYPTO_RECONFIG: self.on_crypto_reconfig,
        }

    # For local clients

    def disconnect(self, conn: int) -> None:
        """Forget a client that is gone; never raises."""
        if self._vote is not None and self._vote.requester == conn:
            self._vote = None
        self.track_stop(conn)
        self._reload_waiting.discard(conn)
        self._past_requesters.discard(conn)

    def kill_node(self, nodeid: int, reason: bytes) -> None:
        """
        Order a member to die.

        Raises: CsNotExist: it is no member now. CsTryAgain.
        """
        if nodeid not in self.members:
            raise CsNotExist(f"node {nodeid} is not in the ring")
        self._bus.mcast((encode_killnode(KillNode(nodeid, reason)),), Guarantee.AGREED)

    def announce_shutdown(self) -> None:
        """Tell all that we are shut down on purpose; raises CsTryAgain."""
        self._bus.mcast((encode_shutdown(),), Guarantee.AGREED)

    def try_shutdown(self, conn: int, flags: int, timeout_ms: int, now_ns: int) -> bool:
        """
        Shut this node down, if those who track have nothing against it.

        :param flags: a ShutdownFlag.
        :param timeout_ms: how long the others may think.
        :return: whether it is granted already; otherwise a ShutdownAnswered follows.
        Raises: CsExist: another vote is under way. CsTryAgain.
        """
        if flags == ShutdownFlag.IMMEDIATE:
            self.announce_shutdown()
            return True
        if self._vote is not None:
            raise CsExist("a shutdown is being decided already")
        asked = [tracker for tracker in self._trackers if tracker != conn]
        self._past_requesters.add(conn)
        if not asked:
            self.announce_shutdown()
            return True
        self._vote = ShutdownVote(conn, flags, asked, now_ns + timeout_ms * NS_PER_MS)
        for tracker in asked:
            self._bus.emit(TestShutdown(tracker, flags, CS_OK))
        return False

    def reply_to_shutdown(self, conn: int, *, yes: bool) -> None:
        """
        Give an opinion on the shutdown under way.

        Raises: CsAccess: there is none.
        """
        if self._vote is None:
            raise CsAccess("no shutdown is being decided")
        self._vote.answer(conn, yes=yes)
        self._decide()

    def track_start(self, conn: int) -> None:
        """Ask this client, too, before the node is shut down; again does nothing."""
        if conn in self._trackers:
            return
        self._trackers[conn] = None
        if self._vote is not None:
            self._vote.ask(conn)
            self._bus.emit(TestShutdown(conn, self._vote.flags, CS_OK))

    def track_stop(self, conn: int) -> None:
        """Ask it no more; who goes during a vote agrees."""
        if conn not in self._trackers:
            return
        del self._trackers[conn]
        if self._vote is not None:
            self._vote.answer(conn, yes=True)
            self._decide()

    def reload_config(self, conn: int) -> None:
        """
        Have all members read their configuration again; a ReloadAnswered follows.

        SAFE: when keys change, nobody may begin to use the new one before all can read it.
        Raises: CsTryAgain.
        """
        self._bus.mcast((encode_reload(ReloadConfig(self._nodeid, conn)),), Guarantee.SAFE)
        self._reload_waiting.add(conn)

    def reenable_rings(self, conn: int) -> None:
        """
        Have all members use all of their networks again; a RingsReenabled follows.

        Raises: CsTryAgain.
        """
        message = encode_ring_reenable(RingReenable(self._nodeid, conn))
        self._bus.mcast((message,), Guarantee.AGREED)

    def reopen_log_files(self, conn: int) -> None:
        """Have this node open its log files anew; a LogsReopened follows."""
        self._bus.emit(ReopenLogs(conn))

    # For the daemon

    def configuration_change(self, members: tuple[int, ...]) -> None:
        """Follow the ring's configurations, transitional ones too."""
        self.members = members
        self._crypto.configuration_change(members)

    def reload_done(self, error: int) -> None:
        """
        Take note that the oldest ReloadRequested was carried out.

        :param error: cs_error_t.
        """
        assert self._reloads, "a reload nobody asked for"
        self._answer_reload(self._reloads.popleft(), error)

    def reopen_done(self, conn: int, error: int) -> None:
        """
        Take note that the log files were opened anew.

        :param error: cs_error_t.
        """
        self._bus.emit(LogsReopened(conn, error))

    def agree_on_keys(self) -> None:
        """Have no key used before all members have it; before the first ring."""
        self._crypto = KeyAgreement(self._nodeid, self._bus)

    def keys_changed(self, now_ns: int) -> None:
        """Take note of another key: packets are sealed with it, or will be as soon as agreed."""
        self._crypto.begin(self.members, now_ns)

    def next_deadline(self) -> int | None:
        """Tell when a vote, a pause or a change of keys ends, absolute, in nanoseconds."""
        if self._vote is None and self._announce_ns is None:
            return self._crypto.next_deadline()
        vote_ns = None if self._vote is None else self._vote.deadline_ns
        deadlines = (vote_ns, self._announce_ns, self._crypto.next_deadline())
        return min((at_ns for at_ns in deadlines if at_ns is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """End a vote in time; announce what was granted while the queue was full."""
        if self._announce_ns is not None and now_ns >= self._announce_ns:
            self._announce(now_ns)
        self._crypto.advance(now_ns)
        vote = self._vote
        if vote is not None and now_ns >= vote.deadline_ns:
            vote.time_out()
            self._decide()
            # Only those hear of it who have asked for a shutdown themselves: so does Corosync.
            for tracker in self._trackers:
                if tracker in self._past_requesters:
                    self._bus.emit(TestShutdown(tracker, vote.flags, CsTimeout.code))

    def _answer_reload(self, conn: int | None, error: int) -> None:
        if conn is not None and conn in self._reload_waiting:
            self._reload_waiting.discard(conn)
            self._bus.emit(ReloadAnswered(conn, error))

    def _decide(self) -> None:
        vote = self._vote
        if vote is None or not vote.over:
            return
        self._vote = None
        granted = vote.granted
        self._bus.emit(ShutdownAnswered(vote.requester, CS_OK if granted else CsBusy.code))
        if granted:
            self._announce(self._bus.now_ns)
        yes, no = vote.count(Opinion.YES), vote.count(Opinion.NO)
        self._bus.emit(ShutdownDecided(yes, no, vote.flags))

    def _announce(self, now_ns: int) -> None:
        self._announce_ns = now_ns + ANNOUNCE_RETRY_NS
        with suppress(CsTryAgain):
            self.announce_shutdown()
            self._announce_ns = None

    def _end(self, text: str, exit_code: int, *, leave_first: bool) -> None:
        self._bus.emit(FatalError(text, exit_code, leave_first, subsys="CFG", level="notice"))

    # Messages

    def on_ringreenable(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Have the daemon use all networks again; raises MalformedFrame."""
        del seq
        message = decode_ring_reenable(data, big_endian)
        self._bus.emit(RingsReenabled(message.conn if nodeid == self._nodeid else 0))

    def on_killnode(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """End at once when we are meant; raises MalformedFrame."""
        del seq
        message = decode_killnode(data, big_endian)
        reason = message.reason.partition(b"\0")[0].decode("utf-8", "replace")
        if message.nodeid == self._nodeid:
            text = f"Killed by node {nodeid} : {reason}"
            self._end(text, KILLED_EXIT_CODE, leave_first=False)
        elif message.nodeid in self.members:
            self._bus.emit(NodeKilled(message.nodeid, nodeid, reason))

    def on_shutdown(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Leave cleanly when our own announcement comes back; raises MalformedFrame."""
        del seq, big_endian
        need(data, HEADER_LEN, "cfg shutdown")
        if nodeid == self._nodeid:
            text = f"Node {nodeid} was shut down by sysadmin"
            self._end(text, 0, leave_first=True)
        else:
            self._bus.emit(NodeShutDown(nodeid))

    def on_reload_config(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Have the daemon read the configuration; raises MalformedFrame."""
        del seq
        message = decode_reload(data, big_endian)
        self.reload_requests += 1
        self._crypto.expect()
        conn = message.conn if nodeid == self._nodeid else None
        if len(self._reloads) < RELOADS_MAX:
            self._reloads.append(conn)
            self._bus.emit(ReloadRequested(nodeid))
        else:
            self._answer_reload(conn, CsBusy.code)

    def on_crypto_reconfig(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Note how far a member is with its keys; raises MalformedFrame."""
        del seq
        self._crypto.on_phase(nodeid, decode_crypto_reconfig(data, big_endian))
