"""The tool that replays recordings."""

import json
import lzma
from pathlib import Path

import pytest

from corosync_tw.cli.fplay import line
from corosync_tw.cli.main import main
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.logsys.settings import SUBSYSTEMS
from corosync_tw.totem.trace import TraceCode

DATA = Path(__file__).resolve().parents[2] / "data"
WALL_NS = 1_795_438_000_000_000_000


@pytest.fixture
def paths(tmp_path):
    made = []
    for nodeid in (1, 2):
        times = iter(range(10**9 * nodeid, 10**12, 1_000_000))
        path = str(tmp_path / f"flight-{nodeid}.rec")
        recorder = FlightRecorder(
            path,
            nodeid,
            slots=(64, 64, 64),
            now_ns=times.__next__,
            wall_ns=lambda: WALL_NS,
        )
        recorder.record(Code.NODE_READY)
        recorder.record(TRACES + TraceCode.TOKEN_LATE, 650)
        recorder.record_list(Code.RING_INSTALLED, (1, 8), (1, 2))
        recorder.record_text(Code.LOG, (3, SUBSYSTEMS.index("CPG")), "no votes")
        made.append(path)
    return made


def played(capsys, *argv, code=0):
    if code:
        with pytest.raises(SystemExit) as caught:
            main(["fplay", *argv])
        assert caught.value.code == code
    else:
        main(["fplay", *argv])
    out, err = capsys.readouterr()
    return out.splitlines(), err


def test_records_are_printed_one_a_line(paths, capsys):
    lines, err = played(capsys, paths[0])
    assert err == ""
    assert lines == [
        "2026-11-23T12:46:40.002000Z    1        - MAIN    ready to provide service",
        "2026-11-23T12:46:40.003000Z    1        - TOTEM   no token for 650 ms",
        "2026-11-23T12:46:40.004000Z    1      1.8 TOTEM   ring 1.8 is installed, members: 1 2",
        "2026-11-23T12:46:40.005000Z    1      1.8 CPG     error: no votes",
    ]


def test_json_is_one_object_a_line(paths, capsys):
    lines, _ = played(capsys, "--json", paths[0])
    told = [json.loads(text) for text in lines]
    assert [each["event"] for each in told] == ["node_ready", "token_late", "ring_installed", "log"]
    assert told[2]["values"] == {"rep": 1, "ring_seq": 8, "members": [1, 2]}


def test_several_files_are_one_timeline(paths, capsys):
    lines, _ = played(capsys, *paths)
    assert len(lines) == 8
    assert [text.split()[1] for text in lines] == ["1", "2"] * 4


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--subsystem", "totem"], 4),
        (["--subsystem", "cpg,MAIN"], 4),
        (["--node", "2"], 4),
        (["--event", "token_late,log"], 4),
        (["--message", "for \\d+ ms"], 2),
        (["--since", "2026-11-23T12:46:40.004"], 4),
        (["--until", "2026-11-23T12:46:40.003+00:00"], 2),
        (["--until", "2026-11-23T14:46:40.003+02:00"], 2),
        (["--node", "3"], 0),
    ],
)
def test_records_are_chosen(paths, capsys, options, count):
    assert len(played(capsys, *options, *paths)[0]) == count


@pytest.mark.parametrize(
    "options",
    [["--message", "("], ["--since", "yesterday"], ["--node", "one"], ["--html", "x", "--follow"]],
)
def test_wrong_options_are_refused(paths, capsys, options):
    _, err = played(capsys, *options, paths[0], code=2)
    assert options[-1].strip("-") in err


def test_a_page_is_written(paths, capsys, tmp_path):
    page = tmp_path / "page.html"
    assert played(capsys, "--html", str(page), *paths) == ([], "")
    assert page.read_text().startswith("<!DOCTYPE html>")
    lines, _ = played(capsys, "--html", "-", *paths)
    assert "\n".join(lines).rstrip() == page.read_text().rstrip()
    _, err = played(capsys, "--html", str(tmp_path / "no" / "page"), *paths, code=1)
    assert "cannot be written: No such file or directory" in err


def test_what_can_be_read_is_played_beside_what_cannot(paths, capsys, tmp_path):
    (tmp_path / "text").write_text("hello")
    lines, err = played(capsys, str(tmp_path / "text"), paths[0], code=1)
    assert len(lines) == 4
    assert err.startswith(f"corosync-tw fplay: {tmp_path}/text: no recording of corosync_tw")
    assert err.count("\n") == 1


def test_damage_is_told(paths, capsys):
    with open(paths[0], "r+b") as file:
        file.truncate(40000)
    lines, err = played(capsys, paths[0])
    assert len(lines) == 3
    assert "the file is cut short by" in err


def test_a_record_without_ring_has_a_dash(paths):
    record = next(Recording.open(paths[0]).records())
    assert "        - " in line(record, as_json=False)


def test_files_of_stock_are_played(paths, capsys, tmp_path):
    stock = tmp_path / "fdata"
    stock.write_bytes(lzma.decompress((DATA / "corosync-3.1.7-fdata.xz").read_bytes()))
    lines, err = played(capsys, str(stock))
    assert err == ""
    assert any("Initializing transport" in text for text in lines)
    both, _ = played(capsys, str(stock), paths[0])
    assert len(both) == len(lines) + 4


def test_a_page_is_for_those_who_may_read_a_recording(paths, tmp_path):
    page = tmp_path / "page.html"
    main(["fplay", "--html", str(page), *paths])
    assert not page.stat().st_mode & 0o007
