import errno
import os
import stat
import struct

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from corosync_tw.net.errors import EXIT_STORE_RINGID, StorageError
from corosync_tw.net.ringid_store import FileRingIdStore, MemoryRingIdStore


class DirectThreads:
    """Runs the work at once, so that a test needs no thread."""

    def callInThreadWithCallback(self, on_result, function, *args, **kwargs):
        try:
            result = function(*args, **kwargs)
        except StorageError:
            on_result(False, Failure())
        else:
            on_result(True, result)


class DirectReactor(MemoryReactorClock):
    def callFromThread(self, function, *args, **kwargs):
        function(*args, **kwargs)


@pytest.fixture
def store(tmp_path):
    return FileRingIdStore(DirectReactor(), DirectThreads(), str(tmp_path), 7)


def result_of(deferred):
    results = []
    deferred.addBoth(results.append)
    return results[0]


def test_the_first_start_gives_0_and_leaves_a_file_as_corosync_does(store, tmp_path):
    assert store.load() == 0
    path = tmp_path / "ringid_7"
    assert path.read_bytes() == bytes(8)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_stock_corosync_is_read(store, tmp_path):
    (tmp_path / "ringid_7").write_bytes(struct.pack("=Q", 0x1_0000_0004))
    assert store.load() == 0x1_0000_0004


def test_what_was_stored_is_loaded(store, tmp_path):
    assert result_of(store.store(2**62)) is None
    assert store.load() == 2**62
    assert os.listdir(tmp_path) == ["ringid_7"]


@pytest.mark.parametrize("content", [b"", b"1234567", b"123456789"])
def test_a_file_of_another_length_is_refused_with_the_remedy(store, tmp_path, content):
    (tmp_path / "ringid_7").write_bytes(content)
    with pytest.raises(StorageError, match="remove the file") as caught:
        store.load()
    assert caught.value.exit_code == EXIT_STORE_RINGID == 21
    assert str(caught.value).startswith(str(tmp_path / "ringid_7"))


def test_a_missing_directory_is_named(tmp_path):
    store = FileRingIdStore(DirectReactor(), DirectThreads(), str(tmp_path / "gone"), 1)
    with pytest.raises(StorageError, match=r"gone/ringid_1: .*No such file.*system\.state_dir"):
        store.load()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.EACCES, "writable")],
)
def test_a_failing_disk_fails_the_deferred_with_its_remedy(store, monkeypatch, number, remedy):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    failure = result_of(store.store(4))
    assert failure.check(StorageError)
    assert remedy in failure.getErrorMessage()


def test_a_failed_store_keeps_the_old_number(store, monkeypatch, tmp_path):
    result_of(store.store(4))

    def fail(_descriptor):
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert result_of(store.store(8)).check(StorageError)
    assert store.load() == 4


def test_the_memory_store_remembers_at_once():
    store = MemoryRingIdStore(3)
    assert store.load() == 3
    assert result_of(store.store(9)) is None
    assert store.ring_seq == 9


def test_a_number_that_no_cluster_reaches_is_damage(store, tmp_path):
    (tmp_path / "ringid_7").write_bytes(b"\xff" * 8)
    with pytest.raises(StorageError, match="damaged"):
        store.load()
