"""Reloading a file in a node that runs, in one process."""

from dataclasses import dataclass, field

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogPublisher, formatEvent
from twisted.python.failure import Failure

from corosync_tw.config.load import load_text, service_params, totem_params
from corosync_tw.daemon.carriage import UdpCarriage
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.reload import Reloader
from corosync_tw.daemon.running import Parts, Running
from corosync_tw.errors import ConfigError, CsInvalidParam
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.system import LogFileError, Logsys
from corosync_tw.net.stats import TransportStats
from corosync_tw.services.cfg.effects import ReloadRequested
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stack import Stack
from tests.unit.config.hosts import conf, host

QUORUM = "quorum {\nprovider: corosync_votequorum\n}\n"
QUIET = "logging {\nto_stderr: no\nto_syslog: no\n}\n"
ONE, TWO = (1, "ring0_addr: 192.168.1.1"), (2, "ring0_addr: 192.168.1.2")
THREE = (3, "ring0_addr: 192.168.1.3")
IN_PROGRESS = "config.reload_in_progress"
TOTEM_IN_PROGRESS = "config.totemconfig_reload_in_progress"


def load(rest=QUORUM + QUIET, **parts):
    return load_text(conf(rest=rest, **parts), "corosync.conf", host())


@dataclass
class Pool:
    """Threads that run when they are told to."""

    calls: list = field(default_factory=list)

    def callInThreadWithCallback(self, on_result, call, *args):
        self.calls.append((on_result, call, args))

    def run(self):
        calls, self.calls = self.calls, []
        for on_result, call, args in calls:
            try:
                result = call(*args)
            except Exception:  # noqa: BLE001 - as a thread pool does
                on_result(False, Failure())
            else:
                on_result(True, result)


@dataclass
class Reactor:
    pool: Pool = field(default_factory=Pool)

    def getThreadPool(self):
        return self.pool

    def callFromThread(self, call, *args):
        call(*args)


@dataclass
class Transport:
    listed: dict = field(default_factory=dict)
    blocks: bool = True
    stats: TransportStats = field(default_factory=TransportStats)

    def members(self):
        return self.listed

    def add_member(self, nodeid, address):
        self.listed[nodeid] = address

    def remove_member(self, nodeid):
        del self.listed[nodeid]

    def block_unlisted(self, block):
        self.blocks = block


class Opener:
    """
    Opens log files at once, or when it is told to.

    :ivar waits: it is not at once.
    """

    def __init__(self):
        self.waits = False
        self.asked = []
        self.discarded = []

    def open(self, settings):
        try:
            outcome = Logsys(settings)
        except LogFileError:
            outcome = Failure()
        self.asked.append((Deferred(), outcome))
        asked = self.asked[0][0]
        if not self.waits:
            self.answer()
        return asked

    def answer(self):
        asked, outcome = self.asked.pop(0)
        asked.callback(outcome)

    def discard(self, logsys):
        self.discarded.append(logsys)
        logsys.close()


class Bed:
    def __init__(self):
        self.config = load()
        self.file = self.config
        self.lines = []
        self.codes = []
        self.pumps = 0
        self.stack = Stack(totem_params(self.config, 1), service_params(self.config), 0, 0)
        self.transport = Transport({2: "192.168.1.2"})
        carriage = UdpCarriage(self.transport, "a double")
        self.logsys = Logsys(log_settings(self.config.logging))
        publisher = LogPublisher(lambda event: self.lines.append(formatEvent(event)))
        self.journal = Journal(1, lambda: 0, None, publisher)
        self.opener = Opener()
        logs = (self.logsys, self.opener, self.journal)
        parts = Parts(self.stack, carriage, *logs, lambda: 5, self.pump)
        self.running = Running(self.config, parts)
        self.reactor = Reactor()
        self.store = self.stack.cmap.store
        self.reloader = Reloader(
            self.reactor,
            self.running,
            self.store,
            self.journal,
            load=self.read,
            done=self.codes.append,
        )

    def pump(self):
        self.pumps += 1

    def read(self):
        if isinstance(self.file, Exception):
            raise self.file
        return self.file

    def reload(self, file, nodeid=2):
        self.file = file
        self.reloader.request(ReloadRequested(nodeid))
        self.reactor.pool.run()

    def value(self, key):
        found = self.store.find(key)
        return None if found is None else found.value


@pytest.fixture
def bed():
    return Bed()


def line_of(words, text):
    lines = text.decode().splitlines()
    return next(at for at, line in enumerate(lines, 1) if line.startswith(words))


