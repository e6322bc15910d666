"""cmap, cfg, quorum and votes for Perspective Broker clients, over a real stack of one node."""

import pytest
import pytest_twisted
from twisted.internet import reactor

from corosync_tw.corotypes import RingId
from corosync_tw.errors import (
    CsAccess,
    CsBadHandle,
    CsBusy,
    CsInvalidParam,
    CsMessageError,
    CsNameTooLong,
    CsNotExist,
    CsNotSupported,
)
from corosync_tw.ipc.pb.cfg import CfgHub
from corosync_tw.ipc.pb.cmap import PAGE_KEYS_MAX, CmapHub
from corosync_tw.ipc.pb.quorum import QuorumHub
from corosync_tw.ipc.pb.votequorum import VotequorumHub
from corosync_tw.services.cfg.effects import ReloadRequested, ReopenLogs
from corosync_tw.services.cfg.facts import Interface, NodeState
from corosync_tw.services.cmap.session import CmapSessions, MapId
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.effects import FatalError
from corosync_tw.services.votequorum.params import DeviceParams
from tests.unit.ipc.lone_stack import LoneStack
from tests.unit.ipc.serving import Bed, raises_remote, turns


class Facts:
    """A node with one link."""

    def interfaces(self):
        return [Interface(0, "192.0.2.1", "OK")]

    def node_addresses(self, nodeid):
        return ["192.0.2.1"] if nodeid == 1 else []

    def node_state(self, nodeid):
        return NodeState(nodeid == 1)

    def shutdown_timeout_ms(self):
        return 5000


class Office:
    """
    Every hub, and clients.

    :ivar icmap: the map behind the hub of cmap; likewise ``stats``.
    """

    def __init__(self, tmp_path, **services):
        self.node = LoneStack(**services)
        self.icmap, self.stats = CmapStore(), CmapStore()
        stack = self.node.stack
        hubs = [
            CmapHub(CmapSessions({MapId.ICMAP: self.icmap, MapId.STATS: self.stats})),
            CfgHub(stack, self.node, Facts()),
            QuorumHub(stack.quorum),
        ]
        if stack.votequorum is not None:
            hubs.append(VotequorumHub(stack.votequorum, self.node))
        for hub in hubs:
            self.node.route(hub)
        self._bed = Bed(tmp_path, self.node.local, hubs)
        self.client = self._bed.client

    async def __aenter__(self):
        await self._bed.__aenter__()
        return self

    async def __aexit__(self, *failure):
        await self._bed.__aexit__(*failure)


VALUES = [
    TypedValue(ValueType.INT8, -128),
    TypedValue(ValueType.UINT64, 2**64 - 1),
    TypedValue(ValueType.INT64, -(2**63)),
    TypedValue(ValueType.DOUBLE, 0.1),
    TypedValue(ValueType.STRING, "käse"),
    TypedValue(ValueType.STRING, b"\xff\xfe".decode("utf-8", "surrogateescape")),
    TypedValue(ValueType.BINARY, bytes(range(256))),
]


@pytest_twisted.ensureDeferred
async def test_values_of_every_kind_come_back_as_they_were(tmp_path):
    async with Office(tmp_path) as office:
        icmap = (await office.client()).cmap()
        for at, value in enumerate(VALUES):
            await icmap.set(f"test.{at}", value)
            assert await icmap.get(f"test.{at}") == value
            assert office.icmap.get(f"test.{at}") == value
        await icmap.adjust("test.1", 1)
        assert (await icmap.get("test.1")).value == 0
        await icmap.delete("test.0")
        with raises_remote(CsNotExist):
            await icmap.get("test.0")


@pytest_twisted.ensureDeferred
async def test_a_map_is_listed_whole_however_long_it_is(tmp_path):
    async with Office(tmp_path) as office:
        node = await office.client()
        for at in range(2 * PAGE_KEYS_MAX + 3):
            office.icmap.set(f"many.{at:04}", TypedValue.u32(at))
        office.icmap.set("large.0", TypedValue.string("x" * 16000))
        office.stats.set("stats.one", TypedValue.u8(1))
        many = await node.cmap().items("many.")
        assert list(many) == office.icmap.keys("many.")
        assert [value.value for value in many.values()] == list(range(2 * PAGE_KEYS_MAX + 3))
        assert await node.stats().items() == {"stats.one": TypedValue.u8(1)}
        assert len(await node.cmap().items()) == len(many) + 1


