import errno
import socket

import pytest

from corosync_tw.net import batchsocket
from corosync_tw.net.batchsocket import BatchSocket, SourceFilter
from corosync_tw.net.interfaces import NetEventKind
from corosync_tw.net.offload import PAYLOAD_BYTES_MAX, plan_runs, single
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.stats import TransportStats
from tests.unit.net.net_support import Events, FakeReactor, apart, frame

MCAST, ORF_TOKEN, JOIN, COMMIT_TOKEN = 1, 0, 3, 4


class Peer:
    """One BatchSocket and all that it needs."""

    def __init__(self, sock, **options):
        self.reactor, self.stats, self.events = FakeReactor(), TransportStats(), Events()
        self.filter = SourceFilter()
        self.sock = BatchSocket(self.reactor, sock, SlabPool(), self.stats, self.events, **options)

    def received(self):
        messages, tokens = [], []
        emptied = self.sock.receive(self.filter, messages, tokens)
        return [bytes(m) for m in apart(messages)], [bytes(t) for t in tokens], emptied


def bound(host="127.0.0.1"):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


@pytest.fixture
def pair():
    """Give a sender, a receiver and the receiver's address."""
    receiving = bound()
    one, two = Peer(bound("127.0.0.2")), Peer(receiving)
    yield one, two, receiving.getsockname()
    one.sock.close()
    two.sock.close()


def test_offload_is_found_by_probing_and_can_be_refused():
    plain = Peer(bound(), offload=False)
    assert plain.sock.segment_bytes_max == 0
    assert not plain.sock.gro
    plain.sock.close()


@pytest.mark.needs("gso", "gro")
def test_many_datagrams_travel_in_one_call_and_arrive_apart(pair):
    one, two, address = pair
    sent = [frame(MCAST, bytes([n]) * 1000) for n in range(40)]
    sent.append(frame(MCAST, b"short"))
    (run,) = plan_runs([(f[:20], memoryview(f)[20:]) for f in sent], PAYLOAD_BYTES_MAX)
    assert one.sock.send(run, address) is None
    assert two.received() == (sent, [], True)
    assert (one.stats.tx_frames, one.stats.tx_calls, one.stats.tx_gso_calls) == (41, 1, 1)
    assert one.stats.tx_bytes == two.stats.rx_bytes == run.len_bytes
    assert (two.stats.rx_frames, two.stats.rx_calls) == (41, 1)


def test_tokens_are_told_apart_also_within_one_call(pair):
    one, two, address = pair
    kinds = [MCAST, ORF_TOKEN, JOIN, COMMIT_TOKEN]
    frames = [(frame(kind, b"x"),) for kind in kinds]
    for run in plan_runs(frames, PAYLOAD_BYTES_MAX):
        one.sock.send(run, address)
    one.sock.send(single(*frames[1]), address)
    messages, tokens, _ = two.received()
    assert [m[3] for m in messages] == [MCAST, JOIN]
    assert [t[3] for t in tokens] == [ORF_TOKEN, COMMIT_TOKEN, ORF_TOKEN]


def test_an_empty_datagram_asks_whether_somebody_listens_and_is_nobody_s_message(pair):
    one, two, address = pair
    one.sock.send(single(b""), address)
    one.sock.send(single(b"x"), address)
    assert two.received() == ([b"x"], [], True)
    arrivals = []
    one.sock.send(single(b""), address)
    assert two.sock.receive_from(arrivals)
    assert arrivals == []


@pytest.mark.parametrize("datagram", [b"x", b"xyz"])
def test_datagrams_without_a_type_are_messages_for_the_core_to_count(pair, datagram):
    one, two, address = pair
    one.sock.send(single(datagram), address)
    assert two.received() == ([datagram], [], True)


def test_the_longest_datagram_fits(pair):
    one, two, address = pair
    datagram = frame(MCAST, bytes(65507 - 13))
    one.sock.send(single(datagram), address)
    assert two.received() == ([datagram], [], True)
    assert two.stats.rx_truncated == 0


def test_a_turn_reads_a_bounded_number_of_times(pair, monkeypatch):
    monkeypatch.setattr(batchsocket, "RECEIVE_CALLS_MAX", 3)
    one, two, address = pair
    for n in range(4):
        one.sock.send(single(frame(MCAST, bytes([n]))), address)
    assert two.received()[2] is False
    messages, _, emptied = two.received()
    assert (len(messages), emptied) == (1, True)


def test_unlisted_sources_and_our_own_are_dropped(pair):
    one, two, address = pair
    run = single(frame(MCAST))
    two.filter.listed = {"127.0.0.3"}
    one.sock.send(run, address)
    assert two.received() == ([], [], True)
    two.filter.listed = {"127.0.0.2"}
    two.filter.own = one.sock._sock.getsockname()
    one.sock.send(run, address)
    assert two.received() == ([], [], True)
    two.filter.own = ("127.0.0.2", 1)
    one.sock.send(run, address)
    assert two.received() == ([frame(MCAST)], [], True)
    assert (two.stats.rx_rejected, two.stats.rx_own, two.stats.rx_frames) == (1, 1, 1)


