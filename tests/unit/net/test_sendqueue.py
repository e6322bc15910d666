from corosync_tw.net.interfaces import NetEventKind
from corosync_tw.net.offload import Run
from corosync_tw.net.sendqueue import SEND_QUEUE_FRAMES_MAX, SendQueue
from corosync_tw.net.stats import TransportStats
from tests.unit.net.net_support import Events

A = ("192.0.2.1", 1)
B = ("192.0.2.2", 1)


class FakeSocket:
    """Takes as many datagrams as it has room for."""

    def __init__(self, room):
        self.room = room
        self.sent = []
        self.waiter = None

    def send(self, run, address):
        for at, frame in enumerate(run.frames):
            if not self.room:
                return run_of(*(f[0] for f in run.frames[at:]))
            self.room -= 1
            self.sent.append((frame[0], address))
        return None

    def watch_room(self, waiter):
        assert self.waiter is None
        self.waiter = waiter

    def gets_room(self, room):
        self.room = room
        waiter, self.waiter = self.waiter, None
        waiter()


def run_of(*texts):
    return Run([(text,) for text in texts], 0, len(texts), 1, sum(map(len, texts)))


def bed():
    stats, events = TransportStats(), Events()
    return SendQueue(stats, events), stats, events


def test_with_room_nothing_waits():
    queue, stats, _ = bed()
    sock = FakeSocket(10)
    queue.send(sock, [run_of(b"1"), run_of(b"2")], [A, B])
    assert sock.sent == [(b"1", A), (b"1", B), (b"2", A), (b"2", B)]
    assert queue.frames == stats.tx_blocked == 0


def test_order_is_kept_while_the_kernel_has_no_room():
    queue, stats, _ = bed()
    sock = FakeSocket(1)
    queue.send(sock, [run_of(b"1", b"2"), run_of(b"3")], [A])
    assert queue.frames == 2
    sock.gets_room(1)
    sock.gets_room(9)
    assert [text for text, _ in sock.sent] == [b"1", b"2", b"3"]
    assert queue.frames == 0
    assert stats.tx_blocked == 2


def test_a_token_on_another_socket_does_not_overtake():
    queue, _, _ = bed()
    messages, tokens = FakeSocket(0), FakeSocket(9)
    queue.send(messages, [run_of(b"m")], [A])
    queue.send(tokens, [run_of(b"t")], [A])
    assert tokens.sent == []
    messages.gets_room(1)
    assert tokens.sent == [(b"t", A)]


def test_the_oldest_are_dropped_counted_and_reported_once():
    queue, stats, events = bed()
    sock = FakeSocket(0)
    for number in range(SEND_QUEUE_FRAMES_MAX + 3):
        queue.send(sock, [run_of(str(number).encode())], [A])
    assert queue.frames == SEND_QUEUE_FRAMES_MAX
    assert stats.tx_dropped == 3
    assert events.kinds() == [NetEventKind.SEND_QUEUE_FULL]
    sock.gets_room(1)
    assert sock.sent == [(b"3", A)]


def test_clear_counts_what_it_drops():
    queue, stats, _ = bed()
    queue.send(FakeSocket(0), [run_of(b"1", b"2")], [A])
    queue.clear()
    assert (queue.frames, stats.tx_dropped) == (0, 2)


def test_there_is_an_interlude_between_runs():
    sock, taken = FakeSocket(10), []
    queue = SendQueue(TransportStats(), Events(), lambda: taken.append(len(sock.sent)))
    queue.send(sock, [run_of(b"1"), run_of(b"2"), run_of(b"3")], [A, B])
    assert taken == [2, 4]
    queue.send(sock, [run_of(b"4")], [A])
    assert len(taken) == 2
