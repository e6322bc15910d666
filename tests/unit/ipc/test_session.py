"""The server and the client together, over a UNIX socket."""

import os

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from corosync_tw.client.errors import DaemonLost, NoDaemon
from corosync_tw.client.node import connect
from corosync_tw.corotypes import MESSAGE_SIZE_MAX, CpgReason, Guarantee
from corosync_tw.errors import (
    CsAccess,
    CsBadHandle,
    CsExist,
    CsInvalidParam,
    CsNameTooLong,
    CsNoMemory,
    CsNotSupported,
    CsTooBig,
)
from corosync_tw.ipc.pb import session as session_module
from corosync_tw.ipc.pb.wire import GROUPS_PER_CONNECTION_MAX, pack_batch
from tests.unit.ipc.serving import Bed, Heard, turns


@pytest_twisted.ensureDeferred
async def test_two_members_hear_the_same_in_the_same_order(tmp_path):
    async with Bed(tmp_path) as bed:
        one, two = Heard(), Heard()
        first = (await bed.client(pid=11)).cpg()
        second = (await bed.client(pid=12)).cpg()
        await first.join(b"room", one.on_deliver, one.on_confchg)
        await second.join(b"room", two.on_deliver, two.on_confchg)
        await one.count(changes=2)
        await first.mcast(b"alone")
        await second.mcast_many([b"x" * size for size in range(300)])
        await one.count(messages=301)
        await two.count(messages=301)
        assert one.messages == two.messages
        assert one.messages[0][:2] == (7, 11)
        assert [len(m.data) for m in one.messages[1:]] == list(range(300))
        members, left, joined = one.changes[1]
        assert [m.pid for m in members] == [11, 12]
        assert left == []
        assert joined == [(7, 12, CpgReason.JOIN)]


@pytest_twisted.ensureDeferred
async def test_leave_is_over_when_the_change_has_been_heard_and_the_handle_may_join_again(tmp_path):
    async with Bed(tmp_path) as bed:
        heard = Heard()
        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", heard.on_deliver, heard.on_confchg)
        with pytest.raises(CsExist):
            await cpg.join(b"other", heard.on_deliver)
        await cpg.leave()
        assert heard.changes[-1][1] == [(7, 4000, CpgReason.LEAVE)]
        with pytest.raises(CsBadHandle):
            await cpg.mcast(b"late")
        await turns()
        assert bed.node.gone == [101]
        await cpg.join(b"room", heard.on_deliver, heard.on_confchg)
        await heard.count(changes=3)


@pytest_twisted.ensureDeferred
async def test_a_client_that_vanishes_is_a_process_that_went_down(tmp_path):
    async with Bed(tmp_path) as bed:
        heard = Heard()
        stays = (await bed.client(pid=11)).cpg()
        goes = await bed.client(pid=12)
        await stays.join(b"room", heard.on_deliver, heard.on_confchg)
        await goes.cpg().join(b"room", lambda _: None)
        await goes.disconnect()
        await heard.count(changes=3)
        assert heard.changes[2][1] == [(7, 12, CpgReason.PROCDOWN)]


@pytest_twisted.ensureDeferred
async def test_a_client_that_vanishes_while_its_join_waits_leaves_nothing_behind(tmp_path):
    async with Bed(tmp_path) as bed:
        bed.node.joins_refused = 1_000_000
        goes = await bed.client()
        joining = goes.cpg().join(b"room", lambda _: None)
        await turns()
        await goes.disconnect()
        with pytest.raises(DaemonLost):
            await joining
        await turns()
        assert bed.node.gone == [101]
        assert bed.node.listeners == {}
        assert bed.node.groups == {}


@pytest_twisted.ensureDeferred
async def test_a_join_is_tried_again_until_the_node_takes_it(tmp_path):
    async with Bed(tmp_path) as bed:
        bed.node.joins_refused = 3
        heard = Heard()
        await (await bed.client()).cpg().join(b"room", heard.on_deliver, heard.on_confchg)
        await heard.count(changes=1)


@pytest_twisted.ensureDeferred
async def test_a_full_ring_makes_the_answer_late_and_loses_nothing(tmp_path):
    async with Bed(tmp_path, capacity=10) as bed:
        heard = Heard()
        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", heard.on_deliver)
        assert await cpg.mcast_many([b"%d" % i for i in range(55)]) == 55
        await heard.count(messages=55)
        assert [m.data for m in heard.messages] == [b"%d" % i for i in range(55)]
        assert max(bed.node.accepted_sizes) == 10


