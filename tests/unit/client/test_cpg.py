"""Promises of the client library, kept over a real socket."""

from itertools import count, islice

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from corosync_tw.client.cpg import CALL_LEN_BYTES, CALL_MSGS_MAX, _batches
from corosync_tw.client.errors import DaemonLost
from corosync_tw.corotypes import MESSAGE_SIZE_MAX
from corosync_tw.errors import CsBadHandle, CsTooBig
from tests.unit.ipc.serving import Bed, Heard, turns


@pytest_twisted.ensureDeferred
async def test_a_source_without_end_is_read_at_the_pace_of_the_ring(tmp_path):
    async with Bed(tmp_path, capacity=5, automatic=False) as bed:
        read = []
        cpg = (await bed.client()).cpg()
        joining = cpg.join(b"room", lambda _: None)
        await turns()
        bed.node.rotate()
        await joining

        def endless():
            for number in count():
                read.append(number)
                yield b"%d" % number

        sending = cpg.mcast_many(endless())
        await turns(100)
        assert len(read) < 5 * CALL_MSGS_MAX
        assert bed.node.accepted_sizes[0] == 5
        await bed.clients[0].disconnect()
        with pytest.raises(DaemonLost):
            await sending


@pytest_twisted.ensureDeferred
async def test_order_is_kept_over_calls_and_the_number_sent_is_told(tmp_path):
    async with Bed(tmp_path, capacity=300) as bed:
        heard = Heard()
        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", heard.on_deliver)
        total = 4 * CALL_MSGS_MAX + 3
        assert await cpg.mcast_many(b"%d" % number for number in range(total)) == total
        await heard.count(messages=total)
        assert [int(m.data) for m in heard.messages] == list(range(total))
        assert await cpg.mcast_many([]) == 0


@pytest_twisted.ensureDeferred
async def test_after_a_message_that_is_too_big_nothing_more_is_sent(tmp_path):
    async with Bed(tmp_path) as bed:
        heard = Heard()
        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", heard.on_deliver)
        source = iter([b"a" * CALL_LEN_BYTES, b"b", b"c" * (MESSAGE_SIZE_MAX + 1), b"d"])
        with pytest.raises(CsTooBig):
            await cpg.mcast_many(source)
        await turns()
        assert [m.data[:1] for m in heard.messages] == [b"a"]
        assert await cpg.mcast(b"e") == 1


@pytest_twisted.ensureDeferred
async def test_nothing_is_delivered_while_the_handler_is_at_work(tmp_path):
    async with Bed(tmp_path) as bed:
        log, gates = [], [Deferred(), Deferred()]

        async def slow(messages):
            gate = gates.pop(0) if gates else None
            log.append(("begin", len(messages)))
            if gate is not None:
                await gate
            log.append("end")

        waiting = list(gates)
        cpg = (await bed.client()).cpg()
        await cpg.join(
            b"room",
            lambda messages: Deferred.fromCoroutine(slow(messages)),
            lambda *_: log.append("change"),
        )
        await cpg.mcast(b"one")
        await turns()
        await cpg.mcast(b"two")
        leaving = cpg.leave()
        await turns()
        assert log == ["change", ("begin", 1)]
        waiting[0].callback(None)
        await turns()
        assert log == ["change", ("begin", 1), "end", ("begin", 1)]
        assert not leaving.called
        waiting[1].callback(None)
        await leaving
        assert log[-2:] == ["end", "change"]


@pytest_twisted.ensureDeferred
async def test_a_handler_that_fails_stops_nothing(tmp_path):
    async with Bed(tmp_path) as bed:
        heard = Heard()

        def on_deliver(messages):
            heard.on_deliver(messages)
            raise CsBadHandle("the handler's own trouble")

        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", on_deliver)
        await cpg.mcast(b"one")
        await heard.count(messages=1)
        await cpg.mcast(b"two")
        await heard.count(messages=2)


@pytest_twisted.ensureDeferred
async def test_a_handle_outside_any_group_says_so(tmp_path):
    async with Bed(tmp_path) as bed:
        cpg = (await bed.client()).cpg()
        with pytest.raises(CsBadHandle):
            await cpg.mcast(b"x")
        with pytest.raises(CsBadHandle):
            await cpg.leave()
        with pytest.raises(CsBadHandle):
            cpg.membership()


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_connection_ends_a_leave(tmp_path):
    async with Bed(tmp_path, automatic=False) as bed:
        node = await bed.client()
        cpg = node.cpg()
        joining = cpg.join(b"room", lambda _: None)
        await turns()
        bed.node.rotate()
        await joining
        leaving = cpg.leave()
        await turns()
        await node.disconnect()
        with pytest.raises(DaemonLost):
            await leaving
        await node.when_lost()


def test_calls_are_neither_too_long_nor_too_many_messages():
    batches = list(_batches([b"x" * 1000] * 200))
    assert max(sum(map(len, batch)) for batch in batches) <= CALL_LEN_BYTES
    batches = list(_batches(islice(iter(lambda: b"", 1), 2 * CALL_MSGS_MAX + 1)))
    assert [len(batch) for batch in batches] == [CALL_MSGS_MAX, CALL_MSGS_MAX, 1]
    assert list(_batches([b"a", b"x" * CALL_LEN_BYTES * 2, b"b"])) == [
        [b"a"],
        [b"x" * CALL_LEN_BYTES * 2],
        [b"b"],
    ]
