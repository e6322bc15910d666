"""corosync-tw sniff: its options, its exit codes, and what goes where."""

import json
import lzma
from collections import Counter

import pytest

from corosync_tw import features
from corosync_tw.cli import sniff_live
from corosync_tw.cli.main import main
from corosync_tw.cli.sniff_live import LiveCapture
from corosync_tw.errors import CsError
from tests.unit.dissect.making import ethernet, pcap
from tests.unit.totem import capture


@pytest.fixture
def stock(tmp_path):
    path = tmp_path / "stock.pcap"
    path.write_bytes(lzma.decompress((capture.DATA / "corosync-3.1.7-udpu.pcap.xz").read_bytes()))
    return str(path)


def run(capsys, *args):
    try:
        main(["sniff", *args])
        code = 0
    except SystemExit as end:
        code = end.code
    return (code, *capsys.readouterr())


def test_counts_of_a_stock_ring(capsys, stock):
    code, out, err = run(capsys, "-r", stock, "--counts", "--json")
    assert (code, err) == (0, "")
    counts = json.loads(out)
    assert (counts["packets"], counts["shown"], counts["faults"]) == (4000, 4000, 0)
    assert counts["frames"] == {
        "mcast": 3317,
        "orf_token": 627,
        "memb_merge_detect": 24,
        "memb_join": 18,
        "memb_commit_token": 10,
        "token_hold_cancel": 4,
    }


def test_filters_are_all_met(capsys, stock):
    args = ("--type", "orf_token,memb_commit_token", "--nodeid", "2,9", "--ring", "1.9")
    code, out, err = run(capsys, "-r", stock, "--json", *args)
    frames = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert Counter(frame["kind"] for frame in frames) == {"orf_token": 43, "memb_commit_token": 2}
    assert {frame["layers"][0]["nodeid"] for frame in frames} == {2}
    assert {frame["layers"][1]["ring_id.seq"] for frame in frames} == {9}
    assert err.startswith("4000 packets, 4000 frames, 45 of them shown\n")


def test_it_ends_after_so_many_frames(capsys, stock):
    code, out, err = run(capsys, "-r", stock, "-c", "2", "--type", "memb_join")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "2 of them shown" in err


def test_a_cut_file_is_shown_as_far_as_it_goes(capsys, tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap([ethernet(frame) for frame in capture.frames()[:3]])[:-9])
    code, out, err = run(capsys, "-r", str(path))
    assert (code, len(out.splitlines())) == (1, 2)
    assert f"corosync-tw: {path}: byte 230: the file ends within a packet" in err


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["-r", "/nowhere/at/all"], "cannot read /nowhere/at/all: No such file"),
        (["-r", "-", "--key", "/dev/null"], "/dev/null is no key of a cluster"),
        (["-r", "-", "--key", "/nowhere"], "cannot read the key /nowhere"),
        (["--type", "token"], "no such type: token; there are orf_token, mcast"),
        (["--ring", "7"], "'7' is no ring: REP.SEQ"),
        (["--port", "70000"], "'70000' is no port"),
        (["--nodeid", "-1"], "'-1' is no number from 0"),
        (["-c", "0"], "'0' is no number from 1"),
        pytest.param(
            ["-i", "no-such-interface"],
            "cannot listen on no-such-interface: ",
            marks=pytest.mark.needs("packet"),
        ),
    ],
)
def test_what_is_wrong_is_said(capsys, args, complaint):
    code, out, err = run(capsys, *args)
    assert code in {1, 2}
    assert out == ""
    assert complaint in err


def test_without_packet_sockets_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(features, "OFF", frozenset({"packet"}))
    with pytest.raises(CsError, match=r"tcpdump -w FILE udp"):
        LiveCapture(sniff_live.ANY)


def test_the_dissector_is_printed(capsys):
    code, out, _ = run(capsys, "--lua")
    assert code == 0
    assert out.startswith("-- corosync_tw ")
    assert "DissectorTable" in out
