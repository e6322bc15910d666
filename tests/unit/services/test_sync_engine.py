"""The synchronization machine: its table, its barriers, and rounds that are cut short."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.corotypes import RingId
from corosync_tw.errors import CsTryAgain, MalformedFrame
from corosync_tw.services.sync.engine import TRANSITIONS, SyncEngine, SyncEvent, SyncState
from corosync_tw.services.sync.wire import (
    Barrier,
    ServiceBuild,
    decode,
    encode_barrier,
    encode_service_build,
)

RING = RingId(1, 4)


class Service:
    """Notes what is called on it; busy for so many process steps."""

    def __init__(self, service_id, log, busy=0):
        self.service_id = service_id
        self.name = f"service {service_id}"
        self.log = log
        self.busy = busy

    def sync_init(self, trans_members, members, ring_id):
        self.log.append(("init", self.service_id, trans_members, members, ring_id))

    def sync_process(self):
        self.log.append(("process", self.service_id))
        self.busy -= 1
        return self.busy < 0

    def sync_activate(self):
        self.log.append(("activate", self.service_id))

    def sync_abort(self):
        self.log.append(("abort", self.service_id))


def machine(*service_ids, busy=0):
    log, sent, completed = [], [], []
    engine = SyncEngine(
        [Service(i, log, busy) for i in service_ids],
        sent.append,
        lambda: completed.append(engine.ring_id),
    )
    return engine, log, sent, completed


def sent_kinds(sent):
    return [type(decode(message, False)) for message in sent]


def bring_to(state, engine, sent):
    """Lead a machine of services 0 and 2 of node 1 with a peer 2 into a state."""
    if state is SyncState.WAIT_REGULAR:
        return
    engine.transitional((1,))
    engine.regular((1, 2), RING)
    if state is SyncState.SERVICE_BUILD:
        return
    for node in (1, 2):
        engine.deliver(node, encode_service_build(RING, (0, 2)), False)
    if state is SyncState.PROCESS:
        return
    engine.token_sent()
    if state is SyncState.BARRIER:
        return
    for _ in range(2):
        for node in (1, 2):
            engine.deliver(node, encode_barrier(RING), False)
        engine.token_sent()


def test_the_table_knows_every_pair():
    assert set(TRANSITIONS) == {(s, e) for s in SyncState for e in SyncEvent}


def test_a_configuration_change_is_heard_in_every_state():
    for state in SyncState:
        assert TRANSITIONS[state, SyncEvent.TRANSITIONAL] is SyncState.WAIT_REGULAR
        assert TRANSITIONS[state, SyncEvent.REGULAR] is SyncState.SERVICE_BUILD


@given(st.sampled_from(SyncState), st.sampled_from(SyncEvent))
def test_every_pair_of_state_and_event_does_what_the_table_says(state, event):
    engine, _, sent, completed = machine(0, 2)
    bring_to(state, engine, sent)
    assert engine.state is state
    completed_before = len(completed)
    target = TRANSITIONS[state, event]
    second_of_two = engine.ring_id is not None and event is SyncEvent.BARRIER_END
    if second_of_two and state in {SyncState.PROCESS, SyncState.BARRIER}:
        if state is SyncState.PROCESS:
            engine.token_sent()
        for node in (1, 2):
            engine.deliver(node, encode_barrier(RING), False)
        if state is SyncState.BARRIER:
            engine.token_sent()
        assert engine.state is state
    discarded_before = engine.discarded
    raise_event(engine, event, state)
    if target is None:
        # What cannot matter changes nothing, and is counted if it came from others.
        assert engine.state is state
        assert len(completed) == completed_before
        if event not in {SyncEvent.TOKEN_SENT, SyncEvent.TOKEN_SENT_BUSY} and not (
            state is SyncState.PROCESS and event >= SyncEvent.BARRIER
        ):
            assert engine.discarded > discarded_before
    else:
        assert engine.state is target
        assert len(completed) == completed_before + (event is SyncEvent.BARRIER_END)


def raise_event(engine, event, state):
    if event is SyncEvent.TRANSITIONAL:
        engine.transitional((1,))
    elif event is SyncEvent.REGULAR:
        engine.regular((1, 2), RingId(1, 8))
    elif event is SyncEvent.BUILD:
        engine.deliver(2, encode_service_build(RING, (0, 2)), False)
    elif event is SyncEvent.BUILD_LAST:
        for node in (1, 2):
            engine.deliver(node, encode_service_build(RING, (0, 2)), False)
    elif event is SyncEvent.TOKEN_SENT:
        engine.token_sent()
    elif event is SyncEvent.TOKEN_SENT_BUSY:
        for service in engine._services.values():
            service.busy = 1
        engine.token_sent()
    elif event is SyncEvent.BARRIER:
        engine.deliver(2, encode_barrier(RING), False)
    else:
        for node in (1, 2):
            engine.deliver(node, encode_barrier(RING), False)


def test_a_lone_node_passes_all_services_in_order():
    engine, log, sent, completed = machine(5, 0, 3, 2)
    engine.transitional(())
    engine.regular((1,), RING)
    assert log == [("init", i, (), (1,), RING) for i in (0, 2, 3, 5)]
    log.clear()
    for _ in range(20):
        while sent:
            engine.deliver(1, sent.pop(0), False)
        engine.token_sent()
    assert log == [(what, i) for i in (0, 2, 3, 5) for what in ("process", "activate")]
    assert completed == [RING]
    assert not engine.in_progress


def test_a_service_that_only_others_have_is_passed_by_a_barrier():
    engine, log, sent, completed = machine(2)
    engine.regular((1, 2), RING)
    sent.clear()
    engine.deliver(1, encode_service_build(RING, (2,)), False)
    engine.deliver(2, encode_service_build(RING, (0, 2, 70)), False)
    log.clear()
    for _ in range(3):
        engine.token_sent()
        assert sent_kinds(sent) == [Barrier]
        sent.clear()
        engine.deliver(2, encode_barrier(RING), False)
        engine.deliver(1, encode_barrier(RING), False)
    assert log == [("process", 2), ("activate", 2)]
    assert completed == [RING]


def test_a_busy_service_is_called_at_every_visit_of_the_token():
    engine, log, sent, _ = machine(2, busy=2)
    engine.regular((1,), RING)
    engine.deliver(1, sent.pop(), False)
    log.clear()
    for _ in range(3):
        assert sent == []
        engine.token_sent()
    assert log == [("process", 2)] * 3
    assert sent_kinds(sent) == [Barrier]


def test_messages_of_another_ring_and_of_strangers_are_dropped():
    engine, _, _, _ = machine(2)
    engine.regular((1, 2), RING)
    engine.deliver(2, encode_service_build(RingId(1, 8), (2,)), False)
    engine.deliver(3, encode_service_build(RING, (2,)), False)
    engine.deliver(1, encode_service_build(RING, (2,)), False)
    assert engine.state is SyncState.SERVICE_BUILD
    assert engine.discarded == 2
    with pytest.raises(MalformedFrame):
        engine.deliver(2, b"x", False)


@pytest.mark.parametrize("state", [SyncState.PROCESS, SyncState.BARRIER])
def test_a_change_aborts_the_service_at_hand(state):
    engine, log, sent, completed = machine(0, 2)
    bring_to(state, engine, sent)
    log.clear()
    engine.transitional((1, 2))
    assert log == [("abort", 0)]
    engine.deliver(1, encode_barrier(RING), False)
    engine.deliver(2, encode_barrier(RING), False)
    assert not completed
    engine.regular((1, 2, 3), RingId(1, 8))
    assert log[1:] == [("init", i, (1, 2), (1, 2, 3), RingId(1, 8)) for i in (0, 2)]


def test_who_came_along_but_is_not_in_the_new_ring_is_not_told_as_coming_along():
    engine, log, _, _ = machine(2)
    engine.transitional((1, 2, 3))
    engine.regular((1, 3, 4), RING)
    assert log == [("init", 2, (1, 3), (1, 3, 4), RING)]


def test_a_full_queue_delays_and_loses_nothing():
    log, sent, full = [], [], [True]

    def mcast(message):
        if full[0]:
            raise CsTryAgain("full")
        sent.append(message)

    engine = SyncEngine([Service(2, log)], mcast, lambda: None)
    engine.regular((1,), RING)
    engine.token_sent()
    assert sent == []
    full[0] = False
    engine.token_sent()
    assert sent_kinds(sent) == [ServiceBuild]
    engine.deliver(1, sent.pop(), False)
    full[0] = True
    engine.token_sent()
    assert engine.state is SyncState.BARRIER
    assert sent == []
    full[0] = False
    engine.token_sent()
    assert sent_kinds(sent) == [Barrier]


@pytest.mark.parametrize("seed", range(20))
def test_all_members_activate_at_the_same_message_whatever_the_order(seed):
    rng = random.Random(seed)
    nodes = [1, 2, 3, 4]
    machines = {n: machine(*rng.sample([0, 2, 3, 5], rng.randint(1, 4)), busy=n % 3) for n in nodes}
    for engine, *_ in machines.values():
        engine.regular(tuple(nodes), RING)
    order, passed = [], {n: [] for n in nodes}
    while any(engine.in_progress for engine, *_ in machines.values()):
        node = rng.choice(nodes)
        engine, _, sent, _ = machines[node]
        while sent and rng.random() < 0.8:
            message = sent.pop(0)
            order.append(node)
            for other in nodes:
                before = machines[other][0]._index
                machines[other][0].deliver(node, message, False)
                if machines[other][0]._index != before:
                    passed[other].append(len(order))
        engine.token_sent()
    assert len({tuple(p) for p in passed.values()}) == 1
    assert all(completed == [RING] for *_, completed in machines.values())
