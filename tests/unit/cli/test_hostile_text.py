"""What others wrote reaches a terminal as text, and a page as text; it moves and runs nothing."""

import json
import re
import struct
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from corosync_tw.cli import blackbox, doctor
from corosync_tw.cli.explain import Question, Within, answer
from corosync_tw.cli.explain_sources import Sources
from corosync_tw.cli.explain_text import as_text
from corosync_tw.cli.main import main
from corosync_tw.cli.running import complain
from corosync_tw.diagnosis.cluster import Cluster, Outsider, Reach
from corosync_tw.diagnosis.incidents.recorded import lives_of
from corosync_tw.diagnosis.rules import diagnose
from corosync_tw.errors import CsTimeout
from corosync_tw.logsys.flight import layout
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.layout import Ending
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.qb_blackbox import BlackboxEntry
from corosync_tw.logsys.qb_blackbox_write import write_blackbox
from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode
from tests.unit.cli import test_top
from tests.unit.diagnosis.test_rules import NOW_NS, SOUND
from tests.unit.dissect.making import block, ethernet, pcapng
from tests.unit.totem import capture

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
# Clears a screen, sets a title, begins a line, goes back in it, turns what follows around.
ORDERS = "\x1b[2J\x1b]0;owned\x07\nfault\r\x08\x9b31m\u202e"
EVIL = ORDERS + MARKUP


