"""What is done where a system lacks something: each feature taken away, one at a time."""

import json
import os
import socket
import subprocess
import sys

import pytest

from corosync_tw import features
from corosync_tw.cli import feature_probes
from corosync_tw.cli.feature_probes import FEATURES
from corosync_tw.cli.features import as_text, probed
from corosync_tw.daemon import scheduling
from corosync_tw.ipc.qb import system
from corosync_tw.ipc.qb.room import RoomWatch
from corosync_tw.ipc.qb.system import why_no_clients
from corosync_tw.logsys import sinks
from corosync_tw.logsys.format import LineFormat
from corosync_tw.logsys.settings import LogSettings
from corosync_tw.net import ifaddr, offload, sockets
from corosync_tw.net.errors import NetError
from corosync_tw.net.reactor import install, turn_end_of

NOBODYS = "192.0.2.1"


@pytest.fixture(autouse=True)
def without(monkeypatch):
    monkeypatch.setattr(features, "OFF", frozenset())
    return lambda *names: monkeypatch.setattr(features, "OFF", frozenset(names))


@pytest.fixture
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


def test_the_variable_is_a_list_of_known_names():
    assert features.parse("") == frozenset()
    assert features.parse(" gso, gro ,") == {"gso", "gro"}
    with pytest.raises(ValueError, match="names no feature: grow, x; there are c_clients, epoll"):
        features.parse("gso,grow,x")


def test_what_can_be_taken_away_is_shown():
    assert {feature.name for feature in FEATURES} >= features.NAMES


def test_no_offload(without, udp):
    without("gso", "gro")
    assert not offload.probe_gso(udp)
    assert not offload.enable_gro(udp)
    assert udp.getsockopt(offload.SOL_UDP, offload.UDP_GRO) == 0


def test_options_of_another_systems_numbers_are_not_touched(monkeypatch, udp):
    """Where Python's names have other numbers than ours, ours mean something else."""
    monkeypatch.setattr(socket, "SO_PRIORITY", 4711)
    assert not features.has_known_options()
    assert not offload.probe_gso(udp)
    assert not offload.enable_gro(udp)
    asked = []
    monkeypatch.setattr(sockets.socket, "socket", recording(asked))
    with sockets.open_probing_udp("127.0.0.1", 0):
        pass
    ours = {sockets._SO_RCVBUFFORCE, sockets._SO_SNDBUFFORCE}
    assert not ours & {name for level, name in asked if level == socket.SOL_SOCKET}
    assert not {name for level, name in asked if level == socket.IPPROTO_IP}
    assert (socket.SOL_SOCKET, socket.SO_RCVBUF) in asked


def recording(asked):
    class Recording(socket.socket):
        def setsockopt(self, level, name, value):
            asked.append((level, name))
            if name != 4711:
                super().setsockopt(level, name, value)

    return Recording


def test_without_force_a_buffer_is_as_large_as_the_system_allows(without):
    without("rcvbufforce")
    with sockets.open_udp("127.0.0.1", 0) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 0
    assert sockets.receive_capacity_bytes(socket.AF_INET) > 0


def test_without_freebind_an_address_has_to_be_there(without):
    with sockets.open_probing_udp(NOBODYS, 0) as sock:
        assert sock.getsockname()[0] == NOBODYS
    without("freebind", "mtu_probe")
    with pytest.raises(NetError):
        sockets.open_probing_udp(NOBODYS, 0)
    with sockets.open_probing_udp("127.0.0.1", 0) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, sockets._IP_MTU_DISCOVER) != 3


def test_without_multicast_the_remedy_is_another_transport(without):
    without("multicast")
    with pytest.raises(NetError, match="use transport udpu"):
        sockets.check_route("127.0.0.1", 1, "239.1.2.3", 5405)


