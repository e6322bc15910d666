"""A client of all services is told the same, and in the same order, on our node and on stock."""

import difflib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import CLIENTS, Cluster, built

pytestmark = pytest.mark.interop

# The listener is beside node 1.
RINGS = {"stock": ([1, 2, 3], []), "ours": ([], [1, 2, 3]), "mixed": ([2, 3], [1])}
SERVICES = ("cpg", "quorum", "votes", "map")
WITHIN_S = 20.0
GROUP = "heard"


class Listener:
    """A client of four services, and what it wrote down."""

    def __init__(self, cluster, nodeid):
        node = cluster.nodes[nodeid]
        self.base = node.workdir / "heard"
        command = [str(built(CLIENTS / "hear_all.c")), GROUP, str(self.base)]
        self.process = Process(node.machine, command, node.workdir / "heard.log", node.workdir)
        self._read = dict.fromkeys(SERVICES, 0)

    def text(self, service):
        path = self.base.with_suffix(f".{service}")
        return path.read_text() if path.exists() else ""

    def expect(self, service, line):
        """Wait until a line comes behind those that were expected before."""
        wanted = f"{line}\n"
        try:
            wait_until(line, lambda: wanted in self.text(service)[self._read[service] :], WITHIN_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{service}:\n{self.text(service)}") from None
        found = self.text(service).index(wanted, self._read[service])
        self._read[service] = found + len(wanted)


def member(cluster, nodeid, count=0):
    """Start a member of the group; it sends ``count`` messages."""
    node = cluster.nodes[nodeid]
    number = len(cluster.clients)
    command = node.client_argv(GROUP, str(count), "0", "1", str(node.workdir / f"{number}.txt"))
    process = Process(node.machine, command, node.workdir / f"{number}.log", node.workdir)
    cluster.clients.append(process)
    return process


def story(cluster):
    """Let processes and nodes come and go, one after the other; give what the listener heard."""
    nodes = cluster.nodes
    listener = Listener(cluster, 1)
    hears = listener.expect
    hears("cpg", "ring of 1 members 1 2 3")
    member(cluster, 2)
    hears("cpg", "group members 1/0 2/0 left joined 2/1")
    killed = member(cluster, 3)
    hears("cpg", "group members 1/0 2/0 3/0 left joined 3/1")
    killed.kill()
    hears("cpg", "group members 1/0 2/0 left 3/5 joined")
    leaves = member(cluster, 3, count=3)
    for _ in range(3):
        hears("cpg", "message of 3")
    leaves.close_stdin()
    hears("cpg", "group members 1/0 2/0 left 3/2 joined")
    member(cluster, 3)
    hears("cpg", "group members 1/0 2/0 3/0 left joined 3/1")
    nodes[3].sigkill()
    hears("cpg", "group members 1/0 2/0 left 3/3 joined")
    hears("quorum", "quorate 1, ring of 1 view 1 2")
    nodes[3].start()
    hears("quorum", "quorate 1, ring of 1 view 1 2 3")
    nodes[1].machine.run("corosync-quorumtool", "-e", "4", check=False)
    hears("votes", "expected 4")
    nodes[2].leave()
    hears("quorum", "quorate 0, ring of 1 view 1 3")
    nodes[3].sigkill()
    hears("quorum", "quorate 0, ring of 1 view 1")
    hears("votes", "ring of 1 members 1")
    nodes[1].leave()
    assert listener.process.wait(WITHIN_S) == 3
    cluster.assert_sound()
    return {service: news(listener.text(service).splitlines()) for service in SERVICES}


def news(lines):
    """Leave out what a ring that formed once more with the same members told again."""
    last, kept = {}, []
    for line in lines:
        what = line.split()[0]
        repeated = line == last.get(what) or line.endswith("joined left")
        if what in {"group", "message"} or not (repeated and what in last):
            kept.append(line)
        last[what] = line
    return kept


class Ring(Cluster):
    """Its clients are processes of any kind."""

    def __exit__(self, *details):
        processes, self.clients = self.clients, []
        for process in processes:
            process.kill()
        super().__exit__(*details)


def told(kind, workdir):
    stock, ours = RINGS[kind]
    with NetBed([1, 2, 3]) as bed, Ring(bed.machines, stock, ours, workdir) as ring:
        ring.start()
        ring.wait_quorate()
        return story(ring)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    built(CLIENTS / "order_client.c")
    built(CLIENTS / "hear_all.c")
    with ThreadPoolExecutor(len(RINGS)) as pool:
        rings = {kind: pool.submit(told, kind, tmp_path_factory.mktemp(kind)) for kind in RINGS}
        return {kind: ring.result() for kind, ring in rings.items()}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["ours", "mixed"])
def test_the_same_is_told_in_the_same_order(heard, kind, service):
    stock, other = heard["stock"][service], heard[kind][service]
    assert stock
    assert other == stock, "\n".join(difflib.unified_diff(stock, other, "stock", kind, lineterm=""))
