"""
Real daemons: one node or three in name spaces on one bridge, MTU 1500, C clients on node 1.

Stock corosync and ours are driven by the same programs, linked to the same libcpg and libcmap; the
client hears its own messages, and those are counted.
"""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Cluster, built

HERE = Path(__file__).resolve().parent
SYSTEMS = {
    "stock udpu": ("stock", "udpu"),
    "stock knet": ("stock", "knet"),
    "ours udpu": ("ours", "udpu"),
    "ours udp": ("ours", "udp"),
}
ANSWER_WITHIN_S = 60.0
FORM_WITHIN_S = 30.0
TRIPS = 300
CONNECTS = 300
KEYS = 10_000


class Asked:
    """A client that answers each line of its standard input with a line of figures."""

    def __init__(self, node, source, *arguments):
        log = node.workdir / f"{source}.log"
        argv = [str(built(HERE / "clients" / source)), *arguments]
        self._process = Process(node.machine, argv, log, node.workdir)
        self._answers = 0

    def ask(self, line):
        """Send one command and wait for its figures."""
        process = self._process
        process.write_line(line)
        self._answers += 1

        def answered():
            assert process.exit_status is None, process.log.read_text()
            return process.log.read_text().count("\n") >= self._answers

        wait_until(f"answer to {line}", answered, ANSWER_WITHIN_S)
        answer = process.log.read_text().splitlines()[self._answers - 1]
        return [float(word) for word in answer.split()]

    def close(self):
        """End the client."""
        self._process.kill()


class Bench:
    """One ring and its clients."""

    def __init__(self, cluster, cpg, cmap):
        self._cluster = cluster
        self._cpg = cpg
        self._cmap = cmap

    def flood(self, size_bytes, seconds):
        """Messages a second, and seconds of processor time of all daemons a million messages."""
        before = self._cpu_s()
        messages, took = self._cpg.ask(f"flood {size_bytes} {seconds}")
        return messages / took, (self._cpu_s() - before) / max(messages, 1) * 1e6

    def trip_us(self, size_bytes):
        """Median and 99th percentile of the round trip."""
        return self._cpg.ask(f"trip {size_bytes} {TRIPS}")

    def connects_per_second(self):
        """Connections made and closed by one client."""
        count, took = self._cpg.ask(f"connect {CONNECTS}")
        return count / took

    def listing_ms(self):
        """Time to list KEYS keys with their values."""
        self._cmap.ask(f"fill {KEYS}")
        keys, took = self._cmap.ask("list")
        assert keys == KEYS
        return took * 1e3

    def idle_percent(self, seconds):
        """Share of a core that a node takes when nobody speaks."""
        before = self._cpu_s()
        time.sleep(seconds)
        return (self._cpu_s() - before) / seconds / len(self._cluster.nodes) * 100

    def rss_mb(self):
        """Resident memory of the largest node."""
        return max(node.rss_bytes() for node in self._cluster.nodes.values()) / 1e6

    def _cpu_s(self):
        return sum(node.cpu_seconds() for node in self._cluster.nodes.values())


@contextmanager
def running(system, node_count):
    """Bring up a ring of one kind with its clients on node 1."""
    kind, transport = SYSTEMS[system]
    nodes = list(range(1, node_count + 1))
    stock, ours = (nodes, []) if kind == "stock" else ([], nodes)
    with (
        tempfile.TemporaryDirectory(prefix="corosync-tw-bench-") as directory,
        NetBed(nodes) as bed,
        Cluster(
            bed.machines, stock, ours, Path(directory), transport=transport, token_ms=3000
        ) as cluster,
    ):
        cluster.start()
        text = f"Members[{node_count}]"
        wait_until("a ring of all", lambda: ring_formed(cluster, text), FORM_WITHIN_S)
        node = cluster.nodes[1]
        clients = [Asked(node, "cpg_bench.c", "bench"), Asked(node, "cmap_bench.c")]
        try:
            yield Bench(cluster, *clients)
        finally:
            for client in clients:
                client.close()


def ring_formed(cluster, text):
    """Whether all nodes have said so."""
    for node in cluster.nodes.values():
        assert node.running.exit_status is None, cluster.tail_logs()
    return all(text in node.log_text() for node in cluster.nodes.values())
