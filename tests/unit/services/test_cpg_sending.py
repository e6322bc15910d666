"""Runs of multicast requests on their way from a client's memory into the outgoing queue."""

import struct

import pytest

from corosync_tw.corotypes import Guarantee
from corosync_tw.errors import CsNotExist
from corosync_tw.kernels.rings import ALL_TAKEN, ODD, take_mcasts
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX
from corosync_tw.services.cpg.sending import RUN_MESSAGES_MAX
from corosync_tw.services.lib_runs import RunsTaken
from corosync_tw.totem.pg_pack import BULK_LEN_BYTES_MAX
from tests.unit.services.test_cpg_handler import World, join, mcast, texts

MAGIC = 0xA1A1A1A1


class Memory:
    """RequestRuns over a piece of memory that is long enough for all of them."""

    def __init__(self, *requests):
        chunks = b"".join(
            struct.pack("=II", len(data), MAGIC) + data + bytes(-len(data) % 4) for data in requests
        )
        self.words = memoryview(bytearray(chunks + bytes(2 << 20)) * 2).cast("I")
        self.left = len(requests)
        self.at = 0

    def next_len(self):
        return self.words[self.at] if self.left else 0

    def take_mcasts(self, head, room, lens):
        taken, _, self.at, asked, stop = take_mcasts(
            self.words, self.at, self.left, 1 << 20, *head, room, lens
        )
        self.left -= taken
        reasons = {ALL_TAKEN: RunsTaken.ALL, ODD: RunsTaken.UP_TO_OTHER}
        return taken, asked, reasons.get(stop, RunsTaken.UP_TO_FULL)


@pytest.fixture
def world():
    return World(1, 2)


def send(world, client, memory):
    return world.handlers[1].take_runs(client, memory)


def test_messages_reach_all_in_order(world):
    sender, other = world.joined(1), world.joined(2, pid=200)
    sender.events.clear()
    bodies = [b"%d" % number for number in range(300)]
    assert send(world, sender, Memory(*map(mcast, bodies))) is RunsTaken.ALL
    assert sender.stats.requests == 300
    world.settle()
    assert texts(sender) == texts(other) == bodies
    assert world.ring.nodes[1].meter.sent(3 << 16 | 3) == 0
    assert world.ring.nodes[1].meter.sent(2 << 16 | 3) == 300


@pytest.mark.parametrize("length", [0, 1, 4000, 5000, CPG_ATOMIC_LEN_MAX])
def test_messages_of_any_length(world, length):
    sender = world.joined(1)
    bodies = [b"first", bytes([7]) * length, b"last"]
    assert send(world, sender, Memory(*map(mcast, bodies))) is RunsTaken.ALL
    world.settle(2000)
    assert texts(sender) == bodies


def test_what_a_client_did_not_ask_for_in_a_run_stays(world):
    sender = world.joined(1)
    for odd in (join(), mcast(b"cut", msglen=9), mcast(bytes(CPG_ATOMIC_LEN_MAX + 1))):
        memory = Memory(mcast(b"before"), odd, mcast(b"behind"))
        assert send(world, sender, memory) is RunsTaken.UP_TO_OTHER
        assert memory.left == 2
        memory = Memory(odd)
        assert send(world, sender, memory) is RunsTaken.UP_TO_OTHER


def test_each_message_has_the_guarantee_that_it_was_sent_with(world):
    sender = world.joined(1)
    stack = world.ring.nodes[1]
    assert stack.safe_supported
    committed = []
    commit = stack.pg.commit
    stack.pg.commit = lambda lens, guarantee: (
        committed.append((len(lens), guarantee)) or commit(lens, guarantee)
    )
    asked = [2, 2, 3, 3, 3, 1]
    bodies = [b"%d" % number for number in range(6)]
    memory = Memory(*(mcast(body, guarantee=g) for body, g in zip(bodies, asked, strict=True)))
    assert send(world, sender, memory) is RunsTaken.ALL
    assert committed == [(2, Guarantee.AGREED), (3, Guarantee.SAFE), (1, Guarantee.AGREED)]
    world.settle()
    assert texts(sender) == bodies


def test_the_queue_takes_no_more_bytes_than_applications_get(world):
    sender = world.joined(1)
    memory = Memory(*[mcast(bytes(400_000))] * 10)
    assert send(world, sender, memory) is RunsTaken.UP_TO_FULL
    assert world.ring.nodes[1].pg.bulk_room()[0] < 400_000 + 200
    assert memory.left == 10 - BULK_LEN_BYTES_MAX // 400_200
    assert send(world, sender, memory) is RunsTaken.UP_TO_FULL
    world.settle(3000)
    assert send(world, sender, memory) is RunsTaken.ALL
    world.settle(3000)
    assert texts(sender) == [bytes(400_000)] * 10


def test_more_messages_than_one_call_takes(world):
    sender = world.joined(1)
    count = RUN_MESSAGES_MAX + 7
    assert send(world, sender, Memory(*[mcast(b"")] * count)) is RunsTaken.ALL
    assert world.ring.nodes[1].pg.waiting_msgs == sender.stats.requests == count


def test_a_request_that_grows_while_room_is_made_for_it(world):
    sender = world.joined(1)
    memory = Memory(mcast(bytes(500_000)))
    memory.next_len = lambda: 41
    assert send(world, sender, memory) is RunsTaken.ALL or memory.left == 1


def test_nothing_is_taken_during_synchronization(world):
    sender = world.joined(1)
    world.ring.partition({1}, {2})
    world.ring.run_until(lambda: world.ring.nodes[1].sync_in_progress)
    memory = Memory(mcast(b"early"))
    assert send(world, sender, memory) is RunsTaken.UP_TO_FULL
    assert memory.left == 1


def test_who_is_in_no_group(world):
    client = world.connect()
    with pytest.raises(CsNotExist):
        world.ring.nodes[1].cpg_mcast_run(client.conn, Memory(), lambda _: Guarantee.AGREED, 0)
    assert send(world, client, Memory(mcast(b"lost"))) is RunsTaken.UP_TO_OTHER
    assert world.handlers[1].requests(client, [mcast(b"lost")]) == 1


def test_the_ring_is_asked_only_if_it_rests(world):
    sender, stack = world.joined(1), world.ring.nodes[1]
    world.ring.run_until(lambda: stack.resting)
    pumps = world.shell.pumps
    send(world, sender, Memory())
    assert world.shell.pumps == pumps
    send(world, sender, Memory(mcast(b"wake")))
    assert world.shell.pumps == pumps + 1
    world.ring._drain(1, stack)
    assert not stack.resting
    send(world, sender, Memory(mcast(b"on its way")))
    assert world.shell.pumps == pumps + 1
    world.settle()
    assert texts(sender) == [b"wake", b"on its way"]
