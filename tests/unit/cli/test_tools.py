"""The tools as a user runs them: a process with arguments, pipes and an exit code."""

import json
import os
import sys

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol

from corosync_tw.cli.cpg import LINE_LEN_BYTES_MAX
from corosync_tw.cli.lines import LineReader
from corosync_tw.cli.reaching import DEFAULT_SOCKET, socket_path
from corosync_tw.cli.status import as_text
from corosync_tw.ipc.pb.peercred import peer_credentials
from tests.unit.ipc.certificates import Authority
from tests.unit.ipc.serving import Bed, Heard


class Tool(ProcessProtocol):
    """One run of corosync-tw."""

    def __init__(self, *args):
        self.out, self.err = b"", b""
        self.ended = Deferred()
        self._waiting = []
        command = [sys.executable, "-m", "corosync_tw.cli.main", *args]
        reactor.spawnProcess(self, sys.executable, command, env=os.environ)

    def outReceived(self, data):
        self.out += data
        self._check()

    def errReceived(self, data):
        self.err += data
        self._check()

    def processEnded(self, reason):
        self.ended.callback(reason.value.exitCode)

    def says(self, text):
        """Fire when stdout or stderr contains ``text``."""
        said = Deferred()
        self._waiting.append((text, said))
        self._check()
        return said

    def _check(self):
        for entry in list(self._waiting):
            if entry[0] in self.out + self.err:
                self._waiting.remove(entry)
                entry[1].callback(None)


@pytest_twisted.ensureDeferred
async def test_lines_go_to_the_group_and_come_back_in_order(tmp_path):
    async with Bed(tmp_path) as bed:
        heard = Heard()
        cpg = (await bed.client(pid=11)).cpg()
        await cpg.join(b"room", heard.on_deliver, heard.on_confchg)
        bed.credentials.peer = bed.credentials.peer._replace(pid=12)
        tool = Tool("cpg", "room", "--socket", bed.path)
        await heard.count(changes=2)
        await cpg.mcast(b"welcome")
        await tool.says(b"welcome")
        tool.transport.write(b"one\ntwo\n\nlast without end")
        tool.transport.closeStdin()
        assert await tool.ended == 0
        await heard.count(messages=5)
        assert [m.data for m in heard.messages[1:]] == [b"one", b"two", b"", b"last without end"]
        assert tool.out.decode().splitlines() == [
            "7:11 1 welcome",
            "7:12 2 one",
            "7:12 3 two",
            "7:12 4 ",
            "7:12 5 last without end",
        ]
        assert "-- 7:12 joined; members: 7:11 7:12" in tool.err.decode()


@pytest_twisted.ensureDeferred
async def test_json_and_bytes_that_are_not_text(tmp_path):
    async with Bed(tmp_path) as bed:
        bed.credentials.peer = bed.credentials.peer._replace(pid=12)
        tool = Tool("cpg", "room", "--json", "--safe", "--socket", bed.path)
        tool.transport.write(b"\xff and \xc3\xa4\n")
        tool.transport.closeStdin()
        assert await tool.ended == 0
        assert json.loads(tool.out) == {"nodeid": 7, "pid": 12, "seq": 1, "text": "\\xff and ä"}
        joined = json.loads(tool.err.splitlines()[0])["joined"]
        assert joined == [{"nodeid": 7, "pid": 12, "reason": 1}]


@pytest_twisted.ensureDeferred
async def test_stay_listens_on_and_the_end_of_the_daemon_is_an_error(tmp_path):
    async with Bed(tmp_path) as bed:
        tool = Tool("cpg", "room", "--stay", "--socket", bed.path)
        await tool.says(b"joined")
        tool.transport.closeStdin()
        cpg = (await bed.client(pid=11)).cpg()
        await cpg.join(b"room", lambda _: None)
        await cpg.mcast(b"still there?")
        await tool.says(b"still there?")
        await bed.server.stop()
        assert await tool.ended == 1
        assert tool.err.decode().splitlines()[-1] == (
            "corosync-tw: the daemon closed the connection"
        )


@pytest_twisted.ensureDeferred
async def test_an_interrupted_tool_ends_without_a_word(tmp_path):
    async with Bed(tmp_path) as bed:
        tool = Tool("cpg", "room", "--stay", "--socket", bed.path)
        await tool.says(b"joined")
        tool.transport.signalProcess("INT")
        assert await tool.ended == 130
        assert tool.err.count(b"\n") == 1


@pytest_twisted.ensureDeferred
async def test_a_tool_whom_nobody_reads_ends_without_a_word(tmp_path):
    async with Bed(tmp_path) as bed:
        tool = Tool("status", "--json", "--socket", bed.path)
        tool.transport.closeChildFD(1)
        assert await tool.ended == 0
        assert tool.err == b""


