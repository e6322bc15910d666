"""
Real daemons: three nodes in name spaces on one bridge, MTU 1500, one client on node 1.

Stock corosync is driven by a C client on libcpg, ours by a Python client on Perspective Broker that
sends many messages a call; both clients hear their own messages, and those are counted.
"""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Cluster, OurNode, built

HERE = Path(__file__).resolve().parent
NODES = [1, 2, 3]
SYSTEMS = {
    "stock udpu": (NODES, [], "udpu"),
    "stock knet": (NODES, [], "knet"),
    "ours udpu": ([], NODES, "udpu"),
    "ours udp": ([], NODES, "udp"),
}
ANSWER_WITHIN_S = 60.0
FORM_WITHIN_S = 30.0
TRIPS = 300


class Bench:
    """One ring and its client."""

    def __init__(self, cluster, client):
        self._cluster = cluster
        self._client = client
        self._answers = 0

    def ask(self, line):
        """Send one command to the client and wait for its figures."""
        self._client.write_line(line)
        self._answers += 1

        def answered():
            assert self._client.exit_status is None, self._client.log.read_text()
            return self._client.log.read_text().count("\n") >= self._answers

        wait_until(f"answer to {line}", answered, ANSWER_WITHIN_S)
        answer = self._client.log.read_text().splitlines()[self._answers - 1]
        return [float(word) for word in answer.split()]

    def flood(self, size_bytes, seconds):
        """Messages a second, and seconds of processor time of all daemons a million messages."""
        before = self._cpu_s()
        messages, took = self.ask(f"flood {size_bytes} {seconds}")
        return messages / took, (self._cpu_s() - before) / max(messages, 1) * 1e6

    def trip_us(self, size_bytes):
        """Median and 99th percentile of the round trip."""
        return self.ask(f"trip {size_bytes} {TRIPS}")

    def idle_percent(self, seconds):
        """Share of a core that a node takes when nobody speaks."""
        before = self._cpu_s()
        time.sleep(seconds)
        return (self._cpu_s() - before) / seconds / len(NODES) * 100

    def rss_mb(self):
        """Resident memory of the largest node."""
        return max(node.rss_bytes() for node in self._cluster.nodes.values()) / 1e6

    def _cpu_s(self):
        return sum(node.cpu_seconds() for node in self._cluster.nodes.values())


@contextmanager
def running(system):
    """Bring up a ring of one kind with its client in the group."""
    stock, ours, transport = SYSTEMS[system]
    with (
        tempfile.TemporaryDirectory(prefix="corosync-tw-bench-") as directory,
        NetBed(NODES) as bed,
        Cluster(
            bed.machines, stock, ours, Path(directory), transport=transport, token_ms=3000
        ) as cluster,
    ):
        cluster.start()
        node = cluster.nodes[1]
        wait_until("a ring of three", lambda: ring_of_three(cluster), FORM_WITHIN_S)
        if isinstance(node, OurNode):
            argv = node.client_argv("bench")
            argv[1] = str(HERE / "clients" / "pb_bench.py")
        else:
            argv = [str(built(HERE / "clients" / "cpg_bench.c")), "bench"]
        client = Process(node.machine, argv, node.workdir / "bench.log", node.workdir)
        try:
            yield Bench(cluster, client)
        finally:
            client.kill()


def ring_of_three(cluster):
    """Whether all nodes have said so."""
    for node in cluster.nodes.values():
        assert node.running.exit_status is None, cluster.tail_logs()
    return all("Members[3]" in node.log_text() for node in cluster.nodes.values())
