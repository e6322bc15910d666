"""Parts of the demonstration that need no cluster."""

import io
import tempfile
from pathlib import Path

import pytest

from corosync_tw.cli.book import LINE_LEN_CHARS, book
from corosync_tw.cli.demo import make_work_dir, read_text
from corosync_tw.cli.demo_cluster import DemoCluster
from corosync_tw.cli.demo_report import Report
from corosync_tw.cli.demo_screen import Screen, bar
from corosync_tw.cli.demo_tally import Tally, numbered
from corosync_tw.client.cpg import Message
from corosync_tw.errors import CsError


def messages(*pairs):
    return [
        Message(1, 1, 1, numbered(sender, number, b"a line of %d" % number))
        for sender, number in pairs
    ]


def test_the_book_is_of_books_size_readable_and_always_the_same():
    lines = list(book())
    assert 300_000 < sum(len(line.encode()) + 1 for line in lines) < 500_000
    assert max(len(line) for line in lines if line[:7] != "Chapter") <= LINE_LEN_CHARS
    assert lines == list(book())
    assert lines != list(book(seed=2))
    assert not any("{" in line or "}" in line for line in lines)
    assert sum(line.startswith("Chapter ") for line in lines) == 45


def test_a_tally_sees_what_is_lost_doubled_or_swapped():
    good, lost, doubled, swapped = (Tally() for _ in range(4))
    good.hear(messages(("a", 1), ("b", 1), ("a", 2)))
    lost.hear(messages(("a", 1), ("b", 1), ("a", 3)))
    doubled.hear(messages(("a", 1), ("a", 1), ("b", 1), ("a", 2)))
    swapped.hear(messages(("a", 2), ("b", 1), ("a", 1)))
    assert good.faults == 0
    assert good.last == {"a": 2, "b": 1}
    assert [tally.faults for tally in (lost, doubled, swapped)] == [1, 1, 2]


def test_a_digest_tells_the_order_among_senders_and_not_the_grouping():
    one, two, other = Tally(), Tally(), Tally()
    one.hear(messages(("a", 1), ("b", 1)))
    two.hear(messages(("a", 1)))
    two.hear(messages(("b", 1)))
    other.hear(messages(("b", 1), ("a", 1)))
    assert one.digest == two.digest != other.digest
    for tally in (one, other):
        tally.begin_part()
        tally.hear(messages(("a", 2)))
    assert one.digest != other.digest
    assert one.part_digest == other.part_digest


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_nothing_is_overwritten():
    out = io.StringIO()
    screen = Screen(out, {"TERM": "xterm"})
    screen.live("half way")
    screen.title("The end")
    assert out.getvalue() == "The end\n"


def test_on_a_terminal_the_live_line_gives_way():
    out = Terminal()
    screen = Screen(out, {"TERM": "xterm", "NO_COLOR": ""})
    screen.live("half way")
    screen.say("news")
    screen.say("more")
    assert out.getvalue() == "\r\x1b[Khalf way\r\x1b[Knews\nmore\n"
    out = Terminal()
    Screen(out, {"TERM": "xterm"}).title("The end")
    assert out.getvalue() == "\x1b[1mThe end\x1b[0m\n"
    out = Terminal()
    Screen(out, {"TERM": "dumb"}).live("half way")
    assert out.getvalue() == ""


def test_a_table_lines_its_columns_up():
    out = io.StringIO()
    Screen(out, {}).table(["node", "sent"], [["node1", "5"], ["node2", "1,000"]])
    assert out.getvalue().splitlines() == [
        "node   sent",
        "-----  -----",
        "node1      5",
        "node2  1,000",
    ]


def test_a_bar_stays_in_its_frame():
    assert bar(0.5, 4) == "[##..]"
    assert bar(7, 4) == "[####]"


def report_of(*heard):
    cluster = DemoCluster(None, Screen(io.StringIO(), {}), Path(), Path())
    for node, pairs in zip(cluster.nodes, heard, strict=True):
        node.starts = 1
        cluster.tallies[node.number] = tally = Tally()
        tally.hear(messages(("node1.1", 1)))
        tally.begin_part()
        tally.hear(messages(*pairs))
    return Report(cluster)


ALL = [("node1.1", 2), ("node2.1", 1), ("node3.1", 1)]
SENT = {"node1.1": 2, "node2.1": 1, "node3.1": 1}


def test_the_verdict_is_good_when_all_heard_the_same():
    assert report_of(ALL, ALL, ALL).faults(SENT) == []


@pytest.mark.parametrize(
    ("heard", "fault"),
    [
        ((ALL, [ALL[1], ALL[0], ALL[2]], ALL), "different sequences"),
        ((ALL, ALL, ALL[:2]), "since the rejoin"),
        ((ALL[:2], ALL[:2], ALL[:2]), "node1 heard 0 of 1 messages of node3"),
        (([*ALL, ALL[0]],) * 3, "node2 heard 1 messages out of turn"),
    ],
)
def test_the_verdict_names_what_is_wrong(heard, fault):
    assert any(fault in text for text in report_of(*heard).faults(SENT))


def test_a_text_of_ones_own(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"one\n\ntwo")
    assert read_text(path) == [b"one", b"", b"two"]
    path.write_bytes(b"")
    with pytest.raises(CsError, match="no lines"):
        read_text(path)
    with pytest.raises(CsError, match=r"cannot read .*: No such file"):
        read_text(tmp_path / "none")
    path.write_bytes(b"x" * 3_000_000)
    assert len(read_text(path)) == 3


def test_sockets_have_room_wherever_temporary_files_go(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    short = tmp_path / "s"
    for parent in (tmp_path / ("long" * 25), short):
        parent.mkdir(parents=True)
        monkeypatch.setattr(tempfile, "tempdir", str(parent))
        made = make_work_dir()
        assert len(str(made / "var" / "node1" / "corosync_tw.sock")) <= 107
        made.rmdir()
