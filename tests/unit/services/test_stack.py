"""Whole nodes, three in one ring in memory."""

from contextlib import suppress

import pytest

from corosync_tw.corotypes import ConfChangeType, CpgReason, Guarantee
from corosync_tw.errors import CsNotExist, CsNotSupported, CsTooBig, CsTryAgain
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX
from corosync_tw.services.cpg.wire import PartialType
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    FatalError,
    QuorumChange,
    SyncDone,
    TotemConfchg,
)
from corosync_tw.services.flow import QueueLevel
from corosync_tw.services.hello import HELLO_GROUP
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.stack import Stack
from corosync_tw.services.votequorum.nodes import NodeState
from corosync_tw.totem.const import MembState
from corosync_tw.totem.params import TotemParams
from tests.unit.services.memory_ring import MemoryRing

AGREED, SAFE = Guarantee.AGREED, Guarantee.SAFE
IDS = (1, 2, 3)


@pytest.fixture
def ring():
    ring = MemoryRing(IDS)
    ring.form()
    return ring


def join_all(ring, group=b"g"):
    """One connection a node, numbered ten times the nodeid, pid 100 more than the nodeid."""
    for nodeid, stack in ring.nodes.items():
        stack.cpg_join(10 * nodeid, group, 100 + nodeid)
    count = len(ring.nodes)
    ring.run_until(lambda: all(len(s.cpg_membership(group)) == count for s in ring.nodes.values()))


def send(ring, nodeid, *texts, guarantee=AGREED):
    ring.nodes[nodeid].cpg_mcast(10 * nodeid, [(t,) for t in texts], guarantee, ring.now_ns)


def orders(ring):
    return [[(d.nodeid, d.pid, d.data) for d in ring.delivered(n)] for n in ring.nodes]


def test_three_nodes_find_each_other_and_are_quorate(ring):
    for nodeid, stack in ring.nodes.items():
        assert stack.members == IDS
        assert stack.quorate
        assert not stack.sync_in_progress
        assert stack.safe_supported
        assert stack.cmap.config_versions == dict.fromkeys(IDS, 0)
        log = ring.log[nodeid]
        last = [
            next(e for e in reversed(log) if isinstance(e, kind))
            for kind in (TotemConfchg, QuorumChange, SyncDone)
        ]
        assert [log.index(e) for e in last] == sorted(log.index(e) for e in last)
        assert last[1] == QuorumChange(True, IDS, stack.ring_id)
        assert last[2] == SyncDone(stack.ring_id, IDS, True)
        changes = [e for e in log if isinstance(e, TotemConfchg)]
        assert [c.kind for c in changes[-2:]] == [
            ConfChangeType.TRANSITIONAL,
            ConfChangeType.REGULAR,
        ]
        assert stack.stats.messages_malformed == stack.stats.messages_unknown == 0


def test_messages_of_all_sizes_come_in_one_order_everywhere(ring):
    join_all(ring)
    sizes = [0, 1, 100, 1372, 1373, 1400, 5000, 100_000, CPG_ATOMIC_LEN_MAX]
    for i, size in enumerate(sizes):
        for nodeid in IDS:
            send(ring, nodeid, bytes([i]) * size, b"%d/%d" % (nodeid, i))
        ring.run_for(20)
    total = 2 * len(IDS) * len(sizes)
    ring.run_until(lambda: all(len(ring.delivered(n)) == total for n in IDS))
    first, *others = orders(ring)
    assert all(order == first for order in others)
    for nodeid in IDS:
        mine = [data for sender, pid, data in first if (sender, pid) == (nodeid, 100 + nodeid)]
        assert mine[::2] == [bytes([i]) * size for i, size in enumerate(sizes)]
        assert mine[1::2] == [b"%d/%d" % (nodeid, i) for i in range(len(sizes))]


def test_the_same_inputs_give_the_same_history():
    def history():
        ring = MemoryRing(IDS)
        ring.form()
        join_all(ring)
        for nodeid in IDS:
            send(ring, nodeid, *(b"%d" % i for i in range(50)))
        ring.run_for(50)
        return repr(ring.log)

    assert history() == history()


