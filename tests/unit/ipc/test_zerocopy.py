"""Buffers that clients share: what is taken, what is refused, and that nothing is left open."""

import os

import pytest

from corosync_tw.errors import CsAccess, CsBadHandle, CsInvalidParam, CsNoMemory
from corosync_tw.ipc import zerocopy
from corosync_tw.ipc.zerocopy import ZeroCopyFiles


@pytest.fixture
def files(tmp_path):
    files = ZeroCopyFiles((str(tmp_path),))
    yield files
    for conn in range(10):
        files.close_all(conn)
    assert len(files) == 0
    assert not [
        target for target in map(target_of, os.listdir("/proc/self/fd")) if "zero" in target
    ]


def target_of(descriptor):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2]
    except OSError:
        return ""


@pytest.fixture
def make(tmp_path):
    def make_file(name="corosync_zerocopy-aaaaaa", content=bytes(4096)):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make_file


UID = os.getuid()


def test_a_buffer_loses_its_name_and_tells_its_number(files, make):
    path = make()
    with path.open("r+b") as shared:
        files.open(1, UID, str(path))
        assert not path.exists()
        number = int.from_bytes(os.pread(shared.fileno(), 8, 8), "little")
        os.pwrite(shared.fileno(), b"message", 56)
    assert number == 1
    assert files.read(1, number, 56, 7) == b"message"
    assert files.read(1, number, 4090, 100) == bytes(6)
    with pytest.raises(CsBadHandle):
        files.read(2, number, 0, 1)
    with pytest.raises(CsBadHandle):
        files.close(2, number)
    files.close(1, number)
    with pytest.raises(CsBadHandle):
        files.close(1, number)


def test_a_file_cut_short_reads_short(files, make):
    path = make()
    with path.open("r+b") as shared:
        files.open(1, UID, str(path))
        shared.truncate(20)
    assert len(files.read(1, 1, 0, 4096)) == 20


def test_files_of_others_stay(files, make):
    path = make()
    with pytest.raises(CsAccess):
        files.open(1, UID + 1, str(path))
    assert path.exists()


def test_files_that_libcpg_does_not_make_stay(files, make, tmp_path):
    inside = make("precious")
    (tmp_path / "deeper").mkdir()
    deeper = make("deeper/corosync_zerocopy-aaaaaa")
    link = tmp_path / "corosync_zerocopy-link"
    link.symlink_to(inside)
    os.link(inside, tmp_path / "corosync_zerocopy-hard")
    os.mkfifo(tmp_path / "corosync_zerocopy-fifo")
    (tmp_path / "corosync_zerocopy-dir").mkdir()
    for path in (inside, deeper, tmp_path / "corosync_zerocopy-hard"):
        with pytest.raises(CsAccess):
            files.open(1, UID, str(path))
    with pytest.raises(CsAccess):
        files.open(1, UID, str(tmp_path / "corosync_zerocopy-fifo"))
    for bad in (link, tmp_path / "corosync_zerocopy-dir", tmp_path / "corosync_zerocopy-none"):
        with pytest.raises(CsInvalidParam):
            files.open(1, UID, str(bad))
    for bad in ("", "/", "corosync_zerocopy-x", f"{tmp_path}/corosync_zerocopy-../precious"):
        with pytest.raises(CsAccess):
            files.open(1, UID, bad)
    assert inside.read_bytes() == bytes(4096)
    assert link.is_symlink()


def test_names_with_strange_bytes(files, tmp_path):
    with pytest.raises(CsInvalidParam):
        files.open(1, UID, f"{tmp_path}/corosync_zerocopy-a\0b")
    with pytest.raises(CsInvalidParam):
        files.open(1, UID, f"{tmp_path}/corosync_zerocopy-\udcff")


def test_limits(files, make, monkeypatch):
    monkeypatch.setattr(zerocopy, "CLIENT_BUFFERS_MAX", 2)
    monkeypatch.setattr(zerocopy, "BUFFERS_MAX", 3)
    for conn in (1, 1, 2):
        files.open(conn, UID, str(make()))
    for conn in (1, 2):
        with pytest.raises(CsNoMemory):
            files.open(conn, UID, str(make()))
    files.close_all(1)
    files.open(2, UID, str(make()))
    assert len(files) == 2
