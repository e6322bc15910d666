"""Executive messages have the offsets and sizes that a C compiler gave Corosync's structures."""

from struct import Struct

import pytest

from corosync_tw.corotypes import CPG_MAX_NAME_LENGTH, PROCESSOR_COUNT_MAX, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.services import exec_wire
from corosync_tw.services.cfg import wire as cfg
from corosync_tw.services.cmap import wire as cmap
from corosync_tw.services.cpg import wire as cpg
from corosync_tw.services.sync import wire as sync
from corosync_tw.services.votequorum import wire as votequorum
from tests.unit.totem import capture

SUBSTRUCTURE = {
    "header": "qb_ipc_request_header",
    "group_name": "mar_cpg_name_t",
    "ring_id": "memb_ring_id",
    "source": "mar_message_source_t",
    "key_name": "mar_name_t",
}
HEADER = ["header.id", "header.size"]
NAME = ["group_name.length", "group_name.value[CPG_MAX_NAME_LENGTH]"]
SOURCE = ["source.nodeid", "source.conn"]
RING = ["ring_id.rep", "ring_id.seq"]
QDEVICE = "[VOTEQUORUM_QDEVICE_MAX_NAME_LEN]"

# C structure -> our layout, our length (of the fixed part), what each of our fields is in C
MESSAGES = {
    "req_exec_barrier_message": (sync.BARRIER, sync.BARRIER_LEN, [*HEADER, *RING]),
    "req_exec_service_build_message": (
        sync.BUILD,
        sync.SERVICE_BUILD_LEN,
        [*HEADER, *RING, "service_list_entries"],
    ),
    "req_exec_cpg_procjoin": (cpg.PROCJOIN, cpg.PROCJOIN_LEN, [*HEADER, *NAME, "pid", "reason"]),
    "req_exec_cpg_mcast": (
        cpg.MCAST,
        cpg.MCAST_LEN,
        [*HEADER, *NAME, "msglen", "pid", *SOURCE],
    ),
    "req_exec_cpg_partial_mcast": (
        cpg.PARTIAL_MCAST,
        cpg.PARTIAL_MCAST_LEN,
        [*HEADER, *NAME, "msglen", "fraglen", "pid", "type", *SOURCE],
    ),
    "req_exec_cpg_downlist": (
        cpg.DOWNLIST,
        cpg.DOWNLIST_LEN,
        [*HEADER, "old_members", "left_nodes"],
    ),
    "join_list_entry": (cpg.JOINLIST_ENTRY, cpg.JOINLIST_ENTRY_LEN, ["pid", *NAME]),
    "req_exec_quorum_nodeinfo": (
        votequorum.NODEINFO,
        votequorum.NODEINFO_LEN,
        [*HEADER, "nodeid", "votes", "expected_votes", "flags"],
    ),
    "req_exec_quorum_reconfigure": (
        votequorum.RECONFIGURE,
        votequorum.RECONFIGURE_LEN,
        [*HEADER, "nodeid", "value", "param"],
    ),
    "req_exec_quorum_qdevice_reg": (
        votequorum.QDEVICE_REG,
        votequorum.QDEVICE_REG_LEN,
        [*HEADER, "operation", "qdevice_name" + QDEVICE],
    ),
    "req_exec_quorum_qdevice_reconfigure": (
        votequorum.QDEVICE_RECONFIGURE,
        votequorum.QDEVICE_RECONFIGURE_LEN,
        [*HEADER, "oldname" + QDEVICE, "newname" + QDEVICE],
    ),
    "req_exec_cmap_mcast": (cmap.MCAST, cmap.MCAST_LEN, [*HEADER, "reason", "no_items"]),
    "req_exec_cfg_killnode": (cfg._KILLNODE, cfg.KILLNODE_LEN, [*HEADER, "nodeid"]),
    "req_exec_cfg_crypto_reconfig": (
        cfg.CRYPTO_RECONFIG,
        cfg.CRYPTO_RECONFIG_LEN,
        [*HEADER, "phase"],
    ),
    "mar_name_t": (exec_wire.NAME, exec_wire.NAME_LEN, ["length", "value[CS_MAX_NAME_LENGTH]"]),
    "qb_ipc_request_header": (exec_wire.HEADER, exec_wire.HEADER_LEN, ["id", "size"]),
    "qb_ipc_response_header": (
        exec_wire.RESPONSE_HEADER,
        exec_wire.RESPONSE_HEADER_LEN,
        ["id", "size"],
    ),
}
# Single offsets that are not fields of a layout.
OFFSETS = [
    ("req_exec_service_build_message", "service_list[128]", sync._BUILD_LIST_OFFSET),
    ("req_exec_cpg_downlist", "nodeids[PROCESSOR_COUNT_MAX]", cpg._DOWNLIST_NODES_OFFSET),
    ("req_exec_cpg_mcast", "message[]", cpg.MCAST_LEN),
    ("req_exec_cpg_partial_mcast", "message[]", cpg.PARTIAL_MCAST_LEN),
    ("req_exec_cmap_mcast_item", "value_type", cmap._ITEM_TAIL_OFFSET),
    ("req_exec_cmap_mcast_item", "value[]", cmap.ITEM_LEN),
    ("req_exec_cfg_killnode", "reason", cfg._KILLNODE_REASON_OFFSET),
]
LENGTHS = [
    ("req_exec_cmap_mcast_item", cmap.ITEM_LEN),
    ("req_exec_cfg_reload_config", cfg.RELOAD_LEN),
    ("req_exec_cfg_shutdown", exec_wire.HEADER_LEN),
]