def test_a_node_is_killed_and_comes_back(ring):
    join_all(ring)
    ring.crash(3)
    ring.form((1, 2))
    for nodeid in (1, 2):
        change = ring.confchgs(nodeid)[-1]
        assert [m[:2] for m in change.members] == [(1, 101), (2, 102)]
        assert change.left == ((3, 103, CpgReason.NODEDOWN),)
        assert ring.nodes[nodeid].quorate
    send(ring, 1, b"while 3 was away")
    ring.start(3)
    ring.form()
    third = ring.nodes[3]
    assert [m[:2] for m in third.cpg_membership(b"g")] == [(1, 101), (2, 102)]
    third.cpg_join(30, b"g", 7)
    ring.run_until(lambda: len(ring.confchgs(3)) == 1)
    ring.run_for(10)
    assert ring.confchgs(1)[-1].joined == ((3, 7, CpgReason.JOIN),)
    assert ring.delivered(3) == []
    assert third.cpg_groups() == [b"g"]


def test_two_sides_live_apart_and_merge(ring):
    join_all(ring)
    ring.partition({1, 2}, {3})
    ring.form((1, 2))
    ring.form((3,))
    assert ring.nodes[1].quorate
    assert not ring.nodes[3].quorate
    send(ring, 1, b"majority")
    send(ring, 3, b"alone")
    ring.run_for(100)
    ring.heal()
    ring.form()
    for stack in ring.nodes.values():
        assert [m[:2] for m in stack.cpg_membership(b"g")] == [(1, 101), (2, 102), (3, 103)]
    assert [d.data for d in ring.delivered(1)] == [b"majority"]
    assert [d.data for d in ring.delivered(3)] == [b"alone"]
    assert [e.reason for e in ring.confchgs(3)[-1].joined] == [CpgReason.NODEUP] * 2


def test_messages_through_a_merge_are_delivered_in_one_order(ring):
    join_all(ring)
    ring.partition({1, 2}, {3})
    ring.form((1, 2))
    ring.form((3,))
    ring.heal()
    for nodeid in IDS:
        send(ring, nodeid, *(b"%d:%d" % (nodeid, i) + bytes(700) for i in range(60)))
    ring.form()
    ring.run_for(200)

    def after_merge(nodeid):
        log = [e for e in ring.log[nodeid] if isinstance(e, (CpgDeliver, CpgConfchg))]
        merged = max(i for i, e in enumerate(log) if isinstance(e, CpgConfchg))
        return [(e.nodeid, e.data) for e in log[merged + 1 :]]

    assert after_merge(1) == after_merge(2) == after_merge(3)
    for nodeid in IDS:
        mine = [d.data for d in ring.delivered(nodeid) if d.nodeid == nodeid]
        assert mine == [b"%d:%d" % (nodeid, i) + bytes(700) for i in range(60)]


class TestSafe:
    def test_it_is_delivered_when_all_can(self, ring):
        join_all(ring)
        send(ring, 2, b"safe", guarantee=SAFE)
        ring.run_until(lambda: all(len(ring.delivered(n)) == 1 for n in IDS))

    def test_it_is_refused_beside_a_peer_that_never_announced_it(self):
        ring = MemoryRing(IDS)
        self.silence(ring.nodes[3])
        ring.form()
        join_all(ring)
        assert not ring.nodes[1].safe_supported
        with pytest.raises(CsNotSupported, match="announced it: 3"):
            send(ring, 1, b"safe", guarantee=SAFE)
        send(ring, 1, b"agreed")
        ring.crash(3)
        ring.form((1, 2))
        send(ring, 1, b"safe", guarantee=SAFE)
        ring.run_until(lambda: [d.data for d in ring.delivered(2)] == [b"agreed", b"safe"])

    @staticmethod
    def silence(stack):
        mcast = stack.pg.mcast

        def without_hello(group, slices, guarantee=AGREED, **more):
            if group != HELLO_GROUP:
                mcast(group, slices, guarantee, **more)

        stack.pg.mcast = without_hello