def test_everything_but_messages_is_shown_to_who_learns(pair):
    one, two, address = pair
    shown = []
    two.filter.learn = lambda seen, source: shown.append((seen[3], source))
    frames = [(frame(kind),) for kind in (MCAST, JOIN, MCAST)]
    for run in [*plan_runs(frames, PAYLOAD_BYTES_MAX), *plan_runs(frames, 0)]:
        one.sock.send(run, address)
    two.received()
    assert shown == [(JOIN, "127.0.0.2")] * 2


class FailingSocket:
    """A socket whose sendmsg fails as the test says."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.sent = []

    def getblocking(self):
        return False

    def setsockopt(self, *_args):
        pass

    def getsockopt(self, *_args):
        return 1

    def sendmsg(self, buffers, ancillary, _flags, _address):
        number = self.failures.pop(0) if self.failures else 0
        if callable(number):
            number = number(ancillary)
        if number:
            raise OSError(number, "as the test says")
        self.sent.append(b"".join(buffers))


FRAMES = [(b"1" * 100,), (b"2" * 100,), (b"3" * 50,)]


def three():
    (run,) = plan_runs(FRAMES, PAYLOAD_BYTES_MAX)
    return run


@pytest.mark.needs("gso")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EMSGSIZE])
def test_a_length_that_cannot_be_cut_is_sent_singly_and_remembered(number):
    peer = Peer(FailingSocket(number))
    assert peer.sock.send(three(), ("192.0.2.1", 5405)) is None
    assert peer.sock._sock.sent == [f[0] for f in FRAMES]
    assert peer.sock.segment_bytes_max == 99
    assert peer.events.kinds() == [NetEventKind.OFFLOAD_OFF]
    assert (peer.stats.tx_frames, peer.stats.tx_gso_calls) == (3, 0)


@pytest.mark.parametrize("number", [errno.EIO, errno.EOPNOTSUPP])
def test_a_path_without_offload_switches_it_off(number):
    peer = Peer(FailingSocket(number))
    peer.sock.send(three(), ("192.0.2.1", 5405))
    assert peer.sock._sock.sent == [f[0] for f in FRAMES]
    assert peer.sock.segment_bytes_max == 0


@pytest.mark.needs("gso")
def test_a_vanished_address_does_not_switch_offload_off():
    peer = Peer(FailingSocket(errno.EINVAL, errno.EINVAL))
    assert peer.sock.send(three(), ("192.0.2.1", 5405)) is None
    assert peer.sock.segment_bytes_max == PAYLOAD_BYTES_MAX
    assert peer.stats.tx_unreachable == 3
    assert peer.events.events == []


@pytest.mark.parametrize(
    "number",
    [errno.ECONNREFUSED, errno.ENETUNREACH, errno.ENETDOWN, errno.EPERM, errno.EHOSTUNREACH],
)
def test_an_unreachable_network_is_counted_and_not_fatal(number):
    peer = Peer(FailingSocket(number))
    assert peer.sock.send(three(), ("192.0.2.1", 5405)) is None
    assert (peer.stats.tx_unreachable, peer.stats.tx_frames) == (3, 0)


def test_other_errors_are_counted_apart():
    peer = Peer(FailingSocket(errno.ENOBUFS))
    assert peer.sock.send(three(), ("192.0.2.1", 5405)) is None
    assert peer.stats.tx_errors == 3


def test_a_full_buffer_gives_the_rest_back():
    peer = Peer(FailingSocket(errno.EAGAIN))
    run = three()
    assert peer.sock.send(run, ("192.0.2.1", 5405)) is run
    peer = Peer(FailingSocket(errno.EIO, 0, errno.EAGAIN))
    left = peer.sock.send(run, ("192.0.2.1", 5405))
    assert list(left.frames) == FRAMES[1:]
    assert left.len_bytes == 150


def test_an_error_on_the_socket_does_not_end_it(pair):
    _, two, _ = pair
    two.sock.watch(lambda: None)
    two.reactor.removeReader(two.sock)
    two.sock.connectionLost(None)
    assert two.reactor.readers == [two.sock]
    assert two.stats.rx_errors == 1


def test_a_closed_socket_is_watched_no_longer(pair):
    one, _, _ = pair
    one.sock.watch(lambda: None)
    one.sock.watch_room(lambda: None)
    one.sock.close()
    one.sock.close()
    one.sock.connectionLost(None)
    assert one.reactor.readers == one.reactor.writers == []
    assert one.sock.fileno() == -1
    assert one.received() == ([], [], True)
