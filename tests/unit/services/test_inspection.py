"""Nodes ask each other, over a bus that gives all of them the same messages."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import defer

from corosync_tw.client import inspection
from corosync_tw.client.inspection import packed, unpacked
from corosync_tw.corotypes import CS_OK, NS_PER_MS
from corosync_tw.errors import (
    CsBusy,
    CsError,
    CsInvalidParam,
    CsMessageError,
    CsNoMemory,
    CsNotExist,
    CsNotSupported,
    CsTimeout,
    CsTryAgain,
    MalformedFrame,
)
from corosync_tw.services.inspection import engine
from corosync_tw.services.inspection.effects import Answer, Inspect, InspectionEnded
from corosync_tw.services.inspection.engine import InspectionEngine
from corosync_tw.services.inspection.wire import (
    ARGUMENT_LEN_BYTES_MAX,
    Ask,
    Part,
    Topic,
    decode,
    encode_ask,
    encode_part_head,
)

CLIENT = 7


class Bus:
    def __init__(self):
        self.now_ns = 0
        self.full = False
        self.sent = []
        self.effects = []
        self.emit = self.effects.append

    def inspection_mcast(self, slices, *, bulk):
        if self.full:
            raise CsTryAgain("full")
        self.sent.append(b"".join(slices))

    def take(self, kind):
        found = [e for e in self.effects if isinstance(e, kind)]
        self.effects[:] = [e for e in self.effects if not isinstance(e, kind)]
        return found


class Ring:
    """Nodes that answer what ``replies`` says."""

    def __init__(self, *nodeids):
        self.bus = {n: Bus() for n in nodeids}
        self.nodes = {n: InspectionEngine(n, self.bus[n]) for n in nodeids}
        self.replies = {n: (CS_OK, b"node %d" % n) for n in nodeids}
        self.questions = []
        self.change(nodeids)

    def change(self, members):
        for node in self.nodes.values():
            node.configuration_change(members)

    def visit(self):
        """Carry what each has sent, then let each send more; whether there was anything."""
        moved = False
        for sender, bus in self.bus.items():
            sent, bus.sent = bus.sent, []
            for message in sent:
                moved = True
                for node in self.nodes.values():
                    node.deliver(sender, message, False)
            for question in bus.take(Inspect):
                self.questions.append((sender, question))
                error, data = self.replies[sender]
                self.nodes[sender].answer(
                    question.asker, question.request, question.topic, error, data
                )
            self.nodes[sender].send_more()
        return moved or any(bus.sent for bus in self.bus.values())

    def run(self):
        while self.visit():
            pass

    def ask(self, targets, topic=Topic.FACTS, argument=b"", *, deaf=(), asker=1, conn=CLIENT):
        self.nodes[asker].ask(conn, topic, argument, targets, deaf)

    def ended(self, asker=1):
        return [dict(e.answers) for e in self.bus[asker].take(InspectionEnded)]


def test_each_node_answers_the_one_that_asked():
    ring = Ring(1, 2, 3)
    ring.ask((1, 2, 3), Topic.LOG, b"words")
    ring.run()
    assert {(n, q.topic, q.argument) for n, q in ring.questions} == {
        (n, Topic.LOG, b"words") for n in (1, 2, 3)
    }
    assert ring.ended() == [{n: Answer(CS_OK, b"node %d" % n) for n in (1, 2, 3)}]
    assert ring.ended(2) == ring.ended(3) == []


def test_an_answer_comes_in_pieces_one_a_visit():
    ring = Ring(1, 2)
    long = bytes(range(256)) * 1024
    ring.replies[2] = (CS_OK, long)
    ring.ask((2,))
    visits = 0
    while ring.visit():
        visits += 1
    assert visits >= len(long) // engine.PART_LEN_BYTES
    assert ring.ended() == [{2: Answer(CS_OK, long)}]


def test_a_full_queue_delays_an_answer_and_loses_nothing():
    ring = Ring(1, 2)
    ring.ask((2,))
    ring.bus[2].full = True
    ring.run()
    assert ring.ended() == []
    ring.bus[2].full = False
    ring.run()
    assert ring.ended() == [{2: Answer(CS_OK, b"node 2")}]


def test_a_full_queue_refuses_a_question_which_may_be_repeated():
    ring = Ring(1, 2)
    ring.bus[1].full = True
    with pytest.raises(CsTryAgain):
        ring.ask((2,))
    ring.bus[1].full = False
    ring.ask((2,))
    ring.run()
    assert ring.ended() == [{2: Answer(CS_OK, b"node 2")}]


def test_a_node_asks_itself_without_the_ring():
    ring = Ring(1, 2)
    ring.bus[1].full = True
    ring.ask((1,))
    ring.run()
    assert ring.ended() == [{1: Answer(CS_OK, b"node 1")}]


def test_a_node_alone_says_of_the_others_that_they_cannot_be_asked():
    ring = Ring(1, 2, 3)
    ring.bus[1].full = True
    ring.nodes[1].ask(CLIENT, Topic.FACTS, b"", (1, 2, 3), (3,), alone=True)
    ring.run()
    (answers,) = ring.ended()
    assert answers.pop(1) == Answer(CS_OK, b"node 1")
    assert {n: a.error for n, a in answers.items()} == {2: CsTryAgain.code, 3: CsNotSupported.code}


def test_who_cannot_answer_is_said_at_once():
    ring = Ring(1, 2, 3)
    ring.ask((3, 9), deaf=(3,))
    (answers,) = ring.ended()
    assert {n: a.error for n, a in answers.items()} == {
        3: CsNotSupported.code,
        9: CsNotExist.code,
    }
    assert ring.bus[1].sent == []


def test_a_node_that_leaves_is_not_waited_for():
    ring = Ring(1, 2, 3)
    ring.ask((2, 3))
    ring.replies[3] = (CS_OK, b"x" * (2 * engine.PART_LEN_BYTES))
    ring.visit()
    ring.change((1, 2))
    ring.run()
    (answers,) = ring.ended()
    assert answers[2] == Answer(CS_OK, b"node 2")
    assert answers[3].error == CsNotExist.code


def test_an_answer_to_a_node_that_left_is_not_sent():
    ring = Ring(1, 2)
    ring.ask((2,))
    ring.bus[2].full = True
    ring.run()
    ring.change((2,))
    ring.bus[2].full = False
    ring.nodes[2].send_more()
    assert ring.bus[2].sent == []


def test_silence_ends_a_question():
    ring = Ring(1, 2)
    ring.ask((2,))
    due_ns = ring.nodes[1].next_deadline()
    assert due_ns == engine.SILENCE_MS * NS_PER_MS
    ring.nodes[1].advance(due_ns - 1)
    assert ring.ended() == []
    ring.nodes[1].advance(due_ns)
    assert [a[2].error for a in ring.ended()] == [CsTimeout.code]
    assert ring.nodes[1].next_deadline() is None


def test_pieces_of_nothing_do_not_count_as_an_answer():
    ring = Ring(1, 2)
    ring.ask((2,))
    due_ns = ring.nodes[1].next_deadline()
    nothing = encode_part_head(Part(1, 1, Topic.FACTS, CS_OK, 10, 0, b""))
    ring.bus[1].now_ns = due_ns - 1
    ring.nodes[1].deliver(2, nothing, False)
    assert ring.nodes[1].next_deadline() == due_ns
    ring.nodes[1].deliver(2, nothing + b"12345", False)
    assert ring.nodes[1].next_deadline() == due_ns - 1 + engine.SILENCE_MS * NS_PER_MS


def test_nobody_asks_in_the_name_of_another():
    ring = Ring(1, 2, 3)
    with pytest.raises(MalformedFrame):
        ring.nodes[2].deliver(3, encode_ask(Ask(1, 1, Topic.LOG, (2,), b"")), False)
    assert ring.bus[2].take(Inspect) == []


def test_a_client_asks_one_question_at_a_time_and_many_clients_too_many():
    ring = Ring(1, 2)
    ring.ask((2,))
    with pytest.raises(CsBusy):
        ring.ask((2,))
    for conn in range(100, 100 + engine.REQUESTS_MAX - 1):
        ring.ask((2,), conn=conn)
    with pytest.raises(CsBusy):
        ring.ask((2,), conn=99)
    ring.nodes[1].disconnect(CLIENT)
    ring.ask((2,), conn=99)


def test_an_argument_has_a_limit():
    ring = Ring(1)
    with pytest.raises(CsInvalidParam):
        ring.ask((1,), argument=b"x" * (ARGUMENT_LEN_BYTES_MAX + 1))


def test_an_answer_that_is_too_long_becomes_an_error(monkeypatch):
    monkeypatch.setattr(engine, "ANSWER_LEN_BYTES_MAX", 100)
    ring = Ring(1, 2)
    ring.replies[2] = (CS_OK, b"x" * 101)
    ring.ask((2,))
    ring.run()
    assert [a[2].error for a in ring.ended()] == [CsNoMemory.code]


@pytest.mark.parametrize(
    ("total_bytes", "offset_bytes"),
    [(engine.ANSWER_LEN_BYTES_MAX + 1, 0), (10, 5), (engine.KEPT_LEN_BYTES_MAX, 0)],
)
def test_pieces_that_do_not_fit_end_an_answer(total_bytes, offset_bytes):
    ring = Ring(1, 2)
    ring.ask((2,))
    part = Part(1, 1, Topic.FACTS, CS_OK, total_bytes, offset_bytes, b"")
    ring.nodes[1].deliver(2, encode_part_head(part) + b"12345", False)
    assert [a[2].error for a in ring.ended()] == [CsNoMemory.code]
    assert ring.nodes[1].malformed == 1


def test_answers_to_all_clients_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(engine, "KEPT_LEN_BYTES_MAX", 150)
    ring = Ring(1, 2)
    ring.ask((2,), conn=5)
    ring.ask((2,), conn=6)
    for request in (1, 2):
        part = Part(1, request, Topic.FACTS, CS_OK, 100, 0, b"")
        ring.nodes[1].deliver(2, encode_part_head(part) + b"12345", False)
    assert [a[2].error for a in ring.ended()] == [CsNoMemory.code]
    rest = Part(1, 1, Topic.FACTS, CS_OK, 100, 5, b"")
    ring.nodes[1].deliver(2, encode_part_head(rest) + bytes(95), False)
    assert [a[2].error for a in ring.ended()] == [CS_OK]


def test_pieces_that_nobody_asked_for_are_ignored():
    ring = Ring(1, 2, 3)
    ring.ask((2,))
    part = Part(1, 1, Topic.FACTS, CS_OK, 5, 0, b"")
    ring.nodes[1].deliver(3, encode_part_head(part) + b"12345", False)
    ring.nodes[1].deliver(2, encode_part_head(part._replace(request=2)) + b"12345", False)
    assert ring.ended() == []


def test_questions_and_answers_survive_the_wire():
    ask = Ask(1, 0xFFFFFFFF, 77, (2, 3), b"words")
    assert decode(encode_ask(ask), False) == ask
    part = Part(1, 2, Topic.LOG, CS_OK, 10, 5, b"12345")
    decoded = decode(encode_part_head(part) + b"12345", False)
    assert decoded._replace(data=bytes(decoded.data)) == part


def test_a_kind_of_a_later_version_is_ignored():
    assert decode(b"\x09\x00" + bytes(14), False) is None


@given(st.binary(max_size=120), st.booleans())
def test_decoding_is_total(data, big_endian):
    with contextlib.suppress(MalformedFrame):
        decode(data, big_endian)


def test_answers_are_packed_for_their_way():
    assert unpacked(packed(b"words" * 1000)) == b"words" * 1000
    for broken in (packed(b"words" * 1000)[:-1], b"words"):
        fault = unpacked(broken)
        assert isinstance(fault, CsError)
        assert fault.code == CsMessageError.code


def test_an_answer_is_no_bomb(monkeypatch):
    monkeypatch.setattr(inspection, "UNPACKED_LEN_BYTES_MAX", 1000)
    assert unpacked(packed(bytes(1000))) == bytes(1000)
    assert isinstance(unpacked(packed(bytes(1001))), CsMessageError)


class Caller:
    """A daemon whose ring answered an error, with so many bytes at a call."""

    def __init__(self, words):
        self.words = words

    def call(self, method, *args):
        if method == "inspection_ask":
            return defer.succeed([[2, CsTimeout.code, len(self.words)]])
        _, offset = args
        return defer.succeed(self.words[offset : offset + 100])


def test_the_words_of_an_error_are_short_and_harmless():
    asked = inspection.Inspection(Caller(b"\x1b[2Jgone\n" + b"x" * 5000)).ask(Topic.LOG)
    fault = asked.result[2]
    assert isinstance(fault, CsTimeout)
    assert str(fault).startswith("?[2Jgone?xxx")
    assert len(str(fault)) == inspection.ERROR_LEN_CHARS_MAX