def offsets(layout: Struct) -> list[int]:
    """Find where each field begins, by making it the only one that is not zero."""
    count = len(layout.unpack(bytes(layout.size)))
    found = []
    for i in range(count):
        for one in (b"\1", 1):
            blank = [b"" if isinstance(v, bytes) else 0 for v in layout.unpack(bytes(layout.size))]
            if isinstance(blank[i], bytes) is isinstance(one, bytes):
                blank[i] = one
                found.append(next(at for at, byte in enumerate(layout.pack(*blank)) if byte))
    return found


def stock_offset(structure: str, field: str) -> int:
    table = capture.layouts()
    outer, _, inner = field.partition(".")
    offset = table[structure][outer][0]
    if inner:
        offset += table[SUBSTRUCTURE[outer]][inner][0]
    return offset


@pytest.mark.parametrize("structure", MESSAGES)
def test_fields_are_where_a_c_compiler_puts_them(structure):
    layout, length, fields = MESSAGES[structure]
    assert capture.layouts()[structure][""][1] == length
    assert offsets(layout.little) == [stock_offset(structure, field) for field in fields]
    assert layout.little.size == layout.big.size <= length


@pytest.mark.parametrize(("structure", "field", "ours"), OFFSETS)
def test_tails_begin_where_a_c_compiler_puts_them(structure, field, ours):
    assert stock_offset(structure, field) == ours


@pytest.mark.parametrize(("structure", "length"), LENGTHS)
def test_lengths(structure, length):
    assert capture.layouts()[structure][""][1] == length


def test_limits_are_those_of_the_arrays():
    table = capture.layouts()
    assert table["req_exec_cpg_downlist"]["nodeids[PROCESSOR_COUNT_MAX]"][1] == (
        4 * PROCESSOR_COUNT_MAX
    )
    assert table["mar_cpg_name_t"]["value[CPG_MAX_NAME_LENGTH]"][1] == CPG_MAX_NAME_LENGTH
    assert table["req_exec_service_build_message"]["service_list[128]"][1] == (
        4 * sync.SERVICE_LIST_MAX
    )


GROUP = b"a group"
RING_ID = RingId(0xA1B2C3D4, 0x1122334455667788)
U32 = 0xFEDCBA98


def in_order(order, fields):
    return getattr(fields[0], order).pack(*fields[1:])


# decoder, and the same message as layout and values; {big} stands for a tail in either order
BOTH = [
    (sync.decode, (sync.BARRIER, 0, 32, *RING_ID), lambda _o: b""),
    (
        sync.decode,
        (sync.BUILD, 1, 552, *RING_ID, 3),
        lambda o: Struct(f"{o}128i").pack(0, 2, 70, *[0] * 125),
    ),
    (cpg.decode_procjoin, (cpg.PROCJOIN, 0x20000, 168, 7, GROUP, U32, 5), lambda _o: b""),
    (cpg.decode_mcast, (cpg.MCAST, 0x20003, 187, 7, GROUP, 3, U32, 1, 1 << 60), lambda _o: b"abc"),
    (
        cpg.decode_partial_mcast,
        (cpg.PARTIAL_MCAST, 0x20006, 203, 7, GROUP, U32, 3, 77, 2, 1, 1 << 60),
        lambda _o: b"abc",
    ),
    (
        cpg.decode_downlist,
        (cpg.DOWNLIST, 0x20005, 1568, 3, 2),
        lambda o: Struct(f"{o}384I").pack(5, U32, *[0] * 382),
    ),
    (
        cpg.decode_joinlist,
        (exec_wire.RESPONSE_HEADER, 0x20002, 24 + 144),
        lambda o: getattr(cpg.JOINLIST_ENTRY, {"<": "little", ">": "big"}[o]).pack(U32, 7, GROUP),
    ),
    (votequorum.decode_nodeinfo, (votequorum.NODEINFO, 0x50000, 32, U32, 2, 3, 4), lambda _o: b""),
    (
        votequorum.decode_reconfigure,
        (votequorum.RECONFIGURE, 0x50001, 32, U32, 9, 2),
        lambda _o: b"",
    ),
    (
        votequorum.decode_qdevice_reg,
        (votequorum.QDEVICE_REG, 0x50002, 280, 1, b"disk"),
        lambda _o: b"",
    ),
    (
        votequorum.decode_qdevice_reconfigure,
        (votequorum.QDEVICE_RECONFIGURE, 0x50003, 528, b"old", b"new"),
        lambda _o: b"",
    ),
    (
        cfg.decode_killnode,
        (cfg._KILLNODE, 0x10001, 288, U32),
        lambda o: getattr(exec_wire.NAME, {"<": "little", ">": "big"}[o]).pack(3, b"why"),
    ),
]