@pytest_twisted.ensureDeferred
async def test_changes_are_told_until_the_tracker_is_taken_away(tmp_path):
    async with Office(tmp_path) as office:
        icmap = (await office.client()).cmap()
        seen = []
        handle = await icmap.track("test.", seen.append)
        office.icmap.set("test.key", TypedValue.u8(1))
        office.icmap.set("test.key", TypedValue.string("two"))
        office.icmap.set("other.key", TypedValue.u8(1))
        office.icmap.delete("test.key")
        await turns()
        assert seen == [
            (Track.ADD, "test.key", TypedValue.u8(1), None),
            (Track.MODIFY, "test.key", TypedValue.string("two"), TypedValue.u8(1)),
            (Track.DELETE, "test.key", None, TypedValue.string("two")),
        ]
        await icmap.untrack(handle)
        office.icmap.set("test.key", TypedValue.u8(1))
        await turns()
        assert len(seen) == 3
        with raises_remote(CsBadHandle):
            await icmap.untrack(handle)


@pytest_twisted.ensureDeferred
async def test_trackers_and_iterators_end_with_their_client(tmp_path):
    async with Office(tmp_path) as office:
        client = await office.client()
        await client.cmap().track("test.", lambda change: None)
        await client.call("cmap_list", "", 0)
        await client.disconnect()
        await turns()
        sessions = office._bed.server._hubs[0]._sessions
        assert (sessions.trackers, sessions.iterators) == (0, 0)


HOSTILE = [
    ("cmap_get", (5,), CsInvalidParam),
    ("cmap_get", ("no.such.key", 7), CsInvalidParam),
    ("cmap_get", ("no.such.key", "0"), CsInvalidParam),
    ("cmap_set", ("key.a", 99, 1), CsInvalidParam),
    ("cmap_set", ("key.a", 2, "text"), CsInvalidParam),
    ("cmap_set", ("key.a", 2, True), CsInvalidParam),
    ("cmap_set", ("key.a", 2, 256), CsInvalidParam),
    ("cmap_set", ("no blanks", 2, 1), CsNameTooLong),
    ("cmap_set", ("system.key", 2, 1), CsAccess),
    ("cmap_adjust", ("no.such.key", 2**31), CsInvalidParam),
    ("cmap_next", (12,), CsBadHandle),
    ("cmap_track", ("key.", 512), CsInvalidParam),
    ("cfg_kill_node", (2, "gone"), CsNotExist),
    ("cfg_kill_node", ("1", "x"), CsInvalidParam),
    ("cfg_kill_node", (1, "x" * 300), CsInvalidParam),
    ("cfg_node_addresses", (9,), CsNotExist),
    ("cfg_try_shutdown", (-1,), CsInvalidParam),
    ("cfg_reply_to_shutdown", (True,), CsAccess),
    ("votequorum_getinfo", (9,), CsNotExist),
    ("votequorum_set_expected", (-1,), CsInvalidParam),
    ("votequorum_untrack", (), CsNotExist),
    ("votequorum_qdevice_register", ("text",), CsInvalidParam),
    ("votequorum_qdevice_poll", (b"dev", True, [1]), CsInvalidParam),
]


@pytest.mark.parametrize(("method", "arguments", "error"), HOSTILE)
@pytest_twisted.ensureDeferred
async def test_wrong_requests_get_their_own_errors(tmp_path, method, arguments, error):
    async with Office(tmp_path) as office:
        office.icmap.set_readonly("system.", prefix=True)
        client = await office.client()
        with raises_remote(error):
            await client.call(method, *arguments)
        await client.status()