def test_without_netlink_a_machine_has_the_addresses_of_its_name(without, monkeypatch):
    real = socket.getaddrinfo

    def resolved(host, *args, **more):
        names = ("127.7.7.7", NOBODYS, "127.0.0.1")
        mine = [(socket.AF_INET, 0, 0, "", (name, 0)) for name in names]
        return mine if host == socket.gethostname() else real(host, *args, **more)

    monkeypatch.setattr(ifaddr.socket, "getaddrinfo", resolved)
    without("netlink")
    with pytest.raises(NetError, match="no rtnetlink"):
        ifaddr.AddressTable()
    addresses = ifaddr.local_addresses()
    assert addresses[0].address == "127.0.0.1"
    assert NOBODYS not in {one.address for one in addresses}
    assert ifaddr.may_be_ours("127.9.9.9")
    assert not ifaddr.may_be_ours(NOBODYS)
    without()
    assert not ifaddr.may_be_ours("127.9.9.9")
    # A demonstration's node has an address of the loopback's network.
    assert ifaddr.interface_of("127.7.1.1", addresses) is not None


def test_without_ipv6_there_are_addresses_of_ipv4(without):
    without("ipv6")
    with pytest.raises(NetError, match="Use addresses of the other version of IP"):
        sockets.open_udp("::1", 0)
    assert sockets.receive_capacity_bytes(socket.AF_INET6) == 0
    sockets.open_udp("127.0.0.1", 0).close()


def test_without_a_journal_lines_go_to_syslog(without, monkeypatch, tmp_path):
    monkeypatch.setattr(sinks, "JOURNAL_SOCKET", str(tmp_path))
    monkeypatch.setattr(sinks, "SYSLOG_SOCKET", str(tmp_path / "none"))
    settings = LineFormat(LogSettings())
    assert isinstance(sinks.system_log_sink(settings, "daemon"), sinks.JournalSink)
    without("journald")
    assert isinstance(sinks.system_log_sink(settings, "daemon"), sinks.SyslogSink)


@pytest.mark.parametrize(
    ("package", "program", "remedy"),
    [
        ("lz4", "compression.check_model('lz4hc')", "lz4hc needs the Python package lz4"),
        ("zstd", "compression.check_model('zstd')", "zstd needs the Python package zstandard"),
        ("tls", "import corosync_tw.ipc.pb.tls", "OpenSSL"),
    ],
)
def test_what_a_package_does_is_refused_without_it(package, program, remedy):
    lines = "import corosync_tw.features; from corosync_tw.net.knet import compression\n" + program
    environ = {**os.environ, features.VARIABLE: package}
    command = [sys.executable, "-c", lines]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert remedy in ran.stderr.splitlines()[-1]


def test_without_c_clients_python_clients_are_served_alone(without, monkeypatch):
    assert why_no_clients() == ""
    without("c_clients")
    assert why_no_clients() == "COROSYNC_TW_WITHOUT takes them away"
    without()
    monkeypatch.setattr(system, "SHM_DIR", "/nonexistent")
    assert why_no_clients() == "there is no /nonexistent"
    monkeypatch.delattr(socket, "SO_PASSCRED")
    assert why_no_clients() == "sockets do not tell who is at the other end (SO_PASSCRED)"


def test_without_epoll_nobody_tells_that_a_client_has_read(without):
    without("epoll")
    watch = RoomWatch(None)
    watch.start()
    watch.add(None, lambda: None)
    assert watch.fileno() == -1
    watch.close()


def test_without_epoll_twisted_chooses(without, monkeypatch):
    monkeypatch.delitem(sys.modules, "twisted.internet.reactor", raising=False)
    without("epoll")
    install()
    assert "twisted.internet.reactor" not in sys.modules
    monkeypatch.setitem(sys.modules, "corosync_tw.net.epoll_reactor", None)
    without()
    install()
    assert "twisted.internet.reactor" not in sys.modules


def test_another_loop_puts_the_turns_end_off_to_the_next_turn():
    calls = []

    class Loop:
        def callLater(self, delay, call):
            calls.append((delay, call))

    turn_end_of(Loop())(print)
    assert calls == [(0, print)]