class TestFlowControl:
    def test_clients_wait_while_services_are_synchronized(self):
        ring = MemoryRing(IDS)
        stack = ring.nodes[1]
        assert stack.sync_in_progress
        with pytest.raises(CsTryAgain):
            stack.cpg_join(10, b"g", 1)
        with pytest.raises(CsTryAgain):
            stack.cpg_mcast(10, [(b"x",)], AGREED, ring.now_ns)
        with pytest.raises(CsTryAgain):
            stack.cpg_partial_mcast(10, PartialType.FIRST, 1, (b"x",), ring.now_ns)
        with pytest.raises(CsTryAgain):
            stack.cpg_leave(10)
        ring.form()
        with pytest.raises(CsNotExist):
            stack.cpg_leave(10)

    def test_a_critical_queue_refuses_until_it_is_clearly_emptier(self, ring):
        join_all(ring)
        stack = ring.nodes[1]
        while stack.pg.queue_level < 0.75:
            stack.cmap._bus.mcast((b"\x03\x00\x7f\x00", bytes(60_000)))
        with pytest.raises(CsTryAgain) as refused:
            send(ring, 1, b"no")
        assert refused.value.accepted == 0
        ring.run_until(lambda: stack.pg.queue_level < 0.7)
        with_room = None
        while with_room is None:
            try:
                send(ring, 1, b"more")
                with_room = stack.pg.queue_level
            except CsTryAgain:
                ring.run_for(1)
        assert with_room < 0.7
        ring.run_until(lambda: len(ring.delivered(2)) == 1)

    @pytest.mark.parametrize("size", [10, 60_000, CPG_ATOMIC_LEN_MAX])
    def test_a_flood_leaves_room_for_what_is_but_a_message(self, ring, size):
        join_all(ring)
        stack = ring.nodes[1]
        assert stack.bulk_room
        sent = 0
        with suppress(CsTryAgain):
            while True:
                send(ring, 1, bytes(size))
                sent += 1
        assert stack.queue_level() is not QueueLevel.CRITICAL
        with pytest.raises(CsTryAgain):
            stack.cpg_partial_mcast(10, PartialType.FIRST, size, (bytes(size),), ring.now_ns)
        stack.cpg_join(11, b"another", 1)
        stack.cfg.reload_config(12)
        ring.run_until(lambda: len(ring.delivered(2)) == sent)
        assert stack.bulk_room

    def test_a_batch_stops_at_the_end_of_the_queue_and_goes_on_later(self, ring):
        join_all(ring)
        batch = [bytes([i % 256]) * 50_000 for i in range(200)]
        left = batch
        while left:
            try:
                send(ring, 1, *left)
                left = []
            except CsTryAgain as full:
                left = left[full.accepted :]
                ring.run_for(1)
        ring.run_until(lambda: len(ring.delivered(3)) == len(batch))
        assert [d.data for d in ring.delivered(3)] == batch

    def test_a_message_beyond_the_limit_is_refused(self, ring):
        join_all(ring)
        with pytest.raises(CsTooBig):
            send(ring, 1, bytes(CPG_ATOMIC_LEN_MAX + 1))


def test_a_message_in_parts_arrives_whole(ring):
    join_all(ring)
    parts = [bytes([i]) * 1_000_000 for i in range(3)]
    kinds = [PartialType.FIRST, PartialType.CONTINUED, PartialType.LAST]
    for kind, part in zip(kinds, parts, strict=True):
        while True:
            try:
                ring.nodes[1].cpg_partial_mcast(10, kind, 3_000_000, (part,), ring.now_ns)
                break
            except CsTryAgain:
                ring.run_for(1)
    ring.run_until(lambda: len(ring.delivered(2)) == 1)
    assert ring.delivered(2)[0].data == b"".join(parts)


def test_hostile_messages_are_counted_and_change_nothing(ring):
    join_all(ring)
    hostile = [
        (b"a", b""),
        (b"a", bytes(15)),
        (b"a", b"\x03\x00\x02\x00" + bytes(20)),
        (b"a", b"\x00\x00\x40\x00" + bytes(20)),
        (b"sync", b"\x09"),
        (b"sync", b"\x09" + bytes(600)),
        (HELLO_GROUP, b"short"),
        (b"somebody else's", b"hello"),
    ]
    for group, data in hostile:
        ring.nodes[2].pg.mcast(group, (data,))
    send(ring, 2, b"after")
    ring.run_until(lambda: len(ring.delivered(1)) == 1)
    stats = ring.nodes[1].stats
    assert (stats.messages_malformed, stats.messages_unknown) == (6, 2)
    assert ring.nodes[1].members == IDS


