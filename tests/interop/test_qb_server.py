"""The server of C clients against Debian's libqb: every transport, every way to fail."""

import signal
import sys
from pathlib import Path

import pytest

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import CLIENTS, built

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
# The client, where a user without rights can run it.
CLIENT = "/run/qb_echo"
STRANGER = 1234


@pytest.fixture(scope="module")
def bed():
    with NetBed([1, 2]) as made:
        for machine in made.machines.values():
            machine.run("cp", str(built(CLIENTS / "qb_echo.c")), CLIENT)
        made.machines[2].force_filesystem_sockets()
        yield made


class Echo:
    """A server of one service on a machine, and its clients."""

    def __init__(self, machine, workdir, *options):
        self.machine = machine
        self.log = workdir / "server.log"
        command = [sys.executable, "-u", "-m", "tests.interop.qb_echo_server", *options]
        self.process = Process(machine, command, self.log, ROOT)
        wait_until("the server listens", lambda: "up" in self.lines(), 20)

    def lines(self):
        return self.log.read_text().splitlines()

    def run(self, *steps, uid=None):
        """Run a client to its end and give its lines."""
        return self.machine.run(*_as(uid), CLIENT, *steps).stdout.splitlines()

    def start(self, workdir, name, *steps):
        """Start a client that goes on beside."""
        return Process(self.machine, [CLIENT, *steps], workdir / f"{name}.log", ROOT)

    def shm(self):
        return self.machine.run("ls", "/dev/shm").stdout.split()

    def memory_kib(self):
        """The private memory of the server."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("RssAnon:")[1].split()[0])

    def end(self):
        """End the server, which must have lost nothing and left nothing."""
        wait_until("all clients are gone", lambda: not self.shm(), 10)
        self.process.signal(signal.SIGTERM)
        self.process.wait(10)
        last = self.lines()[-1]
        assert "active 0 " in last, last
        assert last.endswith("leaked 0"), last
        assert "Traceback" not in self.log.read_text()
        assert self.shm() == []
        return [line for line in self.lines() if line.startswith(("warning", "error"))]


def _as(uid):
    rights = [] if uid is None else ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return ["setpriv", *rights, "--"] if rights else []


@pytest.fixture
def start(bed, tmp_path):
    """Starts servers by their options, and takes them down whatever happens."""
    started = []

    def begin(*options, machine=1):
        server = Echo(bed.machines[machine], tmp_path, *options)
        started.append(server)
        return server

    yield begin
    for server in started:
        server.process.kill()
        server.machine.run("sh", "-c", "rm -rf /dev/shm/qb-*")


TRANSPORTS = pytest.mark.parametrize("transport", ["shm", "socket"])
# Forced file system sockets are machine 2's.
MACHINES = pytest.mark.parametrize("machine", [1, 2])


@TRANSPORTS
@MACHINES
def test_messages(start, transport, machine):
    server = start("--type", transport, machine=machine)
    steps = (
        "connect echo:64:300 echo:1000000:5 echo:1048568:2 oneway:100:2000 count"
        " events:32:500 events:200001:30 disconnect connect:20000 echo:19000:50"
    )
    assert server.run(*steps.split()) == [
        "connected",
        "echo 64 x 300",
        "echo 1000000 x 5",
        "echo 1048568 x 2",
        "oneway 100 x 2000",
        "count 2000",
        "events 32 x 500",
        "events 200001 x 30",
        "disconnected",
        "connected",
        "echo 19000 x 50",
    ]
    assert server.end() == []


@TRANSPORTS
def test_flow_control(start, transport):
    server = start("--type", transport)
    steps = "connect flow:2:400 send:1 send:2 flow:1:400 send:1 send:2 sleep:500 count"
    again = "Resource temporarily unavailable"
    assert server.run(*steps.split()) == [
        "connected",
        "flow 2",
        "send with limit 1: sent",
        f"send with limit 2: {again}",
        "flow 1",
        f"send with limit 1: {again}",
        f"send with limit 2: {again}",
        "count 1",
    ]
    assert server.run("connect", "stall:200", "oneway:64:500", "count") == [
        "connected",
        "stall",
        "oneway 64 x 500",
        "count 500",
    ]
    assert server.end() == []


@TRANSPORTS
@MACHINES
def test_who_may_come_in(start, transport, machine):
    server = start("--type", transport, "--allow", str(STRANGER), machine=machine)
    steps = ("connect", "echo:5000:20", "events:5000:20")
    spoken = ["connected", "echo 5000 x 20", "events 5000 x 20"]
    assert server.run(*steps, uid=STRANGER) == spoken
    assert server.run("refused", uid=STRANGER + 1) == ["refused: Permission denied"]
    assert len(server.end()) == 1


def test_not_ready_yet(start):
    server = start("--ready-after", "1500")
    assert server.run("retry:5000", "echo:64:1") == ["connected after EAGAIN", "echo 64 x 1"]
    assert server.end() == []


@TRANSPORTS
def test_a_slow_reader_gets_everything(start, transport):
    server = start("--type", transport)
    steps = "connect ask:10000:1000 sleep:300 echo:64:10 ask:64:1000 read:10000:1000 read:64:1000"
    assert server.run(*steps.split())[-2:] == ["read 10000 x 1000", "read 64 x 1000"]
    assert server.end() == []


@TRANSPORTS
def test_who_never_reads_is_dropped(start, transport, tmp_path):
    server = start("--type", transport)
    never = server.start(tmp_path, "never", "connect", "ask:100000:700")
    wait_until("the client is dropped", lambda: "Dropping" in server.log.read_text(), 15)
    assert server.run("connect", "echo:64:10") == ["connected", "echo 64 x 10"]
    never.kill()
    [complaint] = server.end()
    assert "does not read" in complaint


@TRANSPORTS
def test_clients_killed_in_the_midst(start, transport, tmp_path):
    server = start("--type", transport)
    killed = [
        server.start(tmp_path, f"killed-{number}", "connect", *["echo:200000:50"] * 1000)
        for number in range(3)
    ]
    for client in killed:
        wait_until("it is at work", lambda client=client: "echo" in client.log.read_text(), 10)
        client.kill()
    assert server.run("connect", "echo:64:100") == ["connected", "echo 64 x 100"]
    server.end()


@TRANSPORTS
def test_a_killed_server_is_swept_after(start, transport, tmp_path):
    server = start("--type", transport)
    client = server.start(tmp_path, "orphan", "connect", "pause")
    wait_until("it is connected", lambda: "paused" in client.log.read_text(), 10)
    server.process.kill()
    client.kill()
    assert len(server.shm()) == 1
    server.log.unlink()
    again = start("--type", transport)
    assert again.shm() == []
    assert "notice: Removed the shared memory of 1 connections" in again.log.read_text()
    assert again.end() == []


@TRANSPORTS
def test_a_server_that_dies_is_noticed(start, transport, tmp_path):
    server = start("--type", transport)
    client = server.start(tmp_path, "left", "connect", "gone:8000")
    wait_until("it is connected", lambda: "connected" in client.log.read_text(), 10)
    server.process.signal(signal.SIGTERM)
    wait_until("it notices", lambda: "gone: yes" in client.log.read_text(), 9)
    server.process.wait(5)
    client.wait(10)
    assert server.shm() == []


@TRANSPORTS
def test_thousands_of_connections_leave_nothing(start, transport):
    server = start("--type", transport)
    server.run("churn:100", "connect", "hold:100")
    before_kib = server.memory_kib()
    server.run("churn:300", "connect", "hold:100", "hold:100")
    # A page a connection would be more.
    assert server.memory_kib() - before_kib < 2000
    assert server.end() == []