def test_without_privileges_of_the_system_there_are_warnings(without):
    before = os.sched_getscheduler(0)
    without("realtime", "memlock")
    assert scheduling.set_round_robin().endswith("Say system.sched_rr: no.")
    assert "not on this system" in scheduling.lock_memory()
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize("name", ["kernels", "futex"])
def test_what_is_decided_at_the_start(name):
    """In a process of its own, by the environment."""
    program = (
        "from corosync_tw.kernels import choice; from corosync_tw.ipc.qb import semaphore;"
        "print(choice.description(), semaphore._SYS_FUTEX)"
    )
    environ = {**os.environ, features.VARIABLE: name}
    environ.pop("COROSYNC_TW_KERNELS", None)
    said = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    ).stdout
    expected = "plain (COROSYNC_TW_WITHOUT=kernels)" if name == "kernels" else " None"
    assert expected in said


def test_probing_changes_nothing_here():
    before = os.sched_getscheduler(0)
    found = {one["name"]: one for one in probed()}
    assert os.sched_getscheduler(0) == before
    assert list(found) == [feature.name for feature in FEATURES]
    assert not found["recvmmsg"]["used"]
    assert all(one["without"] for one in found.values())
    assert all(bool(one["remedy"]) == bool(one["used_for"]) for one in found.values())


def test_what_is_switched_off_is_said(without):
    without("gso", "netlink", "packet")
    lines = "\n".join(as_text(list(probed(("gso", "packet", "verbs")))))
    assert lines == (
        "feature           here     what for\n"
        "gso               off      sends many datagrams in one call\n"
        "                           without it: a call for each datagram\n"
        "                           COROSYNC_TW_WITHOUT takes it away\n"
        "packet            off      corosync-tw sniff listens on interfaces\n"
        "                           without it: sniff -r reads what tcpdump wrote\n"
        "                           COROSYNC_TW_WITHOUT takes it away\n"
        "verbs             no       not used: transports go over InfiniBand by IP\n"
        "not here: gso, packet"
    )


def test_what_is_missing_comes_with_the_reason_and_the_remedy():
    memlock = {
        "name": "memlock",
        "available": False,
        "used": False,
        "switched_off": False,
        "used_for": "no page of the daemon is swapped out",
        "without": "swapping may delay the token",
        "remedy": "LimitMEMLOCK=infinity of its service, or CAP_SYS_RESOURCE",
        "detail": "not allowed to raise maximum limit",
    }
    assert list(as_text([memlock], 80))[1:] == [
        "memlock           MISSING  no page of the daemon is swapped out",
        "                           without it: swapping may delay the token",
        "                           tried: not allowed to raise maximum limit",
        "                           to get it: LimitMEMLOCK=infinity of its service, or",
        "                             CAP_SYS_RESOURCE",
        "not here: memlock",
    ]


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_table_keeps_to_its_width(without, width):
    without(*features.NAMES)
    assert max(map(len, as_text(list(probed()), width))) <= max(width, 45)


def said_by(*args, **environ):
    """What ``corosync-tw features`` says in a process of its own: exit code, output, errors."""
    environ = {**os.environ, "COLUMNS": "80", **environ}
    command = [sys.executable, "-m", "corosync_tw.cli.main", "features", *args]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def test_scripts_ask_by_name():
    off = {features.VARIABLE: "lz4, zstd"}
    code, said, _ = said_by("--json", "lz4", "zstd", **off)
    assert code == 1
    told = [(one["name"], one["available"]) for one in json.loads(said)["features"]]
    assert told == [("lz4", False), ("zstd", False)]
    assert said_by("epoll", **{features.VARIABLE: ""})[0] == 0
    code, _, complaint = said_by("grow")
    assert code == 2
    assert "no feature 'grow'; there are kernels, epoll, " in complaint


def test_a_wrong_name_in_the_variable_is_one_line():
    code, said, complaint = said_by(**{features.VARIABLE: "grow"})
    assert (code, said) == (1, "")
    assert complaint.startswith(
        "corosync_tw: COROSYNC_TW_WITHOUT names no feature: grow; there are"
    )
    assert complaint.count("\n") == 1


def test_a_probe_in_a_child_tells_what_was_refused():
    assert feature_probes._in_child(lambda: "no")() == (False, "no")
    assert feature_probes._in_child(lambda: None)() == (True, "")
