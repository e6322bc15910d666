"""The way from the service engines to totempg and to the driver; made by the stack alone."""

from array import array
from collections.abc import Callable

from corosync_tw.corotypes import Guarantee, Slices
from corosync_tw.services.effects import StackEffect
from corosync_tw.services.exec_wire import EXEC_GROUP, SYNC_GROUP
from corosync_tw.services.inspection.wire import INSPECTION_GROUP
from corosync_tw.services.stats.meter import StackMeter
from corosync_tw.services.ykd.wire import YKD_GROUP
from corosync_tw.totem.pg import Totempg


class StackBus:
    """
    Implements ServiceBus.

    :ivar emit: adds an effect for the driver.
    :ivar now_ns: monotonic time of the step under way, kept by the stack.
    :ivar sent: something was queued since the stack last looked, and the ring may rest.
    :ivar meter: counts what is sent.
    """

    __slots__ = ("_pg", "emit", "meter", "now_ns", "sent")

    def __init__(self, pg: Totempg, emit: Callable[[StackEffect], None], now_ns: int) -> None:
        self._pg = pg
        self.emit = emit
        self.now_ns = now_ns
        self.sent = False
        self.meter = StackMeter()

    def mcast(
        self, slices: Slices, guarantee: Guarantee = Guarantee.AGREED, *, bulk: bool = False
    ) -> None:
        """Queue a message for the services of all members; raises CsTryAgain."""
        self._pg.mcast(EXEC_GROUP, slices, guarantee, bulk=bulk)
        self.sent = True
        self.meter.queued(slices[0], self.now_ns)

    def commit(self, lens: "array[int]", guarantee: Guarantee, head: bytes) -> None:
        """
        Queue messages of applications that were laid into memory which totempg had reserved.

        :param lens: of the messages, the group's name included.
        :param head: what they begin with behind the name, the same object for one kind.
        """
        self._pg.commit(lens, guarantee)
        self.sent = True
        self.meter.queued_run(head, len(lens), self.now_ns)

    def sync_mcast(self, slices: Slices) -> None:
        """Queue a message for the services that belongs to synchronization; raises CsTryAgain."""
        self._pg.mcast(EXEC_GROUP, slices, trans=True)
        self.sent = True
        self.meter.queued_in_sync(slices[0])

    def sync_group_mcast(self, message: bytes) -> None:
        """Queue a message of the synchronization machine itself; raises CsTryAgain."""
        self._pg.mcast(SYNC_GROUP, (message,), trans=True)
        self.sent = True

    def inspection_mcast(self, slices: Slices, *, bulk: bool) -> None:
        """Queue a message for the inspection services of all members; raises CsTryAgain."""
        self._pg.mcast(INSPECTION_GROUP, slices, bulk=bulk)
        self.sent = True

    def ykd_mcast(self, message: bytes, trans: bool) -> None:
        """Queue a message of the YKD quorum provider; raises CsTryAgain."""
        self._pg.mcast(YKD_GROUP, (message,), trans=trans)
        self.sent = True
