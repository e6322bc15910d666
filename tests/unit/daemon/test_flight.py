"""What a node tells its recorder, and what becomes of a node without one."""

import errno
import os
from typing import NamedTuple

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.daemon import flight as flight_module
from corosync_tw.daemon.flight import AFTERMATH_S, LOST_INTERVAL_S, VISIT, FlightLog
from corosync_tw.logsys.flight.events import Code
from corosync_tw.logsys.flight.keeping import kept_paths, live_path
from corosync_tw.logsys.flight.layout import Ending
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.logger import SubsysLogger
from corosync_tw.net.crypto.guard import Refused
from corosync_tw.services.cfg.effects import (
    CryptoPhaseReached,
    NodeKilled,
    NodeShutDown,
    ReloadRequested,
    ShutdownDecided,
)
from corosync_tw.services.cmap.effects import ConfigVersionDiffers
from corosync_tw.services.effects import FatalError, QuorumChange, SyncDone, TotemConfchg
from corosync_tw.totem.effects import TokenSent, Trace
from corosync_tw.totem.links import LinkEvent, LinkEventKind
from corosync_tw.totem.trace import TraceCode

RING = RingId(1, 0x1C)


class Client(NamedTuple):
    pid: int
    conn: int
    procname: str


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A flight log whose copies are written at once."""
    monkeypatch.setattr(
        flight_module,
        "deferToThreadPool",
        lambda reactor, pool, call, *args: defer.execute(call, *args),
    )
    reactor = Clock()
    reactor.getThreadPool = lambda: None
    publisher = LogPublisher()
    log = FlightLog(publisher)
    log.lines = []
    log.publisher, log.reactor = publisher, reactor
    log.open(reactor, str(tmp_path), 7, lambda level, text: log.lines.append((level, text)))
    yield log
    log.end(0)


def texts(node):
    records = Recording(node.recorder.snapshot(), "test").records()
    return [record.text for record in records][1:]


def test_effects_are_recorded(node):
    for effect in (
        Trace(TraceCode.TOKEN_LOST, (1, 1000, 1200)),
        Trace(TraceCode.CONSENSUS_TIMED_OUT, (3,)),
        Trace(99, (1, 2)),
        TotemConfchg(ConfChangeType.TRANSITIONAL, RING, (1, 2), (3,), ()),
        TotemConfchg(ConfChangeType.REGULAR, RING, (1, 2, 4), (), (4,)),
        QuorumChange(True, (1, 2, 4), RING),
        SyncDone(RING, (1, 2, 4), True),
        NodeShutDown(2),
        NodeKilled(3, 1, "because"),
        ReloadRequested(1),
        CryptoPhaseReached(2),
        ShutdownDecided(1, 2, 3),
        TokenSent(),
        ConfigVersionDiffers(3, 4, 5),
        FatalError("it is over", 20, True),
    ):
        node.effect(effect)
    assert texts(node) == [
        "the token was lost in the OPERATIONAL state: nothing for 1000 ms; consensus has 1200 ms",
        "the consensus timeout expired; not heard of: 3",
        "left with ring 1.1c: 3",
        "on the way to ring 1.1c with: 1 2",
        "joined with ring 1.1c: 4",
        "ring 1.1c is installed, members: 1 2 4",
        "quorate: yes; members: 1 2 4",
        "services are synchronized in ring 1.1c",
        "node 2 is shut down by its administrator",
        "node 1 orders node 3 to die: because",
        "node 1 asks all to read their configuration again",
        "change of keys: phase 2",
        "shutdown decided: 1 for it, 2 against, flags 3",
        "node 3 has configuration version 4, here it is 5",
        "the node cannot go on (status 20): it is over",
    ]


def test_what_others_tell_is_recorded(node):
    node.ready()
    node.visit(VISIT, 1, 2, 3, 4)
    node.link_event(LinkEvent(LinkEventKind.HOST_DOWN, 1, 3, ()))
    node.member_left(3, "token lost")
    node.reload_done(1)
    node.directive_set("totem.token", refused=True)
    node.loop_paused(900_000_000, 800_000_000)
    node.storage_slow(2_000_000_000)
    node.storage_failed(21, "disk full")
    node.net_event("The network interface is down.")
    node.datagram_refused(3, Refused.OTHER_KEY)
    node.client(2, Client(4711, 5, "crmd"), True)
    node.client(2, Client(4711, 5, "crmd"), False)
    node.program(True, 1)
    node.program(False, 0)
    node.ending(0, leaves=True)
    assert texts(node) == [
        "ready to provide service",
        "token 3 is here: seq 1 aru 2 fcc 4",
        "link 1 to node 3 is down",
        "node 3 left the ring: token lost",
        "the configuration was read again, error 1",
        "a client set totem.token, which is refused: yes",
        "the process was not scheduled for 900.000 ms (threshold 800.000 ms)",
        "the ring waits for the disk since 2000.000 ms",
        "the ring id cannot be stored: disk full",
        "The network interface is down.",
        "a datagram of node 3 was refused: other key",
        "process 4711 (crmd) connects to cpg, connection 5",
        "process 4711 (crmd) disconnects from cpg, connection 5",
        "a program connects over Perspective Broker; there are 1",
        "a program over Perspective Broker is gone; there are 0",
        "the node ends with status 0; it says good-bye: yes",
    ]


def test_warnings_and_errors_of_the_log_are_recorded(node):
    log = SubsysLogger("QUORUM", publisher=node.publisher)
    log.notice("not this")
    log.warning("{what} is odd", what="it")
    Logger("else", observer=node.publisher).error("broken")
    records = list(Recording(node.recorder.snapshot(), "test").records())[1:]
    assert [(r.subsys, r.text) for r in records] == [
        ("QUORUM", "warning: it is odd"),
        ("MAIN", "error: broken"),
    ]


def test_the_loss_of_a_member_is_kept_with_its_aftermath(node, tmp_path):
    node.effect(Trace(TraceCode.LEFT_WITHOUT_LEAVE, (3,)))
    assert kept_paths(str(tmp_path), 7) == []
    node.reactor.advance(AFTERMATH_S - 0.1)
    node.effect(QuorumChange(False, (7,), RING))
    node.reactor.advance(0.1)
    (kept,) = kept_paths(str(tmp_path), 7)
    assert kept.endswith("-lost.rec")
    names = [record.name for record in Recording.open(kept).records()]
    assert names == ["node_started", "left_without_leave", "quorum_changed"]
    assert node.lines == [(Level.INFO, f"The flight recorder's last incident is kept as {kept}")]


def test_losses_that_follow_each_other_are_one_incident(node, tmp_path):
    for _ in range(3):
        node.effect(Trace(TraceCode.LEFT_WITHOUT_LEAVE, (3,)))
        node.reactor.advance(AFTERMATH_S * 2)
    assert len(kept_paths(str(tmp_path), 7)) == 1
    node.reactor.advance(LOST_INTERVAL_S)
    node.effect(Trace(TraceCode.LEFT_WITHOUT_LEAVE, (3,)))
    node.reactor.advance(AFTERMATH_S)
    assert len(kept_paths(str(tmp_path), 7)) == 2


def test_the_file_of_a_process_that_was_killed_is_kept(node, tmp_path):
    node.recorder.record(Code.NODE_READY)
    after = FlightLog(LogPublisher())
    after.open(node.reactor, str(tmp_path), 7, lambda *_: None)
    (kept,) = kept_paths(str(tmp_path), 7)
    assert kept.endswith("-killed.rec")
    assert [r.name for r in Recording.open(kept).records()] == ["node_started", "node_ready"]
    assert [r.name for r in Recording.open(live_path(str(tmp_path), 7)).records()] == [
        "node_started",
        "kept",
    ]
    after.end(0)


@pytest.mark.parametrize(("failed", "ending"), [(False, Ending.ENDED), (True, Ending.FATAL)])
def test_the_end_is_written_down(node, tmp_path, failed, ending):
    if failed:
        node.failed(15, "broken")
    node.end(0)
    node.end(0)
    assert Recording.open(live_path(str(tmp_path), 7)).ending is ending


def test_a_start_that_failed_leaves_no_incident(node, tmp_path):
    node.abandon()
    assert os.listdir(tmp_path) == []
    node.effect(QuorumChange(True, (1,), RING))


def test_a_node_without_room_for_a_recorder_runs_on(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    log, lines = FlightLog(LogPublisher()), []
    log.open(Clock(), str(tmp_path), 7, lambda level, text: lines.append((level, text)))
    ((level, text),) = lines
    assert level is Level.WARNING
    assert text == (
        f"No flight recorder: {tmp_path}/flight-7.rec cannot be made: No space left on device."
        " The node runs without it; make room, or name another directory with system.state_dir,"
        " and restart."
    )
    log.effect(QuorumChange(True, (1,), RING))
    log.visit(VISIT, 1, 2, 3, 4)
    log.keep("asked")
    log.link_event(LinkEvent(LinkEventKind.HOST_DOWN, 1, 3, ()))
    log.end(0)
    assert not log.recorder.records


def test_copies_that_are_asked_for_meanwhile_are_one(node, tmp_path, monkeypatch):
    """A client asks as fast as it likes; a copy is as long as the recording."""
    waiting = []

    def later(reactor, pool, call, *args):
        waiting.append(defer.Deferred().addCallback(lambda _: call(*args)))
        return waiting[-1]

    monkeypatch.setattr(flight_module, "deferToThreadPool", later)
    for _ in range(50):
        node.keep("asked")
    assert len(waiting) == 1
    node.keep("lost")
    waiting[0].callback(None)
    waiting[1].callback(None)
    assert len(waiting) == 2
    names = [path.rpartition("-")[2] for path in kept_paths(str(tmp_path), 7)]
    assert names == ["asked.rec", "lost.rec"]


def test_a_copy_that_cannot_be_kept_costs_a_line(node, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(flight_module, "keep_copy", full)
    node.keep("asked")
    assert [level for level, _ in node.lines] == [Level.WARNING]
    assert node.lines[0][1].endswith("No space left on device")


def test_the_recorder_follows_the_configuration(node, tmp_path):
    node.follow(wanted=True)
    assert kept_paths(str(tmp_path), 7) == []
    node.follow(wanted=False)
    node.visit(VISIT, 1, 2, 3, 4)
    node.ready()
    assert not node.recorder.records
    assert len(Recording.open(live_path(str(tmp_path), 7))) == 1
    node.follow(wanted=True)
    node.ready()
    assert kept_paths(str(tmp_path), 7)[0].endswith("-ended.rec")
    assert texts(node)[-1] == "ready to provide service"


def test_a_log_that_was_not_opened_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FlightLog(LogPublisher()).follow(wanted=True)
    assert os.listdir(tmp_path) == []


def test_a_recorder_that_is_not_wanted_makes_no_file(tmp_path):
    log = FlightLog(LogPublisher())
    log.open(Clock(), str(tmp_path), 7, lambda *_: None, wanted=False)
    log.effect(QuorumChange(True, (1,), RING))
    log.abandon()
    assert os.listdir(tmp_path) == []
