"""The line that systemctl shows."""

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.daemon.status_line import StatusLine
from corosync_tw.services.effects import FatalError, QuorumChange, SyncDone, TotemConfchg

RING = RingId(1, 0x1C)


def confchg(kind, *members):
    return TotemConfchg(kind, RING, members, (), ())


def test_it_follows_ring_and_quorum():
    lines = []
    status = StatusLine(lines.append)
    status.begin()
    status.effect(confchg(ConfChangeType.TRANSITIONAL, 1))
    status.effect(confchg(ConfChangeType.REGULAR, 1, 2, 3))
    status.effect(QuorumChange(True, (1, 2, 3), RING))
    status.effect(SyncDone(RING, (1, 2, 3), True))
    status.effect(QuorumChange(False, (1,), RING))
    status.effect("something else")
    status.effect(FatalError("Node 1 was shut down by sysadmin", 0, leave_first=True))
    assert lines == [
        "Looking for other nodes",
        "Synchronizing ring 1.1c of 3 nodes: 1 2 3",
        "Ring 1.1c, quorate, 3 nodes: 1 2 3",
        "Ring 1.1c, NOT quorate, node 1 alone",
        "Node 1 was shut down by sysadmin",
    ]


def test_many_members():
    lines = []
    members = tuple(range(1, 101))
    StatusLine(lines.append).effect(SyncDone(RING, members, True))
    assert lines[0].endswith("100 nodes: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 ...")
