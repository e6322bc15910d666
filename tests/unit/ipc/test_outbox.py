"""Events that wait for a client of Perspective Broker: order, window, and what they count for."""

from twisted.internet.defer import Deferred

from corosync_tw.ipc.pb.outbox import Outbox
from corosync_tw.ipc.pb.wire import DELIVERY_WINDOW_BYTES, EVENT_OVERHEAD_BYTES, Record


class Wire:
    """Calls on their way; answered in order when the test says so."""

    def __init__(self):
        self.calls = []
        self.unanswered = []
        self.outbox = Outbox(self.call, lambda: None)

    def call(self, *args):
        self.calls.append(args)
        self.unanswered.append(Deferred())
        return self.unanswered[-1]

    def answer(self):
        self.unanswered.pop(0).callback(None)


def test_events_count_for_what_they_carry():
    wire = Wire()
    wire.outbox.event("tiny", 1, None, True)
    assert EVENT_OVERHEAD_BYTES <= wire.outbox.level_bytes < 3 * EVENT_OVERHEAD_BYTES
    wire.outbox.flush()
    wire.answer()
    assert wire.outbox.level_bytes == 0
    wire.outbox.event("values", 1, "a.key", [1, b"x" * 10_000], [1, "y" * 5000])
    assert 15_000 < wire.outbox.level_bytes < 16_000
    wire.outbox.event("members", [[1, pid, 0] for pid in range(1000)])
    assert wire.outbox.level_bytes > 100_000


def test_large_events_fill_the_window():
    wire = Wire()
    large = b"x" * (DELIVERY_WINDOW_BYTES * 2 // 3)
    for number in range(3):
        wire.outbox.event("large", number, large)
    wire.outbox.flush()
    assert [call[1] for call in wire.calls] == [0]
    wire.answer()
    assert [call[1] for call in wire.calls] == [0, 1]
    wire.answer()
    wire.answer()
    assert wire.outbox.level_bytes == 0


def test_events_stay_between_the_messages_they_came_between():
    wire = Wire()
    for number in (1, 2):
        wire.outbox.deliver(7, Record(1, 2, number, 1), b"m")
        wire.outbox.event("change", number)
    wire.outbox.flush()
    assert [call[0] for call in wire.calls] == ["cpg_deliver", "change", "cpg_deliver", "change"]