@pytest_twisted.ensureDeferred
async def test_a_node_tells_of_its_links_and_nodes(tmp_path):
    async with Office(tmp_path) as office:
        cfg = (await office.client()).cfg()
        assert await cfg.links() == [[0, "192.0.2.1", "OK"]]
        assert await cfg.node_addresses(1) == ["192.0.2.1"]
        assert (await cfg.node_status(1))["reachable"] is True
        assert (await cfg.node_status(2))["reachable"] is False


@pytest_twisted.ensureDeferred
async def test_a_shutdown_waits_for_the_opinion_of_those_who_track(tmp_path):
    async with Office(tmp_path) as office:
        asking, asked = (await office.client(1)).cfg(), (await office.client(2)).cfg()
        flags = []
        await asked.track(flags.append)
        refused = asking.try_shutdown()
        await turns()
        await asked.reply_to_shutdown(yes=False)
        with raises_remote(CsBusy):
            await refused
        granted = asking.try_shutdown()
        await turns()
        await asked.reply_to_shutdown(yes=True)
        await granted
        await turns()
        assert flags == [0, 0]
        assert any(isinstance(effect, FatalError) for effect in office.node.effects)


@pytest_twisted.ensureDeferred
async def test_a_reload_is_answered_with_what_came_of_it(tmp_path):
    async with Office(tmp_path) as office:
        cfg = (await office.client()).cfg()
        for error in (1, CsInvalidParam.code):
            done = cfg.reload()
            await turns()
            assert any(isinstance(effect, ReloadRequested) for effect in office.node.effects)
            office.node.stack.cfg.reload_done(error)
            office.node.pump()
            if error == 1:
                await done
            else:
                with raises_remote(CsInvalidParam):
                    await done


@pytest_twisted.ensureDeferred
async def test_logs_were_reopened_when_it_is_said(tmp_path):
    async with Office(tmp_path) as office:
        cfg = (await office.client()).cfg()
        for error in (1, CsAccess.code):
            done = cfg.reopen_logs()
            await turns()
            assert not done.called
            asked = [one for one in office.node.effects if isinstance(one, ReopenLogs)]
            office.node.stack.cfg.reopen_done(asked[-1].conn, error)
            office.node.pump()
            if error == 1:
                await done
            else:
                with raises_remote(CsAccess):
                    await done


@pytest_twisted.ensureDeferred
async def test_quorum_is_told_with_its_votes(tmp_path):
    async with Office(tmp_path, votes=3, expected_votes=5) as office:
        node = await office.client()
        states, votes, expected = [], [], []
        state = await node.quorum().track(states.append)
        assert (state.quorate, state.ring_id, state.members) == (
            True,
            office.node.stack.ring_id,
            [1],
        )
        votequorum = node.votequorum()
        info = await votequorum.getinfo()
        assert (info["votes"], info["expected_votes"], info["quorum"]) == (3, 5, 3)
        await votequorum.track(lambda *news: votes.append(news), expected.append)
        await votequorum.set_expected(4)
        await turns()
        assert votes[0] == (True, [[1, 1]])
        assert expected == [4]
        await votequorum.untrack()
        await node.quorum().untrack()


@pytest_twisted.ensureDeferred
async def test_a_quorum_device_registers_polls_and_goes(tmp_path):
    device = DeviceParams(votes=1)
    async with Office(tmp_path, votes=1, expected_votes=2, device=device) as office:
        votequorum = (await office.client()).votequorum()
        assert not office.node.stack.quorate
        await votequorum.qdevice_register(b"disk")
        with raises_remote(CsMessageError):
            await votequorum.qdevice_poll(b"disk", RingId(1, 0), cast_vote=True)
        ring_id = office.node.stack.votequorum.ring_id
        await votequorum.qdevice_poll(b"disk", ring_id, cast_vote=True)
        await turns()
        await votequorum.qdevice_unregister(b"disk")
        with raises_remote(CsNotExist):
            await votequorum.qdevice_update(b"disk", b"other")


@pytest_twisted.ensureDeferred
async def test_without_votequorum_its_calls_say_so(tmp_path):
    async with Office(tmp_path, votequorum=False) as office:
        node = await office.client()
        with raises_remote(CsNotSupported):
            await node.votequorum().getinfo()
        assert (await node.quorum().get()).quorate
        assert reactor.running
