"""Real daemons on loopback addresses: start, ring, signals, refusals; needs no privilege."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corosync_tw.logsys.flight.keeping import kept_paths, live_path
from corosync_tw.logsys.flight.merging import merge
from corosync_tw.logsys.flight.reading import Recording

ROOT = Path(__file__).resolve().parents[2]
TWISTD = Path(sys.executable).with_name("twistd")
PATIENCE_S = 30
TOKEN_MS = 1000
# An idle machine needs a fifth of a second.
END_S = 2
_NETWORKS = itertools.count(os.getpid() % 200)

CONFIG = """
totem {{
    version: 2
    cluster_name: lifecycle
    transport: udpu
    token: {token_ms}
    interface {{
        mcastport: {port}
    }}
}}
nodelist {{
{nodes}
}}
quorum {{
    provider: corosync_votequorum
}}
logging {{
    to_stderr: yes
    to_syslog: no
    to_logfile: yes
    logfile: {directory}/node.log
    {more_logging}
}}
system {{
    sched_rr: no
    qb_ipc_type: none
    state_dir: {directory}/state
    run_dir: {directory}/run
}}
"""
NODE = """    node {{
        name: node{nodeid}
        nodeid: {nodeid}
        ring0_addr: {address}
    }}"""


class Daemon:
    """One process and its files."""

    def __init__(self, directory, nodeid, addresses, port=5405):
        self.directory = directory
        self.nodeid = nodeid
        self.addresses = addresses
        self.port = port
        self.process = None
        self.arguments = ["--node", str(nodeid)]
        self.python_options = []
        self.environment = {}
        directory.mkdir()
        self.config = directory / "corosync.conf"
        self.configure()

    def configure(self, more_logging=""):
        nodes = "\n".join(
            NODE.format(nodeid=n, address=address) for n, address in self.addresses.items()
        )
        self.config.write_text(
            CONFIG.format(
                token_ms=TOKEN_MS,
                port=self.port,
                nodes=nodes,
                directory=self.directory,
                more_logging=more_logging,
            )
        )

    @property
    def run_dir(self):
        return self.directory / "run"

    @property
    def state_dir(self):
        return self.directory / "state"

    @property
    def log(self):
        path = self.directory / "stderr"
        return path.read_text() if path.exists() else ""

    def command(self, *twistd_options):
        return [
            sys.executable,
            *self.python_options,
            str(TWISTD),
            *twistd_options,
            "corosync",
            "-c",
            str(self.config),
            *self.arguments,
        ]

    def start(self):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }
        with open(self.directory / "stderr", "ab") as stderr:
            self.process = subprocess.Popen(
                self.command("-n"),
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        return self

    def expect(self, pattern, count=1):
        """Wait until the log has ``count`` matches; return the last."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            matches = list(re.finditer(pattern, self.log))
            if len(matches) >= count:
                return matches[-1]
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log}"
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.log}"
            time.sleep(0.02)

    def ready(self):
        self.expect("Completed service synchronization, ready to provide service")
        return self

    def end(self, number=signal.SIGTERM):
        """Send a signal; return (exit status, seconds it took)."""
        begin = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S), time.monotonic() - begin

    def refused(self):
        """Wait for the end of a start that is refused; return (exit status, log)."""
        return self.process.wait(PATIENCE_S), self.log


@pytest.fixture
def cluster(tmp_path):
    """Makes daemons on addresses of their own; kills what is left of them."""
    network = next(_NETWORKS) % 250 + 1
    daemons = []

    def make(nodeid=1, nodes=1, **more):
        addresses = {n: f"127.66.{network}.{n}" for n in range(1, nodes + 1)}
        daemons.append(Daemon(tmp_path / f"d{len(daemons)}", nodeid, addresses, **more))
        return daemons[-1]

    yield make
    for daemon in daemons:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait(PATIENCE_S)


