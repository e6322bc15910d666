"""The six frames: there and back, both byte orders; what must not pass."""

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.totem import wire
from corosync_tw.totem.const import RETRANSMIT_ENTRIES_MAX, Encapsulated, MessageType
from tests.unit.totem.byteswap import swap_frame
from tests.unit.totem.wire_helpers import encode, plain

u32 = st.integers(0, 2**32 - 1)
i32 = st.integers(-(2**31), 2**31 - 1)
ring_ids = st.builds(RingId, u32, st.integers(0, 2**64 - 1))
tokens = st.builds(
    wire.OrfToken,
    nodeid=u32,
    seq=u32,
    token_seq=u32,
    aru=u32,
    aru_addr=u32,
    ring_id=ring_ids,
    backlog=u32,
    fcc=u32,
    retrans_flg=i32,
    rtr_list=st.lists(st.builds(wire.RtrItem, ring_ids, u32), max_size=RETRANSMIT_ENTRIES_MAX),
    target_nodeid=u32,
)
# Payloads begin with a packet that has no items, so that the swapper knows what to do with them.
mcasts = st.builds(
    wire.Mcast,
    nodeid=u32,
    system_from=u32,
    seq=u32,
    this_seqno=i32,
    ring_id=ring_ids,
    node_id=u32,
    guarantee=i32,
    encapsulated=st.just(int(Encapsulated.NOT_ENCAPSULATED)),
    payload=st.just(bytes(8)),
    target_nodeid=u32,
)
merges = st.builds(
    wire.MergeDetect,
    nodeid=u32,
    system_from=u32,
    ring_id=ring_ids,
    target_nodeid=u32,
    claims=st.just(()),
)
joins = st.builds(
    wire.MembJoin,
    nodeid=u32,
    system_from=u32,
    proc_list=st.lists(u32, max_size=20).map(tuple),
    failed_list=st.lists(u32, max_size=20).map(tuple),
    ring_seq=st.integers(0, 2**64 - 1),
    target_nodeid=u32,
    claims=st.just(()),
)
entries = st.builds(wire.CommitEntry, ring_ids, u32, u32, u32)


@st.composite
def commit_tokens(draw):
    rows = draw(st.lists(st.tuples(u32, entries), min_size=1, max_size=12))
    return wire.CommitToken(
        nodeid=draw(u32),
        token_seq=draw(u32),
        ring_id=draw(ring_ids),
        retrans_flg=draw(u32),
        memb_index=draw(st.integers(0, len(rows))),
        addr=[addr for addr, _ in rows],
        memb_list=[entry for _, entry in rows],
        target_nodeid=draw(u32),
    )


cancels = st.builds(wire.TokenHoldCancel, nodeid=u32, ring_id=ring_ids, target_nodeid=u32)
messages = st.one_of(tokens, mcasts, merges, joins, commit_tokens(), cancels)

RING = RingId(1, 4)
TOKEN = wire.OrfToken(1, 2, 3, 4, 5, RING, 6, 7, 0, [wire.RtrItem(RING, 9)])
JOIN = wire.MembJoin(1, 1, (1, 2, 3), (4,), 8)
COMMIT = wire.CommitToken(1, 2, RING, 0, 0, [1, 2], [wire.CommitEntry(RING, 1, 2, 1)] * 2)
MCAST = wire.Mcast(1, 1, 5, 0, RING, 0, 0, 2, b"payload")
MERGE = wire.MergeDetect(1, 1, RING)
CANCEL = wire.TokenHoldCancel(1, RING)
ALL = [TOKEN, JOIN, COMMIT, MCAST, MERGE, CANCEL]


def patched(frame: bytes, at: int, patch: bytes) -> bytes:
    return frame[:at] + patch + frame[at + len(patch) :]


@given(messages, st.booleans())
def test_there_and_back(message, big_endian):
    frame = encode(message, big_endian=big_endian)
    assert wire.message_type(frame) == frame[3]
    assert wire.is_big_endian(frame) == big_endian
    decoded = wire.decode(memoryview(frame))
    assert decoded.big_endian == big_endian
    assert encode(decoded, big_endian=big_endian) == frame
    assert plain(decoded) == plain(message)


@given(messages)
def test_big_endian_is_little_endian_with_every_field_turned_round(message):
    assert encode(message, big_endian=True) == swap_frame(encode(message))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_malformed_frame(data):
    for frame in (data, b"\x70\xc0\x03" + data, b"\xc0\x70\x03" + data):
        with contextlib.suppress(MalformedFrame):
            wire.decode(frame)


def test_mcast_header_by_one_unpack():
    header = wire.encode_mcast_header(7, 8, 9, RingId(10, 11), 1, this_seqno=12)
    assert len(header) == wire.MCAST_LEN_BYTES == 45
    assert wire.MCAST.unpack_from(header + b"payload") == (
        0xC070, 3, MessageType.MCAST, 2, 7, 0, 8, 9, 12, 10, 11, 0, 1,
    )  # fmt: skip


