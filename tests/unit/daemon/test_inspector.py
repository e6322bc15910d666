"""What a node answers when others inspect it, whatever its files are like."""

import json
import os

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock

from corosync_tw.client.inspection import unpacked
from corosync_tw.config.load import load_file
from corosync_tw.corotypes import CS_OK
from corosync_tw.daemon import inspector as inspector_module
from corosync_tw.daemon.complaints import Complaints
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.inspected import LOG_LEN_BYTES
from corosync_tw.daemon.inspector import GATHERINGS_MAX, Inspector
from corosync_tw.daemon.maps import Maps
from corosync_tw.diagnosis.facts import decode_facts
from corosync_tw.errors import CsBusy, CsFailedOperation, CsNotSupported
from corosync_tw.net.stats import TransportStats
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.inspection.effects import Inspect
from corosync_tw.services.inspection.wire import Topic
from tests.unit.config.hosts import conf, host
from tests.unit.ipc.lone_stack import LoneStack

SECRET = "not to be told"


class Node:
    def __init__(self, directory):
        self.log = directory / "logs" / "corosync.log"
        self.log.parent.mkdir()
        self.file = directory / "corosync.conf"
        logging = f"logging {{\nto_logfile: yes\nlogfile: {self.log}\n}}"
        self.file.write_bytes(conf(totem=f"key: {SECRET}", rest=logging))
        self.config = load_file(str(self.file), host=host())
        self.stack = LoneStack().stack
        self.stack.inspection.answer = lambda *answer: self.answers.append(answer)
        self.maps = Maps(self.config, self.stack, lambda: 0, TransportStats())
        links = NodeFacts(lambda: self.config, self.stack, self.maps.icmap)
        self.state = directory / "state"
        self.state.mkdir()
        reactor = Clock()
        reactor.getThreadPool = lambda: None
        self.answers = []
        inspector = Inspector(
            reactor,
            lambda: self.config,
            self.stack,
            self.maps,
            links,
            complaints=Complaints(),
            directory=str(self.state),
            pump=lambda: None,
        )
        (self.inspect,) = inspector.routes().values()

    def ask(self, topic, argument=b""):
        """Give the error, and the answer as the asker has it."""
        self.inspect(Inspect(2, 1, topic, argument))
        ((asker, request, answered, error, data),) = self.answers
        self.answers.clear()
        assert (asker, request, answered) == (2, 1, topic)
        return error, unpacked(data) if error == CS_OK else data.decode()


@pytest.fixture
def node(tmp_path, monkeypatch):
    """One whose threads are done at once."""
    monkeypatch.setattr(
        inspector_module,
        "deferToThreadPool",
        lambda reactor, pool, call: defer.maybeDeferred(call),
    )
    return Node(tmp_path)


def test_facts_are_those_that_a_diagnosis_reads(node):
    error, data = node.ask(Topic.FACTS)
    assert error == CS_OK
    facts = decode_facts(data)
    assert (facts.nodeid, facts.members) == (1, [1])
    assert list(facts.free_bytes) == [str(node.log.parent.parent / "state"), str(node.log.parent)]


def test_a_host_that_tells_less_of_itself_has_facts_all_the_same(node):
    """An error here would be one of the whole node: the loop calls this."""
    node.log.parent.rmdir()
    error, data = node.ask(Topic.FACTS)
    assert error == CS_OK
    assert list(decode_facts(data).free_bytes) == [str(node.log.parent.parent / "state")]


def test_no_topic_tells_a_secret(node):
    node.log.write_text(f"a line\nkey: {SECRET}\n")
    set_key = node.maps.icmap.set
    set_key("totem.key", TypedValue.string(SECRET))
    set_key("app.password", TypedValue.string(SECRET))
    set_key("totem.proxy", TypedValue.string(f"http://{SECRET.replace(' ', '-')}@host/"))
    for topic in Topic:
        error, data = node.ask(topic, b"list")
        assert error == CS_OK
        assert SECRET.encode() not in data
        assert SECRET.replace(" ", "-").encode() not in data
    assert b"key: (removed)\n" in node.ask(Topic.CONFIGURATION)[1]
    assert node.ask(Topic.LOG)[1] == b"a line\nkey: (removed)\n"
    assert json.loads(node.ask(Topic.STATISTICS)[1])["totem.proxy"] == "http://(removed)@host/"


def test_the_end_of_a_long_log_begins_with_a_line(node):
    line = f"key: {SECRET}\n"
    # The end begins behind the colon of one of these lines.
    last = "x" * ((LOG_LEN_BYTES + len("key:")) % len(line) - 1)
    node.log.write_text(line * (LOG_LEN_BYTES // len(line) + 2) + last + "\n")
    assert node.log.read_bytes()[-LOG_LEN_BYTES:].startswith(f" {SECRET}".encode())
    error, told = node.ask(Topic.LOG)
    assert error == CS_OK
    assert set(told.splitlines()) == {b"key: (removed)", last.encode()}


def test_a_pipe_in_the_place_of_a_log_holds_nobody_up(node):
    os.mkfifo(node.log)
    error, text = node.ask(Topic.LOG)
    assert error == CsFailedOperation.code
    assert text == f"{node.log}: not a regular file"


def test_a_link_in_the_place_of_a_recording_leads_nowhere(node, tmp_path):
    (tmp_path / "other").write_text("of somebody else")
    (node.state / "flight-1.rec").symlink_to(tmp_path / "other")
    error, text = node.ask(Topic.RECORDING)
    assert error == CsFailedOperation.code
    assert "somebody" not in text


@pytest.mark.parametrize("name", [b"../../../etc/passwd", b"..", b"corosync.conf", b"\0", b"\xff"])
def test_a_recording_is_had_by_the_name_of_a_recording_alone(node, name):
    (node.state / "corosync.conf").write_text("of the state directory")
    error, _ = node.ask(Topic.RECORDING, name)
    assert error == CsFailedOperation.code


def test_recordings_that_are_there_are_given(node):
    kept = "flight-1.20261123T120000.000000Z-lost.rec"
    (node.state / kept).write_bytes(b"kept")
    (node.state / "flight-1.rec").write_bytes(b"live")
    (node.state / "flight-2.20261123T120000.000000Z-lost.rec").write_bytes(b"of another node")
    assert node.ask(Topic.RECORDING, b"list") == (CS_OK, kept.encode())
    assert node.ask(Topic.RECORDING, kept.encode()) == (CS_OK, b"kept")
    assert node.ask(Topic.RECORDING) == (CS_OK, b"live")


def test_a_topic_of_a_later_version_is_refused(node):
    assert node.ask(77)[0] == CsNotSupported.code


def test_questions_faster_than_a_disk_are_refused(node, monkeypatch):
    waiting = []

    def in_thread(reactor, pool, call):
        waiting.append((defer.Deferred(), call))
        return waiting[-1][0]

    monkeypatch.setattr(inspector_module, "deferToThreadPool", in_thread)
    for request in range(GATHERINGS_MAX + 5):
        node.inspect(Inspect(2, request, Topic.CONFIGURATION, b""))
    assert len(waiting) == GATHERINGS_MAX
    assert [answer[3] for answer in node.answers] == [CsBusy.code] * 5
    for done, call in waiting[:]:
        done.callback(call())
    assert [answer[3] for answer in node.answers[5:]] == [CS_OK] * GATHERINGS_MAX
    node.inspect(Inspect(2, 99, Topic.CONFIGURATION, b""))
    assert len(waiting) == GATHERINGS_MAX + 1
