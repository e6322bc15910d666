"""Questions to `corosync-tw explain`, files of recorders, and what is printed."""

import json
import subprocess
import sys

import pytest

from corosync_tw.cli import main
from corosync_tw.cli.explain import Question, _question
from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.layout import Ending
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode

S = 1_000_000_000
WALL_NS = 1_795_000_000 * S
OLD, NEW = RingId(1, 8), RingId(1, 12)


@pytest.fixture
def files(tmp_path):
    """Node 2 leaves at 100 s with a good-bye; node 1 tells."""
    paths = []
    now = [0]
    for nodeid in (1, 2):
        now[0] = 10 * S
        path = tmp_path / f"flight-{nodeid}.rec"
        recorder = FlightRecorder(
            str(path),
            nodeid,
            slots=(64, 64, 64),
            now_ns=lambda: now[0],
            wall_ns=lambda: now[0] + WALL_NS,
        )
        recorder.record_text(Code.NODE_STARTED, (nodeid, 5), "1")
        recorder.record_list(Code.MEMBERS_JOINED, OLD, (1, 2))
        recorder.record_list(Code.TRANSITIONAL, OLD, ())
        recorder.record_list(Code.RING_INSTALLED, OLD, (1, 2))
        now[0] = 100 * S
        if nodeid == 1:
            recorder.record(TRACES + TraceCode.LEAVE_RECEIVED, 2)
            states = (MembState.OPERATIONAL, MembState.GATHER, 0)
            recorder.record(TRACES + TraceCode.STATE_ENTERED, *states)
            recorder.record_list(Code.MEMBERS_LEFT, NEW, (2,))
            recorder.record_list(Code.TRANSITIONAL, NEW, (1,))
            recorder.record_list(Code.RING_INSTALLED, NEW, (1,))
        else:
            recorder.record(Code.NODE_ENDING, 0, 1)
            recorder.end(Ending.ENDED, 0)
        recorder.close()
        paths.append(str(path))
    return paths


def run(*words):
    with pytest.raises(SystemExit) as ended:
        main.main(["explain", *words])
    return ended.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", Question(nodeid=3)),
        ("1.2c4", Question(ring=RingId(1, 0x2C4))),
        ("2026-11-23T14:02:00", Question(when_ns=1_795_442_520 * S)),
    ],
)
def test_what_is_asked_for_is_told_apart(text, expected):
    assert _question(text) == expected


def test_a_time_of_the_day_is_the_last_one():
    when_ns = _question("14:02").when_ns
    assert when_ns % (24 * 3600 * S) == (14 * 3600 + 2 * 60) * S


def test_what_is_no_question_is_refused(capsys):
    assert run("yesterday") == 2
    assert "neither a node id (3), nor a ring (1.2c4), nor a time" in capsys.readouterr().err
    assert run("25:99") == 2
    assert "no time of the day" in capsys.readouterr().err


def explained(tmp_path, *words):
    """Run it as a program: the reactor starts once in a process."""
    command = [sys.executable, "-m", "corosync_tw.cli.main", "explain"]
    return subprocess.run(
        [*command, "--socket", str(tmp_path / "none"), *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_files_alone_are_explained(files, tmp_path):
    outcome = explained(tmp_path, "2", "--json", "--file", *files)
    assert outcome.returncode == 0, outcome.stderr
    assert "files alone: no daemon answers" in outcome.stderr
    told = json.loads(outcome.stdout)
    assert (told["ring"], told["old_ring"], told["members"]) == ("1.c", "1.8", [1])
    assert [(each["node"], each["cause"]) for each in told["left"]] == [(2, "clean_leave")]
    assert told["recordings"] == [1, 2]
    text = explained(tmp_path, "--file", files[0]).stdout
    assert "Why node 2 left:\n  certain: it said good-bye to the ring." in text
    assert "Without that of node 2." in text


def test_a_node_that_nobody_heard_of_is_explained(files, tmp_path):
    outcome = explained(tmp_path, "7", "--file", *files)
    assert outcome.returncode == 0, outcome.stderr
    heading, _, why, *_ = outcome.stdout.splitlines()
    assert heading == "Node 7 was in no ring with others that is recorded."
    assert why == "Why node 7 is not in a ring with others:"
    assert "unknown: node 1 recorded no packet of it" in outcome.stdout
    assert "flight-7*.rec" in outcome.stdout
    told = json.loads(explained(tmp_path, "7", "--json", "--file", *files).stdout)
    assert (told["ring"], [each["cause"] for each in told["out"]]) == (None, ["unknown"])


def test_what_is_not_recorded_is_an_error(files, tmp_path):
    outcome = explained(tmp_path, "1", "--file", files[0])
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "no recording says that node 1 left; it is in ring 1.c: node 1" in outcome.stderr
    outcome = explained(tmp_path, "3.c", "--file", *files)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "that ring 3.c was installed; the last rings were 1.8, 1.c" in outcome.stderr
    outcome = explained(tmp_path, "--file", str(tmp_path / "missing"))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "missing: cannot be read" in outcome.stderr
    outcome = explained(tmp_path)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "no daemon answers" in outcome.stderr
