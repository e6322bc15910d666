"""Clients of the services: what they send, what they read, and bytes that are no answers."""

import random
import struct

import pytest

from corosync_tw.client.qb.cfg import Cfg, Shutdown
from corosync_tw.client.qb.cmap import Cmap, Map
from corosync_tw.client.qb.connection import Connection
from corosync_tw.client.qb.cpg import Cpg, Entry, Listing
from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.client.qb.quorum import Quorum, View
from corosync_tw.client.qb.votequorum import NodeList, Votequorum
from corosync_tw.corotypes import RingId, TrackFlags
from corosync_tw.errors import CsError, CsNameTooLong, CsNotSupported
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.votequorum.report import InfoFlags
from tests.unit.client.qb.raw_server import response

ROUNDS = 300


class Canned:
    """A transport with answers from a list; the last one again and again."""

    def __init__(self, *answers, events=()):
        self.answers, self.events, self.sent = list(answers), list(events), []

    def filenos(self):
        return (0,)

    def flow_control(self):
        return 0

    def send(self, request):
        self.sent.append(request)

    def receive(self, patience_s):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def receive_event(self, patience_s):
        return self.events.pop(0) if self.events else None

    def close(self, *, orderly):
        self.orderly = orderly


def over(client, *answers, events=()):
    """Make a client that gets these answers; also the requests it will have sent."""
    canned = Canned(*answers, events=events)
    return client(Connection(canned, 1 << 20)), canned.sent


def name(text):
    return struct.pack("=H6x256s", len(text), text)


END = response(error=27)


def test_cmap_reads_a_key():
    cmap, sent = over(Cmap, response(struct.pack("=QB7x", 4, 6) + b"\7\0\0\0"))
    assert cmap.get("a.b") == TypedValue.u32(7)
    assert sent[0][:8] == struct.pack("=ii", 2, 0)
    assert sent[0][16:] == name(b"a.b") + struct.pack("=Q", 512)


def test_cmap_asks_again_for_a_long_value():
    answers = [
        response(error=7),
        response(struct.pack("=QB7x", 2000, 12)),
        response(struct.pack("=QB7x", 2000, 12) + b"v" * 2000),
    ]
    cmap, sent = over(Cmap, *answers)
    assert cmap.get("k").value == b"v" * 2000
    assert [struct.unpack_from("=Q", request, 280)[0] for request in sent] == [512, 0, 2000]


def test_cmap_writes_a_string_without_its_nul():
    cmap, sent = over(Cmap, response())
    cmap.set("k", TypedValue.string("abc"))
    assert sent[0][280:] == struct.pack("=QB7x", 3, ValueType.STRING) + b"abc"
    cmap.adjust("k", -2)
    assert sent[1][280:] == struct.pack("=i4x", -2)
    cmap.choose(Map.STATS)
    assert sent[2][16:] == struct.pack("=i4x", 1)


def test_cmap_refuses_long_names_itself():
    cmap, sent = over(Cmap, response())
    with pytest.raises(CsNameTooLong):
        cmap.get("k" * 256)
    assert sent == []


def test_cmap_lists_keys_to_the_end():
    entry = response(name(b"a.b") + struct.pack("=QB7x", 4, 6))
    cmap, sent = over(Cmap, response(struct.pack("=Q", 9)), entry, entry, END, response())
    assert [key.name for key in cmap.keys("a.")] == ["a.b", "a.b"]
    assert sent[-1][16:] == struct.pack("=Q", 9)


def test_cmap_tells_of_changes():
    change = struct.pack("=Q", 5) + name(b"k") + struct.pack("=i4xB7xB7xQQ", 2, 2, 11, 1, 3)
    event = response(change + b"\7" + b"ab\0", response_id=9)
    cmap, sent = over(Cmap, response(struct.pack("=Q", 77)), events=[event])
    assert cmap.track("k", Track.MODIFY | Track.PREFIX, 5) == 77
    assert sent[0][280:] == struct.pack("=i4xQ", 10, 5)
    told = cmap.change(0)
    assert (told.instance, told.event, told.name) == (5, Track.MODIFY, "k")
    assert (told.new, told.old) == (TypedValue.u8(7), TypedValue.string("ab"))
    assert cmap.change(0) is None


def test_cfg_reads_addresses():
    fields = bytes([10, 0, 0, 1]).ljust(16, b"\0") + bytes(16)
    cfg, _ = over(Cfg, response(struct.pack("=II", 2, 2) + fields))
    assert cfg.node_addresses(1) == ["10.0.0.1", None]
    cfg, _ = over(Cfg, response(struct.pack("=II", 10, 1) + bytes(15) + b"\1"))
    assert cfg.node_addresses(1) == ["::1"]


