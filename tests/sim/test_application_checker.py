"""The rules of process groups on hand-written logs."""

from corosync_tw.corotypes import RingId
from corosync_tw.services.effects import CpgDeliver, CpgMember
from corosync_tw.sim.app_record import (
    AppDelivery,
    AppLog,
    AppPart,
    AppQuorum,
    AppRing,
    AppSync,
    AppView,
    read_message,
)
from corosync_tw.sim.checkers.application import check_application

RING = RingId(1, 5)
NEXT = RingId(1, 9)
GROUP = b"alpha"
BOTH = ((1, 7), (2, 7))


class Logs:
    def __init__(self, *nodeids):
        self.logs = {nodeid: AppLog(nodeid, 1, next_index=9) for nodeid in nodeids}
        self.time_ns = 0

    def add(self, nodeid, kind, *values):
        self.time_ns += 1
        self.logs[nodeid].events.append(kind(self.time_ns, *values))

    def ring(self, *nodeids, ring_id=RING):
        for nodeid in nodeids:
            self.add(nodeid, AppRing, True, ring_id, nodeids)
            self.add(nodeid, AppSync, ring_id, nodeids)

    def view(self, nodeid, members=BOTH):
        joined = tuple(CpgMember(*member, 1) for member in members)
        self.add(nodeid, AppView, GROUP, members, (), joined)

    def deliver(self, nodeid, *indices, sender=1):
        for index in indices:
            self.add(nodeid, AppDelivery, GROUP, (sender, 1, index), index)

    def rules(self):
        return {violation.rule for violation in check_application(list(self.logs.values()))}


def both():
    logs = Logs(1, 2)
    logs.ring(1, 2)
    logs.view(1)
    logs.view(2)
    logs.deliver(1, 0, 1)
    logs.deliver(2, 0, 1)
    return logs


def test_a_sound_run():
    assert both().rules() == set()


def test_a_message_that_was_never_sent():
    logs = both()
    logs.deliver(2, 2, 3, 4, 5, 6, 7, 8, 9)
    assert logs.rules() == {"cpg no creation"}


def test_a_message_delivered_twice():
    logs = both()
    logs.deliver(1, 1)
    assert "cpg sender order" in logs.rules()


def test_a_gap_in_a_senders_messages():
    logs = both()
    logs.deliver(1, 3)
    logs.deliver(2, 3)
    assert logs.rules() == {"cpg sender order"}


def test_a_new_ring_may_bring_a_gap_from_others():
    logs = both()
    logs.ring(2, ring_id=NEXT)
    logs.deliver(2, 4)
    assert logs.rules() == set()


def test_two_orders_of_messages():
    logs = both()
    for nodeid, senders in ((1, (1, 2)), (2, (2, 1))):
        for sender in senders:
            logs.deliver(nodeid, 2 if sender == 1 else 0, sender=sender)
    assert logs.rules() == {"cpg order", "cpg same history"}


def test_a_view_at_different_places():
    logs = both()
    alone = ((1, 7),)
    left = (CpgMember(2, 7, 2),)
    logs.add(1, AppView, GROUP, alone, left, ())
    logs.deliver(1, 2)
    logs.deliver(2, 2)
    logs.add(2, AppView, GROUP, alone, left, ())
    assert "cpg same history" in logs.rules()


def test_a_view_that_does_not_follow_from_the_one_before():
    logs = both()
    logs.add(1, AppView, GROUP, ((1, 7),), (), ())
    assert "cpg views" in logs.rules()


def test_a_message_from_outside_the_view():
    logs = both()
    logs.ring(1, 2, ring_id=NEXT)
    for nodeid in (1, 2):
        logs.add(nodeid, AppView, GROUP, ((2, 7),), (CpgMember(1, 7, 2),), ())
        logs.deliver(nodeid, 2)
    assert logs.rules() == {"cpg views"}


def test_a_message_before_the_end_of_synchronization():
    logs = both()
    logs.add(1, AppRing, True, NEXT, (1,))
    logs.deliver(1, 2)
    assert logs.rules() == {"sync barrier"}


def test_the_end_of_another_rings_synchronization():
    logs = both()
    logs.add(1, AppRing, True, NEXT, (1,))
    logs.add(1, AppSync, RING, (1, 2))
    assert logs.rules() == {"sync barrier"}


def test_companions_who_saw_different_messages():
    logs = both()
    logs.ring(1, 2, ring_id=NEXT)
    logs.deliver(1, 2)
    for nodeid in (1, 2):
        logs.add(nodeid, AppRing, False, RingId(1, 13), (1, 2))
    assert logs.rules() == {"cpg same history"}


def test_those_who_part_may_have_seen_different_messages():
    logs = both()
    logs.ring(1, 2, ring_id=NEXT)
    logs.deliver(1, 2)
    logs.add(1, AppRing, False, RingId(1, 13), (1,))
    logs.add(2, AppRing, False, RingId(2, 13), (2,))
    assert logs.rules() == set()


def test_two_quorate_partitions():
    logs = both()
    logs.add(1, AppQuorum, True, (1,), NEXT)
    logs.add(2, AppQuorum, True, (2,), RingId(2, 9))
    assert logs.rules() == {"quorum"}


def test_one_quorate_partition():
    logs = both()
    logs.add(1, AppQuorum, True, (1, 3), NEXT)
    logs.add(2, AppQuorum, False, (2,), RingId(2, 9))
    assert logs.rules() == set()


def test_a_damaged_byte_is_seen():
    log = AppLog(1, 1)
    header, body = log.new_message(5000)
    whole = bytes(header) + bytes(body)
    assert read_message(whole) == ((1, 1, 0), 0)
    damaged = bytearray(whole)
    damaged[4000] ^= 1
    log.deliver(5, CpgDeliver(0, GROUP, 1, 7, 1, bytes(damaged)))
    assert [v.rule for v in check_application([log])] == ["content"]
    assert read_message(whole[:-1]) is None


def test_a_process_that_was_out_of_its_group_may_miss_messages():
    logs = both()
    logs.ring(1, 2, ring_id=NEXT)
    logs.deliver(1, 2, 3)
    logs.add(2, AppPart, GROUP)
    logs.view(2)
    logs.deliver(2, 3)
    assert logs.rules() == set()
