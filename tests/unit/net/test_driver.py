import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.net import driver as driver_module
from corosync_tw.net.driver import STORE_SLOW_S, Driver
from corosync_tw.net.errors import NetError, StorageError
from corosync_tw.net.interfaces import IDriverObserver, IRingIdStore, ITransport
from corosync_tw.net.ringid_store import MemoryRingIdStore
from corosync_tw.totem.effects import (
    ConfigurationChange,
    SendMcast,
    SendToken,
    StoreRingId,
    Trace,
)
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.trace import TraceCode

MS = 1_000_000
RING = RingId(1, 4)
CHANGE = ConfigurationChange(ConfChangeType.REGULAR, (1, 2), (), (2,), RING, RING)


class ScriptedCore:
    """A core whose effects and deadline the test sets."""

    params = TotemParams(my_id=1)

    def __init__(self, journal):
        self.journal = journal
        self.effects = []
        self.deadline_ns = None
        self.failure = None

    def _step(self, *what):
        self.journal.append(what)
        if self.failure is not None:
            raise self.failure

    def start(self, now_ns):
        self._step("start", now_ns)

    def receive(self, frames, now_ns):
        self._step("receive", *frames, now_ns)

    def advance(self, now_ns):
        self.deadline_ns = None
        self._step("advance", now_ns)

    def leave(self, now_ns):
        self._step("leave", now_ns)

    def may_overtake(self, token):
        return token == b"newer"

    def next_deadline(self):
        return self.deadline_ns

    def poll(self):
        effects, self.effects = self.effects, []
        return effects


@implementer(ITransport)
class JournalTransport:
    def __init__(self, journal):
        self.journal = journal
        self.receiver = None
        self.pending = []
        self.refusal = None

    def start(self, receiver):
        if self.refusal:
            raise self.refusal
        self.receiver = receiver

    def drain(self):
        self.journal.append(("drain",))
        pending, self.pending = self.pending, []
        if pending:
            self.receiver.frames_received(pending)

    def send_token(self, target_nodeid, frame):
        self.journal.append(("token", target_nodeid, frame))

    def send_mcast(self, frames, to_members_only):
        self.journal.append(("mcast", frames, to_members_only))

    def set_ring_members(self, nodeids):
        self.journal.append(("ring", nodeids))

    def stop(self):
        self.journal.append(("stop",))
        return Deferred()


@implementer(IRingIdStore)
class SlowStore:
    def __init__(self, journal):
        self.journal = journal
        self.pending = []

    def load(self):
        return 0

    def store(self, ring_seq):
        self.journal.append(("store", ring_seq))
        self.pending.append(Deferred())
        return self.pending[-1]

    def finish(self):
        self.pending.pop(0).callback(None)


@implementer(IDriverObserver)
class JournalObserver:
    def __init__(self, journal):
        self.journal = journal

    def turn_ended(self):
        pass

    def effects_emitted(self, effects):
        self.journal.append(("effects", *effects))

    def storage_failed(self, error):
        self.journal.append(("storage failed", error.exit_code))

    def storage_slow(self, elapsed_ns):
        self.journal.append(("storage slow", elapsed_ns))

    def core_failed(self, failure):
        self.journal.append(("core failed", failure.type))

    def loop_paused(self, gap_ns, threshold_ns):
        self.journal.append(("paused", gap_ns, threshold_ns))


class Bed:
    def __init__(self, store=None):
        self.journal = []
        self.clock = Clock()
        self.lag_ns = 0
        self.core = ScriptedCore(self.journal)
        self.transport = JournalTransport(self.journal)
        self.store = store(self.journal) if store else MemoryRingIdStore()
        self.driver = Driver(
            self.clock,
            self.core,
            self.transport,
            self.store,
            JournalObserver(self.journal),
            now_ns=self.now_ns,
        )

    def now_ns(self):
        return round(self.clock.seconds() * 1e9) + self.lag_ns

    def started(self):
        self.driver.start()
        self.journal.clear()
        return self

    def feeds(self, *effects):
        self.core.effects = list(effects)
        self.transport.receiver.frames_received([b"frame"])

    def taken(self):
        """Give the journal since the last time, without what was fed."""
        taken = [entry for entry in self.journal if entry[0] not in {"receive", "drain"}]
        self.journal.clear()
        return taken


TOKEN = SendToken(2, b"token")
MCAST = SendMcast([(b"m",)], to_members_only=True)
NOTE = Trace(1, ())


def test_start_opens_the_transport_then_starts_the_core():
    bed = Bed()
    bed.core.effects = [TOKEN]
    bed.driver.start()
    assert bed.transport.receiver is bed.driver
    assert bed.journal == [("start", 0), ("token", 2, b"token")]


