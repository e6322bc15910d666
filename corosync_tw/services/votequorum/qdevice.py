"""
The quorum device: an outside program of this node that votes by polling us.

It registers under a name that is the same in the whole cluster, says at least every timeout how it
votes, and counts as lost when it does not. A synchronization waits for it.

Source: Corosync exec/votequorum.c message_handler_req_lib_votequorum_qdevice_*,
message_handler_req_exec_votequorum_qdevice_reg, qdevice_timer_fn.
Deviation: a registration whose client goes before the answer is forgotten; Corosync answers a
connection that is gone. A name that is empty or has no end is refused.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import CS_OK
from corosync_tw.errors import (
    CsAccess,
    CsExist,
    CsInvalidParam,
    CsMessageError,
    CsNotExist,
    CsTryAgain,
)
from corosync_tw.services.effects import LocalEffect
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.votequorum.effects import QdeviceRegistered
from corosync_tw.services.votequorum.outbox import Outbox
from corosync_tw.services.votequorum.params import (
    QDEVICE_SYNC_TIMEOUT_NS,
    QDEVICE_TIMEOUT_NS,
    DeviceParams,
)
from corosync_tw.services.votequorum.voting import Voting
from corosync_tw.services.votequorum.wire import (
    QDEVICE_NAME_LEN,
    NodeFlags,
    QdeviceOperation,
    QdeviceReconfigure,
    QdeviceReg,
    encode_qdevice_reconfigure,
    encode_qdevice_reg,
)

_DEVICE_FLAGS: Final = (
    NodeFlags.QDEVICE_REGISTERED
    | NodeFlags.QDEVICE_ALIVE
    | NodeFlags.QDEVICE_CAST_VOTE
    | NodeFlags.QDEVICE_MASTER_WINS
)


class QuorumDevice:
    """
    The local end of the quorum device.

    :ivar name: of the device in the whole cluster, empty without one.
    :ivar allowed: the configuration lets a device vote.
    :ivar master_wins: what the device asked for last; None before it did.
    :ivar deadline_ns: the device is lost then; None without a timer.
    :ivar holds_sync: the synchronization under way waits for a poll.
    """

    def __init__(
        self,
        voting: Voting,
        outbox: Outbox,
        emit: Callable[[LocalEffect], None],
        params: DeviceParams | None,
        *,
        allowed: bool,
    ) -> None:
        self._voting = voting
        self._outbox = outbox
        self._emit = emit
        self.name = b""
        self.master_wins: int | None = None
        self.deadline_ns: int | None = None
        self.holds_sync = False
        self._registering: int | None = None  # conn
        self._here = (
            False  # registered by a program of this node, whatever our flags are said to be
        )
        self.configure(params, allowed=allowed)

    def configure(self, params: DeviceParams | None, *, allowed: bool) -> None:
        """Take votes and timeouts; without a device its votes are 0."""
        self.allowed = allowed
        self._timeout_ns = QDEVICE_TIMEOUT_NS if params is None else params.timeout_ns
        self._sync_timeout_ns = QDEVICE_SYNC_TIMEOUT_NS
        if params is not None:
            self._sync_timeout_ns = params.sync_timeout_ns
        if params is None or params.votes is not None:
            self._voting.nodes.device.votes = 0 if params is None else params.votes or 0

    @property
    def registered(self) -> bool:
        """Whether a device of this node is registered."""
        return self._here and bool(self._voting.us.flags & NodeFlags.QDEVICE_REGISTERED)

    # Requests of the device's program

    def register(self, conn: int, name: bytes) -> bool:
        """
        Begin to register; a QdeviceRegistered follows.

        :return: True when it is registered already and nothing follows.
        Raises CsAccess, CsExist: under another name. CsTryAgain: another one is under way, or no
        room. CsInvalidParam.
        """
        check_name(name)
        if not self.allowed:
            text = (
                "Registration of quorum device is disabled by incorrect corosync.conf. "
                "See logs for more information"
            )
            self._remark("info", text)
            raise CsAccess("the configuration does not allow a quorum device")
        if self.registered:
            if name != self.name:
                self._remark_other_name(name, "re-register")
                raise CsExist("registered under another name")
            return True
        if self._registering is not None:
            self._remark("warning", "Registration request already in progress")
            raise CsTryAgain("a registration is under way")
        self._outbox.check_room()
        self._registering = conn
        self._outbox.send(encode_qdevice_reg(QdeviceReg(QdeviceOperation.REGISTER, name)))
        return False

    def unregister(self, name: bytes) -> None:
        """Take the device away; raises CsNotExist, CsInvalidParam, CsTryAgain."""
        self._check_registered(name)
        self._outbox.check_room()
        self.deadline_ns = None
        self.holds_sync = False
        self._here = False
        self._voting.us.flags &= ~_DEVICE_FLAGS
        self._outbox.send_info(self._voting.us)
        self._outbox.send(encode_qdevice_reg(QdeviceReg(QdeviceOperation.UNREGISTER, name)))

    def update(self, old_name: bytes, new_name: bytes) -> None:
        """Rename the device; raises CsNotExist, CsInvalidParam, CsTryAgain."""
        self._check_registered(old_name)
        check_name(new_name)
        self._outbox.check_room()
        self._outbox.send(encode_qdevice_reconfigure(QdeviceReconfigure(old_name, new_name)))

    def poll(self, name: bytes, cast_vote: bool, in_this_ring: bool, now_ns: int) -> None:
        """
        Say that the device lives and whether it votes for us.

        :param in_this_ring: the device knows of the ring that we are in.
        Raises CsAccess, CsNotExist, CsMessageError: it does not. CsInvalidParam, CsTryAgain.
        """
        self._check_allowed()
        if not self.registered:
            raise CsNotExist("no quorum device is registered")
        if not in_this_ring:
            raise CsMessageError("a poll for another ring")
        self._check_registered(name)
        self._outbox.check_room()
        flags = self._voting.us.flags | NodeFlags.QDEVICE_ALIVE | NodeFlags.QDEVICE_CAST_VOTE
        if not cast_vote:
            flags &= ~NodeFlags.QDEVICE_CAST_VOTE
        self._set_flags(flags)
        self.deadline_ns = now_ns + self._timeout_ns
        self.holds_sync = False

    def set_master_wins(self, name: bytes, allow: int) -> None:
        """
        Let the partition with the device's master be quorate.

        Raises CsAccess, CsNotExist, CsInvalidParam, CsTryAgain.
        """
        self._check_allowed()
        self._check_registered(name)
        self._outbox.check_room()
        flags = self._voting.us.flags | NodeFlags.QDEVICE_MASTER_WINS
        if not allow:
            flags &= ~NodeFlags.QDEVICE_MASTER_WINS
        self._set_flags(flags)
        self.master_wins = allow & 0xFF
        self._voting.master_wins = bool(self.master_wins)

    def disconnect(self, conn: int) -> None:
        """Forget who asked; a registered device stays until its timeout."""
        if self._registering == conn:
            self._registering = None

    # What the ring and the clock say

    def on_reg(self, ours: bool, message: QdeviceReg) -> None:
        """Take a registration, ours or another node's."""
        if message.operation == QdeviceOperation.UNREGISTER:
            self._on_unregister()
        elif message.operation != QdeviceOperation.REGISTER:
            return
        elif not ours:
            self.name = self.name or message.name
        elif not self.registered and self._registering is not None:
            self._on_own_reg(self._registering, message.name)

    def on_reconfigure(self, message: QdeviceReconfigure) -> None:
        """Rename the device."""
        if message.old_name == self.name:
            self.name = message.new_name

    def new_ring(self, now_ns: int) -> None:
        """Have the synchronization wait for a device that lives."""
        alive = bool(self._voting.us.flags & NodeFlags.QDEVICE_ALIVE)
        self.holds_sync = self.registered and alive
        if self.holds_sync:
            self.deadline_ns = now_ns + self._sync_timeout_ns
            self._remark(
                "info",
                f"waiting for quorum device {self._shown()} poll "
                f"(but maximum for {self._sync_timeout_ns // 1_000_000} ms)",
            )

    def advance(self, now_ns: int) -> None:
        """Give up a device that has been silent for too long."""
        if self.deadline_ns is None or now_ns < self.deadline_ns:
            return
        self.deadline_ns = None
        self.holds_sync = False
        if self._voting.us.flags & NodeFlags.QDEVICE_ALIVE:
            self._voting.us.flags &= ~(NodeFlags.QDEVICE_ALIVE | NodeFlags.QDEVICE_CAST_VOTE)
            self._remark("info", f"lost contact with quorum device {self._shown()}")
            self._outbox.send_info(self._voting.us)

    def _on_own_reg(self, conn: int, name: bytes) -> None:
        self._registering = None
        self.name = self.name or name
        error = CS_OK
        if self.name == name:
            self._here = True
            self._voting.us.flags |= NodeFlags.QDEVICE_REGISTERED
            self._outbox.send_info(self._voting.nodes.device)
            self._outbox.send_info(self._voting.us)
        else:
            self._remark_other_name(name, "register")
            error = CsExist.code
        self._emit(QdeviceRegistered(conn, error))

    def _on_unregister(self) -> None:
        members = self._voting.nodes.members()
        if not any(n.flags & NodeFlags.QDEVICE_REGISTERED for n in members):
            self.name = b""

    def _set_flags(self, flags: NodeFlags) -> None:
        if flags != self._voting.us.flags:
            self._voting.us.flags = flags
            self._outbox.send_info(self._voting.us)

    def _check_allowed(self) -> None:
        if not self.allowed:
            raise CsAccess("the configuration does not allow a quorum device")

    def _check_registered(self, name: bytes) -> None:
        if not self.registered:
            raise CsNotExist("no quorum device is registered")
        if name != self.name:
            raise CsInvalidParam("the quorum device has another name")

    def _remark(self, level: str, text: str) -> None:
        self._emit(LogLine("VOTEQ", level, text))

    def _remark_other_name(self, name: bytes, verb: str) -> None:
        self._remark(
            "warning",
            f"A new qdevice with different name (new: {name.decode(errors='replace')} "
            f"old: {self._shown()}) is trying to {verb}!",
        )

    def _shown(self) -> str:
        return self.name.decode(errors="replace")


def check_name(name: bytes) -> None:
    """Check the name of a device; raises CsInvalidParam."""
    if not name or len(name) >= QDEVICE_NAME_LEN or b"\0" in name:
        raise CsInvalidParam("a quorum device has a name of 1 to 254 bytes")