class TestLeave:
    def test_the_others_learn_of_a_clean_leave_at_once(self, ring):
        join_all(ring)
        before = ring.now_ns
        ring.nodes[3].leave(ring.now_ns)
        assert not ring.nodes[3].leaving
        ring._execute(3, ring.nodes[3].poll())
        assert ring.nodes[3].next_deadline() is None
        ring.crash(3)
        ring.form((1, 2))
        assert ring.now_ns - before < TotemParams(my_id=1).token_timeout_ns
        assert ring.confchgs(1)[-1].left == ((3, 103, CpgReason.NODEDOWN),)

    def downscaling(self):
        ring = MemoryRing(
            IDS, lambda n: ServiceParams(nodeid=n, expected_votes=3, allow_downscale=True)
        )
        ring.form()
        return ring

    def test_a_leave_that_others_may_count_on_is_announced(self):
        ring = self.downscaling()
        leaver = ring.nodes[3]
        leaver.leave(ring.now_ns)
        assert leaver.leaving
        ring.run_until(lambda: not leaver.leaving)
        votes = ring.nodes[1].votequorum
        assert votes is not None
        assert votes.nodes[3].state is NodeState.LEAVING
        assert leaver.srp.state is MembState.IDLE

    def test_a_leave_during_synchronization_is_announced_after_it(self):
        ring = self.downscaling()
        ring.crash(3)
        leaver = ring.nodes[2]
        ring.run_until(lambda: leaver.members == (1, 2) and leaver.sync_in_progress)
        leaver.leave(ring.now_ns)
        ring.run_until(lambda: not leaver.leaving)
        ring.run_until(lambda: ring.nodes[1].votequorum.nodes[2].state is NodeState.LEAVING)

    def test_a_leave_behind_a_long_queue_is_announced_before_we_go(self):
        ring = self.downscaling()
        join_all(ring)
        send(ring, 3, *[bytes(100_000)] * 20)
        leaver = ring.nodes[3]
        leaver.leave(ring.now_ns)
        ring.run_until(lambda: not leaver.leaving)
        ring.run_until(lambda: ring.nodes[1].votequorum.nodes[3].state is not NodeState.MEMBER)
        assert ring.nodes[1].votequorum.nodes[3].state is NodeState.LEAVING
        assert len(ring.delivered(1)) == 20

    def test_an_announcement_that_finds_no_token_does_not_hold_us(self):
        ring = self.downscaling()
        leaver = ring.nodes[3]
        ring.partition({1, 2}, {3})
        leaver.leave(ring.now_ns)
        deadline = leaver.next_deadline()
        assert deadline is not None
        assert deadline <= ring.now_ns + leaver.params.token_timeout_ns
        ring.run_until(lambda: not leaver.leaving)
        assert leaver.srp.state is MembState.IDLE


def test_a_node_without_votequorum_synchronizes_with_nodes_that_have_it():
    ring = MemoryRing(
        (1, 2), lambda n: ServiceParams(nodeid=n, expected_votes=2, votequorum=n == 1)
    )
    ring.form()
    one, two = ring.nodes[1], ring.nodes[2]
    assert two.votequorum is None
    assert two.quorate
    assert not one.quorate  # it heard of no votes of node 2
    assert two.stats.messages_unknown > 0


def test_wait_for_all_follows_two_node_when_it_is_not_written():
    def votes(**options):
        services = ServiceParams(nodeid=1, expected_votes=2, **options)
        stack = Stack(TotemParams(my_id=1), services, 0, 0)
        assert stack.votequorum is not None
        return stack.votequorum.wait_for_all_status

    assert not votes()
    assert votes(two_node=True)
    assert not votes(two_node=True, wait_for_all=False)
    assert votes(wait_for_all=True)


def test_an_order_to_die_reaches_its_node_alone(ring):
    ring.nodes[1].cfg.kill_node(2, b"fencing")
    ring.run_until(lambda: any(isinstance(e, FatalError) for e in ring.log[2]))
    ring.run_for(10)
    fatal = {n: [e.text for e in ring.log[n] if isinstance(e, FatalError)] for n in IDS}
    assert fatal == {1: [], 2: ["Killed by node 1 : fencing"], 3: []}


def test_a_resting_ring_wakes_for_a_client(ring):
    join_all(ring)
    ring.run_for(5000)
    before = ring.now_ns
    send(ring, 2, b"wake up")
    ring.run_until(lambda: len(ring.delivered(1)) == 1)
    assert ring.now_ns - before < ring.nodes[1].params.token_hold_timeout_ns