@pytest_twisted.ensureDeferred
async def test_a_stranger_is_refused_with_a_reason_and_disconnected(tmp_path):
    async with Bed(tmp_path) as bed:
        with pytest.raises(CsAccess, match=r"user 4711, group 100 .* uidgid"):
            await bed.client(uid=4711, gid=100)
        await turns()
        assert not bed.server.brokers


@pytest_twisted.ensureDeferred
async def test_nothing_but_hello_before_hello(tmp_path):
    async with Bed(tmp_path) as bed:
        client = await bed.client()
        (broker,) = bed.server.brokers
        broker.serve({"hello": lambda *_: None})
        with pytest.raises(CsNotSupported, match="no method 'status'"):
            await client.status()


@pytest.mark.needs("peer_credentials")
@pytest_twisted.ensureDeferred
async def test_the_kernel_is_asked_who_connects(tmp_path):
    from corosync_tw.ipc.pb.peercred import peer_credentials

    async with Bed(tmp_path) as bed:
        bed.server._credentials = peer_credentials
        client = await connect(reactor, bed.path, pid=1)
        bed.clients.append(client)
        assert client.pid == os.getpid()


@pytest_twisted.ensureDeferred
async def test_messages_up_to_the_limit_travel_and_longer_ones_are_refused(tmp_path):
    async with Bed(tmp_path) as bed:
        heard = Heard()
        node = await bed.client()
        cpg = node.cpg()
        await cpg.join(b"room", heard.on_deliver)
        largest = os.urandom(MESSAGE_SIZE_MAX)
        await cpg.mcast_many([b"", largest, b""])
        await heard.count(messages=3)
        assert [m.data for m in heard.messages] == [b"", largest, b""]
        with pytest.raises(CsTooBig):
            await cpg.mcast(largest + b"x")
        with pytest.raises(CsTooBig):
            await node.call("cpg_mcast_packed", 101, *pack_batch([largest + b"x"]), 0)


@pytest_twisted.ensureDeferred
async def test_a_call_above_the_limit_ends_that_connection_alone(tmp_path):
    async with Bed(tmp_path) as bed:
        innocent = await bed.client(pid=11)
        guilty = await bed.client(pid=12)
        with pytest.raises(DaemonLost):
            await guilty.call("cpg_mcast_packed", 1, b"", [b"x" * 600_000] * 4, 0)
        assert (await innocent.status())["nodeid"] == 7


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("cpg_join", (b"",), CsInvalidParam),
        ("cpg_join", ("text",), CsInvalidParam),
        ("cpg_join", (b"n" * 129,), CsNameTooLong),
        ("cpg_join", (), CsInvalidParam),
        ("cpg_leave", (5,), CsBadHandle),
        ("cpg_mcast", (101, [b"ok", 5], 0), CsInvalidParam),
        ("cpg_mcast", (101, [b"ok"], 9), CsInvalidParam),
        ("cpg_mcast", (102, [b"ok"], 0), CsBadHandle),
        ("cpg_mcast", ([101], [b"ok"], 0), CsInvalidParam),
        ("cpg_mcast_packed", (101, b"\0\0\0\5", [b"1234"], 0), CsInvalidParam),
        ("cpg_mcast_packed", (101, b"\0\0\0", [b"1234"], 0), CsInvalidParam),
        ("cpg_mcast_packed", (101, b"", b"1234", 0), CsInvalidParam),
        ("cpg_mcast_packed", (101, b"\0" * 4 * 16385, [], 0), CsTooBig),
        ("hello", (99, 1), CsNotSupported),
        ("hello", (1, -4), CsInvalidParam),
        ("closed", (), CsNotSupported),
        ("cpg_deliver", (1,), CsNotSupported),
        ("__init__", (), CsNotSupported),
    ],
)
@pytest_twisted.ensureDeferred
async def test_wrong_requests_get_their_own_errors(tmp_path, method, args, error):
    async with Bed(tmp_path) as bed:
        node = await bed.client()
        await node.cpg().join(b"room", lambda _: None)
        with pytest.raises(error):
            await node.call(method, *args)
        assert (await node.status())["nodeid"] == 7


@pytest_twisted.ensureDeferred
async def test_groups_of_one_connection_are_limited(tmp_path):
    async with Bed(tmp_path) as bed:
        node = await bed.client()
        for number in range(GROUPS_PER_CONNECTION_MAX):
            await node.cpg().join(b"%d" % number, lambda _: None)
        with pytest.raises(CsNoMemory):
            await node.cpg().join(b"one too many", lambda _: None)