def test_a_transport_that_cannot_start_leaves_nothing_behind():
    bed = Bed()
    bed.transport.refusal = NetError("192.0.2.1", 5405, "busy", "wait")
    with pytest.raises(NetError):
        bed.driver.start()
    assert bed.journal == []
    assert bed.clock.getDelayedCalls() == []
    bed.driver.stop()


def test_effects_run_in_order_and_the_observer_gets_runs_of_them():
    bed = Bed().started()
    bed.feeds(NOTE, CHANGE, MCAST, TOKEN, NOTE)
    assert bed.taken() == [
        ("ring", frozenset({1, 2})),
        ("effects", NOTE, CHANGE),
        ("mcast", [(b"m",)], True),
        ("token", 2, b"token"),
        ("effects", NOTE),
    ]


def test_a_transitional_configuration_aims_at_nobody_new():
    bed = Bed().started()
    change = ConfigurationChange(ConfChangeType.TRANSITIONAL, (1,), (2,), (), RING, RING)
    bed.feeds(change)
    assert bed.taken() == [("effects", change)]


def test_a_store_that_is_done_at_once_holds_nothing_back():
    bed = Bed().started()
    bed.feeds(StoreRingId(8), TOKEN)
    assert bed.taken() == [("ring", None), ("token", 2, b"token")]
    assert bed.store.ring_seq == 8
    assert bed.driver.stats.stores == 1


def test_nothing_is_sent_before_the_ring_id_is_durable_and_the_core_goes_on_hearing():
    bed = Bed(SlowStore).started()
    bed.feeds(MCAST, StoreRingId(8), TOKEN, NOTE)
    assert bed.taken() == [("mcast", [(b"m",)], True), ("ring", None), ("store", 8)]
    bed.feeds(SendToken(3, b"later"))
    assert bed.taken() == []
    bed.store.finish()
    assert bed.taken() == [("token", 2, b"token"), ("effects", NOTE), ("token", 3, b"later")]


def test_two_ring_ids_are_stored_one_after_the_other():
    bed = Bed(SlowStore).started()
    bed.feeds(StoreRingId(8), TOKEN, StoreRingId(12), MCAST)
    bed.feeds(NOTE)
    bed.store.finish()
    assert bed.taken() == [
        ("ring", None),
        ("store", 8),
        ("token", 2, b"token"),
        ("ring", None),
        ("store", 12),
    ]
    bed.store.finish()
    assert bed.taken() == [("mcast", [(b"m",)], True), ("effects", NOTE)]


def test_a_hanging_disk_is_reported_and_sends_are_lost_but_nothing_else(monkeypatch):
    monkeypatch.setattr(driver_module, "HELD_EFFECTS_MAX", 2)
    bed = Bed(SlowStore).started()
    bed.feeds(StoreRingId(8), TOKEN, TOKEN)
    bed.feeds(TOKEN, MCAST, NOTE, CHANGE)
    bed.clock.pump([STORE_SLOW_S] * 2)
    assert [e for e in bed.taken() if e[0] == "storage slow"] == [
        ("storage slow", 2_000 * MS),
        ("storage slow", 4_000 * MS),
    ]
    bed.store.finish()
    assert bed.taken() == [
        ("token", 2, b"token"),
        ("token", 2, b"token"),
        ("ring", frozenset({1, 2})),
        ("effects", CHANGE),
    ]
    assert bed.driver.stats.held_dropped == 3


def test_a_full_disk_ends_the_node_without_another_send():
    bed = Bed(SlowStore).started()
    bed.feeds(StoreRingId(8), TOKEN)
    bed.store.pending[0].errback(StorageError("ringid_1", "full", "free some space"))
    bed.feeds(MCAST)
    bed.driver.leave()
    bed.driver.pump()
    assert bed.taken() == [("ring", None), ("store", 8), ("stop",), ("storage failed", 21)]
    assert bed.clock.getDelayedCalls() == []


def test_a_broken_invariant_ends_the_node():
    bed = Bed().started()
    bed.core.failure = AssertionError("seq went back")
    bed.feeds(TOKEN)
    assert bed.taken() == [("stop",), ("core failed", AssertionError)]
    bed.feeds(TOKEN)
    assert bed.taken() == []
    assert bed.clock.getDelayedCalls() == []


def timers(bed):
    return [c for c in bed.clock.getDelayedCalls() if c.func == bed.driver._timer_fired]