@pytest.mark.parametrize(
    "body",
    [struct.pack("=II", 2, 1), struct.pack("=II", 2, 0xFFFFFFFF), struct.pack("=II", 7, 0)],
)
def test_cfg_refuses_addresses_that_are_none(body):
    cfg, _ = over(Cfg, response(body))
    with pytest.raises(ForeignBytes):
        cfg.node_addresses(1)


def test_cfg_reads_a_node():
    link = struct.pack("=3BxI256s256s", 1, 1, 0, 1397, b"10.0.0.1", b"10.0.0.2")
    body = struct.pack("=II6B2x", 1, 2, 1, 0, 0, 0, 1, 1) + link + bytes(7 * 520)
    cfg, sent = over(Cfg, response(body))
    node = cfg.node_status(2)
    assert sent[0][16:] == struct.pack("=I4xI4x", 2, 1)
    assert (node.nodeid, node.reachable, node.onwire_max, len(node.links)) == (2, True, 1, 8)
    assert (node.links[0].mtu_bytes, node.links[0].dst_address) == (1397, "10.0.0.2")
    cfg, _ = over(Cfg, response(struct.pack("=II", 2, 2)))
    with pytest.raises(CsNotSupported):
        cfg.node_status(2)


def test_cfg_kills_and_shuts_down():
    cfg, sent = over(Cfg, response())
    cfg.kill_node(3, "why")
    assert sent[0][16:32] == struct.pack("=I4xH6s", 3, 4, b"why")
    cfg.try_shutdown(Shutdown.REGARDLESS)
    assert sent[1][16:] == struct.pack("=I4x", 1)
    with pytest.raises(CsNameTooLong):
        cfg.kill_node(3, "w" * 256)


def test_cpg_lists_members_to_the_end():
    entry = response(struct.pack("=I4x128sII", 3, b"abcdef", 1, 42))
    cpg, _ = over(Cpg, response(struct.pack("=Q", 9)), entry, END, response())
    assert list(cpg.iterate(Listing.ALL)) == [Entry(b"abc", 1, 42)]


def test_quorum_reads_a_view():
    view = struct.pack("=i4xQI", 1, 0x15, 2) + struct.pack("=2I4x", 1, 2)
    quorum, _ = over(
        Quorum, response(struct.pack("=I4x", 1)), events=[response(view, response_id=3)]
    )
    assert not quorum.is_free()
    assert quorum.quorate()
    quorum.track(TrackFlags.CURRENT)
    assert quorum.view() == View(True, 0x15, (1, 2))


def test_votequorum_reads_votes_and_members():
    info = struct.pack("=9I255s5x", 1, 1, 1, 3, 3, 3, 2, 66, 1, b"Qdevice")
    node_list = struct.pack("=QI4xQI4x", 0, 1, 21, 2) + struct.pack("=2I", 1, 3)
    events = [response(bytes(40), response_id=4), response(node_list, response_id=5)]
    votequorum, sent = over(Votequorum, response(info), events=events)
    told = votequorum.info(1)
    assert (told.quorum, told.qdevice_name) == (2, b"Qdevice")
    assert told.flags == InfoFlags.QUORATE | InfoFlags.QDEVICE_REGISTERED
    assert votequorum.node_list() == NodeList(RingId(1, 21), (1, 3))
    votequorum.set_votes(2, 5)
    assert sent[-1][16:] == struct.pack("=II", 5, 2)


CALLS = [
    (Cmap, lambda c: c.get("k")),
    (Cmap, lambda c: next(c.keys())),
    (Cmap, lambda c: c.track("k", Track.ADD, 1)),
    (Cmap, lambda c: c.change(0)),
    (Cfg, lambda c: c.local_nodeid()),
    (Cfg, lambda c: c.node_status(1)),
    (Cfg, lambda c: c.ring_status()),
    (Cfg, lambda c: c.node_addresses(1)),
    (Cpg, lambda c: c.local_nodeid()),
    (Cpg, lambda c: next(c.iterate(Listing.ALL))),
    (Quorum, lambda c: c.view()),
    (Votequorum, lambda c: c.info(1)),
    (Votequorum, lambda c: c.node_list()),
]


@pytest.mark.parametrize("place", range(len(CALLS)))
def test_any_bytes_are_an_answer_or_an_error(place):
    client, call = CALLS[place]
    dice = random.Random(place)
    ids = {Cmap: 9, Quorum: 3, Votequorum: 5}
    for _ in range(ROUNDS):
        body = bytes(
            dice.choice((0, 1, 2, 11, 255)) for _ in range(dice.choice((8, 40, 320, 11000)))
        )
        message = response(body, response_id=ids.get(client, 1))
        answers = [response(struct.pack("=I4x", 1))] if client is Quorum else []
        try:
            call(over(client, *answers, message, events=[message])[0])
        except CsError:
            continue