@pytest_twisted.ensureDeferred
async def test_membership_groups_status_and_watching(tmp_path):
    async with Bed(tmp_path) as bed:
        node = await bed.client(pid=31)
        cpg = node.cpg()
        await cpg.join(b"room", lambda _: None)
        await turns()
        assert await cpg.membership() == [(7, 31, 0)]
        assert await node.membership(b"nobody") == []
        assert await node.groups() == {b"room": [(7, 31, 0)]}
        assert (await node.status())["counters"]["orf_token_tx"] == 5
        rings, quorums = [], []
        await node.watch(lambda *ring: rings.append(ring), lambda *view: quorums.append(view))
        bed.node.new_ring(8)
        await turns()
        assert rings == [((7, 8), [7])]
        assert quorums == [(True, [7])]


@pytest_twisted.ensureDeferred
async def test_a_slow_client_slows_its_own_sending_and_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "SLOW_CLIENT_BYTES_HIGH", 200_000)
    monkeypatch.setattr(session_module, "SLOW_CLIENT_BYTES_LOW", 50_000)
    async with Bed(tmp_path) as bed:
        gate, slow_heard, quick_heard = Deferred(), Heard(), Heard()

        async def wait(messages):
            if not gate.called:
                await gate
            slow_heard.on_deliver(messages)

        slow = (await bed.client(pid=11)).cpg()
        quick = (await bed.client(pid=12)).cpg()
        await slow.join(b"room", lambda messages: Deferred.fromCoroutine(wait(messages)))
        await quick.join(b"room", quick_heard.on_deliver)
        await quick.mcast_many([b"q" * 1000] * 600)
        await quick_heard.count(messages=600)
        late = slow.mcast(b"from the slow one")
        await turns(50)
        assert not late.called
        await quick.mcast(b"still quick")
        await quick_heard.count(messages=601)
        gate.callback(None)
        assert await late == 1
        await slow_heard.count(messages=602)
        assert slow_heard.messages[-1].data == b"from the slow one"
        assert quick_heard.messages[600].data == b"still quick"


@pytest_twisted.ensureDeferred
async def test_a_client_that_never_catches_up_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "UNSENT_DELIVERIES_BYTES_MAX", 1_000_000)
    async with Bed(tmp_path) as bed:
        stuck = await bed.client(pid=11)
        quick_heard = Heard()
        quick = (await bed.client(pid=12)).cpg()
        await stuck.cpg().join(b"room", lambda _: Deferred())
        await quick.join(b"room", quick_heard.on_deliver, quick_heard.on_confchg)
        await quick.mcast_many([b"q" * 1000] * 2000)
        await stuck.when_lost()
        await quick_heard.count(messages=2000, changes=2)
        assert quick_heard.changes[-1][1] == [(7, 11, CpgReason.PROCDOWN)]


@pytest_twisted.ensureDeferred
async def test_safe_is_passed_on(tmp_path):
    async with Bed(tmp_path) as bed:
        seen = []
        accept = bed.node.cpg_mcast

        def cpg_mcast(conn, messages, guarantee):
            seen.append(guarantee)
            accept(conn, messages, guarantee)

        bed.node.cpg_mcast = cpg_mcast
        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", lambda _: None)
        await cpg.mcast(b"x", Guarantee.SAFE)
        await cpg.mcast(b"x")
        assert seen == [Guarantee.SAFE, Guarantee.AGREED]


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_daemon_is_told(tmp_path):
    async with Bed(tmp_path) as bed:
        node = await bed.client()
        cpg = node.cpg()
        await cpg.join(b"room", lambda _: None)
        lost = node.when_lost()
        await bed.server.stop()
        await lost
        assert cpg.group is None
        with pytest.raises(DaemonLost):
            await node.status()
        with pytest.raises(NoDaemon):
            await connect(reactor, bed.path)
        assert not os.path.exists(bed.path)


@pytest_twisted.ensureDeferred
async def test_a_socket_that_a_killed_daemon_left_is_replaced_and_a_live_one_is_not(tmp_path):
    import socket

    async with Bed(tmp_path) as bed:
        with pytest.raises(CsExist, match="another daemon"):
            bed.server.listen_unix(bed.path)
        left = str(tmp_path / "left.sock")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(left)
        await bed.server.listen_unix(left)
        node = await connect(reactor, left)
        await node.disconnect()
