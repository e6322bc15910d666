"""
Cluster-wide administration: orders that arrive from other nodes.

Source: Corosync exec/cfg.c, message_handler_req_exec_cfg_*.
"""

from corosync_tw.corotypes import Buffer, Guarantee
from corosync_tw.services.cfg.wire import (
    CRYPTO_RECONFIG_LEN,
    RELOAD_LEN,
    CfgFunction,
    KillNode,
    decode_killnode,
    encode_killnode,
    encode_shutdown,
)
from corosync_tw.services.effects import FatalError
from corosync_tw.services.exec_wire import HEADER_LEN, ServiceId, need
from corosync_tw.services.interfaces import ExecHandler, ServiceBus

# corosync_fatal_error(COROSYNC_FATAL_ERROR_EXIT) exits with -1
KILLED_EXIT_CODE = 255


class CfgEngine:
    """
    Orders received.

    :ivar reload_requests: how often a member asked all to read their configuration again.
    """

    service_id: int = ServiceId.CFG
    name = "corosync configuration service"

    def __init__(self, nodeid: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._bus = bus
        self.reload_requests = 0

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {
            CfgFunction.RINGREENABLE: self.on_ringreenable,
            CfgFunction.KILLNODE: self.on_killnode,
            CfgFunction.SHUTDOWN: self.on_shutdown,
            CfgFunction.RELOAD_CONFIG: self.on_reload_config,
            CfgFunction.CRYPTO_RECONFIG: self.on_crypto_reconfig,
        }

    def kill_node(self, nodeid: int, reason: bytes) -> None:
        """Order a node to die; raises CsTryAgain."""
        self._bus.mcast((encode_killnode(KillNode(nodeid, reason)),), Guarantee.AGREED)

    def announce_shutdown(self) -> None:
        """Tell all that we are shut down on purpose; raises CsTryAgain."""
        self._bus.mcast((encode_shutdown(),), Guarantee.AGREED)

    def on_ringreenable(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Do nothing, as Corosync since 3.0; raises MalformedFrame."""
        del nodeid, seq, big_endian
        need(data, HEADER_LEN, "cfg ringreenable")

    def on_killnode(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """End at once when we are meant; raises MalformedFrame."""
        del seq
        message = decode_killnode(data, big_endian)
        if message.nodeid == self._nodeid:
            reason = message.reason.partition(b"\0")[0].decode("utf-8", "replace")
            text = f"Killed by node {nodeid} : {reason}"
            self._bus.emit(FatalError(text, KILLED_EXIT_CODE, leave_first=False))

    def on_shutdown(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Leave cleanly when our own announcement comes back; raises MalformedFrame."""
        del seq, big_endian
        need(data, HEADER_LEN, "cfg shutdown")
        if nodeid == self._nodeid:
            text = f"Node {nodeid} was shut down by sysadmin"
            self._bus.emit(FatalError(text, 0, leave_first=True))

    def on_reload_config(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Count the request: a node keeps its configuration until it starts again."""
        del nodeid, seq, big_endian
        need(data, RELOAD_LEN, "cfg reload")
        self.reload_requests += 1

    def on_crypto_reconfig(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Check the message: the phases are the business of the node that sent them."""
        del nodeid, seq, big_endian
        need(data, CRYPTO_RECONFIG_LEN, "cfg crypto reconfiguration")
