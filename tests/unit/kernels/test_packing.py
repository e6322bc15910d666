"""The packing kernels: both twins make the same headers of any queue."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.kernels.compiled import packing as compiled
from corosync_tw.kernels.plain import packing as plain

FIELDS = (17, 21, 41)
SAFE = plain.SAFE

sizes = st.one_of(st.integers(0, 40), st.integers(0, 3000), st.integers(0, 1 << 21))
lens_ = st.lists(st.tuples(sizes, st.booleans()), max_size=40).map(
    lambda messages: array("I", [size | SAFE if safe else size for size, safe in messages])
)
numbers = st.one_of(st.just(0xFFFFFFFE), st.just(0x7FFFFFFE), st.integers(0, 0xFFFFFFFF))


def header(seq: int, this_seqno: int) -> bytes:
    middle = seq.to_bytes(4, "little") + this_seqno.to_bytes(4, "little")
    return bytes(range(17)) + middle + bytes(range(25, 41)) + b"\0\0\0\0"


def cut_all(cut_packets, lens, capacity, frames_max, first):
    """What comes of a queue that is taken bit by bit, and the progress in between."""
    progress = array("I", (0, 0, 0, 250))
    cuts = []
    while progress[0] < len(lens):
        cut = cut_packets(lens, progress, capacity, frames_max, first, fields=FIELDS)
        cuts.append((*cut, progress.tolist()))
        if len(cuts) > 300:
            break
    return cuts


@settings(deadline=None)
@given(
    lens_,
    st.one_of(st.integers(4, 150), st.sampled_from([1374, 8902, 65438, 65535])),
    st.one_of(st.integers(1, 3), st.integers(1, 1000)),
    numbers,
    numbers,
)
def test_twins_make_the_same_headers(lens, capacity, frames_max, seq, this_seqno):
    first = header(seq, this_seqno)
    cuts = [
        cut_all(kernel.cut_packets, lens, capacity, frames_max, first)
        for kernel in (plain, compiled)
    ]
    assert cuts[0] == cuts[1]
    for headers, ends, body_ends, safe, _ in cuts[0]:
        assert type(safe) is bool
        assert 1 <= len(ends) - 1 == len(body_ends) - 1 <= frames_max
        assert ends[-1] == len(headers)


@pytest.mark.parametrize("kernel", [plain, compiled])
def test_numbers_go_on_and_wrap(kernel):
    lens, progress = array("I", [100] * 4), array("I", (0, 0, 0, 0))
    first = header(0xFFFFFFFE, 0x7FFFFFFF)
    headers, ends, _, safe = kernel.cut_packets(lens, progress, 102, 3, first, fields=FIELDS)
    assert not safe
    assert [headers[end + 17 : end + 25] for end in ends[:-1]] == [
        b"\xfe\xff\xff\xff\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\0\1\0\0\0",
    ]
    assert progress.tolist() == [3, 0, 0, 0]


@pytest.mark.parametrize("kernel", [plain, compiled])
def test_a_cut_ends_where_the_guarantee_changes(kernel):
    lens, progress = array("I", [50, 50, 200 | SAFE, 10, 10]), array("I", (0, 0, 0, 0))
    first = header(1, 1)
    taken = []
    while progress[0] < len(lens):
        headers, ends, body_ends, safe = kernel.cut_packets(
            lens, progress, 104, 100, first, fields=FIELDS
        )
        assert {headers[end + 41 : end + 45] for end in ends[:-1]} == {bytes([safe, 0, 0, 0])}
        taken.append((safe, len(ends) - 1, body_ends[-1]))
    assert taken == [(False, 1, 100), (True, 2, 202), (False, 1, 18)]


@pytest.mark.parametrize("kernel", [plain, compiled])
@pytest.mark.parametrize("frames_max", [0, 5])
def test_nothing_comes_of_nothing(kernel, frames_max):
    for lens in (array("I"), array("I", [1])):
        progress = array("I", (len(lens) if frames_max else 0, 0, 0, 7))
        before = progress.tolist()
        cut = kernel.cut_packets(lens, progress, 100, frames_max, header(1, 1), fields=FIELDS)
        assert cut == (b"", array("I", [0]), array("I", [0]), False)
        assert progress.tolist() == before


@pytest.mark.parametrize("kernel", [plain, compiled])
@pytest.mark.parametrize("capacity", [-1, 0, 3, 65536])
def test_impossible_packets_are_refused(kernel, capacity):
    with pytest.raises(ValueError):
        kernel.cut_packets(
            array("I", [1]), array("I", (0, 0, 0, 0)), capacity, 1, header(1, 1), fields=FIELDS
        )


@pytest.mark.parametrize(
    ("lens", "progress", "fields"),
    [
        (array("I", [1]), (0, 0, 0), FIELDS),
        (array("Q", [1]), (0, 0, 0, 0), FIELDS),
        (array("I", [1]), (0, 2, 1, 1), FIELDS),
        (array("I", [1]), (0, 0, 0, 0), (17, 21, 42)),
        (array("I", [1]), (0, 0, 0, 0), (-1, 21, 41)),
        (array("I", [1]), (0, 0, 0, 0), (17, 20, 41)),
    ],
)
def test_compiled_code_reads_and_writes_within_what_it_is_given(lens, progress, fields):
    with pytest.raises(ValueError):
        compiled.cut_packets(lens, array("I", progress), 100, 1, header(1, 1), fields=fields)
