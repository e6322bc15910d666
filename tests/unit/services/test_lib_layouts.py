"""Messages of libcpg and libquorum against the offsets that a C compiler gives their structs."""

import re
from pathlib import Path
from struct import unpack_from

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.services.cpg import lib_wire as cpg
from corosync_tw.services.effects import CpgMember
from corosync_tw.services.quorum import lib_wire as quorum

LAYOUTS = Path(__file__).resolve().parents[2] / "data" / "corosync-layouts.txt"
GROUP, NODEID, PID, LEN = b"group", 0x01020304, 0x05060708, 0x0A0B
RING = RingId(7, 0x1122334455667788)
MEMBERS = [CpgMember(NODEID, PID, 0), CpgMember(8, 9, 0)]


def parse():
    """Offsets by struct and field, the struct's own size under an empty name."""
    found, fields = {}, {}
    for line in LAYOUTS.read_text().splitlines():
        if head := re.match(r"== (\w+) size=(\d+)", line):
            fields = found[head[1]] = {"": int(head[2])}
        elif field := re.match(r" +(\w+)(\[.*\])? +off=(\d+)", line):
            fields[field[1]] = int(field[3])
    return found


STRUCTS = parse()


@pytest.mark.parametrize(
    ("struct", "length"),
    [
        ("req_lib_cpg_join", cpg.JOIN.size),
        ("req_lib_cpg_leave", cpg.LEAVE.size),
        ("req_lib_cpg_mcast", cpg.MCAST_LEN),
        ("req_lib_cpg_partial_mcast", cpg.PARTIAL_MCAST_LEN),
        ("req_lib_cpg_membership_get", cpg.NAME.size),
        ("req_lib_cpg_iterationinitialize", cpg.ITERATION_INITIALIZE.size),
        ("req_lib_cpg_iterationnext", cpg.HANDLE.size),
        ("req_lib_cpg_iterationfinalize", cpg.HANDLE.size),
        ("res_lib_cpg_local_get", len(cpg.encode_local_get(1))),
        ("res_lib_cpg_membership_get", len(cpg.encode_membership([]))),
        ("res_lib_cpg_deliver_callback", len(cpg.encode_deliver(b"", 1, 1, 0))),
        ("res_lib_cpg_confchg_callback", len(cpg.encode_confchgs(b"", [], [], [])[0])),
        ("res_lib_cpg_totem_confchg_callback", len(cpg.encode_totem_confchg(RING, []))),
        ("res_lib_cpg_iterationinitialize", len(cpg.encode_iteration_handle(1))),
        ("res_lib_cpg_iterationnext", len(cpg.encode_iteration_entry(1, 1, b""))),
        ("req_lib_quorum_trackstart", quorum.WORD.size),
        ("res_lib_quorum_getquorate", len(quorum.encode_word(0, 1))),
        ("res_lib_quorum_gettype", len(quorum.encode_word(0, 1))),
        ("res_lib_quorum_notification", len(quorum.encode_notification(True, RING, []))),
        ("res_lib_quorum_v1_quorum_notification", len(quorum.encode_v1_quorum(True, RING, []))),
        (
            "res_lib_quorum_v1_nodelist_notification",
            len(quorum.encode_v1_nodelist(RING, [], [], [])),
        ),
    ],
)
def test_lengths(struct, length):
    assert length == STRUCTS[struct][""]


def word(struct, field, data):
    return unpack_from("=I", data, STRUCTS[struct][field])[0]


def name(struct, field, data):
    length, value = unpack_from("=I4x128s", data, STRUCTS[struct][field])
    return value[:length]


def ring(struct, data):
    return unpack_from("=I4xQ", data, STRUCTS[struct]["ring_id"])


def test_deliver():
    struct, data = "res_lib_cpg_deliver_callback", cpg.encode_deliver(GROUP, NODEID, PID, LEN)
    assert unpack_from("=i4xi4xi", data) == (5, 184 + LEN, 1)
    assert name(struct, "group_name", data) == GROUP
    fields = [word(struct, field, data) for field in ("msglen", "nodeid", "pid")]
    assert fields == [LEN, NODEID, PID]


