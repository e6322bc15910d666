"""The stats map of a node in a ring in memory."""

from dataclasses import dataclass

import pytest

from corosync_tw.corotypes import Guarantee
from corosync_tw.errors import CsNotExist, CsNotSupported
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.lib_interfaces import ClientStats
from corosync_tw.services.stats.stats_map import StatsMap
from tests.unit.services.memory_ring import MemoryRing

ONE = TypedValue.u32(1)


@dataclass
class Transport:
    tx_frames: int = 7


class Client:
    def __init__(self, conn, pid):
        self.conn, self.pid, self.procname = conn, pid, f"program {pid}"
        self.stats = ClientStats(requests=5, queued=2, flow_control=2)


class Server:
    def __init__(self):
        self.active, self.closed = 0, 0
        self.connected = []

    @property
    def version(self):
        return len(self.connected) and sum(id(client) for _, client in self.connected)

    def clients(self):
        return self.connected

    def clear_stats(self):
        self.closed = 0


class Bed:
    def __init__(self):
        self.ring = MemoryRing((1, 2, 3))
        self.ring.form()
        self.stack = self.ring.nodes[1]
        self.server = Server()
        self.transport = Transport()
        self.map = StatsMap(self.stack, self.server, lambda: self.ring.now_ns, self.transport)

    def value(self, key):
        return self.map.get(key).value


@pytest.fixture
def bed():
    return Bed()


def test_names_and_types_are_those_of_stock(bed):
    kinds = {key: bed.map.get(key).kind for key in bed.map.keys("stats.srp.")}
    assert len(kinds) == 30
    u32 = {"continuous_gather", "continuous_sendmsg_failures", "mtt_rx_token"}
    u32 |= {"avg_token_workload", "avg_backlog_calc"}
    for key, kind in kinds.items():
        name = key.removeprefix("stats.srp.")
        if name == "firewall_enabled_or_nic_failure":
            assert kind is ValueType.UINT8
        else:
            assert kind is (ValueType.UINT32 if name in u32 else ValueType.UINT64), name
    assert bed.map.keys("stats.pg.") == ["stats.pg.msg_queue_avail", "stats.pg.msg_reserved"]


def test_values_are_live(bed):
    before = bed.value("stats.srp.orf_token_rx")
    bed.ring.run_for(2000)
    assert bed.value("stats.srp.orf_token_rx") > before
    entered = bed.stack.srp.stats.operational_entered
    assert bed.value("stats.srp.operational_entered") == entered
    assert bed.value("stats.srp.time_since_token_last_received") < 1000
    bed.ring.run_for(100)
    assert bed.value("stats.corosync_tw.token_rotation.count") > 10
    assert 1 <= bed.value("stats.corosync_tw.sync_time.count") <= entered
    assert bed.value("stats.corosync_tw.transport.tx_frames") == 7


def test_delivery_is_timed_one_message_at_a_time(bed):
    bed.stack.cpg_join(1, b"g", 1)
    bed.ring.run_until(lambda: bed.stack.cpg_membership(b"g"))
    first = bed.value("stats.corosync_tw.delivery_latency.count")
    assert first >= 1
    for _ in range(5):
        bed.stack.cpg_mcast(1, [(b"x",)] * 10, Guarantee.AGREED, bed.ring.now_ns)
        bed.ring.run_for(20)
    assert bed.value("stats.corosync_tw.delivery_latency.count") == first + 5
    # Two hops, unless the token is held.
    assert bed.value("stats.corosync_tw.delivery_latency.max_us") <= 600_000


