"""
How often each byte of a message is copied on its way through our daemons.

A library that is loaded into them counts all copies that the processes make, in kernels, Python and
its objects alike (clients/count_copies.c). Three nodes: the client of the first sends and hears
itself, that of the second hears, nobody is on the third. A message is copied once from the shared
memory of its sender to where the sockets take it from, and once from where the sockets left it to
the shared memory of each who hears it. Plain kernels alone copy short messages oftener, which takes
less time than to copy each by itself (kernels.plain.rings).
"""

import pytest

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import CLIENTS, Cluster, built

pytestmark = pytest.mark.interop

NODES = [1, 2, 3]
RING_WITHIN_S = 20.0
SENT_WITHIN_S = 60.0
# Bytes of a message, and how many at a time: what waits for a client that is far behind is copied.
FLOODS = ((64, 10_000), (1_600, 1_200), (40_000, 50), (1_000_000, 2))
TIMES = 5
# Other bytes that look like a message's.
STRAY = 0.05
SENDER, HEARER, BYSTANDER = NODES
COPIES = {SENDER: 2, HEARER: 1, BYSTANDER: 0}
# Taken from the sender as objects, joined, and stored; joined and stored for those who hear.
COPIES_OF_SHORT_IN_PLAIN = {SENDER: 3 + 2, HEARER: 2, BYSTANDER: 0}
SHORT_LEN_MAX = 512


class Copies:
    """The numbers that the daemons count."""

    def __init__(self, cluster):
        library = built(CLIENTS / "count_copies.c", shared=True)
        self._files = {}
        for nodeid, node in cluster.nodes.items():
            self._files[nodeid] = node.workdir / "copies"
            self._files[nodeid].write_bytes(bytes(8))
            environ = {"LD_PRELOAD": str(library), "COPIES_FILE": str(self._files[nodeid])}
            node.env = {**node.env, **environ}

    def read(self):
        return {n: int.from_bytes(file.read_bytes(), "little") for n, file in self._files.items()}


class Filler:
    """A client that sends and hears messages made of one byte."""

    def __init__(self, node):
        argv = [str(built(CLIENTS / "fill.c")), "copies", "2"]
        self.log = node.workdir / "fill.log"
        self.process = Process(node.machine, argv, self.log, node.workdir)

    def until(self, said):
        def has_said():
            assert self.process.exit_status is None, self.log.read_text()
            return said in self.log.read_text().splitlines()

        wait_until(said, has_said, SENT_WITHIN_S)


@pytest.fixture(params=["compiled", "plain"])
def ring(request, tmp_path):
    with NetBed(NODES) as bed, Cluster(bed.machines, [], NODES, tmp_path) as cluster:
        for node in cluster.nodes.values():
            node.env = {"COROSYNC_TW_KERNELS": request.param}
        copies = Copies(cluster)
        cluster.start()
        cluster.wait_quorate(timeout_s=RING_WITHIN_S)
        yield cluster, copies, request.param


def copies_max(size, kernels):
    short = kernels == "plain" and size <= SHORT_LEN_MAX
    return COPIES_OF_SHORT_IN_PLAIN if short else COPIES


def test_each_byte_is_copied_once_each_way(ring):
    cluster, copies, kernels = ring
    fillers = [Filler(cluster.nodes[nodeid]) for nodeid in (SENDER, HEARER)]
    try:
        for filler in fillers:
            filler.until("ready")
        delivered, measured = 0, {}
        for size, count in FLOODS:
            before = copies.read()
            for _ in range(TIMES):
                delivered += count
                fillers[0].process.write_line(f"send {size} {count}")
                for filler in fillers:
                    filler.process.write_line(f"wait {delivered}")
                    filler.until(f"got {delivered}")
            after = copies.read()
            measured[size] = {n: (after[n] - before[n]) / (size * count * TIMES) for n in NODES}
    finally:
        for filler in fillers:
            filler.process.kill()
    cluster.assert_alive(NODES)
    assert all(f"Kernels: {kernels}" in node.log_text() for node in cluster.nodes.values())
    for size, copied in measured.items():
        most = copies_max(size, kernels)
        assert all(copied[n] <= most[n] + STRAY for n in NODES), measured
        # The counter does count.
        assert copied[SENDER] > COPIES[SENDER] - STRAY, measured
        assert copied[HEARER] > COPIES[HEARER] - STRAY, measured