def test_one_delayed_call_serves_all_deadlines_and_moves_only_nearer():
    bed = Bed().started()
    bed.core.deadline_ns = 500 * MS
    bed.feeds()
    (call,) = timers(bed)
    assert call.getTime() == 0.5
    bed.core.deadline_ns = 800 * MS
    bed.feeds()
    assert timers(bed)[0].getTime() == 0.5, "a later deadline costs nothing now"
    bed.core.deadline_ns = 200 * MS
    bed.feeds()
    (call,) = timers(bed)
    assert call.getTime() == 0.2


def test_the_core_is_advanced_when_due_and_not_before():
    bed = Bed().started()
    bed.core.deadline_ns = 500 * MS
    bed.feeds()
    bed.core.deadline_ns = 800 * MS
    bed.journal.clear()
    bed.clock.advance(0.5)
    assert bed.journal == []
    bed.core.effects = [TOKEN]
    bed.clock.advance(0.3)
    assert bed.taken() == [("advance", 800 * MS), ("token", 2, b"token")]
    assert timers(bed) == []


def test_what_has_arrived_counts_before_a_deadline_does():
    bed = Bed().started()
    bed.core.deadline_ns = 500 * MS
    bed.feeds()
    bed.journal.clear()
    bed.transport.pending = [b"the token"]
    receive = bed.core.receive

    def receive_and_rearm(frames, now_ns):
        receive(frames, now_ns)
        bed.core.deadline_ns = 900 * MS

    bed.core.receive = receive_and_rearm
    bed.clock.advance(0.6)
    assert bed.journal == [("drain",), ("receive", b"the token", 600 * MS)]
    assert timers(bed)[0].getTime() == pytest.approx(0.9)


def test_an_overdue_deadline_is_served_in_the_next_turn():
    bed = Bed().started()
    bed.core.deadline_ns = -1
    bed.feeds()
    bed.clock.advance(0)
    assert ("advance", 0) in bed.journal


def test_requests_of_one_turn_are_pumped_once():
    bed = Bed().started()
    bed.core.effects = [NOTE]
    bed.driver.pump()
    bed.driver.pump()
    assert bed.journal == []
    bed.clock.advance(0)
    assert bed.journal == [("effects", NOTE)]
    bed.driver.pump()
    bed.driver.stop()
    bed.clock.advance(0)
    assert bed.journal[1:] == [("stop",)]


def test_the_good_bye_is_sent_before_leave_returns():
    bed = Bed().started()
    bed.core.effects = [MCAST]
    bed.driver.leave()
    assert bed.journal == [("leave", 0), ("mcast", [(b"m",)], True)]


def test_stop_is_final_and_may_be_repeated():
    bed = Bed(SlowStore).started()
    bed.core.deadline_ns = 500 * MS
    bed.feeds(StoreRingId(8), TOKEN)
    bed.driver.stop()
    bed.driver.stop()
    assert bed.clock.getDelayedCalls() == []
    bed.taken()
    bed.store.finish()
    bed.feeds(TOKEN)
    bed.driver.leave()
    assert bed.taken() == []


def test_a_pause_is_reported():
    bed = Bed().started()
    bed.lag_ns = 2_000 * MS
    bed.clock.advance(1.0)
    assert bed.journal == [("paused", 3_000 * MS, 2_400 * MS)]


def test_the_core_says_whether_a_token_may_overtake():
    bed = Bed()
    assert not bed.driver.may_overtake(b"newer"), "not before the start"
    bed.driver.start()
    assert bed.driver.may_overtake(b"newer")
    assert not bed.driver.may_overtake(b"other")


def test_what_waited_for_messages_is_fed_before_anything_is_done():
    bed = Bed().started()
    waiting = [[b"token"], []]
    bed.core.effects = [MCAST]
    bed.driver.links_received([b"message"], lambda: waiting.pop(0))
    assert [entry[:2] for entry in bed.journal] == [
        ("receive", b"message"),
        ("receive", b"token"),
        ("mcast", MCAST.frames),
    ]


def test_visits_of_the_token_do_not_hold_it_up():
    bed = Bed().started()
    visit = Trace(TraceCode.TOKEN_RECEIVED, (1, 1, 7, 0))
    other = Trace(TraceCode.TOKEN_LATE, (650,))
    bed.driver.visited = lambda trace: bed.journal.append(("visit", trace))
    bed.feeds(other, visit, SendToken(2, b"token"))
    assert bed.taken() == [("visit", visit), ("effects", other), ("token", 2, b"token")]
    bed.driver.visited = None
    bed.feeds(visit, SendToken(2, b"token"))
    assert bed.taken() == [("effects", visit), ("token", 2, b"token")]
