"""Both twins of the framing kernel, and what they say of datagrams in one buffer."""

from importlib import import_module
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import RingId
from corosync_tw.kernels.plain import framing as plain
from corosync_tw.totem import wire

RING = RingId(1, 8)
HEADER = wire.MCAST_LEN_BYTES
STRIDE = 60

compiled = import_module("corosync_tw.kernels.compiled.framing")
both = pytest.mark.parametrize("kernel", [plain, compiled], ids=["plain", "compiled"])


def mcast(seq: int, *, nodeid: int = 7, guarantee: int = 0, ring: RingId = RING) -> bytes:
    header = wire.encode_mcast_header(nodeid, nodeid, seq & 0xFFFFFFFF, ring, guarantee)
    return header + b"x" * (STRIDE - HEADER)


def run_of(kernel: ModuleType, frames: list[bytes], stride: int = STRIDE) -> object:
    return kernel.scan_run(memoryview(b"".join(frames)), stride, *RING)


@both
def test_a_whole_blob_is_one_run(kernel: ModuleType) -> None:
    frames = [mcast(seq) for seq in range(100, 146)]
    frames[-1] = frames[-1][: HEADER + 1]
    assert run_of(kernel, frames) == (7, 100, 46, 0)


@both
def test_seqs_wrap(kernel: ModuleType) -> None:
    assert run_of(kernel, [mcast(seq) for seq in range(-3, 4)]) == (7, 0xFFFFFFFD, 7, 0)


@both
@pytest.mark.parametrize(
    "stranger",
    [
        mcast(104),
        mcast(103, nodeid=8),
        mcast(103, guarantee=1),
        mcast(103, ring=RingId(2, 8)),
        mcast(103, ring=RingId(1, 9)),
        b"\xc0\x70" + mcast(103)[2:],
        mcast(103)[:4] + b"\x01" + mcast(103)[5:],
        mcast(103)[:3] + b"\x00" + mcast(103)[4:],
    ],
    ids=["gap", "sender", "guarantee", "rep", "ring", "big-endian", "encapsulated", "token"],
)
def test_a_run_ends_before_what_does_not_continue_it(kernel: ModuleType, stranger: bytes) -> None:
    frames = [mcast(100), mcast(101), mcast(102), stranger, mcast(104)]
    assert run_of(kernel, frames) == (7, 100, 3, 0)
    assert run_of(kernel, frames[3:]) != (7, 103, 2, 0)


@both
def test_the_guarantee_is_signed(kernel: ModuleType) -> None:
    assert run_of(kernel, [mcast(5, guarantee=-1)]) == (7, 5, 1, -1)


@both
def test_an_end_too_short_for_a_header_is_left_out(kernel: ModuleType) -> None:
    assert run_of(kernel, [mcast(1), mcast(2), mcast(3)[: HEADER - 1]]) == (7, 1, 2, 0)
    assert run_of(kernel, [mcast(1)[: HEADER - 1]]) is None
    assert run_of(kernel, []) is None
    assert run_of(kernel, [mcast(1)], HEADER - 1) is None


@both
def test_only_mcasts(kernel: ModuleType) -> None:
    frames = [mcast(1), mcast(2), mcast(3)[:4]]
    assert kernel.only_mcasts(memoryview(b"".join(frames)), STRIDE)
    assert not kernel.only_mcasts(memoryview(b"".join([*frames[:2], frames[2][:3]])), STRIDE)
    frames[1] = frames[1][:3] + b"\x04" + frames[1][4:]
    assert not kernel.only_mcasts(memoryview(b"".join(frames)), STRIDE)


@st.composite
def blobs(draw: st.DrawFn) -> tuple[bytes, int]:
    """Datagrams that mostly continue one another, with some of their bytes changed."""
    first = draw(st.sampled_from([1, 0xFFFFFFFE]))
    count = draw(st.integers(1, 8))
    blob = bytearray().join(mcast(first + i, nodeid=7) for i in range(count))
    for at in draw(st.lists(st.integers(0, len(blob) - 1), max_size=2)):
        blob[at] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, STRIDE - 1))
    stride = draw(st.one_of(st.just(STRIDE), st.integers(1, 2 * STRIDE)))
    return bytes(blob[: len(blob) - cut]), stride


@settings(max_examples=300, deadline=None)
@given(blobs())
def test_the_twins_agree(case: tuple[bytes, int]) -> None:
    blob, stride = case
    view = memoryview(blob)
    assert plain.only_mcasts(view, stride) == compiled.only_mcasts(view, stride)
    assert plain.scan_run(view, stride, *RING) == compiled.scan_run(view, stride, *RING)
