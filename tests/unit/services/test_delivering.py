"""Messages in runs and messages one by one: clients are told the same, and the same is counted."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import CpgReason, Guarantee, RingId
from corosync_tw.services.cpg.effects import CpgDeliverRun
from corosync_tw.services.cpg.engine import CpgEngine
from corosync_tw.services.cpg.wire import (
    MCAST_ID,
    PROCJOIN_ID,
    PROCLEAVE_ID,
    encode_mcast,
    encode_procjoin,
)
from corosync_tw.services.delivering import Delivering
from corosync_tw.services.exec_wire import EXEC_GROUP, ServiceId, exec_id
from corosync_tw.services.stats.counters import StackStats
from corosync_tw.totem.effects import Deliver
from corosync_tw.totem.messages import MCAST_LEN_BYTES
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.pg_wire import group_prefix
from corosync_tw.totem.runs import DeliveredFrame, ReceivedRun
from tests.unit.totem.pg_twin import pack_all

RING = RingId(1, 4)
PREFIX = group_prefix(EXEC_GROUP)
FRAME_LEN_BYTES = 400


class Bus:
    """Keeps what the engine says, each delivery by itself."""

    now_ns = 0

    def __init__(self) -> None:
        self.runs = 0
        self.told: list[tuple[object, ...]] = []

    def emit(self, effect: object) -> None:
        if isinstance(effect, CpgDeliverRun):
            self.runs += 1
            for single in effect.expand():
                self.emit(single)
            return
        fields = [getattr(effect, name) for name in effect.__slots__]
        plain = (bytes(f) if isinstance(f, memoryview) else f for f in fields)
        self.told.append((type(effect).__name__, *plain))

    def mcast(self, slices, guarantee=Guarantee.AGREED, *, bulk=False) -> None:
        """What the engine sends is of no interest here."""


class Receiver:
    """Totempg and the cpg engine of node 1, a process of which has joined b"g"."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.cpg = CpgEngine(1, self.bus)
        self.cpg.join(1, b"g", 70)
        self.pg = Totempg(FRAME_LEN_BYTES)
        self.pg.trans_ack()
        self.stats = StackStats()
        self.received: dict[int, int] = {}
        self.others: list[tuple[object, ...]] = []
        handlers = {
            exec_id(ServiceId.CPG, function): handler
            for function, handler in self.cpg.exec_handlers().items()
        }
        self.deliver = Delivering(
            self.pg,
            self.cpg,
            handlers,
            lambda nodeid, group, data, big: self.others.append((nodeid, group, bytes(data), big)),
            stats=self.stats,
            received=self.received,
        ).deliver

    def state(self):
        counts = {number: count for number, count in self.received.items() if count}
        bad = (self.pg.bad_packets, self.pg.bad_messages, self.cpg.unknown_senders)
        return self.bus.told, self.others, self.stats, counts, bad


def message(group=b"g", pid=7, data=b"data", extra=0):
    return PREFIX + encode_mcast(group, pid, 2, 1, len(data)) + data + bytes(extra)


def process(number, nodeid_group_pid):
    group, pid = nodeid_group_pid
    reason = CpgReason.JOIN if number == PROCJOIN_ID else CpgReason.LEAVE
    return PREFIX + encode_procjoin(number, group, pid, reason)


groups = st.sampled_from([b"g", b"g", b"h"])
messages = st.one_of(
    st.builds(message, groups, st.sampled_from([7, 7, 8]), st.binary(max_size=300)),
    st.builds(message, groups, extra=st.integers(0, 3)),
    st.builds(process, st.just(PROCJOIN_ID), st.tuples(groups, st.sampled_from([7, 8, 70]))),
    st.builds(process, st.just(PROCLEAVE_ID), st.tuples(groups, st.sampled_from([7, 8]))),
    st.builds(lambda text: PREFIX + text, st.binary(max_size=40)),
    st.binary(max_size=20),
    st.builds(lambda size: message()[:size], st.integers(0, 188)),
    st.just(group_prefix(b"sync") + b"barrier"),
    st.just(struct.pack("<HHHH", 3, 1, 1, 1) + b"aba" + message()[len(PREFIX) :]),
)


