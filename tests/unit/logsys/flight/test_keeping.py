"""Which files there are, and what becomes of a recorder that finds no room."""

import errno
import os

import pytest

from corosync_tw.logsys.flight import keeping
from corosync_tw.logsys.flight import recorder as recorder_module
from corosync_tw.logsys.flight.keeping import (
    ASKED,
    ASKED_MAX,
    INCIDENTS_MAX,
    KEPT_MAX,
    keep_copy,
    kept_paths,
    live_path,
    set_aside,
)
from corosync_tw.logsys.flight.layout import Ending
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.recorder import FlightRecorder

SMALL = (64, 64, 64)


def recorder_in(directory):
    return FlightRecorder(live_path(str(directory), 7), 7, slots=SMALL)


@pytest.mark.parametrize(
    ("ending", "why"),
    [(None, "killed"), (Ending.ENDED, "ended"), (Ending.FATAL, "failed")],
)
def test_the_file_of_the_process_before_is_kept(tmp_path, ending, why):
    recorder = recorder_in(tmp_path)
    if ending is not None:
        recorder.end(ending, 0)
    kept = set_aside(str(tmp_path), 7)
    assert kept is not None
    assert kept.endswith(f"Z-{why}.rec")
    assert kept_paths(str(tmp_path), 7) == [kept]
    assert Recording.open(kept).nodeid == 7
    assert set_aside(str(tmp_path), 7) is None


def test_the_last_incidents_alone_are_kept(tmp_path):
    for number in range(INCIDENTS_MAX + 5):
        keep_copy(str(tmp_path), 7, b"%d" % number, "lost")
    keep_copy(str(tmp_path), 71, b"another node's", "lost")
    (tmp_path / "flight-7.notes-of-mine.rec").write_text("mine")
    paths = kept_paths(str(tmp_path), 7)
    assert len(paths) == INCIDENTS_MAX
    assert {open(path, "rb").read() for path in paths} == {  # noqa: SIM115
        b"%d" % number for number in range(5, INCIDENTS_MAX + 5)
    }
    assert (tmp_path / "flight-7.notes-of-mine.rec").exists()
    assert len(kept_paths(str(tmp_path), 71)) == 1


def test_copies_that_are_asked_for_push_out_no_incident(tmp_path):
    incident = keep_copy(str(tmp_path), 7, b"what happened", "lost")
    asked = [keep_copy(str(tmp_path), 7, b"asked", ASKED) for _ in range(KEPT_MAX + 1)]
    assert kept_paths(str(tmp_path), 7) == [incident, *asked[-ASKED_MAX:]]


def test_incidents_after_the_clock_was_set_back_are_the_last_ones(tmp_path, monkeypatch):
    now_ns = [1_795_438_000 * 10**9]
    monkeypatch.setattr(keeping.time, "time_ns", lambda: now_ns[0])
    for number in range(INCIDENTS_MAX + 4):
        if number == INCIDENTS_MAX:
            now_ns[0] -= 3600 * 10**9
        now_ns[0] += 10**9
        assert os.path.exists(keep_copy(str(tmp_path), 7, b"%d" % number, "lost"))
    paths = kept_paths(str(tmp_path), 7)
    assert {open(path, "rb").read() for path in paths} == {  # noqa: SIM115
        b"%d" % number for number in range(4, INCIDENTS_MAX + 4)
    }


def test_nobody_else_reads_them(tmp_path):
    recorder_in(tmp_path)
    kept = keep_copy(str(tmp_path), 7, b"x", "lost")
    for path in (live_path(str(tmp_path), 7), kept):
        assert os.stat(path).st_mode & 0o007 == 0


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(recorder_module.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        recorder_in(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_copy_that_finds_no_room_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        keep_copy(str(tmp_path), 7, b"x", "lost")
    assert os.listdir(tmp_path) == []