def test_connections(bed):
    assert bed.map.keys("stats.ipcs.") == ["stats.ipcs.global.active", "stats.ipcs.global.closed"]
    bed.server.connected = [(2, Client(17, 4711)), (0, Client(18, 4711))]
    bed.server.active, bed.server.closed = 2, 9
    prefix = "stats.ipcs.service2.4711.0x11."
    values = {
        key.removeprefix(prefix): (bed.map.get(key).kind.name, bed.value(key))
        for key in bed.map.keys(prefix)
    }
    assert values == {
        "dispatched": ("UINT64", 0),
        "flow_control": ("UINT32", 2),
        "flow_control_count": ("UINT64", 0),
        "invalid_request": ("UINT64", 0),
        "overload": ("UINT64", 0),
        "procname": ("STRING", "program 4711"),
        "queued": ("UINT32", 2),
        "queueing": ("INT32", 1),
        "recv_retries": ("UINT64", 0),
        "requests": ("UINT64", 5),
        "responses": ("UINT64", 0),
        "send_retries": ("UINT64", 0),
        "sent": ("UINT32", 0),
    }
    bed.server.connected = []
    with pytest.raises(CsNotExist):
        bed.map.get(f"{prefix}sent")


def test_scheduling_misses(bed):
    for number in range(12):
        bed.map.schedmiss.add(1000 + number, number + 0.5)
    keys = bed.map.keys("stats.schedmiss.")
    assert len(keys) == 20
    assert bed.map.get("stats.schedmiss.0.delay") == (ValueType.FLOAT, 11.5)
    assert bed.map.get("stats.schedmiss.9.timestamp") == (ValueType.UINT64, 1002)
    bed.map.set("stats.clear.schedmiss", ONE)
    assert bed.map.keys("stats.schedmiss.") == []


def test_nothing_can_be_changed(bed):
    key = "stats.srp.mcast_rx"
    assert bed.map.is_readonly(key)
    assert not bed.map.is_readonly("stats.clear.totem")
    for change in (
        lambda: bed.map.set(key, ONE),
        lambda: bed.map.adjust(key, 1),
        lambda: bed.map.delete(key),
    ):
        with pytest.raises(CsNotSupported):
            change()


def test_clearing(bed):
    bed.ring.run_for(2000)
    received_ns = bed.stack.srp.stats.token_last_received_ns
    bed.server.closed = 4
    bed.map.set("stats.clear.totem", ONE)
    assert bed.value("stats.srp.orf_token_rx") == 0
    assert bed.value("stats.corosync_tw.token_rotation.count") == 0
    assert bed.stack.srp.stats.token_last_received_ns == received_ns
    assert bed.value("stats.ipcs.global.closed") == 4
    bed.map.set("stats.clear.all", ONE)
    assert bed.value("stats.ipcs.global.closed") == 0
    assert bed.value("stats.corosync_tw.transport.tx_frames") == 0


def test_trackers_are_polled(bed):
    told = []

    def note(event, key, new, old):
        told.append((event, key))

    bed.map.track_add("stats.srp.orf_token_rx", Track.MODIFY, note)
    everything = Track.PREFIX | Track.ADD | Track.DELETE | Track.MODIFY
    bed.map.track_add("stats.ipcs.", everything, note)
    with pytest.raises(CsNotSupported):
        bed.map.track_add("stats.ipcs.", Track.PREFIX | Track.ADD, note)
    bed.ring.run_for(2000)
    assert told == []
    bed.server.connected = [(2, Client(17, 4711))]
    bed.map.poll_providers()
    assert told.count((Track.MODIFY, "stats.srp.orf_token_rx")) == 1
    assert sum(event is Track.ADD for event, _ in told) == 13
    bed.server.connected[0][1].stats.requests += 1
    told.clear()
    bed.map.poll_providers()
    assert told == []


def test_a_client_that_comes_and_goes_at_once_is_told_of(bed):
    told = []
    bed.map.track_add(
        "stats.ipcs.",
        Track.PREFIX | Track.ADD | Track.DELETE,
        lambda event, key, new, old: told.append((event, key, (new or old).value)),
    )
    client = Client(9, 77)
    bed.server.connected.append((2, client))
    bed.map.connection(2, client, True)
    bed.server.connected.clear()
    bed.map.connection(2, client, False)
    bed.map.poll_providers()
    names = [(event, value) for event, key, value in told if key.endswith("77.0x9.procname")]
    assert names == [(Track.ADD, "program 77"), (Track.DELETE, "program 77")]
    assert len(told) == 26
