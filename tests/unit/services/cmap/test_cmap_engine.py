"""The version of the configuration in the map, and how the members hear of a new one."""

from corosync_tw.errors import CsTryAgain
from corosync_tw.services.cmap import wire
from corosync_tw.services.cmap.effects import ConfigVersionDiffers
from corosync_tw.services.cmap.engine import CmapEngine
from corosync_tw.services.cmap.values import TypedValue

KEY = "totem.config_version"


class Bus:
    """Keeps what is sent, unless it is full."""

    now_ns = 0

    def __init__(self):
        self.sent, self.emitted, self.full = [], [], False

    def mcast(self, slices, guarantee=None):
        if self.full:
            raise CsTryAgain
        self.sent.append(wire.decode(b"".join(slices), False))

    sync_mcast = mcast

    def emit(self, effect):
        self.emitted.append(effect)


def message(reason, version):
    kind, value = (wire.ValueType.UINT64, version) if version else (0, None)
    data = b"" if value is None else value.to_bytes(8, "little")
    return wire.CmapMcast(reason, (wire.CmapItem(KEY.encode(), kind, data),))


def test_the_map_holds_the_version_that_the_engine_was_made_with():
    engine = CmapEngine(1, 7, Bus())
    assert engine.store.get(KEY) == TypedValue.u64(7)
    assert KEY not in CmapEngine(1, 0, Bus()).store


def test_a_new_version_is_told_to_all():
    bus = Bus()
    engine = CmapEngine(1, 0, bus)
    for version in (5, 5, 6):
        engine.store.set(KEY, TypedValue.u64(version))
    engine.store.delete(KEY)
    assert bus.sent == [message(wire.McastReason.NEW_CONFIG_VERSION, v) for v in (5, 6, 0)]
    assert engine.config_version == 0


def test_a_version_of_another_type_is_none():
    bus = Bus()
    engine = CmapEngine(1, 0, bus)
    engine.store.set(KEY, TypedValue.string("7"))
    assert bus.sent == [message(wire.McastReason.NEW_CONFIG_VERSION, 0)]


def test_a_full_queue_leaves_it_to_the_next_synchronization():
    bus = Bus()
    engine = CmapEngine(1, 0, bus)
    bus.full = True
    engine.store.set(KEY, TypedValue.u64(5))
    assert not bus.sent
    bus.full = False
    assert engine.sync_process()
    assert bus.sent == [message(wire.McastReason.SYNC, 5)]


def test_the_versions_of_the_members_are_keys():
    bus, heard = Bus(), []
    engine = CmapEngine(1, 7, bus)
    engine.store.track_add("runtime.members.2.config_version", 7, lambda *c: heard.append(c[2]))
    for version in (7, 7, 8, 0):
        data = wire.encode(*message(wire.McastReason.NEW_CONFIG_VERSION, version))
        engine.on_mcast(2, 1, data, False)
    assert heard == [TypedValue.u64(v) for v in (7, 8, 0)]
    assert engine.config_versions == {2: 0}
    assert bus.emitted == [ConfigVersionDiffers(2, version=8, ours=7)]


def test_clients_may_not_change_what_the_daemon_reads_at_its_start():
    store = CmapEngine(1, 0, Bus()).store
    for key in ("totem.version", "nodelist.node.0.nodeid", "system.x", "runtime.services.x"):
        assert store.is_readonly(key)
    for key in ("totem.token", "totem.config_version", "runtime.blackbox.dump_state", "uidgid.x"):
        assert not store.is_readonly(key)
