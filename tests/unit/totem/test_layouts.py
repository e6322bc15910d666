"""Our structures have the offsets and sizes that a C compiler gave Corosync's."""

import struct

import pytest

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.totem import pg_wire, wire
from tests.unit.totem import capture

HEADER = ["magic", "version", "type", "encapsulated", "nodeid", "target_nodeid"]

# structure -> our two byte orders, and the C field that each field of ours is or begins.
RING = ["ring_id", None]
STRUCTURES = {
    "mcast": (
        wire.MCAST,
        wire.MCAST_BIG,
        ["system_from", "seq", "this_seqno", *RING, "node_id", "guarantee"],
    ),
    "orf_token": (
        wire.ORF_TOKEN,
        wire.ORF_TOKEN_BIG,
        [
            "seq",
            "token_seq",
            "aru",
            "aru_addr",
            *RING,
            "backlog",
            "fcc",
            "retrans_flg",
            "rtr_list_entries",
        ],
    ),
    "memb_merge_detect": (wire.MERGE_DETECT, wire.MERGE_DETECT_BIG, ["system_from", *RING]),
    "memb_join": (
        wire.MEMB_JOIN,
        wire.MEMB_JOIN_BIG,
        ["system_from", "proc_list_entries", "failed_list_entries", "ring_seq"],
    ),
    "memb_commit_token": (
        wire.COMMIT_TOKEN,
        wire.COMMIT_TOKEN_BIG,
        ["token_seq", *RING, "retrans_flg", "memb_index", "addr_entries"],
    ),
    "token_hold_cancel": (wire.HOLD_CANCEL, wire.HOLD_CANCEL_BIG, [*RING]),
}
WITHOUT_HEADER = {
    "rtr_item": (wire.RTR_ITEM, wire.RTR_ITEM_BIG, [*RING, "seq"]),
    "memb_commit_token_memb_entry": (
        wire.COMMIT_ENTRY,
        wire.COMMIT_ENTRY_BIG,
        [*RING, "aru", "high_delivered", "received_flg"],
    ),
    "totempg_mcast": (
        pg_wire.PACKET,
        pg_wire.PACKET_BIG,
        ["header", None, "fragmented", "continuation", "msg_count"],
    ),
}


def offsets(codes: str) -> list[int]:
    return [struct.calcsize("<" + codes[:i]) for i in range(len(codes))]


@pytest.mark.parametrize("name", [*STRUCTURES, *WITHOUT_HEADER])
def test_offsets_and_size_are_those_of_c(name):
    layout = capture.layouts()[name]
    if name in STRUCTURES:
        little, big, fields = STRUCTURES[name]
        assert layout["header"] == (0, wire.HEADER.size)
        skipped = len(HEADER)
    else:
        little, big, fields = WITHOUT_HEADER[name]
        skipped = 0
    assert little.size == big.size == layout[""][1]
    assert little.format[0] == "<"
    assert big.format == ">" + little.format[1:]
    ours = offsets(little.format[1:])[skipped:]
    assert len(ours) == len(fields)
    for at, field in zip(ours, fields, strict=True):
        if field is not None:
            assert at == layout[field][0], field
    in_c = [f for f in layout if f and not f.endswith("[0]") and f != "header"]
    assert [f for f in fields if f and f != "header"] == in_c, "every C field is ours"


def test_header_is_thirteen_bytes():
    assert wire.HEADER.size == wire.HEADER_LEN_BYTES == 13
    assert offsets(wire.HEADER.format[1:]) == [0, 2, 3, 4, 5, 9]


def test_node_lists_hold_bare_node_ids():
    assert capture.layouts()["srp_addr"] == {"": (0, 4), "nodeid": (0, 4)}


def test_limit_of_nodes_is_that_of_c():
    _, size = capture.layouts()["req_exec_cpg_downlist"]["nodeids[PROCESSOR_COUNT_MAX]"]
    assert size == PROCESSOR_COUNT_MAX * 4
