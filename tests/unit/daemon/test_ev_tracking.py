"""The file of the highest expected votes."""

import pytest
from twisted.internet import reactor
from twisted.python.threadpool import ThreadPool

from corosync_tw.daemon.ev_tracking import EvTrackingFile
from corosync_tw.net.errors import StorageError


@pytest.fixture
def threads():
    pool = ThreadPool(1, 1)
    pool.start()
    yield pool
    pool.stop()


def make(threads, directory):
    return EvTrackingFile(reactor, threads, str(directory))


def test_no_file_is_no_votes(threads, tmp_path):
    assert make(threads, tmp_path).load() == 0


def test_the_last_number_stays(threads, tmp_path):
    """Writes are in order, however many wait."""
    file = make(threads, tmp_path)
    for number in (3, 5, 4):
        file._write(number)
    assert make(threads, tmp_path).load() == 4
    assert (tmp_path / "ev_tracking").read_bytes() == b"\4\0\0\0"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ev_tracking"]


@pytest.mark.parametrize("content", [b"", b"\1\0\0", b"\1\0\0\0\0"])
def test_a_damaged_file_counts_as_none(threads, tmp_path, content):
    (tmp_path / "ev_tracking").write_bytes(content)
    assert make(threads, tmp_path).load() == 0


def test_what_cannot_be_kept_is_said(threads, tmp_path):
    file = make(threads, tmp_path / "missing")
    with pytest.raises(StorageError, match="cannot store the expected votes"):
        file._write(3)
    (tmp_path / "ev_tracking").mkdir()
    with pytest.raises(StorageError, match="cannot read the expected votes"):
        make(threads, tmp_path).load()
