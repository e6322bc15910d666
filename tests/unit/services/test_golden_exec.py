"""Every executive message of a captured stock ring: decoded, and encoded to the same bytes."""

from collections import Counter

from corosync_tw.services.cmap import wire as cmap
from corosync_tw.services.cpg import wire as cpg
from corosync_tw.services.exec_wire import EXEC_GROUP, SYNC_GROUP, decode_id
from corosync_tw.services.sync import wire as sync
from corosync_tw.services.votequorum import wire as votequorum
from corosync_tw.totem import wire
from corosync_tw.totem.pg_assembly import Assembler, PgMessage
from corosync_tw.totem.runs import DeliveredFrame
from tests.unit.totem import capture

PLAIN = 2


def messages() -> list[PgMessage]:
    """All messages of the ring, each once, in order."""
    frames = {}
    for frame in capture.frames():
        mcast = wire.decode(frame)
        if isinstance(mcast, wire.Mcast) and mcast.encapsulated == PLAIN:
            frames.setdefault((mcast.ring_id.seq, mcast.ring_id, mcast.seq), mcast)
    assembler = Assembler()
    found: list[PgMessage] = []
    for key in sorted(frames):
        mcast = frames[key]
        assembler.unpack(DeliveredFrame(mcast.nodeid, mcast.seq, mcast.payload, False), found)
    return found


def of(group: bytes, number: int) -> list[bytes]:
    return [
        bytes(m.data)
        for m in messages()
        if m.group == group and decode_id(m.data, m.big_endian) == number
    ]


def test_the_capture_has_these_messages():
    kinds = Counter((m.group, decode_id(m.data, m.big_endian)) for m in messages())
    assert kinds == {
        (SYNC_GROUP, sync.SERVICE_BUILD_ID): 7,
        (SYNC_GROUP, sync.BARRIER_ID): 28,
        (EXEC_GROUP, cmap.MCAST_ID): 7,
        (EXEC_GROUP, cpg.DOWNLIST_ID): 7,
        (EXEC_GROUP, cpg.PROCJOIN_ID): 1,
        (EXEC_GROUP, cpg.MCAST_ID): 2,
        (EXEC_GROUP, cpg.PARTIAL_MCAST_ID): 1,
        (EXEC_GROUP, votequorum.NODEINFO_ID): 17,
    }


def test_stock_synchronizes_cmap_cpg_quorum_votequorum():
    for data in of(SYNC_GROUP, sync.SERVICE_BUILD_ID):
        build = sync.decode(data, False)
        assert isinstance(build, sync.ServiceBuild)
        assert build.services == (0, 2, 3, 5)
        assert sync.encode_service_build(build.ring_id, build.services) == data
    for data in of(SYNC_GROUP, sync.BARRIER_ID):
        barrier = sync.decode(data, False)
        assert isinstance(barrier, sync.Barrier)
        assert sync.encode_barrier(barrier.ring_id) == data


def test_stock_tells_that_it_has_no_config_version():
    for data in of(EXEC_GROUP, cmap.MCAST_ID):
        message = cmap.decode(data, False)
        item = cmap.CmapItem(b"totem.config_version", cmap.ValueType.NOT_EXIST, b"")
        assert message == (cmap.McastReason.SYNC, (item,))
        assert cmap.encode(cmap.McastReason.SYNC, message.items) == data


def test_cpg_messages():
    for data in of(EXEC_GROUP, cpg.DOWNLIST_ID):
        downlist = cpg.decode_downlist(data, False)
        assert cpg.encode_downlist(*downlist) == data
    for data in of(EXEC_GROUP, cpg.PROCJOIN_ID):
        join = cpg.decode_procjoin(data, False)
        assert cpg.encode_procjoin(cpg.PROCJOIN_ID, *join) == data
    for data in of(EXEC_GROUP, cpg.MCAST_ID):
        mcast = cpg.decode_mcast(data, False)
        nodeid, conn = cpg.MCAST.little.unpack_from(data)[-2:]
        head = cpg.encode_mcast(mcast.group, mcast.pid, nodeid, conn, len(mcast.data))
        assert head + mcast.data == data
    for data in of(EXEC_GROUP, cpg.PARTIAL_MCAST_ID):
        part = cpg.decode_partial_mcast(data, False)
        assert part.kind == cpg.PartialType.FIRST
        assert 0 < len(part.data) < part.msglen
        nodeid = cpg.PARTIAL_MCAST.little.unpack_from(data)[-2]
        head = cpg.encode_partial_mcast(
            part.group,
            part.pid,
            (nodeid, part.conn),
            (part.msglen, len(part.data)),
            cpg.PartialType.FIRST,
        )
        # The sender did not clear its padding: compare what has a meaning.
        assert cpg.PARTIAL_MCAST.little.unpack(head) == cpg.PARTIAL_MCAST.little.unpack_from(data)


def test_a_node_tells_its_votes_before_the_quorum_device_s():
    told: dict[int, list[int]] = {}
    for message in messages():
        if message.group == EXEC_GROUP and decode_id(message.data, False) == votequorum.NODEINFO_ID:
            info = votequorum.decode_nodeinfo(message.data, False)
            assert votequorum.encode_nodeinfo(info) == message.data
            assert info.nodeid in {0, message.nodeid}
            told.setdefault(message.nodeid, []).append(info.nodeid)
    assert all(order[0] != 0 for order in told.values())