def frames_of(texts, nodeid=2):
    packets = pack_all(texts, FRAME_LEN_BYTES)
    return [DeliveredFrame(nodeid, i, packet, False) for i, packet in enumerate(packets)]


def run_of(frames):
    """Frames as one run; those that are shorter than others need a run of their own."""
    runs, waiting = [], []

    def close():
        if waiting:
            stride = MCAST_LEN_BYTES + len(waiting[0].payload)
            blob = b"".join(bytes(MCAST_LEN_BYTES) + bytes(f.payload) for f in waiting)
            head = (waiting[0].nodeid, waiting[0].seq, len(waiting), False)
            runs.append(ReceivedRun(*head, memoryview(blob), stride))
            waiting.clear()

    for frame in frames:
        if waiting and len(frame.payload) > len(waiting[-1].payload):
            close()
        if waiting and len(waiting[-1].payload) < len(waiting[0].payload):
            close()
        waiting.append(frame)
    close()
    return runs


@settings(deadline=None)
@given(st.lists(messages, max_size=30))
def test_runs_tell_clients_what_single_messages_tell(texts):
    """Whatever is between them; a process that joins or leaves does so in its place."""
    joined = [process(PROCJOIN_ID, (b"g", 70))]
    alone, together = Receiver(), Receiver()
    for receiver in (alone, together):
        receiver.deliver(Deliver(RING, frames_of(joined, nodeid=1)))
    frames = frames_of(texts)
    alone.deliver(Deliver(RING, frames))
    together.deliver(Deliver(RING, run_of(frames)))
    assert together.state() == alone.state()


def test_a_run_without_members_here_is_counted_and_nothing_else():
    receiver = Receiver()
    receiver.deliver(Deliver(RING, run_of(frames_of([message(b"h")] * 50))))
    assert (receiver.bus.told, receiver.received) == ([], {MCAST_ID: 50})
    assert receiver.stats.messages_delivered == 50


def test_messages_of_one_process_are_one_effect():
    receiver = Receiver()
    joins = [process(PROCJOIN_ID, (b"g", 70))]
    receiver.deliver(Deliver(RING, frames_of(joins, nodeid=1)))
    texts = [process(PROCJOIN_ID, (b"g", 7)), *[message(data=b"%d" % i) for i in range(40)]]
    texts += [process(PROCJOIN_ID, (b"g", 8)), *[message(pid=8, data=bytes(i)) for i in range(40)]]
    runs = run_of(frames_of(texts))
    receiver.deliver(Deliver(RING, runs))
    assert receiver.bus.runs <= 2 * len(runs)
    data = [told[-1] for told in receiver.bus.told if told[0] == "CpgDeliver"]
    assert data == [b"%d" % i for i in range(40)] + [bytes(i) for i in range(40)]


def test_the_end_of_the_synchronization_within_a_run_moves_the_other_stream():
    """What follows the barrier's packet is unpacked as the ordinary stream."""
    receiver = Receiver()
    receiver.pg = Totempg(FRAME_LEN_BYTES)
    got = []

    def other(nodeid, group, data, big_endian):
        got.append((group, bytes(data)))
        receiver.pg.trans_ack()

    deliver = Delivering(
        receiver.pg, receiver.cpg, {}, other, stats=receiver.stats, received=receiver.received
    ).deliver
    barrier = b"barrier".ljust(FRAME_LEN_BYTES - 2 - len(group_prefix(b"sync")))
    first = frames_of([group_prefix(b"sync") + barrier])
    others = [frame._replace(seq=1 + i) for i, frame in enumerate(frames_of([message()] * 9))]
    runs = run_of(first + others)
    assert runs[0].count > 1
    deliver(Deliver(RING, runs))
    assert got == [(b"sync", barrier)]
    assert receiver.received[MCAST_ID] == 9