def test_one_node_lives_and_leaves(cluster):
    daemon = cluster()
    name = str(daemon.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(name)
        notified.settimeout(PATIENCE_S)
        daemon.environment["NOTIFY_SOCKET"] = name
        daemon.start().ready()
        assert notified.recv(100) == b"STATUS=Looking for other nodes"
        while (word := notified.recv(100)) != b"READY=1":
            assert word.startswith(b"STATUS="), "nothing else before the first ring"
        assert re.search(
            r"A new membership \(1\.\w+\) was formed\. Members joined: 1\n", daemon.log
        )
        assert "This node is within the primary component" in daemon.log
        assert (daemon.run_dir / "corosync.pid").read_text() == f"{daemon.process.pid}\n"
        assert (daemon.state_dir / "ringid_1").stat().st_size == 8
        assert (daemon.run_dir / "corosync_tw.sock").is_socket()
        assert not (daemon.directory / "twistd.pid").exists()
        status, seconds = daemon.end()
        while (word := notified.recv(100)) != b"STOPPING=1":
            assert word.startswith(b"STATUS=")
    assert status == 0
    assert seconds < END_S
    said = [line.split("] ")[-1] for line in daemon.log.splitlines()]
    assert said[said.index("Node was shut down by a signal") + 1 :] == [
        "Unloading all Corosync service engines.",
        "Service engine unloaded: corosync vote quorum service v1.0",
        "Service engine unloaded: corosync configuration map access",
        "Service engine unloaded: corosync configuration service",
        "Service engine unloaded: corosync cluster closed process group service v1.01",
        "Service engine unloaded: corosync cluster quorum service v0.1",
        "Service engine unloaded: corosync profile loading service",
        "Service engine unloaded: corosync resource monitoring service",
        "Service engine unloaded: corosync watchdog service",
        "Corosync Cluster Engine exiting normally",
    ]
    assert list(daemon.run_dir.iterdir()) == []
    logfile = (daemon.directory / "node.log").read_text()
    assert f"[{daemon.process.pid}] {socket.gethostname()} corosync notice  [MAIN  ]" in logfile
    assert "exiting normally" in logfile
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_other_signals_end_it_as_well(cluster, number):
    assert cluster().start().ready().end(number)[0] == 0


def test_signals_that_do_not_end_it(cluster):
    daemon = cluster().start().ready()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.expect("Config reload requested by node 1")
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.expect("lines lost")
    for pattern in (
        r"state: OPERATIONAL, ring id 1\.",
        r"members\[1\]: 1",
        r"quorate: yes",
        r"srp: .*orf_token_tx \d+",
        r"transport: .*rx_batches \d+",
    ):
        assert re.search(pattern, daemon.log), pattern
    assert daemon.end()[0] == 0


def test_ring_sequence_grows_over_restarts(cluster):
    daemon = cluster().start().ready()
    pattern = r"membership \(1\.(\w+)\)"
    first = int(daemon.expect(pattern).group(1), 16)
    assert daemon.end()[0] == 0
    daemon.start()
    assert int(daemon.expect(pattern, 2).group(1), 16) > first


def test_two_nodes_form_a_ring_and_one_leaves(cluster):
    one, two = (cluster(n, 2).start() for n in (1, 2))
    for daemon in (one, two):
        daemon.expect(r"QUORUM\] Members\[2\]: 1 2")
        daemon.expect("This node is within the primary component")
    status, seconds = two.end()
    assert status == 0
    assert seconds < END_S
    one.expect(r"was formed\. Members left: 2")
    assert "A processor failed" not in one.log
    assert "Failed to receive the leave message" not in one.log


def test_killed_node_is_noticed_and_may_return(cluster):
    one, two = (cluster(n, 2).start() for n in (1, 2))
    one.expect(r"QUORUM\] Members\[2\]: 1 2")
    two.process.kill()
    two.process.wait(PATIENCE_S)
    one.expect("A processor failed, forming new configuration: token timed out")
    one.expect(r"was formed\. Members left: 2")
    one.expect("within the non-primary component")
    two.start()
    one.expect(r"was formed\. Members joined:( 1)? 2\n", 2)
    one.expect("within the primary component", 2)
    # What the killed process wrote is there, and one timeline shows why it left.
    (killed,) = kept_paths(str(two.state_dir), 2)
    assert killed.endswith("-killed.rec")
    records = merge(map(Recording.open, (killed, live_path(str(one.state_dir), 1))))
    names = [(record.nodeid, record.name) for record in records]
    last = {name: at for at, name in enumerate(names)}
    assert max(last[name] for name in last if name[0] == 2) < last[1, "members_left"]
    assert {(1, "token_lost"), (1, "members_joined"), (2, "token_received")} <= last.keys()


def test_lost_state_directory_ends_the_node(cluster):
    one, two = (cluster(n, 2).start() for n in (1, 2))
    one.expect(r"QUORUM\] Members\[2\]: 1 2")
    one.state_dir.rename(one.directory / "elsewhere")
    two.end()
    status, log = one.refused()
    assert status == 21
    assert "cannot store the ring id" in log
    assert not (one.run_dir / "corosync.pid").exists()


def test_node_with_an_old_configuration_leaves(cluster):
    one, two = cluster(1, 2), cluster(2, 2)
    for daemon, version in ((one, 5), (two, 4)):
        text = daemon.config.read_text()
        daemon.config.write_text(
            text.replace("version: 2\n", f"version: 2\n    config_version: {version}\n", 1)
        )
        daemon.start()
    status, log = two.refused()
    assert status == 0
    assert "Received config version (5) is different than my config version (4)! Exiting" in log
    one.expect(r"was formed\. Members left: 2")
    assert "Failed to receive the leave message" not in one.log


def test_node_id_used_twice_is_told(cluster):
    one, two = cluster(1, 2), cluster(1, 2)
    two.addresses = {1: one.addresses[2], 2: one.addresses[1]}
    two.configure()
    both = (one.start(), two.start())
    for daemon in both:
        daemon.expect("Another node uses our node id 1; .*Give every node a nodeid of its own")
    for daemon in both:
        assert daemon.end()[0] == 0


def refusal(daemon, code, *patterns):
    status, log = daemon.start().refused()
    assert status == code, log
    for pattern in patterns:
        assert len(re.findall(pattern, log)) == 1, log
    assert "Traceback" not in log
    if daemon.run_dir.is_dir():
        assert not (daemon.run_dir / "corosync.pid").exists()


def test_wrong_configuration_says_all_that_is_wrong(cluster):
    daemon = cluster()
    text = daemon.config.read_text()
    daemon.config.write_text(
        text.replace("version: 2", "version: 3").replace("token: 1000", "token: x")
    )
    refusal(daemon, 8, r"corosync\.conf:\d+: totem\.version: ", r"corosync\.conf:\d+: totem\.token")


def test_missing_configuration(cluster):
    daemon = cluster()
    daemon.config.unlink()
    refusal(daemon, 8, "corosync.conf.*No such file")


def test_transport_of_another_version(cluster):
    daemon = cluster()
    daemon.config.write_text(daemon.config.read_text().replace("udpu", "iba"))
    refusal(daemon, 8, "iba is not in this version")


def test_unknown_node(cluster):
    daemon = cluster()
    daemon.arguments = ["--node", "nobody"]
    refusal(daemon, 8, "nobody")


def test_unusable_state_directory(cluster):
    daemon = cluster()
    daemon.state_dir.write_text("in the way")
    refusal(daemon, 16, "error .*Cannot use state directory .*--state-dir DIR")


def test_unusable_log_file(cluster):
    daemon = cluster()
    (daemon.directory / "node.log").mkdir()
    refusal(daemon, 7, "Can't open logfile .*node.log")


def test_damaged_ring_id(cluster):
    daemon = cluster()
    daemon.state_dir.mkdir()
    (daemon.state_dir / "ringid_1").write_bytes(b"abc")
    refusal(daemon, 21, "error .*ringid_1: damaged")


def test_busy_port(cluster):
    daemon = cluster()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((daemon.addresses[1], daemon.port))
        refusal(daemon, 15, r"error .*port 5405: cannot bind a UDP socket: .*mcastport")


def test_second_daemon_in_one_run_directory(cluster):
    first = cluster().start().ready()
    second = cluster(port=5407)
    second.arguments += ["--run-dir", str(first.run_dir)]
    refusal(second, 18, f"error .*already running: process {first.process.pid} ")
    assert first.process.poll() is None
    assert (first.run_dir / "corosync.pid").read_text() == f"{first.process.pid}\n"
    assert first.end()[0] == 0


def test_socket_path_too_long(cluster):
    daemon = cluster()
    daemon.arguments += ["--pb-socket", str(daemon.directory / ("x" * 120))]
    refusal(daemon, 15, "longer than 107 bytes.*--pb-socket")


def test_unreadable_certificate(cluster):
    daemon = cluster()
    nowhere = str(daemon.directory / "none.pem")
    daemon.arguments += ["--pb-tls", "127.0.0.1:65111"]
    daemon.arguments += ["--pb-certificate", nowhere, "--pb-authority", nowhere]
    refusal(daemon, 15, r"TLS port 65111: .*none\.pem.*--pb-certificate")


def test_python_without_asserts(cluster):
    daemon = cluster()
    daemon.python_options = ["-O"]
    refusal(daemon, 15, "removes the checks")


def run(daemon, *twistd_options):
    return subprocess.run(
        daemon.command(*twistd_options),
        cwd=daemon.directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_check_only(cluster):
    daemon = cluster()
    daemon.arguments += ["--test"]
    done = run(daemon, "-n")
    assert (done.returncode, done.stderr) == (0, "")
    daemon.config.write_text(daemon.config.read_text().replace("version: 2", "version: 3"))
    done = run(daemon, "-n")
    assert done.returncode == 8
    assert re.match(r"\S+corosync\.conf:\d+: totem\.version: ", done.stderr)
    assert sorted(path.name for path in daemon.directory.iterdir()) == ["corosync.conf"]


def test_background_daemon_reports_before_it_leaves_the_terminal(cluster):
    daemon = cluster()
    daemon.state_dir.write_text("in the way")
    done = run(daemon)
    assert done.returncode == 16
    assert "Cannot use state directory" in done.stderr


def wait_for_log(daemon, text):
    deadline = time.monotonic() + PATIENCE_S
    while text not in (daemon.directory / "node.log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_background_daemon(cluster):
    daemon = cluster()
    assert run(daemon).returncode == 0
    lock = daemon.run_dir / "corosync.pid"
    pid = int(lock.read_text())
    try:
        wait_for_log(daemon, "ready to provide service")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for_log(daemon, "exiting normally")
    assert not lock.exists()