def log_to(path, more=""):
    return f"{QUORUM}{QUIET}logging {{\nto_logfile: yes\nlogfile: {path}\n{more}}}\n"


def test_a_good_file_is_taken_whole(bed):
    events = []
    bed.store.track_add(None, Track.PREFIX | 7, lambda event, key, *_: events.append((event, key)))
    bed.reload(load(nodes=[ONE, THREE], totem="token: 5000"))
    assert bed.codes == [1]
    assert bed.transport.listed == {3: "192.168.1.3"}
    assert bed.stack.params.token_timeout_ns == 5_000_000_000
    assert bed.value("totem.token") == 5000
    assert bed.value("runtime.config.totem.token") == 5000
    assert bed.value("nodelist.node.1.nodeid") == 3
    assert [bed.value(key) for key in (IN_PROGRESS, TOTEM_IN_PROGRESS)] == [0, 0]
    assert bed.value("config.reload_status") == 1
    assert bed.value("config.reload_error_message") is None
    keys = [key for _, key in events]
    assert keys[0] == TOTEM_IN_PROGRESS
    assert keys[1] == IN_PROGRESS
    assert keys[-3:] == ["config.reload_status", TOTEM_IN_PROGRESS, IN_PROGRESS]
    assert (Track.ADD, "totem.token") in events
    assert (Track.MODIFY, "nodelist.node.1.nodeid") in events
    assert "Config reload requested by node 2" in bed.lines


def test_a_bad_file_changes_nothing(bed):
    keys = {key: bed.store.get(key) for key in bed.store.keys("")}
    faults = ["corosync.conf:3: totem.token: 1 ms", "corosync.conf:9: nodelist: wrong"]
    bed.reload(ConfigError(faults))
    assert bed.codes == [CsInvalidParam.code]
    assert bed.running.config is bed.config
    assert bed.value("config.reload_error_message") == "; ".join(faults)
    assert bed.value("config.reload_status") == CsInvalidParam.code
    assert [bed.value(key) for key in (IN_PROGRESS, TOTEM_IN_PROGRESS)] == [0, 0]
    assert {key: bed.store.get(key) for key in keys} == keys
    assert [line for line in bed.lines if "Unable" in line] == [
        f"Unable to reload config file: {fault}" for fault in faults
    ]
    bed.reload(load())
    assert bed.value("config.reload_error_message") is None
    assert bed.codes[-1] == 1


def test_a_file_for_another_cluster_is_refused(bed):
    bed.reload(load(nodes=[ONE, (2, "ring0_addr: 192.168.1.9")], totem="token: 5000"))
    assert bed.codes == [CsInvalidParam.code]
    assert bed.transport.listed == {2: "192.168.1.2"}
    assert bed.value("totem.token") is None
    assert "node 2 runs with 192.168.1.2" in bed.value("config.reload_error_message")


def test_a_log_file_that_cannot_be_opened_refuses_the_rest(bed, tmp_path):
    log = f"logging {{\nto_logfile: yes\nlogfile: {tmp_path}/no/such\n}}\n"
    text = conf(rest=QUORUM + QUIET + log, totem="token: 5000")
    bed.reload(load_text(text, "corosync.conf", host()))
    assert bed.codes == [CsInvalidParam.code]
    assert bed.stack.params.token_timeout_ns == 3_000_000_000
    said = bed.value("config.reload_error_message")
    head, _, rest = said.partition(f" Can't open logfile '{tmp_path}/no/such' for reason: ")
    assert head == f"corosync.conf:{line_of('logfile:', text)}: logging.logfile:"
    assert rest == "No such file or directory (2), make its directory, or name another file"


def test_logging_changes_while_the_node_runs(bed, tmp_path):
    log = f"logging {{\nto_logfile: yes\nlogfile: {tmp_path}/log\ndebug: on\n}}\n"
    bed.reload(load(QUORUM + QUIET + log))
    assert bed.codes == [1]
    assert bed.logsys.level_max("TOTEM").name == "DEBUG"
    assert bed.journal.totem.level_max.name == "DEBUG"
    assert (tmp_path / "log").exists()
    bed.logsys.close()


