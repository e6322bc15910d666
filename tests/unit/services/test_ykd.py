"""The YKD provider: its bytes, its decisions, and rings of it that split and merge."""

import random
from struct import pack, pack_into

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.errors import CsTryAgain, MalformedFrame
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.ykd.engine import YkdEngine, newest, subquorum
from corosync_tw.services.ykd.wire import (
    STATE_LEN,
    YkdSession,
    YkdState,
    decode_kind,
    decode_state,
    encode_attempt,
    encode_state,
)
from tests.unit.services.memory_ring import MemoryRing

SENDSTATE, ATTEMPT = 0, 1
ATTEMPT_MESSAGE = encode_attempt()


class TestWire:
    STATE = YkdState(YkdSession((1, 2, 9), 7), [YkdSession((1, 2), 0), YkdSession((5,), 8)], 12)

    def test_there_and_back(self):
        data = encode_state(self.STATE)
        assert len(data) == 4 + STATE_LEN == 8856
        assert decode_kind(data, False) == SENDSTATE
        assert decode_state(data, False) == self.STATE
        assert encode_attempt() == pack("<i", ATTEMPT)

    def test_offsets_are_those_of_the_c_struct(self):
        session = 32 * 4 + 4 + 4
        formed = 4 + session
        ambiguous = formed + 32 * session + 4
        data = bytearray(8856)
        pack_into("<3I", data, 4, 1, 2, 9)
        pack_into("<ii", data, 4 + 128, 3, 7)
        pack_into("<2I", data, ambiguous, 1, 2)
        pack_into("<ii", data, ambiguous + 128, 2, 0)
        pack_into("<I", data, ambiguous + session, 5)
        pack_into("<ii", data, ambiguous + session + 128, 1, 8)
        pack_into("<ii", data, ambiguous + 32 * session, 2, 12)
        assert bytes(data) == encode_state(self.STATE)

    def test_the_other_byte_order(self):
        little = encode_state(self.STATE)
        words = [little[i : i + 4][::-1] for i in range(0, len(little), 4)]
        assert decode_state(b"".join(words), True) == self.STATE

    @pytest.mark.parametrize("length", [0, 3, 5, 8855])
    def test_short_messages(self, length):
        state = encode_state(self.STATE)[:length]
        with pytest.raises(MalformedFrame):
            decode_state(state, False)

    @pytest.mark.parametrize("offset", [4 + 128, 8848])
    @pytest.mark.parametrize("count", [-1, 33, 0x7FFFFFFF])
    def test_impossible_counts(self, offset, count):
        data = bytearray(encode_state(self.STATE))
        pack_into("<i", data, offset, count)
        with pytest.raises(MalformedFrame):
            decode_state(bytes(data), False)


class TestDecision:
    @pytest.mark.parametrize(
        ("members", "session", "enough"),
        [
            ((1, 2), (1, 2, 3), True),
            ((1,), (1, 2, 3), False),
            ((1,), (1, 2), True),  # an even split: both halves
            ((2,), (1, 2), True),
            ((4,), (1,), False),
            ((4,), (), True),
        ],
    )
    def test_half_of_the_last_primary_is_enough(self, members, session, enough):
        assert subquorum(members, YkdSession(session, 1)) == enough

    def test_the_newest_primary_counts_and_attempts_after_it(self):
        old, new = YkdSession((1, 2, 3), 1), YkdSession((2, 3), 5)
        late, early = YkdSession((3, 4), 6), YkdSession((1, 3), 2)
        states = [YkdState(old, [early], 3), YkdState(new, [late, early], 6)]
        assert newest(states) == (6, new, [early, late])
        assert newest(states[::-1]) == (6, new, [late])

    def test_among_equals_the_first_decides(self):
        states = [YkdState(YkdSession((n,), 0)) for n in (1, 2)]
        assert newest(states)[1] == YkdSession((1,), 0)


class Lone:
    """One engine whose messages are kept."""

    def __init__(self, nodeid=1):
        self.answers = []
        self.sent = []
        self.full = False
        self.lines = []
        self.engine = YkdEngine(
            nodeid, lambda *answer: self.answers.append(answer), self.send, self.lines.append
        )

    def send(self, message, trans):
        if self.full:
            raise CsTryAgain("full")
        self.sent.append((decode_kind(message, False), trans))

    def configure(self, *members, seq=4):
        self.engine.configuration_change(members, RingId(members[0], seq))

    def state(self, nodeid, state=None):
        state = state or YkdState(YkdSession((nodeid,), 0))
        self.engine.deliver(nodeid, encode_state(state), False)

    def attempt(self, nodeid):
        self.engine.deliver(nodeid, ATTEMPT_MESSAGE, False)