def is_harmless(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture
def recording(tmp_path):
    """A file whose texts, and whose own words for events, mean harm."""
    path = tmp_path / "flight-1.rec"
    times = iter(range(10**9, 10**12, 10**6))
    slots = (64, 64, 64)
    recorder = FlightRecorder(str(path), 1, slots=slots, now_ns=times.__next__, wall_ns=lambda: 0)
    recorder.record_text(Code.NODE_STARTED, (1, 5), EVIL)
    recorder.record_list(Code.RING_INSTALLED, (1, 8), (1, 2))
    recorder.record_text(Code.MEMBER_LEFT, (2,), EVIL)
    states = (MembState.OPERATIONAL, MembState.GATHER, 0)
    recorder.record(TRACES + TraceCode.STATE_ENTERED, *states)
    recorder.record(TRACES + TraceCode.TOKEN_RECEIVED, 1, 2, 3, 4)
    recorder.record_list(Code.MEMBERS_LEFT, (1, 12), (2,))
    recorder.record_list(Code.RING_INSTALLED, (1, 12), (1,))
    recorder.record_text(Code.NODE_FAILED, (8,), EVIL)
    recorder.record_text(Code.LOG, (3, 0), EVIL)
    recorder.record(Code.LOOP_PAUSED, 2_000_000, 1_000_000)
    recorder.close()
    return path


def with_table(path, table):
    data = path.read_bytes()
    head, _ = layout.decode_head(data)
    new = layout.encode_head(replace(head, table=json.dumps(table).encode(), hostname=EVIL))
    path.write_bytes(new + data[layout.HEADER_LEN_BYTES :])


@pytest.fixture
def hostile_table(recording):
    head, _ = layout.decode_head(recording.read_bytes())
    told = json.loads(head.table)
    codes = {Code.NODE_FAILED, Code.LOG, Code.MEMBERS_LEFT, Code.RING_INSTALLED, Code.LOOP_PAUSED}
    codes |= {TRACES + TraceCode.STATE_ENTERED, TRACES + TraceCode.TOKEN_RECEIVED}
    events = [event for event in told["events"] if event[0] in codes]
    for event in events:
        event[2], event[4] = EVIL, f"{EVIL} {event[4]}"
    words = {"level": dict.fromkeys(range(9), EVIL), "subsys": {0: EVIL}}
    with_table(recording, {"events": events, "words": words})
    return recording


RECORDINGS = pytest.mark.parametrize("which", ["recording", "hostile_table"])


@RECORDINGS
def test_a_recording_gives_a_terminal_no_orders(which, request, capsys):
    main(["fplay", str(request.getfixturevalue(which))])
    out, err = capsys.readouterr()
    assert "alert(1)" in out
    assert is_harmless(out + err)
    assert not [line for line in out.split("\n") if line.startswith("fault")]


@RECORDINGS
def test_an_explanation_gives_a_terminal_no_orders(which, request, tmp_path):
    sources = Sources()
    sources.open([str(request.getfixturevalue(which)), failed(tmp_path / "flight-2.rec")])
    told = answer(lives_of(sources.recordings), Question(nodeid=2), Within())
    assert "alert(1)" in as_text(told, sources)
    assert is_harmless(as_text(told, sources))


def failed(path):
    """What a node left that gave its reasons for giving up."""
    times = iter(range(10**9, 10**12, 10**6))
    slots = (64, 64, 64)
    recorder = FlightRecorder(str(path), 2, slots=slots, now_ns=times.__next__, wall_ns=lambda: 0)
    recorder.record_list(Code.RING_INSTALLED, (1, 8), (1, 2))
    recorder.record_text(Code.NODE_FAILED, (8,), EVIL)
    recorder.end(Ending.FATAL, 8)
    recorder.close()
    return str(path)


class Tags(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.links, self.text = set(), set(), set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value for name, value in attrs if name == "href"}

    def handle_data(self, data):
        self.text += data


@RECORDINGS
def test_a_page_holds_recorded_texts_as_text_alone(which, request, tmp_path, capsys):
    paths = str(request.getfixturevalue(which)), failed(tmp_path / "flight-2.rec")
    main(["fplay", "--html", "-", *paths])
    page = capsys.readouterr().out
    found = Tags(page)
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in found.text
    assert not found.tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not found.attributes & {"src", "style", "xlink:href"}
    # From one place of the page to another.
    assert all(re.fullmatch(r"#[a-z0-9-]+", link) for link in found.links)
    # Nothing of it closes an attribute, either: there is no quote in one but as an entity.
    assert "owned\"'" not in page


def test_a_capture_gives_a_terminal_no_orders(tmp_path, capsys):
    name = EVIL.encode()
    options = struct.pack("<HH", 2, len(name)) + name + bytes(-len(name) % 4)
    interface = block(1, struct.pack("<HHI", 1, 0, 0) + options + bytes(4), "<")
    frame = next(frame for frame in capture.frames() if b"corosync" in bytes(frame) or frame)
    start, packet = pcapng([])[:28], pcapng([ethernet(bytes(frame))])[len(pcapng([])) :]
    path = tmp_path / "hostile.pcapng"
    path.write_bytes(start + interface + packet)
    for how in ("-v", "--json"):
        main_ended(["sniff", "-r", str(path), how])
        out, err = capsys.readouterr()
        assert "alert(1)" in out
        assert is_harmless(out + err)


def main_ended(argv):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert not ended.value.code


def test_lies_of_a_member_give_a_terminal_no_orders():
    lying = replace(
        SOUND,
        nodeid=2,
        versions={"corosync_tw": EVIL},
        configuration={EVIL: EVIL},
        key_digest=EVIL,
        links=[(0, EVIL, "FAULTY" + EVIL)],
        mtu_bytes={EVIL: 1, "0": 9000},
        free_bytes={EVIL: 1},
    )
    told = Cluster(
        nodeid=1,
        facts={1: SOUND, 2: lying},
        silent={3: CsTimeout(EVIL)},
        outsiders=(Outsider(4, {EVIL: Reach.NOTHING}),),
        bad_links=(),
        asked_ns=NOW_NS,
        answered_ns=NOW_NS,
    )
    findings = diagnose(told)
    assert is_harmless(doctor.as_text(told, findings))
    assert doctor.as_text(told, findings).count("alert(1)") >= 7
    assert is_harmless(doctor.as_json(told, findings))


def test_a_complaint_gives_a_terminal_no_orders(capsys):
    complain(f"first\n{EVIL}")
    assert is_harmless(capsys.readouterr().err)


def test_a_blackbox_gives_a_terminal_no_orders(tmp_path, capsys):
    path = tmp_path / "fdata"
    path.write_bytes(write_blackbox([BlackboxEntry(10**18, Level.NOTICE, 1, EVIL, 1, EVIL)], 10**6))
    for how in ((), ("--json",)):
        assert blackbox.main([*how, str(path)]) == 0
        out, err = capsys.readouterr()
        assert "alert(1)" in out
        assert is_harmless(out + err)
    main(["fplay", str(path)])
    assert is_harmless(capsys.readouterr().out)


@pytest.mark.parametrize("value", [EVIL, 7, 1.5, b"\x1b[2J"])
def test_values_of_a_map_give_the_screen_no_orders(value):
    """Whoever may set keys sets any to a value of any type."""
    status = {"nodelist.node.0.nodeid": 1, "runtime.members.1.join_count": 2}
    icmap = dict.fromkeys([*test_top.ICMAP, "nodelist.node.9.nodeid"], value) | status
    look = replace(test_top.NOW, icmap=icmap)
    before = replace(test_top.BEFORE, icmap=icmap)
    for colours in (None, "truecolor"):
        made = test_top.view(look, before)
        out = test_top.shown(made, 200, color_system=colours)
        assert "\x1b[2J" not in out
        assert "\x1b]" not in out
        assert "\u202e" not in out
        assert "\r" not in out
    assert is_harmless(test_top.shown(made, 200))