@pytest_twisted.ensureDeferred
async def test_a_path_that_no_socket_can_have_is_refused():
    tool = Tool("status", "--socket", "/x" * 54)
    assert await tool.ended == 1
    assert b"the path of a socket has 107 bytes at most" in tool.err


@pytest_twisted.ensureDeferred
async def test_status_for_people_and_for_programs(tmp_path):
    async with Bed(tmp_path) as bed:
        tool = Tool("status", "--json", "--socket", bed.path)
        assert await tool.ended == 0
        status = json.loads(tool.out)
        assert status == bed.node.status()
        assert as_text(status) == (
            "Node            7\n"
            "Ring            7.4 (operational)\n"
            "Members         7\n"
            "Quorate         yes\n"
            "Token rotation  0.250 ms\n"
            "Send queue      0% full\n"
            "\n"
            "Counters that are not zero\n"
            "  orf_token_tx  5"
        )
        status.update(sync_in_progress=True, token_rotation_us=None, quorate=False)
        assert "operational, synchronizing" in as_text(status)
        assert "Token rotation  unknown" in as_text(status)


@pytest_twisted.ensureDeferred
async def test_no_daemon_is_one_clear_line(tmp_path):
    tool = Tool("status", "--socket", str(tmp_path / "nothing"))
    assert await tool.ended == 1
    (line,) = tool.err.decode().splitlines()
    assert str(tmp_path / "nothing") in line
    assert "twistd -n corosync" in line
    assert tool.out == b""


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_one_clear_line(tmp_path):
    async with Bed(tmp_path) as bed:
        bed.credentials.peer = bed.credentials.peer._replace(uid=4711, gid=4711)
        tool = Tool("cpg", "room", "--socket", bed.path)
        assert await tool.ended == 1
        (line,) = tool.err.decode().splitlines()
        assert line.startswith("corosync-tw: user 4711")


@pytest_twisted.ensureDeferred
async def test_a_wrong_command_line_is_code_2():
    tool = Tool("dance")
    assert await tool.ended == 2


@pytest.mark.parametrize(
    ("given", "environ", "path"),
    [
        (None, {}, DEFAULT_SOCKET),
        (None, {"COROSYNC_TW_SOCKET": "/e"}, "/e"),
        ("/g", {"COROSYNC_TW_SOCKET": "/e"}, "/g"),
    ],
)
def test_the_socket_is_the_option_or_the_environments_or_the_default(given, environ, path):
    assert socket_path(given, environ) == path


class NoReactor:
    def addReader(self, reader):
        pass

    removeReader = addReader


def read_all(data, limit=LINE_LEN_BYTES_MAX):
    ours, theirs = os.pipe()
    lines, ends = [], []
    reader = LineReader(NoReactor(), ours, lines.extend, lambda: ends.append(1), limit)
    try:
        os.write(theirs, data)
        os.close(theirs)
        while not ends:
            reader.doRead()
    finally:
        os.close(ours)
    return lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"\n\n", [b"", b""]),
        (b"a\r\nb", [b"a\r", b"b"]),
    ],
)
def test_lines_are_cut_at_newlines(data, lines):
    assert read_all(data) == lines


def test_a_line_without_end_is_cut_into_pieces():
    assert read_all(b"x" * 25 + b"\ny", limit=10) == [b"x" * 10, b"x" * 10, b"x" * 5, b"y"]
    assert read_all(b"x" * 15, limit=10) == [b"x" * 10, b"x" * 5]


@pytest.mark.needs("tls")
@pytest_twisted.ensureDeferred
async def test_a_daemon_of_another_machine_is_reached_over_tls(tmp_path):
    from corosync_tw.ipc.pb.tls import server_endpoint

    authority = Authority("cluster")
    (tmp_path / "admin.pem").write_bytes(authority.sign("admin"))
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    async with Bed(tmp_path) as bed:
        bed.server._credentials = peer_credentials
        port = await bed.server.listen(
            server_endpoint(reactor, "127.0.0.1", 0, authority.sign("127.0.0.1"), authority.pem)
        )
        options = ["--tls", f"127.0.0.1:{port.getHost().port}"]
        options += ["--certificate", str(tmp_path / "admin.pem")]
        options += ["--authority", str(tmp_path / "authority.pem")]
        tool = Tool("cpg", "room", *options)
        tool.transport.write(b"from far away\n")
        tool.transport.closeStdin()
        assert await tool.ended == 0
        assert tool.out.endswith(b"1 from far away\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tls", "nowhere"], "--tls wants HOST:PORT"),
        (["--tls", "a:1"], "--certificate FILE and --authority FILE"),
        (["--tls", "a:1", "--certificate", "/none", "--authority", "/none"], "cannot read /none"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_wrong_tls_options_are_one_clear_line(options, said):
    tool = Tool("status", *options)
    assert await tool.ended == 1
    (line,) = tool.err.decode().splitlines()
    assert said in line
