import socket
from array import array
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.net.offload import (
    PAYLOAD_BYTES_MAX,
    SEGMENTS_MAX,
    SLICES_MAX,
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
    gro_segment_bytes,
    plan_runs,
    probe_gso,
)
from corosync_tw.totem.runs import SentBlob, SentRun


def frames_of(*lengths):
    return [(bytes(length),) for length in lengths]


def shape(runs):
    return [[sum(map(len, frame)) for frame in run.frames] for run in runs]


def test_equal_lengths_share_a_call_and_a_shorter_one_ends_it():
    runs = plan_runs(frames_of(1400, 1400, 900, 1400, 1400), PAYLOAD_BYTES_MAX)
    assert shape(runs) == [[1400, 1400, 900], [1400, 1400]]
    assert runs[0].ancillary == ((SOL_UDP, UDP_SEGMENT, (1400).to_bytes(2, "little")),)
    assert runs[0].len_bytes == 3700


def test_a_longer_one_begins_a_call():
    assert shape(plan_runs(frames_of(25, 1400, 1400), PAYLOAD_BYTES_MAX)) == [[25], [1400, 1400]]


def test_without_offload_every_frame_has_its_call_and_no_ancillary_data():
    runs = plan_runs(frames_of(10, 10), 0)
    assert shape(runs) == [[10], [10]]
    assert [run.ancillary for run in runs] == [(), ()]


def test_frames_above_the_segment_limit_go_alone():
    assert shape(plan_runs(frames_of(1400, 1400, 900, 900), 1399)) == [[1400], [1400], [900, 900]]


def test_full_frames_of_an_ethernet_go_44_a_call():
    assert [len(run) for run in shape(plan_runs(frames_of(*[1472] * 88), PAYLOAD_BYTES_MAX))] == [
        44,
        44,
    ]


def test_slices_are_passed_on_as_they_are():
    pieces = (b"head", memoryview(b"body"), b"")
    (run,) = plan_runs([pieces, pieces], PAYLOAD_BYTES_MAX)
    assert [id(piece) for piece in run.buffers] == [id(piece) for piece in pieces * 2]


@settings(deadline=None)
@given(
    stride=st.sampled_from([1, 600, 1460, 9000, 65000]),
    length=st.integers(1, 300_000),
    limit=st.sampled_from([0, 1, 1400, PAYLOAD_BYTES_MAX]),
)
def test_a_blob_is_planned_as_its_datagrams_would_be(stride, length, limit):
    blob = SentBlob(bytes(i & 0xFF for i in range(251)) * (length // 251 + 1), stride)
    blob = SentBlob(blob.blob[:length], stride)
    if len(blob) > 2000:
        blob = blob[:2000]
    runs = plan_runs(blob, limit)
    assert [frame for run in runs for frame in run.frames] == list(blob)
    assert b"".join(piece for run in runs for piece in run.buffers) == blob.blob
    likewise = plan_runs(list(blob), limit)
    assert [run.ancillary for run in runs] == [run.ancillary for run in likewise]
    assert [run.len_bytes for run in runs] == [run.len_bytes for run in likewise]


@settings(deadline=None)
@given(
    lengths=st.lists(st.sampled_from([1, 2, 600, 1400, 1472]), max_size=200),
    slices=st.integers(1, 40),
    limit=st.sampled_from([0, 1, 1400, PAYLOAD_BYTES_MAX]),
)
def test_every_plan_keeps_order_and_limits(lengths, slices, limit):
    frames = [(bytes(length),) + (b"",) * (slices - 1) for length in lengths]
    runs = plan_runs(frames, limit)
    assert [frame for run in runs for frame in run.frames] == frames
    for run in runs:
        sizes = shape([run])[0]
        assert run.len_bytes == sum(sizes)
        if len(sizes) > 1:
            assert len(sizes) <= SEGMENTS_MAX
            assert run.len_bytes <= PAYLOAD_BYTES_MAX
            assert len(run.buffers) <= SLICES_MAX
            assert set(sizes[:-1]) == {run.segment_bytes}
            assert 0 < sizes[-1] <= run.segment_bytes <= limit


def test_a_socket_that_is_no_udp_socket_has_no_offload():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        assert not probe_gso(left)


def test_what_was_not_merged_is_one_segment():
    assert gro_segment_bytes([], 700) == 700
    assert gro_segment_bytes([(SOL_UDP, UDP_GRO, (100).to_bytes(4, "little"))], 700) == 100
    assert gro_segment_bytes([(SOL_UDP, UDP_GRO, bytes(4))], 700) == 700
    assert gro_segment_bytes([(SOL_UDP, UDP_GRO, b"\1")], 700) == 700
    assert gro_segment_bytes([(socket.SOL_SOCKET, UDP_GRO, bytes(4))], 700) == 700


@settings(deadline=None)
@given(
    bodies=st.lists(st.sampled_from([0, 1, 2, 600, 1340]), min_size=1, max_size=150),
    limit=st.sampled_from([0, 60, 1400, PAYLOAD_BYTES_MAX]),
)
def test_a_run_of_ours_is_planned_like_its_datagrams(bodies, limit):
    header_ends = array("I", range(0, 60 * len(bodies) + 1, 60))
    body_ends = array("I", accumulate(bodies, initial=0))
    headers = bytes(i % 256 for i in range(header_ends[-1]))
    body = memoryview(bytes(i % 251 for i in range(body_ends[-1])))
    run = SentRun(1, 7, len(bodies), False, headers, header_ends, body, body_ends)
    single_frames = [(b"".join(frame),) for frame in run]
    runs = plan_runs(run, limit)
    for planned, known in zip(runs, plan_runs(single_frames, limit), strict=True):
        assert [b"".join(frame) for frame in planned.frames] == [f for (f,) in known.frames]
        assert (planned.ancillary, planned.len_bytes) == (known.ancillary, known.len_bytes)
        assert (planned.frame_count, planned.segment_bytes) == (
            known.frame_count,
            known.segment_bytes,
        )