def test_partial_deliver():
    struct = "res_lib_cpg_partial_deliver_callback"
    part = cpg.Part(NODEID, PID, LEN, 2)
    [(data, piece)] = cpg.encode_parts(GROUP, part, b"piece")
    assert len(data) == STRUCTS[struct][""]
    assert bytes(piece) == b"piece"
    assert name(struct, "group_name", data) == GROUP
    fields = [word(struct, f, data) for f in ("msglen", "fraglen", "nodeid", "pid", "type")]
    assert fields == [LEN, 5, NODEID, PID, 2]


def test_confchg():
    struct = "res_lib_cpg_confchg_callback"
    left, joined = [CpgMember(1, 2, 3)], [CpgMember(4, 5, 1)] * 3
    [data] = cpg.encode_confchgs(GROUP, MEMBERS, left, joined)
    counts = [word(struct, f"{kind}_list_entries", data) for kind in ("member", "joined", "left")]
    assert counts == [2, 3, 1]
    first = STRUCTS[struct]["member_list"]
    address = STRUCTS["mar_cpg_address_t"]
    rows = [
        tuple(
            unpack_from("=I", data, first + address[""] * row + address[field])[0]
            for field in ("nodeid", "pid", "reason")
        )
        for row in range(6)
    ]
    assert rows == [*map(tuple, MEMBERS), *map(tuple, left), *map(tuple, joined)]


def test_totem_confchg():
    struct = "res_lib_cpg_totem_confchg_callback"
    data = cpg.encode_totem_confchg(RING, [5, 6])
    assert ring(struct, data) == RING
    assert word(struct, "member_list_entries", data) == 2
    assert unpack_from("=2I", data, STRUCTS[struct]["member_list"]) == (5, 6)


def test_answers_of_libcpg():
    struct, data = "res_lib_cpg_membership_get", cpg.encode_membership(MEMBERS)
    assert word(struct, "member_count", data) == 2
    assert unpack_from("=I4xI", data, STRUCTS[struct]["member_list"]) == (NODEID, PID)
    struct, data = "res_lib_cpg_iterationnext", cpg.encode_iteration_entry(NODEID, PID, GROUP)
    described = STRUCTS["mar_cpg_iteration_description_t"]
    at = STRUCTS[struct]["description"]
    fields = [unpack_from("=I", data, at + described[f])[0] for f in ("nodeid", "pid")]
    assert fields == [NODEID, PID]
    assert name(struct, "description", data) == GROUP


def test_events_of_libquorum():
    struct, data = "res_lib_quorum_notification", quorum.encode_notification(True, RING, [1, 2])
    assert word(struct, "quorate", data) == 1
    assert unpack_from("=Q", data, STRUCTS[struct]["ring_seq"]) == (RING.seq,)
    assert word(struct, "view_list_entries", data) == 2
    assert unpack_from("=2I", data, STRUCTS[struct]["view_list"]) == (1, 2)
    struct = "res_lib_quorum_v1_quorum_notification"
    data = quorum.encode_v1_quorum(True, RING, [1, 2])
    assert (word(struct, "quorate", data), ring(struct, data)) == (1, RING)
    assert word(struct, "view_list_entries", data) == 2
    assert unpack_from("=2I", data, STRUCTS[struct]["view_list"]) == (1, 2)
    struct = "res_lib_quorum_v1_nodelist_notification"
    data = quorum.encode_v1_nodelist(RING, [1, 2, 3], [2, 3], [4])
    assert ring(struct, data) == RING
    counts = [word(struct, f"{kind}_list_entries", data) for kind in ("member", "joined", "left")]
    assert counts == [3, 2, 1]
    assert unpack_from("=6I", data, STRUCTS[struct]["member_list"]) == (1, 2, 3, 2, 3, 4)