def test_nothing_is_put_in_force_before_its_log_files_are_open(bed, tmp_path):
    bed.opener.waits = True
    bed.reload(load(log_to(tmp_path / "log", "debug: on\n"), totem="token: 5000"))
    assert bed.codes == []
    assert bed.value(IN_PROGRESS) == 1
    assert bed.stack.params.token_timeout_ns == 3_000_000_000
    assert bed.value("totem.token") is None
    # What clients set meanwhile, and the next reload, come after it.
    bed.store.set("quorum.expected_votes", TypedValue.u32(9))
    bed.reloader.request(ReloadRequested(3))
    assert bed.stack.votequorum.us.expected_votes == 2
    bed.opener.answer()
    assert bed.codes == [1]
    assert bed.stack.params.token_timeout_ns == 5_000_000_000
    assert bed.value("logging.debug") == "on"
    assert bed.journal.totem.level_max.name == "DEBUG"
    bed.reactor.pool.run()
    assert bed.codes == [1, 1]
    assert bed.value(IN_PROGRESS) == 0
    bed.logsys.close()


def test_votes_that_are_refused_leave_the_opened_log_unused(bed, tmp_path, monkeypatch):
    def refuse(_):
        raise CsInvalidParam("no")

    monkeypatch.setattr(bed.stack.votequorum, "reconfigure", refuse)
    bed.reload(load(log_to(tmp_path / "log", "debug: on\n")))
    assert bed.value("config.reload_error_message") == "corosync.conf: quorum: no"
    assert len(bed.opener.discarded) == 1
    assert bed.logsys.level_max("TOTEM").name == "EMERG"


def test_what_needs_a_restart_is_named(bed):
    bed.reload(load(totem="netmtu: 1400\ntoken: 5000"))
    assert bed.codes == [1]
    assert any(line.startswith("Modified entry 'totem.netmtu' in") for line in bed.lines)
    assert bed.value("totem.netmtu") is None
    assert bed.value("totem.token") == 5000


def test_requests_are_served_one_after_the_other(bed):
    for nodeid in (1, 2):
        bed.reloader.request(ReloadRequested(nodeid))
    bed.reactor.pool.run()
    assert bed.codes == [1]
    bed.reactor.pool.run()
    assert bed.codes == [1, 1]
    asked = [line for line in bed.lines if "requested" in line]
    assert asked == [f"Config reload requested by node {nodeid}" for nodeid in (1, 2)]


def test_a_fault_of_ours_ends_the_request_and_not_the_node(bed):
    bed.reload(ZeroDivisionError("ours"))
    assert bed.codes == [2]
    assert [bed.value(key) for key in (IN_PROGRESS, TOTEM_IN_PROGRESS)] == [0, 0]
    assert any("ZeroDivisionError" in line for line in bed.lines)


class TestClients:
    """Directives set in the map."""

    def test_a_timeout(self, bed):
        bed.store.set("totem.token", TypedValue.u32(6000))
        assert bed.stack.params.token_timeout_ns == 6_000_000_000
        assert bed.value("runtime.config.totem.consensus") == 7200
        bed.store.delete("totem.token")
        assert bed.stack.params.token_timeout_ns == 3_000_000_000

    def test_a_wrong_timeout(self, bed):
        bed.store.set("totem.token", TypedValue.u32(6))
        assert bed.stack.params.token_timeout_ns == 3_000_000_000
        assert any("totem.token was set, but has no effect" in line for line in bed.lines)

    def test_expected_votes(self, bed):
        bed.store.set("quorum.expected_votes", TypedValue.u32(9))
        assert bed.stack.votequorum.us.expected_votes == 9

    def test_a_log_file(self, bed, tmp_path):
        def name(path):
            bed.store.set("logging.logfile", TypedValue.string(str(tmp_path / path)))

        bed.store.set("logging.to_logfile", TypedValue.string("yes"))
        name("first")
        bed.opener.waits = True
        name("no/log")
        # While that is tried, others come, and are tried together.
        name("second")
        bed.store.set("logging.debug", TypedValue.string("on"))
        bed.opener.answer()
        (line,) = (line for line in bed.lines if "no effect" in line)
        assert line == (
            "logging.logfile was set, but has no effect: logging.logfile: Can't open logfile "
            f"'{tmp_path}/no/log' for reason: No such file or directory (2), "
            "make its directory, or name another file"
        )
        bed.opener.answer()
        assert bed.opener.asked == []
        assert bed.journal.totem.level_max.name == "DEBUG"
        assert (tmp_path / "second").exists()
        bed.logsys.close()

    def test_the_file_wins_again_at_the_next_reload(self, bed):
        bed.store.set("totem.token", TypedValue.u32(6000))
        bed.reload(load())
        assert bed.value("totem.token") is None
        assert bed.stack.params.token_timeout_ns == 3_000_000_000