class TestEngine:
    def test_states_then_attempts_then_primary(self):
        lone = Lone()
        lone.configure(1, 2)
        assert lone.sent == [(SENDSTATE, True)]
        lone.state(1)
        lone.state(2)
        assert lone.sent == [(SENDSTATE, True)]  # the attempt waits for the services
        lone.engine.sync_completed()
        assert lone.sent == [(SENDSTATE, True), (ATTEMPT, False)]
        lone.attempt(1)
        assert not lone.engine.primary
        lone.attempt(2)
        assert lone.answers == [(False, (1, 2), RingId(1, 4)), (True, (1, 2), RingId(1, 4))]
        assert lone.engine.state == YkdState(YkdSession((1, 2), 1), [], 1)
        assert [line.subsys for line in lone.lines] == ["YKD"]

    def test_a_minority_of_the_last_primary_does_not_try(self):
        lone = Lone()
        lone.engine.sync_completed()
        lone.configure(1)
        lone.state(1, YkdState(YkdSession((1, 2, 3), 4), [], 4))
        lone.engine.sync_completed()
        assert lone.sent == [(SENDSTATE, True)]
        assert lone.answers[-1][0] is False

    def test_a_new_ring_begins_anew(self):
        lone = Lone()
        lone.configure(1, 2)
        lone.state(1)
        lone.configure(1, 2, seq=8)
        lone.state(2)
        lone.engine.sync_completed()
        assert lone.sent == [(SENDSTATE, True)] * 2
        lone.state(1)
        assert lone.sent[-1] == (ATTEMPT, False)

    def test_an_attempt_that_ended_is_told(self):
        lone = Lone()
        for seq in range(40):
            lone.configure(1, 2, seq=seq)
            lone.state(1, lone.engine.state)
            lone.state(2)
        assert lone.engine.state.session_id == 40
        assert lone.engine.state.ambiguous == [YkdSession((1, 2), 0)] * 32
        assert decode_state(encode_state(lone.engine.state), False) == lone.engine.state

    def test_a_full_queue_is_tried_again(self):
        lone = Lone()
        lone.full = True
        lone.configure(1)
        lone.full = False
        assert lone.sent == []
        lone.engine.send_waiting()
        lone.engine.send_waiting()
        assert lone.sent == [(SENDSTATE, True)]

    def test_strangers_count_for_nothing(self):
        lone = Lone()
        lone.configure(1, 2)
        lone.state(1)
        lone.state(3)
        lone.engine.sync_completed()
        assert lone.sent == [(SENDSTATE, True)]

    def test_more_members_than_the_messages_hold_are_never_primary(self):
        lone = Lone()
        members = tuple(range(1, 34))
        lone.configure(*members)
        for nodeid in members:
            lone.state(nodeid)
            lone.attempt(nodeid)
        assert lone.sent == []
        assert [answer[0] for answer in lone.answers] == [False]


def ykd_ring(*nodeids):
    return MemoryRing(
        nodeids, lambda n: ServiceParams(nodeid=n, expected_votes=1, votequorum=False, ykd=True)
    )


def quorate(ring):
    return [n for n in sorted(ring.nodes) if ring.nodes[n].quorate]


class TestRings:
    def test_the_larger_part_goes_on(self):
        ring = ykd_ring(1, 2, 3)
        ring.form()
        ring.run_for(500)
        assert quorate(ring) == [1, 2, 3]
        ring.partition({1, 2}, {3})
        ring.form([1, 2])
        ring.form([3])
        ring.run_for(500)
        assert quorate(ring) == [1, 2]
        # Of the two that were primary last, one is enough; of the three before it would not be.
        ring.partition({1}, {2}, {3})
        for nodeid in (1, 2, 3):
            ring.form([nodeid])
        ring.run_for(500)
        assert quorate(ring) == [1, 2]
        ring.heal()
        ring.form([1, 2, 3])
        ring.run_for(500)
        assert quorate(ring) == [1, 2, 3]
        assert len({s._ykd.state.session_id for s in ring.nodes.values()}) == 1

    def test_random_splits_agree_within_each_part(self):
        rng = random.Random(3)
        ring = ykd_ring(1, 2, 3, 4, 5)
        ring.form()
        for _ in range(12):
            ids = [1, 2, 3, 4, 5]
            rng.shuffle(ids)
            cut = rng.randrange(6)
            sides = [set(ids[:cut]), set(ids[cut:])]
            ring.partition(*sides)
            for side in filter(None, sides):
                ring.form(side)
            ring.run_for(500)
            answers = [{ring.nodes[n].quorate for n in side} for side in sides if side]
            assert all(len(answer) == 1 for answer in answers)
            # No primary beside another: five nodes do not split evenly, but four or two may.
            lasts = [ring.nodes[n]._ykd.state.last_primary for n in ids if ring.nodes[n].quorate]
            for side in filter(None, sides):
                for n in side:
                    if ring.nodes[n].quorate:
                        assert set(ring.nodes[n]._ykd.state.last_primary.members) == side
            assert lasts
