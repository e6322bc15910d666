"""Nodes of ours with many clients, busy, silent and greedy ones: everybody else gets on."""

import re
import signal
import subprocess

import pytest

from tests.interop import order
from tests.interop.kill_loop import Holding, shared
from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

WITHIN_S = 30.0
END_S = 5.0
LISTENERS = 20
NOISE = r"Unloading|withdrawing|unloaded|exiting"


@pytest.fixture(scope="module")
def bed():
    with NetBed([1, 2, 3, 4]) as made:
        yield made


@pytest.fixture
def ring(bed, tmp_path):
    with Cluster(bed.machines, [], [1, 2, 3], tmp_path) as cluster:
        cluster.start()
        cluster.wait_quorate()
        yield cluster


def last_words(node):
    """What a daemon says from the first sign of its end on, without times."""
    lines = [line.split(maxsplit=4)[-1] for line in node.log_text().splitlines()]
    return [line for line in lines if re.search(NOISE, line)]


def test_tools_work_beside_a_flood_and_clients_share_the_ring(ring):
    node = ring.nodes[1]
    flood = [ring.client(1, f"flood{n}", count=10**9, rate=0, members=2) for n in range(2)]
    ring.wait_delivered(flood, 1000, WITHIN_S)
    for tool in ("cfgtool -R", "cfgtool -s", "quorumtool -s", "cpgtool", "cmapctl -g totem.token"):
        for _ in range(5):
            said = node.machine.run(*f"corosync-{tool}".split(), check=False)
            assert said.returncode == 0, f"{tool}: {said.stdout}{said.stderr}"
    for client in flood:
        assert client.finish() == 0
    sent = [order.ClientLog.parse(client.label, client.lines()).sent for client in flood]
    assert min(sent) > max(sent) / 5, f"shares of the ring: {sent}"


def test_a_client_that_does_not_read_is_dropped_alone(ring):
    node = ring.nodes[2]
    silent = ring.client(2, "silent", count=0, rate=0, members=1)
    readers = [ring.client(nodeid, f"n{nodeid}", count=0, rate=0, members=1) for nodeid in (1, 2)]
    ring.wait_members([silent, *readers], 3, WITHIN_S)
    silent.process.signal(signal.SIGSTOP)
    flood = ring.client(3, "flood", count=10**9, rate=0, members=1)
    wait_until("the silent client is dropped", lambda: "Dropping cpg" in node.log_text(), WITHIN_S)
    silent.process.signal(signal.SIGCONT)
    assert silent.process.wait(WITHIN_S) == 3
    assert flood.finish() == 0
    ring.wait_members(readers, 2, WITHIN_S)
    for reader in readers:
        assert reader.finish() == 0
    seen = [order.ClientLog.parse(client.label, client.lines()) for client in readers]
    order.check_acyclic(seen)
    order.check_overlap(*seen)
    assert node.log_text().count("Dropping") == 1
    ring.assert_sound()


def test_the_end_of_a_node_with_many_clients(ring, bed, tmp_path):
    """The last words are those of stock, clients notice, and nothing is left behind."""
    for number in range(LISTENERS):
        ring.client(1, f"idle{number}", count=0, rate=0, members=1)
    busy = ring.client(1, "busy", count=10**9, rate=0, members=LISTENERS + 1)
    ring.wait_delivered([busy], 100, WITHIN_S)
    assert len(shared(ring.nodes[1].machine)) > LISTENERS
    assert ring.nodes[1].leave(END_S) == 0
    for client in ring.clients:
        assert client.process.wait(WITHIN_S) == 3
    assert shared(ring.nodes[1].machine) == []
    assert list(ring.nodes[1].run_dir.iterdir()) == []
    ring.wait_quorate([2, 3])
    with Cluster({4: bed.machines[4]}, [4], [], tmp_path) as single:
        single.start()
        single.wait_quorate()
        single.nodes[4].leave()
        assert last_words(ring.nodes[1]) == last_words(single.nodes[4])


def test_the_violent_end_of_a_node_with_many_clients(ring):
    clients = [
        ring.client(1, f"n{n}", count=0, rate=0, members=LISTENERS) for n in range(LISTENERS)
    ]
    ring.wait_members(clients, LISTENERS, WITHIN_S)
    ring.nodes[2].machine.run("corosync-cfgtool", "-k", "1")
    assert ring.nodes[1].running.wait(END_S) == 255
    assert shared(ring.nodes[1].machine) == []
    for client in clients:
        assert client.process.wait(WITHIN_S) == 3


def test_a_second_daemon_is_refused_and_leaves_nothing(ring, tmp_path):
    node = ring.nodes[1]
    client = ring.client(1, "client", count=0, rate=0, members=1)
    ring.wait_members([client], 1, WITHIN_S)
    before = Holding.of(node), shared(node.machine)
    run_dir = tmp_path / "second"
    conf = tmp_path / "second.conf"
    text = node.conf.read_text()
    # Another address, lock and state: only the names of the C clients' sockets are taken.
    node.machine.run("ip", "addr", "add", "10.77.5.99/24", "dev", "eth0")
    text = text.replace(str(node.run_dir), str(run_dir)).replace(str(node.state_dir), str(run_dir))
    conf.write_text(text.replace(f"{node.machine.address}\n", "10.77.5.99\n"))
    argv = [str(conf) if word == str(node.conf) else word for word in node.argv()]
    said = subprocess.run(
        node.machine.enter(argv), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert said.returncode == 20, said.stderr
    assert said.stderr.count("Cannot listen for C clients: Address already in use") == 1
    assert (Holding.of(node), shared(node.machine)) == before
    assert [path.name for path in run_dir.iterdir() if not path.name.startswith("ringid")] == []
    assert client.finish() == 0


def test_ten_thousand_strangers_at_the_door(ring):
    """They are kept waiting or turned away; the ring does not notice, and old clients get on."""
    node = ring.nodes[1]
    client = ring.client(1, "client", count=10**9, rate=100, members=1)
    ring.wait_members([client], 1, WITHIN_S)
    rings = node.log_text().count("A new membership")
    crowd = Process(
        node.machine, ["python3", "-c", CROWD], node.workdir / "crowd.log", node.workdir
    )
    crowd.wait(WITHIN_S)
    assert (node.workdir / "crowd.log").read_text() == "10000\n"
    wait_until("all are gone", lambda: Holding.of(node).descriptors < 60, WITHIN_S)
    seen = client.delivered()
    ring.wait_delivered([client], seen + 100, WITHIN_S)
    assert client.finish() == 0
    assert node.log_text().count("A new membership") == rings
    ring.assert_sound()


CROWD = r"""
import socket
name, made, held = b"\0cpg".ljust(108, b"\0"), 0, []
while made < 10_000:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(name)
    made += 1
    if made % 2:
        sock.send(b"half a request")
    held = [*held[-200:], sock]
print(made)
"""