def test_payload_is_a_view_of_the_frame():
    frame = bytearray(encode(MCAST))
    payload = wire.decode(memoryview(frame)).payload
    frame[45:46] = b"P"
    assert payload == b"Payload"


def test_an_empty_payload_is_a_message():
    assert len(wire.decode(encode(MCAST._replace(payload=b""))).payload) == 0


def test_target_nodeid_is_kept_and_means_nothing():
    assert wire.decode(encode(CANCEL._replace(target_nodeid=0xDEADBEEF))) == CANCEL._replace(
        target_nodeid=0xDEADBEEF
    )


@pytest.mark.parametrize("message", ALL, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_shorter_frame_is_malformed(message, big_endian):
    frame = encode(message, big_endian=big_endian)
    shortest = wire.MCAST_LEN_BYTES if message is MCAST else len(frame)
    for size in range(shortest):
        with pytest.raises(MalformedFrame):
            wire.decode(frame[:size])


@pytest.mark.parametrize("message", [m for m in ALL if m is not MCAST])
def test_bytes_after_the_end_are_malformed(message):
    with pytest.raises(MalformedFrame):
        wire.decode(encode(message) + b"\0")


@pytest.mark.parametrize(
    ("at", "patch"),
    [
        (0, b"\xff\xff"),
        (0, b"\xfe\xfe"),
        (0, b"\x70\xc1"),
        (2, b"\x02"),
        (2, b"\x04"),
        (3, b"\x06"),
    ],
)
@pytest.mark.parametrize("message", ALL, ids=lambda m: type(m).__name__)
def test_foreign_headers_are_malformed(message, at, patch):
    with pytest.raises(MalformedFrame):
        wire.decode(patched(encode(message), at, patch))


@pytest.mark.parametrize("encapsulated", [0, 3, 255])
def test_mcast_is_plain_or_encapsulated(encapsulated):
    with pytest.raises(MalformedFrame):
        wire.decode(patched(encode(MCAST), 4, bytes([encapsulated])))


@pytest.mark.parametrize("count", [2, 0, -1, 31, 2**31 - 1, -(2**31)])
def test_rtr_list_entries_are_checked(count):
    frame = patched(encode(TOKEN), 53, count.to_bytes(4, "little", signed=True))
    with pytest.raises(MalformedFrame):
        wire.decode(frame)


def test_thirty_retransmit_requests_and_not_one_more():
    full = dataclasses.replace(TOKEN, rtr_list=[wire.RtrItem(RING, 9)] * RETRANSMIT_ENTRIES_MAX)
    frame = encode(full)
    assert wire.decode(frame) == full
    more = patched(frame, 53, b"\x1f") + frame[-16:]
    with pytest.raises(MalformedFrame):
        wire.decode(more)


@pytest.mark.parametrize("at", [17, 21])
@pytest.mark.parametrize("count", [2, 385, 0x40000000, 0xFFFFFFFF])
def test_join_entries_are_checked(at, count):
    with pytest.raises(MalformedFrame):
        wire.decode(patched(encode(JOIN), at, count.to_bytes(4, "little")))


def test_join_of_the_largest_cluster():
    nodes = tuple(range(1, PROCESSOR_COUNT_MAX + 1))
    join = JOIN._replace(proc_list=nodes, failed_list=nodes)
    assert wire.decode(encode(join)) == join
    frame = encode(join)
    with pytest.raises(MalformedFrame):
        wire.decode(patched(frame, 17, (385).to_bytes(4, "little")) + bytes(4))


@pytest.mark.parametrize("count", [0, 1, 3, 385, -1, 2**31 - 1])
def test_commit_token_entries_are_checked(count):
    with pytest.raises(MalformedFrame):
        wire.decode(patched(encode(COMMIT), 37, count.to_bytes(4, "little", signed=True)))


def test_commit_token_for_nobody_is_malformed():
    frame = patched(encode(COMMIT), 37, bytes(4))[: wire.COMMIT_TOKEN.size]
    with pytest.raises(MalformedFrame):
        wire.decode(frame)


@pytest.mark.parametrize("memb_index", [-1, 3, 2**31 - 1])
def test_memb_index_is_inside_its_list_or_at_its_end(memb_index):
    at_end = dataclasses.replace(COMMIT, memb_index=2)
    assert wire.decode(encode(at_end)) == at_end
    with pytest.raises(MalformedFrame):
        wire.decode(patched(encode(COMMIT), 33, memb_index.to_bytes(4, "little", signed=True)))


@pytest.mark.parametrize("kind", MessageType)
def test_type_alone_does_not_make_a_message(kind):
    header = wire.HEADER.pack(0xC070, 3, kind, 2, 1, 0)
    assert wire.message_type(header) == kind
    with pytest.raises(MalformedFrame):
        wire.decode(header)