@pytest.mark.parametrize(
    ("decode", "fields", "tail"), BOTH, ids=lambda v: getattr(v, "__name__", "")
)
def test_both_byte_orders_mean_the_same_and_every_cut_is_refused(decode, fields, tail):
    little = in_order("little", fields) + tail("<")
    big = in_order("big", fields) + tail(">")
    assert little != big or decode is votequorum.decode_qdevice_reconfigure
    assert decode(little, False) == decode(big, True)
    assert decode(memoryview(little), False) == decode(little, False)
    for cut in (0, 1, 15, 16, len(little) // 2):
        with pytest.raises(MalformedFrame):
            decode(little[:cut], False)


def test_what_we_encode_is_what_we_decode():
    assert sync.decode(sync.encode_barrier(RING_ID), False).ring_id == RING_ID
    assert sync.decode(sync.encode_service_build(RING_ID, (0, 2, 3)), False).services == (0, 2, 3)
    join = cpg.encode_procjoin(cpg.PROCJOIN_ID, GROUP, 12, 1)
    assert cpg.decode_procjoin(join, False) == (GROUP, 12, 1)
    head = cpg.encode_mcast(GROUP, 12, 1, 99, 3)
    assert cpg.decode_mcast(head + b"abc", False) == (GROUP, 12, b"abc")
    part = cpg.encode_partial_mcast(GROUP, 12, (1, 99), (100, 3), cpg.PartialType.LAST)
    assert cpg.decode_partial_mcast(part + b"abc", False) == (GROUP, 100, 12, 3, 99, b"abc")
    assert cpg.decode_downlist(cpg.encode_downlist(3, (2, 5)), False) == (3, (2, 5))
    entries = [(1, b"x"), (2, b"y" * 128)]
    assert cpg.decode_joinlist(cpg.encode_joinlist(entries), False) == entries
    info = votequorum.NodeInfo(1, 2, 3, 4)
    assert votequorum.decode_nodeinfo(votequorum.encode_nodeinfo(info), False) == info
    change = votequorum.Reconfigure(1, 2, 3)
    assert votequorum.decode_reconfigure(votequorum.encode_reconfigure(change), False) == change
    kill = cfg.KillNode(3, b"because")
    assert cfg.decode_killnode(cfg.encode_killnode(kill), False) == kill


@pytest.mark.parametrize("value", [b"", b"1", b"12345678", b"123456789"])
def test_cmap_values_are_padded_to_eight(value):
    items = (cmap.CmapItem(b"a.key", cmap.ValueType.BINARY, value), cmap.CmapItem(b"b", 0, b""))
    encoded = cmap.encode(cmap.McastReason.SYNC, items)
    assert len(encoded) % 8 == 0
    assert cmap.decode(encoded, False) == (cmap.McastReason.SYNC, items)


def test_claims_beyond_the_message_are_refused():
    claims = [
        (sync.decode, sync.BUILD.little.pack(1, 552, 1, 1, 129).ljust(552, b"\0")),
        (sync.decode, sync.BUILD.little.pack(1, 552, 1, 1, -1).ljust(552, b"\0")),
        (sync.decode, exec_wire.HEADER.little.pack(2, 16).ljust(552, b"\0")),
        (cpg.decode_procjoin, cpg.PROCJOIN.little.pack(0x20000, 168, 129, GROUP, 1, 1)),
        (cpg.decode_mcast, cpg.MCAST.little.pack(0x20003, 0, 129, GROUP, 0, 1, 1, 1)),
        (cpg.decode_mcast, cpg.MCAST.little.pack(0x20003, 0, 7, GROUP, 1, 1, 1, 1)),
        (cpg.decode_downlist, cpg.DOWNLIST.little.pack(0x20005, 0, 0, 385).ljust(1568, b"\0")),
        (cpg.decode_joinlist, exec_wire.RESPONSE_HEADER.little.pack(0x20002, 25) + b"\0"),
        (cpg.decode_joinlist, exec_wire.RESPONSE_HEADER.little.pack(0x20002, 0) + b"\0"),
        (cmap.decode, cmap.MCAST.little.pack(0, 48, 0, 33)),
        (cmap.decode, cmap.MCAST.little.pack(0, 48, 0, 1)),
    ]
    for decode, message in claims:
        with pytest.raises(MalformedFrame):
            decode(message, False)
