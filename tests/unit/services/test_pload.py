"""The pload service: its bytes, its end, and the keys that start it."""

import re
from struct import pack

import pytest

from corosync_tw.errors import MalformedFrame
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.effects import FatalError
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.pload.engine import BURST_MSGS, SIZE_BYTES_MAX, PloadEngine
from corosync_tw.services.pload.trigger import MAGIC_SENTENCE, PloadTrigger
from corosync_tw.services.pload.wire import PloadStart, decode_start, encode_mcast, encode_start
from tests.unit.services.memory_ring import MemoryRing
from tests.unit.services.ordered_bus import FakeBus


class TestWire:
    def test_start(self):
        data = encode_start(PloadStart(7, 300))
        assert data == pack("<i4xi4xII", 4 << 16, 24, 7, 300)
        assert decode_start(data, False) == PloadStart(7, 300)
        assert decode_start(pack(">i4xi4xII", 4 << 16, 0, 7, 300), True) == PloadStart(7, 300)
        with pytest.raises(MalformedFrame):
            decode_start(data[:23], False)

    @pytest.mark.parametrize(("size", "length"), [(0, 16), (16, 16), (17, 17), (300, 300)])
    def test_messages_are_as_long_as_asked_with_their_header(self, size, length):
        head, body = encode_mcast(size)
        assert len(head) + len(body) == length
        assert head == pack("<i4xi4x", (4 << 16) | 1, 16 + size)


def lines(effects):
    return [(e.level, e.text) for e in effects if isinstance(e, LogLine)]


class TestEngine:
    def test_every_node_sends_and_ends_with_the_last_message(self):
        ring = MemoryRing((1, 2))
        ring.form()
        ring.nodes[1].pload.start(2500, 40)
        ring.nodes[1]._bus.sent = True
        ring.run_for(2000)
        for nodeid in (1, 2):
            log = ring.log[nodeid]
            [end] = [e for e in log if isinstance(e, FatalError)]
            assert (end.text, end.exit_code) == ("Stopping corosync the hard way", 99)
            assert not end.leave_first
            figures = lines(log)[-1]
            assert figures[0] == "notice"
            assert re.fullmatch(
                r" 2500 Writes 40 bytes per write  *\d+\.\d{3} seconds runtime,"
                r"  *\d+\.\d{3} TP/S,  *\d+\.\d{3} MB/S\.",
                figures[1],
            )
        assert ("warning", "Starting pload!") in lines(ring.log[1])
        assert ring.nodes[1].pload.delivered >= 2500

    def test_bursts_are_bounded_and_go_on_when_there_is_room(self):
        bus = FakeBus()
        engine = PloadEngine(bus)
        engine.on_start(1, 1, encode_start(PloadStart(BURST_MSGS + 5, 100)), False)
        assert engine.sent == BURST_MSGS
        bus.full = True
        engine.send_more()
        assert engine.sent == BURST_MSGS
        bus.full = False
        engine.send_more()
        engine.send_more()
        assert engine.sent == BURST_MSGS + 5
        assert {len(message) for _, message in bus.ordinary} == {100}

    def test_a_second_start_and_impossible_sizes(self):
        bus = FakeBus()
        engine = PloadEngine(bus)
        engine.on_start(1, 1, encode_start(PloadStart(1, 0xFFFFFFFF)), False)
        assert len(bus.ordinary[0][1]) == SIZE_BYTES_MAX
        engine.on_start(2, 2, encode_start(PloadStart(50, 20)), False)
        engine.start(5, 5)
        assert engine.sent == len(bus.ordinary) == 1
        assert bus.effects == []


class TestTrigger:
    @pytest.fixture
    def world(self):
        store, calls, warnings = CmapStore(), [], []
        PloadTrigger(store, lambda *call: calls.append(call), warnings.append)
        return store, calls, warnings

    def test_nothing_without_the_sentence(self, world):
        store, calls, _ = world
        store.set("pload.count", TypedValue(ValueType.UINT32, 5))
        store.set("pload.start", TypedValue(ValueType.STRING, "please"))
        assert calls == []

    def test_the_sentence_starts_with_the_keys_that_are_there(self, world):
        store, calls, _ = world
        store.set("pload.start", TypedValue(ValueType.STRING, MAGIC_SENTENCE))
        assert calls == [(1_500_000, 300)]
        store.set("pload.count", TypedValue(ValueType.UINT32, 5))
        store.set("pload.size", TypedValue(ValueType.UINT32, 77))
        assert calls[-1] == (5, 77)

    def test_other_types_count_as_absent_and_sizes_are_limited(self, world):
        store, calls, warnings = world
        store.set("pload.count", TypedValue(ValueType.UINT64, 5))
        store.set("pload.size", TypedValue(ValueType.UINT32, 1 << 30))
        store.set("pload.start", TypedValue(ValueType.STRING, MAGIC_SENTENCE))
        assert calls == [(1_500_000, 1 << 20)]
        assert set(warnings) == {"pload size limited to 1048576"}

    def test_the_sentence_itself(self):
        assert MAGIC_SENTENCE.startswith("i_totally_understand_pload_will_crash_my_cluster_")
