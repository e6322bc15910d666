"""What libvotequorum reads and writes lies where a C compiler put it."""

from struct import Struct, pack_into, unpack_from

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.services.votequorum import lib_wire as wire
from corosync_tw.services.votequorum.report import InfoFlags, NodeVotes
from tests.unit.totem import capture

LAYOUTS = capture.layouts()
NAME_LEN = "[VOTEQUORUM_QDEVICE_MAX_NAME_LEN]"
RING = RingId(7, 0x1122334455667788)
CONTEXT = 0x99AABBCCDDEEFF00


def offset_of(structure, field):
    return LAYOUTS[structure][field][0]


def word(structure, field, data):
    return unpack_from("=I", data, offset_of(structure, field))[0]


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        ("req_lib_votequorum_getinfo", wire.NUMBER.size),
        ("req_lib_votequorum_setexpected", wire.NUMBER.size),
        ("req_lib_votequorum_setvotes", wire.SETVOTES.size),
        ("req_lib_votequorum_trackstart", wire.TRACKSTART.size),
        ("req_lib_votequorum_qdevice_register", wire.NAME.size),
        ("req_lib_votequorum_qdevice_unregister", wire.NAME.size),
        ("req_lib_votequorum_qdevice_update", wire.TWO_NAMES.size),
        ("req_lib_votequorum_qdevice_poll", wire.POLL.size),
        ("req_lib_votequorum_qdevice_master_wins", wire.MASTER_WINS.size),
        ("res_lib_votequorum_getinfo", wire.GETINFO_RESPONSE_LEN),
        ("res_lib_votequorum_quorum_notification", len(wire.encode_quorum(0, True, ()))),
        ("res_lib_votequorum_nodelist_notification", len(wire.encode_nodelist(0, RING, ()))),
        ("res_lib_votequorum_expectedvotes_notification", len(wire.encode_expectedvotes(0, 0))),
    ],
)
def test_sizes(structure, size):
    assert size == LAYOUTS[structure][""][1]


@pytest.mark.parametrize(
    ("structure", "layout", "fields"),
    [
        ("req_lib_votequorum_setvotes", wire.SETVOTES, ("votes", "nodeid")),
        ("req_lib_votequorum_trackstart", wire.TRACKSTART, ("context", "track_flags")),
        ("req_lib_votequorum_qdevice_master_wins", wire.MASTER_WINS, (None, "allow")),
        ("req_lib_votequorum_qdevice_poll", wire.POLL, (None, "cast_vote", "ring_id", None)),
    ],
)
def test_numbers_of_requests(structure, layout: Struct, fields):
    data = bytearray(layout.size)
    for number, field in enumerate(fields, 1):
        if field is not None:
            pack_into("=I", data, offset_of(structure, field), number)
    read = layout.unpack(data)
    assert [read[i] for i, field in enumerate(fields) if field] == [
        number for number, field in enumerate(fields, 1) if field
    ]


def test_a_poll():
    structure = "req_lib_votequorum_qdevice_poll"
    data = bytearray(wire.POLL.size)
    at = offset_of(structure, "ring_id")
    pack_into("=I", data, at + offset_of("mar_votequorum_ring_id", "nodeid"), RING.rep)
    pack_into("=Q", data, at + offset_of("mar_votequorum_ring_id", "seq"), RING.seq)
    pack_into("=I", data, offset_of(structure, "cast_vote"), 1)
    pack_into("=4s", data, offset_of(structure, f"name{NAME_LEN}"), b"net")
    assert wire.decode_poll(bytes(data)) == (b"net", True, RING)


def test_a_renaming():
    structure = "req_lib_votequorum_qdevice_update"
    data = bytearray(wire.TWO_NAMES.size)
    for field, name in (("oldname", b"old"), ("newname", b"new")):
        pack_into("=4s", data, offset_of(structure, f"{field}{NAME_LEN}"), name)
    assert wire.decode_two_names(bytes(data)) == (b"old", b"new")


def test_information():
    structure = "res_lib_votequorum_getinfo"
    fields = (
        *("nodeid", "state", "votes", "expected_votes", "highest_expected", "total_votes"),
        *("quorum", "flags", "qdevice_votes"),
    )
    flags = InfoFlags.QUORATE | InfoFlags.QDEVICE_MASTER_WINS
    data = wire.encode_getinfo(NodeVotes(1, 2, 3, 4, 5, 6, 7, flags, 9, b"net"))
    assert [word(structure, field, data) for field in fields] == [1, 2, 3, 4, 5, 6, 7, 514, 9]
    at = offset_of(structure, f"qdevice_name{NAME_LEN}")
    assert data[at : at + 4] == b"net\0"
    most = wire.encode_getinfo(NodeVotes(1, 2, 3, 4, 5, 1 << 33, 7, flags, 9, b""))
    assert word(structure, "total_votes", most) == 0xFFFFFFFF


def test_events():
    structure = "res_lib_votequorum_quorum_notification"
    data = wire.encode_quorum(CONTEXT, True, ((1, 2), (3, 1)))
    assert word(structure, "quorate", data) == 1
    assert unpack_from("=Q", data, offset_of(structure, "context")) == (CONTEXT,)
    assert word(structure, "node_list_entries", data) == 2
    assert unpack_from("=4I", data, offset_of(structure, "node_list[]")) == (1, 2, 3, 1)
    structure = "res_lib_votequorum_nodelist_notification"
    data = wire.encode_nodelist(CONTEXT, RING, (4, 5))
    assert unpack_from("=Q", data, offset_of(structure, "context")) == (CONTEXT,)
    assert unpack_from("=I4xQ", data, offset_of(structure, "ring_id")) == RING
    assert word(structure, "node_list_entries", data) == 2
    assert unpack_from("=2I", data, offset_of(structure, "node_list[]")) == (4, 5)
    structure = "res_lib_votequorum_expectedvotes_notification"
    data = wire.encode_expectedvotes(CONTEXT, 6)
    assert unpack_from("=Q", data, offset_of(structure, "context")) == (CONTEXT,)
    assert word(structure, "expected_votes", data) == 6
